// Matrix products: the choice of instruction set and of compute type.
#include "kernels/gemm.h"

namespace rl::kernels {

RUSHLIGHT_DECLARE_TABLES(GemmKernels, gemm_table)

const GemmKernels& gemm_kernels() {
    static const GemmKernels& table = RUSHLIGHT_SELECT(gemm_table);
    return table;
}

void gemm(const GemmProblem& problem) {
    const GemmKernels& kernels = gemm_kernels();
    switch (problem.dtype) {
        case DType::float16:
        case DType::bfloat16:
            return kernels.reduced(problem);
        case DType::float32:
            return kernels.single(problem);
        case DType::float64:
            return kernels.twofold(problem);
        case DType::complex64:
        case DType::complex128:
            return kernels.complex(problem);
        default:
            return kernels.integer(problem);
    }
}

void gemm_widened(const GemmProblem& problem) {
    gemm_kernels().widened(problem);
}

}  // namespace rl::kernels
