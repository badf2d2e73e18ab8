// Lines of float or double taken a vector at a time, the last one short. For kernels/cpu alone.
#pragma once

#include "core/dtype.h"
#include "kernels/simd/vec.h"

namespace rl::kernels::RUSHLIGHT_ISA {

// The `count` lanes (at most a vector's) from x + i on; the others are zero.
template <class T>
Vec<T> load_lanes(const T* x, int64_t i, int64_t count) {
    return count == Vec<T>::size ? Vec<T>::load(x + i) : Vec<T>::load(x + i, count);
}
template <class T>
void store_lanes(Vec<T> value, T* y, int64_t i, int64_t count) {
    if (count == Vec<T>::size)
        value.store(y + i);
    else
        value.store(y + i, count);
}

// Calls visit with a zero of the type: float64's, or else float32's.
template <class Visit>
void visit_float(DType dtype, Visit&& visit) {
    if (dtype == DType::float64)
        visit(double{});
    else
        visit(float{});
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
