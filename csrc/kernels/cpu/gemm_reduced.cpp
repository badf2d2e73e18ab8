// Matrix products of 16-bit floating-point types, summed in float.
#include "kernels/cpu/gemm_run.h"

namespace rl::kernels::RUSHLIGHT_ISA {

void gemm_reduced(const GemmProblem& problem);
void gemm_reduced(const GemmProblem& problem) {
    if (problem.dtype == DType::float16)
        run_gemm<Half>(problem);
    else
        run_gemm<BFloat16>(problem);
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
