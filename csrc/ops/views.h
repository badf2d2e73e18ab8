// Views in C++: tensors that share the memory of their input, differentiable, in PyTorch's terms.
#pragma once

#include <optional>

#include "core/tensor.h"

namespace rl::ops {

Tensor view(const Tensor& self, const Dims& size);
// A view where the memory allows one, otherwise a copy.
Tensor reshape(const Tensor& self, const Dims& shape);
Tensor flatten(const Tensor& self, int64_t start_dim = 0, int64_t end_dim = -1);
Tensor unflatten(const Tensor& self, int64_t dim, const Dims& sizes);

Tensor transpose(const Tensor& self, int64_t dim0, int64_t dim1);
Tensor permute(const Tensor& self, const Dims& dims);
Tensor movedim(const Tensor& self, const Dims& source, const Dims& destination);
// The last two dimensions swapped.
Tensor mT(const Tensor& self);

Tensor select(const Tensor& self, int64_t dim, int64_t index);
Tensor slice(const Tensor& self, int64_t dim, std::optional<int64_t> start, std::optional<int64_t> end,
             int64_t step = 1);
Tensor narrow(const Tensor& self, int64_t dim, int64_t start, int64_t length);
TensorList unbind(const Tensor& self, int64_t dim = 0);
TensorList split(const Tensor& self, int64_t split_size, int64_t dim = 0);
TensorList split_with_sizes(const Tensor& self, const Dims& split_sizes, int64_t dim = 0);
TensorList chunk(const Tensor& self, int64_t chunks, int64_t dim = 0);

Tensor expand(const Tensor& self, const Dims& size, bool implicit = false);
Tensor squeeze(const Tensor& self);
Tensor squeeze(const Tensor& self, int64_t dim);
Tensor squeeze(const Tensor& self, const Dims& dims);
Tensor unsqueeze(const Tensor& self, int64_t dim);

Tensor as_strided(const Tensor& self, const Dims& size, const Dims& stride,
                  std::optional<int64_t> storage_offset = {});
Tensor diagonal(const Tensor& self, int64_t offset = 0, int64_t dim1 = 0, int64_t dim2 = 1);
// Zeros of the given sizes with `grad` on a diagonal.
Tensor diagonal_backward(const Tensor& grad, const Dims& sizes, int64_t offset, int64_t dim1, int64_t dim2);
Tensor unfold(const Tensor& self, int64_t dimension, int64_t size, int64_t step);

// Complex numbers as pairs of real ones in a last dimension, and back.
Tensor view_as_real(const Tensor& self);
Tensor view_as_complex(const Tensor& self);
// For real tensors the tensor itself; imag throws.
Tensor real(const Tensor& self);
Tensor imag(const Tensor& self);

// Gives `self` itself the geometry and the history of a view of it, as in-place forms of views do.
Tensor take_geometry(const Tensor& self, const Tensor& view);

}  // namespace rl::ops
