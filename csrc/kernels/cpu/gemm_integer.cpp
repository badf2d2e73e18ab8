// Matrix products of the integer types and bool, multiplied as wider numbers, which wraps as the narrow type
// would; to the lowest byte of a result signs make no difference.
#include "kernels/cpu/gemm_run.h"

namespace rl::kernels::RUSHLIGHT_ISA {

void gemm_integer(const GemmProblem& problem);
void gemm_integer(const GemmProblem& problem) {
    switch (problem.dtype) {
        case DType::boolean:
            return run_gemm<bool>(problem);
        case DType::uint8:
        case DType::int8:
            return run_gemm<int8_t>(problem);
        case DType::int16:
            return run_gemm<int16_t>(problem);
        case DType::int32:
            return run_gemm<int32_t>(problem);
        default:
            return run_gemm<int64_t>(problem);
    }
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
