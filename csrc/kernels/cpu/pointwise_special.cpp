// Special functions of real numbers, computed in double; the rarer ones one element at a time.
#include <math.h>  // lgamma_r and the Bessel functions are POSIX, outside namespace std

#include <algorithm>

#include "kernels/cpu/pointwise_block.h"
#include "kernels/simd/special.h"

namespace rl::kernels::RUSHLIGHT_ISA {
namespace {

constexpr double pi = std::numbers::pi;
constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double epsilon = std::numeric_limits<double>::epsilon();

// B_2k / (2k)!, k = 1, 2, ...: the coefficients of the Euler-Maclaurin formula.
constexpr double bernoulli_over_factorial[] = {1.0 / 12,
                                               -1.0 / 720,
                                               1.0 / 30240,
                                               -1.0 / 1209600,
                                               1.0 / 47900160,
                                               -691.0 / 1307674368000.0,
                                               1.0 / 74724249600.0,
                                               -3617.0 / 10670622842880000.0};

double log_gamma(double x) {
    int sign;
    return ::lgamma_r(x, &sign);
}

// Hurwitz's zeta function, the sum of (q + k)^-x, by the Euler-Maclaurin formula.
double hurwitz_zeta(double x, double q) {
    if (x == 1) return infinity;
    if (x < 1 || std::isnan(x) || std::isnan(q)) return not_a_number;
    if (q <= 0) {
        if (q == std::floor(q)) return infinity;
        if (x != std::floor(x)) return not_a_number;
    }
    double sum = 0, a = q;
    for (int k = 0; k < 12 || a < 12; ++k, a += 1) {
        const double term = std::pow(a, -x);
        sum += term;
        if (a > 0 && std::abs(term) < epsilon * 1e-3 * std::abs(sum)) return sum;
    }
    const double power = std::pow(a, -x);
    sum += power * a / (x - 1) + power / 2;
    double factor = x * power / a;
    for (int k = 0; k < 8; ++k) {
        sum += factor * bernoulli_over_factorial[k];
        factor *= (x + 2 * k + 1) * (x + 2 * k + 2) / (a * a);
    }
    return sum;
}

double polygamma(int64_t order, double x) {
    const double n = static_cast<double>(order);
    return (order % 2 == 0 ? -1 : 1) * std::exp(log_gamma(n + 1)) * hurwitz_zeta(n + 1, x);
}

// x^a exp(-x) / Gamma(a) near a = x, without the cancellation of its logarithm's large terms.
bool is_near_peak(double a, double x) {
    return a > 50 && std::abs(x - a) < 0.4 * a;
}
double gamma_factor_near_peak(double a, double x) {
    const double mu = (x - a) / a;
    const double correction = 1 / (12 * a) - 1 / (360 * a * a * a) + 1 / (1260 * std::pow(a, 5));
    return std::sqrt(a / (2 * pi)) * std::exp(a * (std::log1p(mu) - mu) - correction);
}

// The regularized incomplete gamma functions P (lower) and Q = 1 - P: a power series left of the peak
// (Abramowitz and Stegun 6.5.29), a continued fraction by Lentz's method right of it (6.5.31).
// Terms below `precision` of the sum are left out; `factor` is x^a exp(-x) / Gamma(a).
double incomplete_gamma(double a, double x, double factor, bool upper, double precision) {
    if (std::isnan(a) || std::isnan(x) || a < 0 || x < 0) return not_a_number;
    if (a == 0) return x > 0 ? (upper ? 0 : 1) : not_a_number;
    if (x == 0) return upper ? 1 : 0;
    if (a == infinity) return x == infinity ? not_a_number : upper ? 1 : 0;
    if (x == infinity) return upper ? 0 : 1;
    if (is_near_peak(a, x)) factor = gamma_factor_near_peak(a, x);
    constexpr int max_terms = 200000;
    if (x <= 1 || x <= a) {
        double term = 1 / a, sum = term;
        for (int k = 1; k < max_terms && term > precision / 2 * sum; ++k) sum += term *= x / (a + k);
        const double lower = sum * factor;
        if (!upper) return lower;
        if (x > 0.5 * a || a > 1) return 1 - lower;
        // For small x, 1 - P with P near 1 from the series of 1 - x^a / Gamma(a + 1) - ...
        double power = 1, rest = 0;
        for (int k = 1; k < 100; ++k) {
            power *= -x / k;
            rest += power / (a + k);
        }
        const double log_x = std::log(x), scale = -std::expm1(a * log_x - log_gamma(a + 1));
        return scale - a * std::exp(a * log_x - log_gamma(a + 1)) * rest;
    }
    constexpr double tiny = std::numeric_limits<double>::min() / epsilon;
    double b = x + 1 - a, c = 1 / tiny, d = 1 / (b == 0 ? tiny : b), fraction = d;
    for (int k = 1; k < max_terms; ++k) {
        const double factor = k * (a - k);
        b += 2;
        d = factor * d + b;
        if (std::abs(d) < tiny) d = tiny;
        c = b + factor / c;
        if (std::abs(c) < tiny) c = tiny;
        d = 1 / d;
        fraction *= d * c;
        if (std::abs(d * c - 1) < precision) break;
    }
    const double result = factor * fraction;
    return upper ? result : 1 - result;
}

template <bool upper>
Vec<double> incomplete_gamma(Vec<double> a, Vec<double> x, double precision = epsilon) {
    const auto of_lane = [=](double p, double q, double factor) {
        return incomplete_gamma(p, q, factor, upper, precision);
    };
    return each_lane(of_lane, a, x, exp(fma(a, log(x), -x) - lgamma(a)));
}
template <bool upper>
Vec<float> incomplete_gamma(Vec<float> a, Vec<float> x) {
    return in_double([](Vec<double> p, Vec<double> q) { return incomplete_gamma<upper>(p, q, 1e-9); }, a, x);
}

template <class F>
struct InDouble {
    Vec<float> operator()(Vec<float> x) const { return in_double(F{}, x); }
};

// Functions of vectors of doubles.
template <class F>
void vectors_in_double(PointwiseTable& table, Pointwise op, F) {
    vectors<1>(table, op, Types<double>{}, F{});
    entry(table, op, Compute::float32) = vector_block<1, float, float, InDouble<F>>;
}
template <class F>
void in_double_2(PointwiseTable& table, Pointwise op, F) {
    scalars<2>(table, op, Reals{}, [](auto x, auto y) {
        return static_cast<decltype(x)>(F{}(static_cast<double>(x), static_cast<double>(y)));
    });
}

template <class T>
bool polygamma_block(void* output, const void* const* inputs, int64_t count, const Parameters& parameters,
                     unsigned constants) {
    const auto run = [&]<class F>(F) {
        return vector_block<1, T, T, F>(output, inputs, count, parameters, constants);
    };
    const auto in_doubles = [&]<class F>(F) {
        if constexpr (sizeof(T) == 4)
            return run(InDouble<F>{});
        else
            return run(F{});
    };
    const int64_t order = parameters.integer[0];
    if (order == 0) return in_doubles([](auto x) { return digamma(x); });
    if (order == 1) return in_doubles([](auto x) { return trigamma(x); });
    return run([](auto x, const auto& p) {
        const int64_t n = p.i0;
        return each_lane([n](T v) { return static_cast<T>(polygamma(n, static_cast<double>(v))); }, x);
    });
}

// What half types, which have few digits, compute in float instead.
template <class F>
void short_function(PointwiseTable& table, Pointwise op, F) {
    table.halves[static_cast<int>(op)][0] = vector_block<1, float, Half, F>;
    table.halves[static_cast<int>(op)][1] = vector_block<1, float, BFloat16, F>;
}

void add_error_functions(PointwiseTable& table) {
    vectors<1>(table, Pointwise::erf, Reals{}, [](auto x) { return erf(x); });
    short_function(table, Pointwise::erf, [](Vec<float> x) { return short_erf(x); });
    long_vectors<1>(table, Pointwise::erfc, Reals{}, [](auto x) { return erfc(x); });
    long_vectors<1>(table, Pointwise::erfinv, Reals{}, [](auto x) { return erfinv(x); });
    vectors_in_double(table, Pointwise::erfcx, [](auto x) { return erfcx(x); });
    long_vectors<1>(table, Pointwise::ndtr, Reals{}, [](auto x) { return normal_cumulative(x); });
    short_function(table, Pointwise::ndtr, [](Vec<float> x) {
        const Vec<float> tail = normal_tail(min(abs(x), Vec<float>(12.0f)));
        return keep_nan(x, select(x < Vec<float>(0.0f), tail, Vec<float>(1.0f) - tail));
    });
    long_vectors<1>(table, Pointwise::ndtri, Reals{}, [](auto x) { return normal_quantile(x); });
    vectors_in_double(table, Pointwise::log_ndtr, [](auto x) { return log_normal_cumulative(x); });
    vectors<1>(table, Pointwise::entr, Reals{}, [](auto x) { return entropy(x); });
    vectors<1>(table, Pointwise::logit, Reals{}, [](auto x, const auto& p) {
        using V = decltype(x);
        const V one = constant<V>(1), low = p.v0, high = one - p.v0;
        const V inside = select(x < low, low, select(x > high, high, x));
        const V z = select(low < constant<V>(0), x, inside);
        return log(z / (one - z));
    });
}

void add_gamma_functions(PointwiseTable& table) {
    long_vectors<1>(table, Pointwise::lgamma, Reals{}, [](auto x) { return lgamma(x); });
    vectors_in_double(table, Pointwise::digamma, [](auto x) { return digamma(x); });
    entry(table, Pointwise::polygamma, Compute::float32) = polygamma_block<float>;
    entry(table, Pointwise::polygamma, Compute::float64) = polygamma_block<double>;
    long_vectors<2>(table, Pointwise::igamma, Reals{},
                    [](auto a, auto x) { return incomplete_gamma<false>(a, x); });
    long_vectors<2>(table, Pointwise::igammac, Reals{},
                    [](auto a, auto x) { return incomplete_gamma<true>(a, x); });
    in_double_2(table, Pointwise::zeta, [](double x, double q) { return hurwitz_zeta(x, q); });
}

void add_bessel_functions(PointwiseTable& table) {
    for (const Pointwise op : {Pointwise::i0, Pointwise::modified_bessel_i0})
        vectors_in_double(table, op, [](auto x) { return bessel_i<0, false>(x); });
    for (const Pointwise op : {Pointwise::i1, Pointwise::modified_bessel_i1})
        vectors_in_double(table, op, [](auto x) { return bessel_i<1, false>(x); });
    vectors_in_double(table, Pointwise::i0e, [](auto x) { return bessel_i<0, true>(x); });
    vectors_in_double(table, Pointwise::i1e, [](auto x) { return bessel_i<1, true>(x); });
    vectors_in_double(table, Pointwise::bessel_j0, [](auto x) { return bessel_j<0>(x); });
    vectors_in_double(table, Pointwise::bessel_j1, [](auto x) { return bessel_j<1>(x); });
    vectors_in_double(table, Pointwise::bessel_y0, [](auto x) { return bessel_y<0>(x); });
    vectors_in_double(table, Pointwise::bessel_y1, [](auto x) { return bessel_y<1>(x); });
    vectors_in_double(table, Pointwise::modified_bessel_k0, [](auto x) { return bessel_k<0, false>(x); });
    vectors_in_double(table, Pointwise::modified_bessel_k1, [](auto x) { return bessel_k<1, false>(x); });
    vectors_in_double(table, Pointwise::scaled_modified_bessel_k0,
                      [](auto x) { return bessel_k<0, true>(x); });
    vectors_in_double(table, Pointwise::scaled_modified_bessel_k1,
                      [](auto x) { return bessel_k<1, true>(x); });
    long_vectors<1>(table, Pointwise::spherical_bessel_j0, Reals{},
                    [](auto x) { return spherical_bessel_j0(x); });
}

}  // namespace

void add_special(PointwiseTable& table) {
    add_error_functions(table);
    add_gamma_functions(table);
    add_bessel_functions(table);
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
