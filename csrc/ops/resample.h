// Separable linear maps of the last dimensions, as operators on the graph.
#pragma once

#include <array>

#include "core/tensor.h"
#include "kernels/resample.h"

namespace rl::ops {

using AxisMaps = std::array<kernels::AxisMap, 3>;

// Maps of `spatial` dimensions, the missing ones before them left alone.
AxisMaps identity_maps(const Tensor& self, int64_t spatial);

// How the elements of a tensor lie in memory for kernels that work on its last `spatial` dimensions: (planes,
// spatial..., inner). Channels that lie last are the inner dimension of real floating-point tensors; all else
// is laid out anew.
struct PlaneLayout {
    bool channels_last;
    int64_t planes, inner;

    PlaneLayout(const Tensor& self, int64_t spatial, DType dtype);
    // The memory of `self`, or a copy, in this layout.
    Tensor arranged(const Tensor& self) const;
    Tensor empty(const Dims& sizes, TensorOptions options) const;
};

// Raises OutOfMemory where there is no memory for `self` with its last dimensions of the given sizes: to be
// called before a map is made of a size that the user chose.
void check_memory(const Tensor& self, const Dims& last);

// Applies the maps to the last `spatial` dimensions and divides by `divisor`. `node` names the graph's node.
Tensor resample(const char* node, const Tensor& self, int64_t spatial, AxisMaps maps, int64_t divisor = 1);

}  // namespace rl::ops
