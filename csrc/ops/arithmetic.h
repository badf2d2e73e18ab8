// Arithmetic on tensors in C++: the operators, and the symbols that gradients are written with.
#pragma once

#include "ops/pointwise.h"

namespace rl::ops {

Tensor add(const Tensor& self, const Tensor& other, const Scalar& alpha = 1, const Destination& destination = {});
Tensor sub(const Tensor& self, const Tensor& other, const Scalar& alpha = 1, const Destination& destination = {});
Tensor mul(const Tensor& self, const Tensor& other, const Destination& destination = {});
Tensor div(const Tensor& self, const Tensor& other, const Destination& destination = {});
extern const PointwiseOperator neg;
// The complex conjugate; real tensors come back themselves.
Tensor conj(const Tensor& self);

inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }
inline Tensor operator-(const Tensor& a) { return neg(a); }
inline Tensor operator+(const Tensor& a, const Scalar& b) { return add(a, wrap_number(b)); }
inline Tensor operator-(const Tensor& a, const Scalar& b) { return sub(a, wrap_number(b)); }
inline Tensor operator*(const Tensor& a, const Scalar& b) { return mul(a, wrap_number(b)); }
inline Tensor operator/(const Tensor& a, const Scalar& b) { return div(a, wrap_number(b)); }
inline Tensor operator+(const Scalar& a, const Tensor& b) { return add(wrap_number(a), b); }
inline Tensor operator-(const Scalar& a, const Tensor& b) { return sub(wrap_number(a), b); }
inline Tensor operator*(const Scalar& a, const Tensor& b) { return mul(wrap_number(a), b); }
inline Tensor operator/(const Scalar& a, const Tensor& b) { return div(wrap_number(a), b); }

}  // namespace rl::ops
