// Vectors of which perhaps only the first elements are in memory: whole ones are moved without a mask, whose
// stores later loads would have to wait for.
#pragma once

#include "kernels/cpu/gemm_types.h"

namespace rl::kernels::RUSHLIGHT_ISA {

// Some elements, at most a vector of them, as a vector that they begin.
template <class S>
inline Vector<Compute<S>> load_some(const S* source, int64_t count) {
    if (count == lanes<Compute<S>>) return load_converted(source);
    return load_converted(source, static_cast<int>(count));
}
template <class S>
inline void store_some(S* target, Vector<Compute<S>> value, int64_t count) {
    if (count == lanes<Compute<S>>) return store_converted(target, value);
    store_converted(target, value, static_cast<int>(count));
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
