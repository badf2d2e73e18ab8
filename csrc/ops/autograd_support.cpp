// The operators that autograd itself needs, handed down to its floor.
#include "ops/autograd_support.h"

#include "autograd/operators.h"
#include "ops/arithmetic.h"
#include "ops/comparison.h"
#include "ops/conversion.h"
#include "ops/reduction.h"
#include "ops/views.h"

namespace rl::ops {
namespace {

bool contains_nan(const Tensor& tensor) {
    if (tensor.is_meta() || !is_differentiable(tensor.dtype())) return false;
    const GradientsEnabled disabled(false);
    return any(isnan(tensor)).item().to_bool();
}

}  // namespace

void provide_autograd_operators() {
    autograd_operators = {
        .add = [](const Tensor& a, const Tensor& b) { return add(a, b); },
        .add_in_place = [](const Tensor& a,
                           const Tensor& b) { add(a, b, 1, {Destination::Kind::in_place, a}); },
        .sum_to_size = [](const Tensor& tensor, IntSpan sizes) { return sum_to_size(tensor, Dims(sizes)); },
        .to_dtype = [](const Tensor& tensor, DType dtype) { return to(tensor, dtype); },
        .real = [](const Tensor& tensor) { return real(tensor); },
        .clone = [](const Tensor& tensor) { return clone(tensor); },
        .zeros =
            [](IntSpan sizes, TensorOptions options) {
                const Tensor result = empty(sizes, options);
                fill_data(result, 0);
                return result;
            },
        .ones_like =
            [](const Tensor& tensor) {
                const Tensor result = empty_like(tensor);
                fill_data(result, 1);
                return result;
            },
        .copy_data = copy_data,
        .as_strided = [](const Tensor& tensor, IntSpan sizes, IntSpan strides,
                         int64_t offset) { return as_strided(tensor, Dims(sizes), Dims(strides), offset); },
        .clone_strided =
            [](const Tensor& tensor, IntSpan strides) {
                return copy_(empty_strided(tensor.sizes(), strides, options_of(tensor)), tensor);
            },
        .zero_in_place = [](const Tensor& tensor) { zero_(tensor); },
        .has_nan = contains_nan,
    };
}

}  // namespace rl::ops
