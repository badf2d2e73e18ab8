// Products of bytes: by VNNI where the processor has it, and with sums of 32 bits.
#include <numeric>

#include "kernels/cpu/gemm_words.h"

namespace rl::kernels::RUSHLIGHT_ISA {

namespace {

#if defined(__AVX512F__)
// The sums of B's columns.
void sum_columns(const GemmProblem& p, int32_t* sums) {
    const auto* b = static_cast<const int8_t*>(p.b);
    parallel_for(0, p.n, std::max<int64_t>(64, parallel_work / (p.k + 1)), [&](int64_t begin, int64_t end) {
        if (p.b_row == 1 && p.k > 0) {
            for (int64_t j = begin; j < end; ++j) {
                const int8_t* column = b + j * p.b_column;
                sums[j] = std::accumulate(column, column + p.k, 0);
            }
        } else {
            std::fill(sums + begin, sums + end, 0);
            for (int64_t k = 0; k < p.k; ++k)
                for (int64_t j = begin; j < end; ++j) sums[j] += b[k * p.b_row + j * p.b_column];
        }
    });
}
#endif

template <class S>
void multiply_widened(const GemmProblem& p) {
    StridedTarget<int32_t> target{static_cast<int32_t*>(p.c), p.c_row, p.c_column, nullptr, 0, 0, 1, 0};
#if defined(__AVX512F__)
    constexpr bool signed_left = std::is_same_v<S, int8_t>;
    if (QuadsOfBytes<signed_left>::available() && signed_left) {
        auto* sums = scratch_array<int32_t>(ScratchUse::accumulator, static_cast<size_t>(p.n));
        sum_columns(p, sums);
        target.addend = sums;
        target.addend_column = 1;
        target.beta = -128;
    }
    if (multiply_words<QuadsOfBytes<signed_left>>(p, target)) return;
#endif
    const StridedSource<S> left{static_cast<const S*>(p.a), p.a_row, p.a_column, p.m};
    const StridedSource<int8_t> right{static_cast<const int8_t*>(p.b), p.b_column, p.b_row, p.n};
    blocked_product<int32_t>(p.m, p.n, p.k, left, right, target);
}

}  // namespace

// Of a sum that ends in a byte only that byte matters, to which signs make no difference.
bool multiply_quads([[maybe_unused]] const GemmProblem& p,
                    [[maybe_unused]] const StridedTarget<int8_t>& target) {
#if defined(__AVX512F__)
    return multiply_words<QuadsOfBytes<false>>(p, target);
#else
    return false;
#endif
}

void gemm_widened(const GemmProblem& problem);
void gemm_widened(const GemmProblem& problem) {
    if (problem.m == 0 || problem.n == 0) return;
    if (problem.dtype == DType::uint8)
        multiply_widened<uint8_t>(problem);
    else
        multiply_widened<int8_t>(problem);
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
