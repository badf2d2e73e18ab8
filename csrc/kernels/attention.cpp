// Attention in tiles: the choice of instruction set.
#include "kernels/attention.h"

namespace rl::kernels {

RUSHLIGHT_DECLARE_TABLES(AttentionKernels, attention_table)

const AttentionKernels& attention_kernels() {
    static const AttentionKernels& table = RUSHLIGHT_SELECT(attention_table);
    return table;
}

void attention_forward(const AttentionProblem& problem, void* output, void* log_sum) {
    attention_kernels().forward(problem, output, log_sum);
}

void attention_backward(const AttentionProblem& problem, const void* output, const void* log_sum,
                        const void* grad_output, void* grad_query, void* grad_key, void* grad_value) {
    attention_kernels().backward(problem, output, log_sum, grad_output, grad_query, grad_key, grad_value);
}

}  // namespace rl::kernels
