// Reading and writing at positions that other arrays hold: gather, scatter, advanced indexing, masks,
// histograms. Gather and scatter check their indices; the other kernels trust them: find_out_of_range comes
// first.
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

// values[before, point, after] and table[before, index[point], after] correspond.
struct PointsArguments {
    DType dtype;
    void* table;
    void* values;
    const int64_t* index;   // in [-size, size)
    int64_t size;           // what is added to negative indices
    int64_t stride;         // of the table, from one index to the next
    int64_t count;          // of points
    int64_t values_stride;  // from one point's values to the next's
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
    const int64_t* index;  // contiguous, of the sizes in dims, in [0, table_size)
    int64_t table_size;    // along `dim`
    const IndexDim* dims;  // the table's stride along `dim` included
    int rank;
    int dim;
};

// Elements that a selection by value treats as one piece of work.
inline constexpr int64_t selection_piece = 1 << 15;
constexpr int64_t selection_pieces(int64_t count) {
    return (count + selection_piece - 1) / selection_piece;
}

struct IndexKernels {
    // The first position whose value lies outside [low, high), or -1.
    int64_t (*find_out_of_range)(const int64_t* index, int64_t count, int64_t low, int64_t high);

    // False where an index is out of range; nothing outside the table is then touched.
    bool (*gather)(const GatherArguments&);
    bool (*scatter)(const GatherArguments&, Combine);
    void (*read_points)(const PointsArguments&);
    // Points in order: the last one wins, or all are added.
    void (*write_points)(const PointsArguments&, bool add);

    // offsets[i] = (index[i] wrapped from [-size, size) to [0, size)) * stride, or where `add`, that much
    // more.
    void (*place_points)(const int64_t* index, int64_t count, int64_t size, int64_t stride, bool add,
                         int64_t* offsets);

    // How many elements are not zero, in all; starts[piece] is how many there are in earlier pieces.
    int64_t (*count_nonzero)(DType dtype, const void* in, int64_t count, int64_t* starts);
    // The positions of all of them, in order; and the elements where a mask is not zero.
    void (*nonzero)(DType dtype, const void* in, int64_t count, const int64_t* starts, int64_t all,
                    int64_t* positions);
    void (*masked_select)(DType dtype, const void* in, const bool* mask, int64_t count, const int64_t* starts,
                          int64_t all, void* selected);
    // The other way: elements where the mask is true become those of `source`, one after the other.
    void (*masked_scatter)(DType dtype, const void* source, const bool* mask, int64_t count,
                           const int64_t* starts, int64_t all, void* out);
    // coordinates[k, i]: the k-th coordinate of positions[i] in an array of these sizes.
    void (*unravel)(const int64_t* positions, int64_t count, const int64_t* sizes, int rank,
                    int64_t* coordinates);

    // counts[index[i]] += 1, of indices in [0, bins).
    void (*count_indices)(const int64_t* index, int64_t count, int64_t bins, int64_t* counts);
};
const IndexKernels& index_kernels();

}  // namespace rl::kernels
