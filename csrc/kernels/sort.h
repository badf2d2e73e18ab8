// Order along a line: sorting, selection of the first few, the most frequent value, and search in sorted
// lines.
#pragma once

#include "core/dtype.h"

namespace rl::kernels {

enum class Selection : uint8_t {
    kth,         // from 0
    median,      // the lower of the middle values; the first NaN where there is one
    nan_median,  // the same of those that are not NaN
};

// Input is contiguous [lines, size] of a real type. NaN is the greatest value; equal values keep their order.
struct SortKernels {
    // order[line, i]: the position of the i-th value. Of the first `count` alone where count < size; the rest
    // of a line's order is then undefined. `sorted` false leaves the first `count` in no order.
    void (*order)(DType dtype, const void* in, int64_t lines, int64_t size, int64_t count, bool descending,
                  bool sorted, int64_t* order);

    // The value and position in each line of the k-th smallest value (as `which` counts), without a whole
    // sort. order is for working in.
    void (*select_one)(DType dtype, const void* in, int64_t lines, int64_t size, Selection which, int64_t k,
                       int64_t* order, void* values, int64_t* indices);

    // out[i] = in[i / per_line's line, order[i]], for the first `count` of each line of `size`.
    void (*take_ordered)(DType dtype, const void* in, int64_t lines, int64_t size, int64_t count,
                         const int64_t* order, void* values, int64_t* indices);

    // The most frequent value of each line, the least of equals, and its last position; order is complete.
    void (*mode)(DType dtype, const void* in, int64_t lines, int64_t size, const int64_t* order, void* values,
                 int64_t* indices);

    // The number of values of a sorted line below each value (below or equal, where right). Lines repeat when
    // there is one line; `sorter` may be null, or gives the order of each line.
    void (*search)(DType dtype, const void* sorted_lines, const int64_t* sorter, int64_t size, bool one_line,
                   const void* values, int64_t lines, int64_t count, bool right, int64_t* positions);

    // starts[i]: whether row order[i] of [rows, width] differs from row order[i - 1] (order null: 0,
    // 1, 2...).
    void (*row_starts)(DType dtype, const void* in, int64_t rows, int64_t width, const int64_t* order,
                       bool* starts);

    // The positions of rows of [rows, width] in lexical order.
    void (*order_rows)(DType dtype, const void* in, int64_t rows, int64_t width, int64_t* order);
};
const SortKernels& sort_kernels();

}  // namespace rl::kernels
