// Losses of pairs, an element and its target: each with its reduction one node on the graph.
#include <array>
#include <cmath>
#include <limits>

#include "autograd/record.h"
#include "ops/activation.h"
#include "ops/arithmetic.h"
#include "ops/comparison.h"
#include "ops/conversion.h"
#include "ops/elementary.h"
#include "ops/loss.h"
#include "ops/pointwise.h"
#include "ops/registry.h"
#include "ops/selection.h"

namespace rl::ops {
namespace {

// What a loss is computed from; `weight` and `pos_weight` may be undefined, `shape` is the loss's parameter.
struct Pair {
    Tensor self, target, weight, pos_weight;
    double shape = 0;
};

// The derivative of a loss of the difference d alone: factor * d between -bound and bound.
struct Slope {
    double factor, bound = std::numeric_limits<double>::infinity();
};

// A loss of every element and its derivatives, written with differentiable operators.
struct PairLoss {
    const char* node;
    Tensor (*value)(const Pair&);
    Tensor (*by_self)(const Pair&);
    Tensor (*by_target)(const Pair&);
    Tensor (*by_pos_weight)(const Pair&) = nullptr;
    Slope (*slope)(double shape) = nullptr;
};

// Numbers of 16 bits as numbers of 32, in which formulas of several steps are computed.
Tensor computing(const Tensor& tensor) {
    const bool reduced = tensor.defined() && is_reduced_floating(tensor.dtype());
    return reduced ? to(tensor, DType::float32) : tensor;
}
Pair computing(const Pair& pair) {
    return {computing(pair.self), computing(pair.target), computing(pair.weight), computing(pair.pos_weight),
            pair.shape};
}

Tensor weighted(const Tensor& values, const Pair& pair) {
    return pair.weight.defined() ? values * pair.weight : values;
}

const PointwiseRule difference_backward{.schema = "difference_backward",
                                        .kernel = Pointwise::difference_backward};

Gradients gradients(const PairLoss& loss, const Pair& pair, const Tensor& grad, const Needs& needs) {
    Gradients result(4);
    if (loss.slope != nullptr && !autograd_mode.gradients && (needs[0] || needs[1])) {
        const auto [factor, bound] = loss.slope(pair.shape);
        Tensor by_self = pointwise(difference_backward, {weighted(grad, pair), pair.self, pair.target},
                                   Parameters{.value = {factor, bound}});
        if (needs[1]) result[1] = neg(by_self);
        if (needs[0]) result[0] = std::move(by_self);
    } else {
        if (needs[0]) result[0] = grad * weighted(loss.by_self(pair), pair);
        if (needs[1]) result[1] = grad * weighted(loss.by_target(pair), pair);
    }
    if (needs[2]) result[2] = grad * loss.value(pair);
    if (needs[3]) result[3] = grad * weighted(loss.by_pos_weight(pair), pair);
    return result;
}

Tensor pair_loss(const PairLoss& loss, const Pair& given, int64_t reduction) {
    Tensor result;
    int64_t count = 1;
    {
        const GradientsEnabled off(false);
        const Tensor losses = weighted(loss.value(computing(given)), computing(given));
        if (reduction == reduce_mean) count = losses.numel();
        result = to(reduced(losses, reduction), result_type(std::array{given.self, given.target}));
    }
    return record(loss.node, {given.self, given.target, given.weight, given.pos_weight}, result, [&] {
        return [self = Saved(given.self), target = Saved(given.target), weight = Saved(given.weight),
                pos_weight = Saved(given.pos_weight), shape = given.shape, reduction, count,
                &loss](const Tensor& grad, const Needs& needs) -> Gradients {
            const auto get = [](const Saved& saved) { return saved.defined() ? saved.get() : Tensor(); };
            const Pair pair = computing(Pair{self.get(), target.get(), get(weight), get(pos_weight), shape});
            const Tensor share = computing(grad);
            return gradients(loss, pair,
                             reduction == reduce_mean ? share / Scalar(static_cast<double>(count)) : share,
                             needs);
        };
    });
}

// The element's distance from its target, and the derivative of a loss that depends on it alone.
Tensor difference(const Pair& pair) {
    return pair.self - pair.target;
}
template <Tensor (*derivative)(const Pair&)>
Tensor opposite(const Pair& pair) {
    return neg(derivative(pair));
}

Tensor sloped(const Tensor& difference, Slope slope) {
    const Tensor line = difference * Scalar(slope.factor);
    return std::isinf(slope.bound) ? line : clamp(line, Scalar(-slope.bound), Scalar(slope.bound));
}
template <Slope (*slope)(double shape)>
Tensor sloping(const Pair& pair) {
    return sloped(difference(pair), slope(pair.shape));
}
template <Slope (*slope)(double shape)>
constexpr PairLoss difference_loss(const char* node, Tensor (*value)(const Pair&)) {
    return {node, value, sloping<slope>, opposite<sloping<slope>>, nullptr, slope};
}

// factor * d^2 where |d| < shape, and elsewhere a line of slope `bound` that is zero at half of that.
template <int sign>
Tensor bent_gradient(const Tensor& grad, const PointwiseSaved& saved) {
    const auto& value = saved.parameters.value;
    return grad * sloped(saved.first() - saved.second(), {2 * value[1].real(), value[2].real()}) *
           Scalar(sign);
}
const PointwiseRule bent_rule{.schema = "huber_loss",
                              .kernel = Pointwise::huber,
                              .gradients = {{{uses_first | uses_second, bent_gradient<1>},
                                             {uses_first | uses_second, bent_gradient<-1>}}}};
Tensor bent(const Pair& pair, double factor, double bound) {
    return pointwise(bent_rule, {pair.self, pair.target}, Parameters{.value = {pair.shape, factor, bound}});
}

// Mean squared error

const PointwiseFunction squared_difference{{.schema = "mse_loss", .kernel = Pointwise::squared_difference}};

Tensor squared(const Pair& pair) {
    return squared_difference(pair.self, pair.target);
}
constexpr Slope squared_slope(double) {
    return {2};
}
constexpr PairLoss squared_loss = difference_loss<squared_slope>("MseLossBackward0", squared);

// d^2 / (2 beta) where |d| < beta, |d| - beta / 2 elsewhere (Girshick, "Fast R-CNN", 2015)

Tensor smooth(const Pair& pair) {
    return bent(pair, 0.5 / pair.shape, 1);
}
constexpr Slope smooth_slope(double beta) {
    return {1 / beta, 1};
}
constexpr PairLoss smooth_loss = difference_loss<smooth_slope>("SmoothL1LossBackward0", smooth);

// The same where beta is zero

Tensor distance(const Pair& pair) {
    return abs(difference(pair));
}
Tensor direction(const Pair& pair) {
    return sgn(difference(pair));
}
constexpr PairLoss distance_loss{"SmoothL1LossBackward0", distance, direction, opposite<direction>};

// d^2 / 2 where |d| < delta, delta (|d| - delta / 2) elsewhere (Huber, "Robust estimation of a location
// parameter", 1964)

Tensor huber(const Pair& pair) {
    return bent(pair, 0.5, pair.shape);
}
constexpr Slope huber_slope(double delta) {
    return {1, delta};
}
constexpr PairLoss huber_loss_rule = difference_loss<huber_slope>("HuberLossBackward0", huber);

// log(1 + exp(-target self))

Tensor soft_margin(const Pair& pair) {
    return neg(log_sigmoid(pair.self * pair.target));
}
Tensor soft_margin_by_self(const Pair& pair) {
    return neg(pair.target * sigmoid(neg(pair.self * pair.target)));
}
Tensor soft_margin_by_target(const Pair& pair) {
    return neg(pair.self * sigmoid(neg(pair.self * pair.target)));
}
constexpr PairLoss soft_margin_rule{"SoftMarginLossBackward0", soft_margin, soft_margin_by_self,
                                    soft_margin_by_target};

// Cross entropy of probabilities; logarithms are at least -100, so that losses at 0 and 1 stay finite

constexpr double least_logarithm = -100, least_variance = 1e-12;

Tensor entropy(const Pair& pair) {
    const auto bounded = [](const Tensor& logarithm) {
        return clamp(logarithm, Scalar(least_logarithm), std::nullopt);
    };
    return (pair.target - Scalar(1)) * bounded(log1p(neg(pair.self))) - pair.target * bounded(log(pair.self));
}
Tensor entropy_by_self(const Pair& pair) {
    const Tensor variance = (Scalar(1) - pair.self) * pair.self;
    return difference(pair) / clamp(variance, Scalar(least_variance), std::nullopt);
}
Tensor entropy_by_target(const Pair& pair) {
    return log1p(neg(pair.self)) - log(pair.self);
}
constexpr PairLoss entropy_loss{"BinaryCrossEntropyBackward0", entropy, entropy_by_self, entropy_by_target};

// The same of logits: (1 - y) x - c log sigmoid(x), where c = 1 + (pos_weight - 1) y

Tensor logit_factor(const Pair& pair) {
    return (pair.pos_weight - Scalar(1)) * pair.target + Scalar(1);
}
Tensor logit_entropy(const Pair& pair) {
    Tensor logarithm = log_sigmoid(pair.self);
    if (pair.pos_weight.defined()) logarithm = logarithm * logit_factor(pair);
    return (Scalar(1) - pair.target) * pair.self - logarithm;
}
Tensor logit_entropy_by_self(const Pair& pair) {
    if (!pair.pos_weight.defined()) return sigmoid(pair.self) - pair.target;
    return (Scalar(1) - pair.target) - logit_factor(pair) * sigmoid(neg(pair.self));
}
Tensor logit_entropy_by_target(const Pair& pair) {
    if (!pair.pos_weight.defined()) return neg(pair.self);
    return neg(pair.self) - (pair.pos_weight - Scalar(1)) * log_sigmoid(pair.self);
}
Tensor logit_entropy_by_pos_weight(const Pair& pair) {
    return neg(pair.target * log_sigmoid(pair.self));
}
constexpr PairLoss logit_entropy_loss{"BinaryCrossEntropyWithLogitsBackward0", logit_entropy,
                                      logit_entropy_by_self, logit_entropy_by_target,
                                      logit_entropy_by_pos_weight};

// Registration

Tensor mse_loss(const Tensor& self, const Tensor& target, int64_t reduction) {
    return pair_loss(squared_loss, {self, target, {}, {}}, reduction);
}
Tensor smooth_l1_loss(const Tensor& self, const Tensor& target, int64_t reduction, double beta) {
    check(beta >= 0, "smooth_l1_loss does not support negative values for beta.");
    return pair_loss(beta > 0 ? smooth_loss : distance_loss, {self, target, {}, {}, beta}, reduction);
}
Tensor huber_loss(const Tensor& self, const Tensor& target, const Tensor& weight, int64_t reduction,
                  double delta) {
    check(delta > 0, "huber_loss does not support non-positive values for delta.");
    return pair_loss(huber_loss_rule, {self, target, weight, {}, delta}, reduction);
}
Tensor soft_margin_loss(const Tensor& self, const Tensor& target, int64_t reduction) {
    return pair_loss(soft_margin_rule, {self, target, {}, {}}, reduction);
}
Tensor binary_cross_entropy(const Tensor& self, const Tensor& target, const Tensor& weight,
                            int64_t reduction) {
    return pair_loss(entropy_loss, {self, target, weight, {}}, reduction);
}
Tensor binary_cross_entropy_with_logits(const Tensor& self, const Tensor& target, const Tensor& weight,
                                        const Tensor& pos_weight, int64_t reduction) {
    return pair_loss(logit_entropy_loss, {self, target, weight, pos_weight}, reduction);
}

const Register mse_loss_op{"mse_loss(Tensor self, Tensor target, int reduction=1) -> Tensor",
                           mse_loss,
                           {.variants = 0,
                            .doc = R"((self - target)^2, as it is (reduction 0), its mean (1) or its sum (2).

    >>> rushlight._C.mse_loss(rushlight.tensor([1., 3.]), rushlight.tensor([0., 0.]))
    tensor(5.)
)",
                            .dtypes = "floating, complex"}};
const Register smooth_l1_loss_op{
    "smooth_l1_loss(Tensor self, Tensor target, int reduction=1, float beta=1.0) -> Tensor",
    smooth_l1_loss,
    {.variants = 0,
     .doc =
         R"(d^2 / (2 beta) where |d| < beta, |d| - beta / 2 elsewhere, for d = self - target (Girshick, 2015).

Reductions as in mse_loss. RuntimeError for a negative beta.

    >>> rushlight._C.smooth_l1_loss(rushlight.tensor([3.]), rushlight.tensor([0.]))
    tensor(2.5000)
)",
     .dtypes = "floating"}};
const Register huber_loss_op{
    "huber_loss(Tensor self, Tensor target, Tensor? weight=None, int reduction=1, float delta=1.0) -> Tensor",
    huber_loss,
    {.variants = 0,
     .doc =
         R"(d^2 / 2 where |d| <= delta, delta (|d| - delta / 2) elsewhere, for d = self - target (Huber, 1964).

Reductions as in mse_loss. RuntimeError for a delta that is not positive.

    >>> rushlight._C.huber_loss(rushlight.tensor([3.]), rushlight.tensor([0.]))
    tensor(2.5000)
)",
     .dtypes = "floating"}};
const Register soft_margin_loss_op{
    "soft_margin_loss(Tensor self, Tensor target, int reduction=1) -> Tensor",
    soft_margin_loss,
    {.variants = 0,
     .doc = R"(log(1 + exp(-target * self)) for targets 1 and -1; reductions as in mse_loss.

    >>> rushlight._C.soft_margin_loss(rushlight.zeros(2), rushlight.ones(2))
    tensor(0.6931)
)",
     .dtypes = "floating"}};
const Register binary_cross_entropy_op{
    "binary_cross_entropy(Tensor self, Tensor target, Tensor? weight=None, int reduction=1) -> Tensor",
    binary_cross_entropy,
    {.variants = 0,
     .doc = R"(-(target log(self) + (1 - target) log(1 - self)) times weight, logarithms being at least -100.

Elements of self are within [0, 1], which is not checked here. Reductions as in mse_loss.

    >>> rushlight._C.binary_cross_entropy(rushlight.tensor([0.5]), rushlight.ones(1))
    tensor(0.6931)
)",
     .dtypes = "floating"}};
const Register binary_cross_entropy_with_logits_op{
    "binary_cross_entropy_with_logits(Tensor self, Tensor target, Tensor? weight=None, Tensor? "
    "pos_weight=None, int reduction=1) -> Tensor",
    binary_cross_entropy_with_logits,
    {.variants = 0,
     .doc =
         R"(binary_cross_entropy of sigmoid(self) without its rounding; pos_weight scales the positive part.

    >>> rushlight._C.binary_cross_entropy_with_logits(rushlight.zeros(2), rushlight.ones(2))
    tensor(0.6931)
)",
     .dtypes = "floating"}};

}  // namespace
}  // namespace rl::ops
