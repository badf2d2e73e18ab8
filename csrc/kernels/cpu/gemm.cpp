// Matrix products of float32, and the table of all of them.
#include "kernels/gemm.h"

#include "kernels/cpu/gemm_run.h"

namespace rl::kernels::RUSHLIGHT_ISA {

void gemm_reduced(const GemmProblem& problem);
void gemm_twofold(const GemmProblem& problem);
void gemm_integer(const GemmProblem& problem);
void gemm_complex(const GemmProblem& problem);
void gemm_widened(const GemmProblem& problem);

extern const GemmKernels gemm_table;
const GemmKernels gemm_table = {&gemm_reduced, &run_gemm<float>, &gemm_twofold,
                                &gemm_integer, &gemm_complex,    &gemm_widened};

}  // namespace rl::kernels::RUSHLIGHT_ISA
