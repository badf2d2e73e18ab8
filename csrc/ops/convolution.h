// Convolutions in C++.
#pragma once

#include "core/tensor.h"

namespace rl::ops {

// With `transposed` the weight is (in_channels, out_channels / groups, kernel...) and output_padding counts.
Tensor convolution(const Tensor& input, const Tensor& weight, const Tensor& bias, const Dims& stride,
                   const Dims& padding, const Dims& dilation, bool transposed, const Dims& output_padding,
                   int64_t groups);

// Whether 3x3 convolutions may use Winograd's minimal filtering; for every thread.
bool winograd_enabled();
void set_winograd_enabled(bool enabled);

}  // namespace rl::ops
