// Reading and writing by index in C++: gather and scatter, slices by index, advanced indexing, masks.
#pragma once

#include "core/tensor.h"

namespace rl::ops {

Tensor gather(const Tensor& self, int64_t dim, const Tensor& index);
Tensor scatter(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src);
Tensor scatter_add(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src);

// Zeros of the given sizes with `values` at `index` along `dim`, where a reduction of that dimension had
// found them: the gradient of max, median and their like.
Tensor scatter_into_zeros(const Tensor& values, int64_t dim, const Tensor& index, IntSpan sizes,
                          bool keepdim);

Tensor index_select(const Tensor& self, int64_t dim, const Tensor& index);
Tensor index_add(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& source,
                 const Scalar& alpha = 1);
// index_add to zeros of the given sizes, without a copy of them: the gradient of reading slices. The index is
// int64, contiguous and in range.
Tensor index_add_to_zeros(IntSpan sizes, int64_t dim, const Tensor& index, const Tensor& source);
Tensor index_copy(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& source);

Tensor take(const Tensor& self, const Tensor& index);
Tensor masked_select(const Tensor& self, const Tensor& mask);
Tensor nonzero(const Tensor& self);

// Advanced indexing: one index tensor (integers or a mask) for each dimension in order, undefined ones
// meaning the whole dimension.
Tensor index(const Tensor& self, const TensorList& indices);
Tensor index_put(const Tensor& self, const TensorList& indices, const Tensor& values,
                 bool accumulate = false);
Tensor index_put_(const Tensor& self, const TensorList& indices, const Tensor& values,
                  bool accumulate = false);

}  // namespace rl::ops
