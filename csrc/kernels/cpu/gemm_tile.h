// The register tile of a matrix product: one panel of A times one of B over the whole depth, with every
// accumulator in a register.
//
// A packed panel of A holds, for each k, `rows` elements side by side; a packed panel of B holds `vectors`
// SIMD vectors for each k. A complex panel holds a plane of real parts and then one of imaginary parts for
// each k. Panels need not be packed where the matrix itself can be read as well.
#pragma once

#include "kernels/cpu/gemm_types.h"

namespace rl::kernels::RUSHLIGHT_ISA {

// Element (r, k) of A is at a[r * a_row + k * a_step]; row k of B starts at b + k * b_step.
template <class T>
struct TileOperands {
    int64_t depth;
    const Real<T>* a;
    int64_t a_row, a_step;
    const Real<T>* b;
    int64_t b_step;
    // Of tiles of words alone: bits of the left words to be turned over; what each column's sums start from,
    // if not zero; and where the results go as 16-bit floats, if not to the tile's sums.
    uint32_t flip = 0;
    const Real<T>* start = nullptr;
    BFloat16* narrow = nullptr;
};

// out[r * pitch + j] = alpha * sum_k a[r, k] * b[k, j] for j < columns, added to what is there when
// `accumulate`. Of the tile's last vector only the lanes below `columns` are written.
template <class T>
using TileKernel = void (*)(const TileOperands<T>& operands, T* out, int64_t pitch, int columns, T alpha,
                            bool accumulate);

// Writes a tile's sums as TileKernel says; the last vector has `last_lanes` lanes.
template <class T, int rows, int vectors>
[[gnu::always_inline]] inline void store_sums(const Vector<LaneOf<T>> (&sum)[rows][vectors], T* out,
                                              int64_t pitch, int last_lanes, T alpha, bool accumulate) {
    using Lane = LaneOf<T>;
    constexpr int width = lanes<T>;
    const bool scaled = alpha != T(1);
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 4
        for (int v = 0; v < vectors; ++v) {
            const int count = v + 1 < vectors ? width : last_lanes;
            Lane* target = reinterpret_cast<Lane*>(out) + r * pitch + v * width;
            Vector<Lane> value = sum[r][v];
            if (scaled) value *= static_cast<Lane>(alpha);
            if (accumulate) value += load_lanes(target, count);
            store_lanes(target, value, count);
        }
    }
}

// Rows of A that no panel holds are reached from every third one: x86 adds a stride or twice a stride.
inline constexpr int rows_a_pointer = 3;

template <class T, int rows, int vectors, bool packed>
void multiply_tile(const TileOperands<T>& operands, T* out, int64_t pitch, int columns, T alpha,
                   bool accumulate) {
    using Lane = LaneOf<T>;
    constexpr int width = lanes<T>, pointers = (rows + rows_a_pointer - 1) / rows_a_pointer;
    const int last_lanes = columns - (vectors - 1) * width;
    const int64_t depth = operands.depth, row = packed ? 1 : operands.a_row;
    const int64_t step = packed ? rows : operands.a_step, b_step = packed ? vectors * width : operands.b_step;
    const Lane* right = reinterpret_cast<const Lane*>(operands.b);
    const Lane* left[pointers];
    for (int i = 0; i < pointers; ++i)
        left[i] = reinterpret_cast<const Lane*>(operands.a) + i * rows_a_pointer * row;
    Vector<Lane> sum[rows][vectors] = {};
    for (int64_t k = 0; k < depth; ++k) {
        Vector<Lane> column[vectors];
        for (int v = 0; v < vectors; ++v)
            column[v] = packed || v + 1 < vectors ? load_vector(right + v * width)
                                                  : load_lanes(right + v * width, last_lanes);
        for (int r = 0; r < rows; ++r) {
            const Lane x = left[r / rows_a_pointer][r % rows_a_pointer * row];
            for (int v = 0; v < vectors; ++v) sum[r][v] += x * column[v];
        }
        for (int i = 0; i < pointers; ++i) left[i] += step;
        right += b_step;
    }
    store_sums<T>(sum, out, pitch, last_lanes, alpha, accumulate);
}

template <class T, int rows, int vectors>
void multiply_complex_tile(const TileOperands<T>& operands, T* out, int64_t pitch, int columns, T alpha,
                           bool accumulate) {
    using V = Vector<Real<T>>;
    constexpr int width = lanes<T>;
    const Real<T>* left = operands.a;
    const Real<T>* right = operands.b;
    V real[rows][vectors] = {}, imaginary[rows][vectors] = {};
    for (int64_t k = 0; k < operands.depth; ++k) {
        V column[2][vectors];
        for (int p = 0; p < 2; ++p)
            for (int v = 0; v < vectors; ++v) column[p][v] = load_vector(right + (p * vectors + v) * width);
        for (int r = 0; r < rows; ++r) {
            const Real<T> x = left[r], y = left[rows + r];
            for (int v = 0; v < vectors; ++v) {
                real[r][v] += x * column[0][v];
                imaginary[r][v] += x * column[1][v];
                real[r][v] -= y * column[1][v];
                imaginary[r][v] += y * column[0][v];
            }
        }
        left += rows * 2;
        right += vectors * width * 2;
    }
    for (int r = 0; r < rows; ++r) {
        for (int j = 0; j < columns; ++j) {
            T& target = out[r * pitch + j];
            const T value =
                product(alpha, T(real[r][j / width][j % width], imaginary[r][j / width][j % width]));
            target = accumulate ? target + value : value;
        }
    }
}

template <class T, bool packed, int vectors, int... counts>
inline TileKernel<T> tile_kernel_of(int rows, std::integer_sequence<int, counts...>) {
    if constexpr (is_complex_type<T>) {
        static constexpr TileKernel<T> kernels[] = {&multiply_complex_tile<T, counts + 1, vectors>...};
        return kernels[rows - 1];
    } else {
        static constexpr TileKernel<T> kernels[] = {&multiply_tile<T, counts + 1, vectors, packed>...};
        return kernels[rows - 1];
    }
}

// The kernel for so many rows and vectors; `packed` where both panels are.
template <class T, bool packed>
inline TileKernel<T> tile_kernel(int rows, int vectors) {
    constexpr auto counts = std::make_integer_sequence<int, tile_rows<T>>();
    return vectors == 1 ? tile_kernel_of<T, packed, 1>(rows, counts)
                        : tile_kernel_of<T, packed, 2>(rows, counts);
}

// The kernel of two packed panels, which writes whole vectors.
template <class T>
struct TileFunction {
    TileKernel<T> kernel;
    int rows, vectors;
    void operator()(int64_t depth, const Real<T>* a, const Real<T>* b, T* out, int64_t pitch, T alpha,
                    bool accumulate) const {
        kernel({depth, a, 1, rows, b, vectors * lanes<T>}, out, pitch, vectors * lanes<T>, alpha, accumulate);
    }
};
template <class T>
inline TileFunction<T> tile_function(int rows, int vectors) {
    return {tile_kernel<T, true>(rows, vectors), rows, vectors};
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
