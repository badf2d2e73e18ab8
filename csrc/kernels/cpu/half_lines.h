// Lines of 16-bit floating-point numbers taken as vectors of float. For kernels/cpu alone.
#pragma once

#include "kernels/cpu/convert.h"
#include "kernels/cpu/lines.h"
#include "kernels/simd/half.h"

namespace rl::kernels::RUSHLIGHT_ISA {

template <class S>
    requires is_half_type<S>
Vec<float> load_lanes(const S* x, int64_t i, int64_t count) {
    return load_widened(x + i, count);
}
template <class S>
    requires is_half_type<S>
void store_lanes(Vec<float> value, S* y, int64_t i, int64_t count) {
    store_narrowed(value, y + i, count);
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
