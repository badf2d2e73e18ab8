// Elementary functions of real numbers.
#include "kernels/cpu/pointwise_block.h"
#include "kernels/cpu/scalar.h"
#include "kernels/simd/math.h"

namespace rl::kernels::RUSHLIGHT_ISA {
namespace {

// The next number after a towards b is the next pattern of bits, in the order of the numbers, for any type of
// a sign, an exponent and a fraction whose infinity is given; of a half type that is held in floats,
// `dropped_bits` are at their end.
template <class I>
Vec<I> next_pattern(Vec<I> a, Vec<I> b, I infinity) {
    const Vec<I> zero(I{0}), one(I{1}), least(std::numeric_limits<I>::min());
    const auto in_order = [&](Vec<I> x) { return select(x < zero, least - x, x); };
    const Vec<I> from = in_order(a), to = in_order(b), magnitude = ~least;
    const Vec<I> step = select(to > from, one, zero - one);
    const Vec<I> next = select(a < zero, a - step, a + step);
    const Vec<I> moved = select(from == zero, (b & least) | one, next);
    const Vec<I> value = select(from == to, b, moved);
    const Vec<I> known = select((b & magnitude) > Vec<I>(infinity), b, value);
    return select((a & magnitude) > Vec<I>(infinity), a, known);
}
template <class S>
inline constexpr auto infinite_pattern =
    std::bit_cast<IntegerOf<S>>(S(std::numeric_limits<float>::infinity()));

// Of a half type, as it is stored.
template <class S>
Vec<int16_t> next_half(Vec<int16_t> a, Vec<int16_t> b) {
    return next_pattern(a, b, infinite_pattern<S>);
}
template <class S>
Vec<float> next_after_narrowed(Vec<float> a, Vec<float> b) {
    S first[Vec<float>::size], second[Vec<float>::size];
    store_narrowed(a, first);
    store_narrowed(b, second);
    const auto bits = [](const S* x) {
        return Vec<int16_t>::load(reinterpret_cast<const int16_t*>(x), Vec<float>::size);
    };
    next_half<S>(bits(first), bits(second)).store(reinterpret_cast<int16_t*>(first), Vec<float>::size);
    return load_widened(first);
}
template <class T>
Vec<T> next_after(Vec<T> a, Vec<T> b, int64_t dropped_bits) {
    if constexpr (sizeof(T) == 4) {
        if (dropped_bits == 13) return next_after_narrowed<Half>(a, b);
        if (dropped_bits != 0) return next_after_narrowed<BFloat16>(a, b);
    }
    using I = IntegerOf<T>;
    return reinterpret<T>(next_pattern(reinterpret<I>(a), reinterpret<I>(b), infinite_pattern<T>));
}

// x^v0, with the common exponents by multiplication and roots.
template <class T, class S>
bool pow_scalar_block(void* output, const void* const* inputs, int64_t count, const Parameters& parameters,
                      unsigned constants) {
    const double exponent = parameters.value[0].real();
    const auto run = [&]<class F>(F) {
        return vector_block<1, T, S, F>(output, inputs, count, parameters, constants);
    };
    if (exponent == 2) return run([](auto x) { return x * x; });
    if (exponent == 3) return run([](auto x) { return x * x * x; });
    if (exponent == 1) return run([](auto x) { return x; });
    if (exponent == -1) return run([](auto x) { return decltype(x)(T(1)) / x; });
    if (exponent == -2) return run([](auto x) { return decltype(x)(T(1)) / (x * x); });
    if (exponent == 0.5) return run([](auto x) { return sqrt(x); });
    if (exponent == -0.5) return run([](auto x) { return decltype(x)(T(1)) / sqrt(x); });
    return run([](auto x, const auto& p) { return pow(x, p.v0); });
}

// A function of the bits of two halves; an input that is constant comes as a float.
template <class S, class F>
bool half_bits_block(void* output, const void* const* inputs, int64_t count, const Parameters& parameters,
                     unsigned constants) {
    S numbers[2];
    const void* data[2] = {inputs[0], inputs[1]};
    for (int i = 0; i < 2; ++i) {
        if ((constants >> i & 1) == 0) continue;
        numbers[i] = S(*static_cast<const float*>(inputs[i]));
        data[i] = &numbers[i];
    }
    return vector_block<2, int16_t, int16_t, F>(output, data, count, parameters, constants);
}
template <class F, class G>
void half_bits(PointwiseTable& table, Pointwise op, F, G) {
    table.halves[static_cast<int>(op)][0] = half_bits_block<Half, F>;
    table.halves[static_cast<int>(op)][1] = half_bits_block<BFloat16, G>;
}

void add_transcendental(PointwiseTable& table) {
    vectors<1>(table, Pointwise::exp, Reals{}, [](auto x) { return exp(x); });
    vectors<1>(table, Pointwise::exp2, Reals{}, [](auto x) { return exp2(x); });
    vectors<1>(table, Pointwise::expm1, Reals{}, [](auto x) { return expm1(x); });
    vectors<1>(table, Pointwise::log, Reals{}, [](auto x) { return log(x); });
    vectors<1>(table, Pointwise::log2, Reals{}, [](auto x) { return log2(x); });
    vectors<1>(table, Pointwise::log10, Reals{}, [](auto x) { return log10(x); });
    vectors<1>(table, Pointwise::log1p, Reals{}, [](auto x) { return log1p(x); });
    vectors<1>(table, Pointwise::sin, Reals{}, [](auto x) { return sin(x); });
    vectors<1>(table, Pointwise::cos, Reals{}, [](auto x) { return cos(x); });
    long_vectors<1>(table, Pointwise::tan, Reals{}, [](auto x) { return tan(x); });
    vectors<1>(table, Pointwise::asin, Reals{}, [](auto x) { return asin(x); });
    vectors<1>(table, Pointwise::acos, Reals{}, [](auto x) { return acos(x); });
    vectors<1>(table, Pointwise::atan, Reals{}, [](auto x) { return atan(x); });
    vectors<1>(table, Pointwise::sinh, Reals{}, [](auto x) { return sinh(x); });
    vectors<1>(table, Pointwise::cosh, Reals{}, [](auto x) { return cosh(x); });
    vectors<1>(table, Pointwise::tanh, Reals{}, [](auto x) { return tanh(x); });
    long_vectors<1>(table, Pointwise::asinh, Reals{}, [](auto x) { return asinh(x); });
    long_vectors<1>(table, Pointwise::acosh, Reals{}, [](auto x) { return acosh(x); });
    long_vectors<1>(table, Pointwise::atanh, Reals{}, [](auto x) { return atanh(x); });
    entry(table, Pointwise::pow_scalar, Compute::float32) = pow_scalar_block<float, float>;
    entry(table, Pointwise::pow_scalar, Compute::float64) = pow_scalar_block<double, double>;
    table.halves[static_cast<int>(Pointwise::pow_scalar)][0] = pow_scalar_block<float, Half>;
    table.halves[static_cast<int>(Pointwise::pow_scalar)][1] = pow_scalar_block<float, BFloat16>;
    long_vectors<2>(table, Pointwise::pow, Reals{}, [](auto x, auto y) { return pow(x, y); });
}

// Integers are integral already.
void add_rounding(PointwiseTable& table) {
    for (const Pointwise op : {Pointwise::ceil, Pointwise::floor, Pointwise::round, Pointwise::trunc})
        scalars<1>(table, op, Integers{}, [](auto x) { return x; });
    vectors<1>(table, Pointwise::ceil, Reals{}, [](auto x) { return ceil(x); });
    vectors<1>(table, Pointwise::floor, Reals{}, [](auto x) { return floor(x); });
    vectors<1>(table, Pointwise::round, Reals{}, [](auto x) { return round(x); });
    vectors<1>(table, Pointwise::trunc, Reals{}, [](auto x) { return trunc(x); });
    vectors<1>(table, Pointwise::frac, Reals{}, [](auto x) { return x - trunc(x); });
    scalars<1>(table, Pointwise::round_decimals, Reals{}, [](auto x, const auto& p) {
        using T = decltype(x);
        const T power = static_cast<T>(std::pow(10.0, static_cast<double>(std::abs(p.i0))));
        return p.i0 < 0 ? std::nearbyint(x / power) * power : std::nearbyint(x * power) / power;
    });
}

void add_other(PointwiseTable& table) {
    vectors<1>(table, Pointwise::deg2rad, Reals{},
               [](auto x) { return x * constant<decltype(x)>(std::numbers::pi / 180); });
    vectors<1>(table, Pointwise::rad2deg, Reals{},
               [](auto x) { return x * constant<decltype(x)>(180 / std::numbers::pi); });
    vectors<1>(table, Pointwise::sinc, Reals{}, [](auto x) {
        using V = decltype(x);
        const V angle = x * constant<V>(std::numbers::pi);
        return select(x == constant<V>(0), constant<V>(1), sin(angle) / angle);
    });
    scalars<1>(table, Pointwise::angle, Reals{}, [](auto x) {
        return x < 0 ? std::numbers::pi_v<decltype(x)> : x != x ? x : decltype(x)(0);
    });
    scalars<1>(table, Pointwise::nan_to_num, BoolAndIntegers{}, [](auto x) { return x; });
    vectors<1>(table, Pointwise::nan_to_num, Reals{}, [](auto x, const auto& p) {
        using V = decltype(x);
        const V infinity = constant<V>(std::numeric_limits<double>::infinity());
        return select(x == x, select(x == infinity, p.v1, select(x == -infinity, p.v2, x)), p.v0);
    });
    // NaN bounds are the ops layer's; NaN input stays.
    vectors<1>(table, Pointwise::clamp_scalar, RealNumbers{}, [](auto x, const auto& p) {
        if ((p.i2 & 1) != 0) x = select(x < p.v0, p.v0, x);
        if ((p.i2 & 2) != 0) x = select(x > p.v1, p.v1, x);
        return x;
    });
    vectors<2>(table, Pointwise::atan2, Reals{}, [](auto y, auto x) { return atan2(y, x); });
    vectors<2>(table, Pointwise::hypot, Reals{}, [](auto a, auto b) { return hypot(a, b); });
    vectors<2>(table, Pointwise::copysign, Reals{}, [](auto a, auto b) { return with_sign(abs(a), b); });
    const auto join = [](auto a, auto b) {
        using V = decltype(a);
        return (a & V(int16_t{0x7fff})) | (b & V(int16_t{-0x8000}));
    };
    half_bits(table, Pointwise::copysign, join, join);
    long_vectors<2>(table, Pointwise::nextafter, Reals{},
                    [](auto a, auto b, const auto& p) { return next_after(a, b, p.i0); });
    half_bits(
        table, Pointwise::nextafter, [](auto a, auto b) { return next_half<Half>(a, b); },
        [](auto a, auto b) { return next_half<BFloat16>(a, b); });
    scalars<2>(table, Pointwise::heaviside, Types<bool>{}, [](bool x, bool at_zero) { return x || at_zero; });
    vectors<2>(table, Pointwise::heaviside, RealNumbers{}, [](auto x, auto at_zero) {
        using V = decltype(x);
        const V zero = constant<V>(0);
        return select(x == zero, at_zero, select(x > zero, constant<V>(1), zero));
    });
    vectors<2>(table, Pointwise::logaddexp, Reals{}, [](auto a, auto b) {
        return select(a == b, a + constant<decltype(a)>(std::numbers::ln2),
                      max(a, b) + log1p_exp(-abs(a - b)));
    });
    vectors<2>(table, Pointwise::logaddexp2, Reals{}, [](auto a, auto b) {
        using V = decltype(a);
        const V ln2 = constant<V>(std::numbers::ln2), log2e = constant<V>(std::numbers::log2e);
        return select(a == b, a + constant<V>(1), max(a, b) + log1p_exp(-abs(a - b) * ln2) * log2e);
    });
    vectors<2>(table, Pointwise::xlogy, Reals{}, [](auto x, auto y) {
        const auto zero = constant<decltype(x)>(0);
        return select(y == y, select(x == zero, zero, x * log(y)), y);
    });
    vectors<2>(table, Pointwise::xlog1py, Reals{}, [](auto x, auto y) {
        const auto zero = constant<decltype(x)>(0);
        return select(y == y, select(x == zero, zero, x * log1p(y)), y);
    });
    scalars<2>(table, Pointwise::complex, Reals{}, [](auto re, auto im) { return std::complex(re, im); });
    scalars<2>(table, Pointwise::polar, Reals{}, [](auto modulus, auto angle) {
        return std::complex(modulus * std::cos(angle), modulus * std::sin(angle));
    });
}

}  // namespace

void add_elementary(PointwiseTable& table) {
    add_transcendental(table);
    add_rounding(table);
    add_other(table);
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
