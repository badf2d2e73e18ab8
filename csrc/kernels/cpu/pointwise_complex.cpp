// Elementary functions of complex numbers, with the C standard's values at zeros and infinities (Annex G).
#include "kernels/cpu/pointwise_block.h"
#include "kernels/cpu/scalar.h"

namespace rl::kernels::RUSHLIGHT_ISA {
namespace {

template <class T>
using Real = typename T::value_type;

// exp(x + iy) - 1 = (expm1(x) cos y - 2 sin(y/2)^2) + i exp(x) sin y.
template <class T>
T complex_expm1(T z) {
    const auto half = std::sin(z.imag() / 2);
    return T(std::expm1(z.real()) * std::cos(z.imag()) - 2 * half * half,
             std::exp(z.real()) * std::sin(z.imag()));
}

// |1 + z|^2 - 1 = x (2 + x) + y^2 keeps the digits of a small z.
template <class T>
T complex_log1p(T z) {
    const auto x = z.real(), y = z.imag();
    const auto excess = x * (2 + x) + y * y;
    if (!(std::abs(excess) < Real<T>(0.5))) return std::log(Real<T>(1) + z);
    return T(std::log1p(excess) / 2, std::atan2(y, 1 + x));
}

template <class T>
T complex_sigmoid(T z) {
    return divide(T(1), T(1) + std::exp(-z));
}
inline Vec<complex64> complex_sigmoid(Vec<complex64> z) {
    const Vec<float> limit(700.0f);
    if (any(~((abs(z.re) < limit) & (abs(z.im) < limit))))
        return each_lane([](complex64 v) { return complex_sigmoid(v); }, z);
    const Vec<complex128> one(complex128(1.0));
    return in_double([&](Vec<complex128> v) { return one / (one + exp(-v)); }, z);
}

template <class T>
T complex_pow(T a, T b) {
    if (b == T(0)) return T(1);
    return a == T(0) && b.real() > 0 ? T(0) : std::pow(a, b);
}
// e^(b log a), where nothing of it overflows.
inline Vec<complex64> complex_pow(Vec<complex64> a, Vec<complex64> b) {
    const auto ordinary = [](Vec<float> x) { return x < Vec<float>(0x1p10f); };
    const Vec<float> modulus = max(abs(a.re), abs(a.im)), exponent = max(abs(b.re), abs(b.im));
    const auto plain = ordinary(modulus) & (modulus > Vec<float>(0x1p-10f)) & ordinary(exponent) &
                       (a.re == a.re) & (a.im == a.im) & (b.re == b.re) & (b.im == b.im);
    if (any(~plain)) return each_lane([](complex64 x, complex64 y) { return complex_pow(x, y); }, a, b);
    return in_double(
        [](Vec<complex128> x, Vec<complex128> y) {
            const Vec<double> square = fma(x.re, x.re, x.im * x.im);
            const Vec<complex128> logarithm(Vec<double>(0.5) * log(square), atan2(x.im, x.re));
            return exp(y * logarithm);
        },
        a, b);
}
template <class T>
bool complex_pow_scalar_block(void* output, const void* const* inputs, int64_t count,
                              const Parameters& parameters, unsigned constants) {
    const auto exponent = parameters.value[0];
    const auto run = [&]<class F>(F) {
        return vector_block<1, T, T, F>(output, inputs, count, parameters, constants);
    };
    if (exponent == complex128(2)) return run([](auto z) { return z * z; });
    if (exponent == complex128(3)) return run([](auto z) { return z * z * z; });
    if constexpr (sizeof(T) == 8) return run([](auto z, const auto& p) { return complex_pow(z, p.v0); });
    return scalar_block<1, T, decltype([](auto z, const auto& p) { return complex_pow(z, p.v0); })>(
        output, inputs, count, parameters, constants);
}

template <class T>
T complex_logaddexp(T a, T b) {
    const bool first = a.real() > b.real();
    const T larger = first ? a : b, smaller = first ? b : a;
    if (std::isinf(a.real()) && a == b) return a;
    return larger + complex_log1p(std::exp(smaller - larger));
}

}  // namespace

void add_complex(PointwiseTable& table) {
    scalars<1>(table, Pointwise::exp, Complexes{}, [](auto z) { return std::exp(z); });
    scalars<1>(table, Pointwise::exp2, Complexes{},
               [](auto z) { return std::exp(z * static_cast<Real<decltype(z)>>(0.693147180559945309417)); });
    scalars<1>(table, Pointwise::expm1, Complexes{}, [](auto z) { return complex_expm1(z); });
    scalars<1>(table, Pointwise::log, Complexes{}, [](auto z) { return std::log(z); });
    scalars<1>(table, Pointwise::log2, Complexes{},
               [](auto z) { return std::log(z) / static_cast<Real<decltype(z)>>(0.693147180559945309417); });
    scalars<1>(table, Pointwise::log10, Complexes{}, [](auto z) { return std::log10(z); });
    scalars<1>(table, Pointwise::log1p, Complexes{}, [](auto z) { return complex_log1p(z); });
    scalars<1>(table, Pointwise::sin, Complexes{}, [](auto z) { return std::sin(z); });
    scalars<1>(table, Pointwise::cos, Complexes{}, [](auto z) { return std::cos(z); });
    scalars<1>(table, Pointwise::tan, Complexes{}, [](auto z) { return std::tan(z); });
    scalars<1>(table, Pointwise::asin, Complexes{}, [](auto z) { return std::asin(z); });
    scalars<1>(table, Pointwise::acos, Complexes{}, [](auto z) { return std::acos(z); });
    scalars<1>(table, Pointwise::atan, Complexes{}, [](auto z) { return std::atan(z); });
    scalars<1>(table, Pointwise::sinh, Complexes{}, [](auto z) { return std::sinh(z); });
    scalars<1>(table, Pointwise::cosh, Complexes{}, [](auto z) { return std::cosh(z); });
    scalars<1>(table, Pointwise::tanh, Complexes{}, [](auto z) { return std::tanh(z); });
    scalars<1>(table, Pointwise::asinh, Complexes{}, [](auto z) { return std::asinh(z); });
    scalars<1>(table, Pointwise::acosh, Complexes{}, [](auto z) { return std::acosh(z); });
    scalars<1>(table, Pointwise::atanh, Complexes{}, [](auto z) { return std::atanh(z); });
    scalars<1>(table, Pointwise::sinc, Complexes{}, [](auto z) {
        using T = decltype(z);
        const T angle = z * static_cast<Real<T>>(3.14159265358979323846);
        return z == T(0) ? T(1) : divide(std::sin(angle), angle);
    });
    vectors<1>(table, Pointwise::angle, Complexes{}, [](auto z) { return atan2(z.im, z.re); });
    scalars<1>(table, Pointwise::nan_to_num, Complexes{}, [](auto z, const auto& p) {
        const auto part = [&](auto x) {
            constexpr auto infinity = std::numeric_limits<decltype(x)>::infinity();
            return x != x ? p.v0.real() : x == infinity ? p.v1.real() : x == -infinity ? p.v2.real() : x;
        };
        return decltype(z)(part(z.real()), part(z.imag()));
    });
    vectors<1>(table, Pointwise::sigmoid, Types<complex64>{}, [](auto z) { return complex_sigmoid(z); });
    scalars<1>(table, Pointwise::sigmoid, Types<complex128>{}, [](auto z) { return complex_sigmoid(z); });
    vectors<1>(table, Pointwise::silu, Types<complex64>{}, [](auto z) { return z * complex_sigmoid(z); });
    scalars<1>(table, Pointwise::silu, Types<complex128>{},
               [](auto z) { return wrapping_mul(z, complex_sigmoid(z)); });
    vectors<2>(table, Pointwise::pow, Types<complex64>{}, [](auto a, auto b) { return complex_pow(a, b); });
    scalars<2>(table, Pointwise::pow, Types<complex128>{}, [](auto a, auto b) { return complex_pow(a, b); });
    entry(table, Pointwise::pow_scalar, Compute::complex64) = complex_pow_scalar_block<complex64>;
    entry(table, Pointwise::pow_scalar, Compute::complex128) = complex_pow_scalar_block<complex128>;
    scalars<2>(table, Pointwise::xlogy, Complexes{}, [](auto x, auto y) {
        using T = decltype(x);
        return is_nan(y) ? y : x == T(0) ? T(0) : wrapping_mul(x, std::log(y));
    });
    scalars<2>(table, Pointwise::logaddexp, Complexes{},
               [](auto a, auto b) { return complex_logaddexp(a, b); });
    scalars<2>(table, Pointwise::sigmoid_backward, Complexes{}, [](auto gradient, auto y) {
        return wrapping_mul(gradient, std::conj(wrapping_mul(decltype(y)(1) - y, y)));
    });
    scalars<2>(table, Pointwise::tanh_backward, Complexes{}, [](auto gradient, auto y) {
        return wrapping_mul(gradient, std::conj(decltype(y)(1) - wrapping_mul(y, y)));
    });
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
