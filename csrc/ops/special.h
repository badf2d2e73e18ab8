// Special functions in C++.
#pragma once

#include "ops/pointwise.h"

namespace rl::ops {

extern const PointwiseOperator lgamma, digamma, erf, erfc;
// Derivative number `n` of digamma.
Tensor polygamma(int64_t n, const Tensor& self, const Destination& destination = {});

}  // namespace rl::ops
