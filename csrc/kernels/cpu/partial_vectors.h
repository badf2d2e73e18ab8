// Vectors of which only the first elements are in memory, converted from and to what they are stored as.
#pragma once

#include <algorithm>

#include "kernels/cpu/gemm_tile.h"

namespace rl::kernels::RUSHLIGHT_ISA {

// Some elements, at most a vector of them, as a vector that they begin.
template <class S>
inline Vector<Compute<S>> load_some(const S* source, int64_t count) {
    using T = Compute<S>;
    if (count == lanes<T>) return load_converted(source);
    if constexpr (std::is_same_v<S, T>) {
        return load_lanes(source, static_cast<int>(count));
    } else {
        S values[lanes<T>] = {};
#if defined(__AVX512BW__)
        const auto mask = static_cast<__mmask16>((1u << count) - 1u);
        const __m256i bits = _mm256_maskz_loadu_epi16(mask, source);
        std::memcpy(values, &bits, sizeof(values));
#else
        for (int64_t i = 0; i < count; ++i) values[i] = source[i];
#endif
        return load_converted(values);
    }
}
template <class S>
inline void store_some(S* target, Vector<Compute<S>> value, int64_t count) {
    using T = Compute<S>;
    if (count == lanes<T>) return store_converted(target, value);
    if constexpr (std::is_same_v<S, T>) {
        store_lanes(target, value, static_cast<int>(count));
    } else {
        S values[lanes<T>];
        store_converted(values, value);
#if defined(__AVX512BW__)
        __m256i bits;
        std::memcpy(&bits, values, sizeof(values));
        _mm256_mask_storeu_epi16(target, static_cast<__mmask16>((1u << count) - 1u), bits);
#else
        std::copy_n(values, count, target);
#endif
    }
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
