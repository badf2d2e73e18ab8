// Elementary functions of real numbers.
#include "kernels/cpu/pointwise_block.h"
#include "kernels/cpu/scalar.h"
#include "kernels/simd/math.h"

namespace rl::kernels::RUSHLIGHT_ISA {
namespace {

// With dropped bits, the next number of a half type, held in a float.
template <class T>
T next_after(T a, T b, int64_t dropped_bits) {
    if (dropped_bits == 0 || std::isnan(a) || std::isnan(b)) return std::nextafter(a, b);
    if (a == b) return b;
    const bool half = dropped_bits == 13;
    const T smallest = half ? T(0x1p-24) : T(0x1p-133);
    if (a == 0) return std::copysign(smallest, b);
    if (std::isinf(a)) return std::copysign(half ? T(65504) : T(0x1.fep127), a);
    const bool outward = (b > a) == (a > 0);
    int exponent;
    const T fraction = std::frexp(a, &exponent);
    const int bits = half ? 11 : 8;
    // The spacing on the side that the step goes to: below a power of two it is half as wide.
    const bool at_power = std::abs(fraction) == T(0.5);
    T step = std::ldexp(T(1), exponent - bits - (at_power && !outward ? 1 : 0));
    if (step < smallest) step = smallest;
    const T next = std::abs(a) + (outward ? step : -step);
    return std::copysign(half && next > T(65504) ? std::numeric_limits<T>::infinity() : next, a);
}

// The next number of T itself is the next pattern of bits.
template <class T>
Vec<T> next_after(Vec<T> a, Vec<T> b, int64_t dropped_bits) {
    using Integer = IntegerOf<T>;
    if (dropped_bits != 0) return each_lane([=](T x, T y) { return next_after(x, y, dropped_bits); }, a, b);
    const Vec<T> zero(T(0)), smallest(std::numeric_limits<T>::denorm_min());
    const Vec<Integer> outward = (b > a) ^ (a < zero), one(Integer{1});
    const Vec<T> next = reinterpret<T>(reinterpret<Integer>(a) + select(outward, one, -one));
    const Vec<T> moved = select(a == zero, with_sign(smallest, b), next);
    return select((a == a) & (b == b), select(a == b, b, moved), a + b);
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

// The sign of a half type is a bit of its own; an input that is constant comes as a float.
template <class S>
bool half_copysign_block(void* output, const void* const* inputs, int64_t count, const Parameters& parameters,
                         unsigned constants) {
    S numbers[2];
    const void* data[2] = {inputs[0], inputs[1]};
    for (int i = 0; i < 2; ++i) {
        if ((constants >> i & 1) == 0) continue;
        numbers[i] = S(*static_cast<const float*>(inputs[i]));
        data[i] = &numbers[i];
    }
    const auto join = [](auto a, auto b) {
        using V = decltype(a);
        return (a & V(int16_t{0x7fff})) | (b & V(int16_t{-0x8000}));
    };
    return vector_block<2, int16_t, int16_t, decltype(join)>(output, data, count, parameters, constants);
}

// Directly while the squares keep all their digits.
template <class T>
Vec<T> hypot(Vec<T> a, Vec<T> b) {
    constexpr double limit = sizeof(T) == 4 ? 0x1p50 : 0x1p500;
    const Vec<T> larger = max(abs(a), abs(b));
    const auto safe =
        (larger > constant<Vec<T>>(1 / limit)) & (larger < constant<Vec<T>>(limit)) & (a == a) & (b == b);
    if (any(~safe)) return each_lane([](T x, T y) { return std::hypot(x, y); }, a, b);
    return sqrt(fma(a, a, b * b));
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
    table.halves[static_cast<int>(Pointwise::copysign)][0] = half_copysign_block<Half>;
    table.halves[static_cast<int>(Pointwise::copysign)][1] = half_copysign_block<BFloat16>;
    long_vectors<2>(table, Pointwise::nextafter, Reals{},
                    [](auto a, auto b, const auto& p) { return next_after(a, b, p.i0); });
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
