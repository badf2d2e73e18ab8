// How scalar functions become block functions: a lambda over scalars or Vec, looped over contiguous memory.
#pragma once

#include <type_traits>

#include "kernels/pointwise_table.h"
#include "kernels/simd/vec.h"

namespace rl::kernels::RUSHLIGHT_ISA {

void add_arithmetic(PointwiseTable& table);
void add_comparison(PointwiseTable& table);
void add_elementary(PointwiseTable& table);
void add_complex(PointwiseTable& table);
void add_special(PointwiseTable& table);
void add_activation(PointwiseTable& table);
void add_convert(PointwiseTable& table);

namespace {

template <class T>
struct ElementOf {
    using type = T;
};
template <class T>
struct ElementOf<Vec<T>> {
    using type = T;
};

// Parameters as numbers of one type, scalar or Vec.
template <class V>
struct Values {
    using T = typename ElementOf<V>::type;
    V v0, v1, v2;
    int64_t i0, i2;

    explicit Values(const Parameters& parameters)
        : v0(get(parameters, 0)),
          v1(get(parameters, 1)),
          v2(get(parameters, 2)),
          i0(parameters.integer[0]),
          i2(parameters.integer[2]) {}

    static T get(const Parameters& parameters, int index) {
        if constexpr (std::is_integral_v<T>)
            return static_cast<T>(parameters.integer[index]);
        else if constexpr (std::is_floating_point_v<T>)
            return static_cast<T>(parameters.value[index].real());
        else
            return T(parameters.value[index]);
    }
};

// f(x...) or f(x..., values), whichever f takes.
template <class F, class V, class... X>
auto call(F f, const Values<V>& values, X... x) {
    if constexpr (std::is_invocable_v<F, X..., const Values<V>&>)
        return f(x..., values);
    else
        return f(x...);
}

template <int arity, class T, class F>
bool scalar_block(void* output, const void* const* inputs, int64_t count, const Parameters& parameters) {
    const Values<T> values(parameters);
    const auto* a = static_cast<const T*>(inputs[0]);
    const auto* b = static_cast<const T*>(inputs[arity > 1 ? 1 : 0]);
    const auto* c = static_cast<const T*>(inputs[arity > 2 ? 2 : 0]);
    const auto apply = [&](int64_t i) {
        if constexpr (arity == 1)
            return call(F{}, values, a[i]);
        else if constexpr (arity == 2)
            return call(F{}, values, a[i], b[i]);
        else
            return call(F{}, values, a[i], b[i], c[i]);
    };
    auto* out = static_cast<decltype(apply(0))*>(output);
#pragma GCC ivdep
    for (int64_t i = 0; i < count; ++i) out[i] = apply(i);
    return true;
}

template <int arity, class T, class F>
bool vector_block(void* output, const void* const* inputs, int64_t count, const Parameters& parameters) {
    using V = Vec<T>;
    const Values<V> values(parameters);
    const auto* a = static_cast<const T*>(inputs[0]);
    const auto* b = static_cast<const T*>(inputs[arity > 1 ? 1 : 0]);
    const auto* c = static_cast<const T*>(inputs[arity > 2 ? 2 : 0]);
    auto* out = static_cast<T*>(output);
    const auto apply = [&](V x, V y, V z) {
        if constexpr (arity == 1)
            return call(F{}, values, x);
        else if constexpr (arity == 2)
            return call(F{}, values, x, y);
        else
            return call(F{}, values, x, y, z);
    };
    int64_t i = 0;
    for (; i + V::size <= count; i += V::size)
        apply(V::load(a + i), V::load(b + i), V::load(c + i)).store(out + i);
    if (const int64_t rest = count - i; rest > 0)
        apply(V::load(a + i, rest), V::load(b + i, rest), V::load(c + i, rest)).store(out + i, rest);
    return true;
}

template <class T>
inline constexpr Compute compute_of = Compute::boolean;
template <>
inline constexpr Compute compute_of<bool> = Compute::boolean;
template <>
inline constexpr Compute compute_of<int32_t> = Compute::int32;
template <>
inline constexpr Compute compute_of<int64_t> = Compute::int64;
template <>
inline constexpr Compute compute_of<float> = Compute::float32;
template <>
inline constexpr Compute compute_of<double> = Compute::float64;
template <>
inline constexpr Compute compute_of<complex64> = Compute::complex64;
template <>
inline constexpr Compute compute_of<complex128> = Compute::complex128;

// A list of types.
template <class... T>
struct Types {};
using Integers = Types<int32_t, int64_t>;
using Reals = Types<float, double>;
using Complexes = Types<complex64, complex128>;
using RealNumbers = Types<int32_t, int64_t, float, double>;
using Fields = Types<float, double, complex64, complex128>;
using Numbers = Types<int32_t, int64_t, float, double, complex64, complex128>;
using BoolAndIntegers = Types<bool, int32_t, int64_t>;
using BoolAndReals = Types<bool, int32_t, int64_t, float, double>;
using All = Types<bool, int32_t, int64_t, float, double, complex64, complex128>;

inline BlockFunction& entry(PointwiseTable& table, Pointwise op, Compute compute) {
    return table.blocks[static_cast<int>(op)][static_cast<int>(compute)];
}

// Registers f for every type of the list, computed element by element (the compiler vectorizes the loop) ...
template <int arity, class... T, class F>
void scalars(PointwiseTable& table, Pointwise op, Types<T...>, F) {
    ((entry(table, op, compute_of<T>) = scalar_block<arity, T, F>), ...);
}
// ... or vector by vector.
template <int arity, class... T, class F>
void vectors(PointwiseTable& table, Pointwise op, Types<T...>, F) {
    ((entry(table, op, compute_of<T>) = vector_block<arity, T, F>), ...);
}

}  // namespace
}  // namespace rl::kernels::RUSHLIGHT_ISA
