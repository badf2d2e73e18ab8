// Largest elements of windows, and where they are.
#pragma once

#include <cstdint>
#include <vector>

#include "core/dtype.h"
#include "kernels/dispatch.h"

namespace rl::kernels {

// The windows of one dimension: output i looks at first[i], first[i] + step, ... below last[i]. Where they
// are equally spaced, `stride` (else 0) is the distance from one to the next, and unclipped they begin at
// `origin` and have `width` elements.
struct AxisWindows {
    int64_t input = 1, step = 1;
    std::vector<int64_t> first{0}, last{1};
    int64_t stride = 0, origin = 0, width = 1;
    int64_t output() const { return static_cast<int64_t>(first.size()); }
};

// For contiguous (planes, depth, height, width, inner), where inner > 1 only for real floating-point types,
// the first largest element (NaN counts as larger, the last NaN wins) of every window (one set of windows for
// each of the three dimensions) and, unless `indices` is null, its index in the plane. An empty window gives
// the type's lowest value and index 0.
void max_pool(DType dtype, int64_t planes, int64_t inner, const AxisWindows* windows, const void* input,
              void* output, int64_t* indices);

// Adds each of the `count` elements of a plane (or runs of `inner`, each element by its own index) to the
// element of a plane of `size` zeros that its index names.
void max_pool_gradient(DType dtype, int64_t planes, int64_t inner, int64_t count, int64_t size,
                       const void* grad, const int64_t* indices, void* grad_input);

struct PoolKernels {
    void (*max_pool)(DType, int64_t planes, int64_t inner, const AxisWindows* windows, const void* input,
                     void* output, int64_t* indices);
    void (*max_pool_gradient)(DType, int64_t planes, int64_t inner, int64_t count, int64_t size,
                              const void* grad, const int64_t* indices, void* grad_input);
};
const PoolKernels& pool_kernels();

}  // namespace rl::kernels
