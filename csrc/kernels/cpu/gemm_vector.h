// A few vectors times a matrix: bound by the reading of the matrix, which is read once and in long runs.
#pragma once

#include "kernels/cpu/gemm_blocks.h"

namespace rl::kernels::RUSHLIGHT_ISA {

inline constexpr int most_vectors = 4;
// So many where their products with columns that lie contiguous are summed in registers.
inline constexpr int most_dots = 8;

// Lane j of the first line becomes the sum of line[j]: pairs of lines share a vector, then pairs of pairs.
template <class T, int step = 1>
inline void add_up_lines(Vector<T>* line) {
    using Index = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;
    constexpr int width = lanes<T>;
    const auto low = constant_vector<Index>([](int j) { return (j & step) ? width + j - step : j; });
    const auto high = constant_vector<Index>([](int j) { return (j & step) ? width + j : j + step; });
    for (int i = 0; i < width; i += 2 * step)
        line[i] = __builtin_shuffle(line[i], line[i + step], low) +
                  __builtin_shuffle(line[i], line[i + step], high);
    if constexpr (2 * step < width) add_up_lines<T, 2 * step>(line);
}

// The sum of a line's lanes.
template <class T, int step = lanes<T> / 2>
inline T add_up(Vector<T> line) {
    using Index = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;
    line += __builtin_shuffle(line, constant_vector<Index>([](int j) { return j ^ step; }));
    if constexpr (step > 1)
        return add_up<T, step / 2>(line);
    else
        return line[0];
}

// `count` rows of A, converted and contiguous, against B.
template <class S, int count>
struct VectorProduct {
    using T = Compute<S>;
    static constexpr int width = lanes<T>;
    // Columns of B whose sums fill a square of vectors.
    static constexpr int padded = count == 3 ? 4 : count;
    static constexpr int group = std::max(1, width / padded);

    const T* x;  // [count, pitch]
    int64_t pitch;
    const S* b;
    int64_t b_column, b_row;

    // As many elements as a vector has lanes, known when compiled, or fewer. The memory's speed depends on
    // how many loops run ahead of it, and so on their being short.
    using Whole = std::integral_constant<int, width>;
    template <class E>
    [[gnu::always_inline]] static Vector<T> load_some(const E* source, Whole) {
        return load_converted(source);
    }
    template <class E>
    [[gnu::always_inline]] static Vector<T> load_some(const E* source, int here) {
        return load_converted(source, here);
    }

    // sums[i * sums_pitch + j] over a piece of the depth, for columns of B that lie contiguous.
    void dots(Range columns, Range depth, T* sums, int64_t sums_pitch) const {
        for (int64_t j = 0; j < columns.count; j += group) {
            const int here = static_cast<int>(std::min<int64_t>(group, columns.count - j));
            Vector<T> line[group * padded];
            if (here != 1 && (here != group || padded != count))
                std::fill_n(line, group * padded, Vector<T>{});
            constexpr int step = std::min(4, group);
            int c = 0;
            for (; c + step <= here; c += step) sum_products<step>(columns.first + j + c, depth, line + c);
            for (; c < here; ++c) sum_products<1>(columns.first + j + c, depth, line + c);
            if (here == 1) {
                for (int i = 0; i < count; ++i) sums[i * sums_pitch + j] = add_up<T>(line[i * group]);
                continue;
            }
            T total[group * padded];
            for (int square = 0; square < group * padded; square += width) {
                add_up_lines<T>(line + square);
                store_vector(total + square, line[square]);
            }
            for (int i = 0; i < count; ++i) std::copy_n(total + i * group, here, sums + i * sums_pitch + j);
        }
    }
    // The products of `columns` columns with every vector, a vector of partial sums for each.
    template <int columns>
    void sum_products(int64_t j, Range depth, Vector<T>* line) const {
        const S* source = b + j * b_column + depth.first;
        Vector<T> sum[columns][count] = {};
        const auto add = [&](int64_t k, auto here) [[gnu::always_inline]] {
            Vector<T> left[count];
            for (int i = 0; i < count; ++i) left[i] = load_some(x + i * pitch + depth.first + k, here);
            for (int c = 0; c < columns; ++c) {
                const Vector<T> right = load_some(source + c * b_column + k, here);
                for (int i = 0; i < count; ++i) sum[c][i] += left[i] * right;
            }
        };
        int64_t k = 0;
        for (; k + width <= depth.count; k += width) add(k, Whole{});
        if (k < depth.count) add(k, static_cast<int>(depth.count - k));
        for (int c = 0; c < columns; ++c)
            for (int i = 0; i < count; ++i) line[i * group + c] = sum[c][i];
    }

    // The same for rows of B that lie contiguous; `sums` has room for whole vectors.
    void combinations(Range columns, Range depth, T* sums, int64_t sums_pitch) const {
        if constexpr (std::is_same_v<S, T>) {
            if (b_row == columns.count && b_row == 2) return narrow_rows<2>(depth, sums, sums_pitch);
            if (b_row == columns.count && b_row == 3) return narrow_rows<3>(depth, sums, sums_pitch);
            if (b_row == columns.count && b_row == 4) return narrow_rows<4>(depth, sums, sums_pitch);
            if constexpr (count <= 2) {
                if (b_row == columns.count && b_row == 8) return narrow_rows<8>(depth, sums, sums_pitch);
            }
        }
        const int64_t whole = ceil_divide(columns.count, width) * width;
        for (int i = 0; i < count; ++i) std::fill_n(sums + i * sums_pitch, whole, T(0));
        int64_t k = depth.first;
        const int64_t end = depth.first + depth.count;
        for (; k + 4 <= end; k += 4) add_rows<4>(columns, k, sums, sums_pitch);
        for (; k < end; ++k) add_rows<1>(columns, k, sums, sums_pitch);
    }
    // Rows of a few numbers without gaps are read as one line: a vector's width of rows fills `columns`
    // vectors, and lane l of vector v belongs to row (v * width + l) / columns of them.
    template <int columns>
    void narrow_rows(Range depth, T* sums, int64_t sums_pitch) const {
        using Index = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;
        Vector<Index> row[columns];
        for (int v = 0; v < columns; ++v)
            for (int lane = 0; lane < width; ++lane) row[v][lane] = (v * width + lane) / columns;
        Vector<T> sum[count][columns] = {};
        const int64_t end = depth.first + depth.count;
        int64_t k = depth.first;
        for (; k + width <= end; k += width) {
            Vector<T> right[columns];
            for (int v = 0; v < columns; ++v) right[v] = load_vector(b + k * columns + v * width);
            for (int i = 0; i < count; ++i) {
                const Vector<T> left = load_vector(x + i * pitch + k);
                for (int v = 0; v < columns; ++v) sum[i][v] += __builtin_shuffle(left, row[v]) * right[v];
            }
        }
        for (int i = 0; i < count; ++i) {
            T total[columns] = {};
            for (int v = 0; v < columns; ++v)
                for (int lane = 0; lane < width; ++lane)
                    total[(v * width + lane) % columns] += sum[i][v][lane];
            for (int64_t rest = k; rest < end; ++rest)
                for (int c = 0; c < columns; ++c) total[c] += x[i * pitch + rest] * b[rest * columns + c];
            std::copy_n(total, columns, sums + i * sums_pitch);
        }
    }
    template <int rows>
    void add_rows(Range columns, int64_t k, T* sums, int64_t sums_pitch) const {
        const S* source = b + k * b_row + columns.first;
        const auto add = [&](int64_t j, auto here) [[gnu::always_inline]] {
            Vector<T> sum[2][count] = {};  // two chains, each half as long
            for (int i = 0; i < count; ++i) sum[0][i] = load_vector(sums + i * sums_pitch + j);
#pragma GCC unroll 8
            for (int r = 0; r < rows; ++r) {
                const Vector<T> right = load_some(source + r * b_row + j, here);
#pragma GCC unroll 4
                for (int i = 0; i < count; ++i) sum[r % 2][i] += x[i * pitch + k + r] * right;
            }
            for (int i = 0; i < count; ++i) store_vector(sums + i * sums_pitch + j, sum[0][i] + sum[1][i]);
        };
        int64_t j = 0;
        for (; j + width <= columns.count; j += width) add(j, Whole{});
        if (j < columns.count) add(j, static_cast<int>(columns.count - j));
    }
};

// Columns are shared out in chunks; where they are few and deep, depth is as well, and its pieces add up in
// order.
template <class S, int count>
void multiply_vectors(const GemmProblem& p, const Compute<S>* x, int64_t pitch,
                      const StridedTarget<S>& target) {
    using T = Compute<S>;
    const VectorProduct<S, count> product{x, pitch, static_cast<const S*>(p.b), p.b_column, p.b_row};
    const bool contiguous_depth = p.b_row == 1;
    // Contiguous columns and rows are read four at a time, fewer streams than the processor fetches ahead of:
    // the longer the better.
    const int64_t chunk = contiguous_depth ? std::clamp<int64_t>(p.n / 16, 64, 512) : 8192 / count;
    const int64_t chunks = ceil_divide(p.n, chunk);
    const int64_t pieces = chunks >= 16 ? 1 : std::clamp<int64_t>(p.n * p.k >> 17, 1, 16 / chunks);
    const int64_t columns = piece(p.n, chunks, 0).count, room = (columns + 15) / 16 * 16;
    T* partial = nullptr;
    if (pieces > 1)
        partial =
            scratch_array<T>(ScratchUse::accumulator, static_cast<size_t>(pieces * chunks * count * room));
    const auto finish = [&](const T* sums, Range range) {
        target.store(sums, room, 0, range.first, static_cast<int>(p.m), static_cast<int>(range.count), true,
                     true);
        target.finish(0, range.first, p.m, range.count);
    };
    const int64_t tasks = chunks * pieces;
    const bool small = p.n * p.k * count < parallel_work;
    parallel_for(0, tasks, small ? tasks : 1, [&](int64_t begin, int64_t end) {
        for (int64_t task = begin; task < end; ++task) {
            const Range range = piece(p.n, chunks, task / pieces), depth = piece(p.k, pieces, task % pieces);
            T* sums = partial != nullptr
                          ? partial + task * count * room
                          : scratch_array<T>(ScratchUse::local, static_cast<size_t>(count * room));
            if (contiguous_depth)
                product.dots(range, depth, sums, room);
            else if constexpr (count <= most_vectors)
                product.combinations(range, depth, sums, room);
            if (partial == nullptr) finish(sums, range);
        }
    });
    if (partial == nullptr) return;
    for (int64_t chunk = 0; chunk < chunks; ++chunk) {
        const Range range = piece(p.n, chunks, chunk);
        T* sums = partial + chunk * pieces * count * room;
        for (int64_t next = 1; next < pieces; ++next)
            for (int i = 0; i < count; ++i)
                for (int64_t j = 0; j < range.count; ++j)
                    sums[i * room + j] += sums[(next * count + i) * room + j];
        finish(sums, range);
    }
}

template <class S>
void vector_product(const GemmProblem& p, const StridedTarget<S>& target) {
    using T = Compute<S>;
    const S* a = static_cast<const S*>(p.a);
    const T* x = nullptr;
    int64_t pitch = p.a_row;
    if constexpr (std::is_same_v<S, T>) {
        if (p.a_column == 1) x = a;
    }
    const int64_t rows = p.m <= most_vectors ? p.m : most_dots;
    if (x == nullptr || rows != p.m) {
        T* converted = scratch_array<T>(ScratchUse::vector, static_cast<size_t>(rows * p.k));
        std::fill(converted + p.m * p.k, converted + rows * p.k, T(0));
        for (int64_t i = 0; i < p.m; ++i)
            for (int64_t k = 0; k < p.k; ++k)
                converted[i * p.k + k] = static_cast<T>(a[i * p.a_row + k * p.a_column]);
        x = converted;
        pitch = p.k;
    }
    switch (rows) {
        case 1:
            return multiply_vectors<S, 1>(p, x, pitch, target);
        case 2:
            return multiply_vectors<S, 2>(p, x, pitch, target);
        case 3:
            return multiply_vectors<S, 3>(p, x, pitch, target);
        case 4:
            return multiply_vectors<S, 4>(p, x, pitch, target);
        default:
            if constexpr (std::is_same_v<S, T>) return multiply_vectors<S, most_dots>(p, x, pitch, target);
    }
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
