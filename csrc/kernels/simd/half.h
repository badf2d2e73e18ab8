// Runs of 16-bit floating-point numbers as float and back. For kernels/cpu alone.
#pragma once

#include "core/half.h"
#include "kernels/simd/vec.h"

namespace rl::kernels::RUSHLIGHT_ISA {

inline void widen(const Half* x, float* y, int64_t count) {
    int64_t i = 0;
#if defined(__AVX512F__)
    for (; i + 16 <= count; i += 16)
        _mm512_storeu_ps(y + i, _mm512_maskz_cvtph_ps(
                                    0xffff, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x + i))));
#elif defined(__F16C__)
    for (; i + 8 <= count; i += 8)
        _mm256_storeu_ps(y + i, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x + i))));
#endif
    for (; i < count; ++i) y[i] = static_cast<float>(x[i]);
}

inline void narrow(const float* x, Half* y, int64_t count) {
    int64_t i = 0;
#if defined(__AVX512F__)
    for (; i + 16 <= count; i += 16)
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(y + i),
                            _mm512_maskz_cvtps_ph(0xffff, _mm512_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT));
#elif defined(__F16C__)
    for (; i + 8 <= count; i += 8)
        _mm_storeu_si128(reinterpret_cast<__m128i*>(y + i),
                         _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT));
#endif
    for (; i < count; ++i) y[i] = Half(x[i]);
}

inline void widen(const BFloat16* x, float* y, int64_t count) {
#pragma GCC ivdep
    for (int64_t i = 0; i < count; ++i) y[i] = static_cast<float>(x[i]);
}

inline void narrow(const float* x, BFloat16* y, int64_t count) {
#pragma GCC ivdep
    for (int64_t i = 0; i < count; ++i) y[i] = BFloat16(x[i]);
}

// A vector of them, narrow: rounded to nearest, ties to even; and as float.
#if defined(__AVX512F__)
template <class S>
inline __m256i narrow_lanes(Vec<float> x) {
    if constexpr (std::is_same_v<S, Half>) {
        return _mm512_maskz_cvtps_ph(0xffff, x.native, _MM_FROUND_TO_NEAREST_INT);
    } else {
        const __m512i word = std::bit_cast<__m512i>(x.native), one = _mm512_set1_epi32(1);
        const __mmask16 odd = _mm512_test_epi32_mask(word, _mm512_set1_epi32(0x10000));
        const __m512i raised = _mm512_add_epi32(word, _mm512_set1_epi32(0x7fff));
        const __m512i rounded = _mm512_mask_add_epi32(raised, odd, raised, one);
        const __mmask16 ordered = _mm512_cmp_ps_mask(x.native, x.native, _CMP_ORD_Q);
        const __m512i bits = _mm512_mask_srli_epi32(_mm512_set1_epi32(0x7fc0), ordered, rounded, 16);
        return _mm512_maskz_cvtepi32_epi16(0xffff, bits);
    }
}
template <class S>
inline Vec<float> widen_lanes(__m256i bits) {
    if constexpr (std::is_same_v<S, Half>)
        return _mm512_maskz_cvtph_ps(0xffff, bits);
    else
        return std::bit_cast<Vec<float>::Native>(
            _mm512_maskz_slli_epi32(0xffff, _mm512_maskz_cvtepu16_epi32(0xffff, bits), 16));
}
#endif

// A vector's worth of them.
inline void store_narrowed(Vec<float> x, BFloat16* y) {
#if defined(__AVX512F__)
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(y), narrow_lanes<BFloat16>(x));
#else
    typedef uint32_t Wide __attribute__((vector_size(vector_bytes)));
    typedef uint16_t Short __attribute__((vector_size(vector_bytes / 2)));
    const Wide word = std::bit_cast<Wide>(x.native);
    const Wide rounded = (word + 0x7fffu + ((word >> 16) & 1u)) >> 16;
    const Wide bits = x.native == x.native ? rounded : Wide{} + 0x7fc0u;
    const Short narrow = __builtin_convertvector(bits, Short);
    std::memcpy(y, &narrow, sizeof narrow);
#endif
}
inline void store_narrowed(Vec<float> x, Half* y) {
#if defined(__AVX512F__)
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(y), narrow_lanes<Half>(x));
#elif defined(__F16C__)
    _mm_storeu_si128(reinterpret_cast<__m128i*>(y), _mm256_cvtps_ph(x.native, _MM_FROUND_TO_NEAREST_INT));
#else
    for (int lane = 0; lane < Vec<float>::size; ++lane) y[lane] = Half(x[lane]);
#endif
}
inline Vec<float> load_widened(const BFloat16* x) {
#if defined(__AVX512F__)
    return widen_lanes<BFloat16>(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x)));
#elif defined(__AVX2__)
    const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(x));
    return std::bit_cast<Vec<float>::Native>(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
#else
    typedef uint16_t Short __attribute__((vector_size(vector_bytes / 2)));
    typedef uint32_t Wide __attribute__((vector_size(vector_bytes)));
    Short bits;
    std::memcpy(&bits, x, sizeof bits);
    return std::bit_cast<Vec<float>::Native>(__builtin_convertvector(bits, Wide) << 16);
#endif
}
inline Vec<float> load_widened(const Half* x) {
#if defined(__AVX512F__)
    return widen_lanes<Half>(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x)));
#elif defined(__F16C__)
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x)));
#else
    float lanes[Vec<float>::size];
    widen(x, lanes, Vec<float>::size);
    return Vec<float>::load(lanes);
#endif
}

// The first `count` of a vector's worth; the other lanes are loaded as zero.
template <class S>
inline void store_narrowed(Vec<float> x, S* y, int64_t count) {
    if (count == Vec<float>::size) return store_narrowed(x, y);
#if defined(__AVX512F__)
    _mm256_mask_storeu_epi16(y, static_cast<__mmask16>((1u << count) - 1u), narrow_lanes<S>(x));
#else
    S lanes[Vec<float>::size];
    store_narrowed(x, lanes);
    std::memcpy(y, lanes, static_cast<size_t>(count) * sizeof(S));
#endif
}
template <class S>
inline Vec<float> load_widened(const S* x, int64_t count) {
    if (count == Vec<float>::size) return load_widened(x);
#if defined(__AVX512F__)
    return widen_lanes<S>(_mm256_maskz_loadu_epi16(static_cast<__mmask16>((1u << count) - 1u), x));
#else
    S lanes[Vec<float>::size] = {};
    std::memcpy(lanes, x, static_cast<size_t>(count) * sizeof(S));
    return load_widened(lanes);
#endif
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
