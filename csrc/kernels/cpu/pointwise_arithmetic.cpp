// Arithmetic, bitwise operations and selection.
#include "kernels/cpu/pointwise_block.h"
#include "kernels/cpu/scalar.h"
#include "kernels/simd/math.h"

namespace rl::kernels::RUSHLIGHT_ISA {
namespace {

// Binary integer functions that a zero divisor makes undefined: f is called for other divisors only.
template <class T, class F>
bool checked_block(void* output, const void* const* inputs, int64_t count, const Parameters&,
                   unsigned constants) {
    auto* out = static_cast<T*>(output);
    bool defined = true;
    for_runs<T, T, T>({inputs[0], inputs[1], inputs[1]}, constants & 3, count,
                      [out, &defined](int64_t from, const T* a, const T* b, const T*, int64_t length) {
                          T undefined = 0;
                          for (int64_t i = 0; i < length; ++i) {
                              const T divisor = b[i];
                              undefined |= static_cast<T>(divisor == 0);
                              const T result =
                                  F{}(a[i], static_cast<T>(divisor | static_cast<T>(divisor == 0)));
                              out[from + i] = divisor == 0 ? T{0} : result;
                          }
                          defined &= undefined == 0;
                      });
    return defined;
}
template <class... T, class F>
void checked(PointwiseTable& table, Pointwise op, Types<T...>, F) {
    ((entry(table, op, compute_of<T>) = checked_block<T, F>), ...);
}

// The unsigned integer of a size, or for 16 bytes half of it.
template <int size>
struct Bits {
    using type = uint64_t;
};
template <>
struct Bits<1> {
    using type = uint8_t;
};
template <>
struct Bits<2> {
    using type = uint16_t;
};
template <>
struct Bits<4> {
    using type = uint32_t;
};

// Chosen by masks of bits, so that the compiler makes vectors of it whatever the type.
template <class T>
bool where_block(void* output, const void* const* inputs, int64_t count, const Parameters&,
                 unsigned constants) {
    using Part = typename Bits<sizeof(T)>::type;
    constexpr int parts = sizeof(T) / sizeof(Part);
    auto* out = static_cast<Part*>(output);
    const auto run = [out](int64_t from, const uint8_t* condition, const auto* a, const auto* b,
                           int64_t length) {
        const auto *first = reinterpret_cast<const Part*>(a), *second = reinterpret_cast<const Part*>(b);
#pragma GCC ivdep
        for (int64_t i = 0; i < length; ++i) {
            const Part mask = static_cast<Part>(-static_cast<Part>(condition[i] != 0));
            for (int k = 0; k < parts; ++k) {
                const int64_t at = i * parts + k;
                out[from * parts + at] =
                    static_cast<Part>((first[at] & mask) | (second[at] & static_cast<Part>(~mask)));
            }
        }
    };
    for_runs<bool, T, T>({inputs[0], inputs[1], inputs[2]}, constants, count, run);
    return true;
}
template <class... T>
void where(PointwiseTable& table, Types<T...>) {
    ((entry(table, Pointwise::where, compute_of<T>) = where_block<T>), ...);
}

template <class T>
bool is_negative(T x) {
    if constexpr (std::is_unsigned_v<T>)
        return false;
    else
        return x < 0;
}

// Numbers of up to half the digits of a floating-point type divide as such, in vectors. -1 divides by
// negation, since the smallest integer has no positive counterpart.
template <class T>
T truncated_quotient(T a, T b) {
    if constexpr (sizeof(T) <= 4 && vector_bytes > 16) {
        using Real = std::conditional_t<sizeof(T) == 4, double, float>;
        using Whole = std::conditional_t<sizeof(T) == 4, int64_t, int32_t>;
        return static_cast<T>(static_cast<Whole>(static_cast<Real>(a) / static_cast<Real>(b)));
    }
    const bool negates = std::is_signed_v<T> && b == static_cast<T>(-1);
    return negates ? wrapping_neg(a) : static_cast<T>(a / b);
}
template <class T>
T truncated_remainder(T a, T b) {
    return wrapping_sub(a, wrapping_mul(truncated_quotient(a, b), b));
}

template <class T>
T floored_remainder(T a, T b) {
    if constexpr (std::is_integral_v<T>) {
        const T rest = truncated_remainder(a, b);
        const bool turns = (rest != 0) & (is_negative(rest) != is_negative(b));
        // Without a branch, which would go either way.
        return static_cast<T>(rest + (b & static_cast<T>(-static_cast<T>(turns))));
    } else {
        const T rest = std::fmod(a, b);
        return rest != 0 && is_negative(rest) != is_negative(b) ? rest + b : rest;
    }
}

template <class T>
T floored_quotient(T a, T b) {
    if constexpr (std::is_integral_v<T>) {
        const T quotient = truncated_quotient(a, b);
        const T rest = wrapping_sub(a, wrapping_mul(quotient, b));
        const bool rounds = (rest != 0) & (is_negative(a) != is_negative(b));
        return static_cast<T>(quotient - (rounds ? 1 : 0));
    } else {
        if (b == 0) return a / b;
        // The quotient of a less its remainder is integral up to rounding.
        const T rest = std::fmod(a, b);
        const T quotient = (a - rest) / b - (rest != 0 && (rest < 0) != (b < 0) ? 1 : 0);
        return quotient == 0 ? std::copysign(T{0}, a / b) : std::nearbyint(quotient);
    }
}

template <class T>
auto magnitude(Vec<T> x) {
    if constexpr (std::is_unsigned_v<T>)
        return x;
    else
        return abs(x);
}

template <class T>
Vec<T> integer_power(Vec<T> base, Vec<T> exponent) {
    const Vec<T> zero(T{0}), one(T{1});
    const auto negative = exponent < zero;
    Vec<T> result = one, factor = base, left = select(negative, zero, exponent);
    for (; any(left != zero); left = left >> 1, factor = factor * factor)
        result = select((left & one) != zero, result * factor, result);
    if (!any(negative)) return result;
    const Vec<T> minus_one = zero - one, alternating = select((exponent & one) != zero, minus_one, one);
    const Vec<T> inverse = select(base == one, one, select(base == minus_one, alternating, zero));
    return select(negative, inverse, result);
}

// The greatest common divisor of a and b as an odd number and a power of two, and a over that power.
template <class T>
struct CommonDivisor {
    Vec<T> odd, power, rest;
};
// Stein's algorithm (1967), which halves and subtracts.
template <class T>
CommonDivisor<T> common_divisor(Vec<T> a, Vec<T> b) {
    using U = std::make_unsigned_t<T>;
    const Vec<U> zero(U{0}), one(U{1});
    Vec<U> x = reinterpret<U>(magnitude(a)), y = reinterpret<U>(magnitude(b)), power = one;
    for (;;) {
        const Vec<U> either = x | y;
        const auto even = ((either & one) == zero) & (either != zero);
        if (!any(even)) break;
        x = select(even, x >> 1, x);
        y = select(even, y >> 1, y);
        a = select(even, a >> 1, a);
        power = select(even, power + power, power);
    }
    const auto swaps = (x & one) == zero;
    const Vec<U> even = select(swaps, x, y);
    x = select(swaps, y, x);
    for (y = even; any(y != zero);) {
        const auto odd = (y & one) != zero;
        const Vec<U> smaller = min(x, y), difference = max(x, y) - smaller;
        y = select(odd, difference, y) >> 1;
        x = select(odd, smaller, x);
    }
    return {reinterpret<T>(x), reinterpret<T>(power), a};
}
template <class T>
Vec<T> greatest_common_divisor(Vec<T> a, Vec<T> b) {
    const auto [odd, power, rest] = common_divisor(a, b);
    return odd * power;
}
template <class T>
Vec<T> least_common_multiple(Vec<T> a, Vec<T> b) {
    const auto [odd, power, rest] = common_divisor(a, b);
    // An odd number is its own inverse modulo 8; each step of Newton's doubles the bits.
    Vec<T> inverse = odd;
    for (size_t bits = 3; bits < 8 * sizeof(T); bits *= 2) inverse = inverse * (Vec<T>(T{2}) - odd * inverse);
    // As C's promotion has it, small integers wrap once the sign is gone.
    if constexpr (sizeof(T) < 4) return magnitude(rest * inverse) * magnitude(b);
    return magnitude(rest * inverse * b);
}

template <class V>
V sign_of(V x) {
    const V zero = constant<V>(0);
    return select(x > zero, constant<V>(1), select(x < zero, constant<V>(-1), zero));
}
template <>
Vec<uint8_t> sign_of(Vec<uint8_t> x) {
    return min(x, constant<Vec<uint8_t>>(1));
}

template <class R>
Vec<std::complex<R>> sign_of(Vec<std::complex<R>> x) {
    const Vec<R> modulus = abs(x), zero(R(0)), divisor = select(modulus == zero, Vec<R>(R(1)), modulus);
    return {x.re / divisor, x.im / divisor};
}

// From the nearer end, so that both ends come out exactly.
template <class T>
Vec<T> interpolate(Vec<T> a, Vec<T> b, Vec<T> weight) {
    const Vec<T> difference = b - a, rest = weight - constant<Vec<T>>(1);
    const auto near_a = [&] {
        if constexpr (is_complex_number<T>)
            return fma(weight.re, weight.re, weight.im * weight.im) < constant<decltype(weight.re)>(0.25);
        else
            return magnitude(weight) < constant<Vec<T>>(0.5);
    }();
    return select(near_a, a, b) + select(near_a, weight, rest) * difference;
}

// a = quotient b + rest, with the quotient truncated; exact while the quotient is a whole number of T.
template <class T>
struct Division {
    Vec<T> quotient, rest;
};
template <class T>
Division<T> truncated_division(Vec<T> a, Vec<T> b) {
    using Integer = IntegerOf<T>;
    const Vec<T> quotient = trunc(a / b), rest = fma(-quotient, b, a);
    // Division may have rounded up to a whole number: then the rest has the wrong sign.
    const auto opposite = (reinterpret<Integer>(rest) ^ reinterpret<Integer>(a)) < Vec<Integer>(Integer{0});
    const auto over = opposite & (rest != constant<Vec<T>>(0));
    return {select(over, with_sign(abs(quotient) - constant<Vec<T>>(1), quotient), quotient),
            with_sign(abs(select(over, rest + with_sign(abs(b), a), rest)), a)};
}
template <class T>
bool divides_exactly(Vec<T> quotient) {
    constexpr double limit = sizeof(T) == 4 ? 0x1p23 : 0x1p52;
    return fuses && !any(~(abs(quotient) < constant<Vec<T>>(limit)));
}
// Whether a rest that is not 0 has the sign that the divisor has not.
template <class T>
auto against_divisor(Vec<T> rest, Vec<T> b) {
    const Vec<T> zero = constant<Vec<T>>(0);
    return ((rest < zero) ^ (b < zero)) & (rest != zero);
}

template <class T>
Vec<T> fmod(Vec<T> a, Vec<T> b) {
    const auto [quotient, rest] = truncated_division(a, b);
    if (!divides_exactly(quotient)) return each_lane([](T x, T y) { return std::fmod(x, y); }, a, b);
    return rest;
}
template <class T>
Vec<T> floored_remainder(Vec<T> a, Vec<T> b) {
    const auto [quotient, rest] = truncated_division(a, b);
    if (!divides_exactly(quotient)) return each_lane([](T x, T y) { return floored_remainder(x, y); }, a, b);
    return select(against_divisor(rest, b), rest + b, rest);
}
template <class T>
Vec<T> floored_quotient(Vec<T> a, Vec<T> b) {
    const auto [quotient, rest] = truncated_division(a, b);
    if (!divides_exactly(quotient)) return each_lane([](T x, T y) { return floored_quotient(x, y); }, a, b);
    return select(against_divisor(rest, b), quotient - constant<Vec<T>>(1), quotient);
}

// What costs less than taking complex numbers apart and putting them together.
template <int arity, class F>
void plain(PointwiseTable& table, Pointwise op, F f) {
    vectors<arity>(table, op, RealNumbers{}, f);
    scalars<arity>(table, op, Complexes{}, f);
}

void add_one_input(PointwiseTable& table) {
    plain<1>(table, Pointwise::neg, [](auto x) { return wrapping_neg(x); });
    scalars<1>(table, Pointwise::abs, Bool{}, [](bool x) { return x; });
    vectors<1>(table, Pointwise::abs, Numbers{}, [](auto x) { return magnitude(x); });
    scalars<1>(table, Pointwise::sign, Bool{}, [](bool x) { return x; });
    vectors<1>(table, Pointwise::sign, RealNumbers{}, [](auto x) { return sign_of(x); });
    scalars<1>(table, Pointwise::sgn, Bool{}, [](bool x) { return x; });
    vectors<1>(table, Pointwise::sgn, Numbers{}, [](auto x) { return sign_of(x); });
    plain<1>(table, Pointwise::square, [](auto x) { return wrapping_mul(x, x); });
    vectors<1>(table, Pointwise::reciprocal, Fields{},
               [](auto x) { return divide(constant<decltype(x)>(1), x); });
    vectors<1>(table, Pointwise::sqrt, Fields{}, [](auto x) { return root(x); });
    vectors<1>(table, Pointwise::rsqrt, Fields{},
               [](auto x) { return divide(constant<decltype(x)>(1), root(x)); });
    scalars<1>(table, Pointwise::conj_physical, BoolAndReals{}, [](auto x) { return x; });
    scalars<1>(table, Pointwise::conj_physical, Complexes{}, [](auto x) { return std::conj(x); });
    vectors<1>(table, Pointwise::pow_scalar, Integers{},
               [](auto x, const auto& p) { return integer_power(x, p.v0); });
    vectors<1>(table, Pointwise::affine, Numbers{},
               [](auto x, const auto& p) { return wrapping_add(wrapping_mul(p.v0, x), p.v1); });
    vectors<1>(table, Pointwise::scaled_sqrt, Reals{},
               [](auto x, const auto& p) { return p.v0 * root(x) + p.v1; });
    scalars<1>(table, Pointwise::bitwise_not, Bool{}, [](bool x) { return !x; });
    vectors<1>(table, Pointwise::bitwise_not, Integers{}, [](auto x) { return ~x; });
}

// The sign of a half type is a bit of its own.
void add_half_signs(PointwiseTable& table) {
    for (BlockFunction& negate : table.halves[static_cast<int>(Pointwise::neg)]) {
        const auto flip = [](auto x) { return x ^ decltype(x)(int16_t{-0x8000}); };
        negate = vector_block<1, int16_t, int16_t, decltype(flip)>;
    }
    for (BlockFunction& magnitude : table.halves[static_cast<int>(Pointwise::abs)]) {
        const auto clear = [](auto x) { return x & decltype(x)(int16_t{0x7fff}); };
        magnitude = vector_block<1, int16_t, int16_t, decltype(clear)>;
    }
}

void add_division(PointwiseTable& table) {
    vectors<2>(table, Pointwise::div, Fields{}, [](auto a, auto b) { return divide(a, b); });
    checked(table, Pointwise::floor_divide, Integers{},
            [](auto a, auto b) { return floored_quotient(a, b); });
    vectors<2>(table, Pointwise::floor_divide, Reals{},
               [](auto a, auto b) { return floored_quotient(a, b); });
    checked(table, Pointwise::trunc_divide, Integers{},
            [](auto a, auto b) { return truncated_quotient(a, b); });
    vectors<2>(table, Pointwise::trunc_divide, Reals{}, [](auto a, auto b) { return trunc(a / b); });
    checked(table, Pointwise::remainder, Integers{}, [](auto a, auto b) { return floored_remainder(a, b); });
    vectors<2>(table, Pointwise::remainder, Reals{}, [](auto a, auto b) { return floored_remainder(a, b); });
    checked(table, Pointwise::fmod, Integers{}, [](auto a, auto b) { return truncated_remainder(a, b); });
    vectors<2>(table, Pointwise::fmod, Reals{}, [](auto a, auto b) { return fmod(a, b); });
    vectors<2>(table, Pointwise::gcd, Integers{},
               [](auto a, auto b) { return greatest_common_divisor(a, b); });
    vectors<2>(table, Pointwise::lcm, Integers{}, [](auto a, auto b) { return least_common_multiple(a, b); });
}

void add_sums_and_products(PointwiseTable& table) {
    scalars<2>(table, Pointwise::add, Bool{}, [](bool a, bool b) { return static_cast<bool>(a | b); });
    plain<2>(table, Pointwise::add, [](auto a, auto b) { return wrapping_add(a, b); });
    plain<2>(table, Pointwise::sub, [](auto a, auto b) { return wrapping_sub(a, b); });
    scalars<2>(table, Pointwise::mul, Bool{}, [](bool a, bool b) { return static_cast<bool>(a & b); });
    plain<2>(table, Pointwise::mul, [](auto a, auto b) { return wrapping_mul(a, b); });
    scalars<2>(table, Pointwise::add_scaled, Bool{},
               [](bool a, bool b, const auto& p) { return static_cast<bool>(a | (b & p.v0)); });
    vectors<2>(table, Pointwise::add_scaled, Numbers{},
               [](auto a, auto b, const auto& p) { return wrapping_add(a, wrapping_mul(p.v0, b)); });
    vectors<2>(table, Pointwise::scaled_sum, Numbers{}, [](auto a, auto b, const auto& p) {
        return wrapping_add(wrapping_mul(p.v1, a), wrapping_mul(p.v0, b));
    });
    vectors<2>(table, Pointwise::lerp_scalar, Reals{}, [](auto a, auto b, const auto& p) {
        const auto one = constant<decltype(a)>(1);
        return std::abs(p.v0[0]) < 0.5f ? a + p.v0 * (b - a) : b - (b - a) * (one - p.v0);
    });
    vectors<2>(table, Pointwise::lerp_scalar, Complexes{},
               [](auto a, auto b, const auto& p) { return interpolate(a, b, p.v0); });
    vectors<2>(table, Pointwise::pow, Integers{}, [](auto a, auto b) { return integer_power(a, b); });
}

void add_extrema(PointwiseTable& table) {
    for (const Pointwise op : {Pointwise::maximum, Pointwise::fmax})
        scalars<2>(table, op, Bool{}, [](bool a, bool b) { return static_cast<bool>(a | b); });
    for (const Pointwise op : {Pointwise::minimum, Pointwise::fmin})
        scalars<2>(table, op, Bool{}, [](bool a, bool b) { return static_cast<bool>(a & b); });
    // max and min give the second where either is NaN.
    vectors<2>(table, Pointwise::maximum, RealNumbers{},
               [](auto a, auto b) { return select(b == b, max(b, a), b); });
    vectors<2>(table, Pointwise::minimum, RealNumbers{},
               [](auto a, auto b) { return select(b == b, min(b, a), b); });
    vectors<2>(table, Pointwise::fmax, RealNumbers{},
               [](auto a, auto b) { return select(a == a, max(b, a), b); });
    vectors<2>(table, Pointwise::fmin, RealNumbers{},
               [](auto a, auto b) { return select(a == a, min(b, a), b); });
}

void add_bitwise(PointwiseTable& table) {
    scalars<2>(table, Pointwise::bitwise_and, Bool{},
               [](bool a, bool b) { return static_cast<bool>(a & b); });
    scalars<2>(table, Pointwise::bitwise_or, Bool{}, [](bool a, bool b) { return static_cast<bool>(a | b); });
    scalars<2>(table, Pointwise::bitwise_xor, Bool{}, [](bool a, bool b) { return a != b; });
    vectors<2>(table, Pointwise::bitwise_and, Integers{}, [](auto a, auto b) { return a & b; });
    vectors<2>(table, Pointwise::bitwise_or, Integers{}, [](auto a, auto b) { return a | b; });
    vectors<2>(table, Pointwise::bitwise_xor, Integers{}, [](auto a, auto b) { return a ^ b; });
    // Shifts by a negative count, or by the width or more, leave nothing but the sign.
    scalars<2>(table, Pointwise::bitwise_left_shift, Integers{}, [](auto a, auto b) {
        using T = decltype(a);
        constexpr T bits = 8 * sizeof(T);
        return is_negative(b) || b >= bits ? T{0}
                                           : static_cast<T>(static_cast<std::make_unsigned_t<T>>(a) << b);
    });
    scalars<2>(table, Pointwise::bitwise_right_shift, Integers{}, [](auto a, auto b) {
        using T = decltype(a);
        constexpr T last = 8 * sizeof(T) - 1;
        if (std::is_unsigned_v<T> && b > last) return T{0};
        return static_cast<T>(a >> (is_negative(b) || b > last ? last : b));
    });
}

void add_three_inputs(PointwiseTable& table) {
    where(table, All{});
    // NaN in any of the three is the result.
    vectors<3>(table, Pointwise::clamp, RealNumbers{}, [](auto x, auto low, auto high) {
        const auto above = select((x < low) | (low != low), low, x);
        const auto inside = select((above > high) | (high != high), high, above);
        return select(x != x, x, select(low != low, low, inside));
    });
    vectors<3>(table, Pointwise::lerp, Fields{}, [](auto a, auto b, auto w) { return interpolate(a, b, w); });
    vectors<3>(table, Pointwise::addcmul, Numbers{}, [](auto a, auto b, auto c, const auto& p) {
        return wrapping_add(a, wrapping_mul(wrapping_mul(p.v0, b), c));
    });
    vectors<3>(table, Pointwise::scaled_addcmul, Numbers{}, [](auto a, auto b, auto c, const auto& p) {
        return wrapping_add(wrapping_mul(p.v1, a), wrapping_mul(wrapping_mul(p.v0, b), c));
    });
    vectors<3>(table, Pointwise::addcdiv, Fields{},
               [](auto a, auto b, auto c, const auto& p) { return a + divide(wrapping_mul(p.v0, b), c); });
    vectors<3>(table, Pointwise::addcdiv_sqrt, Reals{},
               [](auto a, auto b, auto c, const auto& p) { return a + p.v0 * b / (p.v1 * root(c) + p.v2); });
}

}  // namespace

void add_arithmetic(PointwiseTable& table) {
    add_one_input(table);
    add_half_signs(table);
    add_sums_and_products(table);
    add_division(table);
    add_extrema(table);
    add_bitwise(table);
    add_three_inputs(table);
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
