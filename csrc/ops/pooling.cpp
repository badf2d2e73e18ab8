// Pooling: maxima and averages of windows, fixed and adaptive.
#include <algorithm>
#include <limits>

#include "autograd/record.h"
#include "core/gil.h"
#include "kernels/pool.h"
#include "ops/creation.h"
#include "ops/indexing.h"
#include "ops/pointwise.h"
#include "ops/registry.h"
#include "ops/resample.h"
#include "ops/views.h"

namespace rl::ops {
namespace {

using kernels::AxisMap;
using kernels::AxisWindows;

struct Window {
    int64_t kernel, stride, padding, dilation = 1;
};

int64_t floor_divide(int64_t a, int64_t b) {
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

// With `ceil_mode` a window may begin inside the input or its left padding and reach out.
int64_t pooled_size(int64_t input, const Window& w, bool ceil_mode) {
    const int64_t span =
        input + 2 * w.padding - w.dilation * (w.kernel - 1) - 1 + (ceil_mode ? w.stride - 1 : 0);
    int64_t size = floor_divide(span, w.stride) + 1;
    if (ceil_mode && (size - 1) * w.stride >= input + w.padding) --size;
    return size;
}

std::string name_of(const char* family, int64_t spatial) {
    return family + std::to_string(spatial) + "d";
}

const char* number_word(int64_t spatial) {
    return spatial == 2 ? "two" : "three";
}

// One entry for each dimension from a list of one or all of them.
Dims list_of(const Dims& list, int64_t spatial, const std::string& owner, const char* name,
             bool may_be_empty) {
    const size_t count = static_cast<size_t>(spatial);
    check(list.size() == 1 || list.size() == count || (may_be_empty && list.empty()), owner, ": ", name,
          may_be_empty ? " must either be omitted, a single int, or a tuple of "
                       : " must either be a single int, or a tuple of ",
          number_word(spatial), " ints");
    return list.size() == 1 ? Dims(count, list[0]) : list;
}

std::vector<Window> read_windows(const std::string& owner, int64_t spatial, const Dims& kernel,
                                 const Dims& stride, const Dims& padding, const Dims& dilation) {
    const Dims kernels = list_of(kernel, spatial, owner, "kernel_size", false);
    const Dims strides = stride.empty() ? kernels : list_of(stride, spatial, owner, "stride", true);
    const Dims paddings = list_of(padding, spatial, owner, "padding", false);
    const Dims dilations = list_of(dilation, spatial, owner, "dilation", false);
    std::vector<Window> windows;
    for (size_t d = 0; d < static_cast<size_t>(spatial); ++d)
        windows.push_back({kernels[d], strides[d], paddings[d], dilations[d]});
    return windows;
}

std::string times(const Dims& sizes) {
    std::string text;
    for (const int64_t size : sizes) text += (text.empty() ? "" : "x") + std::to_string(size);
    return text;
}

// max_pool1d has words of its own where no gradient is wanted.
void check_window_values(const std::string& owner, const std::vector<Window>& windows, bool own_words) {
    constexpr int64_t limit = std::numeric_limits<int32_t>::max();
    for (const Window& w : windows)
        check(std::max({w.kernel, w.stride, w.padding, w.dilation}) <= limit, "integer out of range");
    if (own_words) {
        const Window& w = windows[0];
        check(w.kernel > 0, owner, "() kernel_size must be greater than zero, but got ", w.kernel);
        check(w.stride > 0, owner, "() stride must be greater than zero, but got ", w.stride);
        check(w.padding >= 0, owner, "() padding must be non-negative, but got ", w.padding);
        check(w.padding <= w.kernel / 2, owner,
              "() padding should be at most half of kernel size, but got padding=", w.padding,
              " and kernel_size=", w.kernel);
        check(w.dilation > 0, owner, "() dilation must be greater than zero, but got ", w.dilation);
        return;
    }
    for (const Window& w : windows) {
        check(w.stride != 0, "stride should not be zero");
        check(w.kernel > 0 && w.stride > 0, "kernel size should be greater than zero, but got kernel size ",
              w.kernel, " and stride ", w.stride);
        check(w.padding >= 0, "pad must be non-negative, but got pad: ", w.padding);
        check(w.padding <= ((w.kernel - 1) * w.dilation + 1) / 2,
              "pad should be at most half of effective kernel size, but got pad=", w.padding,
              ", kernel_size=", w.kernel, " and dilation=", w.dilation);
        if (w.dilation > 0) continue;
        const bool plane = windows.size() == 2;
        raise("dilation should be greater than zero, but got ",
              plane ? "" : "dilationT: ", plane ? "" : std::to_string(windows[0].dilation) + " ",
              "dilationH: ", windows[windows.size() - 2].dilation, " dilationW: ", windows.back().dilation);
    }
}

// Sizes after pooling the last dimensions, or an error that quotes them.
Dims pooled_sizes(const std::string& owner, const Tensor& self, const std::vector<Window>& windows,
                  bool ceil_mode) {
    const int64_t spatial = static_cast<int64_t>(windows.size());
    Dims input, output;
    const int64_t channel = self.dim() > spatial ? self.size(-spatial - 1) : 1;
    input.push_back(channel);
    output.push_back(channel);
    bool fits = true;
    for (int64_t d = 0; d < spatial; ++d) {
        input.push_back(self.size(d - spatial));
        output.push_back(pooled_size(input.back(), windows[static_cast<size_t>(d)], ceil_mode));
        fits = fits && output.back() > 0;
    }
    check(fits || owner != "max_pool1d", owner, "() Invalid computed output size: ", output.back());
    check(fits, "Given input size: (", spatial == 1 ? "1x" : "", times(input), "). Calculated output size: (",
          spatial == 1 ? "1x" : "", times(output), "). Output size is too small");
    return Dims(output.begin() + 1, output.end());
}

void check_rank(const std::string& owner, const Tensor& self, int64_t spatial) {
    const int64_t rank = self.dim();
    bool filled = true;
    for (int64_t d = std::max<int64_t>(0, rank - spatial - 1); d < rank; ++d)
        filled = filled && self.size(d) > 0;
    if (spatial == 1) {
        check((rank == 2 || rank == 3) && filled, owner,
              ": Expected 2D or 3D (batch mode) tensor with optional 0 dim batch size for input, but got:",
              to_string(self.sizes()));
        return;
    }
    check(rank == spatial + 1 || rank == spatial + 2, "non-empty ", spatial + 1, "D or ", spatial + 2,
          "D (batch mode) tensor expected for input");
    if (spatial == 3) {
        check(filled, owner,
              ": Expected input's non-batch dimensions to have positive length, but input has a shape ",
              "of ", to_string(self.sizes()));
    }
    check(
        filled, "Expected ", spatial + 1, "D or ", spatial + 2,
        "D (batch mode) tensor with optional 0 dim batch size for input, but got:", to_string(self.sizes()));
}

void check_pooled_type(const Tensor& self, const std::string& owner) {
    check<NotImplemented>(!is_complex(self.dtype()) && !is_boolean(self.dtype()), '"', owner,
                          "\" not implemented for '", info(self.dtype()).scalar_name, "'");
}

// ---- Averages

AxisMap average_map(int64_t input, int64_t output, const Window& w, bool count_padding, bool own_divisor) {
    AxisMap map;
    map.input = input;
    map.output = output;
    map.index.clear();
    map.first.assign(1, 0);
    for (int64_t i = 0; i < output; ++i) {
        const int64_t begin = i * w.stride - w.padding, end = std::min(begin + w.kernel, input + w.padding);
        const int64_t from = std::max<int64_t>(begin, 0), to = std::min(end, input);
        for (int64_t j = from; j < to; ++j) map.index.push_back(j);
        map.first.push_back(static_cast<int64_t>(map.index.size()));
        if (!own_divisor)
            map.divisor.push_back(std::max<int64_t>(1, count_padding ? end - begin : to - from));
    }
    return map;
}

constexpr const char* average_nodes[] = {"AvgPool1DBackward0", "AvgPool2DBackward0", "AvgPool3DBackward0"};

template <int spatial>
Tensor avg_pool(const Tensor& self, const Dims& kernel_size, const Dims& stride, const Dims& padding,
                bool ceil_mode, bool count_include_pad, const std::optional<int64_t>& divisor_override) {
    const std::string owner = name_of("avg_pool", spatial);
    const std::vector<Window> windows = read_windows(owner, spatial, kernel_size, stride, padding, Dims{1});
    if (spatial == 1) {
        check(self.dim() == 2 || self.dim() == 3, "Expected 2 to 3 dimensions, but got ", self.dim(),
              "-dimensional tensor for argument #1 'self' (while checking arguments for avg_pool1d)");
    }
    check(!divisor_override || *divisor_override != 0, "divisor must be not zero");
    check_window_values(owner, windows, false);
    check_rank(owner, self, spatial);
    check_pooled_type(self, owner);
    const Dims sizes = pooled_sizes(owner, self, windows, ceil_mode);
    AxisMaps maps;
    for (size_t d = 0; d < spatial; ++d)
        maps[3 - spatial + d] = average_map(self.size(static_cast<int64_t>(d) - spatial), sizes[d],
                                            windows[d], count_include_pad, divisor_override.has_value());
    return resample(average_nodes[spatial - 1], self, spatial, std::move(maps), divisor_override.value_or(1));
}

Tensor avg_pool1d(const Tensor& self, const Dims& kernel_size, const Dims& stride, const Dims& padding,
                  bool ceil_mode, bool count_include_pad) {
    return avg_pool<1>(self, kernel_size, stride, padding, ceil_mode, count_include_pad, {});
}

int64_t adaptive_begin(int64_t i, int64_t input, int64_t output) {
    return i * input / output;
}
int64_t adaptive_end(int64_t i, int64_t input, int64_t output) {
    return ((i + 1) * input + output - 1) / output;
}

Dims check_adaptive(const std::string& owner, const Tensor& self, const Dims& output_size, int64_t spatial,
                    const char* colon) {
    const int64_t rank = self.dim();
    if (spatial == 1) {
        check(rank == 2 || rank == 3, "Expected 2 to 3 dimensions, but got ", rank,
              "-dimensional tensor for argument #1 'self' (while checking arguments for ", owner, ")");
    }
    check(spatial > 1 || output_size.size() == 1, "'output_size' should contain one int");
    check(output_size.size() == static_cast<size_t>(spatial) || output_size.size() == 1, owner,
          ": output_size must be ", spatial);
    check(rank == spatial + 1 || rank == spatial + 2, owner, "(): Expected ", spatial + 1, "D or ",
          spatial + 2, "D tensor, but got", colon, " ", to_string(self.sizes()));
    for (int64_t d = rank - spatial; d < rank; ++d)
        check(self.size(d) > 0, owner, "(): Expected input to have non-zero size for non-batch dimensions, ",
              "but input has sizes ", to_string(self.sizes()), " with dimension ", d, " being empty");
    const Dims sizes =
        output_size.size() == 1 ? Dims(static_cast<size_t>(spatial), output_size[0]) : output_size;
    std::string listed;
    for (const int64_t size : sizes) listed += (listed.empty() ? "" : ", ") + std::to_string(size);
    for (const int64_t size : sizes)
        check(size >= 0 || *colon == '\0', "Trying to create tensor with negative dimension ", size, ": [",
              listed, "]");
    for (const int64_t size : sizes)
        check(size >= 0, owner, ": elements of output_size must be greater than or equal to 0 but received {",
              listed, "}");
    check_pooled_type(self, owner);
    check_memory(self, sizes);
    return sizes;
}

constexpr const char* adaptive_average_nodes[] = {"AdaptiveAvgPool1DBackward0", "AdaptiveAvgPool2DBackward0",
                                                  "AdaptiveAvgPool3DBackward0"};

template <int spatial>
Tensor adaptive_avg_pool(const Tensor& self, const Dims& output_size) {
    const Dims sizes = check_adaptive(name_of("adaptive_avg_pool", spatial), self, output_size, spatial, "");
    AxisMaps maps;
    for (size_t d = 0; d < spatial; ++d) {
        AxisMap& map = maps[3 - spatial + d];
        map.input = self.size(static_cast<int64_t>(d) - spatial);
        map.output = sizes[d];
        map.index.clear();
        map.first.assign(1, 0);
        for (int64_t i = 0; i < map.output; ++i) {
            const int64_t begin = adaptive_begin(i, map.input, map.output),
                          end = adaptive_end(i, map.input, map.output);
            for (int64_t j = begin; j < end; ++j) map.index.push_back(j);
            map.first.push_back(static_cast<int64_t>(map.index.size()));
            map.divisor.push_back(end - begin);
        }
    }
    return resample(adaptive_average_nodes[spatial - 1], self, spatial, std::move(maps));
}

// ---- Maxima

// The tensor with its last `spatial` dimensions as one, and those before as one.
Tensor as_planes(const Tensor& self, int64_t spatial) {
    int64_t planes = 1, size = 1;
    for (int64_t d = 0; d < self.dim(); ++d) (d < self.dim() - spatial ? planes : size) *= self.size(d);
    return reshape(self, {planes, size});
}

// Each gradient added to zeros of `sizes` where its maximum came from.
Tensor maxima_gradient(const char* node, const Tensor& grad, const Tensor& indices, const Dims& sizes,
                       int64_t spatial) {
    const PlaneLayout layout(indices, spatial, grad.dtype());
    const Tensor result = layout.empty(sizes, options_of(grad));
    if (!result.is_meta() && result.numel() > 0) {
        const Tensor source = layout.arranged(grad);
        const int64_t outer = layout.planes * layout.inner;
        const GilRelease released(result.numel());
        kernels::max_pool_gradient(grad.dtype(), layout.planes, layout.inner, grad.numel() / outer,
                                   result.numel() / outer, source.raw_data(), indices.data<int64_t>(),
                                   result.raw_data());
    }
    return record(node, {grad}, result, [&] {
        return [indices = Saved(indices), spatial](const Tensor& second) -> Gradients {
            const Tensor places = indices.get();
            return {view(gather(as_planes(second, spatial), 1, as_planes(places, spatial)), places.sizes())};
        };
    });
}

// Values at windows' maxima and, if wanted, their indices; the gradient goes to where they came from.
std::tuple<Tensor, Tensor> pool_maxima(const char* node, const Tensor& self, int64_t spatial,
                                       const std::vector<AxisWindows>& windows, bool indices_wanted = true) {
    const PlaneLayout layout(self, spatial, self.dtype());
    Dims sizes(self.sizes().begin(), self.sizes().end() - spatial);
    for (size_t d = static_cast<size_t>(3 - spatial); d < 3; ++d) sizes.push_back(windows[d].output());
    const Tensor values = layout.empty(sizes, options_of(self));
    const Tensor indices = indices_wanted ? layout.empty(sizes, {DType::int64, self.device()}) : Tensor();
    if (!values.is_meta() && values.numel() > 0) {
        const Tensor source = layout.arranged(self);
        const GilRelease released(source.numel());
        kernels::max_pool(self.dtype(), layout.planes, layout.inner, windows.data(), source.raw_data(),
                          values.raw_data(), indices_wanted ? indices.data<int64_t>() : nullptr);
    }
    record(node, {self}, values, [&] {
        return
            [indices = Saved(indices), sizes = self.sizes(), spatial, node](const Tensor& grad) -> Gradients {
                return {maxima_gradient(node, grad, indices.get(), sizes, spatial)};
            };
    });
    return {values, indices};
}

constexpr const char* maximum_nodes[] = {"MaxPool1DWithIndicesBackward0", "MaxPool2DWithIndicesBackward0",
                                         "MaxPool3DWithIndicesBackward0"};

template <int spatial>
std::tuple<Tensor, Tensor> pool_windows(const Tensor& self, const Dims& kernel_size, const Dims& stride,
                                        const Dims& padding, const Dims& dilation, bool ceil_mode,
                                        bool indices_wanted) {
    const std::string owner = name_of("max_pool", spatial);
    const std::vector<Window> windows = read_windows(owner, spatial, kernel_size, stride, padding, dilation);
    if (spatial == 1) check_rank(owner, self, spatial);
    check_window_values(owner, windows, spatial == 1 && !gradients_wanted({self}));
    check_rank(owner, self, spatial);
    check_pooled_type(self, owner);
    const Dims sizes = pooled_sizes(owner, self, windows, ceil_mode);
    std::vector<AxisWindows> axes(3);
    for (size_t d = 0; d < spatial; ++d) {
        const Window& w = windows[d];
        AxisWindows& axis = axes[3 - spatial + d];
        axis.input = self.size(static_cast<int64_t>(d) - spatial);
        axis.step = w.dilation;
        axis.stride = w.stride;
        axis.origin = -w.padding;
        axis.width = (w.kernel - 1) * w.dilation + 1;
        axis.first.clear();
        axis.last.clear();
        for (int64_t i = 0; i < sizes[d]; ++i) {
            int64_t begin = i * w.stride - w.padding;
            const int64_t end = std::min(begin + (w.kernel - 1) * w.dilation + 1, axis.input);
            while (begin < 0) begin += w.dilation;
            axis.first.push_back(begin);
            axis.last.push_back(end);
        }
    }
    return pool_maxima(maximum_nodes[spatial - 1], self, spatial, axes, indices_wanted);
}

template <int spatial>
std::tuple<Tensor, Tensor> max_pool_with_indices(const Tensor& self, const Dims& kernel_size,
                                                 const Dims& stride, const Dims& padding,
                                                 const Dims& dilation, bool ceil_mode) {
    return pool_windows<spatial>(self, kernel_size, stride, padding, dilation, ceil_mode, true);
}

template <int spatial>
Tensor max_pool(const Tensor& self, const Dims& kernel_size, const Dims& stride, const Dims& padding,
                const Dims& dilation, bool ceil_mode) {
    return std::get<0>(pool_windows<spatial>(self, kernel_size, stride, padding, dilation, ceil_mode,
                                             gradients_wanted({self})));
}

constexpr const char* adaptive_maximum_nodes[] = {"AdaptiveMaxPool1DBackward0", "AdaptiveMaxPool2DBackward0",
                                                  "AdaptiveMaxPool3DBackward0"};

template <int spatial>
std::tuple<Tensor, Tensor> adaptive_max_pool(const Tensor& self, const Dims& output_size) {
    const Dims sizes = check_adaptive(name_of("adaptive_max_pool", spatial), self, output_size, spatial, ":");
    std::vector<AxisWindows> axes(3);
    for (size_t d = 0; d < spatial; ++d) {
        AxisWindows& axis = axes[3 - spatial + d];
        axis.input = self.size(static_cast<int64_t>(d) - spatial);
        if (sizes[d] > 0 && axis.input % sizes[d] == 0) axis.stride = axis.width = axis.input / sizes[d];
        axis.first.clear();
        axis.last.clear();
        for (int64_t i = 0; i < sizes[d]; ++i) {
            axis.first.push_back(adaptive_begin(i, axis.input, sizes[d]));
            axis.last.push_back(adaptive_end(i, axis.input, sizes[d]));
        }
    }
    return pool_maxima(adaptive_maximum_nodes[spatial - 1], self, spatial, axes);
}

constexpr OperatorOptions average_options{
    .variants = out,
    .doc =
        "Averages of windows over the last dimensions of a tensor (N, C, *) or (C, *). Padding counts as "
        "zeros "
        "unless count_include_pad is false; divisor_override replaces the windows' sizes.\n\n"
        "Raises RuntimeError for windows that do not fit.\n\n"
        ">>> rushlight.nn.functional.avg_pool1d(rushlight.tensor([[1., 3., 5., 7.]]), 2)\ntensor([[2., 6.]])",
    .dtypes = "real"};
constexpr OperatorOptions maximum_options{
    .variants = function,
    .doc =
        "Largest elements of windows over the last dimensions of a tensor (N, C, *) or (C, *), and, for the "
        "form "
        "with indices, where they are in the flattened input plane.\n\n"
        "Raises RuntimeError for windows that do not fit.\n\n"
        ">>> rushlight.max_pool1d(rushlight.tensor([[1., 3., 5., 7.]]), 2)\ntensor([[3., 7.]])",
    .dtypes = "real"};
constexpr OperatorOptions maximum_native_options{
    .variants = out, .doc = maximum_options.doc, .dtypes = maximum_options.dtypes};
constexpr OperatorOptions adaptive_options{
    .variants = function,
    .doc =
        "Pools (averages or maxima with their indices) into a given number of windows, which cover the input "
        "evenly.\n\n"
        "Raises RuntimeError for empty inputs and negative sizes.\n\n"
        ">>> rushlight.adaptive_avg_pool1d(rushlight.tensor([[1., 3., 5., 7.]]), 2)\ntensor([[2., 6.]])",
    .dtypes = "real"};
constexpr OperatorOptions adaptive_native_options{
    .variants = out, .doc = adaptive_options.doc, .dtypes = adaptive_options.dtypes};
const Register avg_pool1d_operator{
    "avg_pool1d(Tensor self, int[1] kernel_size, int[1] stride=[], int[1] padding=0, bool ceil_mode=False, "
    "bool count_include_pad=True) -> Tensor",
    avg_pool1d,
    {.variants = function, .doc = average_options.doc, .dtypes = average_options.dtypes}};
const Register avg_pool2d_operator{
    "avg_pool2d(Tensor self, int[2] kernel_size, int[2] stride=[], int[2] padding=0, bool ceil_mode=False, "
    "bool count_include_pad=True, int? divisor_override=None) -> Tensor",
    avg_pool<2>, average_options};
const Register avg_pool3d_operator{
    "avg_pool3d(Tensor self, int[3] kernel_size, int[3] stride=[], int[3] padding=0, bool ceil_mode=False, "
    "bool count_include_pad=True, int? divisor_override=None) -> Tensor",
    avg_pool<3>, average_options};
const Register adaptive_avg_pool1d_operator{"adaptive_avg_pool1d(Tensor self, int[1] output_size) -> Tensor",
                                            adaptive_avg_pool<1>, adaptive_options};
const Register adaptive_avg_pool2d_operator{"adaptive_avg_pool2d(Tensor self, int[2] output_size) -> Tensor",
                                            adaptive_avg_pool<2>, adaptive_native_options};
const Register adaptive_avg_pool3d_operator{"adaptive_avg_pool3d(Tensor self, int[3] output_size) -> Tensor",
                                            adaptive_avg_pool<3>, adaptive_native_options};

const Register max_pool1d_operator{
    "max_pool1d(Tensor self, int[1] kernel_size, int[1] stride=[], int[1] padding=0, int[1] dilation=1, "
    "bool ceil_mode=False) -> Tensor",
    max_pool<1>, maximum_options};
const Register max_pool2d_operator{
    "max_pool2d(Tensor self, int[2] kernel_size, int[2] stride=[], int[2] padding=0, int[2] dilation=1, "
    "bool ceil_mode=False) -> Tensor",
    max_pool<2>, maximum_options};
const Register max_pool3d_operator{
    "max_pool3d(Tensor self, int[3] kernel_size, int[3] stride=[], int[3] padding=0, int[3] dilation=1, "
    "bool ceil_mode=False) -> Tensor",
    max_pool<3>, maximum_options};
const Register max_pool1d_with_indices_operator{
    "max_pool1d_with_indices(Tensor self, int[1] kernel_size, int[1] stride=[], int[1] padding=0, int[1] "
    "dilation=1, "
    "bool ceil_mode=False) -> (Tensor, Tensor)",
    max_pool_with_indices<1>, maximum_options};
const Register max_pool2d_with_indices_operator{
    "max_pool2d_with_indices(Tensor self, int[2] kernel_size, int[2] stride=[], int[2] padding=0, int[2] "
    "dilation=1, "
    "bool ceil_mode=False) -> (Tensor, Tensor)",
    max_pool_with_indices<2>, maximum_native_options};
const Register max_pool3d_with_indices_operator{
    "max_pool3d_with_indices(Tensor self, int[3] kernel_size, int[3] stride=[], int[3] padding=0, int[3] "
    "dilation=1, "
    "bool ceil_mode=False) -> (Tensor, Tensor)",
    max_pool_with_indices<3>, maximum_native_options};
const Register adaptive_max_pool1d_operator{
    "adaptive_max_pool1d(Tensor self, int[1] output_size) -> (Tensor, Tensor)", adaptive_max_pool<1>,
    adaptive_options};
const Register adaptive_max_pool2d_operator{
    "adaptive_max_pool2d(Tensor self, int[2] output_size) -> (Tensor, Tensor)", adaptive_max_pool<2>,
    adaptive_native_options};
const Register adaptive_max_pool3d_operator{
    "adaptive_max_pool3d(Tensor self, int[3] output_size) -> (Tensor, Tensor)", adaptive_max_pool<3>,
    adaptive_native_options};

}  // namespace

}  // namespace rl::ops
