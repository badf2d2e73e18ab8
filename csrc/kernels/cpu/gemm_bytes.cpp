// Products of bytes: by VNNI where the processor has it, and with sums of 32 bits.
#include "kernels/cpu/gemm_words.h"

namespace rl::kernels::RUSHLIGHT_ISA {

namespace {

template <class S>
void multiply_widened(const GemmProblem& p) {
    StridedTarget<int32_t> target{static_cast<int32_t*>(p.c), p.c_row, p.c_column, nullptr, 0, 0, 1, 0};
#if defined(__AVX512F__)
    constexpr uint32_t flip = std::is_same_v<S, int8_t> ? 0x80808080u : 0;
    if (multiply_words<QuadsOfBytes>(p, target, flip)) return;
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
    return multiply_words<QuadsOfBytes>(p, target);
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
