// Normalization: layer, RMS, group and batch norm, each with a fused gradient and a differentiable one.
#include "ops/normalization.h"

#include <limits>
#include <optional>
#include <utility>

#include "autograd/record.h"
#include "core/gil.h"
#include "kernels/normalization.h"
#include "ops/arithmetic.h"
#include "ops/conversion.h"
#include "ops/creation.h"
#include "ops/reduction.h"
#include "ops/registry.h"
#include "ops/resample.h"
#include "ops/views.h"

namespace rl::ops {
namespace {

using kernels::normalization_kernels;
using TensorTriple = std::tuple<Tensor, Tensor, Tensor>;

// The type that kernels compute in, and that weights and statistics have there.
DType working_dtype(DType dtype) {
    return dtype == DType::float64 ? DType::float64 : DType::float32;
}

Tensor cast(const Tensor& self, DType dtype) {
    const GradientsEnabled off(false);
    return self.defined() ? to(self, dtype) : self;
}
// The type in which statistics are returned: the weights', where that is wider than the input's.
DType statistics_dtype(const Tensor& input, const Tensor& weight) {
    return weight.defined() ? promote(input.dtype(), weight.dtype()) : input.dtype();
}
Tensor prepared(const Tensor& self, DType dtype) {
    return self.defined() ? contiguous_data(self, dtype) : Tensor();
}
Saved saved(const Tensor& self) {
    return self.defined() ? Saved(self) : Saved();
}
Tensor restored(const Saved& self) {
    return self.defined() ? self.get() : Tensor();
}

void check_floating(const char* name, const Tensor& self) {
    check<NotImplemented>(is_floating(self.dtype()), "\"", name, "\" not implemented for '",
                          info(self.dtype()).scalar_name, "'");
}

// --- The gradient in differentiable operators. Statistics are taken over `dims` of x; h is the gradient of
// the normalized values.

struct Statistics {
    Dims dims;
    double eps;
    bool centered;
};

Tensor inverse_deviation(const Tensor& centered, const Statistics& s) {
    return rsqrt(mean(square(centered), s.dims, true) + Scalar(s.eps));
}
Tensor centered(const Tensor& x, const Statistics& s) {
    return s.centered ? x - mean(x, s.dims, true) : x;
}
Tensor normalized(const Tensor& x, const Statistics& s) {
    const Tensor center = centered(x, s);
    return center * inverse_deviation(center, s);
}
Tensor normalized_gradient(const Tensor& h, const Tensor& x, const Statistics& s) {
    const Tensor center = centered(x, s);
    const Tensor rstd = inverse_deviation(center, s);
    const Tensor z = center * rstd;
    const Tensor inner = h - z * mean(h * z, s.dims, true);
    return rstd * (s.centered ? inner - mean(h, s.dims, true) : inner);
}

// --- Channels: batch norm, and group norm where channels lie last.

// A tensor as [samples, outer, channels, inner], as it lies in memory. In each sample `groups` groups of
// neighbouring channels have statistics in common, which are [samples, groups].
struct ChannelPlan {
    PlaneLayout layout;
    kernels::ChannelShape shape;
    int64_t groups;

    double group_elements() const {
        return static_cast<double>(shape.outer * shape.inner *
                                   (shape.channels / std::max<int64_t>(1, groups)));
    }
    // What groups have, for each of their channels; and the sum over a group of what its channels have.
    Tensor by_channel(const Tensor& of_groups) const {
        if (groups == shape.channels) return of_groups;
        const Dims apart{shape.samples, groups, shape.channels / groups};
        const Tensor spread = expand(reshape(of_groups, {shape.samples, groups, 1}), apart);
        return contiguous_data(reshape(spread, {shape.samples, shape.channels}));
    }
    Tensor by_group(const Tensor& of_channels) const {
        if (groups == shape.channels) return of_channels;
        return sum(view(of_channels, {shape.samples, groups, shape.channels / groups}), Dims{-1});
    }
    TensorOptions statistics_options(const Tensor& x) const { return {working_dtype(x.dtype()), x.device()}; }
};

ChannelPlan batch_channels(const Tensor& input) {
    const PlaneLayout layout(input, input.dim() - 2, input.dtype());
    const int64_t batch = input.sizes()[0], channels = input.sizes()[1];
    int64_t inner = 1;
    for (int64_t i = 2; i < input.dim(); ++i) inner *= input.sizes()[i];
    if (layout.channels_last) return {layout, {1, batch * inner, channels, 1}, channels};
    return {layout, {1, batch, channels, inner}, channels};
}

// a[c] * x + b[c] * y + shift[c]; y and b may be undefined. x and y lie as the plan says.
Tensor combine_channels(const Tensor& x, const Tensor& a, const Tensor& y, const Tensor& b,
                        const Tensor& shift, const ChannelPlan& plan) {
    const Tensor result = plan.layout.empty(x.sizes(), options_of(x));
    if (x.is_meta() || x.numel() == 0) return result;
    const GilRelease released(x.numel());
    normalization_kernels().channels(x.dtype(), x.raw_data(), a.raw_data(), data_or_null(y), data_or_null(b),
                                     shift.raw_data(), result.raw_data(), plan.shape);
    return result;
}

// The mean and the biased variance of each group of channels.
std::pair<Tensor, Tensor> channel_moments(const Tensor& x, const ChannelPlan& plan) {
    const Dims sizes{plan.shape.samples, plan.shape.channels};
    const TensorOptions options = plan.statistics_options(x);
    const Tensor means = empty(sizes, options), variances = empty(sizes, options);
    if (!x.is_meta()) {
        const GilRelease released(2 * x.numel());
        normalization_kernels().channel_moments(x.dtype(), x.raw_data(), means.raw_data(),
                                                variances.raw_data(), plan.shape);
    }
    if (plan.groups == plan.shape.channels) return {means, variances};
    const Scalar share(static_cast<double>(plan.groups) / static_cast<double>(plan.shape.channels));
    const Tensor mean = plan.by_group(means) * share;
    return {mean, plan.by_group(variances + square(means - plan.by_channel(mean))) * share};
}

// (x - mean) * rstd * weight + bias.
Tensor normalize_channels(const Tensor& x, const Tensor& mean, const Tensor& rstd, const Tensor& weight,
                          const Tensor& bias, const ChannelPlan& plan) {
    const DType working = rstd.dtype();
    const Tensor scale = plan.by_channel(rstd), offset = plan.by_channel(mean);
    const Tensor slope = weight.defined() ? to(detach(weight), working) * scale : scale;
    const Tensor shift = bias.defined() ? to(detach(bias), working) - offset * slope : -(offset * slope);
    return combine_channels(x, slope, {}, {}, shift, plan);
}

// The gradients of input, weight and bias. In training the statistics are functions of the input.
Gradients channel_gradients(const Tensor& grad, const Tensor& input, const Tensor& group_mean,
                            const Tensor& group_rstd, const Tensor& weight, const Needs& needs,
                            const ChannelPlan& plan, bool training) {
    const GradientsEnabled off(false);
    const Dims of_groups{plan.shape.samples, plan.groups};
    const Tensor mean = view(group_mean, of_groups), rstd = view(group_rstd, of_groups);
    const Tensor x = plan.layout.arranged(input), g = plan.layout.arranged(to(grad, input.dtype()));
    const Tensor scale = plan.by_channel(rstd), center = plan.by_channel(mean);
    const Tensor sums = empty(scale.sizes(), options_of(mean)),
                 products = empty(scale.sizes(), options_of(mean));
    if (!x.is_meta() && (training || needs[1] || needs[2])) {
        const GilRelease released(x.numel());
        normalization_kernels().channel_sums(x.dtype(), g.raw_data(), x.raw_data(), center.raw_data(),
                                             sums.raw_data(), products.raw_data(), plan.shape);
    }
    Gradients result{Tensor(), needs[1] ? sum(products * scale, Dims{0}) : Tensor(),
                     needs[2] ? sum(sums, Dims{0}) : Tensor()};
    if (!needs[0]) return result;
    const Tensor factor = weight.defined() ? to(detach(weight), rstd.dtype()) : Tensor();
    const auto weighted = [&](const Tensor& values) { return factor.defined() ? factor * values : values; };
    if (!training) {
        result[0] = combine_channels(g, weighted(scale), {}, {}, zeros_like(scale), plan);
        return result;
    }
    const Tensor part = rstd / Scalar(std::max(1.0, plan.group_elements()));
    const Tensor bend = -(part * rstd * rstd * plan.by_group(weighted(products)));
    const Tensor shift = -(part * plan.by_group(weighted(sums))) - mean * bend;
    result[0] = combine_channels(g, weighted(scale), x, plan.by_channel(bend), plan.by_channel(shift), plan);
    return result;
}

// --- Rows: layer, RMS and group norm.

// How a tensor parts into rows, and where its weights go.
struct RowPlan {
    kernels::RowShape shape;
    double eps;
    bool centered;
    Dims row_sizes;     // the input as [rows..., elements of a row]
    Dims affine_sizes;  // the input as weights broadcast against it
    Dims weight_sizes;  // the weights likewise
    bool channels_last = false;
};

struct RowResult {
    Tensor out, mean, rstd;
};

// Group norm where channels lie last: each image is a sample.
ChannelPlan group_channels(const Tensor& input, const RowPlan& plan) {
    const PlaneLayout layout(input, input.dim() - 2, input.dtype());
    const int64_t channels = plan.shape.groups * plan.shape.channels;
    return {layout, {plan.shape.rows / plan.shape.groups, plan.shape.inner, channels, 1}, plan.shape.groups};
}

RowResult run_groups(const Tensor& input, const Tensor& weight, const Tensor& bias, const RowPlan& plan) {
    const GradientsEnabled off(false);
    const ChannelPlan channels = group_channels(input, plan);
    const auto [mean, variance] = channel_moments(input, channels);
    const Tensor rstd = rsqrt(variance + Scalar(plan.eps));
    return {normalize_channels(input, mean, rstd, weight, bias, channels), mean, rstd};
}

RowResult run_rows(const Tensor& input, const Tensor& weight, const Tensor& bias, const RowPlan& plan) {
    if (plan.channels_last) return run_groups(input, weight, bias, plan);
    const DType working = working_dtype(input.dtype());
    const TensorOptions options{working, input.device()};
    RowResult result{empty(input.sizes(), options_of(input)),
                     plan.centered ? empty(Dims{plan.shape.rows}, options) : Tensor(),
                     empty(Dims{plan.shape.rows}, options)};
    if (!input.is_meta() && plan.shape.rows > 0) {
        const Tensor x = contiguous_data(input), w = prepared(weight, working), b = prepared(bias, working);
        const GilRelease released(2 * input.numel());
        normalization_kernels().rows(x.dtype(), x.raw_data(), data_or_null(w), data_or_null(b), plan.eps,
                                     result.out.raw_data(), plan.centered ? result.mean.raw_data() : nullptr,
                                     result.rstd.raw_data(), plan.shape);
    }
    return result;
}

struct RowsSaved {
    Saved input, mean, rstd, weight;
    bool has_bias;
};

// For gradients that are to be differentiated again.
Gradients differentiable_row_gradients(const Tensor& grad, const RowsSaved& s, const RowPlan& plan) {
    const Tensor input = s.input.get(), weight = restored(s.weight);
    const Statistics statistics{{-1}, plan.eps, plan.centered};
    Tensor h = reshape(grad, plan.affine_sizes);
    if (weight.defined()) h = h * reshape(weight, plan.weight_sizes);
    const Tensor rows = reshape(input, plan.row_sizes);
    Gradients result{
        reshape(normalized_gradient(reshape(h, plan.row_sizes), rows, statistics), input.sizes()), Tensor(),
        Tensor()};
    const Tensor shaped = reshape(grad, plan.affine_sizes);
    if (weight.defined()) {
        const Tensor z = reshape(normalized(rows, statistics), plan.affine_sizes);
        result[1] = sum_to_size(shaped * z, plan.weight_sizes);
    }
    if (s.has_bias) result[2] = sum_to_size(shaped, plan.weight_sizes);
    return result;
}

Gradients run_row_gradients(const Tensor& grad, const RowsSaved& s, const RowPlan& plan, const Needs& needs) {
    const Tensor input = s.input.get();
    if (plan.channels_last)
        return channel_gradients(grad, input, s.mean.get(), s.rstd.get(), restored(s.weight), needs,
                                 group_channels(input, plan), true);
    const DType working = working_dtype(input.dtype());
    const TensorOptions options{working, input.device()};
    const Tensor x = contiguous_data(input), g = contiguous_data(grad, input.dtype());
    const Tensor w = prepared(restored(s.weight), working), mean = restored(s.mean), rstd = s.rstd.get();
    const int64_t channels = plan.shape.groups * plan.shape.channels;
    Gradients result{needs[0] ? empty(input.sizes(), options_of(input)) : Tensor(),
                     needs[1] ? empty(Dims{channels}, options) : Tensor(),
                     needs[2] ? empty(Dims{channels}, options) : Tensor()};
    if (input.is_meta()) return result;
    const GilRelease released(2 * input.numel());
    normalization_kernels().rows_backward(x.dtype(), g.raw_data(), x.raw_data(), data_or_null(mean),
                                          rstd.raw_data(), data_or_null(w), data_or_null(result[0]),
                                          data_or_null(result[1]), data_or_null(result[2]), plan.shape);
    return result;
}

// Of gradients of the means and inverse standard deviations themselves.
Tensor statistics_gradient(const Tensor& mean_grad, const Tensor& rstd_grad, const Tensor& input,
                           const RowPlan& plan) {
    const Statistics statistics{{-1}, plan.eps, plan.centered};
    const Tensor rows = reshape(input, plan.row_sizes), center = centered(rows, statistics);
    const Tensor rstd = inverse_deviation(center, statistics);
    Tensor total = zeros_like(rows);
    if (mean_grad.defined()) total = total + unsqueeze(mean_grad, -1);
    if (rstd_grad.defined()) total = total - unsqueeze(rstd_grad, -1) * rstd * rstd * rstd * center;
    return reshape(total / Scalar(plan.row_sizes.back()), input.sizes());
}

void record_rows(const char* node, const Tensor& input, const Tensor& weight, const Tensor& bias,
                 const RowPlan& plan, TensorSpan outputs, const RowResult& result) {
    const Tensor inputs[] = {input, weight, bias};
    record(node, TensorSpan(inputs), outputs, [&] {
        return [s = RowsSaved{Saved(input), saved(result.mean), Saved(result.rstd), saved(weight),
                              bias.defined()},
                weight_shape = weight.defined() ? weight.sizes() : Dims(),
                bias_shape = bias.defined() ? bias.sizes() : Dims(),
                plan](const Gradients& grads, const Needs& needs) -> Gradients {
            Gradients result{Tensor(), Tensor(), Tensor()};
            if (grads[0].defined()) {
                const bool again = gradients_wanted({grads[0], s.input.get(), restored(s.weight)});
                result = again ? differentiable_row_gradients(grads[0], s, plan)
                               : run_row_gradients(grads[0], s, plan, needs);
            }
            if (grads.size() == 3 && (grads[1].defined() || grads[2].defined())) {
                const Tensor more = statistics_gradient(grads[1], grads[2], s.input.get(), plan);
                result[0] = result[0].defined() ? result[0] + more : more;
            }
            if (result[1].defined()) result[1] = reshape(result[1], weight_shape);
            if (result[2].defined()) result[2] = reshape(result[2], bias_shape);
            return result;
        };
    });
}

RowPlan layer_plan(const Tensor& input, const Dims& normalized_shape, const Tensor& weight,
                   const Tensor& bias, double eps, bool centered) {
    check(!normalized_shape.empty(),
          "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least ",
          "one element, but got normalized_shape = []");
    check(!weight.defined() || weight.sizes() == normalized_shape,
          "Expected weight to be of same shape as normalized_shape, but got weight of shape ",
          weight.defined() ? to_string(weight.sizes()) : ShapeText{},
          " and normalized_shape = ", to_string(normalized_shape));
    check(!bias.defined() || bias.sizes() == normalized_shape,
          "Expected bias to be of same shape as normalized_shape, but got bias of shape ",
          bias.defined() ? to_string(bias.sizes()) : ShapeText{},
          " and normalized_shape = ", to_string(normalized_shape));
    const int64_t leading = input.dim() - static_cast<int64_t>(normalized_shape.size());
    bool fits = leading >= 0;
    for (size_t i = 0; fits && i < normalized_shape.size(); ++i)
        fits = input.sizes()[leading + i] == normalized_shape[i];
    if (!fits) {
        std::string wanted;
        for (const int64_t size : normalized_shape) wanted += message(", ", size);
        raise("Given normalized_shape=", to_string(normalized_shape), ", expected input with shape [*",
              wanted, "], but got input of size", to_string(input.sizes()));
    }
    const int64_t width = count_elements(normalized_shape);
    int64_t rows = 1;
    for (int64_t i = 0; i < leading; ++i) rows *= input.sizes()[i];
    return {{rows, 1, width, 1}, eps, centered, Dims{rows, width}, Dims{rows, width}, Dims{1, width}};
}

Dims statistics_sizes(const Tensor& input, size_t normalized) {
    Dims sizes = input.sizes();
    for (size_t i = sizes.size() - normalized; i < sizes.size(); ++i) sizes[i] = 1;
    return sizes;
}

TensorTriple native_layer_norm(const Tensor& input, const Dims& normalized_shape, const Tensor& weight,
                               const Tensor& bias, double eps) {
    check_floating("LayerNormKernelImpl", input);
    const RowPlan plan = layer_plan(input, normalized_shape, weight, bias, eps, true);
    const RowResult result = run_rows(input, weight, bias, plan);
    const Dims sizes = statistics_sizes(input, normalized_shape.size());
    record_rows("NativeLayerNormBackward0", input, weight, bias, plan, TensorSpan(&result.out, 1), result);
    const DType dtype = statistics_dtype(input, weight);
    return {result.out, reshape(cast(result.mean, dtype), sizes), reshape(cast(result.rstd, dtype), sizes)};
}

Tensor layer_norm_op_function(const Tensor& input, const Dims& normalized_shape, const Tensor& weight,
                              const Tensor& bias, double eps, bool /*cudnn_enable*/) {
    return layer_norm(input, normalized_shape, weight, bias, eps);
}

double machine_epsilon(DType dtype) {
    return dtype == DType::float64 ? std::numeric_limits<double>::epsilon()
                                   : std::numeric_limits<float>::epsilon();
}

Tensor rms_norm(const Tensor& input, const Dims& normalized_shape, const Tensor& weight,
                std::optional<double> eps) {
    const RowPlan plan = layer_plan(input, normalized_shape, weight, {},
                                    eps.value_or(machine_epsilon(to_real(input.dtype()))), false);
    if (is_complex(input.dtype())) {
        const Tensor rows = reshape(input, plan.row_sizes);
        const Tensor result =
            reshape(rows * rsqrt(mean(rows * rows, Dims{-1}, true) + Scalar(plan.eps)), input.sizes());
        return weight.defined() ? result * weight : result;
    }
    check_floating("rms_norm", input);
    const RowResult result = run_rows(input, weight, {}, plan);
    record_rows("FusedRmsNormBackward0", input, weight, {}, plan, TensorSpan(&result.out, 1), result);
    return result.out;
}

RowPlan group_plan(const Tensor& input, int64_t groups, double eps) {
    check(input.dim() >= 2, "Expected at least 2 dimensions for input tensor but received ", input.dim());
    const int64_t batch = input.sizes()[0], channels = input.sizes()[1];
    check(groups > 0, "Expected num groups to be greater than 0, got ", groups);
    check(channels % groups == 0,
          "Expected number of channels in input to be divisible by num_groups, but got input of ", "shape ",
          to_string(input.sizes()), " and num_groups=", groups);
    int64_t inner = 1;
    for (int64_t i = 2; i < input.dim(); ++i) inner *= input.sizes()[i];
    return {{batch * groups, groups, channels / groups, inner},
            eps,
            true,
            Dims{batch, groups, channels / groups * inner},
            Dims{batch, channels, inner},
            Dims{1, channels, 1},
            PlaneLayout(input, input.dim() - 2, input.dtype()).channels_last};
}

void check_channel_weight(const char* name, const Tensor& weight, const Tensor& input) {
    check(!weight.defined() || (weight.dim() == 1 && weight.numel() == input.sizes()[1]), "Expected ", name,
          " to be a vector of size equal to the number of channels in input, but got ", name, " of shape ",
          weight.defined() ? to_string(weight.sizes()) : ShapeText{}, " and input of shape ",
          to_string(input.sizes()));
}

Tensor group_norm(const Tensor& input, int64_t num_groups, const Tensor& weight, const Tensor& bias,
                  double eps, bool /*cudnn_enabled*/) {
    const RowPlan plan = group_plan(input, num_groups, eps);
    check_channel_weight("weight", weight, input);
    check_channel_weight("bias", bias, input);
    check_floating("GroupNormKernelImpl", input);
    const RowResult result = run_rows(input, weight, bias, plan);
    record_rows("NativeGroupNormBackward0", input, weight, bias, plan, TensorSpan(&result.out, 1), result);
    return result.out;
}

TensorTriple native_group_norm(const Tensor& input, const Tensor& weight, const Tensor& bias, int64_t batch,
                               int64_t channels, int64_t space, int64_t groups, double eps) {
    check(input.numel() == batch * channels * space,
          "native_group_norm: N, C and HxW do not match the input's shape ", to_string(input.sizes()));
    const RowPlan plan = group_plan(input, groups, eps);
    check_floating("GroupNormKernelImpl", input);
    const RowResult result = run_rows(input, weight, bias, plan);
    const DType dtype = statistics_dtype(input, weight);
    const Tensor outputs[] = {result.out, reshape(cast(result.mean, dtype), Dims{batch, groups}),
                              reshape(cast(result.rstd, dtype), Dims{batch, groups})};
    record_rows("NativeGroupNormBackward0", input, weight, bias, plan, TensorSpan(outputs), result);
    return {outputs[0], outputs[1], outputs[2]};
}

// --- Batch norm.

Dims all_but_channels(const Tensor& input) {
    Dims dims{0};
    for (int64_t i = 2; i < input.dim(); ++i) dims.push_back(i);
    return dims;
}

Dims channel_sizes(const Tensor& input) {
    Dims sizes(input.sizes().size(), 1);
    sizes[1] = input.sizes()[1];
    return sizes;
}

void move_towards(const Tensor& running, const Tensor& value, double momentum) {
    if (!running.defined() || running.is_meta()) return;
    copy_data(running,
              detach(running) * Scalar(1 - momentum) + to(value, running.dtype()) * Scalar(momentum));
    running.bump_version();
}

struct BatchSaved {
    Saved input, weight, mean, rstd;
    bool training, has_bias;
    double eps;
};

Gradients differentiable_batch_gradients(const Tensor& grad, const BatchSaved& s) {
    const Tensor input = s.input.get(), weight = restored(s.weight);
    const Dims shape = channel_sizes(input), dims = all_but_channels(input);
    const Tensor h = weight.defined() ? grad * reshape(weight, shape) : grad;
    const Statistics statistics{dims, s.eps, true};
    Tensor input_grad, z;
    if (s.training) {
        input_grad = normalized_gradient(h, input, statistics);
        z = normalized(input, statistics);
    } else {
        const Tensor rstd = reshape(s.rstd.get(), shape);
        input_grad = h * rstd;
        z = (input - reshape(s.mean.get(), shape)) * rstd;
    }
    return {input_grad, weight.defined() ? sum(grad * z, dims) : Tensor(),
            s.has_bias ? sum(grad, dims) : Tensor()};
}

void check_running(const char* name, const Tensor& tensor, int64_t channels) {
    check(!tensor.defined() || tensor.numel() == channels, name, " should contain ", channels,
          " elements not ", tensor.defined() ? tensor.numel() : 0);
}

TensorTriple native_batch_norm(const Tensor& input, const Tensor& weight, const Tensor& bias,
                               const Tensor& running_mean, const Tensor& running_var, bool training,
                               double momentum, double eps) {
    check_floating("batch_norm", input);
    if (input.dim() < 2 && input.numel() == 0) return {clone(input), clone(input), clone(input)};
    check(input.dim() >= 2, "Expected 2D or more dimensional input, but got ", input.dim(), "D");
    const int64_t channels = input.sizes()[1];
    check_running("running_mean", running_mean, channels);
    check_running("running_var", running_var, channels);
    check_running("weight", weight, channels);
    check_running("bias", bias, channels);
    check(training || (running_mean.defined() && running_var.defined()),
          "running_mean and running_var must be defined in evaluation mode");
    const DType working = working_dtype(input.dtype());
    const ChannelPlan plan = batch_channels(input);
    Tensor mean, variance, rstd, out;
    {
        const GradientsEnabled off(false);
        const Tensor x = plan.layout.arranged(input);
        if (training) {
            std::tie(mean, variance) = channel_moments(x, plan);
            mean = view(mean, {channels}), variance = view(variance, {channels});
            const double count = plan.group_elements();
            move_towards(running_mean, mean, momentum);
            move_towards(running_var, variance * Scalar(count / (count - 1)), momentum);
        } else {
            mean = to(detach(running_mean), working), variance = to(detach(running_var), working);
        }
        rstd = rsqrt(variance + Scalar(eps));
        out = normalize_channels(x, mean, rstd, weight, bias, plan);
    }
    const Tensor inputs[] = {input, weight, bias};
    record("NativeBatchNormBackward0", TensorSpan(inputs), TensorSpan(&out, 1), [&] {
        return [s = BatchSaved{Saved(input), saved(weight), Saved(mean), Saved(rstd), training,
                               bias.defined(), eps}](const Tensor& grad, const Needs& needs) -> Gradients {
            if (gradients_wanted({grad, s.input.get(), restored(s.weight)}))
                return differentiable_batch_gradients(grad, s);
            const Tensor input = s.input.get();
            return channel_gradients(grad, input, s.mean.get(), s.rstd.get(), restored(s.weight), needs,
                                     batch_channels(input), s.training);
        };
    });
    const DType dtype = statistics_dtype(input, weight);
    const Tensor none = empty(Dims{0}, {dtype, input.device()});
    return {out, training ? cast(mean, dtype) : none, training ? cast(rstd, dtype) : none};
}

Tensor batch_norm(const Tensor& input, const Tensor& weight, const Tensor& bias, const Tensor& running_mean,
                  const Tensor& running_var, bool training, double momentum, double eps,
                  bool /*cudnn_enabled*/) {
    return std::get<0>(
        native_batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps));
}

}  // namespace

Tensor layer_norm(const Tensor& input, const Dims& normalized_shape, const Tensor& weight, const Tensor& bias,
                  double eps) {
    check_floating("LayerNormKernelImpl", input);
    const RowPlan plan = layer_plan(input, normalized_shape, weight, bias, eps, true);
    const RowResult result = run_rows(input, weight, bias, plan);
    record_rows("NativeLayerNormBackward0", input, weight, bias, plan, TensorSpan(&result.out, 1), result);
    return result.out;
}

namespace {

const Register layer_norm_op{
    "layer_norm(Tensor input, int[] normalized_shape, Tensor? weight=None, Tensor? bias=None, float "
    "eps=1e-05, "
    "bool cudnn_enable=True) -> Tensor",
    layer_norm_op_function,
    {.variants = function,
     .doc =
         R"((x - mean) / sqrt(var + eps) * weight + bias over the last dimensions (Ba, Kiros and Hinton, 2016).

weight and bias have the shape normalized_shape, with which the input's must end. 16-bit types are computed in float32.

    >>> rushlight.layer_norm(rushlight.tensor([[1., 3.]]), [2])
    tensor([[-1.0000,  1.0000]])
)",
     .dtypes = "floating"}};
const Register native_layer_norm_op{
    "native_layer_norm(Tensor input, int[] normalized_shape, Tensor? weight, Tensor? bias, float eps) -> "
    "(Tensor, Tensor, Tensor)",
    native_layer_norm,
    {.variants = function,
     .doc = R"(layer_norm, and the means and inverse standard deviations.)",
     .dtypes = "floating"}};
const Register rms_norm_op{
    "rms_norm(Tensor input, int[] normalized_shape, Tensor? weight=None, float? eps=None) -> Tensor",
    rms_norm,
    {.variants = function,
     .doc = R"(x / sqrt(mean(x^2) + eps) * weight over the last dimensions (Zhang and Sennrich, 2019).

eps is the machine epsilon of the type computed in unless given.

    >>> rushlight.rms_norm(rushlight.tensor([3., 3.]), [2])
    tensor([1., 1.])
)",
     .dtypes = "floating"}};
const Register group_norm_op{
    "group_norm(Tensor input, int num_groups, Tensor? weight=None, Tensor? bias=None, float eps=1e-05, "
    "bool cudnn_enabled=True) -> Tensor",
    group_norm,
    {.variants = function,
     .doc = R"(Normalization of each of num_groups groups of channels of (N, C, ...) (Wu and He, 2018).

    >>> rushlight.group_norm(rushlight.tensor([[[1.], [3.]]]), 1)
    tensor([[[-1.0000],
             [ 1.0000]]])
)",
     .dtypes = "floating"}};
const Register native_group_norm_op{
    "native_group_norm(Tensor input, Tensor? weight, Tensor? bias, int N, int C, int HxW, int group, float "
    "eps) -> "
    "(Tensor, Tensor, Tensor)",
    native_group_norm,
    {.variants = function,
     .doc = R"(group_norm, and the means and inverse standard deviations.)",
     .dtypes = "floating"}};
const Register native_batch_norm_op{
    "native_batch_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? "
    "running_var, "
    "bool training, float momentum, float eps) -> (Tensor, Tensor, Tensor)",
    native_batch_norm,
    {.variants = function | out,
     .doc = R"(batch_norm, and in training the batch's means and inverse standard deviations.)",
     .dtypes = "floating"}};
const Register batch_norm_op{
    "batch_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, bool "
    "training, "
    "float momentum, float eps, bool cudnn_enabled=False) -> Tensor",
    batch_norm,
    {.variants = function,
     .doc =
         R"((x - mean) / sqrt(var + eps) * weight + bias for each channel of (N, C, ...) (Ioffe and Szegedy, 2015).

In training mean and biased variance are the batch's, and the running ones, where given, move towards them in place by momentum
(the variance unbiased); otherwise they are the running ones.

    >>> rushlight.batch_norm(rushlight.tensor([[1.], [3.]]), None, None, None, None, True, 0.1, 0.)
    tensor([[-1.],
            [ 1.]])
)",
     .dtypes = "floating"}};

}  // namespace
}  // namespace rl::ops
