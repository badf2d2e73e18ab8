// Padding in C++.
#pragma once

#include "core/tensor.h"

namespace rl::ops {

// `pad` holds (before, after) for the last dimension, the one before it, ...; negative numbers crop.
Tensor constant_pad_nd(const Tensor& self, const Dims& pad, const Scalar& value = 0);

}  // namespace rl::ops
