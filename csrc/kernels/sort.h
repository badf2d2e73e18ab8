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

// Input is contiguous [lines, size] of a real type, values and indices [lines, count].
struct SortArguments {
    DType dtype;
    const void* in;
    int64_t lines, size;
    int64_t count;  // how many of the first values of each line are wanted
    bool descending;
    bool sorted;  // false: the values that are wanted may come in any order
    void* workspace;
    void* values;
    int64_t* indices;
};

// NaN is the greatest value; equal values keep their order. Lines of types narrower than 8 bytes have at most
// 2^32 elements.
struct SortKernels {
    // The bytes that sort and select_one need at `workspace` for lines of this size.
    int64_t (*workspace_bytes)(DType dtype, int64_t size);

    // The wanted values of each line, and their positions.
    void (*sort)(const SortArguments&);

    // The value and position in each line of the k-th smallest value (as `which` counts), without a whole
    // sort.
    void (*select_one)(DType dtype, const void* in, int64_t lines, int64_t size, Selection which, int64_t k,
                       void* workspace, void* values, int64_t* indices);

    // The most frequent value of each sorted line, the least of equals, and its last position; `order` is
    // where each sorted value came from.
    void (*mode)(DType dtype, const void* sorted, const int64_t* order, int64_t lines, int64_t size,
                 void* values, int64_t* indices);

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
