// Convolution and transposed convolution in one to three dimensions.
#include "ops/convolution.h"

#include <algorithm>
#include <atomic>
#include <limits>

#include "autograd/record.h"
#include "core/gil.h"
#include "kernels/convolution.h"
#include "ops/arithmetic.h"
#include "ops/conversion.h"
#include "ops/padding.h"
#include "ops/reduction.h"
#include "ops/registry.h"
#include "ops/views.h"

namespace rl::ops {
namespace {

std::atomic<bool> winograd{true};

struct Geometry {
    Dims stride, padding, dilation;
    int64_t groups = 1;
};

// The three products of a convolution: of input and weight, and of the output's gradient with either. Each is
// linear in both arguments, and the gradients of each are the other two.
Tensor forward_product(const Tensor& input, const Tensor& weight, const Tensor& bias, const Dims& sizes,
                       const Geometry& geometry);
Tensor input_product(const Tensor& grad, const Tensor& weight, const Tensor& bias, const Dims& input_sizes,
                     const Geometry& geometry);
Tensor weight_product(const Tensor& input, const Tensor& grad, const Dims& weight_sizes,
                      const Geometry& geometry);

kernels::ConvolutionShape shape_of(const Dims& input, const Dims& weight, const Dims& output,
                                   const Geometry& geometry, DType dtype) {
    kernels::ConvolutionShape shape;
    shape.dtype = dtype;
    shape.batch = input[0];
    shape.groups = geometry.groups;
    shape.in_channels = input[1];
    shape.out_channels = output[1];
    shape.minimal_filtering = winograd.load(std::memory_order_relaxed);
    const size_t spatial = input.size() - 2;
    for (size_t d = 0; d < spatial; ++d) {
        const size_t to = 3 - spatial + d;
        shape.input[to] = input[d + 2];
        shape.output[to] = output[d + 2];
        shape.kernel[to] = weight[d + 2];
        shape.stride[to] = geometry.stride[d];
        shape.padding[to] = geometry.padding[d];
        shape.dilation[to] = geometry.dilation[d];
    }
    return shape;
}

int64_t work_of(const Tensor& output, const Dims& weight) {
    return output.numel() * count_elements(weight) / std::max<int64_t>(1, weight[0]);
}

Dims output_sizes(const Dims& input, const Dims& weight, const Geometry& geometry) {
    Dims sizes{input[0], weight[0]};
    for (size_t d = 0; d + 2 < input.size(); ++d) {
        const int64_t reach = geometry.dilation[d] * (weight[d + 2] - 1) + 1;
        sizes.push_back((input[d + 2] + 2 * geometry.padding[d] - reach) / geometry.stride[d] + 1);
    }
    return sizes;
}

// All dimensions but the channels'.
Tensor sum_for_bias(const Tensor& grad) {
    Dims dims{0};
    for (int64_t d = 2; d < grad.dim(); ++d) dims.push_back(d);
    return sum(grad, dims);
}

Tensor contiguous_or_undefined(const Tensor& tensor, DType dtype) {
    return tensor.defined() ? contiguous_data(tensor, dtype) : tensor;
}

// Has compute(memory) write the elements of a result, by way of the type that the kernel works in.
template <class Compute>
void compute_in(DType working, const Tensor& result, Compute compute) {
    const bool same = working == result.dtype();
    const Tensor computed = same ? result : empty(result.sizes(), {working, result.device()});
    compute(computed.raw_data());
    if (!same) copy_data(result, computed);
}

Tensor forward_product(const Tensor& input, const Tensor& weight, const Tensor& bias, const Dims& sizes,
                       const Geometry& geometry) {
    const Tensor result = empty(sizes, options_of(input));
    if (!result.is_meta() && result.numel() > 0) {
        auto shape = shape_of(input.sizes(), weight.sizes(), sizes, geometry, input.dtype());
        shape.dtype = kernels::arrays_type(shape);
        const Tensor x = contiguous_data(input, shape.dtype), w = contiguous_data(weight, shape.dtype),
                     b = contiguous_or_undefined(bias, shape.dtype);
        const bool keeps = geometry.groups == 1 && w.is_same(weight);
        const std::shared_ptr<KeptForms> forms = keeps ? w.storage().forms() : nullptr;
        shape.weight_forms = forms.get();
        compute_in(shape.dtype, result, [&](void* memory) {
            const GilRelease released(work_of(result, weight.sizes()));
            kernels::convolution_forward(shape, x.raw_data(), w.raw_data(), data_or_null(b), memory);
        });
    }
    return record("ConvolutionBackward0", {input, weight, bias}, result, [&] {
        return [input = Saved(input), weight = Saved(weight), geometry](const Tensor& grad,
                                                                        const Needs& needs) -> Gradients {
            const Tensor x = input.get(), w = weight.get();
            return {needs[0] ? input_product(grad, conj(w), Tensor(), x.sizes(), geometry) : Tensor(),
                    needs[1] ? weight_product(conj(x), grad, w.sizes(), geometry) : Tensor(),
                    needs[2] ? sum_for_bias(grad) : Tensor()};
        };
    });
}

Tensor input_product(const Tensor& grad, const Tensor& weight, const Tensor& bias, const Dims& input_sizes,
                     const Geometry& geometry) {
    const Tensor result = empty(input_sizes, options_of(grad));
    if (!result.is_meta() && result.numel() > 0) {
        auto shape = shape_of(input_sizes, weight.sizes(), grad.sizes(), geometry, grad.dtype());
        shape.dtype = kernels::arrays_type(shape);
        const Tensor g = contiguous_data(grad, shape.dtype), w = contiguous_data(weight, shape.dtype),
                     b = contiguous_or_undefined(bias, shape.dtype);
        compute_in(shape.dtype, result, [&](void* memory) {
            const GilRelease released(work_of(grad, weight.sizes()));
            kernels::convolution_input_gradient(shape, g.raw_data(), w.raw_data(), data_or_null(b), memory);
        });
    }
    return record("ConvolutionBackward0", {grad, weight, bias}, result, [&] {
        return [grad = Saved(grad), weight = Saved(weight), geometry](const Tensor& second,
                                                                      const Needs& needs) -> Gradients {
            const Tensor g = grad.get(), w = weight.get();
            return {needs[0] ? forward_product(second, conj(w), Tensor(), g.sizes(), geometry) : Tensor(),
                    needs[1] ? weight_product(second, conj(g), w.sizes(), geometry) : Tensor(),
                    needs[2] ? sum_for_bias(second) : Tensor()};
        };
    });
}

Tensor weight_product(const Tensor& input, const Tensor& grad, const Dims& weight_sizes,
                      const Geometry& geometry) {
    const Tensor result = empty(weight_sizes, options_of(grad));
    if (!result.is_meta() && result.numel() > 0) {
        auto shape = shape_of(input.sizes(), weight_sizes, grad.sizes(), geometry, grad.dtype());
        shape.dtype = kernels::weight_gradient_arrays_type(shape);
        const Tensor x = contiguous_data(input, shape.dtype), g = contiguous_data(grad, shape.dtype);
        compute_in(shape.dtype, result, [&](void* memory) {
            const GilRelease released(work_of(grad, weight_sizes));
            kernels::convolution_weight_gradient(shape, x.raw_data(), g.raw_data(), memory);
        });
    }
    return record("ConvolutionBackwardBackward0", {input, grad}, result, [&] {
        return [input = Saved(input), grad = Saved(grad), geometry](const Tensor& second,
                                                                    const Needs& needs) -> Gradients {
            const Tensor x = input.get(), g = grad.get();
            return {needs[0] ? input_product(conj(g), second, Tensor(), x.sizes(), geometry) : Tensor(),
                    needs[1] ? forward_product(conj(x), second, Tensor(), g.sizes(), geometry) : Tensor()};
        };
    });
}

Dims expand_list(const Dims& list, size_t spatial, const char* name) {
    check(list.size() == 1 || list.size() == spatial, "expected ", name,
          " to be a single integer value or a list of ", spatial,
          " values to match the convolution dimensions, but got ", name, "=", to_string(list));
    return list.size() == spatial ? list : Dims(spatial, list[0]);
}

void check_geometry(const Geometry& geometry) {
    const auto any = [](const Dims& values, auto test) {
        return std::any_of(values.begin(), values.end(), test);
    };
    check(!any(geometry.padding, [](int64_t v) { return v < 0; }), "negative padding is not supported");
    check(!any(geometry.stride, [](int64_t v) { return v <= 0; }), "non-positive stride is not supported");
    check(!any(geometry.dilation, [](int64_t v) { return v <= 0; }),
          "dilation should be greater than zero, but got ", to_string(geometry.dilation));
    check(geometry.groups > 0, "non-positive groups is not supported");
    const auto wide = [](int64_t v) { return v > std::numeric_limits<int32_t>::max(); };
    check(!any(geometry.padding, wide) && !any(geometry.stride, wide) && !any(geometry.dilation, wide),
          "integer out of range");
}

std::string joined(const Dims& sizes) {
    std::string text;
    for (const int64_t size : sizes) text += (text.empty() ? "" : " x ") + std::to_string(size);
    return text;
}

void check_shapes(const Tensor& input, const Tensor& weight, const Tensor& bias, const Geometry& geometry,
                  bool transposed) {
    const Dims& sizes = weight.sizes();
    const int64_t groups = geometry.groups;
    for (size_t d = 2; d < sizes.size(); ++d)
        check(sizes[d] > 0, "kernel size should be greater than zero, but got weight of size ",
              to_string(sizes));
    check(sizes[0] >= groups, "Given groups=", groups, ", expected weight to be at least ", groups,
          " at dimension 0, but got weight of size ", to_string(sizes), " instead");
    check(sizes[0] % groups == 0, "Given groups=", groups, ", expected weight to be divisible by ", groups,
          " at dimension 0, but got weight of size [", to_string(sizes), "] instead");
    const char* const given = transposed ? "transposed=" : "groups=";
    const int64_t channels = transposed ? sizes[0] : sizes[1] * groups;
    check(input.sizes()[1] == channels, "Given ", given, transposed ? 1 : groups, ", weight of size ",
          to_string(sizes), ", expected input", to_string(input.sizes()), " to have ", channels,
          " channels, but got ", input.sizes()[1], " channels instead");
    const int64_t out_channels = transposed ? sizes[1] * groups : sizes[0];
    if (bias.defined()) {
        check(bias.dim() == 1 && bias.sizes()[0] == out_channels, "Given ",
              transposed ? "transposed=1, " : "", "weight of size ", to_string(sizes),
              ", expected bias to be 1-dimensional with ", out_channels, " elements, but got bias of size ",
              to_string(bias.sizes()), " instead");
    }
    if (transposed) return;
    Dims padded, kernel;
    bool fits = true;
    for (size_t d = 0; d + 2 < sizes.size(); ++d) {
        padded.push_back(input.sizes()[d + 2] + 2 * geometry.padding[d]);
        kernel.push_back(geometry.dilation[d] * (sizes[d + 2] - 1) + 1);
        fits = fits && kernel[d] <= padded[d];
    }
    check(fits, "Calculated padded input size per channel: (", joined(padded), "). Kernel size: (",
          joined(kernel), "). Kernel size can't be greater than actual input size");
}

Dims transposed_sizes(const Tensor& input, const Tensor& weight, const Geometry& geometry,
                      const Dims& output_padding) {
    Dims sizes{input.sizes()[0], weight.sizes()[1] * geometry.groups};
    bool fits = true;
    for (size_t d = 0; d < output_padding.size(); ++d) {
        check(output_padding[d] >= 0, "negative output_padding is not supported");
        check(output_padding[d] < geometry.stride[d] || output_padding[d] < geometry.dilation[d],
              "output padding must be smaller than either stride or dilation, but got output_padding: ",
              to_string(output_padding), " stride: ", to_string(geometry.stride),
              " dilation: ", to_string(geometry.dilation));
        sizes.push_back((input.sizes()[d + 2] - 1) * geometry.stride[d] - 2 * geometry.padding[d] +
                        geometry.dilation[d] * (weight.sizes()[d + 2] - 1) + output_padding[d] + 1);
        fits = fits && sizes[d + 2] > 0;
    }
    const auto spatial = [](const Dims& all) { return Dims(all.begin() + 2, all.end()); };
    check(fits, "Given input size per channel: (", joined(spatial(input.sizes())),
          "). Calculated output size per channel: (", joined(spatial(sizes)), "). Output size is too small");
    return sizes;
}

}  // namespace

bool winograd_enabled() {
    return winograd.load(std::memory_order_relaxed);
}
void set_winograd_enabled(bool enabled) {
    winograd.store(enabled, std::memory_order_relaxed);
}

Tensor convolution(const Tensor& input, const Tensor& weight, const Tensor& bias, const Dims& stride,
                   const Dims& padding, const Dims& dilation, bool transposed, const Dims& output_padding,
                   int64_t groups) {
    check(weight.dim() >= 3 && weight.dim() <= 5, "weight should have at least three dimensions");
    const size_t spatial = weight.sizes().size() - 2;
    const Geometry geometry{expand_list(stride, spatial, "stride"), expand_list(padding, spatial, "padding"),
                            expand_list(dilation, spatial, "dilation"), groups};
    check(input.dim() == weight.dim(), "Expected ", weight.dim(), "-dimensional input for ", weight.dim(),
          "-dimensional weight ", to_string(weight.sizes()), ", but got ", input.dim(),
          "-dimensional input of size ", to_string(input.sizes()), " instead");
    check_geometry(geometry);
    check_shapes(input, weight, bias, geometry, transposed);
    check(input.dtype() == weight.dtype(), "expected scalar type ", info(input.dtype()).scalar_name,
          " but found ", info(weight.dtype()).scalar_name);
    check(!bias.defined() || bias.dtype() == input.dtype(), "Input type (", info(input.dtype()).scalar_name,
          ") and bias type (", bias.defined() ? info(bias.dtype()).scalar_name : "", ") should be the same");
    check<NotImplemented>(input.dtype() != DType::boolean, "\"slow_conv2d_cpu\" not implemented for 'Bool'");
    if (is_integral(input.dtype()) && input.dtype() != DType::int64) {
        const Tensor wide_bias = bias.defined() ? to(bias, DType::int64) : bias;
        return to(convolution(to(input, DType::int64), to(weight, DType::int64), wide_bias, stride, padding,
                              dilation, transposed, output_padding, groups),
                  input.dtype());
    }
    if (!transposed) {
        return forward_product(input, weight, bias, output_sizes(input.sizes(), weight.sizes(), geometry),
                               geometry);
    }
    const Dims sizes =
        transposed_sizes(input, weight, geometry, expand_list(output_padding, spatial, "output_padding"));
    return input_product(input, weight, bias, sizes, geometry);
}

namespace {

// Adds the batch dimension where the input has none, and takes it off the result.
template <class Convolve>
Tensor batched(const Tensor& input, int64_t spatial, const char* name, Convolve&& convolve) {
    check(input.dim() == spatial + 1 || input.dim() == spatial + 2, "Expected ", spatial + 1,
          "D (unbatched) or ", spatial + 2, "D (batched) input to ", name,
          ", but got input of size: ", to_string(input.sizes()));
    if (input.dim() == spatial + 2) return convolve(input);
    return squeeze(convolve(unsqueeze(input, 0)), 0);
}

constexpr const char* convolution_names[] = {"conv1d", "conv2d", "conv3d"};
constexpr const char* transposed_names[] = {"conv_transpose1d", "conv_transpose2d", "conv_transpose3d"};

template <int spatial>
Tensor convolve(const Tensor& input, const Tensor& weight, const Tensor& bias, const Dims& stride,
                const Dims& padding, const Dims& dilation, int64_t groups) {
    return batched(input, spatial, convolution_names[spatial - 1], [&](const Tensor& batch) {
        return convolution(batch, weight, bias, stride, padding, dilation, false, Dims(size_t{spatial}, 0),
                           groups);
    });
}

// "same" gives the output the size of the input; what is odd is padded at the end.
template <int spatial>
Tensor convolve_named(const Tensor& input, const Tensor& weight, const Tensor& bias, const Dims& stride,
                      const std::string& padding, const Dims& dilation, int64_t groups) {
    check(padding == "same" || padding == "valid", "Invalid padding string: '", padding, "'");
    if (padding == "valid") return convolve<spatial>(input, weight, bias, stride, Dims{0}, dilation, groups);
    for (const int64_t step : stride)
        check(step == 1, "padding='same' is not supported for strided convolutions");
    check(weight.dim() == spatial + 2, "Expected ", weight.dim(), "-dimensional input for ", weight.dim(),
          "-dimensional weight ", to_string(weight.sizes()), ", but got ", input.dim(),
          "-dimensional input of size ", to_string(input.sizes()), " instead");
    Dims before, extra(size_t{2} * spatial, 0);
    bool uneven = false;
    const Dims spread = expand_list(dilation, spatial, "dilation");
    for (size_t d = 0; d < spatial; ++d) {
        const int64_t total = spread[d] * (weight.sizes()[d + 2] - 1);
        before.push_back(total / 2);
        extra[2 * (spatial - 1 - d) + 1] = total % 2;
        uneven = uneven || total % 2 != 0;
    }
    const Tensor padded = uneven ? constant_pad_nd(input, extra) : input;
    return convolve<spatial>(padded, weight, bias, stride, before, dilation, groups);
}

template <int spatial>
Tensor convolve_transposed(const Tensor& input, const Tensor& weight, const Tensor& bias, const Dims& stride,
                           const Dims& padding, const Dims& output_padding, int64_t groups,
                           const Dims& dilation) {
    return batched(input, spatial, transposed_names[spatial - 1], [&](const Tensor& batch) {
        return convolution(batch, weight, bias, stride, padding, dilation, true, output_padding, groups);
    });
}

constexpr OperatorOptions convolution_options{
    .variants = function,
    .doc =
        "Cross-correlation of an input (N, C_in, *) or (C_in, *) with a weight (C_out, C_in / groups, *), "
        "plus a "
        "bias (C_out) or None. `padding` is a number, one for each dimension, 'valid' (none) or 'same'.\n\n"
        "Raises RuntimeError where channels, groups or sizes do not fit.\n\n"
        ">>> rushlight.conv1d(rushlight.ones(1, 1, 4), rushlight.ones(1, 1, 2))\ntensor([[[2., 2., 2.]]])",
    .dtypes = "all but bool"};
constexpr OperatorOptions transposed_options{
    .variants = function,
    .doc =
        "The transpose of a convolution (its gradient with respect to the input) applied to an input (N, "
        "C_in, *) "
        "or (C_in, *), with a weight (C_in, C_out / groups, *), plus a bias (C_out) or None.\n\n"
        "Raises RuntimeError where channels, groups or sizes do not fit.\n\n"
        ">>> rushlight.conv_transpose1d(rushlight.ones(1, 1, 2), rushlight.ones(1, 1, 2))\n"
        "tensor([[[1., 2., 1.]]])",
    .dtypes = "all but bool"};

const Register conv1d{
    "conv1d(Tensor input, Tensor weight, Tensor? bias=None, int[1] stride=1, int[1] padding=0, int[1] "
    "dilation=1, "
    "int groups=1) -> Tensor",
    convolve<1>, convolution_options};
const Register conv1d_named{
    "conv1d.padding(Tensor input, Tensor weight, Tensor? bias=None, int[1] stride=1, str padding=\"valid\", "
    "int[1] dilation=1, int groups=1) -> Tensor",
    convolve_named<1>, convolution_options};
const Register conv2d{
    "conv2d(Tensor input, Tensor weight, Tensor? bias=None, int[2] stride=1, int[2] padding=0, int[2] "
    "dilation=1, "
    "int groups=1) -> Tensor",
    convolve<2>, convolution_options};
const Register conv2d_named{
    "conv2d.padding(Tensor input, Tensor weight, Tensor? bias=None, int[2] stride=1, str padding=\"valid\", "
    "int[2] dilation=1, int groups=1) -> Tensor",
    convolve_named<2>, convolution_options};
const Register conv3d{
    "conv3d(Tensor input, Tensor weight, Tensor? bias=None, int[3] stride=1, int[3] padding=0, int[3] "
    "dilation=1, "
    "int groups=1) -> Tensor",
    convolve<3>, convolution_options};
const Register conv3d_named{
    "conv3d.padding(Tensor input, Tensor weight, Tensor? bias=None, int[3] stride=1, str padding=\"valid\", "
    "int[3] dilation=1, int groups=1) -> Tensor",
    convolve_named<3>, convolution_options};
const Register conv_transpose1d{
    "conv_transpose1d(Tensor input, Tensor weight, Tensor? bias=None, int[1] stride=1, int[1] padding=0, "
    "int[1] output_padding=0, int groups=1, int[1] dilation=1) -> Tensor",
    convolve_transposed<1>, transposed_options};
const Register conv_transpose2d{
    "conv_transpose2d.input(Tensor input, Tensor weight, Tensor? bias=None, int[2] stride=1, int[2] "
    "padding=0, "
    "int[2] output_padding=0, int groups=1, int[2] dilation=1) -> Tensor",
    convolve_transposed<2>, transposed_options};
const Register conv_transpose3d{
    "conv_transpose3d.input(Tensor input, Tensor weight, Tensor? bias=None, int[3] stride=1, int[3] "
    "padding=0, "
    "int[3] output_padding=0, int groups=1, int[3] dilation=1) -> Tensor",
    convolve_transposed<3>, transposed_options};
const Register convolution_operator{
    "convolution(Tensor input, Tensor weight, Tensor? bias, int[] stride, int[] padding, int[] dilation, "
    "bool transposed, int[] output_padding, int groups) -> Tensor",
    convolution, convolution_options};

}  // namespace

}  // namespace rl::ops
