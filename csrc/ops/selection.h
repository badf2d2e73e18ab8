// Choosing between values in C++: where, masked_fill, clamp, nan_to_num.
#pragma once

#include <optional>

#include "ops/pointwise.h"

namespace rl::ops {

// `self` where the condition is true, else `other`.
Tensor where(const Tensor& condition, const Tensor& self, const Tensor& other);
Tensor where(const Tensor& condition, const Tensor& self, const Scalar& other);
Tensor where(const Tensor& condition, const Scalar& self, const Tensor& other);

Tensor masked_fill(const Tensor& self, const Tensor& mask, const Scalar& value);
Tensor masked_fill(const Tensor& self, const Tensor& mask, const Tensor& value);

Tensor clamp(const Tensor& self, const std::optional<Scalar>& min, const std::optional<Scalar>& max,
             const Destination& destination = {});

}  // namespace rl::ops
