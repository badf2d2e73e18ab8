// Reductions: sums, products, extrema, truth, and positions of extrema. Moments and norms are in moments.cpp.
#include "ops/reduction.h"

#include <bit>

#include "autograd/record.h"
#include "core/gil.h"
#include "ops/arithmetic.h"
#include "ops/comparison.h"
#include "ops/conversion.h"
#include "ops/creation.h"
#include "ops/elementary.h"
#include "ops/indexing.h"
#include "ops/reduce_geometry.h"
#include "ops/scan.h"
#include "ops/shape_ops.h"
#include "ops/views.h"

namespace rl::ops {

using kernels::Reduction;

Tensor restore_dims(const Tensor& reduced, uint64_t mask, bool keepdim, int64_t ndim) {
    if (keepdim || ndim == 0 || reduced.dim() == ndim) return reduced;
    Dims sizes;
    int64_t next = 0;
    for (int64_t i = 0; i < ndim; ++i) sizes.push_back((mask >> i & 1) != 0 ? 1 : reduced.sizes()[next++]);
    return reshape(reduced, sizes);
}

namespace {

uint64_t mask_of_one(const Tensor& self, int64_t dim) {
    return dim_mask(Dims{dim}, self.dim(), false);
}

OptionalDims dims_of(const std::optional<int64_t>& dim) {
    return dim.has_value() ? OptionalDims(Dims{*dim}) : OptionalDims();
}

// The type that sums and products of `self` have.
DType sum_dtype(const Tensor& self, std::optional<DType> dtype) {
    if (dtype.has_value()) return *dtype;
    return is_integral(self.dtype(), true) ? DType::int64 : self.dtype();
}

// The input as the kernels read it: widening conversions they do themselves.
Tensor sum_input(const Tensor& self, DType result) {
    const bool direct = self.dtype() == result ||
                        (is_integral(self.dtype(), true) && result == DType::int64) ||
                        (is_reduced_floating(self.dtype()) && result == DType::float32);
    return direct ? self : to(detach(self), result);
}

Tensor spread(const Tensor& grad, IntSpan sizes, uint64_t mask, bool keepdim) {
    return expand(restore_dims(grad, mask, keepdim, static_cast<int64_t>(sizes.size())), sizes);
}

void check_nonempty(const char* name, const Tensor& self, uint64_t mask, bool whole) {
    if (self.numel() > 0) return;
    check(!whole, name,
          "(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction ",
          "dim with the 'dim' argument.");
    for (int64_t i = 0; i < self.dim(); ++i)
        check<IndexError>((mask >> i & 1) == 0 || self.sizes()[i] != 0, name, "(): Expected reduction dim ",
                          i, " to have non-zero size.");
}

void check_real(const char* kernel, const Tensor& self) {
    check<NotImplemented>(!is_complex(self.dtype()), "\"", kernel, "\" not implemented for '",
                          info(self.dtype()).scalar_name, "'");
}

// --- Sums and products.

Tensor sum_all(const Tensor& self, std::optional<DType> dtype) {
    return sum(self, {}, false, dtype);
}

Tensor nansum(const Tensor& self, const OptionalDims& dim, bool keepdim, std::optional<DType> dtype) {
    check(!is_complex(self.dtype()), "nansum on CPU does not support complex inputs");
    if (is_integral(self.dtype(), true)) return sum(self, dim, keepdim, dtype);
    const uint64_t mask = mask_of(self, dim);
    const DType result = sum_dtype(self, dtype);
    const Tensor total = run_reduction(Reduction::nansum, sum_input(self, result), mask, keepdim, result);
    return record("NansumBackward0", {self}, total, [&] {
        return [self = Saved(self), mask, keepdim](const Tensor& grad) -> Gradients {
            const Tensor input = self.get();
            return {spread(grad, input.sizes(), mask, keepdim) * logical_not(isnan(input))};
        };
    });
}

DType mean_dtype(const Tensor& self, std::optional<DType> dtype) {
    const DType result = dtype.value_or(self.dtype());
    check(is_floating(result) || is_complex(result), "mean(): could not infer output dtype. ",
          dtype.has_value() ? "Optional" : "Input",
          " dtype must be either a floating point or complex dtype. Got: ", info(result).scalar_name);
    return result;
}

Tensor mean_all(const Tensor& self, std::optional<DType> dtype) {
    return mean(self, {}, false, dtype);
}

Tensor nanmean(const Tensor& self, const OptionalDims& dim, bool keepdim, std::optional<DType> dtype) {
    check(is_floating(self.dtype()) || is_complex(self.dtype()),
          "nanmean(): expected input to have floating point or complex dtype but got ",
          info(self.dtype()).scalar_name);
    const Tensor count = sum(logical_not(isnan(detach(self))), dim, keepdim);
    return nansum(self, dim, keepdim, dtype) / count;
}

Tensor any_zero(const Tensor& self) {
    return any(eq(self, wrap_number(0)));
}

// Products of the others along a dimension, from running products on both sides, so that zeros do no harm.
Tensor product_of_others(const Tensor& self, int64_t dim) {
    const int64_t size = self.size(dim);
    const Tensor one = ones_like(narrow(self, dim, 0, 1));
    const Tensor left = cumprod(cat({one, narrow(self, dim, 0, size - 1)}, dim), dim);
    const Tensor reversed = flip(narrow(self, dim, 1, size - 1), {dim});
    const Tensor right = flip(cumprod(cat({one, reversed}, dim), dim), {dim});
    return left * right;
}

Tensor prod_gradient(const Tensor& grad, const Tensor& input, const Tensor& result, uint64_t mask, bool whole,
                     bool keepdim) {
    if (input.numel() == 0) return zeros_like(input);
    if (input.dim() == 0) return grad;
    const bool zeros = !input.is_meta() && any_zero(detach(input)).item().to_bool();
    if (!zeros) {
        const Tensor ratio = restore_dims(grad * conj(result), mask, keepdim, input.dim());
        return ratio / conj(input);
    }
    if (whole) {
        const Tensor flat = reshape(input, Dims{input.numel()});
        return reshape(grad * conj(product_of_others(flat, 0)), input.sizes());
    }
    const int64_t dim = std::countr_zero(mask);
    return restore_dims(grad, mask, keepdim, input.dim()) * conj(product_of_others(input, dim));
}

Tensor prod_all(const Tensor& self, std::optional<DType> dtype) {
    return prod(self, {}, false, dtype);
}
Tensor prod_dim(const Tensor& self, int64_t dim, bool keepdim, std::optional<DType> dtype) {
    return prod(self, dim, keepdim, dtype);
}

// --- Extrema.

// Every element that equals the extreme gets an equal share.
Tensor extreme_gradient(const Tensor& grad, const Tensor& input, const Tensor& result, uint64_t mask,
                        bool keepdim) {
    const Tensor top = restore_dims(result, mask, keepdim, input.dim());
    const Tensor chosen = logical_or(eq(input, top), logical_and(isnan(input), isnan(top)));
    const Tensor count = input.dim() == 0 ? chosen : sum(chosen, dims_in(mask, input.dim()), true);
    return restore_dims(grad, mask, keepdim, input.dim()) * chosen / count;
}

Tensor extreme(const char* node, Reduction kind, const Tensor& self, uint64_t mask, bool keepdim) {
    const Tensor result = run_reduction(kind, self, mask, keepdim, self.dtype());
    return record(node, {self}, result, [&] {
        return [self = Saved(self), result = Saved(result), mask, keepdim](const Tensor& grad) -> Gradients {
            return {extreme_gradient(grad, self.get(), result.get(), mask, keepdim)};
        };
    });
}

Tensor max_all(const Tensor& self) {
    check_nonempty("max", self, 0, true);
    check_real("max_all", self);
    return extreme("MaxBackward1", Reduction::maximum, self, mask_of(self, OptionalDims()), false);
}
Tensor min_all(const Tensor& self) {
    check_nonempty("min", self, 0, true);
    check_real("min_all", self);
    return extreme("MinBackward1", Reduction::minimum, self, mask_of(self, OptionalDims()), false);
}
Tensor max_other(const Tensor& self, const Tensor& other) {
    return maximum(self, other);
}
Tensor min_other(const Tensor& self, const Tensor& other) {
    return minimum(self, other);
}

std::tuple<Tensor, Tensor> aminmax(const Tensor& self, std::optional<int64_t> dim, bool keepdim) {
    if (dim.has_value()) check_nonempty("aminmax", self, mask_of_one(self, *dim), false);
    check(self.numel() > 0 || dim.has_value(),
          "aminmax(): cannot compute aminmax over an empty dimension as the operation has no identity.");
    const Dims dims = dim.has_value() ? Dims{*dim} : Dims();
    return {amin(self, dims, keepdim), amax(self, dims, keepdim)};
}

// Values and positions along one dimension; without values where `values` is undefined.
void run_arg_reduction(bool maximum, const Tensor& self, int64_t dim, const Tensor& values,
                       const Tensor& indices) {
    if (self.is_meta() || indices.numel() == 0) return;
    const uint64_t mask = uint64_t{1} << dim;
    const ReductionGeometry geometry(self, mask);
    const bool scalar = self.dim() == 0;
    const kernels::ArgReduceArguments arguments{
        .maximum = maximum,
        .dtype = self.dtype(),
        .in = self.raw_data(),
        .values = data_or_null(values),
        .indices = indices.data<int64_t>(),
        .kept = geometry.kept.data(),
        .kept_rank = static_cast<int>(geometry.kept.size()),
        .size = scalar ? 1 : self.sizes()[dim],
        .stride = scalar ? 1 : self.strides()[dim],
    };
    const GilRelease released(self.numel());
    kernels::arg_reduce(arguments);
}

std::tuple<Tensor, Tensor> extreme_along(const char* name, const char* node, bool maximum, const Tensor& self,
                                         int64_t dim, bool keepdim) {
    dim = wrap_dim(dim, self.dim());
    const uint64_t mask = uint64_t{1} << dim;
    check_nonempty(name, self, mask, false);
    check(!is_complex(self.dtype()), name, "(): does not support complex input");
    const Dims sizes = reduced_sizes(self.sizes(), mask, keepdim);
    const Tensor values = empty(sizes, options_of(self));
    const Tensor indices = empty(sizes, {DType::int64, self.device()});
    run_arg_reduction(maximum, self, dim, values, indices);
    record(node, {self}, TensorSpan(&values, 1), [&] {
        return
            [indices = Saved(indices), sizes = self.sizes(), dim, keepdim](const Tensor& grad) -> Gradients {
                return {scatter_into_zeros(grad, dim, indices.get(), sizes, keepdim)};
            };
    });
    return {values, indices};
}

Tensor arg_extreme(const char* name, bool maximum, const Tensor& self, std::optional<int64_t> dim,
                   bool keepdim) {
    check(!is_complex(self.dtype()), name, "(): does not support complex input");
    if (!dim.has_value()) {
        check<IndexError>(self.numel() > 0, name,
                          "(): Expected reduction dim to be specified for input.numel() == 0.");
        const Tensor flat = reshape(detach(self), Dims{self.numel()});
        const Tensor result = empty(Dims(keepdim ? self.dim() : 0, 1), {DType::int64, self.device()});
        run_arg_reduction(maximum, flat, 0, {}, result);
        return result;
    }
    const int64_t wrapped = wrap_dim(*dim, self.dim());
    check_nonempty(name, self, uint64_t{1} << wrapped, false);
    const Tensor result =
        empty(reduced_sizes(self.sizes(), uint64_t{1} << wrapped, keepdim), {DType::int64, self.device()});
    run_arg_reduction(maximum, self, wrapped, {}, result);
    return result;
}

// --- Truth.

Tensor truth(Reduction kind, const Tensor& self, const OptionalDims& dim, bool keepdim) {
    const DType result = self.dtype() == DType::uint8 ? DType::uint8 : DType::boolean;
    return run_reduction(kind, self, mask_of(self, dim), keepdim, result);
}
Tensor any_all(const Tensor& self) {
    return any(self);
}
Tensor any_dim(const Tensor& self, int64_t dim, bool keepdim) {
    return any(self, Dims{dim}, keepdim);
}
// Unlike other reductions, an empty list means no dimension here.
Tensor any_dims(const Tensor& self, const OptionalDims& dim, bool keepdim) {
    if (dim.has_value() && dim->empty()) return to(self, DType::boolean);
    return any(self, dim, keepdim);
}
Tensor all_all(const Tensor& self) {
    return all(self);
}
Tensor all_dim(const Tensor& self, int64_t dim, bool keepdim) {
    return all(self, Dims{dim}, keepdim);
}
Tensor all_dims(const Tensor& self, const OptionalDims& dim, bool keepdim) {
    if (dim.has_value() && dim->empty()) return to(self, DType::boolean);
    return all(self, dim, keepdim);
}

Tensor count_nonzero_dims(const Tensor& self, const Dims& dim) {
    return run_reduction(Reduction::count_nonzero, self, mask_of(self, dim), false, DType::int64);
}
Tensor count_nonzero(const Tensor& self, std::optional<int64_t> dim) {
    return run_reduction(Reduction::count_nonzero, self, mask_of(self, dims_of(dim)), false, DType::int64);
}

}  // namespace

Tensor sum(const Tensor& self, const OptionalDims& dim, bool keepdim, std::optional<DType> dtype) {
    const uint64_t mask = mask_of(self, dim);
    const DType result = sum_dtype(self, dtype);
    const Tensor total = run_reduction(Reduction::sum, sum_input(self, result), mask, keepdim, result);
    return record(dim.has_value() ? "SumBackward1" : "SumBackward0", {self}, total, [&] {
        return [sizes = self.sizes(), mask, keepdim](const Tensor& grad) -> Gradients {
            return {spread(grad, sizes, mask, keepdim)};
        };
    });
}

Tensor mean(const Tensor& self, const OptionalDims& dim, bool keepdim, std::optional<DType> dtype) {
    const DType result = mean_dtype(self, dtype);
    const uint64_t mask = mask_of(self, dim);
    const double count = static_cast<double>(reduced_count(self.sizes(), mask));
    const Tensor value =
        run_reduction(Reduction::sum, sum_input(self, result), mask, keepdim, result, {.divisor = count});
    return record(dim.has_value() ? "MeanBackward1" : "MeanBackward0", {self}, value, [&] {
        return [sizes = self.sizes(), mask, keepdim, count](const Tensor& grad) -> Gradients {
            return {spread(grad / Scalar(count), sizes, mask, keepdim)};
        };
    });
}

Tensor prod(const Tensor& self, const std::optional<int64_t>& dim, bool keepdim, std::optional<DType> dtype) {
    const uint64_t mask = mask_of(self, dims_of(dim));
    const DType result = sum_dtype(self, dtype);
    const Tensor value = run_reduction(Reduction::product, sum_input(self, result), mask, keepdim, result);
    return record(dim.has_value() ? "ProdBackward1" : "ProdBackward0", {self}, value, [&] {
        return [self = Saved(self), value = Saved(value), mask, whole = !dim.has_value(),
                keepdim](const Tensor& grad) -> Gradients {
            return {prod_gradient(grad, self.get(), value.get(), mask, whole, keepdim)};
        };
    });
}

Tensor amax(const Tensor& self, const Dims& dim, bool keepdim) {
    const uint64_t mask = mask_of(self, dim);
    check_nonempty("amax", self, mask, dim.empty());
    check_real("max_values_cpu", self);
    return extreme("AmaxBackward0", Reduction::maximum, self, mask, keepdim);
}
Tensor amin(const Tensor& self, const Dims& dim, bool keepdim) {
    const uint64_t mask = mask_of(self, dim);
    check_nonempty("amin", self, mask, dim.empty());
    check_real("min_values_cpu", self);
    return extreme("AminBackward0", Reduction::minimum, self, mask, keepdim);
}

std::tuple<Tensor, Tensor> max_along(const Tensor& self, int64_t dim, bool keepdim) {
    return extreme_along("max", "MaxBackward0", true, self, dim, keepdim);
}
std::tuple<Tensor, Tensor> min_along(const Tensor& self, int64_t dim, bool keepdim) {
    return extreme_along("min", "MinBackward0", false, self, dim, keepdim);
}
Tensor argmax(const Tensor& self, std::optional<int64_t> dim, bool keepdim) {
    return arg_extreme("argmax", true, self, dim, keepdim);
}
Tensor argmin(const Tensor& self, std::optional<int64_t> dim, bool keepdim) {
    return arg_extreme("argmin", false, self, dim, keepdim);
}

Tensor any(const Tensor& self, const OptionalDims& dim, bool keepdim) {
    return truth(Reduction::any, self, dim, keepdim);
}
Tensor all(const Tensor& self, const OptionalDims& dim, bool keepdim) {
    return truth(Reduction::all, self, dim, keepdim);
}

Tensor sum_to_size(const Tensor& self, IntSpan sizes) {
    if (sizes.empty()) return sum(self);
    if (IntSpan(self.sizes()).size() == sizes.size() && self.sizes() == Dims(sizes)) return self;
    check(can_broadcast_to(sizes, self.sizes()), "size {", to_string(sizes), "} is not expandable to size {",
          to_string(self.sizes()), "}.");
    const int64_t leading = self.dim() - static_cast<int64_t>(sizes.size());
    Dims dims;
    for (int64_t i = 0; i < self.dim(); ++i)
        if (i < leading || (sizes[i - leading] == 1 && self.sizes()[i] != 1)) dims.push_back(i);
    const Tensor total = dims.empty() ? self : sum(self, dims, true);
    return leading == 0 ? total : reshape(total, sizes);
}

namespace {

Tensor sum_to_size_method(const Tensor& self, const Dims& size) {
    return sum_to_size(self, size);
}

const Register sum_op{
    "sum(Tensor self, *, ScalarType? dtype=None) -> Tensor",
    sum_all,
    {.variants = function | method | out, .doc = R"(Sum of the elements, over all or given dimensions.

Integers and bool are summed as int64 unless dtype says otherwise. An empty sum is 0. float16, bfloat16 and float32
accumulate in float32 lanes joined in a tree, so that the error grows with the logarithm of the count.

    >>> rushlight.tensor([[1., 2.], [3., 4.]]).sum(dim=0)
    tensor([4., 6.])
)"}};
const Register sum_dim_op{
    "sum.dim_IntList(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
    sum,
    {.variants = function | method | out}};
const Register nansum_op{
    "nansum(Tensor self, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
    nansum,
    {.variants = function | method | out,
     .doc = R"(Sum of the elements that are not NaN, over all or given dimensions.

    >>> rushlight.tensor([1., float('nan'), 3.]).nansum()
    tensor(4.)
)"}};
const Register mean_op{"mean(Tensor self, *, ScalarType? dtype=None) -> Tensor",
                       mean_all,
                       {.variants = function | method | out,
                        .doc = R"(Mean of the elements, over all or given dimensions.

Raises RuntimeError for integers and bool unless dtype names a floating-point or complex type. The mean of nothing is NaN.

    >>> rushlight.tensor([[1., 2.], [3., 4.]]).mean(dim=1, keepdim=True)
    tensor([[1.5000],
            [3.5000]])
)",
                        .dtypes = "floating, complex"}};
const Register mean_dim_op{
    "mean.dim(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
    mean,
    {.variants = function | method | out}};
const Register nanmean_op{
    "nanmean(Tensor self, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
    nanmean,
    {.variants = function | method | out,
     .doc = R"(Mean of the elements that are not NaN, over all or given dimensions.

    >>> rushlight.tensor([1., float('nan'), 3.]).nanmean()
    tensor(2.)
)",
     .dtypes = "floating"}};
const Register prod_op{
    "prod(Tensor self, *, ScalarType? dtype=None) -> Tensor",
    prod_all,
    {.variants = function | method | out, .doc = R"(Product of the elements, over all or along one dimension.

Integers and bool are multiplied as int64 unless dtype says otherwise. An empty product is 1. The gradient is exact where
elements are zero.

    >>> rushlight.tensor([[1., 2.], [3., 4.]]).prod(1)
    tensor([ 2., 12.])
)"}};
const Register prod_dim_op{
    "prod.dim_int(Tensor self, int dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
    prod_dim,
    {.variants = function | method | out}};

const Register amax_op{"amax(Tensor self, int[1] dim=[], bool keepdim=False) -> Tensor",
                       amax,
                       {.variants = function | method | out,
                        .doc = R"(Largest value over all or given dimensions.

NaN counts as the largest. Equal largest elements share the gradient evenly. Raises IndexError for a dimension of size 0.

    >>> rushlight.tensor([[1., 5.], [3., 4.]]).amax((0, 1))
    tensor(5.)
)",
                        .dtypes = "real"}};
const Register amin_op{"amin(Tensor self, int[1] dim=[], bool keepdim=False) -> Tensor",
                       amin,
                       {.variants = function | method | out,
                        .doc = R"(Smallest value over all or given dimensions.

NaN counts as the smallest. Equal smallest elements share the gradient evenly. Raises IndexError for a dimension of size 0.

    >>> rushlight.tensor([[1., 5.], [3., 4.]]).amin(1)
    tensor([1., 3.])
)",
                        .dtypes = "real"}};
const Register aminmax_op{
    "aminmax(Tensor self, *, int? dim=None, bool keepdim=False) -> (Tensor min, Tensor max)",
    aminmax,
    {.variants = function | method | out,
     .doc = R"(Smallest and largest value, over all elements or along one dimension.

    >>> rushlight.tensor([3., 1., 2.]).aminmax().max
    tensor(3.)
)",
     .dtypes = "real"}};

const Register max_op{"max(Tensor self) -> Tensor",
                      max_all,
                      {.variants = function | method | out,
                       .doc = R"(Largest value; along a dimension, with its position; or of two tensors.

max(self) is the largest of all elements, max(self, dim, keepdim=False) a named tuple (values, indices) with the first
position of each largest value, max(self, other) the larger of each pair. NaN counts as the largest. Raises RuntimeError
for no elements, IndexError for a dimension of size 0.

    >>> rushlight.tensor([[1., 5.], [3., 4.]]).max(dim=1).indices
    tensor([1, 1])
)",
                       .dtypes = "real"}};
const Register max_other_op{
    "max.other(Tensor self, Tensor other) -> Tensor", max_other, {.variants = function | method | out}};
const Register max_dim_op{
    "max.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)",
    max_along,
    {.variants = function | method | out}};
const Register min_op{"min(Tensor self) -> Tensor",
                      min_all,
                      {.variants = function | method | out,
                       .doc = R"(Smallest value; along a dimension, with its position; or of two tensors.

The counterpart of max, with the same forms and errors. NaN counts as the smallest.

    >>> rushlight.tensor([[1., 5.], [3., 4.]]).min()
    tensor(1.)
)",
                       .dtypes = "real"}};
const Register min_other_op{
    "min.other(Tensor self, Tensor other) -> Tensor", min_other, {.variants = function | method | out}};
const Register min_dim_op{
    "min.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)",
    min_along,
    {.variants = function | method | out}};
const Register argmax_op{
    "argmax(Tensor self, int? dim=None, bool keepdim=False) -> Tensor",
    argmax,
    {.variants = function | method | out,
     .doc = R"(Position of the largest value, in the flattened tensor or along one dimension.

The first of equal values; a NaN counts as the largest. Results are int64.

    >>> rushlight.tensor([[1., 5.], [3., 4.]]).argmax(dim=0)
    tensor([1, 0])
)",
     .differentiable = false,
     .dtypes = "real"}};
const Register argmin_op{
    "argmin(Tensor self, int? dim=None, bool keepdim=False) -> Tensor",
    argmin,
    {.variants = function | method | out,
     .doc = R"(Position of the smallest value, in the flattened tensor or along one dimension.

The first of equal values; a NaN counts as the smallest. Results are int64.

    >>> rushlight.tensor([[1., 5.], [3., 4.]]).argmin()
    tensor(0)
)",
     .differentiable = false,
     .dtypes = "real"}};

const Register any_op{"any(Tensor self) -> Tensor",
                      any_all,
                      {.variants = function | method | out,
                       .doc = R"(Whether any element is true (not zero), over all or given dimensions.

The result is bool, of uint8 input uint8. Of nothing: False.

    >>> rushlight.tensor([[False, True], [False, False]]).any(dim=1)
    tensor([ True, False])
)",
                       .differentiable = false}};
const Register any_dim_op{"any.dim(Tensor self, int dim, bool keepdim=False) -> Tensor",
                          any_dim,
                          {.variants = function | method | out, .differentiable = false}};
const Register any_dims_op{"any.dims(Tensor self, int[]? dim=None, bool keepdim=False) -> Tensor",
                           any_dims,
                           {.variants = function | method | out, .differentiable = false}};
const Register all_op{"all(Tensor self) -> Tensor",
                      all_all,
                      {.variants = function | method | out,
                       .doc = R"(Whether all elements are true (not zero), over all or given dimensions.

The result is bool, of uint8 input uint8. Of nothing: True.

    >>> rushlight.tensor([[True, True], [False, True]]).all(dim=1)
    tensor([ True, False])
)",
                       .differentiable = false}};
const Register all_dim_op{"all.dim(Tensor self, int dim, bool keepdim=False) -> Tensor",
                          all_dim,
                          {.variants = function | method | out, .differentiable = false}};
const Register all_dims_op{"all.dims(Tensor self, int[]? dim=None, bool keepdim=False) -> Tensor",
                           all_dims,
                           {.variants = function | method | out, .differentiable = false}};
const Register count_nonzero_op{
    "count_nonzero(Tensor self, int? dim=None) -> Tensor",
    count_nonzero,
    {.doc = R"(Number of elements that are not zero, over all or given dimensions, as int64.

    >>> rushlight.count_nonzero(rushlight.tensor([[0, 1], [2, 3]]), dim=0)
    tensor([1, 2])
)",
     .differentiable = false}};
const Register count_nonzero_dims_op{"count_nonzero.dim_IntList(Tensor self, int[] dim) -> Tensor",
                                     count_nonzero_dims,
                                     {.differentiable = false}};
const Register sum_to_size_op{
    "sum_to_size(Tensor self, int[] size) -> Tensor",
    sum_to_size_method,
    {.variants = method, .doc = R"(Sum over the dimensions in which `size` would be broadcast to this shape.

    >>> rushlight.ones(3, 2).sum_to_size(1, 2)
    tensor([[3., 3.]])
)"}};

}  // namespace
}  // namespace rl::ops
