// Softmax and log-softmax along one dimension.
#include "ops/softmax.h"

#include <limits>

#include "autograd/record.h"
#include "core/gil.h"
#include "kernels/softmax.h"
#include "ops/arithmetic.h"
#include "ops/comparison.h"
#include "ops/conversion.h"
#include "ops/elementary.h"
#include "ops/reduction.h"
#include "ops/selection.h"

namespace rl::ops {
namespace {

using kernels::softmax_kernels;

kernels::SoftmaxShape softmax_shape(const Tensor& self, int64_t dim) {
    kernels::SoftmaxShape shape{1, self.dim() == 0 ? 1 : self.sizes()[dim], 1};
    for (int64_t i = 0; i < dim; ++i) shape.outer *= self.sizes()[i];
    for (int64_t i = dim + 1; i < self.dim(); ++i) shape.inner *= self.sizes()[i];
    return shape;
}

Tensor run_forward(bool log, const Tensor& self, int64_t dim, DType dtype) {
    const Tensor result = empty(self.sizes(), {dtype, self.device()});
    if (self.is_meta()) return result;
    const Tensor input = contiguous_data(self, dtype);
    const GilRelease released(4 * self.numel());
    softmax_kernels().forward(log, dtype, input.raw_data(), result.raw_data(), softmax_shape(self, dim));
    return result;
}

Tensor run_backward(bool log, const Tensor& grad, const Tensor& output, int64_t dim) {
    const DType dtype = output.dtype();
    const Tensor into = empty(output.sizes(), options_of(output));
    if (output.is_meta()) return into;
    const Tensor gradient = contiguous_data(grad, dtype), result = contiguous_data(output);
    const GilRelease released(4 * output.numel());
    softmax_kernels().backward(log, dtype, gradient.raw_data(), result.raw_data(), into.raw_data(),
                               softmax_shape(output, dim));
    return into;
}

// From differentiable operators where a second derivative is wanted, else from the kernel.
Tensor gradient(bool log, const Tensor& grad, const Tensor& output, int64_t dim) {
    if (!gradients_wanted({grad, output})) return run_backward(log, grad, output, dim);
    const Dims dims = output.dim() == 0 ? Dims() : Dims{dim};
    if (log) return grad - exp(output) * sum(grad, dims, true);
    const Tensor product = grad * output;
    return product - output * sum(product, dims, true);
}

Tensor softmax_of(bool log, const Tensor& self, int64_t dim, std::optional<DType> dtype) {
    const DType type = dtype.value_or(self.dtype());
    dim = wrap_dim(dim, self.dim());
    if (is_complex(type) || !is_floating(type))
        raise<NotImplemented>("\"", log ? "log_softmax" : "softmax", dim + 1 >= self.dim() ? "_lastdim" : "",
                              "_kernel_impl\" not implemented for '", info(type).scalar_name, "'");
    const Tensor result = run_forward(log, self, dim, type);
    return record(log ? "LogSoftmaxBackward0" : "SoftmaxBackward0", {self}, result, [&] {
        return [result = Saved(result), log, dim](const Tensor& grad) -> Gradients {
            return {gradient(log, grad, result.get(), dim)};
        };
    });
}

Tensor softmax_half(const Tensor& self, int64_t dim, bool half_to_float) {
    return softmax(self, dim, half_to_float ? std::optional(DType::float32) : std::nullopt);
}
Tensor log_softmax_half(const Tensor& self, int64_t dim, bool half_to_float) {
    return log_softmax(self, dim, half_to_float ? std::optional(DType::float32) : std::nullopt);
}

// Lines of nothing but -inf give zeros.
Tensor safe_softmax(const Tensor& self, int64_t dim, std::optional<DType> dtype) {
    const Tensor result = softmax(self, dim, dtype);
    const Tensor masked = eq(detach(self), wrap_number(-std::numeric_limits<double>::infinity()));
    return where(all(masked, self.dim() == 0 ? Dims() : Dims{dim}, true), Scalar(0), result);
}

}  // namespace

Tensor softmax(const Tensor& self, int64_t dim, std::optional<DType> dtype) {
    return softmax_of(false, self, dim, dtype);
}
Tensor log_softmax(const Tensor& self, int64_t dim, std::optional<DType> dtype) {
    return softmax_of(true, self, dim, dtype);
}

namespace {

const Register softmax_op{"softmax(Tensor self, int dim, ScalarType? dtype=None) -> Tensor",
                          softmax,
                          {.variants = function | method | out,
                           .doc = R"(exp(x) / sum(exp(x)) along a dimension; dtype converts the input first.

The largest value is taken out first, so that nothing overflows; 16-bit types are computed in float32.

    >>> rushlight.tensor([0., 0.]).softmax(0)
    tensor([0.5000, 0.5000])
)",
                           .dtypes = "floating"}};
const Register log_softmax_op{
    "log_softmax(Tensor self, int dim, ScalarType? dtype=None) -> Tensor",
    log_softmax,
    {.variants = function | method | out,
     .doc = R"(log(softmax(x)) along a dimension, without loss of accuracy for small probabilities.

    >>> rushlight.tensor([0., 0.]).log_softmax(0)
    tensor([-0.6931, -0.6931])
)",
     .dtypes = "floating"}};
const Register softmax_half_op{"_softmax(Tensor self, int dim, bool half_to_float) -> Tensor",
                               softmax_half,
                               {.variants = function | out,
                                .doc = R"(softmax, to float32 where half_to_float is set.)",
                                .dtypes = "floating"}};
const Register log_softmax_half_op{"_log_softmax(Tensor self, int dim, bool half_to_float) -> Tensor",
                                   log_softmax_half,
                                   {.variants = function | out,
                                    .doc = R"(log_softmax, to float32 where half_to_float is set.)",
                                    .dtypes = "floating"}};
const Register safe_softmax_op{"_safe_softmax(Tensor self, int dim, ScalarType? dtype=None) -> Tensor",
                               safe_softmax,
                               {.variants = function,
                                .doc = R"(softmax, with zeros for lines that are -inf throughout.)",
                                .dtypes = "floating"}};

}  // namespace
}  // namespace rl::ops
