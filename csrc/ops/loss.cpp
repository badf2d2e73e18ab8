// Losses of classes: cross entropy and negative log likelihood.
#include "ops/loss.h"

#include <algorithm>
#include <optional>

#include "autograd/record.h"
#include "core/gil.h"
#include "kernels/softmax.h"
#include "ops/arithmetic.h"
#include "ops/comparison.h"
#include "ops/conversion.h"
#include "ops/creation.h"
#include "ops/elementary.h"
#include "ops/indexing.h"
#include "ops/selection.h"
#include "ops/softmax.h"
#include "ops/views.h"

namespace rl::ops {
namespace {

using kernels::softmax_kernels;

// --- Negative log likelihood.

int64_t class_dim(const Tensor& self) {
    return self.dim() == 1 ? 0 : 1;
}

void check_nll_target_type(const Tensor& target) {
    check(target.dtype() == DType::int64 || target.dtype() == DType::uint8,
          "expected target dtype to be Long or Byte, but got ", info(target.dtype()).scalar_name);
}

void check_nll_shapes(const Tensor& self, const Tensor& target, const Tensor& weight) {
    const int64_t classes = self.sizes()[class_dim(self)];
    if (self.dim() == 1) {
        check(target.dim() <= 1, "Expected input batch_size");
        check(target.numel() == 1, "size mismatch (got input: ", to_string(self.sizes()),
              ", target: ", to_string(target.sizes()), ")");
    } else {
        check<ValueError>(target.dim() > 0 && self.sizes()[0] == target.sizes()[0],
                          "Expected input batch_size (", self.sizes()[0], ") to match target batch_size (",
                          target.dim() == 0 ? 1 : target.sizes()[0], ").");
        Dims expected = self.sizes();
        expected.erase(1);
        if (self.dim() > 4)
            check<ValueError>(target.sizes() == expected, "Expected target size ", to_string(expected),
                              ", got ", to_string(target.sizes()));
        else
            check(target.sizes() == expected, "Expected target size ", to_string(expected), ", got ",
                  to_string(target.sizes()));
    }
    check(!weight.defined() || (weight.dim() == 1 && weight.numel() == classes),
          "weight tensor should be defined either for all ", classes,
          " classes or no classes but got weight tensor of shape: ",
          weight.defined() ? to_string(weight.sizes()) : ShapeText{});
}

// Contiguous int64 targets; throws IndexError where one that is not ignored is no class.
Tensor checked_target(const Tensor& target, int64_t classes, int64_t ignored) {
    const Tensor values = contiguous_data(target, DType::int64);
    if (values.is_meta()) return values;
    const int64_t* const t = values.data<int64_t>();
    for (int64_t i = 0; i < values.numel(); ++i)
        if ((t[i] < 0 || t[i] >= classes) && t[i] != ignored)
            raise<IndexError>("Target ", t[i], " is out of bounds.");
    return values;
}

struct Likelihood {
    Tensor losses;   // of each target, 0 where ignored
    Tensor weights;  // of each target, 0 where ignored
};

// From differentiable operators: minus the log-probability of each target times the weight of its class.
Likelihood likelihood(const Tensor& log_probabilities, const Tensor& target, const Tensor& weight,
                      int64_t ignored) {
    const int64_t dim = class_dim(log_probabilities);
    const Tensor valid = ne(target, wrap_number(ignored));
    const Tensor safe = where(valid, target, Scalar(0));
    const Tensor shaped = log_probabilities.dim() == 1 ? reshape(safe, Dims{1}) : unsqueeze(safe, dim);
    const Tensor picked = reshape(gather(log_probabilities, dim, shaped), target.sizes());
    Tensor weights = to(valid, log_probabilities.dtype());
    if (weight.defined())
        weights =
            where(valid, reshape(index_select(weight, 0, reshape(safe, Dims{safe.numel()})), target.sizes()),
                  Scalar(0));
    return {where(valid, -picked * weights, Scalar(0)), weights};
}

Tensor reduce_likelihood(const Likelihood& result, int64_t reduction) {
    if (reduction == reduce_none) return result.losses;
    const Tensor total = sum(result.losses);
    return reduction == reduce_sum ? total : total / sum(result.weights);
}

Tensor nll_loss_nd(const Tensor& self, const Tensor& target, const Tensor& weight, int64_t reduction,
                   int64_t ignore_index) {
    check<ValueError>(self.dim() >= 1, "Expected 1 or more dimensions (got ", self.dim(), ")");
    check<NotImplemented>(is_floating(self.dtype()), "\"nll_loss_out_frame\" not implemented for '",
                          info(self.dtype()).scalar_name, "'");
    check_nll_shapes(self, target, weight);
    check_nll_target_type(target);
    const Tensor classes = checked_target(target, self.sizes()[class_dim(self)], ignore_index);
    return reduce_likelihood(likelihood(self, classes, weight, ignore_index), reduction);
}

// --- Cross entropy.

// softmax(logits) - one-hot, times the scale of each row; zero where ignored. Differentiable.
Tensor cross_entropy_gradient(const Tensor& logits, const Tensor& target, const Tensor& scales,
                              int64_t ignored) {
    const Tensor valid = ne(target, wrap_number(ignored));
    const Tensor factor = where(valid, scales, Scalar(0));
    const Tensor safe = where(valid, target, Scalar(0));
    const Tensor column = unsqueeze(expand(factor, target.sizes()), 1);
    return scatter_add(softmax(logits, 1) * column, 1, unsqueeze(safe, 1), -column);
}

Tensor run_cross_entropy_gradient(const Tensor& logits, const Tensor& log_sums, const Tensor& target,
                                  const Tensor& scales, int64_t ignored) {
    const Tensor result = empty(logits.sizes(), options_of(logits));
    const Tensor input = contiguous_data(logits), factor = contiguous_data(scales, logits.dtype());
    const GilRelease released(4 * logits.numel());
    softmax_kernels().cross_entropy_backward(logits.dtype(), input.raw_data(), log_sums.raw_data(),
                                             target.data<int64_t>(), ignored, logits.sizes()[0],
                                             logits.sizes()[1], factor.raw_data(),
                                             factor.numel() == 1 && factor.dim() == 0, result.raw_data());
    return result;
}

// Of float32 or float64 logits (N, C) with class indices, unweighted: one pass, and one back.
Tensor fused_cross_entropy(const Tensor& logits, const Tensor& target, int64_t reduction, int64_t ignored) {
    const int64_t rows = logits.sizes()[0], classes = logits.sizes()[1];
    const Tensor losses = empty(Dims{rows}, options_of(logits)),
                 log_sums = empty(Dims{rows}, options_of(logits));
    {
        const Tensor input = contiguous_data(logits);
        const GilRelease released(4 * logits.numel());
        softmax_kernels().cross_entropy(logits.dtype(), input.raw_data(), target.data<int64_t>(), ignored,
                                        rows, classes, losses.raw_data(), log_sums.raw_data());
    }
    const int64_t counted = rows - std::count(target.data<int64_t>(), target.data<int64_t>() + rows, ignored);
    const double divisor = reduction == reduce_mean ? static_cast<double>(counted) : 1.0;
    Tensor result = losses;
    {
        const GradientsEnabled off(false);
        if (reduction != reduce_none) result = sum(losses);
        if (reduction == reduce_mean)
            result = div(result, wrap_number(divisor), {Destination::Kind::in_place, result});
    }
    return record("NllLossBackward0", {logits}, result, [&] {
        return [logits = Saved(logits), log_sums = Saved(log_sums), target = Saved(target), ignored,
                divisor](const Tensor& grad) -> Gradients {
            const Tensor x = logits.get(), classes = target.get();
            const Tensor scales = divisor == 1 ? grad : grad / Scalar(divisor);
            if (gradients_wanted({scales, x})) return {cross_entropy_gradient(x, classes, scales, ignored)};
            return {run_cross_entropy_gradient(x, log_sums.get(), classes, scales, ignored)};
        };
    });
}

Tensor class_shaped(const Tensor& weight, const Tensor& self) {
    Dims shape(self.sizes().size(), 1);
    shape[class_dim(self)] = weight.numel();
    return reshape(weight, shape);
}

// Targets are probabilities of the classes.
Tensor cross_entropy_of_probabilities(const Tensor& self, const Tensor& target, const Tensor& weight,
                                      int64_t reduction, double smoothing) {
    check(is_floating(target.dtype()),
          "Expected floating point type for target with class probabilities, got ",
          info(target.dtype()).scalar_name);
    const int64_t dim = class_dim(self), classes = self.sizes()[dim];
    check(!weight.defined() || (weight.dim() == 1 && weight.numel() == classes),
          "cross_entropy: weight tensor should be defined either for all ", classes,
          " classes or no classes but got weight tensor of shape: ",
          weight.defined() ? to_string(weight.sizes()) : ShapeText{});
    const Tensor wanted =
        smoothing == 0 ? target
                       : target * Scalar(1 - smoothing) + Scalar(smoothing / static_cast<double>(classes));
    Tensor terms = log_softmax(self, dim) * wanted;
    if (weight.defined()) terms = terms * class_shaped(weight, self);
    if (reduction == reduce_none) return -sum(terms, Dims{dim});
    const Tensor total = -sum(terms);
    if (reduction == reduce_sum) return total;
    const double rows =
        static_cast<double>(self.numel()) / static_cast<double>(std::max<int64_t>(1, classes));
    return total / Scalar(rows);
}

// Each target's probability is moved in part to all classes alike (Szegedy et al., 2016).
Tensor smoothed_cross_entropy(const Tensor& self, const Tensor& target, const Tensor& weight,
                              int64_t reduction, int64_t ignored, double smoothing) {
    const int64_t dim = class_dim(self);
    const double classes = static_cast<double>(self.sizes()[dim]);
    const Tensor log_probabilities = log_softmax(self, dim);
    const Likelihood plain = likelihood(log_probabilities, target, weight, ignored);
    const Tensor weighted =
        weight.defined() ? log_probabilities * class_shaped(weight, self) : log_probabilities;
    const Tensor uniform = where(ne(target, wrap_number(ignored)),
                                 reshape(-sum(weighted, Dims{dim}), target.sizes()), Scalar(0));
    const auto reduce_smooth = [&]() -> Tensor {
        if (reduction == reduce_none) return uniform;
        const Tensor total = sum(uniform);
        return reduction == reduce_sum ? total : total / sum(plain.weights);
    };
    return reduce_likelihood(plain, reduction) * Scalar(1 - smoothing) +
           reduce_smooth() * Scalar(smoothing / classes);
}

Tensor cross_entropy_loss(const Tensor& self, const Tensor& target, const Tensor& weight, int64_t reduction,
                          int64_t ignore_index, double label_smoothing) {
    check(label_smoothing >= 0 && label_smoothing <= 1,
          "label_smoothing must be between 0.0 and 1.0. Got: ", label_smoothing);
    check<ValueError>(self.dim() >= 1, "Expected 1 or more dimensions (got ", self.dim(), ")");
    if (self.sizes() == target.sizes())
        return cross_entropy_of_probabilities(self, target, weight, reduction, label_smoothing);
    check<NotImplemented>(is_floating(self.dtype()),
                          "\"log_softmax_lastdim_kernel_impl\" not implemented for '",
                          info(self.dtype()).scalar_name, "'");
    check_nll_shapes(self, target, weight);
    check_nll_target_type(target);
    const Tensor classes = checked_target(target, self.sizes()[class_dim(self)], ignore_index);
    if (label_smoothing > 0)
        return smoothed_cross_entropy(self, classes, weight, reduction, ignore_index, label_smoothing);
    const bool fusible =
        self.dim() == 2 && !weight.defined() && !self.is_meta() && !is_reduced_floating(self.dtype());
    if (fusible) return fused_cross_entropy(self, classes, reduction, ignore_index);
    return reduce_likelihood(likelihood(log_softmax(self, class_dim(self)), classes, weight, ignore_index),
                             reduction);
}

const Register nll_loss_nd_op{
    "nll_loss_nd(Tensor self, Tensor target, Tensor? weight=None, int reduction=1, int ignore_index=-100) -> "
    "Tensor",
    nll_loss_nd,
    {.variants = 0,
     .doc =
         R"(-weight[target] * self[target], of log-probabilities (N, C, ...) or (C) and class indices (N, ...) or ().

reduction is 0 (none), 1 (mean over the weights of the targets that are not ignored) or 2 (sum). Raises IndexError for a target
that is no class.

    >>> rushlight._C.nll_loss_nd(rushlight.tensor([[-1., -2.]]), rushlight.tensor([1]))
    tensor(2.)
)",
     .dtypes = "floating"}};
const Register cross_entropy_op{
    "cross_entropy_loss(Tensor self, Tensor target, Tensor? weight=None, int reduction=1, int "
    "ignore_index=-100, "
    "float label_smoothing=0.0) -> Tensor",
    cross_entropy_loss,
    {.variants = 0,
     .doc =
         R"(nll_loss of log_softmax(self), or -sum(target * log_softmax(self)) for probabilities of the classes.

self is (N, C, ...) or (C); target holds class indices (N, ...) or probabilities of self's shape. Reductions and errors as in
nll_loss_nd.

    >>> rushlight._C.cross_entropy_loss(rushlight.zeros(1, 4), rushlight.tensor([2]))
    tensor(1.3863)
)",
     .dtypes = "floating"}};
}  // namespace
}  // namespace rl::ops
