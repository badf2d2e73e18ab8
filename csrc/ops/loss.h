// What losses share: their reductions.
#pragma once

#include "ops/reduction.h"

namespace rl::ops {

// As PyTorch numbers them.
enum Reduce : int64_t { reduce_none = 0, reduce_mean = 1, reduce_sum = 2 };

inline Tensor reduced(const Tensor& losses, int64_t reduction) {
    if (reduction == reduce_mean) return mean(losses);
    return reduction == reduce_sum ? sum(losses) : losses;
}

}  // namespace rl::ops
