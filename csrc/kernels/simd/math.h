// Elementary functions of Vec<float> and Vec<double>, to 2 units in the last place or better.
//
// Polynomials are minimax fits (Remez exchange) of the function named beside them, made for this file.
// Functions of float that are not hot are computed in double, which needs no care with rounding.
#pragma once

#include <cmath>
#include <limits>
#include <numbers>

#include "kernels/simd/vec.h"

namespace rl::kernels::RUSHLIGHT_ISA {

// Whether fma rounds once.
#if defined(__FMA__)
inline constexpr bool fuses = true;
#else
inline constexpr bool fuses = false;
#endif

// c[0] + c[1] x + c[2] x^2 + ...
template <class T, size_t N>
Vec<T> polynomial(Vec<T> x, const T (&coefficients)[N]) {
    Vec<T> result(coefficients[N - 1]);
    for (size_t k = N - 1; k-- > 0;) result = fma(result, x, Vec<T>(coefficients[k]));
    return result;
}

// The same with even and odd powers apart, for long ones: half as many steps wait for each other.
template <class T, size_t N>
Vec<T> long_polynomial(Vec<T> x, const T (&coefficients)[N]) {
    const Vec<T> square = x * x;
    Vec<T> high(coefficients[N - 1]), low(coefficients[N - 2]);
    for (size_t k = N - 2; k-- > 0;) {
        const Vec<T> next = fma(high, square, Vec<T>(coefficients[k]));
        high = low;
        low = next;
    }
    return fma(high, x, low);
}

// f of every lane, for functions that have no vector form.
template <class T, class F, class... More>
Vec<T> each_lane(F f, Vec<T> x, More... more) {
    for (int lane = 0; lane < Vec<T>::size; ++lane) x.native[lane] = f(x[lane], more[lane]...);
    return x;
}

// f in double on both halves of floats.
template <class F, class... More>
Vec<float> in_double(F f, Vec<float> x, More... more) {
    return narrow({f(widen(x).low, widen(more).low...), f(widen(x).high, widen(more).high...)});
}

// x * 2^n for integral n; results that overflow or are subnormal come out as such.
template <class T>
Vec<T> scale(Vec<T> x, Vec<T> n) {
#if defined(__AVX512F__)
    if constexpr (sizeof(T) == 4)
        return _mm512_maskz_scalef_ps(0xffff, x.native, n.native);
    else
        return _mm512_maskz_scalef_pd(0xff, x.native, n.native);
#else
    // Adding 1.5 * 2^mantissa + bias puts n + bias into the low bits, from where it is shifted into the
    // exponent.
    constexpr int mantissa = sizeof(T) == 4 ? 23 : 52;
    constexpr T magic = sizeof(T) == 4 ? T(0x1.8p23 + 127) : T(0x1.8p52 + 1023);
    const auto power = [](Vec<T> e) {
        return reinterpret<T>(reinterpret<IntegerOf<T> >(e + Vec<T>(magic)) << mantissa);
    };
    const Vec<T> half = round(n * Vec<T>(T(0.5)));
    return x * power(half) * power(n - half);
#endif
}

// (exp(r) - 1 - r) / r^2 for |r| up to ln(2) / 2.
template <class T>
Vec<T> exp_quotient(Vec<T> r) {
    if constexpr (sizeof(T) == 4)
        return polynomial<T>(r, {0.500000003f, 0.166665766f, 0.0416663741f, 0.00836323573f, 0.00139412165f});
    else
        return polynomial<T>(r, {0.5, 0.16666666666666671, 0.041666666666666684, 0.00833333333332608251,
                                 0.00138888888888742891, 0.000198412698750038683, 0.0000248015873475910233,
                                 2.7557255168336001e-6, 2.75572526737880537e-7, 2.51053133360436133e-8,
                                 2.09216687476612665e-9});
}
// x = n ln 2 + r, and that quotient.
template <class T>
struct ExpReduction {
    Vec<T> n, r, quotient;
};
template <class T>
ExpReduction<T> reduce_exp(Vec<T> x) {
    constexpr T ln2_high = sizeof(T) == 4 ? T(0x1.62e4p-1) : T(0x1.62e42feep-1);
    constexpr T ln2_low = sizeof(T) == 4 ? T(1.42860682e-6) : T(1.9082149292705877e-10);
    const Vec<T> n = round(x * Vec<T>(std::numbers::log2e_v<T>));
    const Vec<T> r = fma(n, Vec<T>(-ln2_low), fma(n, Vec<T>(-ln2_high), x));
    return {n, r, exp_quotient(r)};
}

template <class T>
Vec<T> exp(Vec<T> x) {
    constexpr T high = sizeof(T) == 4 ? T(89) : T(710), low = sizeof(T) == 4 ? T(-104) : T(-746);
    const auto [n, r, quotient] = reduce_exp(clamp(x, low, high));
    return scale(fma(r * r, quotient, r) + Vec<T>(T(1)), n);
}

// 2^x to float accuracy, for |x| up to 1000; the halves of floats go through it too.
template <class T>
Vec<T> exp2_short(Vec<T> x) {
    const Vec<T> n = round(x), r = x - n;
    return scale(
        long_polynomial<T>(r, {T(1.00000000055931114), T(0.693147205889990441), T(0.240226468662355825),
                               T(0.055503284474354579), T(0.00961849050700817803), T(0.00134000642346192816),
                               T(0.00015345673355456577)}),
        n);
}
inline Vec<float> exp2(Vec<float> x) {
    return exp2_short(clamp(x, -151.0f, 129.0f));
}
inline Vec<double> exp2(Vec<double> x) {
    const Vec<double> bounded = clamp(x, -1080.0, 1030.0), n = round(bounded);
    const Vec<double> r = (bounded - n) * Vec<double>(std::numbers::ln2);
    return scale(fma(r * r, exp_quotient(r), r) + Vec<double>(1.0), n);
}

template <class T>
Vec<T> expm1(Vec<T> x) {
    constexpr T high = sizeof(T) == 4 ? T(89) : T(710), low = sizeof(T) == 4 ? T(-20) : T(-40);
    const auto [n, r, quotient] = reduce_exp(clamp(x, low, high));
    // Half of the result, since 2^n itself may overflow.
    const Vec<T> previous = n - Vec<T>(T(1));
    const Vec<T> half =
        scale(fma(r * r, quotient, r), previous) + (scale(Vec<T>(T(1)), previous) - Vec<T>(T(0.5)));
    return select(x == Vec<T>(T(0)), x, half + half);
}

// x = 2^exponent (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)), and log(1 + f) = f - rest, for positive finite
// x.
template <class T>
struct LogReduction {
    Vec<T> exponent, f, half_square, s, quotient;
};
template <class T>
LogReduction<T> reduce_log(Vec<T> x) {
    using Integer = IntegerOf<T>;
    using Limits = std::numeric_limits<T>;
    constexpr int mantissa = Limits::digits - 1;
    constexpr Integer root_half = std::bit_cast<Integer>(std::numbers::sqrt2_v<T> / 2);
    constexpr T magic = sizeof(T) == 4 ? T(0x1.8p23) : T(0x1.8p52);
    constexpr T lift = sizeof(T) == 4 ? T(0x1p25) : T(0x1p54);
    const auto subnormal = x < Vec<T>(Limits::min());
    const Vec<Integer> bits = reinterpret<Integer>(select(subnormal, x * Vec<T>(lift), x));
    const Vec<Integer> e = (bits - Vec<Integer>(root_half)) >> mantissa;
    const Vec<T> f = reinterpret<T>(bits - (e << mantissa)) - Vec<T>(T(1));
    const Vec<T> exponent = reinterpret<T>(e + Vec<Integer>(std::bit_cast<Integer>(magic))) - Vec<T>(magic);
    // log(1 + f) = f - f^2/2 + s (f^2/2 + R), s = f / (2 + f), R = (log((1 + s) / (1 - s)) - 2 s) / s.
    const Vec<T> s = f / (f + Vec<T>(T(2)));
    const Vec<T> z = s * s;
    Vec<T> quotient;
    if constexpr (sizeof(T) == 4)
        quotient = polynomial<T>(z, {0.666666666f, 0.400001242f, 0.285505712f, 0.233368769f});
    else
        quotient = polynomial<T>(
            z, {0.666666666666666981, 0.399999999998960081, 0.285714286275011248, 0.222222108936038334,
                0.181829062316527928, 0.153311658755282799, 0.146231839598591806});
    return {select(subnormal, exponent - Vec<T>(sizeof(T) == 4 ? T(25) : T(54)), exponent), f,
            f * f * Vec<T>(T(0.5)), s, z * quotient};
}

// What becomes of a logarithm where x is not positive and finite.
template <class T>
Vec<T> complete_log(Vec<T> x, Vec<T> value) {
    constexpr T infinity = std::numeric_limits<T>::infinity();
    const Vec<T> finite = select(x == Vec<T>(T(0)), -infinity, value);
    return select((x >= Vec<T>(T(0))) & (x < Vec<T>(infinity)), finite,
                  select(x == Vec<T>(infinity), x, Vec<T>(std::numeric_limits<T>::quiet_NaN())));
}

template <class T>
Vec<T> log(Vec<T> x) {
    const auto [exponent, f, half_square, s, quotient] = reduce_log(x);
    constexpr T ln2_high = sizeof(T) == 4 ? T(0x1.62e4p-1) : T(0x1.62e42feep-1);
    constexpr T ln2_low = sizeof(T) == 4 ? T(1.42860682e-6) : T(1.9082149292705877e-10);
    const Vec<T> high = exponent * Vec<T>(ln2_high), low = exponent * Vec<T>(ln2_low);
    return complete_log(x, high - ((half_square - fma(s, half_square + quotient, low)) - f));
}

// The logarithm to another base, of which `high` has so few digits that its product with an exponent is
// exact: `high` + `low` is log 2 to it, and `scale` that of e.
template <class T>
Vec<T> log_to_base(Vec<T> x, T high, T low, T scale) {
    const auto [exponent, f, half_square, s, quotient] = reduce_log(x);
    const Vec<T> rest = half_square - s * (half_square + quotient);
    const Vec<T> fine = fma(exponent, Vec<T>(low), -rest * Vec<T>(scale));
    return complete_log(x, fma(f, Vec<T>(scale), fma(exponent, Vec<T>(high), fine)));
}
template <class T>
Vec<T> log2(Vec<T> x) {
    return log_to_base(x, T(1), T(0), std::numbers::log2e_v<T>);
}
template <class T>
Vec<T> log10(Vec<T> x) {
    constexpr T high = sizeof(T) == 4 ? T(0x1.34p-2) : T(0x1.34413508p-2);
    return log_to_base(x, high, static_cast<T>(0.30102999566398119521L - static_cast<long double>(high)),
                       std::numbers::log10e_v<T>);
}

template <class T>
Vec<T> log1p(Vec<T> x) {
    // The rounding error of 1 + x is put back in first order.
    const Vec<T> one(T(1));
    const Vec<T> sum = one + x;
    const Vec<T> lost = select(abs(x) < one, x - (sum - one), one - (sum - x));
    const Vec<T> value = log(sum);
    const auto plain = (sum > Vec<T>(T(0))) & (sum < Vec<T>(std::numeric_limits<T>::infinity()));
    return select(x == Vec<T>(T(0)), x, select(plain, value + lost / sum, value));
}

// log(1 + exp(x)), without overflow.
template <class T>
Vec<T> log1p_exp(Vec<T> x) {
    const Vec<T> t = exp(-abs(x)), positive = max(x, Vec<T>(T(0)));
    if constexpr (sizeof(T) == 8) return positive + log1p(t);
    // log(1 + t) / t on [0, 1].
    const Vec<T> quotient = polynomial<T>(
        t, {T(0.999999999), T(-0.499999814), T(0.333325597), T(-0.249872711), T(0.198907488), T(-0.161056939),
            T(0.124184385), T(-0.082441754), T(0.0414782066), T(-0.0134075123), T(0.00203023647)});
    return fma(t, quotient, positive);
}

// log2 of positive finite normal x, to float accuracy even near 1.
inline Vec<double> log2_short(Vec<double> x) {
    constexpr int64_t root_half = std::bit_cast<int64_t>(std::numbers::sqrt2 / 2);
    const Vec<int64_t> bits = reinterpret<int64_t>(x), e = (bits - Vec<int64_t>(root_half)) >> 52;
    const Vec<double> magic(0x1.8p52), one(1.0);
    const Vec<double> m = reinterpret<double>(bits - (e << 52));
    const Vec<double> exponent = reinterpret<double>(e + reinterpret<int64_t>(magic)) - magic;
    // log2(m) = s Q(s^2), s = (m - 1) / (m + 1).
    const Vec<double> s = (m - one) / (m + one);
    return fma(s,
               polynomial<double>(s * s, {2.8853900817903288, 0.961796673012937623, 0.577083651833317332,
                                          0.41166848854171111, 0.340812043195196484}),
               exponent);
}

// Sine and cosine of x - n pi/2 for the nearest n, and n; for |x| up to trigonometric_limit.
struct SineCosine {
    Vec<double> sine, cosine, n;
};
inline constexpr double trigonometric_limit = 0x1p20;
inline SineCosine sine_cosine(Vec<double> x) {
    const Vec<double> n = round(x * Vec<double>(2 / std::numbers::pi));
    // pi/2 in two parts of 33 bits, whose products with n are exact, and the rest.
    Vec<double> r = x - n * Vec<double>(0x1.921fb544p+0);
    r = r - n * Vec<double>(0x1.0b4611a6p-34);
    r = r - n * Vec<double>(0x1.3198a2e037073p-69);
    const Vec<double> z = r * r;
    const Vec<double> sine =
        polynomial<double>(z, {-0.166666666666666646, 0.0083333333333309265, -0.000198412698367248805,
                               2.75573160849299494e-6, -2.50511281499845796e-8, 1.59178618538058361e-10});
    const Vec<double> cosine =
        polynomial<double>(z, {0.0416666666666666654, -0.00138888888888873834, 0.000024801587298744439,
                               -2.7557317260627941e-7, 2.08761439425034062e-9, -1.13824641884175388e-11});
    const Vec<double> one(1.0), half(0.5);
    return {fma(r * z, sine, r), one - (half * z - z * z * cosine), n};
}
// The quadrant's sine: sine, cosine, -sine, -cosine for n = 0, 1, 2, 3.
inline Vec<double> in_quadrant(const SineCosine& reduced, Vec<double> n) {
    const Vec<int64_t> bits = reinterpret<int64_t>(n + Vec<double>(0x1.8p52));
    const Vec<double> value =
        select((bits & Vec<int64_t>(1)) != Vec<int64_t>(0), reduced.cosine, reduced.sine);
    return reinterpret<double>(reinterpret<int64_t>(value) ^ ((bits & Vec<int64_t>(2)) << 62));
}

template <class T>
bool within_trigonometric_limit(Vec<T> x) {
    return !any(~(abs(x) <= Vec<T>(T(trigonometric_limit))));
}
inline Vec<double> sin(Vec<double> x) {
    if (!within_trigonometric_limit(x)) return each_lane([](double v) { return std::sin(v); }, x);
    const SineCosine reduced = sine_cosine(x);
    return select(x == Vec<double>(0.0), x, in_quadrant(reduced, reduced.n));
}
inline Vec<double> cos(Vec<double> x) {
    if (!within_trigonometric_limit(x)) return each_lane([](double v) { return std::cos(v); }, x);
    const SineCosine reduced = sine_cosine(x);
    return in_quadrant(reduced, reduced.n + Vec<double>(1.0));
}
inline Vec<double> tan(Vec<double> x) {
    if (!within_trigonometric_limit(x)) return each_lane([](double v) { return std::tan(v); }, x);
    const SineCosine reduced = sine_cosine(x);
    const Vec<double> one(1.0);
    const Vec<double> value = in_quadrant(reduced, reduced.n) / in_quadrant(reduced, reduced.n + one);
    return select(x == Vec<double>(0.0), x, value);
}

// The sine of x + quarters pi/2 in float alone, for |x| up to 2^15: the parts of pi/2 multiply exactly inside
// fma.
inline Vec<float> short_sine(Vec<float> x, float quarters) {
    const Vec<float> n = round(x * Vec<float>(static_cast<float>(2 / std::numbers::pi)));
    Vec<float> r = fma(n, Vec<float>(-0x1.921fb6p+0f), x);
    r = fma(n, Vec<float>(0x1.777a5cp-25f), r);
    r = fma(n, Vec<float>(0x1.ee59dap-50f), r);
    const Vec<float> z = r * r;
    const Vec<float> sine =
        fma(r * z, polynomial<float>(z, {-0.166666554f, 0.008332196f, -0.000195189421f}), r);
    const Vec<float> cosine =
        fma(z * z, polynomial<float>(z, {0.0416666521f, -0.00138875808f, 2.44594465e-5f}),
            fma(Vec<float>(-0.5f), z, Vec<float>(1.0f)));
    const Vec<int32_t> bits = reinterpret<int32_t>(n + Vec<float>(0x1.8p23f + quarters));
    const Vec<float> value = select((bits & Vec<int32_t>(1)) != Vec<int32_t>(0), cosine, sine);
    return reinterpret<float>(reinterpret<int32_t>(value) ^ ((bits & Vec<int32_t>(2)) << 30));
}
inline bool within_short_limit(Vec<float> x) {
    return fuses && !any(~(abs(x) <= Vec<float>(0x1p15f)));
}
inline Vec<float> sin(Vec<float> x) {
    if (!within_short_limit(x)) return in_double([](Vec<double> v) { return sin(v); }, x);
    return select(x == Vec<float>(0.0f), x, short_sine(x, 0.0f));
}
inline Vec<float> cos(Vec<float> x) {
    if (!within_short_limit(x)) return in_double([](Vec<double> v) { return cos(v); }, x);
    return short_sine(x, 1.0f);
}
inline Vec<float> tan(Vec<float> x) {
    return in_double([](Vec<double> v) { return tan(v); }, x);
}

// atan(y / x) for 0 <= y <= x, x > 0.
inline Vec<float> atan_octant(Vec<float> y, Vec<float> x) {
    const Vec<float> m = y / x, z = m * m;
    return fma(m * z,
               long_polynomial<float>(
                   z, {-0.333333295f, 0.199997602f, -0.142809486f, 0.11065276f, -0.0883675405f, 0.0679864135f,
                       -0.0454772387f, 0.0231982815f, -0.00762349022f, 0.00117415726f}),
               m);
}
// The same for any y, x >= 0 that are not both 0: beyond pi/8, atan(y / x) = pi/4 + atan((y - x) / (y + x)).
inline Vec<double> atan_octant(Vec<double> y, Vec<double> x) {
    const auto steep = y > x * Vec<double>(0.41421356237309503);
    const Vec<double> m = select(steep, y - x, y) / select(steep, y + x, x), z = m * m;
    const Vec<double> value = fma(
        m * z,
        long_polynomial<double>(z, {-0.333333333333333326, 0.199999999999992792, -0.14285714285566392,
                                    0.111111110981224133, -0.0909090846907485512, 0.0769228945963472874,
                                    -0.0666631784615245153, 0.0587784856150056568, -0.0522336684202561169,
                                    0.0452246236709793187, -0.0338890388418682729, 0.0155932005882826826}),
        m);
    return select(steep, value + Vec<double>(3.061616997868383e-17) + Vec<double>(std::numbers::pi / 4),
                  value);
}
template <class T>
Vec<T> atan2(Vec<T> y, Vec<T> x) {
    constexpr T pi_low = sizeof(T) == 4 ? T(-8.742277657347586e-8) : T(1.2246467991473532e-16);
    const Vec<T> a = abs(y), b = abs(x), zero(T(0)), one(T(1));
    // Equal arguments, infinite ones too, stand for 1; and 0 for 0 whatever x is.
    const auto equal = a == b;
    const Vec<T> low = select(a == zero, zero, select(equal, one, min(a, b)));
    const Vec<T> high = select(equal, one, max(a, b));
    Vec<T> value = atan_octant(low, high);
    value = select(a > b, Vec<T>(std::numbers::pi_v<T> / 2) - (value - Vec<T>(pi_low / 2)), value);
    using Integer = IntegerOf<T>;
    const auto left = reinterpret<Integer>(x) < Vec<Integer>(Integer{0});
    value = select(left, Vec<T>(std::numbers::pi_v<T>) - (value - Vec<T>(pi_low)), value);
    return select((x == x) & (y == y), with_sign(value, y), x + y);
}
template <class T>
Vec<T> atan(Vec<T> x) {
    return atan2(x, Vec<T>(T(1)));
}
template <class T>
Vec<T> asin(Vec<T> x) {
    const Vec<T> one(T(1));
    return atan2(x, sqrt((one - x) * (one + x)));
}
template <class T>
Vec<T> acos(Vec<T> x) {
    const Vec<T> one(T(1));
    return Vec<T>(T(2)) * atan2(sqrt(one - x), sqrt(one + x));
}
// Where e^|x| itself comes near to overflowing, the result need not.
template <class T>
bool exp_overflows(Vec<T> magnitude) {
    return any(magnitude > Vec<T>(sizeof(T) == 4 ? T(88) : T(709)));
}
template <class T>
Vec<T> sinh(Vec<T> x) {
    const Vec<T> a = abs(x);
    if (exp_overflows(a)) return each_lane([](T v) { return std::sinh(v); }, x);
    const Vec<T> t = expm1(a), one(T(1)), half(T(0.5));
    return select(x == x, with_sign(half * (t + t / (t + one)), x), x);
}
template <class T>
Vec<T> cosh(Vec<T> x) {
    const Vec<T> a = abs(x);
    if (exp_overflows(a)) return each_lane([](T v) { return std::cosh(v); }, x);
    const Vec<T> e = exp(a), half(T(0.5));
    return fma(half, e, half / e);
}
template <class T>
Vec<T> atanh(Vec<T> x) {
    const Vec<T> a = abs(x), one(T(1));
    const Vec<T> value = Vec<T>(T(0.5)) * log1p((a + a) / (one - a));
    return select(value == value, with_sign(value, x), value);
}
inline Vec<float> asinh(Vec<float> x) {
    return in_double(
        [](Vec<double> v) {
            const Vec<double> a = abs(v), one(1.0);
            const Vec<double> value = log1p(a + a * a / (one + sqrt(fma(a, a, one))));
            return select(a < Vec<double>(std::numeric_limits<double>::infinity()), with_sign(value, v), v);
        },
        x);
}
inline Vec<float> acosh(Vec<float> x) {
    const Vec<double> one(1.0);
    return in_double([=](Vec<double> v) { return log(v + sqrt(v - one) * sqrt(v + one)); }, x);
}
// What becomes of a power where base or exponent is not an ordinary positive number: `value` is
// |base|^exponent where both are finite and not zero.
inline Vec<float> complete_power(Vec<float> base, Vec<float> exponent, Vec<float> value) {
    const Vec<float> zero(0.0f), one(1.0f), infinity(std::numeric_limits<float>::infinity());
    const Vec<float> magnitude = abs(base), steps = abs(exponent);
    const auto limit = (magnitude == zero) | (magnitude == infinity) | (steps == infinity);
    const auto grows = (magnitude > one) ^ (exponent < zero);
    value = select(limit, select(grows, infinity, zero), value);
    value = select(magnitude == one, one, value);
    // Floats from 2^24 on are even.
    const auto integral = floor(exponent) == exponent;
    const auto odd =
        integral & (floor(exponent * Vec<float>(0.5f)) * Vec<float>(2.0f) != exponent) & (steps < infinity);
    value = select((reinterpret<int32_t>(base) < Vec<int32_t>(0)) & odd, -value, value);
    const auto undefined = (base < zero) & (magnitude < infinity) & ~integral;
    value = select(undefined, Vec<float>(std::numeric_limits<float>::quiet_NaN()), value);
    value = select(exponent == exponent, value, exponent);
    return select((base == one) | (exponent == zero), one, select(base == base, value, base));
}

inline Vec<float> pow(Vec<float> base, Vec<float> exponent) {
    const Vec<float> zero(0.0f), infinity(std::numeric_limits<float>::infinity());
    const auto one_half = [](Vec<double> x, Vec<double> y) {
        return exp2_short(clamp(y * log2_short(x), -200.0, 200.0));
    };
    const Vec<float> value = in_double(one_half, abs(base), exponent);
    const auto ordinary = (base > zero) & (base < infinity) & (abs(exponent) < infinity);
    return any(~ordinary) ? complete_power(base, exponent, value) : value;
}

template <class T>
Vec<T> tanh(Vec<T> x) {
    if constexpr (sizeof(T) == 4) {
        const Vec<T> a = abs(x), z = x * x;
        const Vec<T> near = fma(
            x * z,
            polynomial<T>(z, {-0.333333301f, 0.133328814f, -0.0538678607f, 0.0210780466f, -0.00621556584f}),
            x);
        const Vec<T> far = Vec<T>(1.0f) - Vec<T>(2.0f) / (exp(a + a) + Vec<T>(1.0f));
        return select(x == x, with_sign(abs(select(a < Vec<T>(0.6f), near, far)), x), x);
    } else {
        const Vec<T> t = expm1(Vec<T>(-2.0) * abs(x));
        return select(x == x, with_sign(abs(t / (t + Vec<T>(2.0))), x), x);
    }
}

template <class T>
Vec<T> sigmoid(Vec<T> x) {
    const Vec<T> one(T(1));
    return one / (one + exp(-x));
}

inline Vec<float> erf(Vec<float> x) {
    const Vec<float> a = abs(x);
    // erf(x) = x + x Q(x^2) on |x| < 0.94.
    const Vec<float> near =
        fma(x,
            long_polynomial<float>(x * x, {0.12837917f, -0.376126316f, 0.11283664f, -0.0268577051f,
                                           0.00519695208f, -0.00080977027f, 8.18508908e-5f}),
            x);
    // log(1 - erf(a)) on [0.92, 4]; beyond, erf is 1 in float.
    const Vec<float> exponent = long_polynomial<float>(
        min(a, Vec<float>(4.0f)), {0.000175874309f, -1.12952082f, -0.633334656f, -0.108293944f, 0.0251286229f,
                                   -0.00417464243f, 0.000435218777f, -2.11618989e-5f});
    const Vec<float> far = with_sign(Vec<float>(1.0f) - exp(exponent), x);
    return select(a < Vec<float>(0.94f), near, select(x == x, far, x));
}

// erfc(a) exp(a^2) for a >= 0, a polynomial in (a - 3.75) / (a + 3.75) over 1 + 2 a (Shepherd and
// Laframboise, 1981), up to the end of double's range; with fewer coefficients, and up to the end of float's.
template <size_t N>
Vec<double> scaled_tail(Vec<double> a, const double (&coefficients)[N]) {
    const Vec<double> k(3.75), up = a + k, twice = a + a + Vec<double>(1.0);
    const Vec<double> inverse = Vec<double>(1.0) / (up * twice);
    return long_polynomial<double>((a - k) * twice * inverse, coefficients) * up * inverse;
}
// For a up to 27.5, where erfc itself is 0 already.
inline Vec<double> erfc_quotient(Vec<double> a) {
    return scaled_tail(a, {1.23751263083782758,      -0.140240598585546681,    0.00358541548546377914,
                           0.0822767384901120369,    -0.108803930141712359,    0.0923043211615311556,
                           -0.0586933985903094125,   0.0283622774004577225,    -0.00974657955343187366,
                           0.00175562601715200385,   0.00029371366631088616,   -0.000290154965295709261,
                           0.0000516489134695998619, 0.0000223872596382301343, -0.0000114429909268054383,
                           -9.80166675585857751e-7,  1.74811904683919643e-6,   -4.81583962167284902e-8,
                           -2.52614652677155047e-7,  1.59963352155737078e-8,   3.28508355623331591e-8,
                           -8.78212573480352024e-10, -2.41082153654223304e-9});
}
inline Vec<double> erfc_tail(Vec<double> a) {
    const Vec<double> bounded = min(a, Vec<double>(27.5)), quotient = erfc_quotient(bounded);
    // The square in two parts, the first exact.
    const Vec<double> head =
        reinterpret<double>(reinterpret<int64_t>(bounded) & Vec<int64_t>(~int64_t{0x7ffffff}));
    const Vec<double> low = (bounded - head) * (bounded + head);
    const Vec<double> correction = fma(low, fma(low, Vec<double>(0.5), Vec<double>(-1.0)), Vec<double>(1.0));
    return exp(-head * head) * (quotient * correction);
}
// For |x| up to 1.
inline Vec<double> near_erf(Vec<double> x) {
    return fma(
        x,
        long_polynomial<double>(
            x * x, {0.128379167095512574, -0.376126389031837482, 0.112837916709548845, -0.026866170645077874,
                    0.00522397762482842958, -0.000854832698142599634, 0.000120553311329886455,
                    -0.0000149255957733056568, 1.64610085004636251e-6, -1.63503965049032263e-7,
                    1.46603308587875479e-8, -1.13749647741952549e-9, 5.96070173955849938e-11}),
        x);
}
inline Vec<double> erf(Vec<double> x) {
    const Vec<double> a = abs(x), near = near_erf(x);
    const auto small = a < Vec<double>(1.0);
    if (!any(~small)) return near;
    return select(small, near, select(x == x, with_sign(Vec<double>(1.0) - erfc_tail(a), x), x));
}
inline Vec<double> erfc(Vec<double> x) {
    const Vec<double> tail = erfc_tail(abs(x));
    return select(x < Vec<double>(0.0), Vec<double>(2.0) - tail, select(x == x, tail, x));
}
// The same in float accuracy, up to the end of float's range.
inline Vec<double> short_erfc_tail(Vec<double> a) {
    const Vec<double> bounded = min(a, Vec<double>(11.0));
    const Vec<double> quotient =
        scaled_tail(bounded, {1.23751263042, -0.140240586459, 0.00358547170347, 0.0822761561206,
                              -0.108805450948, 0.092311591423, -0.0586763726525, 0.0283308958551,
                              -0.00983190792742, 0.00178292342482, 0.000458759590411, -0.000217851430704});
    return exp2_short(bounded * bounded * Vec<double>(-std::numbers::log2e)) * quotient;
}
inline Vec<float> erfc(Vec<float> x) {
    const auto in_halves = [](Vec<double> v) {
        const Vec<double> tail = short_erfc_tail(abs(v));
        return select(v < Vec<double>(0.0), Vec<double>(2.0) - tail, tail);
    };
    return select(x == x, in_double(in_halves, x), x);
}

// The normal distribution beyond a: erfc(a / sqrt(2)) / 2, for a up to 12 in float, where it is 0 already.
inline Vec<float> normal_tail(Vec<float> a) {
    // Its binary logarithm; a fit on [0, 5.6] that goes on falling to where the tail is far below float's
    // range.
    return exp2_short(long_polynomial<float>(
        a, {-0.999999926f, -1.15110778f, -0.459193768f, -0.0525174176f, 0.00705168014f, -7.97760389e-5f,
            -0.000243970963f, 6.68800784e-5f, -9.45718889e-6f, 7.30284848e-7f, -2.42915674e-8f}));
}
// The same to 4e-4 of itself, for bfloat16, and for a up to 14.
inline Vec<float> rough_normal_tail(Vec<float> a) {
    const Vec<float> exponent = long_polynomial<float>(
        a, {-1.00053168f, -1.14439991f, -0.472785802f, -0.0428326051f, 0.00446757501f, -0.000201682089f});
    const Vec<float> n = round(exponent);
    const Vec<float> power =
        polynomial<float>(exponent - n, {0.999928059f, 0.693261007f, 0.242611217f, 0.055171607f});
    return scale(power, n);
}
inline Vec<double> normal_tail(Vec<double> a) {
    return Vec<double>(0.5) * erfc_tail(a * Vec<double>(std::numbers::sqrt2 / 2));
}

// Double precision through the C library, lane by lane.
inline Vec<double> asinh(Vec<double> x) {
    return each_lane([](double v) { return std::asinh(v); }, x);
}
inline Vec<double> acosh(Vec<double> x) {
    return each_lane([](double v) { return std::acosh(v); }, x);
}
// A number as the sum of two.
struct DoubleDouble {
    Vec<double> high, low;
};
// The sum and product of two doubles, the first part that which a double has; of sums |a| >= |b|, or a is 0.
inline DoubleDouble exact_sum(Vec<double> a, Vec<double> b) {
    const Vec<double> sum = a + b;
    return {sum, (a - sum) + b};
}
inline DoubleDouble exact_product(Vec<double> a, Vec<double> b) {
    const Vec<double> product = a * b;
    return {product, fma(a, b, -product)};
}
inline DoubleDouble product(DoubleDouble a, DoubleDouble b) {
    const DoubleDouble result = exact_product(a.high, b.high);
    return {result.high, result.low + fma(a.high, b.low, a.low * b.high)};
}
inline DoubleDouble sum(Vec<double> a, DoubleDouble b) {
    const DoubleDouble result = exact_sum(a, b.high);
    return {result.high, result.low + b.low};
}

// log2 of positive finite normal x to about 2^-64 of itself: 2 s (1 + s^2/3 + ...), s = f / (2 + f), as `log`
// has it, with the first terms in two parts.
inline DoubleDouble exact_log2(Vec<double> x) {
    constexpr int64_t root_half = std::bit_cast<int64_t>(std::numbers::sqrt2 / 2);
    const Vec<int64_t> bits = reinterpret<int64_t>(x), e = (bits - Vec<int64_t>(root_half)) >> 52;
    const Vec<double> magic(0x1.8p52), two(2.0);
    const Vec<double> f = reinterpret<double>(bits - (e << 52)) - Vec<double>(1.0);
    const Vec<double> exponent = reinterpret<double>(e + reinterpret<int64_t>(magic)) - magic;
    const DoubleDouble divisor = exact_sum(two, f);
    const Vec<double> inverse = Vec<double>(1.0) / divisor.high, s_high = f * inverse;
    const DoubleDouble s{s_high, (fma(-s_high, divisor.high, f) - s_high * divisor.low) * inverse};
    const DoubleDouble z = product(s, s);
    const Vec<double> rest = polynomial<double>(
        z.high, {0.399999999999999998, 0.285714285714293752, 0.222222222216509799, 0.181818183364014188,
                 0.153845948637973572, 0.133348096529262058, 0.117061128349100446, 0.117243868177118962});
    const DoubleDouble third =
        sum(Vec<double>(2.0 / 3), {z.high * rest, Vec<double>(3.7007434154171885e-17)});
    const DoubleDouble log = product(s, sum(two, product(z, third)));
    const DoubleDouble log2 =
        product(log, {Vec<double>(std::numbers::log2e), Vec<double>(2.0355273740931033e-17)});
    return sum(exponent, log2);
}
inline Vec<double> pow(Vec<double> x, Vec<double> y) {
    constexpr double limit = std::numeric_limits<double>::infinity();
    const auto ordinary = (x >= Vec<double>(std::numeric_limits<double>::min())) & (x < Vec<double>(limit)) &
                          (abs(y) < Vec<double>(0x1p60));
    if (!fuses || any(~ordinary)) return each_lane([](double a, double b) { return std::pow(a, b); }, x, y);
    const DoubleDouble log = exact_log2(x), exponent = exact_product(y, log.high);
    const Vec<double> bounded = clamp(exponent.high, -1100.0, 1100.0), n = round(bounded);
    const Vec<double> low = fma(y, log.low, exponent.low);
    const auto within = bounded == exponent.high;
    const Vec<double> r =
        ((bounded - n) + select(within, low, Vec<double>(0.0))) * Vec<double>(std::numbers::ln2);
    return scale(fma(r * r, exp_quotient(r), r) + Vec<double>(1.0), n);
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
