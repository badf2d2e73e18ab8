// Largest elements of windows, and where they are.
#pragma once

#include <cstdint>
#include <vector>

#include "core/dtype.h"
#include "kernels/dispatch.h"

namespace rl::kernels {

// The windows of one dimension: output i looks at first[i], first[i] + step, ... below last[i].
struct AxisWindows {
    int64_t input = 1, step = 1;
    std::vector<int64_t> first{0}, last{1};
    int64_t output() const { return static_cast<int64_t>(first.size()); }
};

// For contiguous (planes, depth, height, width), the first largest element (NaN counts as larger, the last
// NaN wins) of every window (one set of windows for each of the three dimensions) and its index in the plane.
// An empty window gives the type's lowest value and index 0.
void max_pool(DType dtype, int64_t planes, const AxisWindows* windows, const void* input, void* output,
              int64_t* indices);

struct PoolKernels {
    void (*max_pool)(DType, int64_t planes, const AxisWindows* windows, const void* input, void* output,
                     int64_t* indices);
};
const PoolKernels& pool_kernels();

}  // namespace rl::kernels
