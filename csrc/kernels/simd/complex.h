// Vec of complex numbers: their real parts in one register, their imaginary parts in another.
#pragma once

#include <algorithm>
#include <complex>
#include <utility>

#include "kernels/simd/math.h"

namespace rl::kernels::RUSHLIGHT_ISA {

template <class R>
struct Vec<std::complex<R>> {
    using Element = std::complex<R>;
    static constexpr int size = Vec<R>::size;

    Vec<R> re, im;

    Vec() = default;
    Vec(Vec<R> real, Vec<R> imaginary) : re(real), im(imaginary) {}
    Vec(Element value) : re(value.real()), im(value.imag()) {}

    static Vec load(const Element* source) {
        const R* const parts = reinterpret_cast<const R*>(source);
        return split(Vec<R>::load(parts), Vec<R>::load(parts + size), std::make_index_sequence<size>{});
    }
    void store(Element* target) const {
        constexpr std::make_index_sequence<size> lanes{};
        R* const parts = reinterpret_cast<R*>(target);
        joined<0>(lanes).store(parts);
        joined<size / 2>(lanes).store(parts + size);
    }
    // The first `count` numbers (0 to size), the others zero; and back.
    static Vec load(const Element* source, int64_t count) {
        Element numbers[size] = {};
        std::copy_n(source, count, numbers);
        return load(numbers);
    }
    void store(Element* target, int64_t count) const {
        Element numbers[size];
        store(numbers);
        std::copy_n(numbers, count, target);
    }

    friend Vec operator+(Vec a, Vec b) { return {a.re + b.re, a.im + b.im}; }
    friend Vec operator-(Vec a, Vec b) { return {a.re - b.re, a.im - b.im}; }
    friend Vec operator-(Vec a) { return {-a.re, -a.im}; }
    friend Vec operator*(Vec a, Vec b) { return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re}; }
    // Smith's division (1962): the divisor is scaled by its larger part.
    friend Vec operator/(Vec a, Vec b) {
        const Vec<R> zero(R(0)), first = abs(b.re), second = abs(b.im);
        const auto real = first >= second;
        const Vec<R> large = select(real, b.re, b.im), small = select(real, b.im, b.re);
        const Vec<R> ratio = small / large, scale = Vec<R>(R(1)) / (large + small * ratio);
        const Vec<R> with = select(real, a.re, a.im), against = select(real, a.im, a.re);
        const Vec<R> across = against - with * ratio;
        const Vec quotient{(with + against * ratio) * scale, select(real, across, -across) * scale};
        const auto nothing = (first == zero) & (second == zero);
        if (!any(nothing)) return quotient;
        return {select(nothing, a.re / first, quotient.re), select(nothing, a.im / second, quotient.im)};
    }

  private:
    template <size_t... I>
    static Vec split(Vec<R> low, Vec<R> high, std::index_sequence<I...>) {
        return {__builtin_shufflevector(low.native, high.native, (2 * I)...),
                __builtin_shufflevector(low.native, high.native, (2 * I + 1)...)};
    }
    template <size_t from, size_t... I>
    Vec<R> joined(std::index_sequence<I...>) const {
        return __builtin_shufflevector(re.native, im.native, (from + I / 2 + (I % 2) * size)...);
    }
};

template <class R>
Vec<std::complex<R>> select(Vec<IntegerOf<R>> mask, Vec<std::complex<R>> if_true,
                            Vec<std::complex<R>> if_false) {
    return {select(mask, if_true.re, if_false.re), select(mask, if_true.im, if_false.im)};
}

// f of every lane, and f in double on both halves.
template <class R, class F, class... More>
Vec<std::complex<R>> each_lane(F f, Vec<std::complex<R>> x, More... more) {
    constexpr int size = Vec<R>::size;
    const auto lane_of = [](const auto& v, int lane) { return std::complex<R>(v.re[lane], v.im[lane]); };
    for (int lane = 0; lane < size; ++lane) {
        const std::complex<R> value = f(lane_of(x, lane), lane_of(more, lane)...);
        x.re.native[lane] = value.real();
        x.im.native[lane] = value.imag();
    }
    return x;
}
template <class F, class... X>
Vec<std::complex<float>> in_double(F f, Vec<std::complex<float>> first, X... more) {
    using Double = Vec<std::complex<double>>;
    const auto low = [](const auto& v) { return Double(widen(v.re).low, widen(v.im).low); };
    const auto high = [](const auto& v) { return Double(widen(v.re).high, widen(v.im).high); };
    const Double a = f(low(first), low(more)...), b = f(high(first), high(more)...);
    return {narrow({a.re, b.re}), narrow({a.im, b.im})};
}

// Directly while the squares keep all their digits.
template <class T>
Vec<T> hypot(Vec<T> a, Vec<T> b) {
    constexpr double limit = sizeof(T) == 4 ? 0x1p50 : 0x1p500;
    const Vec<T> larger = max(abs(a), abs(b));
    const auto safe = ((larger > Vec<T>(T(1 / limit))) | (larger == Vec<T>(T(0)))) &
                      (larger < Vec<T>(T(limit))) & (a == a) & (b == b);
    if (any(~safe)) return each_lane([](T x, T y) { return std::hypot(x, y); }, a, b);
    return sqrt(fma(a, a, b * b));
}
template <class R>
Vec<R> abs(Vec<std::complex<R>> x) {
    return hypot(x.re, x.im);
}

// The root whose real part is not negative.
template <class R>
Vec<std::complex<R>> sqrt(Vec<std::complex<R>> x) {
    const Vec<R> modulus = abs(x), zero(R(0)), half(R(0.5));
    const auto ordinary = (modulus > Vec<R>(std::numeric_limits<R>::min())) &
                          (modulus < Vec<R>(std::numeric_limits<R>::max() / 4));
    if (any(~ordinary)) return each_lane([](std::complex<R> v) { return std::sqrt(v); }, x);
    const Vec<R> large = sqrt(half * (modulus + abs(x.re))), small = half * x.im / large;
    const auto left = x.re < zero;
    return {select(left, abs(small), large), select(left, with_sign(large, x.im), small)};
}

// e^x, for |Im x| up to trigonometric_limit.
inline Vec<std::complex<double>> exp(Vec<std::complex<double>> x) {
    const Vec<double> modulus = exp(x.re);
    const SineCosine reduced = sine_cosine(x.im);
    return {modulus * in_quadrant(reduced, reduced.n + Vec<double>(1.0)),
            modulus * in_quadrant(reduced, reduced.n)};
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
