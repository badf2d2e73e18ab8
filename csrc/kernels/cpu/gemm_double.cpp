// Matrix products of float64.
#include "kernels/cpu/gemm_run.h"

namespace rl::kernels::RUSHLIGHT_ISA {

void gemm_twofold(const GemmProblem& problem);
void gemm_twofold(const GemmProblem& problem) {
    run_gemm<double>(problem);
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
