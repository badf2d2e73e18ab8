// Largest elements of windows: the choice of instruction set.
#include "kernels/pool.h"

namespace rl::kernels {

RUSHLIGHT_DECLARE_TABLES(PoolKernels, pool_table)

const PoolKernels& pool_kernels() {
    static const PoolKernels& table = RUSHLIGHT_SELECT(pool_table);
    return table;
}

void max_pool(DType dtype, int64_t planes, int64_t inner, const AxisWindows* windows, const void* input,
              void* output, int64_t* indices) {
    pool_kernels().max_pool(dtype, planes, inner, windows, input, output, indices);
}

void max_pool_gradient(DType dtype, int64_t planes, int64_t inner, int64_t count, int64_t size,
                       const void* grad, const int64_t* indices, void* grad_input) {
    pool_kernels().max_pool_gradient(dtype, planes, inner, count, size, grad, indices, grad_input);
}

}  // namespace rl::kernels
