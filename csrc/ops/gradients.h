// The gradients that many pointwise operators share.
#pragma once

#include "ops/conversion.h"
#include "ops/pointwise.h"

namespace rl::ops {

inline constexpr unsigned all_variants = function | method | in_place | out;

// An attribute as it was given.
inline Scalar number(const complex128& value) {
    return value.imag() == 0 ? Scalar(value.real()) : Scalar(value);
}

inline Tensor same(const Tensor& grad, const PointwiseSaved&) {
    return grad;
}
inline Tensor zero(const Tensor& grad, const PointwiseSaved&) {
    return zeros_like(grad);
}

// The input passes its gradient on unchanged, or does not influence the result (where it has a derivative).
inline constexpr InputGradient same_gradient{uses_nothing, same};
inline constexpr InputGradient zero_gradient{uses_nothing, zero};

}  // namespace rl::ops
