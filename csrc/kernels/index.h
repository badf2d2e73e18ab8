// Reading and writing at positions that other arrays hold: gather, scatter, advanced indexing, masks,
// histograms. Indices are checked by find_out_of_range first; the other kernels trust them.
#pragma once

#include "core/dtype.h"

namespace rl::kernels {

// What becomes of an element that is written to: the value itself, or the old element combined with it.
enum class Combine : uint8_t { assign, add, multiply, maximum, minimum };

// One dimension that a table and an array of values share; strides count elements.
struct IndexDim {
    int64_t size;
    int64_t table_stride;
    int64_t values_stride;
};
inline constexpr int max_index_rank = 64;

// values[before, point, after] and table[before, offsets[point], after] correspond.
struct PointsArguments {
    DType dtype;
    void* table;
    void* values;
    const int64_t* offsets;  // into the table, in elements
    int64_t count;           // of points
    int64_t values_stride;   // from one point's values to the next's
    const IndexDim* before;
    int before_rank;
    const IndexDim* after;
    int after_rank;
};

// values[i...] and table[i..., index[i...] in place of coordinate `dim`, i...] correspond.
struct GatherArguments {
    DType dtype;
    void* table;
    void* values;
    const int64_t* index;  // contiguous, of the sizes in dims
    const IndexDim* dims;  // the table's stride along `dim` included
    int rank;
    int dim;
};

struct IndexKernels {
    // The first position whose value lies outside [low, high), or -1.
    int64_t (*find_out_of_range)(const int64_t* index, int64_t count, int64_t low, int64_t high);

    void (*gather)(const GatherArguments&);
    void (*scatter)(const GatherArguments&, Combine);
    void (*read_points)(const PointsArguments&);
    void (*write_points)(const PointsArguments&, Combine);  // points in order, the last one wins

    // offsets[i] += (index[i] wrapped from [-size, size) to [0, size)) * stride
    void (*add_offsets)(const int64_t* index, int64_t count, int64_t size, int64_t stride, int64_t* offsets);

    // Writes the positions of the elements that are not zero, in order, and returns how many there are.
    int64_t (*nonzero)(DType dtype, const void* in, int64_t count, int64_t* positions);
    // coordinates[k, i]: the k-th coordinate of positions[i] in an array of these sizes.
    void (*unravel)(const int64_t* positions, int64_t count, const int64_t* sizes, int rank,
                    int64_t* coordinates);
};
const IndexKernels& index_kernels();

}  // namespace rl::kernels
