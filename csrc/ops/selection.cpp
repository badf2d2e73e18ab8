// Choosing between values: where, masked_fill, clamp, nan_to_num.
#include "ops/selection.h"

#include <cmath>
#include <limits>

#include "ops/arithmetic.h"
#include "ops/comparison.h"
#include "ops/gradients.h"
#include "ops/indexing.h"
#include "ops/views.h"

namespace rl::ops {
namespace {

const PointwiseRule where_rule{
    .schema = "where",
    .kernel = Pointwise::where,
    .node = "WhereBackward0",
    .gradients = {
        {{},
         {uses_first, [](const Tensor& grad,
                         const PointwiseSaved& saved) { return where(saved.first(), grad, Scalar(0.0)); }},
         {uses_first, [](const Tensor& grad, const PointwiseSaved& saved) {
              return where(saved.first(), Scalar(0.0), grad);
          }}}}};

Tensor where_into(const Tensor& condition, const Tensor& self, const Tensor& other,
                  const Destination& destination) {
    check(is_boolean(condition.dtype()) || condition.dtype() == DType::uint8,
          "where expected condition to be a boolean tensor, but got a tensor with dtype ",
          info(condition.dtype()).scalar_name);
    return pointwise(where_rule, {condition, self, other}, {}, destination);
}

}  // namespace

Tensor where(const Tensor& condition, const Tensor& self, const Tensor& other) {
    return where_into(condition, self, other, {});
}
Tensor where(const Tensor& condition, const Tensor& self, const Scalar& other) {
    return where_into(condition, self, wrap_number(other), {});
}
Tensor where(const Tensor& condition, const Scalar& self, const Tensor& other) {
    return where_into(condition, wrap_number(self), other, {});
}

namespace {

Tensor where_op(const Tensor& condition, const Tensor& self, const Tensor& other,
                const Destination& destination) {
    return where_into(condition, self, other, destination);
}
TensorList where_nonzero(const Tensor& condition) {
    TensorList indices = unbind(nonzero(condition), 1);
    for (Tensor& index : indices) index = contiguous(index);
    return indices;
}

constexpr const char* where_doc =
    "``input`` where the condition is true, else ``other``; the three broadcast. With the condition alone, "
    "the indices\n"
    "of its true elements, a tensor a dimension. RuntimeError for a condition that is not boolean.\n\n"
    ">>> torch.where(torch.tensor([True, False]), torch.tensor([1, 2]), 0)\n"
    "tensor([1, 0])";
const Register where_self{"where.self(Tensor condition, Tensor|Scalar input, Tensor|Scalar other) -> Tensor",
                          where_op,
                          {.variants = function | out, .doc = where_doc}};
const Register where_indices{"where(Tensor condition) -> Tensor[]",
                             where_nonzero,
                             {.variants = function, .doc = where_doc, .differentiable = false}};

// masked_fill

// Inputs in the order of the kernel: mask, value, self.
constexpr InputGradient kept_gradient{uses_first, [](const Tensor& grad, const PointwiseSaved& saved) {
                                          return masked_fill(grad, saved.first(), Scalar(0.0));
                                      }};
const PointwiseRule masked_fill_scalar_rule{.schema = "masked_fill",
                                            .kernel = Pointwise::where,
                                            .node = "MaskedFillBackward0",
                                            .gradients = {{{}, {}, kept_gradient}}};
const PointwiseRule masked_fill_tensor_rule{
    .schema = "masked_fill",
    .kernel = Pointwise::where,
    .node = "MaskedFillBackward1",
    .gradients = {
        {{},
         {uses_first, [](const Tensor& grad,
                         const PointwiseSaved& saved) { return where(saved.first(), grad, Scalar(0.0)); }},
         kept_gradient}}};

void check_mask(const Tensor& mask) {
    constexpr const char* names[dtype_count] = {
        "bool",  "unsigned char", "signed char",         "short int",
        "int",   "long int",      "c10::Half",           "c10::BFloat16",
        "float", "double",        "c10::complex<float>", "c10::complex<double>"};
    check(is_boolean(mask.dtype()), "masked_fill_ only supports boolean masks, but got mask with dtype ",
          names[static_cast<int>(mask.dtype())]);
}

Tensor masked_fill_number(const Tensor& self, const Tensor& mask, const Scalar& value,
                          const Destination& destination) {
    check_mask(mask);
    check_fits(value, self.dtype());
    return pointwise(masked_fill_scalar_rule, {mask, scalar_tensor(value, self.dtype(), self.device()), self},
                     {}, destination);
}
Tensor masked_fill_value(const Tensor& self, const Tensor& mask, const Tensor& value,
                         const Destination& destination) {
    check_mask(mask);
    check(value.dim() == 0, "masked_fill_ only supports a 0-dimensional value tensor, but got tensor with ",
          value.dim(), " dimension(s).");
    if (!value.is_meta()) check_fits(value.item(), self.dtype());
    return pointwise(masked_fill_tensor_rule, {mask, to(value, self.dtype()), self}, {}, destination);
}

constexpr const char* masked_fill_doc =
    "The input with `value` (a number or a zero-dim tensor) where the mask is true; the two broadcast. "
    "RuntimeError for\n"
    "a mask that is not boolean.\n\n"
    ">>> torch.masked_fill(torch.tensor([1.0, 2.0]), torch.tensor([True, False]), 0)\n"
    "tensor([0., 2.])";
const Register masked_fill_tensor_op{"masked_fill.Tensor(Tensor self, Tensor mask, Tensor value) -> Tensor",
                                     masked_fill_value,
                                     {.variants = function | method | in_place, .doc = masked_fill_doc}};
const Register masked_fill_scalar_op{"masked_fill.Scalar(Tensor self, Tensor mask, Scalar value) -> Tensor",
                                     masked_fill_number,
                                     {.variants = function | method | in_place, .doc = masked_fill_doc}};

}  // namespace

Tensor masked_fill(const Tensor& self, const Tensor& mask, const Scalar& value) {
    return masked_fill_number(self, mask, value, {});
}
Tensor masked_fill(const Tensor& self, const Tensor& mask, const Tensor& value) {
    return masked_fill_value(self, mask, value, {});
}

// clamp

namespace {

// Which bounds clamp_scalar has, in integer[2].
constexpr int64_t has_low = 1, has_high = 2;

Tensor clamp_scalar_gradient(const Tensor& grad, const PointwiseSaved& saved) {
    const Tensor x = saved.first();
    const Parameters& p = saved.parameters;
    const Tensor above = ge(x, number(p.value[0])), below = le(x, number(p.value[1]));
    const Tensor inside = p.integer[2] == has_low    ? above
                          : p.integer[2] == has_high ? below
                                                     : logical_and(above, below);
    return where(inside, grad, Scalar(0.0));
}
PointwiseRule clamp_scalar_rule(const char* node) {
    return {.schema = "clamp",
            .kernel = Pointwise::clamp_scalar,
            .node = node,
            .gradients = {{{uses_first, clamp_scalar_gradient}}}};
}
const PointwiseRule clamp_rule = clamp_scalar_rule("ClampBackward1");
const PointwiseRule clamp_min_rule = clamp_scalar_rule("ClampMinBackward0");
const PointwiseRule clamp_max_rule = clamp_scalar_rule("ClampMaxBackward0");

const PointwiseRule clamp_min_tensor_rule{
    .schema = "clamp_min",
    .kernel = Pointwise::maximum,
    .node = "ClampMinBackward1",
    .gradients = {{{uses_first | uses_second,
                    [](const Tensor& grad, const PointwiseSaved& saved) {
                        return where(ge(saved.first(), saved.second()), grad, Scalar(0.0));
                    }},
                   {uses_first | uses_second, [](const Tensor& grad, const PointwiseSaved& saved) {
                        return where(lt(saved.first(), saved.second()), grad, Scalar(0.0));
                    }}}}};
const PointwiseRule clamp_max_tensor_rule{
    .schema = "clamp_max",
    .kernel = Pointwise::minimum,
    .node = "ClampMaxBackward1",
    .gradients = {{{uses_first | uses_second,
                    [](const Tensor& grad, const PointwiseSaved& saved) {
                        return where(le(saved.first(), saved.second()), grad, Scalar(0.0));
                    }},
                   {uses_first | uses_second, [](const Tensor& grad, const PointwiseSaved& saved) {
                        return where(gt(saved.first(), saved.second()), grad, Scalar(0.0));
                    }}}}};
constexpr unsigned uses_all = uses_first | uses_second | uses_third;
const PointwiseRule clamp_tensor_rule{
    .schema = "clamp",
    .kernel = Pointwise::clamp,
    .node = "ClampBackward0",
    .gradients = {{{uses_all,
                    [](const Tensor& grad, const PointwiseSaved& saved) {
                        const Tensor x = saved.first();
                        const Tensor inside = logical_and(ge(x, saved.second()), le(x, saved.third()));
                        return where(inside, grad, Scalar(0.0));
                    }},
                   {uses_all,
                    [](const Tensor& grad, const PointwiseSaved& saved) {
                        const Tensor low = saved.second();
                        const Tensor taken = logical_and(lt(low, saved.third()), lt(saved.first(), low));
                        return where(taken, grad, Scalar(0.0));
                    }},
                   {uses_all, [](const Tensor& grad, const PointwiseSaved& saved) {
                        const Tensor low = saved.second(), high = saved.third();
                        const Tensor taken = logical_or(gt(saved.first(), high), gt(low, high));
                        return where(taken, grad, Scalar(0.0));
                    }}}}};

void check_clampable(const Tensor& self) {
    check<NotImplemented>(!is_complex(self.dtype()), "clamp is not supported for complex types");
}
bool is_nan(const std::optional<Scalar>& bound) {
    return bound && bound->is_floating() && std::isnan(bound->to_double());
}

Tensor clamp_by(const PointwiseRule& rule, const Tensor& self, const std::optional<Scalar>& min,
                const std::optional<Scalar>& max, const Destination& destination) {
    check_clampable(self);
    DType dtype = self.dtype();
    for (const auto& bound : {min, max}) {
        if (bound) dtype = promote(dtype, result_type(std::array{self, wrap_number(*bound)}));
    }
    if (is_nan(min) || is_nan(max)) return add(self, wrap_number(Scalar(NAN)), 1, destination);
    Parameters parameters = parameters_of({min.value_or(Scalar(0)), max.value_or(Scalar(0))});
    // Integer bounds are read from integer[0] and [1]: the flags come after them.
    parameters.integer[2] = (min ? has_low : 0) | (max ? has_high : 0);
    return pointwise(rule, {to(self, dtype)}, parameters, destination);
}

Tensor clamp_number(const Tensor& self, const std::optional<Scalar>& min, const std::optional<Scalar>& max,
                    const Destination& destination) {
    return clamp(self, min, max, destination);
}
Tensor clamp_tensors(const Tensor& self, const Tensor& min, const Tensor& max,
                     const Destination& destination) {
    check(min.defined() || max.defined(), "torch.clamp: At least one of 'min' or 'max' must not be None");
    check_clampable(self);
    if (!max.defined()) return pointwise(clamp_min_tensor_rule, {self, min}, {}, destination);
    if (!min.defined()) return pointwise(clamp_max_tensor_rule, {self, max}, {}, destination);
    return pointwise(clamp_tensor_rule, {self, min, max}, {}, destination);
}
Tensor clamp_min(const Tensor& self, const Scalar& min, const Destination& destination) {
    return clamp_by(clamp_min_rule, self, min, {}, destination);
}
Tensor clamp_max(const Tensor& self, const Scalar& max, const Destination& destination) {
    return clamp_by(clamp_max_rule, self, {}, max, destination);
}
Tensor clamp_min_tensor(const Tensor& self, const Tensor& min, const Destination& destination) {
    return clamp_tensors(self, min, {}, destination);
}
Tensor clamp_max_tensor(const Tensor& self, const Tensor& max, const Destination& destination) {
    return clamp_tensors(self, {}, max, destination);
}

constexpr const char* clamp_doc =
    "Each element limited to [min, max], which are numbers or tensors that broadcast; either may be absent, "
    "not both.\n"
    "NaN stays, and a NaN bound gives NaN. RuntimeError without bounds; NotImplementedError for complex "
    "input.\n\n"
    ">>> torch.clamp(torch.tensor([-1.0, 0.5, 2.0]), 0, 1)\n"
    "tensor([0.0000, 0.5000, 1.0000])";
const Register clamp_tensor_op{"clamp.Tensor(Tensor self, Tensor? min=None, Tensor? max=None) -> Tensor",
                               clamp_tensors,
                               {.variants = all_variants, .doc = clamp_doc}};
const Register clamp_op{"clamp(Tensor self, Scalar? min=None, Scalar? max=None) -> Tensor",
                        clamp_number,
                        {.variants = all_variants, .doc = clamp_doc}};
const Register clamp_mixed{
    "clamp.mixed(Tensor self, Tensor|Scalar? min=None, Tensor|Scalar? max=None) -> Tensor",
    clamp_tensors,
    {.variants = all_variants, .doc = clamp_doc}};
const Register clip_tensor_op{"clip.Tensor(Tensor self, Tensor? min=None, Tensor? max=None) -> Tensor",
                              clamp_tensors,
                              {.variants = all_variants, .doc = clamp_doc}};
const Register clip_op{"clip(Tensor self, Scalar? min=None, Scalar? max=None) -> Tensor",
                       clamp_number,
                       {.variants = all_variants, .doc = clamp_doc}};
const Register clip_mixed{
    "clip.mixed(Tensor self, Tensor|Scalar? min=None, Tensor|Scalar? max=None) -> Tensor",
    clamp_tensors,
    {.variants = all_variants, .doc = clamp_doc}};
const Register clamp_min_tensor_op{"clamp_min.Tensor(Tensor self, Tensor min) -> Tensor",
                                   clamp_min_tensor,
                                   {.variants = all_variants, .doc = clamp_doc}};
const Register clamp_min_op{
    "clamp_min(Tensor self, Scalar min) -> Tensor", clamp_min, {.variants = all_variants, .doc = clamp_doc}};
const Register clamp_max_tensor_op{"clamp_max.Tensor(Tensor self, Tensor max) -> Tensor",
                                   clamp_max_tensor,
                                   {.variants = all_variants, .doc = clamp_doc}};
const Register clamp_max_op{
    "clamp_max(Tensor self, Scalar max) -> Tensor", clamp_max, {.variants = all_variants, .doc = clamp_doc}};

}  // namespace

Tensor clamp(const Tensor& self, const std::optional<Scalar>& min, const std::optional<Scalar>& max,
             const Destination& destination) {
    check(min || max, "torch.clamp: At least one of 'min' or 'max' must not be None");
    return clamp_by(clamp_rule, self, min, max, destination);
}

// nan_to_num

namespace {

const PointwiseRule nan_to_num_rule{
    .schema = "nan_to_num",
    .kernel = Pointwise::nan_to_num,
    .node = "NanToNumBackward0",
    .gradients = {{{uses_first, [](const Tensor& grad, const PointwiseSaved& saved) {
                        return where(isfinite(saved.first()), grad, Scalar(0.0));
                    }}}}};

// The largest finite number of a dtype.
double largest(DType dtype) {
    switch (to_real(dtype)) {
        case DType::float16:
            return 65504;
        case DType::bfloat16:
            return 0x1.fep127;
        case DType::float32:
            return std::numeric_limits<float>::max();
        default:
            return std::numeric_limits<double>::max();
    }
}

Tensor nan_to_num(const Tensor& self, std::optional<double> nan, std::optional<double> posinf,
                  std::optional<double> neginf, const Destination& destination) {
    const double limit = largest(self.dtype());
    const Parameters parameters = [&] {
        Parameters result;
        result.value[0] = nan.value_or(0);
        result.value[1] = posinf.value_or(limit);
        result.value[2] = neginf.value_or(-limit);
        return result;
    }();
    return pointwise(nan_to_num_rule, {self}, parameters, destination);
}
const Register nan_to_num_op{
    "nan_to_num(Tensor self, float? nan=None, float? posinf=None, float? neginf=None) -> Tensor",
    nan_to_num,
    {.variants = all_variants,
     .doc =
         "NaN, inf and -inf replaced by numbers: by default 0 and the largest and smallest finite ones.\n\n"
         ">>> torch.nan_to_num(torch.tensor([float('nan'), 1.0]), nan=3.0)\n"
         "tensor([3., 1.])"}};

}  // namespace
}  // namespace rl::ops
