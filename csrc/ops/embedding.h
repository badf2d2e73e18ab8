// Embedding in C++.
#pragma once

#include "core/tensor.h"

namespace rl::ops {

Tensor embedding(const Tensor& weight, const Tensor& indices, int64_t padding_idx = -1,
                 bool scale_grad_by_freq = false, bool sparse = false);

}  // namespace rl::ops
