// A whole product for elements stored as S: its batch, its orientation and the path that suits its shape.
#pragma once

#include "kernels/cpu/gemm_blocks.h"

namespace rl::kernels::RUSHLIGHT_ISA {

inline constexpr int most_vectors = 4;

// Up to four rows of A, converted and contiguous, against the columns of B.
template <class S>
struct VectorProduct {
    using T = Compute<S>;
    static constexpr int width = lanes<T>;
    const T* x;  // [count, depth]
    int64_t depth;
    const S* b;
    int64_t lane_stride, k_stride;
    StridedTarget<S> c;

    // Columns of B that lie contiguous: dot products, `count` vectors with `columns` columns at a time.
    template <int count, int columns>
    void dots(int64_t j) const {
        Vector<T> sum[columns][count] = {};
        int64_t k = 0;
        for (; k + width <= depth; k += width) {
            Vector<T> left[count];
            for (int i = 0; i < count; ++i) left[i] = load_vector(x + i * depth + k);
            for (int column = 0; column < columns; ++column) {
                const Vector<T> right = load_converted(b + (j + column) * lane_stride + k);
                for (int i = 0; i < count; ++i) sum[column][i] += left[i] * right;
            }
        }
        for (int column = 0; column < columns; ++column) {
            for (int i = 0; i < count; ++i) {
                T value = 0;
                for (int lane = 0; lane < width; ++lane) value += sum[column][i][lane];
                for (int64_t rest = k; rest < depth; ++rest)
                    value += x[i * depth + rest] * static_cast<T>(b[(j + column) * lane_stride + rest]);
                c.put(value, i, j + column, true, true);
            }
        }
    }
    template <int count>
    void all_dots(int64_t begin, int64_t end) const {
        int64_t j = begin;
        for (; j + 4 <= end; j += 4) dots<count, 4>(j);
        for (; j < end; ++j) dots<count, 1>(j);
    }

    // Rows of B that lie contiguous: one vector against `vectors` SIMD vectors of columns.
    template <int vectors>
    void combination(int64_t j) const {
        Vector<T> sum[vectors] = {};
        for (int64_t k = 0; k < depth; ++k)
            for (int v = 0; v < vectors; ++v)
                sum[v] += x[k] * load_converted(b + k * k_stride + j + v * width);
        for (int v = 0; v < vectors; ++v)
            for (int lane = 0; lane < width; ++lane) c.put(sum[v][lane], 0, j + v * width + lane, true, true);
    }
    void all_combinations(int64_t begin, int64_t end) const {
        int64_t j = begin;
        for (; j + 8 * width <= end; j += 8 * width) combination<8>(j);
        for (; j + width <= end; j += width) combination<1>(j);
        for (; j < end; ++j) {
            T sum = 0;
            for (int64_t k = 0; k < depth; ++k) sum += x[k] * static_cast<T>(b[k * k_stride + j]);
            c.put(sum, 0, j, true, true);
        }
    }
};

template <class S>
void vector_product(const GemmProblem& p, const StridedTarget<S>& target) {
    using T = Compute<S>;
    T* x = scratch_array<T>(ScratchUse::vector, static_cast<size_t>(p.m * p.k));
    const S* a = static_cast<const S*>(p.a);
    for (int64_t i = 0; i < p.m; ++i)
        for (int64_t k = 0; k < p.k; ++k) x[i * p.k + k] = static_cast<T>(a[i * p.a_row + k * p.a_column]);
    const VectorProduct<S> product{x, p.k, static_cast<const S*>(p.b), p.b_column, p.b_row, target};
    const bool combine = p.b_row != 1;
    const int64_t step = combine ? 8 * lanes<T> : 4;
    const int64_t chunk = std::max<int64_t>(1, 65536 / (p.k * p.m * step)) * step;
    parallel_for(0, p.n, p.m * p.n * p.k < parallel_work ? p.n : chunk, [&](int64_t begin, int64_t end) {
        if (combine) return product.all_combinations(begin, end);
        switch (p.m) {
            case 1:
                return product.template all_dots<1>(begin, end);
            case 2:
                return product.template all_dots<2>(begin, end);
            case 3:
                return product.template all_dots<3>(begin, end);
            default:
                return product.template all_dots<4>(begin, end);
        }
    });
}

// The same product with its transpose as the result: Cᵀ = Bᵀ·Aᵀ.
inline void transpose_problem(GemmProblem& p) {
    std::swap(p.m, p.n);
    std::swap(p.a, p.b);
    std::swap(p.a_row, p.b_column);
    std::swap(p.a_column, p.b_row);
    std::swap(p.c_row, p.c_column);
    std::swap(p.addend_row, p.addend_column);
}

// Tiles are wide and written along rows, so rows of C should be contiguous and columns many. But where depth
// is contiguous in both operands, the smaller should be the right one, which has to be transposed to be
// packed.
template <class T>
bool better_transposed(const GemmProblem& p) {
    if (p.n <= most_vectors || p.m <= most_vectors) return p.n < p.m;
    const bool rows = p.c_column == 1, columns = p.c_row == 1;
    if (p.a_column == 1 && p.b_row == 1 && p.b_column != 1 && (rows || columns)) {
        const int64_t other = rows ? p.m : p.n;
        if (other <= 256) return rows ? p.n > 2 * p.m : p.n >= 2 * p.m;
    }
    return columns && !rows;
}

template <class S>
void run_matrix(GemmProblem p) {
    using T = Compute<S>;
    if (better_transposed<T>(p)) transpose_problem(p);
    StridedTarget<S> target{static_cast<S*>(p.c),
                            p.c_row,
                            p.c_column,
                            static_cast<const S*>(p.addend),
                            p.addend_row,
                            p.addend_column,
                            factor_value<T>(p.alpha),
                            factor_value<T>(p.beta)};
    if constexpr (std::is_floating_point_v<T>) {
        const bool contiguous = p.b_row == 1 || (p.b_column == 1 && p.m == 1);
        if (p.m <= most_vectors && p.k > 0 && contiguous) return vector_product(p, target);
        if (!std::is_same_v<S, T> && p.k > Blocking<T>::depth) {
            target.block_rows = std::clamp<int64_t>((int64_t{1} << 22) / p.n, 1, target.block_rows);
            const int64_t rows = std::min(p.m, target.block_rows);
            target.partial = scratch_array<T>(ScratchUse::accumulator, static_cast<size_t>(rows * p.n));
            target.partial_pitch = p.n;
        }
    }
    const StridedSource<S> left{static_cast<const S*>(p.a), p.a_row, p.a_column, p.m};
    const StridedSource<S> right{static_cast<const S*>(p.b), p.b_column, p.b_row, p.n};
    blocked_product<T>(p.m, p.n, p.k, left, right, target);
}

template <class S>
void run_gemm(const GemmProblem& problem) {
    if (problem.m == 0 || problem.n == 0) return;
    int64_t items = 1;
    for (int d = 0; d < problem.batch_rank; ++d) items *= problem.batch[d].size;
    const auto run_items = [&](int64_t begin, int64_t end) {
        for (int64_t item = begin; item < end; ++item) {
            GemmProblem p = problem;
            int64_t a = 0, b = 0, c = 0, addend = 0, rest = item;
            for (int d = problem.batch_rank - 1; d >= 0; --d) {
                const BatchDim& dim = problem.batch[d];
                const int64_t index = rest % dim.size;
                rest /= dim.size;
                a += index * dim.a;
                b += index * dim.b;
                c += index * dim.c;
                addend += index * dim.addend;
            }
            p.a = static_cast<const S*>(problem.a) + a;
            p.b = static_cast<const S*>(problem.b) + b;
            p.c = static_cast<S*>(problem.c) + c;
            if (problem.addend != nullptr) p.addend = static_cast<const S*>(problem.addend) + addend;
            run_matrix<S>(p);
        }
    };
    // Small items are shared out whole; large ones are shared out inside.
    const int64_t work = std::max<int64_t>(1, problem.m * problem.n * problem.k);
    if (work >= 4 * parallel_work)
        run_items(0, items);
    else
        parallel_for(0, items, std::max<int64_t>(1, parallel_work / work), run_items);
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
