// Separable linear maps of the last dimensions, as operators on the graph.
#pragma once

#include <array>

#include "core/tensor.h"
#include "kernels/resample.h"

namespace rl::ops {

using AxisMaps = std::array<kernels::AxisMap, 3>;

// Maps of `spatial` dimensions, the missing ones before them left alone.
AxisMaps identity_maps(const Tensor& self, int64_t spatial);

// Raises OutOfMemory where there is no memory for `self` with its last dimensions of the given sizes: to be called
// before a map is made of a size that the user chose.
void check_memory(const Tensor& self, const Dims& last);

// Applies the maps to the last `spatial` dimensions and divides by `divisor`. `node` names the graph's node.
Tensor resample(const char* node, const Tensor& self, int64_t spatial, AxisMaps maps, int64_t divisor = 1);

}  // namespace rl::ops
