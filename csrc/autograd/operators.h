// The few operators that autograd itself needs; the floor above fills them in when the module starts.
#pragma once

#include "core/tensor.h"

namespace rl {

struct AutogradOperators {
    Tensor (*add)(const Tensor&, const Tensor&);
    void (*add_in_place)(const Tensor&, const Tensor&);
    Tensor (*sum_to_size)(const Tensor&, IntSpan);
    Tensor (*to_dtype)(const Tensor&, DType);
    Tensor (*real)(const Tensor&);
    Tensor (*clone)(const Tensor&);
    Tensor (*zeros)(IntSpan, TensorOptions);
    Tensor (*ones_like)(const Tensor&);
    // dst[...] = src converted, without gradients; the shapes are equal.
    void (*copy_data)(const Tensor& dst, const Tensor& src);
    // These three are differentiable. A view of memory with the given geometry; a copy with the given
    // strides; zeroing in place.
    Tensor (*as_strided)(const Tensor&, IntSpan sizes, IntSpan strides, int64_t offset);
    Tensor (*clone_strided)(const Tensor&, IntSpan strides);
    void (*zero_in_place)(const Tensor&);
    bool (*has_nan)(const Tensor&);
};
extern AutogradOperators autograd_operators;

}  // namespace rl
