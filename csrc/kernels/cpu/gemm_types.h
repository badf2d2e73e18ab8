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
#include "kernels/simd/half.h"
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

// Where and how tiles read an operand in its own memory: as TileOperands say.
template <class T>
struct Place {
    const Real<T>* data;
    int64_t lane, step;
};

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

#if defined(__AVX512F__)
// Elements of two bytes or one, the first `count` of them, the others zero.
template <class S>
inline auto load_narrow(const S* source, int count) {
    const auto mask = static_cast<__mmask16>((1u << count) - 1u);
    if constexpr (sizeof(S) == 2)
        return _mm256_maskz_loadu_epi16(mask, source);
    else
        return _mm_maskz_loadu_epi8(mask, source);
}
inline void store_narrow(void* target, __m256i value, int count) {
    _mm256_mask_storeu_epi16(target, static_cast<__mmask16>((1u << count) - 1u), value);
}
inline void store_narrow(void* target, __m128i value, int count) {
    _mm_mask_storeu_epi8(target, static_cast<__mmask16>((1u << count) - 1u), value);
}
#endif

template <class S>
inline constexpr bool is_half = std::is_same_v<S, Half> || std::is_same_v<S, BFloat16>;

// The first `count` elements, converted to what they are multiplied in; the others zero.
template <class S>
inline Vector<Compute<S>> load_converted(const S* source, int count = lanes<Compute<S>>) {
    using T = Compute<S>;
    if constexpr (std::is_same_v<S, T>) {
        if (__builtin_constant_p(count) && count == lanes<T>) return load_vector(source);
        return load_lanes(source, count);
    } else if constexpr (is_half<S>) {
        return load_widened(source, count).native;
    } else {
#if defined(__AVX512F__)
        if constexpr (std::is_same_v<S, int16_t>)
            return std::bit_cast<Vector<T>>(_mm512_maskz_cvtepi16_epi32(0xffff, load_narrow(source, count)));
        else if constexpr (std::is_same_v<S, int8_t>)
            return std::bit_cast<Vector<T>>(_mm512_maskz_cvtepi8_epi32(0xffff, load_narrow(source, count)));
        else if constexpr (std::is_same_v<S, uint8_t>)
            return std::bit_cast<Vector<T>>(_mm512_maskz_cvtepu8_epi32(0xffff, load_narrow(source, count)));
#endif
        T values[lanes<T>] = {};
        for (int j = 0; j < count; ++j) values[j] = static_cast<T>(source[j]);
        return load_vector(values);
    }
}
// Writes the first `count` lanes, converted back.
template <class S>
inline void store_converted(S* target, Vector<Compute<S>> value, int count = lanes<Compute<S>>) {
    using T = Compute<S>;
    if constexpr (std::is_same_v<S, T>) {
        store_lanes(target, value, count);
    } else if constexpr (is_half<S>) {
        store_narrowed(Vec<float>(value), target, count);
    } else {
#if defined(__AVX512F__)
        if constexpr (std::is_same_v<S, int16_t>)
            return store_narrow(target, _mm512_maskz_cvtepi32_epi16(0xffff, std::bit_cast<__m512i>(value)),
                                count);
        else if constexpr (sizeof(S) == 1 && !std::is_same_v<S, bool>)
            return store_narrow(target, _mm512_maskz_cvtepi32_epi8(0xffff, std::bit_cast<__m512i>(value)),
                                count);
#endif
        for (int j = 0; j < count; ++j) target[j] = to_storage<S>(value[j]);
    }
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
