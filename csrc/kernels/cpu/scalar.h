// Arithmetic of single numbers with the results that tensors have: integers wrap, complex numbers multiply
// and divide without the C library's recovery of infinities.
#pragma once

#include <cmath>
#include <complex>
#include <limits>
#include <type_traits>

#include "core/dtype.h"

namespace rl::kernels::RUSHLIGHT_ISA {
namespace {

template <class T>
inline constexpr bool is_complex_number = false;
template <class T>
inline constexpr bool is_complex_number<std::complex<T>> = true;

template <class T>
T wrapping_add(T a, T b) {
    if constexpr (std::is_integral_v<T>)
        return static_cast<T>(static_cast<std::make_unsigned_t<T>>(a) +
                              static_cast<std::make_unsigned_t<T>>(b));
    else
        return a + b;
}
template <class T>
T wrapping_sub(T a, T b) {
    if constexpr (std::is_integral_v<T>)
        return static_cast<T>(static_cast<std::make_unsigned_t<T>>(a) -
                              static_cast<std::make_unsigned_t<T>>(b));
    else
        return a - b;
}
template <class T>
T wrapping_mul(T a, T b) {
    if constexpr (std::is_integral_v<T>)
        return static_cast<T>(static_cast<std::make_unsigned_t<T>>(a) *
                              static_cast<std::make_unsigned_t<T>>(b));
    else if constexpr (is_complex_number<T>)
        return T(a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real());
    else
        return a * b;
}
template <class T>
T wrapping_neg(T a) {
    if constexpr (std::is_integral_v<T>)
        return wrapping_sub(T{0}, a);
    else
        return -a;
}

// Smith's division (1962): the divisor is scaled by its larger part.
template <class T>
T divide(T a, T b) {
    if constexpr (is_complex_number<T>) {
        using R = typename T::value_type;
        const R p = a.real(), q = a.imag(), r = b.real(), s = b.imag();
        if (std::abs(r) >= std::abs(s)) {
            if (r == 0 && s == 0) return T(p / std::abs(r), q / std::abs(s));
            const R ratio = s / r, scale = 1 / (r + s * ratio);
            return T((p + q * ratio) * scale, (q - p * ratio) * scale);
        }
        const R ratio = r / s, scale = 1 / (s + r * ratio);
        return T((p * ratio + q) * scale, (q * ratio - p) * scale);
    } else {
        return a / b;
    }
}

template <class T>
bool is_nan(T x) {
    if constexpr (is_complex_number<T>)
        return is_nan(x.real()) || is_nan(x.imag());
    else
        return x != x;
}

}  // namespace
}  // namespace rl::kernels::RUSHLIGHT_ISA
