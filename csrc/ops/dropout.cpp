// Operators that throw elements away at random: dropout and its kin, and the randomized leaky ReLU.
#include <cmath>
#include <tuple>

#include "autograd/record.h"
#include "core/gil.h"
#include "kernels/random.h"
#include "ops/arithmetic.h"
#include "ops/conversion.h"
#include "ops/creation.h"
#include "ops/random.h"
#include "ops/registry.h"

namespace rl::ops {
namespace {

// Which elements go together, and what replaces them.
struct Kind {
    bool feature = false;  // whole channels, one draw for each of the first two dimensions
    bool alpha = false;    // keeps mean and variance of self-normalizing networks (Klambauer et al., 2017)
};

Dims noise_sizes(const Tensor& input, bool feature) {
    if (!feature) return input.sizes();
    check(input.dim() >= 2, "Feature dropout requires at least 2 dimensions in the input");
    Dims sizes(input.sizes().size(), 1);
    sizes[0] = input.sizes()[0];
    sizes[1] = input.sizes()[1];
    return sizes;
}

Tensor drop(const Tensor& input, double p, bool train, Kind kind, bool in_place) {
    check(p >= 0 && p <= 1, "dropout probability has to be between 0 and 1, but got ", p);
    if (p == 0 || !train || input.numel() == 0) return input;
    const Destination destination =
        in_place ? Destination{Destination::Kind::in_place, input} : Destination{};
    if (p == 1) return mul(input, zeros({}, options_of(input)), destination);
    const Tensor kept = kind.feature ? empty(noise_sizes(input, true), options_of(input)) : empty_like(input);
    bernoulli_(kept, 1 - p);
    const Destination into_kept{Destination::Kind::in_place, kept};
    if (!kind.alpha) {
        div(kept, wrap_number(1 - p), into_kept);
        return mul(input, kept, destination);
    }
    constexpr double alpha = 1.7580993408473766;
    const double scale = 1 / std::sqrt((alpha * alpha * p + 1) * (1 - p));
    const Tensor shift = (kept - Scalar(1)) * Scalar(alpha * scale) + Scalar(alpha * scale * p);
    mul(kept, wrap_number(scale), into_kept);
    return add(mul(input, kept, destination), shift, 1, destination);
}

template <bool Feature, bool Alpha, bool InPlace>
Tensor drop_op(const Tensor& input, double p, bool train) {
    return drop(input, p, train, {Feature, Alpha}, InPlace);
}

std::tuple<Tensor, Tensor> native_dropout(const Tensor& input, double p, const std::optional<bool>& train) {
    const Tensor mask = empty_like(input, DType::boolean);
    const bool active = train.value_or(true) && input.numel() > 0;
    const double scale = !active ? 1.0 : p == 1 ? 0.0 : 1 / (1 - p);
    Tensor result;
    {
        const GradientsEnabled disabled(false);
        if (active) {
            bernoulli_(mask, 1 - p);
            result = input * mask * Scalar(scale);
        } else {
            fill_data(mask, true);
            result = clone(input);
        }
    }
    result = record("NativeDropoutBackward0", {input}, result, [&] {
        return [mask = Saved(mask), scale](const Tensor& grad) -> Gradients {
            return {grad * mask.get() * Scalar(scale)};
        };
    });
    return {result, mask};
}

struct Rectified {
    Tensor result, factor;  // result = input * factor
};

Rectified rectify(const Tensor& self, double lower, double upper, bool training, Generator* generator) {
    check(lower <= upper, "Lower bound should be less than or equal to the upper bound");
    check<NotImplemented>(is_floating(self.dtype()), "\"rrelu_with_noise_out_cpu\" not implemented for '",
                          info(self.dtype()).scalar_name, "'");
    const Tensor input = contiguous_data(self);
    const Tensor result = empty(self.sizes(), options_of(self)),
                 factor = empty(self.sizes(), options_of(self));
    if (result.is_meta() || result.numel() == 0) return {result, factor};
    // Without training the slope is fixed: its draws come from a generator of their own and do not matter.
    Generator unused;
    const double slope = (lower + upper) / 2;
    const GilRelease released(result.numel());
    Generator& source = !training ? unused : generator != nullptr ? *generator : default_generator();
    const std::lock_guard lock(source.mutex);
    kernels::random_kernels().rrelu(source, self.dtype(), result.raw_data(), factor.raw_data(),
                                    input.raw_data(), result.numel(), training ? lower : slope,
                                    training ? upper : slope);
    return {result, factor};
}

Tensor rrelu(const Tensor& self, const Scalar& lower, const Scalar& upper, bool training,
             Generator* generator) {
    const Rectified rectified = rectify(self, lower.to_double(), upper.to_double(), training, generator);
    return record("RreluWithNoiseBackward0", {self}, rectified.result, [&] {
        return [factor = Saved(rectified.factor)](const Tensor& grad) -> Gradients {
            return {grad * factor.get()};
        };
    });
}

Tensor rrelu_with_noise(const Tensor& self, const Tensor& noise, const Scalar& lower, const Scalar& upper,
                        bool training, Generator* generator) {
    const Rectified rectified = rectify(self, lower.to_double(), upper.to_double(), training, generator);
    if (training) {
        copy_data(noise, rectified.factor);
        noise.bump_version();
    }
    return record("RreluWithNoiseBackward0", {self}, rectified.result, [&] {
        return [factor = Saved(rectified.factor)](const Tensor& grad) -> Gradients {
            return {grad * factor.get()};
        };
    });
}

Tensor rrelu_(const Tensor& self, const Scalar& lower, const Scalar& upper, bool training,
              Generator* generator) {
    return write_in_place(
        self, [&](const Tensor& original) { return rrelu(original, lower, upper, training, generator); });
}

}  // namespace

Tensor dropout(const Tensor& input, double p, bool train) {
    return drop(input, p, train, {}, false);
}

namespace {

constexpr OperatorOptions drops(const char* doc) {
    return {.variants = function, .doc = doc, .dtypes = "floating"};
}

const Register dropout_op{"dropout(Tensor input, float p, bool train) -> Tensor", dropout, drops(R"(
Sets elements to zero with probability p and divides the others by 1 - p; the input itself when not training
(Srivastava et al., 2014). Raises RuntimeError for p outside [0, 1].

>>> torch.dropout(torch.ones(2), 0.0, True)
tensor([1., 1.])
)")};
const Register dropout_in_place{"dropout_(Tensor(a!) self, float p, bool train) -> Tensor(a!)",
                                drop_op<false, false, true>, drops("`dropout` in place.")};
const Register feature_dropout_op{"feature_dropout(Tensor input, float p, bool train) -> Tensor",
                                  drop_op<true, false, false>,
                                  drops("`dropout` of whole channels, the second dimension.")};
const Register feature_dropout_in_place{
    "feature_dropout_(Tensor(a!) self, float p, bool train) -> Tensor(a!)", drop_op<true, false, true>,
    drops("`feature_dropout` in place.")};
const Register alpha_dropout_op{
    "alpha_dropout(Tensor input, float p, bool train) -> Tensor", drop_op<false, true, false>,
    drops("Dropout that keeps mean and variance of SELU networks (Klambauer et al., 2017).")};
const Register alpha_dropout_in_place{"alpha_dropout_(Tensor(a!) self, float p, bool train) -> Tensor(a!)",
                                      drop_op<false, true, true>, drops("`alpha_dropout` in place.")};
const Register feature_alpha_dropout_op{"feature_alpha_dropout(Tensor input, float p, bool train) -> Tensor",
                                        drop_op<true, true, false>,
                                        drops("`alpha_dropout` of whole channels.")};
const Register feature_alpha_dropout_in_place{
    "feature_alpha_dropout_(Tensor(a!) self, float p, bool train) -> Tensor(a!)", drop_op<true, true, true>,
    drops("`feature_alpha_dropout` in place.")};
const Register native_dropout_op{"native_dropout(Tensor input, float p, bool? train) -> (Tensor, Tensor)",
                                 native_dropout,
                                 drops("`dropout`, and the mask of the elements that were kept.")};
const Register rrelu_op{
    "rrelu(Tensor self, Scalar lower=0.125, Scalar upper=0.3333333333333333, bool training=False, "
    "Generator? generator=None) -> Tensor",
    rrelu, drops(R"(
x where it is positive, otherwise x times a slope drawn from [lower, upper) when training, and times their mean when
not (Xu et al., 2015).

>>> torch.rrelu(torch.tensor([-1., 2.]), 0.5, 0.5)
tensor([-0.5000,  2.0000])
)")};
const Register rrelu_in_place{
    "rrelu_(Tensor(a!) self, Scalar lower=0.125, Scalar upper=0.3333333333333333, bool training=False, "
    "Generator? generator=None) -> Tensor(a!)",
    rrelu_, drops("`rrelu` in place.")};
const Register rrelu_with_noise_op{
    "rrelu_with_noise(Tensor self, Tensor(b!) noise, Scalar lower=0.125, Scalar upper=0.3333333333333333, "
    "bool training=False, Generator? generator=None) -> Tensor",
    rrelu_with_noise,
    {.variants = 0,
     .doc = "`rrelu` that also writes the slopes it used into `noise`.",
     .dtypes = "floating"}};

}  // namespace
}  // namespace rl::ops
