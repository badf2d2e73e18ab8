// A whole product for elements stored as S: its batch, its orientation and the path that suits its shape.
#pragma once

#include "kernels/cpu/gemm_vector.h"

namespace rl::kernels::RUSHLIGHT_ISA {

// The same product with its transpose as the result: Cᵀ = Bᵀ·Aᵀ.
inline void transpose_problem(GemmProblem& p) {
    std::swap(p.m, p.n);
    std::swap(p.a, p.b);
    std::swap(p.a_forms, p.b_forms);
    std::swap(p.a_row, p.b_column);
    std::swap(p.a_column, p.b_row);
    std::swap(p.c_row, p.c_column);
    std::swap(p.addend_row, p.addend_column);
    for (int d = 0; d < p.batch_rank; ++d) std::swap(p.batch[d].a, p.batch[d].b);
}

// Tiles read both operands where they lie before any other path has started.
inline bool is_tiny(const GemmProblem& p) {
    return p.b_column == 1 && p.m * p.n * p.k <= 512;
}

// Tiles are wide and written along rows, so rows of C should be contiguous and columns many. But where depth
// is contiguous in both operands, the smaller should be the right one, which has to be transposed to be
// packed.
template <class T>
bool better_transposed(const GemmProblem& p) {
    if (is_tiny(p)) return false;
    if (p.n <= most_vectors || p.m <= most_vectors) return p.n < p.m;
    if (p.m <= most_dots && p.m < p.n && p.b_row == 1) return false;
    if (p.n <= most_dots && p.n < p.m && p.a_column == 1) return true;
    const bool rows = p.c_column == 1, columns = p.c_row == 1;
    if (p.a_column == 1 && p.b_row == 1 && p.b_column != 1 && (rows || columns)) {
        const int64_t other = rows ? p.m : p.n;
        if (other <= 256) return rows ? p.n > 2 * p.m : p.n >= 2 * p.m;
    }
    return columns && !rows;
}

// So few multiplications that preparing for vectors would take longer.
inline bool is_scalar(const GemmProblem& p) {
    return p.m * p.n * p.k <= (p.m == 1 || p.n == 1 ? 64 : 8);
}

// Pointers into A and B, how far apart neighbouring sums have theirs, and how far each goes in a step.
template <class S>
struct ScalarTerms {
    const S* a;
    const S* b;
    int64_t a_next, b_next, a_step, b_step;
};
template <class S, int count>
std::array<Compute<S>, count> sum_scalars(ScalarTerms<S> terms, int64_t depth) {
    using T = Compute<S>;
    std::array<T, count> sum{};
    for (; depth > 0; --depth) {
        asm("" : "+r"(depth));  // GCC would prepare for vectors what takes a few rounds
        for (int c = 0; c < count; ++c)
            sum[static_cast<size_t>(c)] =
                total(sum[static_cast<size_t>(c)], product(static_cast<T>(terms.a[c * terms.a_next]),
                                                           static_cast<T>(terms.b[c * terms.b_next])));
        terms.a += terms.a_step;
        terms.b += terms.b_step;
    }
    return sum;
}

// Two vectors that lie contiguous.
template <class S>
Compute<S> contiguous_dot(const S* a, const S* b, int64_t depth) {
    using T = Compute<S>;
    Vector<T> sum = {};
    int64_t k = 0;
    for (; k + lanes<T> <= depth; k += lanes<T>) sum += load_converted(a + k) * load_converted(b + k);
    const auto rest = static_cast<int>(depth - k);
    if (rest > 0) sum += load_converted(a + k, rest) * load_converted(b + k, rest);
    return add_up<T>(sum);
}

// Sums of neighbours in C, or of parts of the depth of one element, need not wait for each other.
template <class S>
void scalar_product(const GemmProblem& p, const StridedTarget<S>& target) {
    const S* a = static_cast<const S*>(p.a);
    const S* b = static_cast<const S*>(p.b);
    if (p.m == 1 && p.n == 1) {
        if constexpr (std::is_floating_point_v<Compute<S>>) {
            if (p.a_column == 1 && p.b_row == 1 && p.k >= lanes<Compute<S>>) {
                target.put(contiguous_dot(a, b, p.k), 0, 0, true, true);
                return target.finish(0, 0, 1, 1);
            }
        }
        const int64_t rounds = p.k / 4, done = 4 * rounds;
        const auto sum = sum_scalars<S, 4>({a, b, p.a_column, p.b_row, 4 * p.a_column, 4 * p.b_row}, rounds);
        const auto rest = sum_scalars<S, 1>(
            {a + done * p.a_column, b + done * p.b_row, 0, 0, p.a_column, p.b_row}, p.k - done);
        const auto all = total(total(total(sum[0], sum[1]), total(sum[2], sum[3])), rest[0]);
        target.put(all, 0, 0, true, true);
        return target.finish(0, 0, 1, 1);
    }
    const bool rows = p.m > p.n;
    const int64_t lines = rows ? p.n : p.m, length = rows ? p.m : p.n;
    const auto run = [&]<int count>(std::integral_constant<int, count>, int64_t line, int64_t first) {
        const int64_t i = rows ? first : line, j = rows ? line : first;
        const auto sum = sum_scalars<S, count>({a + i * p.a_row, b + j * p.b_column, rows ? p.a_row : 0,
                                                rows ? 0 : p.b_column, p.a_column, p.b_row},
                                               p.k);
        for (int c = 0; c < count; ++c)
            target.put(sum[static_cast<size_t>(c)], i + (rows ? c : 0), j + (rows ? 0 : c), true, true);
    };
    for (int64_t line = 0; line < lines; ++line) {
        int64_t done = 0;
        for (; done + 4 <= length; done += 4) run(std::integral_constant<int, 4>(), line, done);
        if (length - done == 3)
            run(std::integral_constant<int, 3>(), line, done);
        else if (length - done == 2)
            run(std::integral_constant<int, 2>(), line, done);
        else if (length - done == 1)
            run(std::integral_constant<int, 1>(), line, done);
    }
    target.finish(0, 0, p.m, p.n);
}

// A column times a row, bound by the writing of C, which goes line by line.
template <class S>
void outer_product(const GemmProblem& p) {
    using T = Compute<S>;
    using Lane = LaneOf<T>;
    const S* b = static_cast<const S*>(p.b);
    parallel_for(0, p.m, std::max<int64_t>(1, 65536 / p.n), [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            const auto x = static_cast<Lane>(static_cast<T>(static_cast<const S*>(p.a)[i * p.a_row]));
            S* line = static_cast<S*>(p.c) + i * p.c_row;
            const auto times_x = [x](Vector<T> y) {
                return std::bit_cast<Vector<T>>(x * std::bit_cast<Vector<Lane>>(y));
            };
            int64_t j = 0;
            for (; j + lanes<T> <= p.n; j += lanes<T>)
                store_converted(line + j, times_x(load_converted(b + j)));
            const auto rest = static_cast<int>(p.n - j);
            if (rest > 0) store_converted(line + j, times_x(load_converted(b + j, rest)), rest);
        }
    });
}

// Products by the processor's own instructions for narrow types; false where it has none.
bool multiply_pairs(const GemmProblem& p, const StridedTarget<BFloat16>& target);
bool multiply_quads(const GemmProblem& p, const StridedTarget<int8_t>& target);

template <class S>
StridedTarget<S> target_of(const GemmProblem& p) {
    using T = Compute<S>;
    return {static_cast<S*>(p.c),
            p.c_row,
            p.c_column,
            static_cast<const S*>(p.addend),
            p.addend_row,
            p.addend_column,
            factor_value<T>(p.alpha),
            factor_value<T>(p.beta),
            p.activation};
}

// p's first matrices, oriented as suits them.
template <class S>
void run_matrix(const GemmProblem& p) {
    using T = Compute<S>;
    StridedTarget<S> target = target_of<S>(p);
    if (is_scalar(p)) return scalar_product(p, target);
    if constexpr (has_lines<S>) {
        const bool plain = p.addend == nullptr && target.alpha == T(1) && p.activation == Activation::none;
        if (p.k == 1 && p.n >= 64 && plain && p.b_column == 1 && p.c_column == 1) return outer_product<S>(p);
    }
    if constexpr (std::is_floating_point_v<T>) {
        // A small B stays in the first cache, where tiles need no detour.
        const bool worthwhile =
            (p.b_row == 1 && !is_tiny(p)) || (p.b_column == 1 && (p.m == 1 || p.n * p.k > 8192));
        const bool dots = std::is_same_v<S, T> && p.m <= most_dots && p.b_row == 1 && p.n >= 64 && p.k >= 64;
        if (p.k > 0 && (dots || (p.m <= most_vectors && worthwhile))) return vector_product(p, target);
        if (target.rounds_once && p.k > Blocking<T>::depth) {
            target.most_rows = std::clamp<int64_t>((int64_t{1} << 22) / p.n, 1, most_inner_rows);
            const int64_t rows = std::min(p.m, target.most_rows);
            target.partial = scratch_array<T>(ScratchUse::accumulator, static_cast<size_t>(rows * p.n));
            target.partial_pitch = target.down() ? rows : p.n;
        }
    }
    if constexpr (std::is_same_v<S, BFloat16>) {
        if (multiply_pairs(p, target)) return;
    }
    if constexpr (std::is_same_v<S, int8_t>) {
        if (multiply_quads(p, target)) return;
    }
    const StridedSource<S> left{static_cast<const S*>(p.a), p.a_row, p.a_column, p.m, p.a_forms};
    const StridedSource<S> right{static_cast<const S*>(p.b), p.b_column, p.b_row, p.n, p.b_forms};
    blocked_product<T>(p.m, p.n, p.k, left, right, target);
}

template <class S>
void run_batch(const GemmProblem& problem) {
    int64_t items = 1;
    for (int d = 0; d < problem.batch_rank; ++d) items *= problem.batch[d].size;
    const auto run_items = [&](int64_t begin, int64_t end) {
        GemmProblem p = problem;
        const bool scalar = is_scalar(p);
        StridedTarget<S> target = target_of<S>(p);
        for (int64_t item = begin; item < end; ++item) {
            int64_t a = 0, b = 0, c = 0, addend = 0, rest = item;
            for (int d = problem.batch_rank - 1; d >= 0; --d) {
                const BatchDim& dim = problem.batch[d];
                const int64_t index = d == 0 ? rest : rest % dim.size;
                if (d != 0) rest /= dim.size;
                a += index * dim.a;
                b += index * dim.b;
                c += index * dim.c;
                addend += index * dim.addend;
            }
            p.a = static_cast<const S*>(problem.a) + a;
            p.b = static_cast<const S*>(problem.b) + b;
            p.c = static_cast<S*>(problem.c) + c;
            if (problem.addend != nullptr) p.addend = static_cast<const S*>(problem.addend) + addend;
            if (scalar) {
                target.data = static_cast<S*>(p.c);
                target.addend = static_cast<const S*>(p.addend);
                scalar_product(p, target);
            } else {
                run_matrix<S>(p);
            }
        }
    };
    // Small items are shared out whole; large ones are shared out inside. To start an item and to write its
    // elements takes as long as so many multiplications.
    constexpr int64_t to_start = 1024, to_write = 8;
    const int64_t elements = problem.m * problem.n, work = elements * problem.k;
    if (work >= 4 * parallel_work)
        run_items(0, items);
    else
        parallel_for(0, items, ceil_divide(parallel_work, work + to_write * elements + to_start), run_items);
}

template <class S>
void run_gemm(const GemmProblem& problem) {
    if (problem.m == 0 || problem.n == 0) return;
    const auto run = problem.batch_rank == 0 ? &run_matrix<S> : &run_batch<S>;
    if (!better_transposed<Compute<S>>(problem)) return run(problem);
    GemmProblem p = problem;
    transpose_problem(p);
    run(p);
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
