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
    for (int64_t lane = 0; lane < count; ++lane) lanes[lane] = x[i + lane];
    return load_widened(lanes);
}
template <class S>
    requires is_half_type<S>
void store_lanes(Vec<float> value, S* y, int64_t i, int64_t count) {
    if (count == Vec<float>::size) return store_narrowed(value, y + i);
    S lanes[Vec<float>::size];
    store_narrowed(value, lanes);
    for (int64_t lane = 0; lane < count; ++lane) y[i + lane] = lanes[lane];
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
