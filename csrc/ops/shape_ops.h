// Operators that move elements about, in C++: joining, repeating, reversing, triangles and diagonals.
#pragma once

#include <optional>

#include "core/tensor.h"

namespace rl::ops {

Tensor cat(const TensorList& tensors, int64_t dim = 0);
Tensor stack(const TensorList& tensors, int64_t dim = 0);
Tensor flip(const Tensor& self, const Dims& dims);
Tensor roll(const Tensor& self, const Dims& shifts, const Dims& dims = {});
Tensor repeat(const Tensor& self, const Dims& repeats);
Tensor repeat_interleave(const Tensor& self, int64_t repeats, const std::optional<int64_t>& dim = {});

Tensor tril(const Tensor& self, int64_t diagonal = 0);
Tensor triu(const Tensor& self, int64_t diagonal = 0);
Tensor diag(const Tensor& self, int64_t diagonal = 0);
Tensor diag_embed(const Tensor& self, int64_t offset = 0, int64_t dim1 = -2, int64_t dim2 = -1);
Tensor trace(const Tensor& self);

}  // namespace rl::ops
