// Products of bfloat16 by AVX512-BF16, where the processor has it.
#include "kernels/cpu/gemm_words.h"

namespace rl::kernels::RUSHLIGHT_ISA {

bool multiply_pairs([[maybe_unused]] const GemmProblem& p,
                    [[maybe_unused]] const StridedTarget<BFloat16>& target) {
#if defined(__AVX512F__)
    return multiply_words<PairsOfBFloat16>(p, PairTarget{target});
#else
    return false;
#endif
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
