// Softmax in C++.
#pragma once

#include <optional>

#include "core/tensor.h"

namespace rl::ops {

Tensor softmax(const Tensor& self, int64_t dim, std::optional<DType> dtype = {});
Tensor log_softmax(const Tensor& self, int64_t dim, std::optional<DType> dtype = {});

}  // namespace rl::ops
