// Bitwise operators in C++.
#pragma once

#include "ops/pointwise.h"

namespace rl::ops {

extern const PointwiseOperator bitwise_and, bitwise_or, bitwise_xor, bitwise_not;

}  // namespace rl::ops
