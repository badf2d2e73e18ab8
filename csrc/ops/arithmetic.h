// Arithmetic on tensors in C++: the operators, and the symbols that gradients are written with.
#pragma once

#include "ops/pointwise.h"

namespace rl::ops {

Tensor add(const Tensor& self, const Tensor& other, const Scalar& alpha = 1,
           const Destination& destination = {});
Tensor sub(const Tensor& self, const Tensor& other, const Scalar& alpha = 1,
           const Destination& destination = {});
Tensor mul(const Tensor& self, const Tensor& other, const Destination& destination = {});
Tensor div(const Tensor& self, const Tensor& other, const Destination& destination = {});
// Quotients rounded down and towards zero.
Tensor floor_divide(const Tensor& self, const Tensor& other, const Destination& destination = {});
Tensor trunc_divide(const Tensor& self, const Tensor& other, const Destination& destination = {});
Tensor pow(const Tensor& self, const Scalar& exponent, const Destination& destination = {});
Tensor pow(const Tensor& self, const Tensor& exponent, const Destination& destination = {});
extern const PointwiseFunction neg, abs, sign, square;
extern const PointwiseOperator sgn, sqrt, rsqrt, reciprocal, remainder;
Tensor lerp(const Tensor& self, const Tensor& end, const Tensor& weight, const Destination& destination = {});
Tensor addcmul(const Tensor& self, const Tensor& tensor1, const Tensor& tensor2, const Scalar& value = 1,
               const Destination& destination = {});
Tensor addcdiv(const Tensor& self, const Tensor& tensor1, const Tensor& tensor2, const Scalar& value = 1,
               const Destination& destination = {});
// The complex conjugate; real tensors come back themselves.
Tensor conj(const Tensor& self);

inline Tensor operator+(const Tensor& a, const Tensor& b) {
    return add(a, b);
}
inline Tensor operator-(const Tensor& a, const Tensor& b) {
    return sub(a, b);
}
inline Tensor operator*(const Tensor& a, const Tensor& b) {
    return mul(a, b);
}
inline Tensor operator/(const Tensor& a, const Tensor& b) {
    return div(a, b);
}
inline Tensor operator-(const Tensor& a) {
    return neg(a);
}
inline Tensor operator+(const Tensor& a, const Scalar& b) {
    return add(a, wrap_number(b));
}
inline Tensor operator-(const Tensor& a, const Scalar& b) {
    return sub(a, wrap_number(b));
}
inline Tensor operator*(const Tensor& a, const Scalar& b) {
    return mul(a, wrap_number(b));
}
inline Tensor operator/(const Tensor& a, const Scalar& b) {
    return div(a, wrap_number(b));
}
inline Tensor operator+(const Scalar& a, const Tensor& b) {
    return add(wrap_number(a), b);
}
inline Tensor operator-(const Scalar& a, const Tensor& b) {
    return sub(wrap_number(a), b);
}
inline Tensor operator*(const Scalar& a, const Tensor& b) {
    return mul(wrap_number(a), b);
}
inline Tensor operator/(const Scalar& a, const Tensor& b) {
    return div(wrap_number(a), b);
}

}  // namespace rl::ops
