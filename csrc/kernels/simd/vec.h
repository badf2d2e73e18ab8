// Vec<T>: one register of numbers, as wide as the instruction set has, with one small interface.
//
// Written over GCC's vector extensions; intrinsics appear only where those are not enough, and the 512-bit
// ones in their zero-masking form where GCC 12 warns about the plain one. Include from kernels/cpu only:
// everything lives in the instruction set's namespace.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace rl::kernels::RUSHLIGHT_ISA {

#if defined(__AVX512F__)
inline constexpr int vector_bytes = 64;
#elif defined(__AVX2__)
inline constexpr int vector_bytes = 32;
#else
inline constexpr int vector_bytes = 16;
#endif

template <class T, int Bytes>
struct NativeVector {
    typedef T type __attribute__((vector_size(Bytes)));
};

// The signed integer as wide as T; comparisons of Vec<T> give a Vec of it, each lane 0 or -1.
template <class T>
using IntegerOf = std::conditional_t<
    sizeof(T) == 8, int64_t,
    std::conditional_t<sizeof(T) == 4, int32_t, std::conditional_t<sizeof(T) == 2, int16_t, int8_t>>>;

template <class T>
struct Vec {
    using Element = T;
    using Native = typename NativeVector<T, vector_bytes>::type;
    static constexpr int size = vector_bytes / static_cast<int>(sizeof(T));

    Native native;

    Vec() = default;
    Vec(Native value) : native(value) {}
    Vec(T value) : native(value - Native{}) {}  // broadcast; x - 0 keeps the sign of a zero

    static Vec load(const T* source) {
        Vec result;
        std::memcpy(&result.native, source, vector_bytes);
        return result;
    }
    void store(T* target) const { std::memcpy(target, &native, vector_bytes); }

    // The first `count` lanes (0 to size) from memory, the others zero; and back.
    static Vec load(const T* source, int64_t count) {
#if defined(__AVX512F__)
        if constexpr (sizeof(T) == 4) {
            const auto mask = static_cast<__mmask16>((1u << count) - 1u);
            return std::bit_cast<Native>(_mm512_maskz_loadu_epi32(mask, source));
        } else if constexpr (sizeof(T) == 2) {
            const auto mask = static_cast<__mmask32>((1u << count) - 1u);
            return std::bit_cast<Native>(_mm512_maskz_loadu_epi16(mask, source));
        } else if constexpr (sizeof(T) == 1) {
            const auto mask = static_cast<__mmask64>((uint64_t{1} << count) - 1u);
            return std::bit_cast<Native>(_mm512_maskz_loadu_epi8(mask, source));
        } else {
            const auto mask = static_cast<__mmask8>((1u << count) - 1u);
            return std::bit_cast<Native>(_mm512_maskz_loadu_epi64(mask, source));
        }
#else
        Vec result(T{0});
        for (int64_t lane = 0; lane < count; ++lane) result.native[lane] = source[lane];
        return result;
#endif
    }
    void store(T* target, int64_t count) const {
#if defined(__AVX512F__)
        if constexpr (sizeof(T) == 4) {
            _mm512_mask_storeu_epi32(target, static_cast<__mmask16>((1u << count) - 1u),
                                     std::bit_cast<__m512i>(native));
        } else if constexpr (sizeof(T) == 2) {
            _mm512_mask_storeu_epi16(target, static_cast<__mmask32>((1u << count) - 1u),
                                     std::bit_cast<__m512i>(native));
        } else if constexpr (sizeof(T) == 1) {
            _mm512_mask_storeu_epi8(target, static_cast<__mmask64>((uint64_t{1} << count) - 1u),
                                    std::bit_cast<__m512i>(native));
        } else {
            _mm512_mask_storeu_epi64(target, static_cast<__mmask8>((1u << count) - 1u),
                                     std::bit_cast<__m512i>(native));
        }
#else
        for (int64_t lane = 0; lane < count; ++lane) target[lane] = native[lane];
#endif
    }

    T operator[](int lane) const { return native[lane]; }

    // Integers wrap: they are computed as unsigned ones, whose overflow is defined.
    using UnsignedElement = std::make_unsigned_t<IntegerOf<T>>;
    using Wrapping = typename NativeVector<std::conditional_t<std::is_integral_v<T>, UnsignedElement, T>,
                                           vector_bytes>::type;
    friend Vec operator+(Vec a, Vec b) {
        return (decltype(a.native))((Wrapping)a.native + (Wrapping)b.native);
    }
    friend Vec operator-(Vec a, Vec b) {
        return (decltype(a.native))((Wrapping)a.native - (Wrapping)b.native);
    }
    friend Vec operator*(Vec a, Vec b) {
        return (decltype(a.native))((Wrapping)a.native * (Wrapping)b.native);
    }
    friend Vec operator/(Vec a, Vec b) { return a.native / b.native; }
    friend Vec operator-(Vec a) { return (decltype(a.native))(-(Wrapping)a.native); }
    friend Vec operator&(Vec a, Vec b) { return a.native & b.native; }
    friend Vec operator|(Vec a, Vec b) { return a.native | b.native; }
    friend Vec operator^(Vec a, Vec b) { return a.native ^ b.native; }
    friend Vec operator~(Vec a) { return ~a.native; }
    friend Vec operator<<(Vec a, int bits) { return a.native << bits; }
    friend Vec operator>>(Vec a, int bits) { return a.native >> bits; }
    Vec& operator+=(Vec b) { return *this = *this + b; }
    Vec& operator-=(Vec b) { return *this = *this - b; }
    Vec& operator*=(Vec b) { return *this = *this * b; }

    using Mask = Vec<IntegerOf<T>>;
    friend Mask operator==(Vec a, Vec b) { return Mask(a.native == b.native); }
    friend Mask operator!=(Vec a, Vec b) { return Mask(a.native != b.native); }
    friend Mask operator<(Vec a, Vec b) { return Mask(a.native < b.native); }
    friend Mask operator<=(Vec a, Vec b) { return Mask(a.native <= b.native); }
    friend Mask operator>(Vec a, Vec b) { return Mask(a.native > b.native); }
    friend Mask operator>=(Vec a, Vec b) { return Mask(a.native >= b.native); }
};

// The same bits as lanes of another type of equal size.
template <class To, class From>
Vec<To> reinterpret(Vec<From> value) {
    static_assert(sizeof(To) == sizeof(From));
    return std::bit_cast<typename Vec<To>::Native>(value.native);
}

// Lane by lane conversion between types of equal size (float and int32, double and int64); truncates.
template <class To, class From>
Vec<To> convert_lanes(Vec<From> value) {
    static_assert(sizeof(To) == sizeof(From));
    return __builtin_convertvector(value.native, typename Vec<To>::Native);
}

template <class T>
Vec<T> select(typename Vec<T>::Mask mask, Vec<T> if_true, Vec<T> if_false) {
    return mask.native ? if_true.native : if_false.native;
}
template <class T>
Vec<T> select(typename Vec<T>::Mask mask, Vec<T> if_true, T if_false) {
    return select(mask, if_true, Vec<T>(if_false));
}
template <class T>
Vec<T> select(typename Vec<T>::Mask mask, T if_true, Vec<T> if_false) {
    return select(mask, Vec<T>(if_true), if_false);
}

template <class T>
bool any(Vec<T> mask) {
#if defined(__AVX512F__)
    return _mm512_test_epi32_mask(std::bit_cast<__m512i>(mask.native), std::bit_cast<__m512i>(mask.native)) !=
           0;
#elif defined(__AVX2__)
    const auto bits = std::bit_cast<__m256i>(mask.native);
    return _mm256_testz_si256(bits, bits) == 0;
#else
    T joined = 0;
    for (int lane = 0; lane < Vec<T>::size; ++lane) joined |= mask[lane];
    return joined != 0;
#endif
}

// Bits of lanes that carry the sign.
template <class T>
Vec<T> sign_bits(Vec<T> x) {
    using Integer = IntegerOf<T>;
    return reinterpret<T>(reinterpret<Integer>(x) & Vec<Integer>(std::numeric_limits<Integer>::min()));
}
template <class T>
Vec<T> abs(Vec<T> x) {
    using Integer = IntegerOf<T>;
    if constexpr (std::is_integral_v<T>) {
        return select(x < Vec<T>(T{0}), -x, x);
    } else {
        return reinterpret<T>(reinterpret<Integer>(x) & Vec<Integer>(std::numeric_limits<Integer>::max()));
    }
}
// |magnitude| with the sign of `sign`, for a magnitude that is not negative.
template <class T>
Vec<T> with_sign(Vec<T> magnitude, Vec<T> sign) {
    using Integer = IntegerOf<T>;
    return reinterpret<T>(reinterpret<Integer>(magnitude) | reinterpret<Integer>(sign_bits(sign)));
}

// The smaller and larger; b where either is NaN. For results that carry NaN see maximum and minimum.
template <class T>
Vec<T> min(Vec<T> a, Vec<T> b) {
#if defined(__AVX512F__)
    if constexpr (std::is_same_v<T, float>) return _mm512_maskz_min_ps(0xffff, a.native, b.native);
    if constexpr (std::is_same_v<T, double>) return _mm512_maskz_min_pd(0xff, a.native, b.native);
#elif defined(__AVX2__)
    if constexpr (std::is_same_v<T, float>) return _mm256_min_ps(a.native, b.native);
    if constexpr (std::is_same_v<T, double>) return _mm256_min_pd(a.native, b.native);
#endif
    return select(a < b, a, b);
}
template <class T>
Vec<T> max(Vec<T> a, Vec<T> b) {
#if defined(__AVX512F__)
    if constexpr (std::is_same_v<T, float>) return _mm512_maskz_max_ps(0xffff, a.native, b.native);
    if constexpr (std::is_same_v<T, double>) return _mm512_maskz_max_pd(0xff, a.native, b.native);
#elif defined(__AVX2__)
    if constexpr (std::is_same_v<T, float>) return _mm256_max_ps(a.native, b.native);
    if constexpr (std::is_same_v<T, double>) return _mm256_max_pd(a.native, b.native);
#endif
    return select(a > b, a, b);
}
// x between low and high; NaN stays.
template <class T>
Vec<T> clamp(Vec<T> x, T low, T high) {
    return max(Vec<T>(low), min(Vec<T>(high), x));
}
template <class T>
Vec<T> minimum(Vec<T> a, Vec<T> b) {
    return select((a < b) | (a != a), a, b);
}
template <class T>
Vec<T> maximum(Vec<T> a, Vec<T> b) {
    return select((a > b) | (a != a), a, b);
}

// a * b + c, rounded once where the instruction set can.
inline Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) {
#if defined(__AVX512F__)
    return _mm512_fmadd_ps(a.native, b.native, c.native);
#elif defined(__FMA__)
    return _mm256_fmadd_ps(a.native, b.native, c.native);
#else
    return a * b + c;
#endif
}
inline Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) {
#if defined(__AVX512F__)
    return _mm512_fmadd_pd(a.native, b.native, c.native);
#elif defined(__FMA__)
    return _mm256_fmadd_pd(a.native, b.native, c.native);
#else
    return a * b + c;
#endif
}

inline Vec<float> sqrt(Vec<float> x) {
#if defined(__AVX512F__)
    return _mm512_maskz_sqrt_ps(0xffff, x.native);
#elif defined(__AVX2__)
    return _mm256_sqrt_ps(x.native);
#elif defined(__x86_64__)
    return _mm_sqrt_ps(x.native);
#else
    for (int lane = 0; lane < Vec<float>::size; ++lane) x.native[lane] = __builtin_sqrtf(x.native[lane]);
    return x;
#endif
}
inline Vec<double> sqrt(Vec<double> x) {
#if defined(__AVX512F__)
    return _mm512_maskz_sqrt_pd(0xff, x.native);
#elif defined(__AVX2__)
    return _mm256_sqrt_pd(x.native);
#elif defined(__x86_64__)
    return _mm_sqrt_pd(x.native);
#else
    for (int lane = 0; lane < Vec<double>::size; ++lane) x.native[lane] = __builtin_sqrt(x.native[lane]);
    return x;
#endif
}

// Rounding to an integral value: to nearest with ties to even, down, up, towards zero.
#if defined(__AVX2__)
template <int mode, class T>
Vec<T> round_by(Vec<T> x) {
#if defined(__AVX512F__)
    if constexpr (sizeof(T) == 4)
        return _mm512_maskz_roundscale_ps(0xffff, x.native, mode);
    else
        return _mm512_maskz_roundscale_pd(0xff, x.native, mode);
#else
    if constexpr (sizeof(T) == 4)
        return _mm256_round_ps(x.native, mode | _MM_FROUND_NO_EXC);
    else
        return _mm256_round_pd(x.native, mode | _MM_FROUND_NO_EXC);
#endif
}
template <class T>
Vec<T> round(Vec<T> x) {
    return round_by<_MM_FROUND_TO_NEAREST_INT>(x);
}
template <class T>
Vec<T> floor(Vec<T> x) {
    return round_by<_MM_FROUND_TO_NEG_INF>(x);
}
template <class T>
Vec<T> ceil(Vec<T> x) {
    return round_by<_MM_FROUND_TO_POS_INF>(x);
}
template <class T>
Vec<T> trunc(Vec<T> x) {
    return round_by<_MM_FROUND_TO_ZERO>(x);
}
#else
template <class T>
Vec<T> round(Vec<T> x) {
    // Adding and taking away a power of two leaves no room for a fraction.
    constexpr T limit = sizeof(T) == 4 ? T(0x1p23) : T(0x1p52);
    const Vec magnitude = abs(x);
    const Vec rounded = (magnitude + Vec<T>(limit)) - Vec<T>(limit);
    return select(magnitude < Vec<T>(limit), with_sign(rounded, x), x);
}
template <class T>
Vec<T> floor(Vec<T> x) {
    const Vec<T> nearest = round(x);
    return with_sign(abs(select(nearest > x, nearest - Vec<T>(T{1}), nearest)), x);
}
template <class T>
Vec<T> ceil(Vec<T> x) {
    return -floor(-x);
}
template <class T>
Vec<T> trunc(Vec<T> x) {
    return with_sign(floor(abs(x)), x);
}
#endif

// The two halves of a Vec<float> as doubles, and back.
struct DoublePair {
    Vec<double> low, high;
};
inline DoublePair widen(Vec<float> x) {
    using Half = NativeVector<float, vector_bytes / 2>::type;
    Half halves[2];
    std::memcpy(halves, &x.native, vector_bytes);
    return {__builtin_convertvector(halves[0], Vec<double>::Native),
            __builtin_convertvector(halves[1], Vec<double>::Native)};
}
inline Vec<float> narrow(DoublePair pair) {
    using Half = NativeVector<float, vector_bytes / 2>::type;
    const Half halves[2] = {__builtin_convertvector(pair.low.native, Half),
                            __builtin_convertvector(pair.high.native, Half)};
    Vec<float> result;
    std::memcpy(&result.native, halves, vector_bytes);
    return result;
}

// The lanes before `count`, the others made zero.
template <class T>
Vec<T> first_lanes(Vec<T> x, int64_t count) {
    using Integer = IntegerOf<T>;
    typename Vec<Integer>::Native index;
    for (int lane = 0; lane < Vec<T>::size; ++lane) index[lane] = lane;
    return select(Vec<Integer>(index) < Vec<Integer>(static_cast<Integer>(count)), x, T(0));
}

// The sum of all lanes: halves added to each other until one is left.
template <class T, int Bytes = vector_bytes>
T sum_lanes(typename NativeVector<T, Bytes>::type x) {
    if constexpr (Bytes > 16) {
        typename NativeVector<T, Bytes / 2>::type halves[2];
        std::memcpy(halves, &x, Bytes);
        return sum_lanes<T, Bytes / 2>(halves[0] + halves[1]);
    } else if constexpr (sizeof(T) == 4) {
        return (x[0] + x[2]) + (x[1] + x[3]);
    } else {
        return x[0] + x[1];
    }
}
template <class T>
T sum_lanes(Vec<T> x) {
    return sum_lanes<T, vector_bytes>(x.native);
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
