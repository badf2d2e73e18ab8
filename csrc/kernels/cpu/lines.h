// Lines of float or double taken a vector at a time, the last one short. For kernels/cpu alone.
#pragma once

#include <algorithm>
#include <type_traits>

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

// Calls body(column, columns, vectors) for strips of the columns [column, end): as many vectors wide as the
// first of `counts` says while they fit, then as the next. Sums of one strip do not wait for each other. The
// last of `counts` is 1, whose last strip may be short.
template <class T, int... counts, class Body>
void for_each_strip(int64_t column, int64_t end, Body&& body) {
    constexpr int64_t size = Vec<T>::size;
    const auto run = [&](auto vectors) {
        constexpr int64_t width = vectors * size;
        for (; column + (vectors == 1 ? 1 : width) <= end; column += width)
            body(column, vectors == 1 ? std::min(width, end - column) : width, vectors);
    };
    (run(std::integral_constant<int, counts>{}), ...);
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
