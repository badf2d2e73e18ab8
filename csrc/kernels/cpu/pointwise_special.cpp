// Special functions of real numbers, computed in double one element at a time.
#include <math.h>  // lgamma_r and the Bessel functions are POSIX, outside namespace std

#include <algorithm>

#include "kernels/cpu/pointwise_block.h"
#include "kernels/simd/math.h"

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

// Abramowitz and Stegun 6.3.5, 6.3.7 and 6.3.18.
double digamma(double x) {
    if (x == 0) return std::copysign(infinity, -x);
    if (x == -infinity || (x < 0 && x == std::floor(x))) return not_a_number;
    if (x == infinity) return x;
    if (x < 0) {
        const double fraction = x - std::trunc(x);
        return digamma(1 - x) - pi / std::tan(pi * fraction);
    }
    double shift = 0;
    for (; x < 10; ++x) shift -= 1 / x;
    constexpr double terms[] = {1.0 / 12,  -1.0 / 120,     1.0 / 252, -1.0 / 240,
                                1.0 / 132, -691.0 / 32760, 1.0 / 12};
    const double square = 1 / (x * x);
    double power = square, series = 0;
    for (const double term : terms) {
        series += term * power;
        power *= square;
    }
    return shift + std::log(x) - 0.5 / x - series;
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

double trigamma(double x) {
    if (x < 0.5) {  // reflection
        const double sine = std::sin(pi * x);
        return -trigamma(1 - x) + pi * pi / (sine * sine);
    }
    return x == infinity ? 0 : hurwitz_zeta(2, x);
}

double polygamma(int64_t order, double x) {
    if (order == 0) return digamma(x);
    if (order == 1) return trigamma(x);
    const double n = static_cast<double>(order);
    return (order % 2 == 0 ? -1 : 1) * std::exp(log_gamma(n + 1)) * hurwitz_zeta(n + 1, x);
}

// exp(x^2), with the rounding error of the square put back.
double exp_square(double x) {
    const double square = x * x;
    return std::exp(square) * (1 + std::fma(x, x, -square));
}

double scaled_erfc(double x) {
    if (x < -26.7) return infinity;
    if (x < 20) return exp_square(x) * std::erfc(x);
    const double square = 1 / (2 * x * x);
    return std::numbers::inv_sqrtpi / x *
           (1 - square * (1 - 3 * square * (1 - 5 * square * (1 - 7 * square * (1 - 9 * square)))));
}

// The inverse of the normal cumulative distribution in the lower half: a start by Abramowitz and
// Stegun 26.2.23, then Halley steps on the logarithm's slope, which keep relative accuracy far into the tail.
double lower_normal_quantile(double p) {
    const double t = std::sqrt(-2 * std::log(p));
    double x =
        (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))) - t;
    for (int step = 0; step < 3; ++step) {
        const double cumulative = 0.5 * std::erfc(-x * std::numbers::sqrt2 / 2);
        const double density = std::exp(-0.5 * x * x) * std::numbers::inv_sqrtpi / std::numbers::sqrt2;
        const double newton = (cumulative - p) / density;
        x -= newton / (1 + 0.5 * x * newton);
    }
    return x;
}
double normal_quantile(double p) {
    if (p == 0) return -infinity;
    if (p == 1) return infinity;
    if (!(p > 0 && p < 1)) return not_a_number;
    if (p == 0.5) return 0;
    return p < 0.5 ? lower_normal_quantile(p) : -lower_normal_quantile(1 - p);
}

// exp(-|x|) I_order(x) for order 0 and 1: the power series, or for large x Abramowitz and Stegun 9.7.1.
double scaled_bessel_i(int order, double x) {
    const double magnitude = std::abs(x);
    double term, sum;
    if (magnitude < 30) {
        const double quarter = magnitude * magnitude / 4;
        sum = term = order == 0 ? 1 : magnitude / 2;
        for (int k = 1; term > epsilon / 4 * sum; ++k) sum += term *= quarter / (k * (k + double(order)));
        sum *= std::exp(-magnitude);
    } else {
        sum = term = 1;
        for (int k = 1; std::abs(term) > epsilon / 4; ++k)
            sum += term *= -(4.0 * order * order - (2 * k - 1.0) * (2 * k - 1.0)) / (8 * k * magnitude);
        sum /= std::sqrt(2 * pi * magnitude);
    }
    if (std::isnan(x)) return x;
    return order == 1 && x < 0 ? -sum : sum;
}
double bessel_i(int order, double x) {
    const double magnitude = std::abs(x);
    if (magnitude == infinity) return order == 1 ? x : magnitude;
    // exp in two factors, which overflow only with the result
    const double half = std::exp(magnitude / 2);
    return scaled_bessel_i(order, x) * half * half;
}

// exp(x) K_order(x): the integral of exp(-x (cosh t - 1)) cosh(order t) by the trapezoidal rule, whose error
// vanishes once the step is half the width of the peak.
double scaled_bessel_k(int order, double x) {
    if (x == 0) return infinity;
    if (!(x > 0)) return not_a_number;
    if (x == infinity) return 0;
    const double step = std::min(0.25, 0.5 / std::sqrt(x));
    double sum = 0.5;
    for (int k = 1;; ++k) {
        const double t = k * step, half = std::sinh(t / 2);
        const double term = std::exp(-2 * x * half * half) * (order == 0 ? 1 : std::cosh(t));
        sum += term;
        if (term < epsilon / 8 * sum && x * half * half > order) break;
    }
    return sum * step;
}
double bessel_k(int order, double x) {
    return x == infinity ? 0 : scaled_bessel_k(order, x) * std::exp(-x);
}

// x^a exp(-x) / Gamma(a), near a = x without the cancellation of its logarithm's large terms.
double gamma_factor(double a, double x) {
    if (a > 50 && std::abs(x - a) < 0.4 * a) {
        const double mu = (x - a) / a;
        const double correction = 1 / (12 * a) - 1 / (360 * a * a * a) + 1 / (1260 * std::pow(a, 5));
        return std::sqrt(a / (2 * pi)) * std::exp(a * (std::log1p(mu) - mu) - correction);
    }
    return std::exp(a * std::log(x) - x - log_gamma(a));
}

// The regularized incomplete gamma functions P (lower) and Q = 1 - P: a power series left of the peak
// (Abramowitz and Stegun 6.5.29), a continued fraction by Lentz's method right of it (6.5.31).
double incomplete_gamma(double a, double x, bool upper) {
    if (std::isnan(a) || std::isnan(x) || a < 0 || x < 0) return not_a_number;
    if (a == 0) return x > 0 ? (upper ? 0 : 1) : not_a_number;
    if (x == 0) return upper ? 1 : 0;
    if (a == infinity) return x == infinity ? not_a_number : upper ? 1 : 0;
    if (x == infinity) return upper ? 0 : 1;
    constexpr int max_terms = 200000;
    if (x <= 1 || x <= a) {
        double term = 1 / a, sum = term;
        for (int k = 1; k < max_terms && term > epsilon / 2 * sum; ++k) sum += term *= x / (a + k);
        const double lower = sum * gamma_factor(a, x);
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
        if (std::abs(d * c - 1) < epsilon) break;
    }
    const double result = gamma_factor(a, x) * fraction;
    return upper ? result : 1 - result;
}

double normal_cumulative(double x) {
    return 0.5 * std::erfc(-x * std::numbers::sqrt2 / 2);
}
double log_normal_cumulative(double x) {
    const double t = x * std::numbers::sqrt2 / 2;
    return x < -1 ? std::log(scaled_erfc(-t) / 2) - t * t : std::log1p(-std::erfc(t) / 2);
}

double entropy(double x) {
    return x > 0 ? -x * std::log(x) : x == 0 ? 0 : std::isnan(x) ? x : -infinity;
}

template <class F>
void in_double_1(PointwiseTable& table, Pointwise op, F) {
    scalars<1>(table, op, Reals{},
               [](auto x) { return static_cast<decltype(x)>(F{}(static_cast<double>(x))); });
}
template <class F>
void in_double_2(PointwiseTable& table, Pointwise op, F) {
    scalars<2>(table, op, Reals{}, [](auto x, auto y) {
        return static_cast<decltype(x)>(F{}(static_cast<double>(x), static_cast<double>(y)));
    });
}

void add_error_functions(PointwiseTable& table) {
    vectors<1>(table, Pointwise::erf, Reals{}, [](auto x) { return erf(x); });
    vectors<1>(table, Pointwise::erfc, Reals{}, [](auto x) { return erfc(x); });
    vectors<1>(table, Pointwise::erfinv, Reals{}, [](auto x) { return erfinv(x); });
    in_double_1(table, Pointwise::erfcx, [](double x) { return scaled_erfc(x); });
    in_double_1(table, Pointwise::ndtr, [](double x) { return normal_cumulative(x); });
    in_double_1(table, Pointwise::ndtri, [](double x) { return normal_quantile(x); });
    in_double_1(table, Pointwise::log_ndtr, [](double x) { return log_normal_cumulative(x); });
    in_double_1(table, Pointwise::entr, [](double x) { return entropy(x); });
    vectors<1>(table, Pointwise::logit, Reals{}, [](auto x, const auto& p) {
        using V = decltype(x);
        const V one = constant<V>(1), low = p.v0, high = one - p.v0;
        const V inside = select(x < low, low, select(x > high, high, x));
        const V z = select(low < constant<V>(0), x, inside);
        return log(z / (one - z));
    });
}

void add_gamma_functions(PointwiseTable& table) {
    in_double_1(table, Pointwise::lgamma, [](double x) { return log_gamma(x); });
    vectors<1>(table, Pointwise::lgamma, Types<float>{}, [](auto x) {
        using V = decltype(x);
        const auto ordinary =
            (x > constant<V>(0)) & (x < constant<V>(std::numeric_limits<float>::infinity()));
        if (any(~ordinary)) return each_lane([](float v) { return static_cast<float>(log_gamma(v)); }, x);
        return in_double([](Vec<double> v) { return short_lgamma(v); }, x);
    });
    in_double_1(table, Pointwise::digamma, [](double x) { return digamma(x); });
    scalars<1>(table, Pointwise::polygamma, Reals{}, [](auto x, const auto& p) {
        return static_cast<decltype(x)>(polygamma(p.i0, static_cast<double>(x)));
    });
    in_double_2(table, Pointwise::igamma, [](double a, double x) { return incomplete_gamma(a, x, false); });
    in_double_2(table, Pointwise::igammac, [](double a, double x) { return incomplete_gamma(a, x, true); });
    in_double_2(table, Pointwise::zeta, [](double x, double q) { return hurwitz_zeta(x, q); });
}

void add_bessel_functions(PointwiseTable& table) {
    for (const Pointwise op : {Pointwise::i0, Pointwise::modified_bessel_i0})
        in_double_1(table, op, [](double x) { return bessel_i(0, x); });
    for (const Pointwise op : {Pointwise::i1, Pointwise::modified_bessel_i1})
        in_double_1(table, op, [](double x) { return bessel_i(1, x); });
    in_double_1(table, Pointwise::i0e, [](double x) { return scaled_bessel_i(0, x); });
    in_double_1(table, Pointwise::i1e, [](double x) { return scaled_bessel_i(1, x); });
    in_double_1(table, Pointwise::bessel_j0, [](double x) { return ::j0(x); });
    in_double_1(table, Pointwise::bessel_j1, [](double x) { return ::j1(x); });
    in_double_1(table, Pointwise::bessel_y0, [](double x) { return ::y0(x); });
    in_double_1(table, Pointwise::bessel_y1, [](double x) { return ::y1(x); });
    in_double_1(table, Pointwise::modified_bessel_k0, [](double x) { return bessel_k(0, x); });
    in_double_1(table, Pointwise::modified_bessel_k1, [](double x) { return bessel_k(1, x); });
    in_double_1(table, Pointwise::scaled_modified_bessel_k0, [](double x) { return scaled_bessel_k(0, x); });
    in_double_1(table, Pointwise::scaled_modified_bessel_k1, [](double x) { return scaled_bessel_k(1, x); });
    in_double_1(table, Pointwise::spherical_bessel_j0, [](double x) {
        return std::isinf(x) ? 0.0 : std::abs(x) < 1e-4 ? 1 - x * x / 6 : std::sin(x) / x;
    });
}

}  // namespace

void add_special(PointwiseTable& table) {
    add_error_functions(table);
    add_gamma_functions(table);
    add_bessel_functions(table);
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
