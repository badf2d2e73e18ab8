// Copies in C++: other types, other memory, constants in the shape of another tensor.
#pragma once

#include <optional>

#include "core/tensor.h"

namespace rl::ops {

// The values of `self` in another type; `self` itself where it has it already. Differentiable.
Tensor to(const Tensor& self, DType dtype);
// A copy in new memory. Differentiable.
Tensor clone(const Tensor& self);
Tensor clone(const Tensor& self, MemoryFormat format);
// `self` where it is contiguous already, else a contiguous copy. Differentiable.
Tensor contiguous(const Tensor& self);
Tensor contiguous(const Tensor& self, MemoryFormat format);

// Throws Error with PyTorch's wording where a number cannot be an element of the type: out of range, or
// complex.
void check_fits(const Scalar& value, DType dtype);

// Writes source, broadcast and converted, into self; and constants. On the graph. Return self.
Tensor copy_(const Tensor& self, const Tensor& source);
Tensor fill_(const Tensor& self, const Scalar& value);
Tensor zero_(const Tensor& self);

// New tensors with the sizes, order of dimensions, device and (unless given) type of `self`.
Tensor zeros_like(const Tensor& self, std::optional<DType> dtype = {});
Tensor ones_like(const Tensor& self, std::optional<DType> dtype = {});
Tensor full_like(const Tensor& self, const Scalar& value, std::optional<DType> dtype = {});

}  // namespace rl::ops
