// Running reductions in C++.
#pragma once

#include <optional>
#include <tuple>

#include "core/tensor.h"

namespace rl::ops {

Tensor cumsum(const Tensor& self, int64_t dim, std::optional<DType> dtype = {});
Tensor cumprod(const Tensor& self, int64_t dim, std::optional<DType> dtype = {});
Tensor logcumsumexp(const Tensor& self, int64_t dim);
std::tuple<Tensor, Tensor> cummax(const Tensor& self, int64_t dim);
std::tuple<Tensor, Tensor> cummin(const Tensor& self, int64_t dim);

}  // namespace rl::ops
