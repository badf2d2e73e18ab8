// Arithmetic, bitwise operations and selection.
#include <numeric>

#include "kernels/cpu/pointwise_block.h"
#include "kernels/cpu/scalar.h"

namespace rl::kernels::RUSHLIGHT_ISA {
namespace {

// Binary integer functions that a zero divisor makes undefined: f is called for other divisors only.
template <class T, class F>
bool checked_block(void* output, const void* const* inputs, int64_t count, const Parameters&) {
    const auto* a = static_cast<const T*>(inputs[0]);
    const auto* b = static_cast<const T*>(inputs[1]);
    auto* out = static_cast<T*>(output);
    bool defined = true;
    for (int64_t i = 0; i < count; ++i) {
        const T divisor = b[i];
        defined &= divisor != 0;
        out[i] = divisor == 0 ? T{0} : F{}(a[i], divisor);
    }
    return defined;
}
template <class... T, class F>
void checked(PointwiseTable& table, Pointwise op, Types<T...>, F) {
    ((entry(table, op, compute_of<T>) = checked_block<T, F>), ...);
}

// Chosen by masks of bits, so that the compiler makes vectors of it whatever the type.
template <class T>
bool where_block(void* output, const void* const* inputs, int64_t count, const Parameters&) {
    using Part =
        std::conditional_t<sizeof(T) == 1, uint8_t, std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>>;
    constexpr int parts = sizeof(T) / sizeof(Part);
    const auto* condition = static_cast<const uint8_t*>(inputs[0]);
    const auto* a = static_cast<const Part*>(inputs[1]);
    const auto* b = static_cast<const Part*>(inputs[2]);
    auto* out = static_cast<Part*>(output);
#pragma GCC ivdep
    for (int64_t i = 0; i < count; ++i) {
        const Part mask = static_cast<Part>(-static_cast<Part>(condition[i] != 0));
        for (int k = 0; k < parts; ++k) {
            const int64_t at = i * parts + k;
            out[at] = static_cast<Part>((a[at] & mask) | (b[at] & static_cast<Part>(~mask)));
        }
    }
    return true;
}
template <class... T>
void where(PointwiseTable& table, Types<T...>) {
    ((entry(table, Pointwise::where, compute_of<T>) = where_block<T>), ...);
}

// -1 divides by negation, since the smallest integer has no positive counterpart.
template <class T>
T truncated_quotient(T a, T b) {
    return b == -1 ? wrapping_neg(a) : static_cast<T>(a / b);
}
template <class T>
T truncated_remainder(T a, T b) {
    return b == -1 ? T{0} : static_cast<T>(a % b);
}

template <class T>
T floored_remainder(T a, T b) {
    T rest;
    if constexpr (std::is_integral_v<T>)
        rest = truncated_remainder(a, b);
    else
        rest = std::fmod(a, b);
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

template <class T>
T floored_quotient(T a, T b) {
    if constexpr (std::is_integral_v<T>) {
        const T quotient = truncated_quotient(a, b);
        return truncated_remainder(a, b) != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
    } else {
        if (b == 0) return a / b;
        // The quotient of a less its remainder is integral up to rounding.
        const T rest = std::fmod(a, b);
        const T quotient = (a - rest) / b - (rest != 0 && (rest < 0) != (b < 0) ? 1 : 0);
        return quotient == 0 ? std::copysign(T{0}, a / b) : std::nearbyint(quotient);
    }
}

template <class T>
T integer_power(T base, T exponent) {
    if (exponent < 0) {
        if (base == 1) return 1;
        if (base == -1) return exponent % 2 == 0 ? 1 : -1;
        return 0;
    }
    T result = 1;
    for (; exponent != 0; exponent >>= 1, base = wrapping_mul(base, base))
        if (exponent & 1) result = wrapping_mul(result, base);
    return result;
}

template <class T>
T greatest_common_divisor(T a, T b) {
    using U = std::make_unsigned_t<T>;
    U x = a < 0 ? U{0} - static_cast<U>(a) : static_cast<U>(a);
    U y = b < 0 ? U{0} - static_cast<U>(b) : static_cast<U>(b);
    while (y != 0) {
        const U rest = x % y;
        x = y;
        y = rest;
    }
    return static_cast<T>(x);
}

template <class T>
T sign_of(T x) {
    if constexpr (is_complex_number<T>) {
        const auto modulus = std::abs(x);
        return modulus == 0 ? T{} : T(x.real() / modulus, x.imag() / modulus);
    } else {
        return static_cast<T>((x > 0) - (x < 0));
    }
}

template <class T>
T interpolate(T a, T b, T weight) {
    const auto small = [&] {
        if constexpr (is_complex_number<T>)
            return std::norm(weight) < 0.25;
        else
            return std::abs(weight) < T(0.5);
    };
    const T difference = b - a;
    return small() ? a + wrapping_mul(weight, difference) : b - wrapping_mul(difference, T(1) - weight);
}

void add_one_input(PointwiseTable& table) {
    scalars<1>(table, Pointwise::neg, Numbers{}, [](auto x) { return wrapping_neg(x); });
    scalars<1>(table, Pointwise::abs, Types<bool>{}, [](bool x) { return x; });
    scalars<1>(table, Pointwise::abs, Integers{}, [](auto x) { return x < 0 ? wrapping_neg(x) : x; });
    scalars<1>(table, Pointwise::abs, Fields{}, [](auto x) { return std::abs(x); });
    scalars<1>(table, Pointwise::sign, Types<bool>{}, [](bool x) { return x; });
    scalars<1>(table, Pointwise::sign, RealNumbers{}, [](auto x) { return sign_of(x); });
    scalars<1>(table, Pointwise::sgn, Types<bool>{}, [](bool x) { return x; });
    scalars<1>(table, Pointwise::sgn, Numbers{}, [](auto x) { return sign_of(x); });
    scalars<1>(table, Pointwise::square, Numbers{}, [](auto x) { return wrapping_mul(x, x); });
    scalars<1>(table, Pointwise::reciprocal, Fields{}, [](auto x) { return divide(decltype(x)(1), x); });
    scalars<1>(table, Pointwise::sqrt, Fields{}, [](auto x) { return std::sqrt(x); });
    scalars<1>(table, Pointwise::rsqrt, Fields{},
               [](auto x) { return divide(decltype(x)(1), std::sqrt(x)); });
    scalars<1>(table, Pointwise::conj_physical, BoolAndReals{}, [](auto x) { return x; });
    scalars<1>(table, Pointwise::conj_physical, Complexes{}, [](auto x) { return std::conj(x); });
    scalars<1>(table, Pointwise::pow_scalar, Integers{},
               [](auto x, const auto& p) { return integer_power(x, p.v0); });
    scalars<1>(table, Pointwise::affine, Numbers{},
               [](auto x, const auto& p) { return wrapping_add(wrapping_mul(p.v0, x), p.v1); });
    scalars<1>(table, Pointwise::scaled_sqrt, Reals{},
               [](auto x, const auto& p) { return p.v0 * std::sqrt(x) + p.v1; });
    scalars<1>(table, Pointwise::bitwise_not, Types<bool>{}, [](bool x) { return !x; });
    scalars<1>(table, Pointwise::bitwise_not, Integers{}, [](auto x) { return ~x; });
}

void add_two_inputs(PointwiseTable& table) {
    scalars<2>(table, Pointwise::add, Types<bool>{}, [](bool a, bool b) { return static_cast<bool>(a | b); });
    scalars<2>(table, Pointwise::add, Numbers{}, [](auto a, auto b) { return wrapping_add(a, b); });
    scalars<2>(table, Pointwise::sub, Numbers{}, [](auto a, auto b) { return wrapping_sub(a, b); });
    scalars<2>(table, Pointwise::mul, Types<bool>{}, [](bool a, bool b) { return static_cast<bool>(a & b); });
    scalars<2>(table, Pointwise::mul, Numbers{}, [](auto a, auto b) { return wrapping_mul(a, b); });
    scalars<2>(table, Pointwise::div, Fields{}, [](auto a, auto b) { return divide(a, b); });
    scalars<2>(table, Pointwise::add_scaled, Types<bool>{},
               [](bool a, bool b, const auto& p) { return static_cast<bool>(a | (b & p.v0)); });
    scalars<2>(table, Pointwise::add_scaled, Numbers{},
               [](auto a, auto b, const auto& p) { return wrapping_add(a, wrapping_mul(p.v0, b)); });
    scalars<2>(table, Pointwise::scaled_sum, Numbers{}, [](auto a, auto b, const auto& p) {
        return wrapping_add(wrapping_mul(p.v1, a), wrapping_mul(p.v0, b));
    });
    scalars<2>(table, Pointwise::lerp_scalar, Fields{},
               [](auto a, auto b, const auto& p) { return interpolate(a, b, p.v0); });
    checked(table, Pointwise::floor_divide, Integers{},
            [](auto a, auto b) { return floored_quotient(a, b); });
    scalars<2>(table, Pointwise::floor_divide, Reals{},
               [](auto a, auto b) { return floored_quotient(a, b); });
    checked(table, Pointwise::trunc_divide, Integers{},
            [](auto a, auto b) { return truncated_quotient(a, b); });
    scalars<2>(table, Pointwise::trunc_divide, Reals{}, [](auto a, auto b) { return std::trunc(a / b); });
    checked(table, Pointwise::remainder, Integers{}, [](auto a, auto b) { return floored_remainder(a, b); });
    scalars<2>(table, Pointwise::remainder, Reals{}, [](auto a, auto b) { return floored_remainder(a, b); });
    checked(table, Pointwise::fmod, Integers{}, [](auto a, auto b) { return truncated_remainder(a, b); });
    scalars<2>(table, Pointwise::fmod, Reals{}, [](auto a, auto b) { return std::fmod(a, b); });
    scalars<2>(table, Pointwise::pow, Integers{}, [](auto a, auto b) { return integer_power(a, b); });
    scalars<2>(table, Pointwise::maximum, BoolAndReals{},
               [](auto a, auto b) { return (a < b) | (b != b) ? b : a; });
    scalars<2>(table, Pointwise::minimum, BoolAndReals{},
               [](auto a, auto b) { return (a > b) | (b != b) ? b : a; });
    scalars<2>(table, Pointwise::fmax, BoolAndReals{},
               [](auto a, auto b) { return (a < b) | (a != a) ? b : a; });
    scalars<2>(table, Pointwise::fmin, BoolAndReals{},
               [](auto a, auto b) { return (a > b) | (a != a) ? b : a; });
    scalars<2>(table, Pointwise::gcd, Integers{},
               [](auto a, auto b) { return greatest_common_divisor(a, b); });
    scalars<2>(table, Pointwise::lcm, Integers{}, [](auto a, auto b) {
        const auto divisor = greatest_common_divisor(a, b);
        const auto multiple = divisor == 0 ? divisor : wrapping_mul(truncated_quotient(a, divisor), b);
        return multiple < 0 ? wrapping_neg(multiple) : multiple;
    });
}

void add_bitwise(PointwiseTable& table) {
    scalars<2>(table, Pointwise::bitwise_and, BoolAndIntegers{},
               [](auto a, auto b) { return static_cast<decltype(a)>(a & b); });
    scalars<2>(table, Pointwise::bitwise_or, BoolAndIntegers{},
               [](auto a, auto b) { return static_cast<decltype(a)>(a | b); });
    scalars<2>(table, Pointwise::bitwise_xor, BoolAndIntegers{},
               [](auto a, auto b) { return static_cast<decltype(a)>(a ^ b); });
    // Shifts by a negative count, or by the width or more, leave nothing but the sign.
    scalars<2>(table, Pointwise::bitwise_left_shift, Integers{}, [](auto a, auto b) {
        using T = decltype(a);
        constexpr T bits = 8 * sizeof(T);
        return b < 0 || b >= bits ? T{0} : static_cast<T>(static_cast<std::make_unsigned_t<T>>(a) << b);
    });
    scalars<2>(table, Pointwise::bitwise_right_shift, Integers{}, [](auto a, auto b) {
        using T = decltype(a);
        constexpr T last = 8 * sizeof(T) - 1;
        return static_cast<T>(a >> (b < 0 || b > last ? last : b));
    });
}

void add_three_inputs(PointwiseTable& table) {
    where(table, All{});
    // NaN in any of the three is the result.
    scalars<3>(table, Pointwise::clamp, RealNumbers{}, [](auto x, auto low, auto high) {
        const auto above = (x < low) | (low != low) ? low : x;
        const auto inside = (above > high) | (high != high) ? high : above;
        return x != x ? x : low != low ? low : inside;
    });
    scalars<3>(table, Pointwise::lerp, Fields{}, [](auto a, auto b, auto w) { return interpolate(a, b, w); });
    scalars<3>(table, Pointwise::addcmul, Numbers{}, [](auto a, auto b, auto c, const auto& p) {
        return wrapping_add(a, wrapping_mul(wrapping_mul(p.v0, b), c));
    });
    scalars<3>(table, Pointwise::scaled_addcmul, Numbers{}, [](auto a, auto b, auto c, const auto& p) {
        return wrapping_add(wrapping_mul(p.v1, a), wrapping_mul(wrapping_mul(p.v0, b), c));
    });
    scalars<3>(table, Pointwise::addcdiv, Fields{},
               [](auto a, auto b, auto c, const auto& p) { return a + divide(wrapping_mul(p.v0, b), c); });
    scalars<3>(table, Pointwise::addcdiv_sqrt, Reals{}, [](auto a, auto b, auto c, const auto& p) {
        return a + p.v0 * b / (p.v1 * std::sqrt(c) + p.v2);
    });
}

}  // namespace

void add_arithmetic(PointwiseTable& table) {
    add_one_input(table);
    add_two_inputs(table);
    add_bitwise(table);
    add_three_inputs(table);
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
