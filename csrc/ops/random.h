// Random tensors in C++.
#pragma once

#include "core/generator.h"
#include "core/tensor.h"

namespace rl::ops {

// These fill `self` in place, on the graph, and return it.
Tensor normal_(const Tensor& self, double mean = 0, double std = 1, Generator* generator = nullptr);
Tensor uniform_(const Tensor& self, double from = 0, double to = 1, Generator* generator = nullptr);
Tensor bernoulli_(const Tensor& self, double p, Generator* generator = nullptr);
Tensor exponential_(const Tensor& self, double lambda = 1, Generator* generator = nullptr);

// Sets elements to zero with probability p and scales the others so that their mean stays.
Tensor dropout(const Tensor& input, double p, bool train);

}  // namespace rl::ops
