// Lines of 16-bit floating-point numbers taken as vectors of float. For kernels/cpu alone.
#pragma once

#include "kernels/cpu/convert.h"
#include "kernels/cpu/lines.h"
#include "kernels/simd/half.h"

namespace rl::kernels::RUSHLIGHT_ISA {

template <class S>
    requires is_half_type<S>
Vec<float> load_lanes(const S* x, int64_t i, int64_t count) {
    if (count == Vec<float>::size) return load_widened(x + i);
    S lanes[Vec<float>::size] = {};
#if defined(__AVX512F__)
    const auto mask = static_cast<__mmask16>((1u << count) - 1u);
    const __m256i bits = _mm256_maskz_loadu_epi16(mask, x + i);
    std::memcpy(lanes, &bits, sizeof bits);
#else
    for (int64_t lane = 0; lane < count; ++lane) lanes[lane] = x[i + lane];
#endif
    return load_widened(lanes);
}
template <class S>
    requires is_half_type<S>
void store_lanes(Vec<float> value, S* y, int64_t i, int64_t count) {
    if (count == Vec<float>::size) return store_narrowed(value, y + i);
    S lanes[Vec<float>::size];
    store_narrowed(value, lanes);
#if defined(__AVX512F__)
    __m256i bits;
    std::memcpy(&bits, lanes, sizeof bits);
    _mm256_mask_storeu_epi16(y + i, static_cast<__mmask16>((1u << count) - 1u), bits);
#else
    for (int64_t lane = 0; lane < count; ++lane) y[i + lane] = lanes[lane];
#endif
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
