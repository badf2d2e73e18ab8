// Running reductions along one dimension: cumsum, cumprod, logcumsumexp, cummax, cummin.
#include "kernels/scan.h"

#include <limits>

#include "autograd/record.h"
#include "core/gil.h"
#include "ops/arithmetic.h"
#include "ops/comparison.h"
#include "ops/conversion.h"
#include "ops/creation.h"
#include "ops/elementary.h"
#include "ops/indexing.h"
#include "ops/reduction.h"
#include "ops/scan.h"
#include "ops/selection.h"
#include "ops/shape_ops.h"
#include "ops/views.h"

namespace rl::ops {
namespace {

using kernels::Scan;

kernels::ScanShape scan_shape(const Tensor& self, int64_t dim) {
    kernels::ScanShape shape{1, self.dim() == 0 ? 1 : self.sizes()[dim], 1};
    for (int64_t i = 0; i < dim; ++i) shape.outer *= self.sizes()[i];
    for (int64_t i = dim + 1; i < self.dim(); ++i) shape.inner *= self.sizes()[i];
    return shape;
}

Tensor run_scan(Scan scan, const Tensor& self, int64_t dim, DType dtype) {
    const Tensor result = empty(self.sizes(), {dtype, self.device()});
    if (result.is_meta() || result.numel() == 0) return result;
    const bool widens = dtype == DType::int64 && is_integral(self.dtype(), true);
    const Tensor input = contiguous_data(self, widens ? self.dtype() : dtype);
    const DType in_dtype = input.dtype();
    const kernels::ScanShape shape = scan_shape(self, dim);
    const void* const from = input.raw_data();
    void* const into = result.raw_data();
    const GilRelease released(self.numel());
    kernels::scan_kernels().scan(scan, in_dtype, dtype, from, into, shape);
    return result;
}

DType total_dtype(const Tensor& self, std::optional<DType> dtype) {
    if (dtype.has_value()) return *dtype;
    return is_integral(self.dtype(), true) ? DType::int64 : self.dtype();
}

// Stands for the logarithm of zero: an infinity would turn into NaN in differences.
double lowest_number(DType dtype) {
    if (dtype == DType::float64) return std::numeric_limits<double>::lowest();
    return dtype == DType::float16 ? -65504 : -3e38;
}

Tensor reversed_cumsum(const Tensor& self, int64_t dim) {
    return flip(cumsum(flip(self, {dim}), dim), {dim});
}

// Element by element: the product of those before, times the sum over those after of gradient and running
// product.
Tensor cumprod_gradient_with_zeros(const Tensor& grad, const Tensor& input, int64_t dim) {
    const int64_t size = input.sizes()[dim];
    const Tensor one = ones_like(narrow(input, dim, 0, 1));
    const Tensor before = cumprod(cat({one, narrow(input, dim, 0, size - 1)}, dim), dim);
    TensorList parts;
    for (int64_t k = 0; k < size; ++k) {
        const Tensor after = cumprod(cat({one, narrow(input, dim, k + 1, size - k - 1)}, dim), dim);
        const Tensor total = sum(narrow(grad, dim, k, size - k) * conj(after), Dims{dim}, true);
        parts.push_back(conj(narrow(before, dim, k, 1)) * total);
    }
    return cat(parts, dim);
}

Tensor cumprod_gradient(const Tensor& grad, const Tensor& input, const Tensor& result, int64_t dim) {
    if (input.numel() <= 1) return grad;
    const bool zeros = !input.is_meta() && any(eq(detach(input), wrap_number(0))).item().to_bool();
    if (zeros) return cumprod_gradient_with_zeros(grad, input, dim);
    return reversed_cumsum(grad * conj(result), dim) / conj(input);
}

std::tuple<Tensor, Tensor> running_extreme(const char* name, const char* node, bool maximum,
                                           const Tensor& self, int64_t dim) {
    check<NotImplemented>(!is_complex(self.dtype()), "\"", name, "_cpu\" not implemented for '",
                          info(self.dtype()).scalar_name, "'");
    dim = wrap_dim(dim, self.dim());
    const Tensor values = empty(self.sizes(), options_of(self));
    const Tensor indices = empty(self.sizes(), {DType::int64, self.device()});
    if (!values.is_meta() && values.numel() != 0) {
        const Tensor input = contiguous_data(self);
        const GilRelease released(self.numel());
        kernels::scan_kernels().scan_extreme(maximum, self.dtype(), input.raw_data(), values.raw_data(),
                                             indices.data<int64_t>(), scan_shape(self, dim));
    }
    record(node, {self}, TensorSpan(&values, 1), [&] {
        return [indices = Saved(indices), sizes = self.sizes(), dim](const Tensor& grad) -> Gradients {
            if (sizes.empty()) return {grad};
            return {scatter_add(zeros(sizes, options_of(grad)), dim, indices.get(), grad)};
        };
    });
    return {values, indices};
}

}  // namespace

Tensor cumsum(const Tensor& self, int64_t dim, std::optional<DType> dtype) {
    dim = wrap_dim(dim, self.dim());
    const Tensor result = run_scan(Scan::sum, self, dim, total_dtype(self, dtype));
    return record("CumsumBackward0", {self}, result, [&] {
        return [dim](const Tensor& grad) -> Gradients {
            return {grad.dim() == 0 ? grad : reversed_cumsum(grad, dim)};
        };
    });
}

Tensor cumprod(const Tensor& self, int64_t dim, std::optional<DType> dtype) {
    dim = wrap_dim(dim, self.dim());
    const Tensor result = run_scan(Scan::product, self, dim, total_dtype(self, dtype));
    return record("CumprodBackward0", {self}, result, [&] {
        return [self = Saved(self), result = Saved(result), dim](const Tensor& grad) -> Gradients {
            return {cumprod_gradient(grad, self.get(), result.get(), dim)};
        };
    });
}

Tensor logcumsumexp(const Tensor& self, int64_t dim) {
    dim = wrap_dim(dim, self.dim());
    check<NotImplemented>(!is_integral(self.dtype(), true), "\"logcumsumexp_out_cpu\" not implemented for '",
                          info(self.dtype()).scalar_name, "'");
    const Tensor result = run_scan(Scan::logsumexp, self, dim, self.dtype());
    return record("LogcumsumexpBackward0", {self}, result, [&] {
        return [self = Saved(self), result = Saved(result), dim](const Tensor& grad) -> Gradients {
            if (grad.dim() == 0) return {grad};
            // The sum over i >= k of grad_i exp(x_k - y_i), with the sum in logarithms, one for each sign of
            // grad.
            const Tensor x = self.get(), y = result.get();
            const auto reversed = [&](const Tensor& logs) {
                return flip(logcumsumexp(flip(logs, {dim}), dim), {dim});
            };
            if (is_complex(x.dtype())) return {conj(exp(reversed(log(conj(grad)) - y) + x))};
            const Tensor zero = wrap_number(0), nothing = wrap_number(lowest_number(x.dtype()));
            const Tensor magnitude = log(abs(grad));
            const Tensor positive = where(gt(grad, zero), magnitude, nothing);
            const Tensor negative = where(lt(grad, zero), magnitude, nothing);
            return {exp(reversed(positive - y) + x) - exp(reversed(negative - y) + x)};
        };
    });
}

std::tuple<Tensor, Tensor> cummax(const Tensor& self, int64_t dim) {
    return running_extreme("cummax", "CummaxBackward0", true, self, dim);
}
std::tuple<Tensor, Tensor> cummin(const Tensor& self, int64_t dim) {
    return running_extreme("cummin", "CumminBackward0", false, self, dim);
}

namespace {

const Register cumsum_op{
    "cumsum(Tensor self, int dim, *, ScalarType? dtype=None) -> Tensor",
    cumsum,
    {.variants = function | method | in_place | out, .doc = R"(Running sum along a dimension.

Integers and bool are summed as int64 unless dtype says otherwise; float32 accumulates in float64.

    >>> rushlight.tensor([1., 2., 3.]).cumsum(0)
    tensor([1., 3., 6.])
)"}};
const Register cumprod_op{
    "cumprod(Tensor self, int dim, *, ScalarType? dtype=None) -> Tensor",
    cumprod,
    {.variants = function | method | in_place | out, .doc = R"(Running product along a dimension.

Types as in cumsum. The gradient is exact where elements are zero.

    >>> rushlight.tensor([1., 2., 3.]).cumprod(0)
    tensor([1., 2., 6.])
)"}};
const Register logcumsumexp_op{"logcumsumexp(Tensor self, int dim) -> Tensor",
                               logcumsumexp,
                               {.variants = function | method | out,
                                .doc = R"(Logarithm of the running sum of exponentials along a dimension.

    >>> rushlight.tensor([0., 0.]).logcumsumexp(0)
    tensor([0.0000, 0.6931])
)",
                                .dtypes = "floating, complex"}};
const Register cummax_op{
    "cummax(Tensor self, int dim) -> (Tensor values, Tensor indices)",
    cummax,
    {.variants = function | method | out,
     .doc = R"(Running maximum along a dimension, and the position of the last of equal maxima.

    >>> rushlight.tensor([1., 3., 2.]).cummax(0).values
    tensor([1., 3., 3.])
)",
     .dtypes = "real"}};
const Register cummin_op{
    "cummin(Tensor self, int dim) -> (Tensor values, Tensor indices)",
    cummin,
    {.variants = function | method | out,
     .doc = R"(Running minimum along a dimension, and the position of the last of equal minima.

    >>> rushlight.tensor([3., 1., 2.]).cummin(0).values
    tensor([3., 1., 1.])
)",
     .dtypes = "real"}};

}  // namespace
}  // namespace rl::ops
