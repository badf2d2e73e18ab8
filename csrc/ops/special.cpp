// Special functions: gamma and error functions, Bessel functions, entropy and logit.
#include "ops/special.h"

#include <cmath>
#include <limits>
#include <numbers>

#include "ops/arithmetic.h"
#include "ops/comparison.h"
#include "ops/creation.h"
#include "ops/elementary.h"
#include "ops/gradients.h"
#include "ops/reduction.h"
#include "ops/selection.h"
#include "ops/views.h"

namespace rl::ops {
namespace {

constexpr double root_pi = 1 / std::numbers::inv_sqrtpi;
constexpr double root_two_pi = root_pi * std::numbers::sqrt2;
using Saves = PointwiseSaved;

// Derivatives that PyTorch does not have either.
template <const char* const& name>
constexpr InputGradient missing_gradient{uses_nothing, [](const Tensor&, const Saves&) -> Tensor {
                                             raise<NotImplemented>("the derivative for '", name,
                                                                   "' is not implemented.");
                                         }};
constexpr const char* igamma_input = "igamma: input";
constexpr const char* igammac_input = "igammac: input";
constexpr const char* zeta_input = "zeta";

}  // namespace

// The gamma function and its derivatives

const PointwiseOperator lgamma{
    {.schema = "lgamma(Tensor self) -> Tensor",
     .kernel = Pointwise::lgamma,
     .promotion = Promotion::to_float,
     .node = "LgammaBackward0",
     .gradients = {{{uses_first,
                     [](const Tensor& grad, const Saves& saved) { return grad * digamma(saved.first()); }}}},
     .variants = all_variants,
     .doc = "The logarithm of the modulus of the gamma function.\n\n"
            ">>> torch.lgamma(torch.tensor([1.0, 4.0]))\n"
            "tensor([0.0000, 1.7918])"}};
const PointwiseOperator digamma{
    {.schema = "digamma(Tensor self) -> Tensor",
     .kernel = Pointwise::digamma,
     .promotion = Promotion::to_float,
     .node = "DigammaBackward0",
     .gradients = {{{uses_first, [](const Tensor& grad,
                                    const Saves& saved) { return grad * polygamma(1, saved.first()); }}}},
     .variants = all_variants,
     .doc = "The logarithmic derivative of the gamma function.\n\n"
            ">>> torch.digamma(torch.tensor([1.0, 0.5]))\n"
            "tensor([-0.5772, -1.9635])"}};

namespace {

const PointwiseRule polygamma_rule{
    .schema = "polygamma",
    .kernel = Pointwise::polygamma,
    .promotion = Promotion::to_float,
    .node = "PolygammaBackward0",
    .gradients = {{{uses_first, [](const Tensor& grad, const Saves& saved) {
                        return grad * polygamma(saved.parameters.integer[0] + 1, saved.first());
                    }}}}};

}  // namespace

Tensor polygamma(int64_t n, const Tensor& self, const Destination& destination) {
    check(n >= 0, "polygamma(n, x) does not support negative n.");
    return pointwise(polygamma_rule, {self}, parameters_of({Scalar(n)}), destination);
}

namespace {

const Register polygamma_op{"polygamma(int n, Tensor self) -> Tensor",
                            polygamma,
                            {.variants = function | out,
                             .doc = "The n-th derivative of digamma. RuntimeError for negative n.\n\n"
                                    ">>> torch.polygamma(1, torch.tensor([1.0, 0.5]))\n"
                                    "tensor([1.6449, 4.9348])"}};

Tensor polygamma_in_place(const Tensor& self, int64_t n) {
    return polygamma(n, self, {Destination::Kind::in_place, self});
}
const Register polygamma_in_place_op{"polygamma_(Tensor(a!) self, int n) -> Tensor(a!)",
                                     polygamma_in_place,
                                     {.variants = method, .doc = "In-place `polygamma`."}};

// log Gamma_p(a) = p (p - 1) / 4 log(pi) + the sum of lgamma(a - j / 2), j = 0 .. p - 1.
Tensor mvlgamma(const Tensor& self, int64_t p) {
    check(p >= 1, "p has to be greater than or equal to 1");
    const DType dtype = is_integral(self.dtype(), true) ? default_dtype() : self.dtype();
    const Tensor shifts = arange(Scalar(0), Scalar(p), Scalar(1), {dtype, self.device()}) * Scalar(-0.5);
    const double constant = static_cast<double>(p * (p - 1)) / 4 * std::log(std::numbers::pi);
    return sum(lgamma(unsqueeze(to(self, dtype), -1) + shifts), Dims{-1}) + Scalar(constant);
}
const Register mvlgamma_op{"mvlgamma(Tensor self, int p) -> Tensor",
                           mvlgamma,
                           {.variants = all_variants,
                            .doc = "The logarithm of the multivariate gamma function of dimension p.\n\n"
                                   ">>> torch.mvlgamma(torch.tensor([2.0]), 2)\n"
                                   "tensor([0.4516])"}};

// d P(a, x) / dx = x^(a - 1) exp(-x) / Gamma(a).
Tensor incomplete_gamma_slope(const Tensor& a, const Tensor& x) {
    return exp((a - Scalar(1)) * log(x) - x - lgamma(a));
}
const PointwiseOperator igamma{{.schema = "igamma(Tensor self, Tensor other) -> Tensor",
                                .kernel = Pointwise::igamma,
                                .node = "IgammaBackward0",
                                .gradients = {{missing_gradient<igamma_input>,
                                               {uses_first | uses_second,
                                                [](const Tensor& grad, const Saves& saved) {
                                                    return grad * incomplete_gamma_slope(saved.first(),
                                                                                         saved.second());
                                                }}}},
                                .variants = all_variants,
                                .doc = "The regularized lower incomplete gamma function P(input, other).\n\n"
                                       ">>> torch.igamma(torch.tensor([4.0]), torch.tensor([3.0]))\n"
                                       "tensor([0.3528])"}};
const PointwiseOperator igammac{{.schema = "igammac(Tensor self, Tensor other) -> Tensor",
                                 .kernel = Pointwise::igammac,
                                 .node = "IgammacBackward0",
                                 .gradients = {{missing_gradient<igammac_input>,
                                                {uses_first | uses_second,
                                                 [](const Tensor& grad, const Saves& saved) {
                                                     return neg(grad) * incomplete_gamma_slope(
                                                                            saved.first(), saved.second());
                                                 }}}},
                                 .variants = all_variants,
                                 .doc = "The regularized upper incomplete gamma function Q(input, other).\n\n"
                                        ">>> torch.igammac(torch.tensor([4.0]), torch.tensor([3.0]))\n"
                                        "tensor([0.6472])"}};
extern const PointwiseOperator zeta;
const PointwiseOperator zeta{{.schema = "special_zeta(Tensor|Scalar self, Tensor|Scalar other) -> Tensor",
                              .kernel = Pointwise::zeta,
                              .promotion = Promotion::to_float,
                              .node = "SpecialZetaBackward0",
                              .gradients = {{missing_gradient<zeta_input>,
                                             {uses_first | uses_second,
                                              [](const Tensor& grad, const Saves& saved) {
                                                  const Tensor x = saved.first();
                                                  return neg(grad) * x * zeta(x + Scalar(1), saved.second());
                                              }}}},
                              .variants = out,
                              .doc = "Hurwitz's zeta function, the sum of (other + k)^-input.\n\n"
                                     ">>> torch.special.zeta(torch.tensor([2.0]), torch.tensor([1.0]))\n"
                                     "tensor([1.6449])"}};

}  // namespace

// Error functions and the normal distribution

namespace {

Tensor gaussian(const Tensor& x) {
    return exp(neg(square(x)));
}

}  // namespace

const PointwiseOperator erf{{.schema = "erf(Tensor self) -> Tensor",
                             .kernel = Pointwise::erf,
                             .promotion = Promotion::to_float,
                             .node = "ErfBackward0",
                             .gradients = {{{uses_first,
                                             [](const Tensor& grad, const Saves& saved) {
                                                 return grad * gaussian(saved.first()) * Scalar(2 / root_pi);
                                             }}}},
                             .variants = all_variants,
                             .doc = "The error function.\n\n"
                                    ">>> torch.erf(torch.tensor([0.0, 1.0]))\n"
                                    "tensor([0.0000, 0.8427])"}};
const PointwiseOperator erfc{{.schema = "erfc(Tensor self) -> Tensor",
                              .kernel = Pointwise::erfc,
                              .promotion = Promotion::to_float,
                              .node = "ErfcBackward0",
                              .gradients = {{{uses_first,
                                              [](const Tensor& grad, const Saves& saved) {
                                                  return grad * gaussian(saved.first()) *
                                                         Scalar(-2 / root_pi);
                                              }}}},
                              .variants = all_variants,
                              .doc = "1 - erf(x), accurate for large x.\n\n"
                                     ">>> torch.erfc(torch.tensor([0.0, 1.0]))\n"
                                     "tensor([1.0000, 0.1573])"}};

namespace {

const PointwiseOperator erfinv{{.schema = "erfinv(Tensor self) -> Tensor",
                                .kernel = Pointwise::erfinv,
                                .promotion = Promotion::to_float,
                                .node = "ErfinvBackward0",
                                .gradients = {{{uses_result,
                                                [](const Tensor& grad, const Saves& saved) {
                                                    return grad * exp(square(saved.result())) *
                                                           Scalar(root_pi / 2);
                                                }}}},
                                .variants = all_variants,
                                .doc = "The inverse of erf; NaN outside [-1, 1].\n\n"
                                       ">>> torch.erfinv(torch.tensor([0.0, 0.5]))\n"
                                       "tensor([0.0000, 0.4769])"}};

extern const PointwiseOperator erfcx;
const PointwiseOperator erfcx{{.schema = "special_erfcx(Tensor self) -> Tensor",
                               .kernel = Pointwise::erfcx,
                               .promotion = Promotion::to_float,
                               .node = "SpecialErfcxBackward0",
                               .gradients = {{{uses_first | uses_result,
                                               [](const Tensor& grad, const Saves& saved) {
                                                   return grad * (Scalar(2) * saved.first() * saved.result() -
                                                                  Scalar(2 / root_pi));
                                               }}}},
                               .variants = out,
                               .doc = "exp(x^2) erfc(x).\n\n"
                                      ">>> torch.special.erfcx(torch.tensor([0.0, 1.0]))\n"
                                      "tensor([1.0000, 0.4276])"}};
const PointwiseOperator ndtr{{.schema = "special_ndtr(Tensor self) -> Tensor",
                              .kernel = Pointwise::ndtr,
                              .promotion = Promotion::to_float,
                              .node = "SpecialNdtrBackward0",
                              .gradients = {{{uses_first,
                                              [](const Tensor& grad, const Saves& saved) {
                                                  const Tensor density =
                                                      exp(square(saved.first()) * Scalar(-0.5));
                                                  return grad * density * Scalar(1 / root_two_pi);
                                              }}}},
                              .variants = out,
                              .doc = "The normal distribution's cumulative function.\n\n"
                                     ">>> torch.special.ndtr(torch.tensor([0.0, 1.0]))\n"
                                     "tensor([0.5000, 0.8413])"}};
const PointwiseOperator ndtri{{.schema = "special_ndtri(Tensor self) -> Tensor",
                               .kernel = Pointwise::ndtri,
                               .promotion = Promotion::to_float,
                               .node = "SpecialNdtriBackward0",
                               .gradients = {{{uses_result,
                                               [](const Tensor& grad, const Saves& saved) {
                                                   const Tensor inverse =
                                                       exp(square(saved.result()) * Scalar(0.5));
                                                   return grad * inverse * Scalar(root_two_pi);
                                               }}}},
                               .variants = out,
                               .doc = "The inverse of the normal distribution's cumulative function.\n\n"
                                      ">>> torch.special.ndtri(torch.tensor([0.5, 0.8413447]))\n"
                                      "tensor([0.0000, 1.0000])"}};
const PointwiseOperator log_ndtr{{.schema = "special_log_ndtr(Tensor self) -> Tensor",
                                  .kernel = Pointwise::log_ndtr,
                                  .promotion = Promotion::to_float,
                                  .node = "SpecialLogNdtrBackward0",
                                  .gradients = {{{uses_first,
                                                  [](const Tensor& grad, const Saves& saved) {
                                                      const Tensor scaled = erfcx(
                                                          saved.first() * Scalar(-std::numbers::sqrt2 / 2));
                                                      return grad / scaled * Scalar(2 / root_two_pi);
                                                  }}}},
                                  .variants = out,
                                  .doc = "The logarithm of the normal distribution's cumulative function.\n\n"
                                         ">>> torch.special.log_ndtr(torch.tensor([0.0, -10.0]))\n"
                                         "tensor([ -0.6931, -53.2313])"}};

// Bessel functions

extern const PointwiseOperator i0, i0e, i1, i1e;

// (f(x) - g(x) / x) where x is not 0, and its limit f(0) / 2 there.
Tensor minus_quotient(const Tensor& f, const Tensor& g, const Tensor& x) {
    const Tensor vanishes = eq(x, Scalar(0));
    const Tensor divisor = where(vanishes, Scalar(1.0), x);
    return where(vanishes, f * Scalar(0.5), f - g / divisor);
}

const PointwiseRule i0_rule{
    .schema = "i0(Tensor self) -> Tensor",
    .kernel = Pointwise::i0,
    .promotion = Promotion::to_float,
    .node = "I0Backward0",
    .gradients = {{{uses_first,
                    [](const Tensor& grad, const Saves& saved) { return grad * i1(saved.first()); }}}},
    .variants = all_variants,
    .doc =
        "The modified Bessel function of the first kind, order 0.\n\n"
        ">>> torch.i0(torch.tensor([0.0, 1.0]))\n"
        "tensor([1.0000, 1.2661])"};
const PointwiseOperator i0{i0_rule};
const PointwiseOperator i0e{{.schema = "special_i0e(Tensor self) -> Tensor",
                             .kernel = Pointwise::i0e,
                             .promotion = Promotion::to_float,
                             .node = "SpecialI0EBackward0",
                             .gradients = {{{uses_first | uses_result,
                                             [](const Tensor& grad, const Saves& saved) {
                                                 const Tensor x = saved.first();
                                                 return grad * (i1e(x) - sgn(x) * saved.result());
                                             }}}},
                             .variants = out,
                             .doc = "exp(-|x|) i0(x).\n\n"
                                    ">>> torch.special.i0e(torch.tensor([0.0, 1.0]))\n"
                                    "tensor([1.0000, 0.4658])"}};
const PointwiseOperator i1{{.schema = "special_i1(Tensor self) -> Tensor",
                            .kernel = Pointwise::i1,
                            .promotion = Promotion::to_float,
                            .node = "SpecialI1Backward0",
                            .gradients = {{{uses_first | uses_result,
                                            [](const Tensor& grad, const Saves& saved) {
                                                const Tensor x = saved.first();
                                                return grad * minus_quotient(i0(x), saved.result(), x);
                                            }}}},
                            .variants = out,
                            .doc = "The modified Bessel function of the first kind, order 1.\n\n"
                                   ">>> torch.special.i1(torch.tensor([0.0, 1.0]))\n"
                                   "tensor([0.0000, 0.5652])"}};
const PointwiseOperator i1e{{.schema = "special_i1e(Tensor self) -> Tensor",
                             .kernel = Pointwise::i1e,
                             .promotion = Promotion::to_float,
                             .node = "SpecialI1EBackward0",
                             .gradients = {{{uses_first | uses_result,
                                             [](const Tensor& grad, const Saves& saved) {
                                                 const Tensor x = saved.first(), y = saved.result();
                                                 return grad * (minus_quotient(i0e(x), y, x) - sgn(x) * y);
                                             }}}},
                             .variants = out,
                             .doc = "exp(-|x|) i1(x).\n\n"
                                    ">>> torch.special.i1e(torch.tensor([0.0, 1.0]))\n"
                                    "tensor([0.0000, 0.2079])"}};

// Functions without a derivative in PyTorch.
PointwiseRule plain(const char* schema, Pointwise kernel, const char* doc) {
    return {
        .schema = schema, .kernel = kernel, .promotion = Promotion::to_float, .variants = out, .doc = doc};
}
const PointwiseOperator bessel_j0{plain("special_bessel_j0(Tensor self) -> Tensor", Pointwise::bessel_j0,
                                        "The Bessel function of the first kind, order 0.")};
const PointwiseOperator bessel_j1{plain("special_bessel_j1(Tensor self) -> Tensor", Pointwise::bessel_j1,
                                        "The Bessel function of the first kind, order 1.")};
const PointwiseOperator bessel_y0{plain("special_bessel_y0(Tensor self) -> Tensor", Pointwise::bessel_y0,
                                        "The Bessel function of the second kind, order 0.")};
const PointwiseOperator bessel_y1{plain("special_bessel_y1(Tensor self) -> Tensor", Pointwise::bessel_y1,
                                        "The Bessel function of the second kind, order 1.")};
const PointwiseOperator modified_bessel_i0{plain("special_modified_bessel_i0(Tensor self) -> Tensor",
                                                 Pointwise::modified_bessel_i0,
                                                 "The modified Bessel function of the first kind, order 0.")};
const PointwiseOperator modified_bessel_i1{plain("special_modified_bessel_i1(Tensor self) -> Tensor",
                                                 Pointwise::modified_bessel_i1,
                                                 "The modified Bessel function of the first kind, order 1.")};
const PointwiseOperator modified_bessel_k0{
    plain("special_modified_bessel_k0(Tensor self) -> Tensor", Pointwise::modified_bessel_k0,
          "The modified Bessel function of the second kind, order 0.")};
const PointwiseOperator modified_bessel_k1{
    plain("special_modified_bessel_k1(Tensor self) -> Tensor", Pointwise::modified_bessel_k1,
          "The modified Bessel function of the second kind, order 1.")};
const PointwiseOperator scaled_modified_bessel_k0{
    plain("special_scaled_modified_bessel_k0(Tensor x) -> Tensor", Pointwise::scaled_modified_bessel_k0,
          "exp(x) times the modified Bessel function of the second kind, order 0.")};
const PointwiseOperator scaled_modified_bessel_k1{
    plain("special_scaled_modified_bessel_k1(Tensor x) -> Tensor", Pointwise::scaled_modified_bessel_k1,
          "exp(x) times the modified Bessel function of the second kind, order 1.")};
const PointwiseOperator spherical_bessel_j0{
    plain("special_spherical_bessel_j0(Tensor x) -> Tensor", Pointwise::spherical_bessel_j0,
          "The spherical Bessel function of the first kind, order 0.")};

// Entropy and logit

const PointwiseOperator entr{{.schema = "special_entr(Tensor self) -> Tensor",
                              .kernel = Pointwise::entr,
                              .promotion = Promotion::to_float,
                              .node = "SpecialEntrBackward0",
                              .gradients = {{{uses_first,
                                              [](const Tensor& grad, const Saves& saved) {
                                                  return grad * (neg(log(saved.first())) - Scalar(1));
                                              }}}},
                              .variants = out,
                              .doc = "-x log(x), 0 at 0 and -inf below.\n\n"
                                     ">>> torch.special.entr(torch.tensor([0.0, 0.5]))\n"
                                     "tensor([0.0000, 0.3466])"}};

// A negative eps stands for none.
const PointwiseRule logit_rule{
    .schema = "logit",
    .kernel = Pointwise::logit,
    .promotion = Promotion::to_float,
    .node = "LogitBackward0",
    .gradients = {{{uses_first, [](const Tensor& grad, const Saves& saved) {
                        const Tensor x = saved.first();
                        const double eps = saved.parameters.value[0].real();
                        const double low = eps < 0 ? 0 : eps;
                        const Tensor inside = logical_and(ge(x, Scalar(low)), le(x, Scalar(1 - low)));
                        const Scalar outside = eps < 0 ? std::numeric_limits<double>::quiet_NaN() : 0.0;
                        return where(inside, grad / (x * (Scalar(1) - x)), outside);
                    }}}}};
Tensor logit(const Tensor& self, std::optional<double> eps, const Destination& destination) {
    return pointwise(logit_rule, {self}, parameters_of({Scalar(eps.value_or(-1))}), destination);
}
const Register logit_op{"logit(Tensor self, float? eps=None) -> Tensor",
                        logit,
                        {.variants = all_variants,
                         .doc = "log(x / (1 - x)), after limiting x to [eps, 1 - eps] where eps is given.\n\n"
                                ">>> torch.logit(torch.tensor([0.5, 0.9]))\n"
                                "tensor([0.0000, 2.1972])"}};

}  // namespace
}  // namespace rl::ops
