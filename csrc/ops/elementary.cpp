// Elementary functions: exponentials, logarithms, trigonometric and hyperbolic functions, rounding, and
// functions of two variables made of them.
#include "ops/elementary.h"

#include <numbers>

#include "ops/arithmetic.h"
#include "ops/comparison.h"
#include "ops/gradients.h"
#include "ops/selection.h"
#include "ops/views.h"

namespace rl::ops {

// Exponentials and logarithms

const PointwiseOperator exp{
    {.schema = "exp(Tensor self) -> Tensor",
     .kernel = Pointwise::exp,
     .promotion = Promotion::to_float,
     .node = "ExpBackward0",
     .gradients = {{{uses_result, [](const Tensor& grad,
                                     const PointwiseSaved& saved) { return grad * conj(saved.result()); }}}},
     .variants = all_variants,
     .doc = "e to the power of each element.\n\n"
            ">>> torch.exp(torch.tensor([0.0, 1.0]))\n"
            "tensor([1.0000, 2.7183])"}};
const PointwiseOperator exp2{{.schema = "exp2(Tensor self) -> Tensor",
                              .kernel = Pointwise::exp2,
                              .promotion = Promotion::to_float,
                              .node = "Exp2Backward0",
                              .gradients = {{{uses_result,
                                              [](const Tensor& grad, const PointwiseSaved& saved) {
                                                  return grad * conj(saved.result()) *
                                                         Scalar(std::numbers::ln2);
                                              }}}},
                              .variants = all_variants,
                              .doc = "2 to the power of each element.\n\n"
                                     ">>> torch.exp2(torch.tensor([0.0, 3.0]))\n"
                                     "tensor([1., 8.])"}};
const PointwiseOperator expm1{{.schema = "expm1(Tensor self) -> Tensor",
                               .kernel = Pointwise::expm1,
                               .promotion = Promotion::to_float,
                               .node = "Expm1Backward0",
                               .gradients = {{{uses_result,
                                               [](const Tensor& grad, const PointwiseSaved& saved) {
                                                   return grad * (conj(saved.result()) + Scalar(1));
                                               }}}},
                               .variants = all_variants,
                               .doc = "exp(x) - 1, accurate for small x.\n\n"
                                      ">>> torch.expm1(torch.tensor([0.0, 1.0]))\n"
                                      "tensor([0.0000, 1.7183])"}};
const PointwiseOperator log{
    {.schema = "log(Tensor self) -> Tensor",
     .kernel = Pointwise::log,
     .promotion = Promotion::to_float,
     .node = "LogBackward0",
     .gradients = {{{uses_first, [](const Tensor& grad,
                                    const PointwiseSaved& saved) { return grad / conj(saved.first()); }}}},
     .variants = all_variants,
     .doc = "The natural logarithm of each element; NaN for negative real numbers.\n\n"
            ">>> torch.log(torch.tensor([1.0, 10.0]))\n"
            "tensor([0.0000, 2.3026])"}};
const PointwiseOperator log2{{.schema = "log2(Tensor self) -> Tensor",
                              .kernel = Pointwise::log2,
                              .promotion = Promotion::to_float,
                              .node = "Log2Backward0",
                              .gradients = {{{uses_first,
                                              [](const Tensor& grad, const PointwiseSaved& saved) {
                                                  return grad /
                                                         (conj(saved.first()) * Scalar(std::numbers::ln2));
                                              }}}},
                              .variants = all_variants,
                              .doc = "The logarithm to base 2 of each element.\n\n"
                                     ">>> torch.log2(torch.tensor([1.0, 8.0]))\n"
                                     "tensor([0., 3.])"}};
const PointwiseOperator log10{{.schema = "log10(Tensor self) -> Tensor",
                               .kernel = Pointwise::log10,
                               .promotion = Promotion::to_float,
                               .node = "Log10Backward0",
                               .gradients = {{{uses_first,
                                               [](const Tensor& grad, const PointwiseSaved& saved) {
                                                   return grad /
                                                          (conj(saved.first()) * Scalar(std::numbers::ln10));
                                               }}}},
                               .variants = all_variants,
                               .doc = "The logarithm to base 10 of each element.\n\n"
                                      ">>> torch.log10(torch.tensor([1.0, 100.0]))\n"
                                      "tensor([0., 2.])"}};
const PointwiseOperator log1p{{.schema = "log1p(Tensor self) -> Tensor",
                               .kernel = Pointwise::log1p,
                               .promotion = Promotion::to_float,
                               .node = "Log1PBackward0",
                               .gradients = {{{uses_first,
                                               [](const Tensor& grad, const PointwiseSaved& saved) {
                                                   return grad / conj(saved.first() + Scalar(1));
                                               }}}},
                               .variants = all_variants,
                               .doc = "log(1 + x), accurate for small x.\n\n"
                                      ">>> torch.log1p(torch.tensor([0.0, 1.0]))\n"
                                      "tensor([0.0000, 0.6931])"}};

// Trigonometric functions

const PointwiseOperator sin{{.schema = "sin(Tensor self) -> Tensor",
                             .kernel = Pointwise::sin,
                             .promotion = Promotion::to_float,
                             .node = "SinBackward0",
                             .gradients = {{{uses_first,
                                             [](const Tensor& grad, const PointwiseSaved& saved) {
                                                 return grad * conj(cos(saved.first()));
                                             }}}},
                             .variants = all_variants,
                             .doc = "The sine of each element, an angle in radians.\n\n"
                                    ">>> torch.sin(torch.tensor([0.0, 1.0]))\n"
                                    "tensor([0.0000, 0.8415])"}};
const PointwiseOperator cos{{.schema = "cos(Tensor self) -> Tensor",
                             .kernel = Pointwise::cos,
                             .promotion = Promotion::to_float,
                             .node = "CosBackward0",
                             .gradients = {{{uses_first,
                                             [](const Tensor& grad, const PointwiseSaved& saved) {
                                                 return grad * neg(conj(sin(saved.first())));
                                             }}}},
                             .variants = all_variants,
                             .doc = "The cosine of each element, an angle in radians.\n\n"
                                    ">>> torch.cos(torch.tensor([0.0, 1.0]))\n"
                                    "tensor([1.0000, 0.5403])"}};
const PointwiseOperator tan{{.schema = "tan(Tensor self) -> Tensor",
                             .kernel = Pointwise::tan,
                             .promotion = Promotion::to_float,
                             .node = "TanBackward0",
                             .gradients = {{{uses_result,
                                             [](const Tensor& grad, const PointwiseSaved& saved) {
                                                 return grad * conj(Scalar(1) + square(saved.result()));
                                             }}}},
                             .variants = all_variants,
                             .doc = "The tangent of each element, an angle in radians.\n\n"
                                    ">>> torch.tan(torch.tensor([0.0, 1.0]))\n"
                                    "tensor([0.0000, 1.5574])"}};
const PointwiseOperator asin{{.schema = "asin(Tensor self) -> Tensor",
                              .kernel = Pointwise::asin,
                              .promotion = Promotion::to_float,
                              .node = "AsinBackward0",
                              .gradients = {{{uses_first,
                                              [](const Tensor& grad, const PointwiseSaved& saved) {
                                                  return grad *
                                                         conj(rsqrt(Scalar(1) - square(saved.first())));
                                              }}}},
                              .variants = all_variants,
                              .doc = "The inverse sine of each element; NaN outside [-1, 1].\n\n"
                                     ">>> torch.asin(torch.tensor([0.0, 1.0]))\n"
                                     "tensor([0.0000, 1.5708])"}};
const PointwiseOperator acos{{.schema = "acos(Tensor self) -> Tensor",
                              .kernel = Pointwise::acos,
                              .promotion = Promotion::to_float,
                              .node = "AcosBackward0",
                              .gradients = {{{uses_first,
                                              [](const Tensor& grad, const PointwiseSaved& saved) {
                                                  return grad *
                                                         neg(conj(rsqrt(Scalar(1) - square(saved.first()))));
                                              }}}},
                              .variants = all_variants,
                              .doc = "The inverse cosine of each element; NaN outside [-1, 1].\n\n"
                                     ">>> torch.acos(torch.tensor([1.0, 0.0]))\n"
                                     "tensor([0.0000, 1.5708])"}};
const PointwiseOperator atan{{.schema = "atan(Tensor self) -> Tensor",
                              .kernel = Pointwise::atan,
                              .promotion = Promotion::to_float,
                              .node = "AtanBackward0",
                              .gradients = {{{uses_first,
                                              [](const Tensor& grad, const PointwiseSaved& saved) {
                                                  return grad / conj(square(saved.first()) + Scalar(1));
                                              }}}},
                              .variants = all_variants,
                              .doc = "The inverse tangent of each element.\n\n"
                                     ">>> torch.atan(torch.tensor([0.0, 1.0]))\n"
                                     "tensor([0.0000, 0.7854])"}};

// Hyperbolic functions

const PointwiseOperator sinh{{.schema = "sinh(Tensor self) -> Tensor",
                              .kernel = Pointwise::sinh,
                              .promotion = Promotion::to_float,
                              .node = "SinhBackward0",
                              .gradients = {{{uses_first,
                                              [](const Tensor& grad, const PointwiseSaved& saved) {
                                                  return grad * conj(cosh(saved.first()));
                                              }}}},
                              .variants = all_variants,
                              .doc = "The hyperbolic sine of each element.\n\n"
                                     ">>> torch.sinh(torch.tensor([0.0, 1.0]))\n"
                                     "tensor([0.0000, 1.1752])"}};
const PointwiseOperator cosh{{.schema = "cosh(Tensor self) -> Tensor",
                              .kernel = Pointwise::cosh,
                              .promotion = Promotion::to_float,
                              .node = "CoshBackward0",
                              .gradients = {{{uses_first,
                                              [](const Tensor& grad, const PointwiseSaved& saved) {
                                                  return grad * conj(sinh(saved.first()));
                                              }}}},
                              .variants = all_variants,
                              .doc = "The hyperbolic cosine of each element.\n\n"
                                     ">>> torch.cosh(torch.tensor([0.0, 1.0]))\n"
                                     "tensor([1.0000, 1.5431])"}};

namespace {

const PointwiseRule tanh_backward_rule{
    .schema = "tanh_backward",
    .kernel = Pointwise::tanh_backward,
    .node = "TanhBackwardBackward0",
    .gradients = {{{uses_second,
                    [](const Tensor& grad, const PointwiseSaved& saved) {
                        return grad * conj(Scalar(1) - square(saved.second()));
                    }},
                   {uses_first | uses_second, [](const Tensor& grad, const PointwiseSaved& saved) {
                        return conj(grad) * saved.first() * (Scalar(-2) * conj(saved.second()));
                    }}}}};

}  // namespace

const PointwiseOperator tanh{{.schema = "tanh(Tensor self) -> Tensor",
                              .kernel = Pointwise::tanh,
                              .promotion = Promotion::to_float,
                              .node = "TanhBackward0",
                              .gradients = {{{uses_result,
                                              [](const Tensor& grad, const PointwiseSaved& saved) {
                                                  return pointwise(tanh_backward_rule,
                                                                   {grad, saved.result()});
                                              }}}},
                              .variants = all_variants,
                              .doc = "The hyperbolic tangent of each element.\n\n"
                                     ">>> torch.tanh(torch.tensor([0.0, 1.0]))\n"
                                     "tensor([0.0000, 0.7616])"}};
const PointwiseOperator asinh{{.schema = "asinh(Tensor self) -> Tensor",
                               .kernel = Pointwise::asinh,
                               .promotion = Promotion::to_float,
                               .node = "AsinhBackward0",
                               .gradients = {{{uses_first,
                                               [](const Tensor& grad, const PointwiseSaved& saved) {
                                                   return grad *
                                                          conj(rsqrt(square(saved.first()) + Scalar(1)));
                                               }}}},
                               .variants = all_variants,
                               .doc = "The inverse hyperbolic sine of each element.\n\n"
                                      ">>> torch.asinh(torch.tensor([0.0, 1.0]))\n"
                                      "tensor([0.0000, 0.8814])"}};
const PointwiseOperator acosh{{.schema = "acosh(Tensor self) -> Tensor",
                               .kernel = Pointwise::acosh,
                               .promotion = Promotion::to_float,
                               .node = "AcoshBackward0",
                               .gradients = {{{uses_first,
                                               [](const Tensor& grad, const PointwiseSaved& saved) {
                                                   const Tensor x = saved.first();
                                                   return grad *
                                                          conj(rsqrt(x - Scalar(1)) * rsqrt(x + Scalar(1)));
                                               }}}},
                               .variants = all_variants,
                               .doc = "The inverse hyperbolic cosine of each element; NaN below 1.\n\n"
                                      ">>> torch.acosh(torch.tensor([1.0, 2.0]))\n"
                                      "tensor([0.0000, 1.3170])"}};
const PointwiseOperator atanh{{.schema = "atanh(Tensor self) -> Tensor",
                               .kernel = Pointwise::atanh,
                               .promotion = Promotion::to_float,
                               .node = "AtanhBackward0",
                               .gradients = {{{uses_first,
                                               [](const Tensor& grad, const PointwiseSaved& saved) {
                                                   return grad / conj(Scalar(1) - square(saved.first()));
                                               }}}},
                               .variants = all_variants,
                               .doc =
                                   "The inverse hyperbolic tangent of each element; NaN outside [-1, 1].\n\n"
                                   ">>> torch.atanh(torch.tensor([0.0, 0.5]))\n"
                                   "tensor([0.0000, 0.5493])"}};

namespace {

const PointwiseOperator arcsin{"arcsin(Tensor self) -> Tensor", asin};
const PointwiseOperator arccos{"arccos(Tensor self) -> Tensor", acos};
const PointwiseOperator arctan{"arctan(Tensor self) -> Tensor", atan};
const PointwiseOperator arcsinh{"arcsinh(Tensor self) -> Tensor", asinh};
const PointwiseOperator arccosh{"arccosh(Tensor self) -> Tensor", acosh};
const PointwiseOperator arctanh{"arctanh(Tensor self) -> Tensor", atanh};

}  // namespace

// Rounding

const PointwiseOperator floor{{.schema = "floor(Tensor self) -> Tensor",
                               .kernel = Pointwise::floor,
                               .node = "FloorBackward0",
                               .gradients = {{zero_gradient}},
                               .variants = all_variants,
                               .doc = "The largest integer that is not above each element.\n\n"
                                      ">>> torch.floor(torch.tensor([-0.5, 1.7]))\n"
                                      "tensor([-1.,  1.])"}};
const PointwiseOperator ceil{{.schema = "ceil(Tensor self) -> Tensor",
                              .kernel = Pointwise::ceil,
                              .node = "CeilBackward0",
                              .gradients = {{zero_gradient}},
                              .variants = all_variants,
                              .doc = "The smallest integer that is not below each element.\n\n"
                                     ">>> torch.ceil(torch.tensor([-1.5, 1.2]))\n"
                                     "tensor([-1.,  2.])"}};
const PointwiseOperator trunc{{.schema = "trunc(Tensor self) -> Tensor",
                               .kernel = Pointwise::trunc,
                               .node = "TruncBackward0",
                               .gradients = {{zero_gradient}},
                               .variants = all_variants,
                               .doc = "Each element without its fraction.\n\n"
                                      ">>> torch.trunc(torch.tensor([-1.5, 1.7]))\n"
                                      "tensor([-1.,  1.])"}};

namespace {

const PointwiseOperator fix{"fix(Tensor self) -> Tensor", trunc};
const PointwiseOperator frac{{.schema = "frac(Tensor self) -> Tensor",
                              .kernel = Pointwise::frac,
                              .node = "FracBackward0",
                              .gradients = {{same_gradient}},
                              .variants = all_variants,
                              .doc = "The fraction of each element, with its sign.\n\n"
                                     ">>> torch.frac(torch.tensor([-1.5, 2.25]))\n"
                                     "tensor([-0.5000,  0.2500])"}};

const PointwiseRule round_rule{
    .schema = "round", .kernel = Pointwise::round, .node = "RoundBackward0", .gradients = {{zero_gradient}}};
const PointwiseRule round_decimals_rule{.schema = "round",
                                        .kernel = Pointwise::round_decimals,
                                        .node = "RoundBackward1",
                                        .gradients = {{zero_gradient}}};
Tensor round(const Tensor& self, const Destination& destination) {
    return pointwise(round_rule, {self}, {}, destination);
}
Tensor round_decimals(const Tensor& self, int64_t decimals, const Destination& destination) {
    if (decimals == 0) return round(self, destination);
    return pointwise(round_decimals_rule, {self}, parameters_of({Scalar(decimals)}), destination);
}
constexpr const char* round_doc =
    "The nearest integer, ties to even; with `decimals`, the nearest multiple of ``10 ** -decimals``.\n\n"
    ">>> torch.round(torch.tensor([0.5, 1.5, 2.7]))\n"
    "tensor([0., 2., 3.])";
const Register round_op{"round(Tensor self) -> Tensor", round, {.variants = all_variants, .doc = round_doc}};
const Register round_decimals_op{"round.decimals(Tensor self, *, int decimals) -> Tensor",
                                 round_decimals,
                                 {.variants = all_variants, .doc = round_doc}};

// Other functions of one number

const PointwiseOperator deg2rad{{.schema = "deg2rad(Tensor self) -> Tensor",
                                 .kernel = Pointwise::deg2rad,
                                 .promotion = Promotion::to_float,
                                 .node = "Deg2RadBackward0",
                                 .gradients = {{{uses_nothing,
                                                 [](const Tensor& grad, const PointwiseSaved&) {
                                                     return grad * Scalar(std::numbers::pi / 180);
                                                 }}}},
                                 .variants = all_variants,
                                 .doc = "Degrees in radians.\n\n"
                                        ">>> torch.deg2rad(torch.tensor([180.0, 90.0]))\n"
                                        "tensor([3.1416, 1.5708])"}};
const PointwiseOperator rad2deg{{.schema = "rad2deg(Tensor self) -> Tensor",
                                 .kernel = Pointwise::rad2deg,
                                 .promotion = Promotion::to_float,
                                 .node = "Rad2DegBackward0",
                                 .gradients = {{{uses_nothing,
                                                 [](const Tensor& grad, const PointwiseSaved&) {
                                                     return grad * Scalar(180 / std::numbers::pi);
                                                 }}}},
                                 .variants = all_variants,
                                 .doc = "Radians in degrees.\n\n"
                                        ">>> torch.rad2deg(torch.tensor([0.0, 1.0]))\n"
                                        "tensor([ 0.0000, 57.2958])"}};

// (cos(pi x) pi x - sin(pi x)) / (pi x^2), and 0 at 0.
Tensor sinc_gradient(const Tensor& grad, const PointwiseSaved& saved) {
    const Tensor x = saved.first(), angle = x * Scalar(std::numbers::pi);
    const Tensor slope = (cos(angle) * angle - sin(angle)) / (angle * x);
    return where(eq(x, Scalar(0)), Scalar(0.0), grad * conj(slope));
}
const PointwiseOperator sinc{{.schema = "sinc(Tensor self) -> Tensor",
                              .kernel = Pointwise::sinc,
                              .promotion = Promotion::to_float,
                              .node = "SincBackward0",
                              .gradients = {{{uses_first, sinc_gradient}}},
                              .variants = all_variants,
                              .doc = "sin(pi x) / (pi x), and 1 at 0.\n\n"
                                     ">>> torch.sinc(torch.tensor([0.0, 0.5]))\n"
                                     "tensor([1.0000, 0.6366])"}};

// The angle turns by Im(conj(z) dz) / |z|^2.
Tensor angle_gradient(const Tensor& grad, const PointwiseSaved& saved) {
    const Tensor z = saved.first();
    if (!is_complex(z.dtype())) return zeros_like(grad);
    const Tensor modulus = abs(z);
    const Tensor tangent = complex(neg(imag(z)), real(z)) * (grad / square(modulus));
    return where(eq(modulus, Scalar(0)), Scalar(0.0), tangent);
}
const PointwiseOperator angle{{.schema = "angle(Tensor self) -> Tensor",
                               .kernel = Pointwise::angle,
                               .promotion = Promotion::to_float,
                               .node = "AngleBackward0",
                               .gradients = {{{uses_first, angle_gradient}}},
                               .variants = function | method | out,
                               .doc =
                                   "The angle of each complex number in radians; of a real one, 0 or pi.\n\n"
                                   ">>> torch.angle(torch.tensor([1j, -1 + 0j]))\n"
                                   "tensor([1.5708, 3.1416])"}};

}  // namespace

// Functions of two numbers

namespace {

constexpr unsigned uses_both = uses_first | uses_second;

}  // namespace

const PointwiseOperator atan2{{.schema = "atan2(Tensor self, Tensor other) -> Tensor",
                               .kernel = Pointwise::atan2,
                               .promotion = Promotion::to_float,
                               .node = "Atan2Backward0",
                               .gradients = {{{uses_both,
                                               [](const Tensor& grad, const PointwiseSaved& saved) {
                                                   const Tensor y = saved.first(), x = saved.second();
                                                   return grad * x * reciprocal(x * x + y * y);
                                               }},
                                              {uses_both,
                                               [](const Tensor& grad, const PointwiseSaved& saved) {
                                                   const Tensor y = saved.first(), x = saved.second();
                                                   return grad * neg(y) * reciprocal(x * x + y * y);
                                               }}}},
                               .variants = all_variants,
                               .doc = "The angle of the point (other, input) in (-pi, pi].\n\n"
                                      ">>> torch.atan2(torch.tensor([1.0, 0.0]), torch.tensor([0.0, -1.0]))\n"
                                      "tensor([1.5708, 3.1416])"}};
const PointwiseOperator hypot{
    {.schema = "hypot(Tensor self, Tensor other) -> Tensor",
     .kernel = Pointwise::hypot,
     .node = "HypotBackward0",
     .gradients = {{{uses_first | uses_result,
                     [](const Tensor& grad, const PointwiseSaved& saved) {
                         return grad * saved.first() / saved.result();
                     }},
                    {uses_second | uses_result,
                     [](const Tensor& grad, const PointwiseSaved& saved) {
                         return grad * saved.second() / saved.result();
                     }}}},
     .variants = all_variants,
     .doc = "The length of the hypotenuse, sqrt(input^2 + other^2), without overflow.\n\n"
            ">>> torch.hypot(torch.tensor([3.0]), torch.tensor([4.0]))\n"
            "tensor([5.])"}};
const PointwiseOperator logaddexp{
    {.schema = "logaddexp(Tensor self, Tensor other) -> Tensor",
     .kernel = Pointwise::logaddexp,
     .node = "LogaddexpBackward0",
     .gradients = {{{uses_both,
                     [](const Tensor& grad, const PointwiseSaved& saved) {
                         return grad / conj(Scalar(1) + exp(saved.second() - saved.first()));
                     }},
                    {uses_both,
                     [](const Tensor& grad, const PointwiseSaved& saved) {
                         return grad / conj(Scalar(1) + exp(saved.first() - saved.second()));
                     }}}},
     .variants = function | method | out,
     .doc = "log(exp(input) + exp(other)) without overflow.\n\n"
            ">>> torch.logaddexp(torch.tensor([0.0]), torch.tensor([0.0]))\n"
            "tensor([0.6931])"}};

namespace {

const PointwiseOperator arctan2{"arctan2(Tensor self, Tensor other) -> Tensor", atan2};
const PointwiseOperator logaddexp2{
    {.schema = "logaddexp2(Tensor self, Tensor other) -> Tensor",
     .kernel = Pointwise::logaddexp2,
     .node = "Logaddexp2Backward0",
     .gradients = {{{uses_both,
                     [](const Tensor& grad, const PointwiseSaved& saved) {
                         return grad / (Scalar(1) + exp2(saved.second() - saved.first()));
                     }},
                    {uses_both,
                     [](const Tensor& grad, const PointwiseSaved& saved) {
                         return grad / (Scalar(1) + exp2(saved.first() - saved.second()));
                     }}}},
     .variants = function | method | out,
     .doc = "log2(2^input + 2^other) without overflow.\n\n"
            ">>> torch.logaddexp2(torch.tensor([1.0]), torch.tensor([1.0]))\n"
            "tensor([2.])"}};

// d copysign(a, b) / da = sign(a) sign(b), and 0 at 0.
Tensor copysign_gradient(const Tensor& grad, const PointwiseSaved& saved) {
    return grad * where(eq(saved.first(), Scalar(0)), Scalar(0.0), saved.result() / saved.first());
}
const PointwiseOperator copysign{
    {.schema = "copysign(Tensor self, Tensor|Scalar other) -> Tensor",
     .kernel = Pointwise::copysign,
     .promotion = Promotion::to_float,
     .node = "CopysignBackward0",
     .gradients = {{{uses_first | uses_result, copysign_gradient}, zero_gradient}},
     .variants = all_variants,
     .doc = "The modulus of the first with the sign of the second.\n\n"
            ">>> torch.copysign(torch.tensor([1.0, -2.0]), -0.0)\n"
            "tensor([-1., -2.])"}};

Tensor no_gradient(const Tensor&, const PointwiseSaved&) {
    raise<Error>("derivative for aten::heaviside is not implemented");
}
constexpr InputGradient missing_gradient{uses_nothing, no_gradient};
const PointwiseRule nextafter_rule{.schema = "nextafter",
                                   .kernel = Pointwise::nextafter,
                                   .node = "NextafterBackward0",
                                   .gradients = {{{uses_both,
                                                   [](const Tensor& grad, const PointwiseSaved& saved) {
                                                       return where(eq(saved.first(), saved.second()),
                                                                    Scalar(0.0), grad);
                                                   }},
                                                  zero_gradient}}};
// The next number of the operands' own type, which for the half types is far from the next float.
Tensor nextafter(const Tensor& self, const Tensor& other, const Destination& destination) {
    const DType dtype = result_type(std::array{self, other});
    const int64_t dropped_bits = dtype == DType::bfloat16 ? 16 : dtype == DType::float16 ? 13 : 0;
    return pointwise(nextafter_rule, {self, other}, parameters_of({Scalar(dropped_bits)}), destination);
}
const Register nextafter_op{"nextafter(Tensor self, Tensor other) -> Tensor",
                            nextafter,
                            {.variants = all_variants,
                             .doc = "The next floating-point number after the first towards the second.\n\n"
                                    ">>> torch.nextafter(torch.tensor([0.0]), torch.tensor([1.0])) > 0\n"
                                    "tensor([True])"}};

const PointwiseRule heaviside_rule{.schema = "heaviside",
                                   .kernel = Pointwise::heaviside,
                                   .node = "NotImplemented",
                                   .gradients = {{missing_gradient, missing_gradient}}};
Tensor heaviside(const Tensor& self, const Tensor& values, const Destination& destination) {
    check(!is_complex(self.dtype()) && !is_complex(values.dtype()),
          "heaviside is not yet implemented for complex tensors.");
    check(self.dtype() == values.dtype(),
          "heaviside is not yet implemented for tensors with different dtypes.");
    return pointwise(heaviside_rule, {self, values}, {}, destination);
}
const Register heaviside_op{
    "heaviside(Tensor self, Tensor values) -> Tensor",
    heaviside,
    {.variants = all_variants,
     .doc = "0 for negative, 1 for positive elements, and `values` at 0.\n\n"
            ">>> torch.heaviside(torch.tensor([-1.0, 0.0, 2.0]), torch.tensor([0.5]))\n"
            "tensor([0.0000, 0.5000, 1.0000])"}};

Tensor ldexp(const Tensor& self, const Tensor& other, const Destination& destination) {
    return mul(self, pow(wrap_number(2.0), other), destination);
}
const Register ldexp_op{"ldexp(Tensor self, Tensor other) -> Tensor",
                        ldexp,
                        {.variants = all_variants,
                         .doc = "``input * 2 ** other``.\n\n"
                                ">>> torch.ldexp(torch.tensor([1.0]), torch.tensor([3]))\n"
                                "tensor([8.])"}};

const PointwiseOperator xlogy{
    {.schema = "xlogy(Tensor|Scalar self, Tensor|Scalar other) -> Tensor",
     .kernel = Pointwise::xlogy,
     .promotion = Promotion::to_float,
     .node = "XlogyBackward0",
     .gradients = {{{uses_both,
                     [](const Tensor& grad, const PointwiseSaved& saved) {
                         const Tensor x = saved.first(), y = saved.second();
                         const Tensor vanishes = logical_and(eq(x, Scalar(0)), le(y, Scalar(0)));
                         return where(vanishes, Scalar(0.0), grad * log(y));
                     }},
                    {uses_both,
                     [](const Tensor& grad, const PointwiseSaved& saved) {
                         return grad * saved.first() / saved.second();
                     }}}},
     .variants = all_variants,
     .doc = "``input * log(other)``, 0 where the input is 0; NaN where the other is.\n\n"
            ">>> torch.xlogy(torch.tensor([0.0, 2.0]), torch.tensor([0.0, 1.0]))\n"
            "tensor([0., 0.])"}};
const PointwiseOperator xlog1py{
    {.schema = "special_xlog1py(Tensor|Scalar self, Tensor|Scalar other) -> Tensor",
     .kernel = Pointwise::xlog1py,
     .promotion = Promotion::to_float,
     .node = "SpecialXlog1PyBackward0",
     .gradients = {{{uses_both,
                     [](const Tensor& grad, const PointwiseSaved& saved) {
                         const Tensor x = saved.first(), y = saved.second();
                         const Tensor vanishes = logical_and(eq(x, Scalar(0)), le(y, Scalar(-1)));
                         return where(vanishes, Scalar(0.0), grad * log1p(y));
                     }},
                    {uses_both,
                     [](const Tensor& grad, const PointwiseSaved& saved) {
                         return grad * saved.first() / (saved.second() + Scalar(1));
                     }}}},
     .variants = out,
     .doc = "``input * log1p(other)``, 0 where the input is 0; NaN where the other is.\n\n"
            ">>> torch.special.xlog1py(torch.tensor([0.0, 2.0]), torch.tensor([-1.0, 0.0]))\n"
            "tensor([0., 0.])"}};

}  // namespace

// Complex numbers from real ones

namespace {

const PointwiseRule complex_rule{
    .schema = "complex",
    .kernel = Pointwise::complex,
    .node = "ComplexBackward0",
    .gradients = {{{uses_nothing, [](const Tensor& grad, const PointwiseSaved&) { return real(grad); }},
                   {uses_nothing, [](const Tensor& grad, const PointwiseSaved&) { return imag(grad); }}}}};
const PointwiseRule polar_rule{
    .schema = "polar",
    .kernel = Pointwise::polar,
    .node = "PolarBackward0",
    .gradients = {
        {{uses_result, [](const Tensor& grad,
                          const PointwiseSaved& saved) { return real(conj(grad) * sgn(saved.result())); }},
         {uses_result, [](const Tensor& grad, const PointwiseSaved& saved) {
              return real(conj(grad) * (saved.result() * Scalar(complex128(0, 1))));
          }}}}};

void check_parts(const Tensor& first, const Tensor& second, const Destination& destination) {
    check(is_floating(first.dtype()) && first.dtype() != DType::bfloat16 && is_floating(second.dtype()) &&
              second.dtype() != DType::bfloat16,
          "Expected both inputs to be Half, Float or Double tensors but got ",
          info(first.dtype()).scalar_name, " and ", info(second.dtype()).scalar_name);
    check(first.dtype() == second.dtype(), "Expected object of scalar type ", info(first.dtype()).scalar_name,
          " but got scalar type ", info(second.dtype()).scalar_name, " for second argument");
    if (destination.kind != Destination::Kind::out) return;
    const DType expected = to_complex(first.dtype()), given = destination.tensor.dtype();
    check(given == expected, "Expected object of scalar type ", info(expected).scalar_name,
          " but got scalar type ", info(given).scalar_name, " for argument 'out'");
}
Tensor complex_op(const Tensor& real, const Tensor& imag, const Destination& destination) {
    check_parts(real, imag, destination);
    return pointwise(complex_rule, {real, imag}, {}, destination);
}
Tensor polar(const Tensor& abs, const Tensor& angle, const Destination& destination) {
    check_parts(abs, angle, destination);
    return pointwise(polar_rule, {abs, angle}, {}, destination);
}

const Register complex_register{
    "complex(Tensor real, Tensor imag) -> Tensor",
    complex_op,
    {.variants = function | out,
     .doc = "Complex numbers from real and imaginary parts of one floating dtype.\n\n"
            ">>> torch.complex(torch.tensor([1.0]), torch.tensor([2.0]))\n"
            "tensor([1.+2.j])"}};
const Register polar_register{"polar(Tensor abs, Tensor angle) -> Tensor",
                              polar,
                              {.variants = function | out,
                               .doc = "Complex numbers from moduli and angles of one floating dtype.\n\n"
                                      ">>> torch.polar(torch.tensor([2.0]), torch.tensor([0.0]))\n"
                                      "tensor([2.+0.j])"}};

}  // namespace

const PointwiseFunction complex{complex_rule};

}  // namespace rl::ops
