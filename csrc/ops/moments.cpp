// Variances, standard deviations, norms and log-sum-exp over any dimensions.
#include <cmath>
#include <limits>

#include "autograd/record.h"
#include "ops/arithmetic.h"
#include "ops/comparison.h"
#include "ops/conversion.h"
#include "ops/creation.h"
#include "ops/elementary.h"
#include "ops/reduce_geometry.h"
#include "ops/reduction.h"
#include "ops/selection.h"
#include "ops/views.h"

namespace rl::ops {

using kernels::Reduction;

namespace {

Tensor zero_where(const Tensor& condition, const Tensor& self) {
    return where(condition, wrap_number(0), self);
}

// The input of a gradient: in float32 for the 16-bit types, whose few digits differences would use up.
Tensor widened(const Tensor& self) {
    return is_reduced_floating(self.dtype()) ? to(self, DType::float32) : self;
}

// --- Variance.

struct MomentsRequest {
    uint64_t mask;
    bool keepdim;
    double correction;
};

MomentsRequest moments_request(const Tensor& self, const OptionalDims& dim,
                               const std::optional<Scalar>& correction, bool keepdim) {
    check(is_floating(self.dtype()) || is_complex(self.dtype()),
          "std and var only support floating point and complex dtypes");
    return {mask_of(self, dim), keepdim, correction.has_value() ? correction->to_double() : 1.0};
}

// Variance and, if wanted, mean, off the graph; of real input.
std::tuple<Tensor, Tensor> run_moments(const Tensor& self, const MomentsRequest& request, bool want_mean) {
    const Dims sizes = reduced_sizes(self.sizes(), request.mask, request.keepdim);
    const Tensor variance = empty(sizes, options_of(self));
    const Tensor mean = want_mean ? empty(sizes, options_of(self)) : Tensor();
    if (variance.is_meta() || variance.numel() == 0) return {variance, mean};
    const ReductionGeometry geometry(self, request.mask);
    const kernels::MomentsArguments arguments{
        .dtype = self.dtype(),
        .in = self.raw_data(),
        .variance = variance.raw_data(),
        .mean = want_mean ? mean.raw_data() : nullptr,
        .kept = geometry.kept.data(),
        .kept_rank = static_cast<int>(geometry.kept.size()),
        .reduced = geometry.reduced.data(),
        .reduced_rank = static_cast<int>(geometry.reduced.size()),
        .correction = request.correction,
    };
    {
        const GilRelease released(self.numel());
        kernels::moments(arguments);
    }
    return {variance, mean};
}

std::tuple<Tensor, Tensor> forward_moments(const Tensor& self, const MomentsRequest& request,
                                           bool want_mean) {
    if (!is_complex(self.dtype())) return run_moments(self, request, want_mean);
    const GradientsEnabled off(false);
    const auto [real_variance, real_mean] = run_moments(real(self), request, want_mean);
    const auto [imaginary_variance, imaginary_mean] = run_moments(imag(self), request, want_mean);
    return {real_variance + imaginary_variance, want_mean ? complex(real_mean, imaginary_mean) : Tensor()};
}

Tensor variance_gradient(const Tensor& grad, const Tensor& input, const MomentsRequest& request) {
    const double count = static_cast<double>(reduced_count(input.sizes(), request.mask));
    const double divisor = std::max(0.0, count - request.correction);
    const Tensor center = input.dim() == 0 ? input : mean(input, dims_in(request.mask, input.dim()), true);
    return restore_dims(grad, request.mask, request.keepdim, input.dim()) * Scalar(2.0 / divisor) *
           (input - center);
}

Tensor mean_gradient(const Tensor& grad, const Tensor& input, const MomentsRequest& request) {
    const double count = static_cast<double>(reduced_count(input.sizes(), request.mask));
    return expand(restore_dims(grad / Scalar(count), request.mask, request.keepdim, input.dim()),
                  input.sizes());
}

// Of the standard deviation, as a gradient of the variance.
Tensor deviation_gradient(const Tensor& grad, const Tensor& deviation) {
    return zero_where(eq(deviation, wrap_number(0)), grad / (deviation * Scalar(2)));
}

Tensor moment(const char* node, bool root, const Tensor& self, const MomentsRequest& request) {
    Tensor result = std::get<0>(forward_moments(self, request, false));
    if (root) result = sqrt(result);
    return record(node, {self}, result, [&] {
        return [self = Saved(self), result = root ? Saved(result) : Saved(),
                request](const Tensor& grad) -> Gradients {
            const Tensor inner = result.defined() ? deviation_gradient(grad, result.get()) : grad;
            return {variance_gradient(inner, widened(self.get()), request)};
        };
    });
}

std::tuple<Tensor, Tensor> moment_and_mean(const char* node, bool root, const Tensor& self,
                                           const MomentsRequest& request) {
    auto [value, average] = forward_moments(self, request, true);
    if (root) value = sqrt(value);
    const Tensor outputs[] = {value, average};
    record(node, {self}, outputs, [&] {
        return [self = Saved(self), value = root ? Saved(value) : Saved(),
                request](const Gradients& grads) -> Gradients {
            const Tensor input = widened(self.get());
            Tensor result;
            if (grads[0].defined()) {
                const Tensor inner = value.defined() ? deviation_gradient(grads[0], value.get()) : grads[0];
                result = variance_gradient(inner, input, request);
            }
            if (!grads[1].defined()) return {result};
            const Tensor second = mean_gradient(grads[1], input, request);
            return {result.defined() ? result + second : second};
        };
    });
    return {value, average};
}

Scalar correction_of(bool unbiased) {
    return Scalar(unbiased ? 1 : 0);
}

Tensor var_all(const Tensor& self, bool unbiased) {
    return moment("VarBackward0", false, self, moments_request(self, {}, correction_of(unbiased), false));
}
Tensor var_dim(const Tensor& self, const OptionalDims& dim, bool unbiased, bool keepdim) {
    return moment("VarBackward0", false, self, moments_request(self, dim, correction_of(unbiased), keepdim));
}
Tensor std_all(const Tensor& self, bool unbiased) {
    return moment("StdBackward0", true, self, moments_request(self, {}, correction_of(unbiased), false));
}
Tensor std_dim(const Tensor& self, const OptionalDims& dim, bool unbiased, bool keepdim) {
    return moment("StdBackward0", true, self, moments_request(self, dim, correction_of(unbiased), keepdim));
}
Tensor std_correction(const Tensor& self, const OptionalDims& dim, const std::optional<Scalar>& correction,
                      bool keepdim) {
    return moment("StdBackward0", true, self, moments_request(self, dim, correction, keepdim));
}

using TensorPair = std::tuple<Tensor, Tensor>;

TensorPair var_mean_all(const Tensor& self, bool unbiased) {
    return moment_and_mean("VarMeanBackward0", false, self,
                           moments_request(self, {}, correction_of(unbiased), false));
}
TensorPair var_mean_dim(const Tensor& self, const OptionalDims& dim, bool unbiased, bool keepdim) {
    return moment_and_mean("VarMeanBackward0", false, self,
                           moments_request(self, dim, correction_of(unbiased), keepdim));
}
TensorPair std_mean_all(const Tensor& self, bool unbiased) {
    return moment_and_mean("StdMeanBackward0", true, self,
                           moments_request(self, {}, correction_of(unbiased), false));
}
TensorPair std_mean_dim(const Tensor& self, const OptionalDims& dim, bool unbiased, bool keepdim) {
    return moment_and_mean("StdMeanBackward0", true, self,
                           moments_request(self, dim, correction_of(unbiased), keepdim));
}
TensorPair std_mean_correction(const Tensor& self, const OptionalDims& dim,
                               const std::optional<Scalar>& correction, bool keepdim) {
    return moment_and_mean("StdMeanBackward0", true, self, moments_request(self, dim, correction, keepdim));
}

// --- Norms.

struct NormRequest {
    double order;
    uint64_t mask;
    bool keepdim;
};

Tensor run_norm(const Tensor& self, const NormRequest& request, DType dtype) {
    // The gradient looks for the magnitudes that the norm is: the very same numbers.
    if (is_complex(self.dtype()) && std::isinf(request.order)) {
        const GradientsEnabled off(false);
        return run_norm(abs(self), request, dtype);
    }
    const auto run = [&](Reduction reduction, ReductionFinish finish = {}) {
        return run_reduction(reduction, self, request.mask, request.keepdim, dtype, finish);
    };
    if (request.order == 0) return run(Reduction::count_nonzero);
    if (request.order == 1) return run(Reduction::sum_abs);
    if (request.order == 2) return run(Reduction::sum_squares, {.root = 2});
    if (request.order == std::numeric_limits<double>::infinity()) return run(Reduction::max_abs);
    if (request.order == -std::numeric_limits<double>::infinity()) return run(Reduction::min_abs);
    return run(Reduction::sum_powers, {.power = request.order, .root = request.order});
}

Tensor norm_gradient(const Tensor& plain_grad, const Tensor& input, const Tensor& plain_norm,
                     const NormRequest& request) {
    const double p = request.order;
    const Tensor grad = restore_dims(plain_grad, request.mask, request.keepdim, input.dim());
    const Tensor norm = restore_dims(plain_norm, request.mask, request.keepdim, input.dim());
    const Tensor zero = wrap_number(0);
    if (p == 0) return zeros_like(input);
    if (p == 1) return sgn(input) * grad;
    if (p == 2) return input * zero_where(eq(norm, zero), grad / norm);
    if (std::isinf(p)) {
        const Tensor magnitude = abs(input);
        const Tensor chosen = logical_or(eq(magnitude, norm), logical_and(isnan(magnitude), isnan(norm)));
        const Tensor count =
            input.dim() == 0 ? chosen : sum(chosen, dims_in(request.mask, input.dim()), true);
        return sgn(input) * (grad / count * chosen);
    }
    if (p < 1) {
        const Tensor scale = zero_where(eq(norm, zero), pow(norm, wrap_number(1 - p)) * grad);
        return sgn(input) * zero_where(eq(input, zero), pow(abs(input), wrap_number(p - 1))) * scale;
    }
    if (p < 2) {
        const Tensor scale = grad / pow(norm, wrap_number(p - 1));
        return sgn(input) * pow(abs(input), wrap_number(p - 1)) * zero_where(eq(norm, zero), scale);
    }
    const Tensor scale = zero_where(eq(norm, zero), grad / pow(norm, wrap_number(p - 1)));
    return input * pow(abs(input), wrap_number(p - 2)) * scale;
}

void check_norm_identity(const Tensor& self, double order, const OptionalDims& dim) {
    if (self.numel() != 0 || (order >= 0 && !std::isinf(order))) return;
    const auto name = order == std::numeric_limits<double>::infinity() ? std::string("inf") : message(order);
    check(dim.has_value() && !dim->empty(), "linalg.vector_norm cannot compute the ", name,
          " norm on an empty tensor because the operation does not have an identity");
    for (const int64_t d : *dim)
        check(self.size(d) != 0, "linalg.vector_norm cannot compute the ", name, " norm on the dimension ",
              wrap_dim(d, self.dim()),
              "because this dimension is empty and the operation does not have an identity");
}

Tensor norm_of(const char* node, const Tensor& self, double order, const OptionalDims& dim, bool keepdim,
               std::optional<DType> dtype) {
    check(is_floating(self.dtype()) || is_complex(self.dtype()),
          "linalg.vector_norm: Expected a floating point or complex tensor as input. Got ",
          info(self.dtype()).scalar_name);
    check_norm_identity(self, order, dim);
    const Tensor input = dtype.has_value() && *dtype != self.dtype() ? to(self, *dtype) : self;
    const NormRequest request{order, mask_of(self, dim), keepdim};
    const Tensor result = run_norm(input, request, to_real(input.dtype()));
    return record(node, {input}, result, [&] {
        return [input = Saved(input), result = Saved(result), request](const Tensor& grad) -> Gradients {
            return {norm_gradient(grad, input.get(), result.get(), request)};
        };
    });
}

}  // namespace

std::tuple<Tensor, Tensor> var_mean(const Tensor& self, const OptionalDims& dim,
                                    const std::optional<Scalar>& correction, bool keepdim) {
    return moment_and_mean("VarMeanBackward0", false, self, moments_request(self, dim, correction, keepdim));
}

Tensor var(const Tensor& self, const OptionalDims& dim, const std::optional<Scalar>& correction,
           bool keepdim) {
    return moment("VarBackward0", false, self, moments_request(self, dim, correction, keepdim));
}

Tensor vector_norm(const Tensor& self, const Scalar& ord, const OptionalDims& dim, bool keepdim,
                   std::optional<DType> dtype) {
    return norm_of("LinalgVectorNormBackward0", self, ord.to_double(), dim, keepdim, dtype);
}

Tensor logsumexp(const Tensor& self, const Dims& dim, bool keepdim) {
    const Tensor input = is_integral(self.dtype(), true) ? to(self, default_dtype()) : self;
    const uint64_t mask = mask_of(input, dim);
    Tensor result;
    {
        const GradientsEnabled off(false);
        Tensor highest = is_complex(input.dtype()) ? real(input) : input;
        if (input.numel() == 0) {
            result = log(sum(exp(input), dim, keepdim));
        } else {
            highest = amax(highest, dim, true);
            highest = zero_where(isinf(highest), highest);
            const Tensor total = log(sum(exp(input - highest), dim, keepdim));
            result = total + reshape(highest, total.sizes());
        }
    }
    return record("LogsumexpBackward0", {input}, result, [&] {
        return
            [input = Saved(input), result = Saved(result), mask, keepdim](const Tensor& grad) -> Gradients {
                const Tensor x = input.get();
                const Tensor share = exp(x - restore_dims(result.get(), mask, keepdim, x.dim()));
                return {restore_dims(grad, mask, keepdim, x.dim()) * conj(share)};
            };
    });
}

namespace {

const OperatorOptions moment_overload{.variants = function | method | out, .dtypes = "floating, complex"};

const Register var_op{"var(Tensor self, bool unbiased=True) -> Tensor",
                      var_all,
                      {.doc = R"(Variance over all or given dimensions.

The sum of squared distances from the mean, divided by max(0, count - correction); unbiased=True is correction=1. Computed
in float64 by combining blocks (Chan, Golub and LeVeque, 1979). Raises RuntimeError for integers.

    >>> rushlight.tensor([1., 2., 3., 4.]).var(correction=0)
    tensor(1.2500)
)",
                       .dtypes = "floating, complex"}};
const Register var_dim_op{
    "var.dim(Tensor self, int[1]? dim, bool unbiased=True, bool keepdim=False) -> Tensor", var_dim,
    moment_overload};
const Register var_correction_op{
    "var.correction(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool keepdim=False) -> Tensor",
    var, moment_overload};
const Register std_op{"std(Tensor self, bool unbiased=True) -> Tensor",
                      std_all,
                      {.doc = R"(Standard deviation over all or given dimensions: the square root of var.

    >>> rushlight.tensor([[1., 3.], [2., 2.]]).std(dim=1)
    tensor([1.4142, 0.0000])
)",
                       .dtypes = "floating, complex"}};
const Register std_dim_op{
    "std.dim(Tensor self, int[1]? dim, bool unbiased=True, bool keepdim=False) -> Tensor", std_dim,
    moment_overload};
const Register std_correction_op{
    "std.correction(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool keepdim=False) -> Tensor",
    std_correction, moment_overload};
const Register var_mean_op{"var_mean(Tensor self, bool unbiased=True) -> (Tensor, Tensor)",
                           var_mean_all,
                           {.variants = function,
                            .doc = R"(Variance and mean over all or given dimensions, in one pass. See var.

    >>> rushlight.var_mean(rushlight.tensor([1., 3.]))
    (tensor(2.), tensor(2.))
)",
                            .dtypes = "floating, complex"}};
const Register var_mean_dim_op{
    "var_mean.dim(Tensor self, int[1]? dim, bool unbiased=True, bool keepdim=False) -> (Tensor, Tensor)",
    var_mean_dim,
    {.variants = function}};
const Register var_mean_correction_op{
    "var_mean.correction(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool keepdim=False) -> "
    "(Tensor, Tensor)",
    var_mean,
    {.variants = function}};
const Register std_mean_op{"std_mean(Tensor self, bool unbiased=True) -> (Tensor, Tensor)",
                           std_mean_all,
                           {.variants = function,
                            .doc = R"(Standard deviation and mean over all or given dimensions. See var.

    >>> rushlight.std_mean(rushlight.tensor([1., 3.]), correction=0)
    (tensor(1.), tensor(2.))
)",
                            .dtypes = "floating, complex"}};
const Register std_mean_dim_op{
    "std_mean.dim(Tensor self, int[1]? dim, bool unbiased=True, bool keepdim=False) -> (Tensor, Tensor)",
    std_mean_dim,
    {.variants = function}};
const Register std_mean_correction_op{
    "std_mean.correction(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool keepdim=False) -> "
    "(Tensor, Tensor)",
    std_mean_correction,
    {.variants = function}};

const Register vector_norm_op{
    "linalg_vector_norm(Tensor self, Scalar ord=2, int[1]? dim=None, bool keepdim=False, *, ScalarType? "
    "dtype=None) "
    "-> Tensor",
    vector_norm,
    {.variants = out,
     .doc = R"(Vector norm of order ord over all or given dimensions. See norm.

    >>> rushlight._C.linalg_vector_norm(rushlight.tensor([3., -4.]), 1)
    tensor(7.)
)",
     .dtypes = "floating, complex"}};
const Register logsumexp_op{"logsumexp(Tensor self, int[1] dim, bool keepdim=False) -> Tensor",
                            logsumexp,
                            {.variants = function | method | out,
                             .doc = R"(log(sum(exp(x))) over the given dimensions, without overflow.

The largest element is taken out first. Integers give the default dtype.

    >>> rushlight.tensor([[0., 0.], [1000., 1000.]]).logsumexp(1)
    tensor([6.9315e-01, 1.0007e+03])
)"}};

}  // namespace
}  // namespace rl::ops
