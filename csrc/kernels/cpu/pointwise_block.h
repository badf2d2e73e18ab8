// How scalar functions become block functions: a lambda over scalars or Vec, looped over contiguous memory.
#pragma once

#include <algorithm>
#include <type_traits>

#include "kernels/cpu/scalar.h"
#include "kernels/pointwise_table.h"
#include "kernels/simd/complex.h"
#include "kernels/simd/half.h"

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

// A number as a scalar or as every lane of a Vec, for functions written for both.
template <class V>
V constant(double value) {
    return V(static_cast<typename ElementOf<V>::type>(value));
}

// What a Vec and a scalar spell differently.
template <class T>
T select(bool condition, T if_true, T if_false) {
    return condition ? if_true : if_false;
}
template <class T>
Vec<T> wrapping_add(Vec<T> a, Vec<T> b) {
    return a + b;
}
template <class T>
Vec<T> wrapping_sub(Vec<T> a, Vec<T> b) {
    return a - b;
}
template <class T>
Vec<T> wrapping_mul(Vec<T> a, Vec<T> b) {
    return a * b;
}
template <class T>
Vec<T> wrapping_neg(Vec<T> a) {
    return -a;
}
template <class T>
Vec<T> divide(Vec<T> a, Vec<T> b) {
    return a / b;
}
template <class T>
T root(T x) {
    return std::sqrt(x);
}
template <class T>
Vec<T> root(Vec<T> x) {
    return sqrt(x);
}

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

// Bytes of a boolean array may hold any value when the memory came from elsewhere.
template <class T>
using Stored = std::conditional_t<std::is_same_v<T, bool>, uint8_t, T>;
template <class T>
T as_value(Stored<T> stored) {
    if constexpr (std::is_same_v<T, bool>)
        return stored != 0;
    else
        return stored;
}

// An input of a loop over runs of elements: it steps from run to run, and one element for all stays on a run
// of its repetitions.
template <class T>
class Runs {
  public:
    static constexpr int64_t repetitions = 256;

    Runs(const void* data, bool constant, int64_t length)
        : data_(static_cast<const Stored<T>*>(data)), step_(constant ? 0 : length) {
        if (!constant) return;
        std::fill_n(repeated_, length, *data_);
        data_ = repeated_;
    }
    Runs(const Runs&) = delete;
    Runs& operator=(const Runs&) = delete;
    const Stored<T>* next() {
        const Stored<T>* const run = data_;
        data_ += step_;
        return run;
    }

  private:
    const Stored<T>* data_;
    int64_t step_;
    alignas(64) Stored<T> repeated_[repetitions];
};

// Calls body(i, run of a, run of b, run of c, length) for every run from element i on; one run is all where
// no input is constant.
template <class A, class B, class C, class Body>
void for_runs(const void* const (&data)[3], unsigned constants, int64_t count, Body body) {
    const int64_t length = constants == 0 ? count : std::min(count, Runs<A>::repetitions);
    Runs<A> a(data[0], (constants & 1) != 0, length);
    Runs<B> b(data[1], (constants & 2) != 0, length);
    Runs<C> c(data[2], (constants & 4) != 0, length);
    for (int64_t i = 0; i < count; i += length)
        body(i, a.next(), b.next(), c.next(), std::min(length, count - i));
}

template <int arity, class T, class F>
bool scalar_block(void* output, const void* const* inputs, int64_t count, const Parameters& parameters,
                  unsigned constants) {
    const Values<T> values(parameters);
    // What the loop reads besides its arrays is its own, lest it be taken for part of them.
    const auto apply = [values](const Stored<T>* a, const Stored<T>* b, const Stored<T>* c, int64_t i) {
        if constexpr (arity == 1)
            return call(F{}, values, as_value<T>(a[i]));
        else if constexpr (arity == 2)
            return call(F{}, values, as_value<T>(a[i]), as_value<T>(b[i]));
        else
            return call(F{}, values, as_value<T>(a[i]), as_value<T>(b[i]), as_value<T>(c[i]));
    };
    auto* out = static_cast<decltype(apply(nullptr, nullptr, nullptr, 0))*>(output);
    const void* const data[3] = {inputs[0], inputs[arity > 1 ? 1 : 0], inputs[arity > 2 ? 2 : 0]};
    const auto run = [out, apply](int64_t from, const Stored<T>* a, const Stored<T>* b, const Stored<T>* c,
                                  int64_t length) {
#pragma GCC ivdep
        for (int64_t i = 0; i < length; ++i) out[from + i] = apply(a, b, c, i);
    };
    for_runs<T, T, T>(data, arity == 1 ? 0 : constants, count, run);
    return true;
}

// Vectors of T from elements stored as T or, for float, as a half type; `count` of them at the end.
template <class T, class S>
Vec<T> load_vector(const S* source) {
    if constexpr (std::is_same_v<T, S>)
        return Vec<T>::load(source);
    else
        return load_widened(source);
}
template <class T, class S>
Vec<T> load_vector(const S* source, int64_t count) {
    if constexpr (std::is_same_v<T, S>)
        return Vec<T>::load(source, count);
    else
        return load_widened(source, count);
}
template <class T, class S>
void store_vector(Vec<T> x, S* target) {
    if constexpr (std::is_same_v<T, S>)
        x.store(target);
    else
        store_narrowed(x, target);
}
template <class T, class S>
void store_vector(Vec<T> x, S* target, int64_t count) {
    if constexpr (std::is_same_v<T, S>)
        x.store(target, count);
    else
        store_narrowed(x, target, count);
}

// An input of a loop over vectors: contiguous elements, or one for all.
template <class T, class S>
class Source {
  public:
    Source(const void* data, bool constant)
        : data_(static_cast<const S*>(data)),
          constant_(constant),
          value_(constant ? *static_cast<const T*>(data) : T{0}) {}
    Vec<T> load(int64_t i) const { return constant_ ? value_ : load_vector<T>(data_ + i); }
    Vec<T> load(int64_t i, int64_t count) const {
        return constant_ ? value_ : load_vector<T>(data_ + i, count);
    }

  private:
    const S* data_;
    bool constant_;
    Vec<T> value_;
};

template <int arity, class T, class S, class F>
bool vector_block(void* output, const void* const* inputs, int64_t count, const Parameters& parameters,
                  unsigned constants) {
    using V = Vec<T>;
    const Values<V> values(parameters);
    const Source<T, S> a(inputs[0], arity > 1 && (constants & 1) != 0),
        b(inputs[arity > 1 ? 1 : 0], arity > 1 && (constants & 2) != 0),
        c(inputs[arity > 2 ? 2 : 0], arity > 2 && (constants & 4) != 0);
    const auto apply = [&](auto... at) {
        if constexpr (arity == 1)
            return call(F{}, values, a.load(at...));
        else if constexpr (arity == 2)
            return call(F{}, values, a.load(at...), b.load(at...));
        else
            return call(F{}, values, a.load(at...), b.load(at...), c.load(at...));
    };
    using Result = typename ElementOf<decltype(apply(int64_t{0}))>::type;
    auto* out = static_cast<std::conditional_t<std::is_same_v<Result, T>, S, Result>*>(output);
    int64_t i = 0;
    for (; i + V::size <= count; i += V::size) store_vector(apply(i), out + i);
    if (const int64_t rest = count - i; rest > 0) store_vector(apply(i, rest), out + i, rest);
    return true;
}

template <class T>
inline constexpr Compute compute_of = Compute::boolean;
template <>
inline constexpr Compute compute_of<bool> = Compute::boolean;
template <>
inline constexpr Compute compute_of<uint8_t> = Compute::uint8;
template <>
inline constexpr Compute compute_of<int8_t> = Compute::int8;
template <>
inline constexpr Compute compute_of<int16_t> = Compute::int16;
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
using Bool = Types<bool>;
using Integers = Types<uint8_t, int8_t, int16_t, int32_t, int64_t>;
using Reals = Types<float, double>;
using Complexes = Types<complex64, complex128>;
using Fields = Types<float, double, complex64, complex128>;

// One list of all types of several.
template <class... T, class... U>
constexpr Types<T..., U...> operator+(Types<T...>, Types<U...>) {
    return {};
}
using RealNumbers = decltype(Integers{} + Reals{});
using Numbers = decltype(Integers{} + Fields{});
using BoolAndIntegers = decltype(Bool{} + Integers{});
using BoolAndReals = decltype(Bool{} + RealNumbers{});
using All = decltype(Bool{} + Numbers{});

inline BlockFunction& entry(PointwiseTable& table, Pointwise op, Compute compute) {
    return table.blocks[static_cast<int>(op)][static_cast<int>(compute)];
}

// Registers f for every type of the list, computed element by element (the compiler vectorizes the loop) ...
template <int arity, class... T, class F>
void scalars(PointwiseTable& table, Pointwise op, Types<T...>, F) {
    ((entry(table, op, compute_of<T>) = scalar_block<arity, T, F>), ...);
}
// ... or vector by vector: of floats also as stored in the half types, but for the narrowest vectors, whose
// conversion costs most of it.
template <int arity, class T, class F>
void vectors_of(PointwiseTable& table, Pointwise op) {
    entry(table, op, compute_of<T>) = vector_block<arity, T, T, F>;
    if constexpr (std::is_same_v<T, float> && vector_bytes > 16) {
        table.halves[static_cast<int>(op)][0] = vector_block<arity, float, Half, F>;
        table.halves[static_cast<int>(op)][1] = vector_block<arity, float, BFloat16, F>;
    }
}
template <int arity, class... T, class F>
void vectors(PointwiseTable& table, Pointwise op, Types<T...>, F) {
    (vectors_of<arity, T, F>(table, op), ...);
}
// ... or so only as the functions compute, which take so long that converting adds little.
template <int arity, class... T, class F>
void long_vectors(PointwiseTable& table, Pointwise op, Types<T...>, F) {
    ((entry(table, op, compute_of<T>) = vector_block<arity, T, T, F>), ...);
}

}  // namespace
}  // namespace rl::kernels::RUSHLIGHT_ISA
