// Matrix products in C++.
#pragma once

#include <string>

#include "core/tensor.h"

namespace rl::ops {

Tensor mm(const Tensor& self, const Tensor& mat2);
Tensor bmm(const Tensor& self, const Tensor& mat2);
Tensor mv(const Tensor& self, const Tensor& vec);
Tensor dot(const Tensor& self, const Tensor& other);
Tensor vdot(const Tensor& self, const Tensor& other);
Tensor outer(const Tensor& self, const Tensor& vec2);
Tensor matmul(const Tensor& self, const Tensor& other);
Tensor addmm(const Tensor& self, const Tensor& mat1, const Tensor& mat2, const Scalar& beta = 1,
             const Scalar& alpha = 1);
Tensor baddbmm(const Tensor& self, const Tensor& batch1, const Tensor& batch2, const Scalar& beta = 1,
               const Scalar& alpha = 1);
// input · weightᵀ + bias, where the bias may be undefined.
Tensor linear(const Tensor& input, const Tensor& weight, const Tensor& bias);
Tensor einsum(const std::string& equation, const TensorList& operands);
Tensor tensordot(const Tensor& self, const Tensor& other, const Dims& dims_self, const Dims& dims_other);

}  // namespace rl::ops
