// Arithmetic on shapes: sizes, strides, broadcasting, dimension numbers.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <span>
#include <string>

#include "core/device.h"
#include "core/inline_vector.h"

namespace rl {

using Dims = InlineVector<int64_t, 5>;
using IntSpan = std::span<const int64_t>;

// The most dimensions that a tensor has, as NumPy's arrays: sets of dimensions are bits of one word.
inline constexpr int64_t max_dims = 64;

// Product of the sizes; throws Error for too many, for negative sizes and on overflow.
int64_t count_elements(IntSpan sizes);
// One past the last element that a geometry reaches, counted from its first; 0 where it has none. Throws
// Error as count_elements does.
int64_t storage_extent(IntSpan sizes, IntSpan strides);
Dims contiguous_strides(IntSpan sizes);
void set_contiguous_strides(IntSpan sizes, Dims& strides);  // the same, into a vector that is there already
// Strides of a dense tensor in the given memory format (channels_last needs 4 dims, channels_last_3d 5).
Dims strides_for(IntSpan sizes, MemoryFormat format);
bool is_contiguous(IntSpan sizes, IntSpan strides);
bool is_channels_last(IntSpan sizes, IntSpan strides);
// Whether every element has one place and there are no gaps, in whatever order of dimensions.
bool is_dense(IntSpan sizes, IntSpan strides);
// Whether two indices may name one place in memory (as after expand).
bool may_overlap_itself(IntSpan sizes, IntSpan strides);
// Strides for a new dense tensor that keeps the order of dimensions of the given one.
Dims strides_like(IntSpan sizes, IntSpan strides);

// The shape that two broadcast to; throws Error with PyTorch's wording.
Dims broadcast(IntSpan a, IntSpan b);
bool can_broadcast_to(IntSpan from, IntSpan to);
// Throws Error with PyTorch's wording where an in-place operation would change the shape of what it writes.
void check_keeps_shape(IntSpan written, IntSpan result);
// Strides with which a tensor reads as the wider shape `sizes` (0 where it is repeated).
Dims broadcast_strides(IntSpan from_sizes, IntSpan from_strides, IntSpan sizes);

// Maps a possibly negative dimension into [0, ndim); throws IndexError with PyTorch's wording. A zero-dim
// tensor is taken to have one dimension.
int64_t wrap_dim(int64_t dim, int64_t ndim);
// A set of dimensions as a mask (none given: all); throws Error where one is named twice.
uint64_t dim_mask(IntSpan dims, int64_t ndim, bool empty_means_all = true);

// Replaces one -1 in `shape` by what makes it hold `numel` elements; throws Error with PyTorch's wording.
Dims infer_size(IntSpan shape, int64_t numel);
// Strides with which memory of the old geometry reads as `shape` without a copy, if any exist.
std::optional<Dims> view_strides(IntSpan old_sizes, IntSpan old_strides, IntSpan shape);

// "[2, 3]", written out only when it is streamed into a message or made a string: checks that hold pay
// nothing.
struct ShapeText {
    IntSpan values;
    operator std::string() const;
};
inline ShapeText to_string(IntSpan values) {
    return {values};
}
std::ostream& operator<<(std::ostream& out, ShapeText text);

}  // namespace rl
