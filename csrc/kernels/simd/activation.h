// Activations that more than one kernel applies, over Vec.
#pragma once

#include "kernels/simd/math.h"

namespace rl::kernels::RUSHLIGHT_ISA {

// NaN passes through.
template <class T>
inline Vec<T> relu(Vec<T> x) {
    const Vec<T> zero(T(0));
    return select(x < zero, zero, x);
}

// Beyond this the normal distribution's tail, of which functions take products, is 0 or negligible.
template <class T>
inline Vec<T> normal_bound() {
    return Vec<T>(T(sizeof(T) == 4 ? 12 : 40));
}

// x times the normal distribution up to x: for x > 0 that is x less x times the distribution beyond.
template <class T>
inline Vec<T> gelu(Vec<T> x) {
    const Vec<T> a = min(abs(x), normal_bound<T>());
    return max(Vec<T>(T(0)), x) - a * normal_tail(a);
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
