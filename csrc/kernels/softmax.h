// Softmax and log-softmax along one dimension, and the cross entropy of logits with class indices.
#pragma once

#include "core/dtype.h"

namespace rl::kernels {

// Contiguous [outer, size, inner], along `size`.
struct SoftmaxShape {
    int64_t outer;
    int64_t size;
    int64_t inner;
};

// Contiguous, of one floating-point type throughout; those of cross entropy are float32 or float64.
struct SoftmaxKernels {
    void (*forward)(bool log, DType dtype, const void* in, void* out, const SoftmaxShape& shape);
    // From the gradient of the output and the output.
    void (*backward)(bool log, DType dtype, const void* gradient, const void* out, void* in_gradient,
                     const SoftmaxShape& shape);

    // losses[i] = log_sums[i] - logits[i, targets[i]], 0 where the target is `ignored`; log_sums[i] is the
    // logarithm of the sum of exp(logits[i]). Targets are in range.
    void (*cross_entropy)(DType dtype, const void* logits, const int64_t* targets, int64_t ignored,
                          int64_t rows, int64_t classes, void* losses, void* log_sums);
    // out[i, j] = scales[i] * (exp(logits[i, j] - log_sums[i]) - (j == targets[i])), 0 where ignored; scales
    // has one element for all rows or one for each.
    void (*cross_entropy_backward)(DType dtype, const void* logits, const void* log_sums,
                                   const int64_t* targets, int64_t ignored, int64_t rows, int64_t classes,
                                   const void* scales, bool one_scale, void* out);
};
const SoftmaxKernels& softmax_kernels();

}  // namespace rl::kernels
