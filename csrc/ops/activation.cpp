// Activations of neural networks. Their gradients are kernels of their own, differentiable in turn.
#include "ops/activation.h"

#include <limits>
#include <numbers>

#include "ops/arithmetic.h"
#include "ops/comparison.h"
#include "ops/elementary.h"
#include "ops/gradients.h"
#include "ops/selection.h"
#include "ops/views.h"

namespace rl::ops {
namespace {

constexpr unsigned uses_both = uses_first | uses_second;
constexpr unsigned native = in_place | out;  // reached through nn.functional
using Saves = PointwiseSaved;

// Rules of gradients: inputs are the gradient and the saved tensor; most are linear in the gradient, and
// apply themselves again for the second derivative.

// Piecewise linear functions: nothing flows to the saved tensor.
const PointwiseRule threshold_backward_rule{
    .schema = "threshold_backward",
    .kernel = Pointwise::threshold_backward,
    .node = "ThresholdBackwardBackward0",
    .gradients = {{{uses_second,
                    [](const Tensor& grad, const Saves& saved) {
                        return pointwise(threshold_backward_rule, {grad, saved.second()}, saved.parameters);
                    }},
                   zero_gradient}}};
const PointwiseRule leaky_relu_backward_rule{
    .schema = "leaky_relu_backward",
    .kernel = Pointwise::leaky_relu_backward,
    .node = "LeakyReluBackwardBackward0",
    .gradients = {{{uses_second,
                    [](const Tensor& grad, const Saves& saved) {
                        return pointwise(leaky_relu_backward_rule, {grad, saved.second()}, saved.parameters);
                    }},
                   zero_gradient}}};
const PointwiseRule hardtanh_backward_rule{
    .schema = "hardtanh_backward",
    .kernel = Pointwise::hardtanh_backward,
    .node = "HardtanhBackwardBackward0",
    .gradients = {{{uses_second,
                    [](const Tensor& grad, const Saves& saved) {
                        return pointwise(hardtanh_backward_rule, {grad, saved.second()}, saved.parameters);
                    }},
                   zero_gradient}}};
const PointwiseRule hardshrink_backward_rule{
    .schema = "shrink_backward",
    .kernel = Pointwise::hardshrink_backward,
    .node = "HardshrinkBackwardBackward0",
    .gradients = {{{uses_second,
                    [](const Tensor& grad, const Saves& saved) {
                        return pointwise(hardshrink_backward_rule, {grad, saved.second()}, saved.parameters);
                    }},
                   zero_gradient}}};
const PointwiseRule hardsigmoid_backward_rule{.schema = "hardsigmoid_backward",
                                              .kernel = Pointwise::hardsigmoid_backward,
                                              .node = "HardsigmoidBackwardBackward0",
                                              .gradients = {{{uses_second,
                                                              [](const Tensor& grad, const Saves& saved) {
                                                                  return pointwise(hardsigmoid_backward_rule,
                                                                                   {grad, saved.second()});
                                                              }},
                                                             zero_gradient}}};
const PointwiseRule hardswish_backward_rule{
    .schema = "hardswish_backward",
    .kernel = Pointwise::hardswish_backward,
    .node = "HardswishBackwardBackward0",
    .gradients = {{{uses_second,
                    [](const Tensor& grad, const Saves& saved) {
                        return pointwise(hardswish_backward_rule, {grad, saved.second()});
                    }},
                   {uses_both, [](const Tensor& grad, const Saves& saved) {
                        const Tensor x = saved.second();
                        const Tensor inside = logical_and(gt(x, Scalar(-3)), lt(x, Scalar(3)));
                        return where(inside, grad * saved.first() / Scalar(3), Scalar(0.0));
                    }}}}};

// Smooth functions.
const PointwiseRule sigmoid_backward_rule{
    .schema = "sigmoid_backward",
    .kernel = Pointwise::sigmoid_backward,
    .node = "SigmoidBackwardBackward0",
    .gradients = {{{uses_second,
                    [](const Tensor& grad, const Saves& saved) {
                        const Tensor y = saved.second();
                        return grad * (Scalar(1) - y) * y;
                    }},
                   {uses_both, [](const Tensor& grad, const Saves& saved) {
                        return conj(grad) * saved.first() * conj(Scalar(1) - Scalar(2) * saved.second());
                    }}}}};
const PointwiseRule elu_backward_rule{
    .schema = "elu_backward",
    .kernel = Pointwise::elu_backward,
    .node = "EluBackwardBackward0",
    .gradients = {{{uses_second,
                    [](const Tensor& grad, const Saves& saved) {
                        return pointwise(elu_backward_rule, {grad, saved.second()}, saved.parameters);
                    }},
                   {uses_both, [](const Tensor& grad, const Saves& saved) {
                        const Tensor x = saved.second();
                        const auto& [alpha, scale, input_scale] = saved.parameters.value;
                        const Tensor slope =
                            exp(x * number(input_scale)) * number(alpha * scale * input_scale * input_scale);
                        return where(le(x, Scalar(0)), grad * saved.first() * slope, Scalar(0.0));
                    }}}}};

// phi(x) (2 - x^2) is the second derivative of x Phi(x).
const PointwiseRule gelu_backward_rule{
    .schema = "gelu_backward",
    .kernel = Pointwise::gelu_backward,
    .node = "GeluBackwardBackward0",
    .gradients = {{{uses_second,
                    [](const Tensor& grad, const Saves& saved) {
                        return pointwise(gelu_backward_rule, {grad, saved.second()});
                    }},
                   {uses_both, [](const Tensor& grad, const Saves& saved) {
                        const Tensor square_of_x = square(saved.second());
                        const Tensor density = exp(square_of_x * Scalar(-0.5)) *
                                               Scalar(std::numbers::inv_sqrtpi / std::numbers::sqrt2);
                        return grad * saved.first() * density * (Scalar(2) - square_of_x);
                    }}}}};

// With u = k (x + c x^3) and t = tanh(u), the derivative is (1 + t + x (1 - t^2) u') / 2.
Tensor gelu_tanh_second(const Tensor& x) {
    constexpr double k = 2 * std::numbers::inv_sqrtpi / std::numbers::sqrt2, c = 0.044715;
    const Tensor square_of_x = square(x);
    const Tensor t = tanh(x * (Scalar(1) + square_of_x * Scalar(c)) * Scalar(k));
    const Tensor slope = (Scalar(1) + square_of_x * Scalar(3 * c)) * Scalar(k);
    const Tensor curvature = x * Scalar(6 * c * k);
    const Tensor rest = Scalar(1) - square(t);
    return rest * slope + Scalar(0.5) * x * rest * (curvature - Scalar(2) * t * square(slope));
}
const PointwiseRule gelu_tanh_backward_rule{
    .schema = "gelu_backward",
    .kernel = Pointwise::gelu_tanh_backward,
    .node = "GeluBackwardBackward0",
    .gradients = {{{uses_second,
                    [](const Tensor& grad, const Saves& saved) {
                        return pointwise(gelu_tanh_backward_rule, {grad, saved.second()});
                    }},
                   {uses_both, [](const Tensor& grad, const Saves& saved) {
                        return grad * saved.first() * gelu_tanh_second(saved.second());
                    }}}}};

const PointwiseRule silu_backward_rule{
    .schema = "silu_backward",
    .kernel = Pointwise::silu_backward,
    .node = "SiluBackwardBackward0",
    .gradients = {{{uses_second,
                    [](const Tensor& grad, const Saves& saved) {
                        return pointwise(silu_backward_rule, {grad, saved.second()});
                    }},
                   {uses_both, [](const Tensor& grad, const Saves& saved) {
                        const Tensor x = saved.second(), s = sigmoid(x);
                        const Tensor slope = s * (Scalar(1) - s);
                        return grad * saved.first() * slope * (Scalar(2) + x * (Scalar(1) - Scalar(2) * s));
                    }}}}};

// With t = tanh(softplus(x)) and s = sigmoid(x): t' = (1 - t^2) s, and mish'' = 2 t' + x t''.
const PointwiseRule mish_backward_rule{
    .schema = "mish_backward",
    .kernel = Pointwise::mish_backward,
    .node = "MishBackwardBackward0",
    .gradients = {{{uses_second,
                    [](const Tensor& grad, const Saves& saved) {
                        return pointwise(mish_backward_rule, {grad, saved.second()});
                    }},
                   {uses_both, [](const Tensor& grad, const Saves& saved) {
                        const Tensor x = saved.second(), s = sigmoid(x), t = tanh(softplus(x, 1.0, 20.0));
                        const Tensor slope = (Scalar(1) - square(t)) * s;
                        const Tensor curvature = slope * (Scalar(1) - s - Scalar(2) * t * s);
                        return grad * saved.first() * (Scalar(2) * slope + x * curvature);
                    }}}}};
const PointwiseRule softplus_backward_rule{
    .schema = "softplus_backward",
    .kernel = Pointwise::softplus_backward,
    .node = "SoftplusBackwardBackward0",
    .gradients = {{{uses_second,
                    [](const Tensor& grad, const Saves& saved) {
                        return pointwise(softplus_backward_rule, {grad, saved.second()}, saved.parameters);
                    }},
                   {uses_both, [](const Tensor& grad, const Saves& saved) {
                        const Scalar beta = number(saved.parameters.value[0]);
                        const Tensor scaled = saved.second() * beta, s = sigmoid(scaled);
                        return where(gt(scaled, number(saved.parameters.value[1])), Scalar(0.0),
                                     grad * saved.first() * s * (Scalar(1) - s) * beta);
                    }}}}};
const PointwiseRule log_sigmoid_backward_rule{
    .schema = "log_sigmoid_backward",
    .kernel = Pointwise::log_sigmoid_backward,
    .node = "LogSigmoidBackwardBackward0",
    .gradients = {{{uses_second,
                    [](const Tensor& grad, const Saves& saved) {
                        return pointwise(log_sigmoid_backward_rule, {grad, saved.second()});
                    }},
                   {uses_both, [](const Tensor& grad, const Saves& saved) {
                        const Tensor s = sigmoid(saved.second());
                        return neg(grad * saved.first() * s * (Scalar(1) - s));
                    }}}}};

// An activation's gradient by a rule that reads the input, with the activation's attributes.
template <const PointwiseRule& rule>
constexpr InputGradient from_input{uses_first, [](const Tensor& grad, const Saves& saved) {
                                       return pointwise(rule, {grad, saved.first()}, saved.parameters);
                                   }};

const PointwiseRule relu_rule{.schema = "relu",
                              .kernel = Pointwise::relu,
                              .node = "ReluBackward0",
                              .gradients = {{{uses_result, [](const Tensor& grad, const Saves& saved) {
                                                  return pointwise(threshold_backward_rule,
                                                                   {grad, saved.result()});
                                              }}}}};
Tensor relu_checked(const Tensor& self, const Destination& destination) {
    check(!is_boolean(self.dtype()), "Boolean inputs not supported for relu");
    return pointwise(relu_rule, {self}, {}, destination);
}
const Register relu_op{"relu(Tensor self) -> Tensor",
                       relu_checked,
                       {.variants = function | method | in_place,
                        .doc = "max(x, 0). RuntimeError for bool.\n\n"
                               ">>> torch.relu(torch.tensor([-1.0, 2.0]))\n"
                               "tensor([0., 2.])"}};

}  // namespace

const PointwiseFunction relu{relu_rule};

const PointwiseOperator sigmoid{{.schema = "sigmoid(Tensor self) -> Tensor",
                                 .kernel = Pointwise::sigmoid,
                                 .promotion = Promotion::to_float,
                                 .node = "SigmoidBackward0",
                                 .gradients = {{{uses_result,
                                                 [](const Tensor& grad, const Saves& saved) {
                                                     return pointwise(sigmoid_backward_rule,
                                                                      {grad, saved.result()});
                                                 }}}},
                                 .variants = all_variants,
                                 .doc = "1 / (1 + exp(-x)).\n\n"
                                        ">>> torch.sigmoid(torch.tensor([0.0, 2.0]))\n"
                                        "tensor([0.5000, 0.8808])"}};
const PointwiseOperator silu{{.schema = "silu(Tensor self) -> Tensor",
                              .kernel = Pointwise::silu,
                              .node = "SiluBackward0",
                              .gradients = {{{uses_first,
                                              [](const Tensor& grad, const Saves& saved) {
                                                  const Tensor x = saved.first();
                                                  if (!is_complex(x.dtype()))
                                                      return pointwise(silu_backward_rule, {grad, x});
                                                  const Tensor s = sigmoid(x);
                                                  return grad * conj(s * (Scalar(1) + x * (Scalar(1) - s)));
                                              }}}},
                              .variants = native,
                              .doc =
                                  "x sigmoid(x) (Hendrycks and Gimpel, 2016; Ramachandran et al., 2017).\n\n"
                                  ">>> torch.nn.functional.silu(torch.tensor([0.0, 1.0]))\n"
                                  "tensor([0.0000, 0.7311])"}};
const PointwiseOperator mish{{.schema = "mish(Tensor self) -> Tensor",
                              .kernel = Pointwise::mish,
                              .node = "MishBackward0",
                              .gradients = {{from_input<mish_backward_rule>}},
                              .variants = native,
                              .doc = "x tanh(softplus(x)) (Misra, 2019).\n\n"
                                     ">>> torch.nn.functional.mish(torch.tensor([0.0, 1.0]))\n"
                                     "tensor([0.0000, 0.8651])"}};
const PointwiseOperator log_sigmoid{{.schema = "log_sigmoid(Tensor self) -> Tensor",
                                     .kernel = Pointwise::log_sigmoid,
                                     .node = "LogSigmoidBackward0",
                                     .gradients = {{from_input<log_sigmoid_backward_rule>}},
                                     .variants = out,
                                     .doc = "log(sigmoid(x)) without overflow.\n\n"
                                            ">>> torch.nn.functional.logsigmoid(torch.tensor([0.0]))\n"
                                            "tensor([-0.6931])"}};

namespace {

// hardtanh, and relu6 as hardtanh between 0 and 6

const PointwiseRule hardtanh_rule{.schema = "hardtanh",
                                  .kernel = Pointwise::clamp_scalar,
                                  .node = "HardtanhBackward0",
                                  .gradients = {{from_input<hardtanh_backward_rule>}}};
Tensor hardtanh(const Tensor& self, const Scalar& min_val, const Scalar& max_val,
                const Destination& destination) {
    check(!is_boolean(self.dtype()), "Bool inputs not supported for hardtanh");
    check(min_val.to_double() <= max_val.to_double(), "min_val cannot be greater than max_val");
    Parameters parameters = parameters_of({min_val, max_val});
    parameters.integer[2] = 3;  // both bounds
    return pointwise(hardtanh_rule, {self}, parameters, destination);
}
Tensor relu6(const Tensor& self, const Destination& destination) {
    return hardtanh(self, 0, 6, destination);
}
const Register hardtanh_op{"hardtanh(Tensor self, Scalar min_val=-1, Scalar max_val=1) -> Tensor",
                           hardtanh,
                           {.variants = native,
                            .doc = "x limited to [min_val, max_val].\n\n"
                                   ">>> torch.nn.functional.hardtanh(torch.tensor([-2.0, 0.5]))\n"
                                   "tensor([-1.0000,  0.5000])"}};
const Register relu6_op{"relu6(Tensor self) -> Tensor",
                        relu6,
                        {.variants = in_place,
                         .doc = "min(max(x, 0), 6).\n\n"
                                ">>> torch.nn.functional.relu6(torch.tensor([-1.0, 7.0]))\n"
                                "tensor([0., 6.])"}};

// Other rectifiers

const PointwiseRule leaky_relu_rule{.schema = "leaky_relu",
                                    .kernel = Pointwise::leaky_relu,
                                    .node = "LeakyReluBackward0",
                                    .gradients = {{from_input<leaky_relu_backward_rule>}}};

}  // namespace

Tensor leaky_relu(const Tensor& self, const Scalar& negative_slope, const Destination& destination) {
    return pointwise(leaky_relu_rule, {self}, parameters_of({negative_slope}), destination);
}

namespace {

const Register leaky_relu_op{"leaky_relu(Tensor self, Scalar negative_slope=0.01) -> Tensor",
                             leaky_relu,
                             {.variants = native,
                              .doc = "x where positive, else negative_slope x.\n\n"
                                     ">>> torch.nn.functional.leaky_relu(torch.tensor([-1.0, 2.0]), 0.1)\n"
                                     "tensor([-0.1000,  2.0000])"}};

const PointwiseRule threshold_rule{.schema = "threshold",
                                   .kernel = Pointwise::threshold,
                                   .node = "ThresholdBackward0",
                                   .gradients = {{from_input<threshold_backward_rule>}}};
Tensor threshold(const Tensor& self, const Scalar& threshold, const Scalar& value,
                 const Destination& destination) {
    return pointwise(threshold_rule, {self}, parameters_of({threshold, value}), destination);
}
const Register threshold_op{"threshold(Tensor self, Scalar threshold, Scalar value) -> Tensor",
                            threshold,
                            {.variants = function | in_place | out,
                             .doc = "x where above the threshold, else the value.\n\n"
                                    ">>> torch.threshold(torch.tensor([1.0, 3.0]), 2, 0)\n"
                                    "tensor([0., 3.])"}};

const PointwiseRule prelu_rule{.schema = "prelu",
                               .kernel = Pointwise::prelu,
                               .node = "PreluKernelBackward0",
                               .gradients = {{{uses_both,
                                               [](const Tensor& grad, const Saves& saved) {
                                                   return where(gt(saved.first(), Scalar(0)), grad,
                                                                grad * saved.second());
                                               }},
                                              {uses_first, [](const Tensor& grad, const Saves& saved) {
                                                   const Tensor x = saved.first();
                                                   return where(gt(x, Scalar(0)), Scalar(0.0), grad * x);
                                               }}}}};
Tensor prelu(const Tensor& self, const Tensor& weight) {
    check(self.dtype() == weight.dtype(), "prelu: Type promoting not supported. Got ",
          info(self.dtype()).scalar_name, " and ", info(weight.dtype()).scalar_name);
    if (weight.numel() == 1) {
        return pointwise(prelu_rule, {self, weight.dim() == 0 ? weight : reshape(weight, {})});
    }
    check(self.dim() > 0, "Not allow zero-dim input tensor.");
    const int64_t channels = self.dim() > 1 ? self.size(1) : 1;
    check(channels == weight.numel(),
          "Mismatch of parameter numbers and input channel size. Found parameter numbers = ", weight.numel(),
          " and channel size = ", channels, ".");
    check(weight.dim() <= 1,
          "prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = ", weight.dim());
    Dims shape(static_cast<size_t>(self.dim()), 1);
    shape[1] = channels;
    return pointwise(prelu_rule, {self, reshape(weight, shape)});
}
const Register prelu_op{
    "prelu(Tensor self, Tensor weight) -> Tensor",
    prelu,
    {.doc = "x where positive, else weight x, with one weight or one a channel (He et al., 2015).\n\n"
            ">>> torch.prelu(torch.tensor([-1.0, 2.0]), torch.tensor([0.25]))\n"
            "tensor([-0.2500,  2.0000])"}};

const PointwiseRule hardshrink_rule{.schema = "hardshrink",
                                    .kernel = Pointwise::hardshrink,
                                    .node = "HardshrinkBackward0",
                                    .gradients = {{from_input<hardshrink_backward_rule>}}};
const PointwiseRule softshrink_rule{.schema = "softshrink",
                                    .kernel = Pointwise::softshrink,
                                    .node = "SoftshrinkBackward0",
                                    .gradients = {{from_input<hardshrink_backward_rule>}}};
Tensor hardshrink(const Tensor& self, const Scalar& lambd, const Destination& destination) {
    return pointwise(hardshrink_rule, {self}, parameters_of({lambd}), destination);
}
Tensor softshrink(const Tensor& self, const Scalar& lambd, const Destination& destination) {
    const double bound = lambd.to_double();
    check(bound >= 0, "lambda must be in range [0, ", std::numeric_limits<float>::max(), "] for input dtype ",
          info(self.dtype()).scalar_name, ", but found ", bound);
    return pointwise(softshrink_rule, {self}, parameters_of({lambd}), destination);
}
const Register hardshrink_op{"hardshrink(Tensor self, Scalar lambd=0.5) -> Tensor",
                             hardshrink,
                             {.variants = function | method | out,
                              .doc = "x outside [-lambd, lambd], else 0.\n\n"
                                     ">>> torch.hardshrink(torch.tensor([0.2, 1.0]))\n"
                                     "tensor([0., 1.])"}};
const Register softshrink_op{"softshrink(Tensor self, Scalar lambd=0.5) -> Tensor",
                             softshrink,
                             {.variants = out,
                              .doc = "x moved towards 0 by lambd, 0 within.\n\n"
                                     ">>> torch.nn.functional.softshrink(torch.tensor([0.2, 1.0]))\n"
                                     "tensor([0.0000, 0.5000])"}};

const PointwiseOperator hardsigmoid{{.schema = "hardsigmoid(Tensor self) -> Tensor",
                                     .kernel = Pointwise::hardsigmoid,
                                     .node = "HardsigmoidBackward0",
                                     .gradients = {{from_input<hardsigmoid_backward_rule>}},
                                     .variants = native,
                                     .doc = "(x + 3) / 6 limited to [0, 1].\n\n"
                                            ">>> torch.nn.functional.hardsigmoid(torch.tensor([-4.0, 0.0]))\n"
                                            "tensor([0.0000, 0.5000])"}};
const PointwiseOperator hardswish{{.schema = "hardswish(Tensor self) -> Tensor",
                                   .kernel = Pointwise::hardswish,
                                   .node = "HardswishBackward0",
                                   .gradients = {{from_input<hardswish_backward_rule>}},
                                   .variants = native,
                                   .doc = "x times (x + 3) / 6 limited to [0, 1] (Howard et al., 2019).\n\n"
                                          ">>> torch.nn.functional.hardswish(torch.tensor([-4.0, 3.0]))\n"
                                          "tensor([-0.,  3.])"}};

// Exponential units

const PointwiseRule elu_rule{.schema = "elu",
                             .kernel = Pointwise::elu,
                             .node = "EluBackward0",
                             .gradients = {{from_input<elu_backward_rule>}}};
Tensor elu(const Tensor& self, const Scalar& alpha, const Scalar& scale, const Scalar& input_scale,
           const Destination& destination) {
    return pointwise(elu_rule, {self}, parameters_of({alpha, scale, input_scale}), destination);
}
Tensor selu(const Tensor& self, const Destination& destination) {
    return elu(self, 1.6732632423543772848170429916717, 1.0507009873554804934193349852946, 1, destination);
}
const PointwiseRule celu_rule{.schema = "celu",
                              .kernel = Pointwise::celu,
                              .node = "CeluBackward0",
                              .gradients = {{{uses_first, [](const Tensor& grad, const Saves& saved) {
                                                  const double alpha = saved.parameters.value[0].real();
                                                  return pointwise(elu_backward_rule, {grad, saved.first()},
                                                                   parameters_of({alpha, 1.0, 1 / alpha}));
                                              }}}}};
Tensor celu(const Tensor& self, const Scalar& alpha, const Destination& destination) {
    check(alpha.to_double() != 0, "ZeroDivisionError: alpha cannot be 0 for CELU");
    return pointwise(celu_rule, {self}, parameters_of({alpha}), destination);
}
const Register elu_op{"elu(Tensor self, Scalar alpha=1, Scalar scale=1, Scalar input_scale=1) -> Tensor",
                      elu,
                      {.variants = native,
                       .doc = "x where positive, else alpha (exp(x) - 1) (Clevert et al., 2015).\n\n"
                              ">>> torch.nn.functional.elu(torch.tensor([-1.0, 2.0]))\n"
                              "tensor([-0.6321,  2.0000])"}};
const Register selu_op{"selu(Tensor self) -> Tensor",
                       selu,
                       {.variants = function | in_place,
                        .doc = "The self-normalizing exponential unit (Klambauer et al., 2017).\n\n"
                               ">>> torch.selu(torch.tensor([-1.0, 2.0]))\n"
                               "tensor([-1.1113,  2.1014])"}};
const Register celu_op{
    "celu(Tensor self, Scalar alpha=1.0) -> Tensor",
    celu,
    {.variants = function | in_place,
     .doc = "x where positive, else alpha (exp(x / alpha) - 1) (Barron, 2017). RuntimeError for alpha 0.\n\n"
            ">>> torch.celu(torch.tensor([-1.0, 2.0]))\n"
            "tensor([-0.6321,  2.0000])"}};

// gelu and softplus

const PointwiseRule gelu_rule{.schema = "gelu",
                              .kernel = Pointwise::gelu,
                              .node = "GeluBackward0",
                              .gradients = {{from_input<gelu_backward_rule>}}};
const PointwiseRule gelu_tanh_rule{.schema = "gelu",
                                   .kernel = Pointwise::gelu_tanh,
                                   .node = "GeluBackward0",
                                   .gradients = {{from_input<gelu_tanh_backward_rule>}}};
const PointwiseRule softplus_rule{.schema = "softplus",
                                  .kernel = Pointwise::softplus,
                                  .node = "SoftplusBackward0",
                                  .gradients = {{from_input<softplus_backward_rule>}}};

}  // namespace

Tensor gelu(const Tensor& self, const std::string& approximate, const Destination& destination) {
    check(approximate == "none" || approximate == "tanh",
          "approximate argument must be either none or tanh.");
    return pointwise(approximate == "tanh" ? gelu_tanh_rule : gelu_rule, {self}, {}, destination);
}
Tensor softplus(const Tensor& self, const Scalar& beta, const Scalar& threshold,
                const Destination& destination) {
    return pointwise(softplus_rule, {self}, parameters_of({beta, threshold}), destination);
}

namespace {

const Register gelu_op{
    "gelu(Tensor self, *, str approximate='none') -> Tensor",
    gelu,
    {.variants = native,
     .doc = "x Phi(x) with the normal distribution's Phi, or its tanh approximation (Hendrycks and\n"
            "Gimpel, 2016).\n\n"
            ">>> torch.nn.functional.gelu(torch.tensor([0.0, 1.0]))\n"
            "tensor([0.0000, 0.8413])"}};
const Register softplus_op{
    "softplus(Tensor self, Scalar beta=1, Scalar threshold=20) -> Tensor",
    softplus,
    {.variants = out,
     .doc = "log(1 + exp(beta x)) / beta; x itself where beta x is above the threshold.\n\n"
            ">>> torch.nn.functional.softplus(torch.tensor([0.0]))\n"
            "tensor([0.6931])"}};

}  // namespace
}  // namespace rl::ops
