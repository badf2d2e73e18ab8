// Attention in tiles, with memory in proportion to the length: scores exist for some queries and keys at a
// time (Dao et al., FlashAttention, 2022).
#pragma once

#include <cstdint>

#include "core/dtype.h"
#include "kernels/dispatch.h"

namespace rl::kernels {

// Strides are in elements, for (batch, head, row, column). Several heads of queries may share one of keys and
// values.
struct AttentionProblem {
    DType dtype = DType::float32;  // or float64
    int64_t batch = 0, heads = 0, key_heads = 0, queries = 0, keys = 0, width = 0, value_width = 0;
    double scale = 1;
    bool causal = false;        // query i sees keys 0 to i
    bool boolean_mask = false;  // else numbers of the dtype, which are added
    const void* query = nullptr;
    const void* key = nullptr;
    const void* value = nullptr;
    const void* mask = nullptr;  // null for none
    int64_t query_stride[4] = {}, key_stride[4] = {}, value_stride[4] = {}, mask_stride[4] = {};
    // Dropout: the weights that stay (batch, heads, queries, keys), contiguous, multiplied by `kept_factor`.
    const bool* kept = nullptr;  // null for none
    double kept_factor = 1;
};

// Output (batch, heads, queries, value_width) and the logarithm of each query's sum of exponentials (batch,
// heads, queries), contiguous. A query that sees no key gives zeros and minus infinity.
void attention_forward(const AttentionProblem& problem, void* output, void* log_sum);

// Gradients, contiguous, from contiguous output, log_sum and gradient of the output.
void attention_backward(const AttentionProblem& problem, const void* output, const void* log_sum,
                        const void* grad_output, void* grad_query, void* grad_key, void* grad_value);

struct AttentionKernels {
    void (*forward)(const AttentionProblem&, void* output, void* log_sum);
    void (*backward)(const AttentionProblem&, const void* output, const void* log_sum,
                     const void* grad_output, void* grad_query, void* grad_key, void* grad_value);
};
const AttentionKernels& attention_kernels();

}  // namespace rl::kernels
