// The register tile of a matrix product, and the packing of operands into the panels that it reads.
//
// A panel of A holds, for each k, `rows` elements side by side; a panel of B holds `vectors` SIMD vectors for
// each k. A complex panel holds a plane of real parts and then one of imaginary parts for each k. The tile
// multiplies one panel of each over the whole depth with every accumulator in a register.
#pragma once

#include <algorithm>
#include <complex>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "core/dtype.h"
#include "kernels/gemm.h"
#include "kernels/simd/vec.h"

namespace rl::kernels::RUSHLIGHT_ISA {

#if defined(__AVX512F__)
inline constexpr int real_tile_rows = 12;
#else
inline constexpr int real_tile_rows = 6;
#endif

template <class T>
struct VectorOf {
    typedef T type __attribute__((vector_size(vector_bytes)));
};
template <class T>
using Vector = typename VectorOf<T>::type;

template <class T>
struct RealOf {
    using type = T;
};
template <class T>
struct RealOf<std::complex<T>> {
    using type = T;
};
template <class T>
using Real = typename RealOf<T>::type;

template <class T>
inline constexpr bool is_complex_type = !std::is_same_v<T, Real<T>>;
template <class T>
inline constexpr int planes = is_complex_type<T> ? 2 : 1;
template <class T>
inline constexpr int lanes = vector_bytes / static_cast<int>(sizeof(Real<T>));
template <class T>
inline constexpr int tile_rows = is_complex_type<T> ? real_tile_rows / 2 : real_tile_rows;
template <class T>
inline constexpr int tile_columns = 2 * lanes<T>;

template <class T>
inline Vector<T> load_vector(const T* source) {
    Vector<T> value;
    std::memcpy(&value, source, sizeof(value));
    return value;
}
template <class T>
inline void store_vector(T* target, Vector<T> value) {
    std::memcpy(target, &value, sizeof(value));
}

// The type that elements stored as S are multiplied in.
template <class S>
struct ComputeOf {
    using type = int64_t;
};
template <>
struct ComputeOf<Half> {
    using type = float;
};
template <>
struct ComputeOf<BFloat16> {
    using type = float;
};
template <>
struct ComputeOf<float> {
    using type = float;
};
template <>
struct ComputeOf<double> {
    using type = double;
};
template <>
struct ComputeOf<complex64> {
    using type = complex64;
};
template <>
struct ComputeOf<complex128> {
    using type = complex128;
};
template <class S>
using Compute = typename ComputeOf<S>::type;

template <class S>
inline S to_storage(Compute<S> value) {
    if constexpr (std::is_same_v<S, bool>)
        return value != 0;
    else
        return static_cast<S>(value);
}

// std::complex's own product looks for NaN in its result, and would go through memory-unfriendly library
// calls.
template <class T>
inline T product(T x, T y) {
    if constexpr (is_complex_type<T>) {
        return T(x.real() * y.real() - x.imag() * y.imag(), x.real() * y.imag() + x.imag() * y.real());
    } else if constexpr (std::is_same_v<T, int64_t>) {
        return static_cast<int64_t>(static_cast<uint64_t>(x) * static_cast<uint64_t>(y));
    } else {
        return x * y;
    }
}
template <class T>
inline T total(T x, T y) {
    if constexpr (std::is_same_v<T, int64_t>) {
        return static_cast<int64_t>(static_cast<uint64_t>(x) + static_cast<uint64_t>(y));
    } else {
        return x + y;
    }
}

template <class T>
inline T factor_value(const Factor& factor) {
    if constexpr (is_complex_type<T>)
        return T(static_cast<Real<T>>(factor.real), static_cast<Real<T>>(factor.imag));
    else if constexpr (std::is_same_v<T, int64_t>)
        return factor.integer;
    else
        return static_cast<T>(factor.real);
}

// out[r * pitch + j] = alpha * sum_k a[k, r] * b[k, j], added to what is there when `accumulate`.
template <class T>
using TileFunction = void (*)(int64_t depth, const Real<T>* a, const Real<T>* b, T* out, int64_t pitch,
                              T alpha, bool accumulate);

// Integer lanes multiply as unsigned numbers, which wrap.
template <class T>
using LaneOf = std::conditional_t<std::is_same_v<T, int64_t>, uint64_t, Real<T>>;

template <class T, int rows, int vectors>
void multiply_tile(int64_t depth, const Real<T>* a, const Real<T>* b, T* out, int64_t pitch, T alpha,
                   bool accumulate) {
    using Lane = LaneOf<T>;
    using V = Vector<Lane>;
    constexpr int width = lanes<T>;
    const Lane* left = reinterpret_cast<const Lane*>(a);
    const Lane* right = reinterpret_cast<const Lane*>(b);
    V sum[rows][vectors][planes<T>] = {};
    for (int64_t k = 0; k < depth; ++k) {
        V column[planes<T>][vectors];
        for (int p = 0; p < planes<T>; ++p)
            for (int v = 0; v < vectors; ++v) column[p][v] = load_vector(right + (p * vectors + v) * width);
        for (int r = 0; r < rows; ++r) {
            for (int v = 0; v < vectors; ++v) {
                if constexpr (planes<T> == 2) {
                    const Lane real = left[r], imag = left[rows + r];
                    sum[r][v][0] += real * column[0][v];
                    sum[r][v][1] += real * column[1][v];
                    sum[r][v][0] -= imag * column[1][v];
                    sum[r][v][1] += imag * column[0][v];
                } else {
                    sum[r][v][0] += left[r] * column[0][v];
                }
            }
        }
        left += rows * planes<T>;
        right += vectors * width * planes<T>;
    }
    for (int r = 0; r < rows; ++r) {
        for (int v = 0; v < vectors; ++v) {
            if constexpr (planes<T> == 2) {
                for (int j = 0; j < width; ++j) {
                    T& target = out[r * pitch + v * width + j];
                    const T value = product(alpha, T(sum[r][v][0][j], sum[r][v][1][j]));
                    target = accumulate ? target + value : value;
                }
            } else {
                Lane* target = reinterpret_cast<Lane*>(out) + r * pitch + v * width;
                V value = static_cast<Lane>(alpha) * sum[r][v][0];
                if (accumulate) value += load_vector(target);
                store_vector(target, value);
            }
        }
    }
}

template <class T, int vectors, int... counts>
inline TileFunction<T> tile_function_of(int rows, std::integer_sequence<int, counts...>) {
    static constexpr TileFunction<T> functions[] = {&multiply_tile<T, counts + 1, vectors>...};
    return functions[rows - 1];
}
template <class T>
inline TileFunction<T> tile_function(int rows, int vectors) {
    constexpr auto counts = std::make_integer_sequence<int, tile_rows<T>>();
    return vectors == 1 ? tile_function_of<T, 1>(rows, counts) : tile_function_of<T, 2>(rows, counts);
}

// Transposes a square of vectors held in registers, by exchanging ever larger blocks.
template <class T>
inline void transpose_square(Vector<T> (&line)[lanes<T>]) {
    using Index = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;
    constexpr int width = lanes<T>;
#pragma GCC unroll 4
    for (int step = 1; step < width; step *= 2) {
        Vector<Index> low, high;
        for (int j = 0; j < width; ++j) {
            low[j] = (j & step) ? width + j - step : j;
            high[j] = (j & step) ? width + j : j + step;
        }
        for (int i = 0; i < width; ++i) {
            if (i & step) continue;
            const Vector<T> first = line[i], second = line[i + step];
            line[i] = __builtin_shuffle(first, second, low);
            line[i + step] = __builtin_shuffle(first, second, high);
        }
    }
}

template <class S>
inline Vector<Compute<S>> load_converted(const S* source) {
    using T = Compute<S>;
    if constexpr (std::is_same_v<S, T>) {
        return load_vector(source);
    } else {
        T values[lanes<T>];
        for (int j = 0; j < lanes<T>; ++j) values[j] = static_cast<T>(source[j]);
        return load_vector(values);
    }
}

// Writes target[k * pitch + lane] for `count` lanes (at most one vector) and zeros (or, where they are
// readable, the next lanes) after them: a vector each time, which may spill past the pitch and, at the end,
// past the panel. `readable` lanes may be read.
template <class S>
void pack_strip(const S* source, int64_t lane_stride, int64_t k_stride, int count, int64_t readable,
                int64_t depth, Compute<S>* target, int64_t pitch) {
    using T = Compute<S>;
    constexpr int width = lanes<T>;
    if (lane_stride == 1 && readable >= width) {
        for (int64_t k = 0; k < depth; ++k)
            store_vector(target + k * pitch, load_converted(source + k * k_stride));
        return;
    }
    int64_t k = 0;
    if (k_stride == 1) {
        for (; k + width <= depth; k += width) {
            Vector<T> line[width];
            for (int lane = 0; lane < width; ++lane)
                line[lane] = lane < count ? load_converted(source + lane * lane_stride + k) : Vector<T>{};
            transpose_square<T>(line);
            for (int j = 0; j < width; ++j) store_vector(target + (k + j) * pitch, line[j]);
        }
    }
    for (; k < depth; ++k) {
        for (int lane = 0; lane < count; ++lane)
            target[k * pitch + lane] = static_cast<T>(source[lane * lane_stride + k * k_stride]);
        for (int lane = count; lane < width; ++lane) target[k * pitch + lane] = T{};
    }
}

// The planes of a complex strip: reals at target, imaginary parts `plane` elements further.
template <class S>
void pack_complex_strip(const S* source, int64_t lane_stride, int64_t k_stride, int count, int64_t depth,
                        Real<S>* target, int64_t pitch, int64_t plane, int padded) {
    for (int64_t k = 0; k < depth; ++k) {
        for (int lane = 0; lane < padded; ++lane) {
            const S value = lane < count ? source[lane * lane_stride + k * k_stride] : S{};
            target[k * pitch + lane] = value.real();
            target[k * pitch + plane + lane] = value.imag();
        }
    }
}

// A strided matrix as either operand; `lane` runs along the panel's width.
template <class S>
struct StridedSource {
    using T = Compute<S>;
    const S* data;
    int64_t lane_stride, k_stride;
    int64_t size;  // lanes in all

    // A panel for the left operand: `rows` lanes side by side.
    void pack_rows(int64_t first, int rows, int64_t k, int64_t depth, Real<T>* target) const {
        const S* source = data + first * lane_stride + k * k_stride;
        if constexpr (is_complex_type<T>) {
            pack_complex_strip(source, lane_stride, k_stride, rows, depth, target, 2 * rows, rows, rows);
        } else {
            // From the last strip to the first: each spills into lanes that are written after it.
            for (int lane = (rows - 1) / lanes<T> * lanes<T>; lane >= 0; lane -= lanes<T>) {
                pack_strip(source + lane * lane_stride, lane_stride, k_stride,
                           std::min(rows - lane, lanes<T>), size - first - lane, depth, target + lane, rows);
            }
        }
    }
    // A panel for the right operand: `vectors` vectors side by side, zero past `count` lanes.
    void pack_columns(int64_t first, int count, int vectors, int64_t k, int64_t depth,
                      Real<T>* target) const {
        constexpr int width = lanes<T>;
        for (int v = 0; v < vectors; ++v) {
            const S* source = data + (first + v * width) * lane_stride + k * k_stride;
            const int here = std::clamp(count - v * width, 0, width);
            if constexpr (is_complex_type<T>) {
                const int64_t pitch = int64_t{2} * vectors * width;
                pack_complex_strip(source, lane_stride, k_stride, here, depth, target + v * width, pitch,
                                   vectors * width, width);
            } else {
                pack_strip(source, lane_stride, k_stride, here, here, depth, target + v * width,
                           int64_t{vectors} * width);
            }
        }
    }
};

}  // namespace rl::kernels::RUSHLIGHT_ISA
