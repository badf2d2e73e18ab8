// Steps of optimizers over contiguous float32 or float64 memory.
#pragma once

#include "core/dtype.h"

namespace rl::kernels {

// Gradient descent: velocity = momentum * velocity + (1 - dampening) * gradient, at the first step the
// gradient itself.
struct DescentStep {
    double rate;
    double momentum;
    double dampening;
    double weight_decay;
    bool nesterov;
    bool maximize;
    bool first;
};

// Adam (Kingma & Ba, 2014); `decoupled` shrinks the parameter instead of adding to the gradient.
struct AdamStep {
    double rate;
    double beta1;
    double beta2;
    double weight_decay;
    double eps;
    bool decoupled;
    bool maximize;
    double correction1;  // 1 - beta1^t
    double correction2;  // 1 - beta2^t
};

struct OptimizerKernels {
    // velocity is null where momentum is 0.
    void (*descend)(const DescentStep& step, DType dtype, int64_t count, void* parameter,
                    const void* gradient, void* velocity);
    // greatest, the greatest squares so far (Reddi et al., 2018), may be null.
    void (*adam)(const AdamStep& step, DType dtype, int64_t count, void* parameter, const void* gradient,
                 void* mean, void* square, void* greatest);
};
const OptimizerKernels& optimizer_kernels();

}  // namespace rl::kernels
