// The types that matrix products are made of: what elements are multiplied in, and vectors of them.
#pragma once

#include <algorithm>
#include <array>
#include <complex>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "core/dtype.h"
#include "kernels/gemm.h"
#include "kernels/simd/vec.h"

namespace rl::kernels::RUSHLIGHT_ISA {

#if defined(__AVX512F__)
inline constexpr int real_tile_rows = 12;
#else
inline constexpr int real_tile_rows = 6;
#endif

template <class T>
struct VectorOf {
    typedef T type __attribute__((vector_size(vector_bytes)));
};
template <class T>
using Vector = typename VectorOf<T>::type;

template <class T>
struct RealOf {
    using type = T;
};
template <class T>
struct RealOf<std::complex<T>> {
    using type = T;
};
template <class T>
using Real = typename RealOf<T>::type;

template <class T>
inline constexpr bool is_complex_type = !std::is_same_v<T, Real<T>>;
template <class T>
inline constexpr int planes = is_complex_type<T> ? 2 : 1;
template <class T>
inline constexpr int lanes = vector_bytes / static_cast<int>(sizeof(Real<T>));
template <class T>
inline constexpr int tile_rows = is_complex_type<T> ? real_tile_rows / 2 : real_tile_rows;
template <class T>
inline constexpr int tile_columns = 2 * lanes<T>;

template <class T>
inline Vector<T> load_vector(const T* source) {
    Vector<T> value;
    std::memcpy(&value, source, sizeof(value));
    return value;
}
template <class T>
inline void store_vector(T* target, Vector<T> value) {
    std::memcpy(target, &value, sizeof(value));
}

// The vector of number(lane), a constant: GCC would build it lane by lane where it is used.
template <class T, class Number>
inline Vector<T> constant_vector(Number) {
    alignas(vector_bytes) static constexpr auto values = [] {
        std::array<T, lanes<T>> result{};
        for (int lane = 0; lane < lanes<T>; ++lane)
            result[static_cast<size_t>(lane)] = static_cast<T>(Number{}(lane));
        return result;
    }();
    return load_vector(values.data());
}

// The type that elements stored as S are multiplied in: integers up to 32 bits wrap alike in 32.
template <class S>
struct ComputeOf {
    using type = int32_t;
};
template <>
struct ComputeOf<bool> {
    using type = int64_t;
};
template <>
struct ComputeOf<int64_t> {
    using type = int64_t;
};
template <>
struct ComputeOf<Half> {
    using type = float;
};
template <>
struct ComputeOf<BFloat16> {
    using type = float;
};
template <>
struct ComputeOf<float> {
    using type = float;
};
template <>
struct ComputeOf<double> {
    using type = double;
};
template <>
struct ComputeOf<complex64> {
    using type = complex64;
};
template <>
struct ComputeOf<complex128> {
    using type = complex128;
};
template <class S>
using Compute = typename ComputeOf<S>::type;

template <class S>
inline S to_storage(Compute<S> value) {
    if constexpr (std::is_same_v<S, bool>)
        return value != 0;
    else
        return static_cast<S>(value);
}

// std::complex's own product looks for NaN in its result, and would go through memory-unfriendly library
// calls.
template <class T>
inline T product(T x, T y) {
    if constexpr (is_complex_type<T>) {
        return T(x.real() * y.real() - x.imag() * y.imag(), x.real() * y.imag() + x.imag() * y.real());
    } else if constexpr (std::is_integral_v<T>) {
        using U = std::make_unsigned_t<T>;
        return static_cast<T>(static_cast<U>(x) * static_cast<U>(y));
    } else {
        return x * y;
    }
}
template <class T>
inline T total(T x, T y) {
    if constexpr (std::is_integral_v<T>) {
        using U = std::make_unsigned_t<T>;
        return static_cast<T>(static_cast<U>(x) + static_cast<U>(y));
    } else {
        return x + y;
    }
}

template <class T>
inline T factor_value(const Factor& factor) {
    if constexpr (is_complex_type<T>)
        return T(static_cast<Real<T>>(factor.real), static_cast<Real<T>>(factor.imag));
    else if constexpr (std::is_integral_v<T>)
        return static_cast<T>(factor.integer);
    else
        return static_cast<T>(factor.real);
}

// Integer lanes multiply as unsigned numbers, which wrap.
template <class T>
struct LaneFor {
    using type = Real<T>;
};
template <class T>
    requires std::is_integral_v<T>
struct LaneFor<T> {
    using type = std::make_unsigned_t<T>;
};
template <class T>
using LaneOf = typename LaneFor<T>::type;

// The first `count` lanes, the others zero.
template <class T>
inline Vector<T> load_lanes(const T* source, int count) {
#if !defined(__AVX512F__)
    if (count == lanes<T>) return load_vector(source);
#endif
    return Vec<T>::load(source, count).native;
}
template <class T>
inline void store_lanes(T* target, Vector<T> value, int count) {
#if !defined(__AVX512F__)
    if (count == lanes<T>) return store_vector(target, value);
#endif
    Vec<T>(value).store(target, count);
}

using Words = uint32_t __attribute__((vector_size(vector_bytes)));
using HalfWords = uint16_t __attribute__((vector_size(vector_bytes / 2)));

// A vector of elements, converted from and to what they are stored as.
template <class S>
inline Vector<Compute<S>> load_converted(const S* source) {
    using T = Compute<S>;
    if constexpr (std::is_same_v<S, T>) {
        return load_vector(source);
    } else {
        if constexpr (std::is_same_v<S, BFloat16>) {
            HalfWords bits;
            std::memcpy(&bits, source, sizeof(bits));
            return std::bit_cast<Vector<T>>(__builtin_convertvector(bits, Words) << 16);
        }
#if defined(__AVX512F__)
        if constexpr (std::is_same_v<S, Half>)
            return _mm512_maskz_cvtph_ps(0xffff,
                                         _mm256_loadu_si256(reinterpret_cast<const __m256i*>(source)));
#elif defined(__F16C__)
        if constexpr (std::is_same_v<S, Half>)
            return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(source)));
#endif
        T values[lanes<T>];
        for (int j = 0; j < lanes<T>; ++j) values[j] = static_cast<T>(source[j]);
        return load_vector(values);
    }
}
template <class S>
inline void store_converted(S* target, Vector<Compute<S>> value) {
    using T = Compute<S>;
    if constexpr (std::is_same_v<S, T>) {
        store_vector(target, value);
    } else {
        if constexpr (std::is_same_v<S, BFloat16>) {
            const Words bits = std::bit_cast<Words>(value);
            const Words rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
            const Words result = (bits & 0x7fffffffu) > 0x7f800000u ? Words{} + 0x7fc0u : rounded;
            const HalfWords halves = __builtin_convertvector(result, HalfWords);
            std::memcpy(target, &halves, sizeof(halves));
            return;
        }
#if defined(__AVX512F__)
        if constexpr (std::is_same_v<S, Half>) {
            const __m256i halves = _mm512_maskz_cvtps_ph(0xffff, value, _MM_FROUND_TO_NEAREST_INT);
            return _mm256_storeu_si256(reinterpret_cast<__m256i*>(target), halves);
        }
#elif defined(__F16C__)
        if constexpr (std::is_same_v<S, Half>)
            return _mm_storeu_si128(reinterpret_cast<__m128i*>(target),
                                    _mm256_cvtps_ph(value, _MM_FROUND_TO_NEAREST_INT));
#endif
        S values[lanes<T>];
        for (int j = 0; j < lanes<T>; ++j) values[j] = to_storage<S>(value[j]);
        std::memcpy(target, values, sizeof(values));
    }
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
