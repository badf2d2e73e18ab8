// New tensors in C++: constants, sequences, memory like that of another tensor.
#pragma once

#include "core/tensor.h"

namespace rl::ops {

Tensor zeros(IntSpan sizes, TensorOptions options = {});
Tensor ones(IntSpan sizes, TensorOptions options = {});
Tensor full(IntSpan sizes, const Scalar& value, TensorOptions options = {});
// 0, 1, ..., end - 1.
Tensor arange(int64_t end, TensorOptions options = {DType::int64, {}});
// start, start + step, ... up to, but without, end.
Tensor arange(const Scalar& start, const Scalar& end, const Scalar& step, TensorOptions options);
Tensor eye(int64_t rows, int64_t columns, TensorOptions options = {});

}  // namespace rl::ops
