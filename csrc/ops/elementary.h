// Elementary functions in C++.
#pragma once

#include "ops/pointwise.h"

namespace rl::ops {

extern const PointwiseOperator exp, exp2, expm1, log, log2, log10, log1p;
extern const PointwiseOperator sin, cos, tan, asin, acos, atan, sinh, cosh, tanh, asinh, acosh, atanh;
extern const PointwiseOperator floor, ceil, trunc, atan2, hypot, logaddexp;
// Real parts and imaginary parts joined.
extern const PointwiseFunction complex;

}  // namespace rl::ops
