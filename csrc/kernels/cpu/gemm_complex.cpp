// Matrix products of complex types.
#include "kernels/cpu/gemm_run.h"

namespace rl::kernels::RUSHLIGHT_ISA {

void gemm_complex(const GemmProblem& problem);
void gemm_complex(const GemmProblem& problem) {
    if (problem.dtype == DType::complex64)
        run_gemm<complex64>(problem);
    else
        run_gemm<complex128>(problem);
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
