// One step of an optimizer over contiguous memory: a single pass that reads each number once and writes it
// once.
#pragma once

#include <cstdint>

#include "core/dtype.h"

namespace rl::kernels {

struct SgdStep {
    double lr, momentum, dampening, weight_decay;
    bool nesterov, maximize;
    bool first;  // the velocity starts as the gradient
};

struct AdamStep {
    double lr, beta1, beta2, weight_decay, eps;
    double step;     // number of this step, from 1
    bool decoupled;  // weight decay acts on the parameter (AdamW), not on the gradient
    bool amsgrad, maximize;
};

// Arrays hold `count` values of one floating dtype. `velocity` is null without momentum, `largest_square`
// without amsgrad.
void sgd_step(DType dtype, int64_t count, void* parameter, const void* gradient, void* velocity,
              const SgdStep& step);
void adam_step(DType dtype, int64_t count, void* parameter, const void* gradient, void* average, void* square,
               void* largest_square, const AdamStep& step);

// The steps of one instruction set, on one thread.
struct OptimizerKernels {
    void (*sgd_float)(int64_t, float*, const float*, float*, const SgdStep&);
    void (*sgd_double)(int64_t, double*, const double*, double*, const SgdStep&);
    void (*adam_float)(int64_t, float*, const float*, float*, float*, float*, const AdamStep&);
    void (*adam_double)(int64_t, double*, const double*, double*, double*, double*, const AdamStep&);
};

}  // namespace rl::kernels
