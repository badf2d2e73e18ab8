// Comparisons, logic and classification in C++: results are boolean and off the graph.
#pragma once

#include "ops/pointwise.h"

namespace rl::ops {

extern const PointwiseOperator eq, ne, lt, le, gt, ge;
extern const PointwiseOperator logical_and, logical_or, logical_xor, logical_not;
extern const PointwiseOperator isnan, isinf, isfinite;

// Differentiable: the larger and the smaller of two, NaN where either is NaN (maximum, minimum) or only where
// both are (fmax, fmin).
extern const PointwiseOperator maximum, minimum, fmax, fmin;

}  // namespace rl::ops
