// Reductions in C++: sums, extrema, moments and norms over any dimensions.
#pragma once

#include <optional>
#include <tuple>

#include "core/tensor.h"

namespace rl::ops {

using OptionalDims = std::optional<Dims>;  // none, or an empty list: all dimensions

Tensor sum(const Tensor& self, const OptionalDims& dim = {}, bool keepdim = false,
           std::optional<DType> dtype = {});
Tensor mean(const Tensor& self, const OptionalDims& dim = {}, bool keepdim = false,
            std::optional<DType> dtype = {});
Tensor prod(const Tensor& self, const std::optional<int64_t>& dim = {}, bool keepdim = false,
            std::optional<DType> dtype = {});
Tensor amax(const Tensor& self, const Dims& dim = {}, bool keepdim = false);
Tensor amin(const Tensor& self, const Dims& dim = {}, bool keepdim = false);
std::tuple<Tensor, Tensor> max_along(const Tensor& self, int64_t dim, bool keepdim = false);
std::tuple<Tensor, Tensor> min_along(const Tensor& self, int64_t dim, bool keepdim = false);
Tensor argmax(const Tensor& self, std::optional<int64_t> dim = {}, bool keepdim = false);
Tensor argmin(const Tensor& self, std::optional<int64_t> dim = {}, bool keepdim = false);
Tensor any(const Tensor& self, const OptionalDims& dim = {}, bool keepdim = false);
Tensor all(const Tensor& self, const OptionalDims& dim = {}, bool keepdim = false);
Tensor var(const Tensor& self, const OptionalDims& dim = {}, const std::optional<Scalar>& correction = {},
           bool keepdim = false);
// Variance and mean.
std::tuple<Tensor, Tensor> var_mean(const Tensor& self, const OptionalDims& dim = {},
                                    const std::optional<Scalar>& correction = {}, bool keepdim = false);
Tensor logsumexp(const Tensor& self, const Dims& dim, bool keepdim = false);
Tensor vector_norm(const Tensor& self, const Scalar& ord = 2, const OptionalDims& dim = {},
                   bool keepdim = false, std::optional<DType> dtype = {});

// Sums the dimensions in which `sizes` was broadcast to the shape of `self`.
Tensor sum_to_size(const Tensor& self, IntSpan sizes);

// A result without the dimensions in `mask` of a tensor of `ndim`, with them as size one: for broadcasting
// against the tensor that was reduced.
Tensor restore_dims(const Tensor& reduced, uint64_t mask, bool keepdim, int64_t ndim);

}  // namespace rl::ops
