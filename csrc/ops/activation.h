// Activations of neural networks in C++.
#pragma once

#include "ops/pointwise.h"

namespace rl::ops {

extern const PointwiseFunction relu;
extern const PointwiseOperator sigmoid, silu, mish, log_sigmoid;
Tensor leaky_relu(const Tensor& self, const Scalar& negative_slope, const Destination& destination = {});
Tensor gelu(const Tensor& self, const std::string& approximate = "none", const Destination& destination = {});
Tensor softplus(const Tensor& self, const Scalar& beta, const Scalar& threshold,
                const Destination& destination = {});

}  // namespace rl::ops
