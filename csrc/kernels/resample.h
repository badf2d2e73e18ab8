// Separable linear maps over up to three spatial dimensions: average pooling, interpolation, padding by
// reflection or repetition, and the transposes of all of them, which are their gradients.
#pragma once

#include <cstdint>
#include <vector>

#include "core/dtype.h"
#include "kernels/dispatch.h"

namespace rl::kernels {

// Output i of one dimension is the sum of weight[j] * input[index[j]] for j in [first[i], first[i + 1]),
// divided by divisor[i] where there are divisors. Without weights all are one.
struct AxisMap {
    int64_t input = 1, output = 1;
    std::vector<int64_t> first{0, 1};
    std::vector<int64_t> index{0};
    std::vector<double> weight;
    std::vector<int64_t> divisor;

    AxisMap transposed() const;
    // Whether one output is the plain sum of all inputs, divided perhaps.
    bool takes_all() const;
    int64_t divisor_at(int64_t i) const { return divisor.empty() ? 1 : divisor[static_cast<size_t>(i)]; }
};

// For contiguous (planes, depth, height, width, inner), where inner > 1 only for real floating-point types:
// every dimension between by its own map, then divided by `divisor`. Sums in float for 16-bit types; the
// division of integers truncates.
void resample(DType dtype, int64_t planes, int64_t inner, const AxisMap (&maps)[3], int64_t divisor,
              const void* input, void* output);

struct ResampleKernels {
    void (*resample)(DType, int64_t planes, int64_t inner, const AxisMap (&)[3], int64_t divisor, const void*,
                     void*);
};
const ResampleKernels& resample_kernels();

}  // namespace rl::kernels
