// Arithmetic: sums, products, quotients, powers, signs, and their combinations of three tensors.
#include "ops/arithmetic.h"

#include "ops/comparison.h"
#include "ops/elementary.h"
#include "ops/gradients.h"
#include "ops/selection.h"
#include "ops/views.h"

namespace rl::ops {
namespace {

// Addition and subtraction

const PointwiseRule add_rule{.schema = "add",
                             .kernel = Pointwise::add,
                             .node = "AddBackward0",
                             .gradients = {{same_gradient, same_gradient}}};
const PointwiseRule add_scaled_rule{
    .schema = "add",
    .kernel = Pointwise::add_scaled,
    .node = "AddBackward0",
    .gradients = {{same_gradient, {uses_nothing, [](const Tensor& grad, const PointwiseSaved& saved) {
                                       return grad * number(std::conj(saved.parameters.value[0]));
                                   }}}}};

constexpr InputGradient negative_gradient{
    uses_nothing, [](const Tensor& grad, const PointwiseSaved&) { return neg(grad); }};
const PointwiseRule sub_rule{.schema = "sub",
                             .kernel = Pointwise::sub,
                             .node = "SubBackward0",
                             .gradients = {{same_gradient, negative_gradient}}};
const PointwiseRule number_sub_rule{.schema = "sub",
                                    .kernel = Pointwise::sub,
                                    .node = "RsubBackward1",
                                    .gradients = {{same_gradient, negative_gradient}}};

void check_alpha(DType dtype, const Scalar& alpha) {
    check(!alpha.is_boolean() || is_boolean(dtype), "Boolean alpha only supported for Boolean results.");
    check(is_differentiable(dtype) || alpha.is_integral(),
          "For integral input tensors, argument alpha must not be a floating point number.");
    check(is_complex(dtype) || !alpha.is_complex(),
          "For non-complex input tensors, argument alpha must not be a complex number.");
}

void check_subtraction(const Tensor& self, const Tensor& other) {
    check(!is_boolean(self.dtype()) || !is_boolean(other.dtype()),
          "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or "
          "`logical_xor()` "
          "operator instead.");
    check(!is_boolean(self.dtype()) && !is_boolean(other.dtype()),
          "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to invert a "
          "mask, "
          "use the `~` or `logical_not()` operator instead.");
}

bool is_one(const Scalar& alpha) {
    return alpha.equals(1) && !alpha.is_boolean();
}

}  // namespace

Tensor add(const Tensor& self, const Tensor& other, const Scalar& alpha, const Destination& destination) {
    if (is_one(alpha)) return pointwise(add_rule, {self, other}, {}, destination);
    check_alpha(result_type(std::array{self, other}), alpha);
    return pointwise(add_scaled_rule, {self, other}, parameters_of({alpha}), destination);
}
Tensor sub(const Tensor& self, const Tensor& other, const Scalar& alpha, const Destination& destination) {
    check_subtraction(self, other);
    if (is_one(alpha)) {
        return pointwise(self.is_wrapped_number() ? number_sub_rule : sub_rule, {self, other}, {},
                         destination);
    }
    check_alpha(result_type(std::array{self, other}), alpha);
    return pointwise(add_scaled_rule, {self, other}, parameters_of({-alpha}), destination);
}

namespace {

Tensor rsub(const Tensor& self, const Tensor& other, const Scalar& alpha) {
    return sub(other, self, alpha);
}

const Register add_op{"add(Tensor self, Tensor|Scalar other, *, Scalar alpha=1) -> Tensor",
                      add,
                      {.variants = all_variants,
                       .doc = "``input + alpha * other``, broadcast and promoted together.\n\n"
                              ">>> torch.add(torch.tensor([1, 2]), torch.tensor([10, 20]), alpha=2)\n"
                              "tensor([21, 42])"}};
const Register sub_op{
    "sub(Tensor self, Tensor|Scalar other, *, Scalar alpha=1) -> Tensor",
    sub,
    {.variants = all_variants,
     .doc = "``input - alpha * other``, broadcast and promoted together. RuntimeError for bool.\n\n"
            ">>> torch.sub(torch.tensor([5, 7]), 2)\n"
            "tensor([3, 5])"}};
const Register subtract_op{"subtract(Tensor self, Tensor|Scalar other, *, Scalar alpha=1) -> Tensor",
                           sub,
                           {.variants = all_variants, .doc = "Another name of `sub`."}};
const Register rsub_op{"rsub(Tensor self, Tensor|Scalar other, *, Scalar alpha=1) -> Tensor",
                       rsub,
                       {.variants = function,
                        .doc = "``other - alpha * input``.\n\n"
                               ">>> torch.rsub(torch.tensor([1, 2]), 10)\n"
                               "tensor([9, 8])"}};
const Register rsub_method{"__rsub__(Tensor self, Tensor|Scalar other) -> Tensor",
                           +[](const Tensor& self, const Tensor& other) { return sub(other, self); },
                           {.variants = method, .doc = "``other - self``."}};

// Multiplication and division

const PointwiseRule mul_rule{
    .schema = "mul",
    .kernel = Pointwise::mul,
    .node = "MulBackward0",
    .gradients = {{{uses_second, [](const Tensor& grad,
                                    const PointwiseSaved& saved) { return grad * conj(saved.second()); }},
                   {uses_first, [](const Tensor& grad, const PointwiseSaved& saved) {
                        return grad * conj(saved.first());
                    }}}}};

constexpr InputGradient dividend_gradient{
    uses_second, [](const Tensor& grad, const PointwiseSaved& saved) { return grad / conj(saved.second()); }};
constexpr InputGradient divisor_gradient{uses_first | uses_second,
                                         [](const Tensor& grad, const PointwiseSaved& saved) {
                                             const Tensor divisor = saved.second();
                                             return neg(grad) * conj((saved.first() / divisor) / divisor);
                                         }};
const PointwiseRule div_rule{.schema = "div",
                             .kernel = Pointwise::div,
                             .promotion = Promotion::to_float,
                             .node = "DivBackward0",
                             .gradients = {{dividend_gradient, divisor_gradient}}};
const PointwiseRule floor_div_rule{.schema = "div_floor",
                                   .kernel = Pointwise::floor_divide,
                                   .node = "DivBackward2",
                                   .gradients = {{zero_gradient, zero_gradient}}};
const PointwiseRule trunc_div_rule{.schema = "div_trunc",
                                   .kernel = Pointwise::trunc_divide,
                                   .node = "DivBackward2",
                                   .gradients = {{zero_gradient, zero_gradient}}};

Tensor no_floor_divide_gradient(const Tensor&, const PointwiseSaved&) {
    raise<Error>("derivative for aten::floor_divide is not implemented");
}
const PointwiseRule floor_divide_rule{
    .schema = "div_floor",
    .kernel = Pointwise::floor_divide,
    .node = "NotImplemented",
    .gradients = {{{uses_nothing, no_floor_divide_gradient}, {uses_nothing, no_floor_divide_gradient}}}};

}  // namespace

Tensor mul(const Tensor& self, const Tensor& other, const Destination& destination) {
    return pointwise(mul_rule, {self, other}, {}, destination);
}
Tensor div(const Tensor& self, const Tensor& other, const Destination& destination) {
    // PyTorch multiplies a number by the reciprocal.
    if (self.is_wrapped_number() && destination.kind == Destination::Kind::fresh)
        return mul(reciprocal(other), self);
    return pointwise(div_rule, {self, other}, {}, destination);
}
Tensor floor_divide(const Tensor& self, const Tensor& other, const Destination& destination) {
    return pointwise(floor_divide_rule, {self, other}, {}, destination);
}
Tensor trunc_divide(const Tensor& self, const Tensor& other, const Destination& destination) {
    return pointwise(trunc_div_rule, {self, other}, {}, destination);
}

namespace {

Tensor div_rounded(const Tensor& self, const Tensor& other, const std::optional<std::string>& rounding_mode,
                   const Destination& destination) {
    if (!rounding_mode) return div(self, other, destination);
    if (*rounding_mode == "floor") return pointwise(floor_div_rule, {self, other}, {}, destination);
    check(*rounding_mode == "trunc",
          "div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '", *rounding_mode,
          "'");
    return trunc_divide(self, other, destination);
}

const Register mul_op{"mul(Tensor self, Tensor|Scalar other) -> Tensor",
                      mul,
                      {.variants = all_variants,
                       .doc = "``input * other``, broadcast and promoted together.\n\n"
                              ">>> torch.mul(torch.tensor([1.0, 2.0]), 3)\n"
                              "tensor([3., 6.])"}};
const Register multiply_op{"multiply(Tensor self, Tensor|Scalar other) -> Tensor",
                           mul,
                           {.variants = all_variants, .doc = "Another name of `mul`."}};

constexpr const char* div_doc =
    "``input / other``; integers divide as numbers of the default dtype. With rounding_mode 'trunc' or "
    "'floor' the\n"
    "quotient is rounded towards zero or down and keeps the promoted type; an integer divided by zero "
    "raises\n"
    "RuntimeError.\n\n"
    ">>> torch.div(torch.tensor([7, -7]), 2, rounding_mode='floor')\n"
    "tensor([ 3, -4])";
const Register div_op{
    "div(Tensor self, Tensor|Scalar other) -> Tensor", div, {.variants = all_variants, .doc = div_doc}};
const Register div_mode{"div.Tensor_mode(Tensor self, Tensor|Scalar other, *, str? rounding_mode) -> Tensor",
                        div_rounded,
                        {.variants = all_variants, .doc = div_doc}};
const Register divide_op{"divide(Tensor self, Tensor|Scalar other) -> Tensor",
                         div,
                         {.variants = all_variants, .doc = "Another name of `div`."}};
const Register divide_mode{
    "divide.Tensor_mode(Tensor self, Tensor|Scalar other, *, str? rounding_mode) -> Tensor",
    div_rounded,
    {.variants = all_variants, .doc = "Another name of `div`."}};
const Register true_divide_op{"true_divide(Tensor self, Tensor|Scalar other) -> Tensor",
                              div,
                              {.variants = all_variants, .doc = "Another name of `div` without rounding."}};
const Register floor_divide_op{
    "floor_divide(Tensor self, Tensor|Scalar other) -> Tensor",
    floor_divide,
    {.variants = all_variants,
     .doc = "``input / other`` rounded down. RuntimeError for an integer divided by zero.\n\n"
            ">>> torch.floor_divide(torch.tensor([4.0, -3.0]), 2.0)\n"
            "tensor([ 2., -2.])"}};
const Register rfloordiv_method{
    "__rfloordiv__(Tensor self, Tensor|Scalar other) -> Tensor",
    +[](const Tensor& self, const Tensor& other) { return floor_divide(other, self); },
    {.variants = method, .doc = "``other // self``."}};
const Register rdiv_method{
    "__rdiv__(Tensor self, Tensor|Scalar other) -> Tensor",
    +[](const Tensor& self, const Tensor& other) { return mul(reciprocal(self), other); },
    {.variants = method, .doc = "``other / self``."}};
}  // namespace

const PointwiseOperator remainder{
    {.schema = "remainder(Tensor|Scalar self, Tensor|Scalar other) -> Tensor",
     .kernel = Pointwise::remainder,
     .node = "RemainderBackward1",
     .gradients = {{same_gradient,
                    {uses_first | uses_second,
                     [](const Tensor& grad, const PointwiseSaved& saved) {
                         return neg(grad) * pointwise(floor_div_rule, {saved.first(), saved.second()});
                     }}}},
     .variants = all_variants,
     .doc = "Python's modulus: ``input - floor(input / other) * other``, with the sign of the divisor. "
            "RuntimeError\n"
            "for an integer divided by zero.\n\n"
            ">>> torch.remainder(torch.tensor([-3.0, 3.0]), 2)\n"
            "tensor([1., 1.])"}};

namespace {

const Register rmod_method{"__rmod__(Tensor self, Tensor|Scalar other) -> Tensor",
                           +[](const Tensor& self, const Tensor& other) { return remainder(other, self); },
                           {.variants = method, .doc = "``other % self``."}};

const PointwiseOperator fmod_op{{.schema = "fmod(Tensor self, Tensor|Scalar other) -> Tensor",
                                 .kernel = Pointwise::fmod,
                                 .node = "FmodBackward1",
                                 .gradients = {{same_gradient,
                                                {uses_first | uses_second,
                                                 [](const Tensor& grad, const PointwiseSaved& saved) {
                                                     return neg(grad) *
                                                            trunc_divide(saved.first(), saved.second());
                                                 }}}},
                                 .variants = all_variants,
                                 .doc = "C's fmod: ``input - trunc(input / other) * other``, with the sign "
                                        "of the dividend. RuntimeError for an\n"
                                        "integer divided by zero.\n\n"
                                        ">>> torch.fmod(torch.tensor([-3.0, 3.0]), 2)\n"
                                        "tensor([-1.,  1.])"}};

// Powers

constexpr InputGradient base_gradient{
    uses_first | uses_second, [](const Tensor& grad, const PointwiseSaved& saved) {
        const Tensor base = saved.first(), exponent = saved.second();
        return where(eq(exponent, Scalar(0)), Scalar(0.0), grad * conj(exponent * pow(base, exponent - 1)));
    }};
constexpr InputGradient exponent_gradient{
    uses_first | uses_second | uses_result, [](const Tensor& grad, const PointwiseSaved& saved) {
        const Tensor base = saved.first(), exponent = saved.second();
        const Tensor limit = is_complex(exponent.dtype()) ? eq(exponent, Scalar(0)) : ge(exponent, Scalar(0));
        const Tensor vanishes = logical_and(eq(base, Scalar(0)), limit);
        return grad * where(vanishes, Scalar(0.0), conj(saved.result() * log(base)));
    }};
const PointwiseRule pow_rule{.schema = "pow",
                             .kernel = Pointwise::pow,
                             .node = "PowBackward1",
                             .gradients = {{base_gradient, exponent_gradient}}};
const PointwiseRule number_pow_rule{.schema = "pow",
                                    .kernel = Pointwise::pow,
                                    .node = "PowBackward2",
                                    .gradients = {{base_gradient, exponent_gradient}}};
const PointwiseRule pow_scalar_rule{
    .schema = "pow",
    .kernel = Pointwise::pow_scalar,
    .node = "PowBackward0",
    .gradients = {{{uses_first, [](const Tensor& grad, const PointwiseSaved& saved) {
                        const complex128 exponent = saved.parameters.value[0];
                        if (exponent == complex128(0)) return zeros_like(grad);
                        return grad * conj(number(exponent) * pow(saved.first(), number(exponent - 1.0)));
                    }}}}};

}  // namespace

Tensor pow(const Tensor& self, const Tensor& exponent, const Destination& destination) {
    return pointwise(self.is_wrapped_number() ? number_pow_rule : pow_rule, {self, exponent}, {},
                     destination);
}
Tensor pow(const Tensor& self, const Scalar& exponent, const Destination& destination) {
    check(!(is_integral(self.dtype(), true) && exponent.is_integral() && exponent.to_int() < 0),
          "Integers to negative integer powers are not allowed.");
    const DType dtype = result_type(std::array{self, wrap_number(exponent)});
    return pointwise(pow_scalar_rule, {to(self, dtype)}, parameters_of({exponent}), destination);
}

namespace {

Tensor pow_tensor_scalar(const Tensor& self, const Scalar& exponent, const Destination& destination) {
    return pow(self, exponent, destination);
}
Tensor pow_tensor(const Tensor& self, const Tensor& exponent, const Destination& destination) {
    return pow(self, exponent, destination);
}
Tensor pow_number(const Scalar& self, const Tensor& exponent, const Destination& destination) {
    return pow(wrap_number(self), exponent, destination);
}
Tensor rpow(const Tensor& self, const Tensor& other) {
    return pow(other, self);
}

constexpr const char* pow_doc =
    "``input ** exponent``, broadcast and promoted together; either may be a number. RuntimeError for an "
    "integer\n"
    "tensor to a negative integer number.\n\n"
    ">>> torch.pow(torch.tensor([1.0, 2.0, 3.0]), 2)\n"
    "tensor([1., 4., 9.])";
const Register pow_tensor_tensor{"pow.Tensor_Tensor(Tensor self, Tensor exponent) -> Tensor",
                                 pow_tensor,
                                 {.variants = all_variants, .doc = pow_doc}};
const Register pow_tensor_number{"pow.Tensor_Scalar(Tensor self, Scalar exponent) -> Tensor",
                                 pow_tensor_scalar,
                                 {.variants = all_variants, .doc = pow_doc}};
const Register pow_scalar_tensor{"pow.Scalar(Scalar self, Tensor exponent) -> Tensor",
                                 pow_number,
                                 {.variants = function | out, .doc = pow_doc}};
const Register rpow_method{"__rpow__(Tensor self, Tensor|Scalar other) -> Tensor",
                           rpow,
                           {.variants = method, .doc = "``other ** self``."}};

// float_power computes in double precision whatever comes in.
DType float_power_dtype(const Tensor& self, const Tensor& exponent, const Destination& destination) {
    const bool complex = is_complex(self.dtype()) || is_complex(exponent.dtype());
    const DType dtype = complex ? DType::complex128 : DType::float64;
    if (destination.kind == Destination::Kind::in_place) {
        check(self.dtype() == dtype, "the base given to float_power_ has dtype ",
              info(self.dtype()).scalar_name, " but the operation's result requires dtype ",
              info(dtype).scalar_name);
    }
    if (destination.kind == Destination::Kind::out) {
        const DType given = destination.tensor.dtype();
        check(given == dtype, "the output given to float_power has dtype ", info(given).scalar_name,
              " but the operation's result requires dtype ", info(dtype).scalar_name);
    }
    return dtype;
}
Tensor float_power(const Tensor& self, const Tensor& exponent, const Destination& destination) {
    const DType dtype = float_power_dtype(self, exponent, destination);
    return pow(to(self, dtype), to(exponent, dtype), destination);
}
Tensor float_power_number(const Tensor& self, const Scalar& exponent, const Destination& destination) {
    const DType dtype = float_power_dtype(self, wrap_number(exponent), destination);
    return pow(to(self, dtype), exponent.is_complex() ? exponent : Scalar(exponent.to_double()), destination);
}
Tensor float_power_of_number(const Scalar& self, const Tensor& exponent, const Destination& destination) {
    return float_power(wrap_number(self), exponent, destination);
}

constexpr const char* float_power_doc =
    "``input ** exponent`` in double precision: the result is float64, or complex128.\n\n"
    ">>> torch.float_power(torch.tensor([2, 3]), -1)\n"
    "tensor([0.5000, 0.3333], dtype=torch.float64)";
const Register float_power_tensor{"float_power.Tensor_Tensor(Tensor self, Tensor exponent) -> Tensor",
                                  float_power,
                                  {.variants = all_variants, .doc = float_power_doc}};
const Register float_power_scalar{"float_power.Tensor_Scalar(Tensor self, Scalar exponent) -> Tensor",
                                  float_power_number,
                                  {.variants = all_variants, .doc = float_power_doc}};
const Register float_power_base{"float_power.Scalar(Scalar self, Tensor exponent) -> Tensor",
                                float_power_of_number,
                                {.variants = function | out, .doc = float_power_doc}};

const PointwiseRule square_rule{
    .schema = "square",
    .kernel = Pointwise::square,
    .node = "PowBackward0",
    .gradients = {{{uses_first, [](const Tensor& grad, const PointwiseSaved& saved) {
                        return grad * conj(Scalar(2) * saved.first());
                    }}}}};

}  // namespace

const PointwiseFunction square{square_rule};

namespace {

// A bool counts as an integer.
Tensor square_any(const Tensor& self, const Destination& destination) {
    const DType dtype = is_boolean(self.dtype()) ? DType::int64 : self.dtype();
    return pointwise(square_rule, {to(self, dtype)}, {}, destination);
}
const Register square_op{"square(Tensor self) -> Tensor",
                         square_any,
                         {.variants = all_variants,
                          .doc = "The square of each element.\n\n"
                                 ">>> torch.square(torch.tensor([-2.0, 3.0]))\n"
                                 "tensor([4., 9.])"}};

}  // namespace

// One input

namespace {

const PointwiseRule neg_rule{.schema = "neg",
                             .kernel = Pointwise::neg,
                             .node = "NegBackward0",
                             .gradients = {{negative_gradient}},
                             .variants = all_variants,
                             .doc =
                                 "The negative of each element.\n\n"
                                 ">>> torch.neg(torch.tensor([1, -2]))\n"
                                 "tensor([-1,  2])"};

}  // namespace

const PointwiseFunction neg{neg_rule};

namespace {

Tensor neg_checked(const Tensor& self, const Destination& destination) {
    check(!is_boolean(self.dtype()),
          "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert a "
          "mask, use the "
          "`~` or `logical_not()` operator instead.");
    return pointwise(neg_rule, {self}, {}, destination);
}
const Register neg_op{
    "neg(Tensor self) -> Tensor", neg_checked, {.variants = all_variants, .doc = neg_rule.doc}};
const Register negative_op{"negative(Tensor self) -> Tensor",
                           neg_checked,
                           {.variants = all_variants, .doc = "Another name of `neg`."}};

Tensor positive(const Tensor& self) {
    check(!is_boolean(self.dtype()), "The `+` operator, on a bool tensor is not supported.");
    return self;
}
const Register positive_op{"positive(Tensor self) -> Tensor",
                           positive,
                           {.doc = "The input itself. RuntimeError for bool.\n\n"
                                   ">>> torch.positive(torch.tensor([1, -2]))\n"
                                   "tensor([ 1, -2])"}};

const PointwiseRule abs_rule{
    .schema = "abs(Tensor self) -> Tensor",
    .kernel = Pointwise::abs,
    .promotion = Promotion::to_real,
    .node = "AbsBackward0",
    .gradients = {{{uses_first, [](const Tensor& grad,
                                   const PointwiseSaved& saved) { return grad * sgn(saved.first()); }}}},
    .variants = all_variants,
    .doc =
        "The absolute value of each element; of complex numbers, the modulus, which is real.\n\n"
        ">>> torch.abs(torch.tensor([-1.0, 2.0]))\n"
        "tensor([1., 2.])"};

Tensor abs_checked(const Tensor& self, const Destination& destination) {
    check<NotImplemented>(!is_boolean(self.dtype()), "\"abs_cpu\" not implemented for 'Bool'");
    check(destination.kind != Destination::Kind::in_place || !is_complex(self.dtype()),
          "In-place abs is not supported for complex tensors.");
    return pointwise(abs_rule, {self}, {}, destination);
}

}  // namespace

const PointwiseFunction abs{abs_rule};

namespace {

const Register abs_op{abs_rule.schema, abs_checked, {.variants = all_variants, .doc = abs_rule.doc}};
const Register absolute_op{"absolute(Tensor self) -> Tensor",
                           abs_checked,
                           {.variants = all_variants, .doc = "Another name of `abs`."}};

const PointwiseRule sign_rule{
    .schema = "sign", .kernel = Pointwise::sign, .node = "SignBackward0", .gradients = {{zero_gradient}}};
Tensor sign_checked(const Tensor& self, const Destination& destination) {
    check<NotImplemented>(
        !is_complex(self.dtype()),
        "Unlike NumPy, torch.sign is not intended to support complex numbers. Please use torch.sgn "
        "instead.");
    return pointwise(sign_rule, {self}, {}, destination);
}
const Register sign_op{"sign(Tensor self) -> Tensor",
                       sign_checked,
                       {.variants = all_variants,
                        .doc = "-1, 0 or 1 by the sign of each element.\n\n"
                               ">>> torch.sign(torch.tensor([-2.5, 0.0, 3.0]))\n"
                               "tensor([-1.,  0.,  1.])"}};

// d sgn(z) = (dz - sgn(z) Re(conj(sgn(z)) dz)) / |z|, and 0 at 0.
Tensor sgn_gradient(const Tensor& grad, const PointwiseSaved& saved) {
    const Tensor z = saved.first();
    if (!is_complex(z.dtype())) return zeros_like(grad);
    const Tensor modulus = abs(z), unit = sgn(z);
    const Tensor across = grad - unit * real(conj(unit) * grad);
    return where(eq(modulus, Scalar(0)), Scalar(0.0), across / modulus);
}

}  // namespace

const PointwiseFunction sign{sign_rule};
const PointwiseOperator sgn{
    {.schema = "sgn(Tensor self) -> Tensor",
     .kernel = Pointwise::sgn,
     .node = "SgnBackward0",
     .gradients = {{{uses_first, sgn_gradient}}},
     .variants = all_variants,
     .doc = "The sign of each element; of a complex number, the number divided by its modulus.\n\n"
            ">>> torch.sgn(torch.tensor([3 + 4j, 0j]))\n"
            "tensor([0.6000+0.8000j, 0.0000+0.0000j])"}};

const PointwiseOperator sqrt{{.schema = "sqrt(Tensor self) -> Tensor",
                              .kernel = Pointwise::sqrt,
                              .promotion = Promotion::to_float,
                              .node = "SqrtBackward0",
                              .gradients = {{{uses_result,
                                              [](const Tensor& grad, const PointwiseSaved& saved) {
                                                  return grad / (Scalar(2) * conj(saved.result()));
                                              }}}},
                              .variants = all_variants,
                              .doc = "The square root of each element; NaN for negative real numbers.\n\n"
                                     ">>> torch.sqrt(torch.tensor([4.0, 9.0]))\n"
                                     "tensor([2., 3.])"}};

const PointwiseOperator rsqrt{{.schema = "rsqrt(Tensor self) -> Tensor",
                               .kernel = Pointwise::rsqrt,
                               .promotion = Promotion::to_float,
                               .node = "RsqrtBackward0",
                               .gradients = {{{uses_result,
                                               [](const Tensor& grad, const PointwiseSaved& saved) {
                                                   return Scalar(-0.5) * grad *
                                                          conj(pow(saved.result(), Scalar(3)));
                                               }}}},
                               .variants = all_variants,
                               .doc = "One divided by the square root of each element.\n\n"
                                      ">>> torch.rsqrt(torch.tensor([4.0, 16.0]))\n"
                                      "tensor([0.5000, 0.2500])"}};

const PointwiseOperator reciprocal{{.schema = "reciprocal(Tensor self) -> Tensor",
                                    .kernel = Pointwise::reciprocal,
                                    .promotion = Promotion::to_float,
                                    .node = "ReciprocalBackward0",
                                    .gradients = {{{uses_result,
                                                    [](const Tensor& grad, const PointwiseSaved& saved) {
                                                        return neg(grad) * conj(square(saved.result()));
                                                    }}}},
                                    .variants = all_variants,
                                    .doc = "One divided by each element.\n\n"
                                           ">>> torch.reciprocal(torch.tensor([2.0, 4.0]))\n"
                                           "tensor([0.5000, 0.2500])"}};

// The complex conjugate

namespace {

const PointwiseRule conj_physical_rule{
    .schema = "conj_physical",
    .kernel = Pointwise::conj_physical,
    .node = "ConjPhysicalBackward0",
    .gradients = {{{uses_nothing, [](const Tensor& grad, const PointwiseSaved&) { return conj(grad); }}}}};
Tensor conj_physical(const Tensor& self, const Destination& destination) {
    if (!is_complex(self.dtype()) && destination.kind == Destination::Kind::fresh) return self;
    return pointwise(conj_physical_rule, {self}, {}, destination);
}
const Register conj_physical_op{
    "conj_physical(Tensor self) -> Tensor",
    conj_physical,
    {.variants = all_variants,
     .doc = "The complex conjugate in new memory; real tensors come back themselves.\n\n"
            ">>> torch.conj_physical(torch.tensor([1 + 2j]))\n"
            "tensor([1.-2.j])"}};

const PointwiseRule conj_rule{
    .schema = "conj",
    .kernel = Pointwise::conj_physical,
    .node = "ConjBackward0",
    .gradients = {{{uses_nothing, [](const Tensor& grad, const PointwiseSaved&) { return conj(grad); }}}}};

}  // namespace

Tensor conj(const Tensor& self) {
    return is_complex(self.dtype()) ? pointwise(conj_rule, {self}) : self;
}

namespace {

Tensor itself(const Tensor& self) {
    return self;
}
const Register conj_op{"conj(Tensor self) -> Tensor",
                       conj,
                       {.doc = "The complex conjugate; real tensors come back themselves.\n\n"
                               ">>> torch.conj(torch.tensor([1 + 2j]))\n"
                               "tensor([1.-2.j])"}};
const Register resolve_conj_op{"resolve_conj(Tensor self) -> Tensor",
                               itself,
                               {.doc = "The input itself: conjugation is never postponed here."}};
const Register resolve_neg_op{"resolve_neg(Tensor self) -> Tensor",
                              itself,
                              {.doc = "The input itself: negation is never postponed here."}};

// Three tensors

const PointwiseRule lerp_rule{
    .schema = "lerp",
    .kernel = Pointwise::lerp,
    .node = "LerpBackward1",
    .gradients = {
        {{uses_third, [](const Tensor& grad,
                         const PointwiseSaved& saved) { return grad * conj(Scalar(1) - saved.third()); }},
         {uses_third,
          [](const Tensor& grad, const PointwiseSaved& saved) { return grad * conj(saved.third()); }},
         {uses_first | uses_second, [](const Tensor& grad, const PointwiseSaved& saved) {
              return grad * conj(saved.second() - saved.first());
          }}}}};
const PointwiseRule lerp_scalar_rule{
    .schema = "lerp", .kernel = Pointwise::lerp, .node = "LerpBackward0", .gradients = lerp_rule.gradients};

std::string lower_name(DType dtype) {
    std::string name(info(dtype).scalar_name);
    for (char& letter : name) letter = static_cast<char>(std::tolower(letter));
    if (dtype == DType::int64) return "long int";
    return name;
}
void check_same_dtype(const Tensor& self, const Tensor& other, const char* name) {
    check(self.dtype() == other.dtype(), "expected dtype ", lower_name(self.dtype()), " for `", name,
          "` but got dtype ", lower_name(other.dtype()));
}

}  // namespace

Tensor lerp(const Tensor& self, const Tensor& end, const Tensor& weight, const Destination& destination) {
    check_same_dtype(self, end, "end");
    if (weight.is_wrapped_number()) return pointwise(lerp_scalar_rule, {self, end, weight}, {}, destination);
    check_same_dtype(self, weight, "weight");
    return pointwise(lerp_rule, {self, end, weight}, {}, destination);
}

namespace {

const Register lerp_op{
    "lerp(Tensor self, Tensor end, Tensor|Scalar weight) -> Tensor",
    lerp,
    {.variants = all_variants,
     .doc = "``input + weight * (end - input)``: the point between two values. The three broadcast; \n"
            "RuntimeError for different dtypes.\n\n"
            ">>> torch.lerp(torch.tensor([0.0]), torch.tensor([10.0]), 0.25)\n"
            "tensor([2.5000])"}};

const PointwiseRule addcmul_rule{
    .schema = "addcmul",
    .kernel = Pointwise::addcmul,
    .node = "AddcmulBackward0",
    .gradients = {{same_gradient,
                   {uses_third,
                    [](const Tensor& grad, const PointwiseSaved& saved) {
                        return grad * conj(saved.third() * number(saved.parameters.value[0]));
                    }},
                   {uses_second, [](const Tensor& grad, const PointwiseSaved& saved) {
                        return grad * conj(saved.second() * number(saved.parameters.value[0]));
                    }}}}};
const PointwiseRule addcdiv_rule{
    .schema = "addcdiv",
    .kernel = Pointwise::addcdiv,
    .node = "AddcdivBackward0",
    .gradients = {{same_gradient,
                   {uses_third,
                    [](const Tensor& grad, const PointwiseSaved& saved) {
                        return grad * conj(number(saved.parameters.value[0]) / saved.third());
                    }},
                   {uses_second | uses_third, [](const Tensor& grad, const PointwiseSaved& saved) {
                        const Tensor divisor = saved.third();
                        const Scalar value = number(saved.parameters.value[0]);
                        return neg(grad) * conj(value * saved.second() / (divisor * divisor));
                    }}}}};

}  // namespace

Tensor addcmul(const Tensor& self, const Tensor& tensor1, const Tensor& tensor2, const Scalar& value,
               const Destination& destination) {
    return pointwise(addcmul_rule, {self, tensor1, tensor2}, parameters_of({value}), destination);
}
Tensor addcdiv(const Tensor& self, const Tensor& tensor1, const Tensor& tensor2, const Scalar& value,
               const Destination& destination) {
    check(!is_integral(tensor1.dtype(), true) || !is_integral(tensor2.dtype(), true),
          "Integer division with addcdiv is no longer supported, and in a future  release addcdiv will "
          "perform a true "
          "division of tensor1 and tensor2. The historic addcdiv behavior can be implemented as (input + "
          "value * "
          "torch.trunc(tensor1 / tensor2)).to(input.dtype) for integer inputs and as (input + value * "
          "tensor1 / "
          "tensor2) for float inputs. The future addcdiv behavior is just the latter implementation: (input "
          "+ value * "
          "tensor1 / tensor2), for all dtypes.");
    return pointwise(addcdiv_rule, {self, tensor1, tensor2}, parameters_of({value}), destination);
}

namespace {

const Register addcmul_op{
    "addcmul(Tensor self, Tensor|Scalar tensor1, Tensor|Scalar tensor2, *, Scalar value=1) -> Tensor",
    addcmul,
    {.variants = all_variants,
     .doc = "``input + value * tensor1 * tensor2``, broadcast together.\n\n"
            ">>> torch.addcmul(torch.ones(2), torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]))\n"
            "tensor([4., 9.])"}};
const Register addcdiv_op{
    "addcdiv(Tensor self, Tensor|Scalar tensor1, Tensor|Scalar tensor2, *, Scalar value=1) -> Tensor",
    addcdiv,
    {.variants = all_variants,
     .doc = "``input + value * tensor1 / tensor2``, broadcast together. RuntimeError for integers.\n\n"
            ">>> torch.addcdiv(torch.ones(1), torch.tensor([3.0]), torch.tensor([2.0]))\n"
            "tensor([2.5000])"}};

}  // namespace
}  // namespace rl::ops
