// Special functions of Vec<double> and Vec<float>. Most floats are computed in double.
//
// Polynomials are fits in Chebyshev nodes of the function named beside them, made for this file.
#pragma once

#include <math.h>  // the Bessel functions are POSIX, outside namespace std

#include "kernels/simd/math.h"

namespace rl::kernels::RUSHLIGHT_ISA {

// x where it is not a number, else the value.
template <class T>
Vec<T> keep_nan(Vec<T> x, Vec<T> value) {
    return select(x == x, value, x);
}
// The part of x beyond the nearest integer.
inline Vec<double> beyond_integer(Vec<double> x) {
    return x - round(x);
}
// sin(pi x), but for its sign.
inline Vec<double> sine_of_pi(Vec<double> x) {
    const Vec<double> r = beyond_integer(x);
    return r * polynomial<double>(
                   r * r, {3.14159265358979324, -5.16771278004996961, 2.55016403987730035,
                           -0.599264529318940262, 0.0821458865730271692, -0.00737043050521714572,
                           0.000466299812628406781, -0.0000219034876847690245, 7.69772663961067132e-7});
}

// erf to 2e-6 of itself, up to where it rounds to 1 in the half types: a fit of erf(x) / x in x^2.
inline Vec<float> short_erf(Vec<float> x) {
    const Vec<float> bounded = clamp(x, -2.7f, 2.7f);
    return bounded *
           long_polynomial<float>(bounded * bounded, {1.12837811f, -0.37609996f, 0.112723555f, -0.0266676207f,
                                                      0.00504317224f, -0.000756645348f, 8.63729339e-5f,
                                                      -6.93676394e-6f, 3.43170166e-7f, -7.76225439e-9f});
}

// erf's inverse at y = 1 - rest for 0 <= y < 1, by fits of erfinv(y) / y in w = -log(1 - y^2) up to 5 and
// from there on in its root, far out over that root in its logarithm. Both of y and rest come exact.
inline Vec<float> erfinv_from(Vec<float> y, Vec<float> rest) {
    const Vec<float> w = -log(rest * (Vec<float>(2.0f) - rest)), five(5.0f), four(4.0f);
    Vec<float> quotient = polynomial<float>(
        w - Vec<float>(2.5f),
        {1.501409362f, 0.2466402834f, -0.004177401542f, -0.001252737741f, 0.0002183574425f, -4.964728968e-6f,
         -3.466323453e-6f, 4.662541737e-7f, 2.354417912e-8f, -8.78228528e-9f});
    if (!any(w > five)) return y * quotient;
    const Vec<float> s = sqrt(w);
    const Vec<float> far = polynomial<float>(
        s - Vec<float>(3.0f),
        {2.832976807f, 1.001674912f, 0.009444992114f, -0.007636489637f, 0.005689216294f, -0.003600900331f,
         0.001479703953f, -5.04588529e-5f, -0.0003055250512f, 0.0001115385808f});
    quotient = select(w > five, far, quotient);
    if (!any(s > four)) return y * quotient;
    const Vec<float> farther = polynomial<float>(
        log(s) - Vec<float>(1.84f), {0.9781973653f, 0.03111806134f, -0.01871286093f, 0.004333036183f,
                                     0.001735002969f, -0.002080013934f, 0.001035037907f, -0.0003025950834f});
    return y * select(s > four, s * farther, quotient);
}
inline Vec<double> erfinv_from(Vec<double> y, Vec<double> rest) {
    const Vec<double> w = -log(rest * (Vec<double>(2.0) - rest)), five(5.0), six(6.0);
    const Vec<double> near =
        y *
        long_polynomial<double>(w - Vec<double>(2.5),
                                {1.50140935111079191,      0.246640276744166988,     -0.00417731772438288678,
                                 -0.00125270790781090646,  0.000218250264339359436,  -4.99607959927979111e-6,
                                 -3.41661958486239372e-6,  4.78725219198754014e-7,   1.34167888119135577e-8,
                                 -1.08611695217639272e-8,  9.07314783873917486e-10,  1.19607291719353755e-10,
                                 -3.11079597448473076e-11, 9.11466978336366837e-13,  5.37178034116690066e-13,
                                 -7.6106265301918069e-14,  -3.17707758417498723e-15, 1.89414562974315011e-15,
                                 -1.01380861928362336e-16, -2.66456488097700935e-17, 2.53820386884546335e-18,
                                 1.64533799430872013e-19});
    if (!any(w > five)) return near;
    const Vec<double> s = sqrt(w);
    const Vec<double> start =
        y * polynomial<double>(min(s, six) - Vec<double>(4.0),
                               {3.839784047, 1.009495856, 0.001254086022, -0.0008843413463, 0.0003427050334,
                                -9.397925937e-5, 2.547494128e-5, -4.540492935e-5, 3.747473046e-5,
                                -7.974918597e-6, -2.060066053e-6, 7.325156823e-7});
    // One step of Halley's, from the error over erf's slope.
    const Vec<double> excess = rest * exp(start * start) - erfc_quotient(start);
    const Vec<double> newton = excess * Vec<double>(0.5 / std::numbers::inv_sqrtpi);
    const Vec<double> far = start - newton / fma(start, newton, Vec<double>(1.0));
    const Vec<double> value = select(w > five, far, near);
    if (!any(s > six)) return value;
    const Vec<double> farther =
        s *
        long_polynomial<double>(log(s) - Vec<double>(2.55),
                                {0.992580655238354712, 0.0118054012993705687, -0.0087785250316731858,
                                 0.00384023368677017845, -0.000918588964120493057, -0.0000294217746093288018,
                                 0.000138779317886497593, -0.0000737670938011766861, 0.000025028436825841532,
                                 -5.8615424090018898e-6, 6.44499142694130657e-7, 2.27690411050692238e-7,
                                 -1.81563655183985436e-7, 7.30228477008366238e-8, -2.0939311799712925e-8,
                                 3.27013593571711106e-9, 1.23866171069076827e-9, -7.91381706260132144e-10});
    return select(s > six, farther, value);
}
template <class T>
Vec<T> erfinv(Vec<T> y) {
    const Vec<T> one(T(1)), a = abs(y), x = erfinv_from(a, one - a);
    const Vec<T> infinity(std::numeric_limits<T>::infinity()), nan(std::numeric_limits<T>::quiet_NaN());
    return select(a < one, with_sign(x, y), select(a == one, with_sign(infinity, y), nan));
}

// erfc(a) exp(a^2) for a >= 0: Abramowitz and Stegun 7.1.23 where a is large.
inline Vec<double> scaled_erfc_tail(Vec<double> a) {
    const Vec<double> limit(27.5), one(1.0), inverse = one / a, s = Vec<double>(0.5) * inverse * inverse;
    const Vec<double> series = polynomial<double>(s, {1.0, -1.0, 3.0, -15.0, 105.0, -945.0, 10395.0});
    return select(a < limit, erfc_quotient(min(a, limit)),
                  Vec<double>(std::numbers::inv_sqrtpi) * inverse * series);
}
inline Vec<double> erfcx(Vec<double> x) {
    const Vec<double> tail = scaled_erfc_tail(abs(x));
    // exp(x^2), with the rounding error of the square put back; infinite from -27 on.
    const Vec<double> bounded = max(x, Vec<double>(-27.0)), square = bounded * bounded;
    const Vec<double> power = exp(square) * (Vec<double>(1.0) + fma(bounded, bounded, -square));
    return keep_nan(x, select(x < Vec<double>(0.0), power + power - tail, tail));
}

// The normal distribution up to x, its logarithm, and its inverse.
inline Vec<double> normal_cumulative(Vec<double> x) {
    return Vec<double>(0.5) * erfc(x * Vec<double>(-std::numbers::sqrt2 / 2));
}
inline Vec<float> normal_cumulative(Vec<float> x) {
    const auto in_halves = [](Vec<double> v) {
        const Vec<double> z = v * Vec<double>(std::numbers::sqrt2 / 2),
                          tail = Vec<double>(0.5) * short_erfc_tail(abs(z));
        return select(v < Vec<double>(0.0), tail, Vec<double>(1.0) - tail);
    };
    return keep_nan(x, in_double(in_halves, x));
}
inline Vec<double> log_normal_cumulative(Vec<double> x) {
    const Vec<double> t = x * Vec<double>(std::numbers::sqrt2 / 2), half(0.5);
    const Vec<double> low = log(half * scaled_erfc_tail(abs(t))) - t * t;
    return keep_nan(x, select(x < Vec<double>(-1.0), low, log1p(-half * erfc(t))));
}
template <class T>
Vec<T> normal_quantile(Vec<T> p) {
    const Vec<T> half(T(0.5)), one(T(1)), zero(T(0)), tail = min(p, one - p), rest = tail + tail;
    const Vec<T> a = Vec<T>(std::numbers::sqrt2_v<T>) * erfinv_from(one - rest, rest);
    const Vec<T> infinity(std::numeric_limits<T>::infinity()), nan(std::numeric_limits<T>::quiet_NaN());
    const Vec<T> edge = select(p == zero, -infinity, select(p == one, infinity, nan));
    return select((p > zero) & (p < one), with_sign(a, p - half), edge);
}

// -x log(x).
template <class T>
Vec<T> entropy(Vec<T> x) {
    const Vec<T> zero(T(0)), infinity(std::numeric_limits<T>::infinity());
    return select(x > zero, -x * log(x), select(x == zero, zero, keep_nan(x, -infinity)));
}

// log |gamma(x)|. From `limit` on by Stirling's series; below, x is moved by integers to between 1.5 and 2.5,
// where a fit of the value over x - 2 keeps the zero's digits, and the product of the numbers passed is put
// back. Left of 0 by reflection: gamma(-a) gamma(a) = -pi / (a sin(pi a)).
template <size_t N, size_t M, class Logarithm>
Vec<double> lgamma_by(Vec<double> x, double limit, const double (&near)[N], const double (&series)[M],
                      Logarithm log) {
    const Vec<double> a = abs(x), one(1.0), half(0.5), border(limit),
                      infinity(std::numeric_limits<double>::infinity());
    const auto small = a < border;
    Vec<double> y = min(a, border), product = one;
    for (int k = 0; k < 2; ++k) {
        const auto below = y < Vec<double>(1.5);
        product = select(below, product * y, product);
        y = select(below, y + one, y);
    }
    const auto rose = a < Vec<double>(1.5);
    for (int k = 0; k < 8 && any(y >= Vec<double>(2.5)); ++k) {
        const auto above = y >= Vec<double>(2.5);
        y = select(above, y - one, y);
        product = select(above, product * y, product);
    }
    const Vec<double> logarithm = log(select(small, product, a)), t = y - Vec<double>(2.0);
    Vec<double> value = fma(t, long_polynomial(t, near), select(rose, -logarithm, logarithm));
    if (any(~small)) {
        const Vec<double> inverse = one / a, half_log_two_pi(0.91893853320467274178);
        const Vec<double> rest = fma(inverse, polynomial(inverse * inverse, series), half_log_two_pi - half);
        const Vec<double> far = fma(a - half, logarithm - one, rest);
        value = select(small, value, select(a == infinity, a, far));
    }
    const auto reflects =
        x < Vec<double>(-1e-20);  // nearer to 0, where the sine's product underflows, it is the same
    if (!any(reflects)) return value;
    const Vec<double> pi(std::numbers::pi), sine = abs(sine_of_pi(a));
    const Vec<double> reflected = log(pi / (a * sine)) - value;
    return select(reflects & (a < infinity), reflected, value);
}
inline Vec<double> lgamma(Vec<double> x) {
    return lgamma_by(
        x, 8,
        {0.422784335098467139, 0.322467033424113236, -0.0673523010531981034, 0.0205808084277803801,
         -0.0073855510286719984, 0.00289051033103426686, -0.00119275391184281569, 0.000509669515411545835,
         -0.000223154754005205077, 0.0000994576735581949821, -0.0000449263133791556975,
         0.0000205055907558334531, -9.43871509921153266e-6, 4.38470440459836033e-6, -2.04390481070299067e-6,
         9.20052789496810049e-7, -4.32523934456048164e-7, 2.78740805211358998e-7, -1.32199456661178745e-7},
        {1.0 / 12, -1.0 / 360, 1.0 / 1260, -1.0 / 1680, 1.0 / 1188, -691.0 / 360360, 1.0 / 156,
         -3617.0 / 122400},
        [](Vec<double> v) { return log(v); });
}
inline Vec<float> lgamma(Vec<float> x) {
    const auto in_halves = [](Vec<double> v) {
        return lgamma_by(v, 4,
                         {0.4227843350998, 0.3224670334235, -0.06735230143542, 0.02058080860524,
                          -0.007385533261288, 0.002890502082144, -0.001193054705041, 0.0005098091580314,
                          -0.0002208698260243, 9.839697643191e-5, -5.278721858455e-5, 2.415459538128e-5},
                         {1.0 / 12, -1.0 / 360, 1.0 / 1260, -1.0 / 1680, 1.0 / 1188, -691.0 / 360360},
                         [](Vec<double> positive) {
                             const Vec<double> value = log2_short(positive) * Vec<double>(std::numbers::ln2);
                             const Vec<double> infinity(std::numeric_limits<double>::infinity());
                             return select(positive == Vec<double>(0.0), -infinity,
                                           select(positive < infinity, value, positive));
                         });
    };
    return in_double(in_halves, x);
}

// The logarithmic derivative of the gamma function (Abramowitz and Stegun 6.3.5, 6.3.7 and 6.3.18) and its
// derivative (6.4.6, 6.4.7 and 6.4.12).
inline Vec<double> digamma(Vec<double> x) {
    const Vec<double> zero(0.0), one(1.0), ten(10.0);
    const auto reflects = x < zero;
    const Vec<double> a = select(reflects, one - x, x);
    // The sum of 1 / (a + k) for k below 10 is the derivative over the product.
    Vec<double> product = a, derivative = one;
    for (int k = 1; k < 10; ++k) {
        const Vec<double> factor = a + Vec<double>(double(k));
        derivative = fma(derivative, factor, product);
        product = product * factor;
    }
    const auto small = a < ten;
    const Vec<double> z = select(small, a + ten, a), inverse = one / z, square = inverse * inverse;
    const Vec<double> series = polynomial<double>(
        square, {1.0 / 12, -1.0 / 120, 1.0 / 252, -1.0 / 240, 1.0 / 132, -691.0 / 32760, 1.0 / 12});
    Vec<double> value = log(z) - fma(square, series, Vec<double>(0.5) * inverse);
    value = select(small, value - derivative / product, value);
    const Vec<double> infinity(std::numeric_limits<double>::infinity());
    value = select(x == zero, with_sign(infinity, -x), value);
    if (!any(reflects)) return value;
    const Vec<double> pi(std::numbers::pi), rest = beyond_integer(x);
    const Vec<double> reflected = value - pi / tan(rest * pi);
    const Vec<double> nan(std::numeric_limits<double>::quiet_NaN());
    return select(reflects, select(rest == zero, nan, reflected), value);
}
inline Vec<double> trigamma(Vec<double> x) {
    const Vec<double> one(1.0), ten(10.0), half(0.5);
    const auto reflects = x < half;
    const Vec<double> a = select(reflects, one - x, x);
    // The sum of 1 / (a + k)^2 for k below 10, over the squares' product.
    Vec<double> product = a * a, sum = one;
    for (int k = 1; k < 10; ++k) {
        const Vec<double> factor = a + Vec<double>(double(k)), square = factor * factor;
        sum = fma(sum, square, product);
        product = product * square;
    }
    const auto small = a < ten;
    const Vec<double> z = select(small, a + ten, a), inverse = one / z, square = inverse * inverse;
    const Vec<double> series = polynomial<double>(
        square, {1.0 / 6, -1.0 / 30, 1.0 / 42, -1.0 / 30, 5.0 / 66, -691.0 / 2730, 7.0 / 6, -3617.0 / 510});
    Vec<double> value = inverse + fma(inverse * square, series, half * square);
    value = select(small, value + sum / product, value);
    if (!any(reflects)) return value;
    const Vec<double> pi(std::numbers::pi), cosecant = pi / sine_of_pi(x);
    return select(reflects, fma(cosecant, cosecant, -value), value);
}

// The modified Bessel functions of the first kind: I0 and I1 over x/2 as polynomials in x^2 / 4 up to 10, and
// their products with exp(-x) sqrt(x) in 20 / x - 1 from there on.
inline constexpr double bessel_i0_near[] = {1.0,
                                            0.999999999999999991,
                                            0.250000000000000045,
                                            0.0277777777777776927,
                                            0.00173611111111119657,
                                            0.0000694444444443921071,
                                            1.92901234570028637e-6,
                                            3.93675988853451072e-8,
                                            6.15118733935538765e-10,
                                            7.59405823362719679e-12,
                                            7.59406071018558296e-14,
                                            6.27606084262412355e-16,
                                            4.35853135178923306e-18,
                                            2.57818053178408251e-20,
                                            1.31877967695275796e-22,
                                            5.75862912032784593e-25,
                                            2.4745599143162143e-27,
                                            5.19200958801356844e-30,
                                            4.68409354815498342e-32};
inline constexpr double bessel_i0_far[] = {
    0.40150976083120644,     0.00264588596718622816,   0.0000831132726482304448, 5.15203394773326142e-6,
    5.0412544768979331e-7,   7.07840954881285543e-8,   1.36384477249696851e-8,   3.55852635504840005e-9,
    1.26243489764112522e-9,  6.38417143777385792e-10,  4.27387175418493198e-10,  1.37597299860719881e-10,
    -2.1017740732744476e-10, -2.18805386466331925e-10, 1.88366293741549872e-11,  7.84235808265782519e-11,
    2.82626694625067576e-12, -1.17635291592429889e-11};
inline constexpr double bessel_i1_near[] = {1.0,
                                            0.5,
                                            0.0833333333333333355,
                                            0.00694444444444444031,
                                            0.000347222222222226379,
                                            0.000011574074074071528,
                                            2.75573192240893928e-7,
                                            4.92094986113102832e-9,
                                            6.83465259143237602e-11,
                                            7.5940583334597759e-13,
                                            6.90369059107419006e-15,
                                            5.23005780401402309e-17,
                                            3.3526764973616398e-19,
                                            1.84172736483039083e-21,
                                            8.78649384692977277e-24,
                                            3.61137212178505047e-26,
                                            1.4366795846824267e-28,
                                            3.06312360526136866e-31,
                                            2.38789983667623431e-33};
inline constexpr double bessel_i1_far[] = {
    0.391339722512067107,    -0.00773090512675596357,  -0.000134801466349530433, -7.01236130996809515e-6,
    -6.29429317084864531e-7, -8.38965199486185739e-8,  -1.56016410300975701e-8,  -3.96409940832392353e-9,
    -1.37690178940643479e-9, -6.84175006743267071e-10, -4.5467034274627845e-10,  -1.51254973722250127e-10,
    2.14572911784792936e-10, 2.29347774854776582e-10,  -1.64442446269843517e-11, -8.08506422913975856e-11,
    -3.5098513250154414e-12, 1.19916614274303588e-11};

// I_order(x), or `scaled` by exp(-|x|).
template <int order, bool scaled>
Vec<double> bessel_i(Vec<double> x) {
    const Vec<double> a = abs(x), limit(10.0), half(0.5), low = min(a, limit) * half;
    const auto small = a < limit;
    Vec<double> value = order == 0 ? long_polynomial(low * low, bessel_i0_near)
                                   : low * long_polynomial(low * low, bessel_i1_near);
    if (scaled) value = value * exp(Vec<double>(-2.0) * low);
    if (any(~small)) {
        const Vec<double> t = Vec<double>(20.0) / a - Vec<double>(1.0);
        Vec<double> far = long_polynomial(t, order == 0 ? bessel_i0_far : bessel_i1_far) / sqrt(a);
        if (!scaled) {
            const Vec<double> root = exp(a * half);  // two factors, which overflow only with the result
            far = select(a == Vec<double>(std::numeric_limits<double>::infinity()), a, far * root * root);
        }
        value = select(small, value, far);
    }
    return keep_nan(x, order == 0 ? value : with_sign(value, x));
}

// Those of the second kind: up to 2 a polynomial in x^2 / 4 beside the logarithm of x/2 times I (Abramowitz
// and Stegun 9.6.11, 9.6.13), and products with exp(x) sqrt(x) in 4 / x - 1 from there on.
inline constexpr double bessel_k0_far[] = {
    1.21859533851339054,      -0.0310714618248898638,    0.00303289181027414323,  -0.000479769056735349656,
    0.0000995605474680700891, -0.0000247352053744823631, 7.00224489119246707e-6,  -2.19116792521650598e-6,
    7.42786224915629341e-7,   -2.68973007185193238e-7,   1.02925573280657483e-7,  -4.10665802711522119e-8,
    1.71318560067890211e-8,   -8.00485151596186173e-9,   3.64970419674587584e-9,  -6.90944553209526811e-10,
    2.39282475774540058e-10,  -1.21546469253292142e-9,   6.69690967735319167e-10, 4.29782283193599107e-10,
    -2.51158362375080092e-10, -1.74157926367135493e-10,  9.81540200885952558e-11};
inline constexpr double bessel_k1_far[] = {
    1.36315189037134197,      0.103349737753865606,     -0.005566729880073309,    0.000735724154874510514,
    -0.000139590219614627794, 0.0000328438664438236924, -8.96120656800817485e-6,  2.73003069116461263e-6,
    -9.06715391779199445e-7,  3.23053491198630818e-7,   -1.22000639091108521e-7,  4.81650114775029139e-8,
    -1.99091691254213893e-8,  9.19183829361296251e-9,   -4.15956404449566281e-9,  8.25400261129896209e-10,
    -2.91588972545863807e-10, 1.33858499774653133e-9,   -7.34780754419483922e-10, -4.67158267076234173e-10,
    2.72604009952142147e-10,  1.90768996505765508e-10,  -1.0724391572705259e-10};

// K_order(x), or `scaled` by exp(x).
template <int order, bool scaled>
Vec<double> bessel_k(Vec<double> x) {
    const Vec<double> limit(2.0), zero(0.0), half = min(x, limit) * Vec<double>(0.5), z = half * half;
    const auto small = x < limit;
    const Vec<double> first =
        order == 0
            ? polynomial<double>(z, {1.00000000000000006, 0.999999999999990183, 0.250000000000261706,
                                     0.0277777777750925265, 0.00173611112490768202, 0.0000694444046476400152,
                                     1.92907971692039388e-6, 3.93012463801281066e-8, 6.5020410764812019e-10})
            : half * polynomial<double>(
                         z, {1.00000000000000001, 0.499999999999999022, 0.0833333333333593983,
                             0.00694444444417698884, 0.00034722222359650335, 0.0000115740701093634812,
                             2.75579905480021782e-7, 4.914335638824618e-9, 7.18466561533943404e-11});
    const Vec<double> rest =
        order == 0
            ? polynomial<double>(z, {-0.577215664901532861, 0.422784335098467211, 0.230696083774614439,
                                     0.0348921574564689202, 0.00261478761861021663, 0.000118480394368362235,
                                     3.61262245274744324e-6, 7.93532813735206652e-8, 1.31478773363240591e-9,
                                     1.80152933316963963e-11})
            : polynomial<double>(
                  z, {1.00000000000000001, 0.154431329803064323, -0.672784335098421013, -0.181575166961445787,
                      -0.0191821898354972946, -0.0011153595062620781, -0.0000414224444553029119,
                      -1.07159142440656223e-6, -2.04143450474806889e-8, -3.18168538447113202e-10}) /
                  x;
    Vec<double> value = fma(log(half), order == 0 ? -first : first, rest);
    if (scaled) value = value * exp(min(x, limit));
    if (any(~small)) {
        const Vec<double> t = Vec<double>(4.0) / x - Vec<double>(1.0);
        Vec<double> far = long_polynomial(t, order == 0 ? bessel_k0_far : bessel_k1_far) / sqrt(x);
        if (!scaled) far = far * exp(-x);
        value = select(small, value, far);
    }
    const Vec<double> infinity(std::numeric_limits<double>::infinity());
    const Vec<double> nan(std::numeric_limits<double>::quiet_NaN());
    return select(x > zero, value, select(x == zero, infinity, nan));
}

// The Bessel functions of the first and second kind: up to 8 polynomials in x^2 / 32 - 1, with the zeros of
// the first kind taken out; beyond, the modulus P + i Q / x of Hankel's expansion (Abramowitz and
// Stegun 9.2.5, 9.2.6) in 128 / x^2 - 1.
inline constexpr double bessel_j0_near[] = {
    0.00114349377437625456,  -0.002119794289479692,     0.00156364316459316621,  -0.000641539064640612314,
    0.000169772007139978442, -0.0000315734254022354422, 4.36693232464060129e-6,  -4.67712802130075492e-7,
    3.9988393454959872e-8,   -2.79486296783126853e-9,   1.62764894573247288e-10, -8.02347260324869562e-12,
    3.39233240149262957e-13, -1.24829666379905734e-14,  4.00617828629773686e-16};
inline constexpr double bessel_j1_near[] = {
    0.000194989369858956236,  -0.000269752274671636806, 0.000158600167993698725, -0.0000540800323908550569,
    0.0000122421736530156094, -1.98909351591425674e-6,  2.44252226075202039e-7,  -2.35219225457785456e-8,
    1.826854769538332e-9,     -1.1696932521779357e-10,  6.28473381883803266e-12, -2.87553086888829751e-13,
    1.13431320289859116e-14,  -3.9104227812448149e-16,  1.18095754382239183e-17};
inline constexpr double bessel_p0_far[] = {
    0.999457275788251939,   -0.000536367319212997983, 6.13741608125691941e-6,  -2.05274481990897514e-7,
    1.28037479588208749e-8, -1.21211331992782692e-9,  1.5506348898107537e-10,  -2.4903416210883809e-11,
    4.6749861892660316e-12, -1.02383270242640087e-12, 3.45221331607067571e-13, -9.95678935707571586e-14};
inline constexpr double bessel_q0_far[] = {
    -0.124440911036108025,    0.000546651927947467874, -0.0000118171106700863649, 5.68497191878754754e-7,
    -4.53496259538141663e-8,  5.146189381541954e-9,    -7.58059388094354724e-10,  1.36413815075282053e-10,
    -2.79239819527623263e-11, 6.60777087705160598e-12, -2.49599550089320252e-12,  7.66058870000467795e-13};
inline constexpr double bessel_p1_far[] = {
    1.00090702627808218,      0.000898804941670550805, -7.95969469965669872e-6,  2.45367662679496627e-7,
    -1.47084986759071762e-8,  1.36030063241657108e-9,  -1.7137215568191012e-10,  2.72259926049596378e-11,
    -5.07223097792228306e-12, 1.10403964878533191e-12, -3.69428911135690333e-13, 1.06114654232151049e-13};
inline constexpr double bessel_q1_far[] = {
    0.37421499221959169,     -0.000769716705764308578, 0.0000145696148192681446, -6.63356860016627905e-7,
    5.13609514185405047e-8,  -5.72084628986789983e-9,  8.32059665384923439e-10,  -1.48354806094589658e-10,
    3.01731597261989188e-11, -7.10169903251903272e-12, 2.66312043586914032e-12,  -8.14350527126973173e-13};
inline constexpr double bessel_y0_near[] = {
    -0.362027343237145198,   -0.417920742320695212,   1.36094565996554294,      -0.212459994420659603,
    -0.619340782630277773,   0.448246044635633311,    -0.154536796523569693,    0.0338028569639870275,
    -0.00523502766897549996, 0.000610434564402002131, -0.000055818308517257277, 4.12205431945006272e-6,
    -2.51436472719399018e-7, 1.28980901691550569e-8,  -5.67456205021762464e-10, 2.1435468615998184e-11};
inline constexpr double bessel_y1_near[] = {
    0.0451026620686948313,    -0.207608578428306017,    0.0902275063673092698,    0.120520354268881607,
    -0.126419950565697059,    0.0543901163079463489,    -0.0141319233942626742,   0.00252713404668255571,
    -0.000333722570055742192, 0.0000340636337537988139, -2.77650569942876769e-6,  1.85242017574143938e-7,
    -1.03152483613314019e-8,  4.87102633859334919e-10,  -1.98505458306303885e-11, 6.99142094973309979e-13};

// (x - zero) (x + zero), the zero in two parts.
inline Vec<double> square_less(Vec<double> x, double zero, double low) {
    return ((x - Vec<double>(zero)) - Vec<double>(low)) * (x + Vec<double>(zero));
}
// J_order(a) for 0 <= a <= 8.
template <int order>
Vec<double> near_bessel_j(Vec<double> a) {
    const Vec<double> t = a * a * Vec<double>(1.0 / 32) - Vec<double>(1.0);
    if constexpr (order == 0)
        return square_less(a, 2.404825557695773, -1.176691651530894e-16) *
               square_less(a, 5.520078110286311, 8.088597146146722e-17) * long_polynomial(t, bessel_j0_near);
    else
        return a * square_less(a, 3.8317059702075125, -1.5269184090088067e-16) *
               square_less(a, 7.015586669815619, -9.414165653410389e-17) * long_polynomial(t, bessel_j1_near);
}
// J_order(a), or Y_order(a) if `second`, for 8 <= a <= trigonometric_limit.
template <int order, bool second>
Vec<double> far_bessel(Vec<double> a) {
    const Vec<double> inverse = Vec<double>(1.0) / a,
                      t = Vec<double>(128.0) * inverse * inverse - Vec<double>(1.0);
    const Vec<double> p = long_polynomial(t, order == 0 ? bessel_p0_far : bessel_p1_far);
    const Vec<double> q = inverse * long_polynomial(t, order == 0 ? bessel_q0_far : bessel_q1_far);
    const SineCosine reduced = sine_cosine(a);
    const Vec<double> sine = in_quadrant(reduced, reduced.n);
    const Vec<double> cosine = in_quadrant(reduced, reduced.n + Vec<double>(1.0));
    // The sine and cosine of a - order pi/2 - pi/4, times the root of 2.
    const Vec<double> s = order == 0 ? sine - cosine : -(sine + cosine),
                      c = order == 0 ? sine + cosine : sine - cosine;
    return (second ? fma(p, s, q * c) : fma(p, c, -q * s)) / sqrt(a * Vec<double>(std::numbers::pi));
}
template <int order>
Vec<double> bessel_j(Vec<double> x) {
    const Vec<double> a = abs(x), limit(8.0);
    if (!within_trigonometric_limit(x))
        return each_lane([](double v) { return order == 0 ? ::j0(v) : ::j1(v); }, x);
    const auto small = a < limit;
    Vec<double> value = near_bessel_j<order>(min(a, limit));
    if (any(~small)) value = select(small, value, far_bessel<order, false>(max(a, limit)));
    return order == 0 ? value : select(x < Vec<double>(0.0), -value, value);
}
template <int order>
Vec<double> bessel_y(Vec<double> x) {
    const Vec<double> limit(8.0), zero(0.0), a = min(x, limit), two_over_pi(2 / std::numbers::pi);
    if (!within_trigonometric_limit(x) || any(~(x > zero)))
        return each_lane([](double v) { return order == 0 ? ::y0(v) : ::y1(v); }, x);
    const auto small = x < limit;
    const Vec<double> t = a * a * Vec<double>(1.0 / 32) - Vec<double>(1.0);
    const Vec<double> log_half = log(a * Vec<double>(0.5)), j = near_bessel_j<order>(a);
    Vec<double> value =
        order == 0 ? long_polynomial(t, bessel_y0_near) : a * long_polynomial(t, bessel_y1_near);
    const Vec<double> pole = order == 0 ? zero : Vec<double>(1.0) / a;
    value = fma(two_over_pi, fma(log_half, j, -pole), value);
    if (any(~small)) value = select(small, value, far_bessel<order, true>(max(x, limit)));
    return value;
}

// sin(x) / x.
template <class T>
Vec<T> spherical_bessel_j0(Vec<T> x) {
    const Vec<T> a = abs(x), zero(T(0)), near = fma(x * x, Vec<T>(T(-1.0 / 6)), Vec<T>(T(1)));
    const Vec<T> far = select(a == Vec<T>(std::numeric_limits<T>::infinity()), zero, sin(x) / x);
    return select(a < Vec<T>(T(1e-4)), near, far);
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
