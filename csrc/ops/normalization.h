// Normalization in C++.
#pragma once

#include "core/tensor.h"

namespace rl::ops {

// weight and bias may be undefined.
Tensor layer_norm(const Tensor& input, const Dims& normalized_shape, const Tensor& weight, const Tensor& bias,
                  double eps = 1e-5);

}  // namespace rl::ops
