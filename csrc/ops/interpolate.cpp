// Resizing of images and other grids: nearest, linear and cubic interpolation, with and without antialiasing.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "ops/registry.h"
#include "ops/resample.h"

namespace rl::ops {
namespace {

using kernels::AxisMap;

// One dimension to be resized; `scale` (output over input) is none where only sizes were given.
struct Axis {
    int64_t input, output;
    std::optional<double> scale;
    bool align_corners;
};

// Positions are computed in the type that PyTorch computes them in, which decides which element is the
// nearest.
template <class T>
T ratio_of(const Axis& axis) {
    if (axis.align_corners)
        return axis.output > 1 ? static_cast<T>(axis.input - 1) / static_cast<T>(axis.output - 1) : T(0);
    return axis.scale && *axis.scale > 0 ? static_cast<T>(1.0 / *axis.scale)
                                         : static_cast<T>(axis.input) / static_cast<T>(axis.output);
}

void add_tap(AxisMap& map, int64_t index, double weight) {
    map.index.push_back(std::clamp<int64_t>(index, 0, map.input - 1));
    map.weight.push_back(weight);
}

AxisMap nearest_map(const Axis& axis, float centre) {
    AxisMap map{axis.input, axis.output, {0}, {}, {}, {}};
    const float ratio = ratio_of<float>(axis);
    for (int64_t i = 0; i < axis.output; ++i) {
        const int64_t source = static_cast<int64_t>(std::floor((static_cast<float>(i) + centre) * ratio));
        map.index.push_back(std::clamp<int64_t>(source, 0, axis.input - 1));
        map.first.push_back(i + 1);
    }
    return map;
}

// Keys' cubic convolution (Keys, Cubic convolution interpolation for digital image processing, 1981).
template <class T>
T cubic(T distance, T a) {
    const T x = std::abs(distance);
    if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
    return 0;
}

template <class T>
AxisMap linear_map(const Axis& axis, bool is_cubic) {
    AxisMap map{axis.input, axis.output, {0}, {}, {}, {}};
    const T ratio = ratio_of<T>(axis);
    for (int64_t i = 0; i < axis.output; ++i) {
        T source =
            axis.align_corners ? static_cast<T>(i) * ratio : (static_cast<T>(i) + T(0.5)) * ratio - T(0.5);
        if (!is_cubic) source = std::max(source, T(0));
        const T low = std::floor(source), offset = source - low;
        const int64_t index = static_cast<int64_t>(low);
        if (is_cubic) {
            for (int tap = -1; tap <= 2; ++tap)
                add_tap(map, index + tap, cubic<T>(offset - T(tap), T(-0.75)));
        } else {
            add_tap(map, index, T(1) - offset);
            add_tap(map, index + 1, offset);
        }
        map.first.push_back(static_cast<int64_t>(map.index.size()));
    }
    return map;
}

// The filters of image libraries, by half their width.
template <class T>
T filter(const std::string& mode, T x) {
    if (mode == "bilinear") return std::max(T(0), T(1) - std::abs(x));
    if (mode == "bicubic") return cubic<T>(x, T(-0.5));
    if (std::abs(x) >= 3) return 0;
    if (x == 0) return 1;
    const T angle = static_cast<T>(std::numbers::pi) * x;
    return std::sin(angle) / angle * std::sin(angle / 3) / (angle / 3);
}

// A filter as wide as a pixel of the smaller image, its weights adding up to one.
template <class T>
AxisMap filter_map(const Axis& axis, const std::string& mode, bool antialias) {
    AxisMap map{axis.input, axis.output, {0}, {}, {}, {}};
    const T ratio = ratio_of<T>(axis), half_width = mode == "bilinear"  ? T(1)
                                                    : mode == "bicubic" ? T(2)
                                                                        : T(3);
    const T widening = antialias ? std::max(ratio, T(1)) : T(1), support = half_width * widening;
    for (int64_t i = 0; i < axis.output; ++i) {
        const T centre = (static_cast<T>(i) + T(0.5)) * ratio;
        const int64_t begin = std::max<int64_t>(0, static_cast<int64_t>(centre - support + T(0.5)));
        const int64_t end = std::min(axis.input, static_cast<int64_t>(centre + support + T(0.5)));
        const size_t start = map.weight.size();
        T total = 0;
        for (int64_t j = begin; j < end; ++j) {
            const T weight = filter<T>(mode, (static_cast<T>(j) - centre + T(0.5)) / widening);
            add_tap(map, j, weight);
            total += weight;
        }
        for (size_t j = start; j < map.weight.size(); ++j) map.weight[j] /= total;
        map.first.push_back(static_cast<int64_t>(map.index.size()));
    }
    return map;
}

template <class T>
AxisMap map_of(const Axis& axis, const std::string& mode, bool antialias) {
    if (mode == "nearest") return nearest_map(axis, 0.0f);
    if (mode == "nearest-exact") return nearest_map(axis, 0.5f);
    if (antialias || mode == "lanczos") return filter_map<T>(axis, mode, antialias);
    return linear_map<T>(axis, mode == "bicubic");
}

const char* node_of(const std::string& mode, size_t spatial, bool antialias) {
    static constexpr const char* nearest[] = {"UpsampleNearest1DBackward0", "UpsampleNearest2DBackward0",
                                              "UpsampleNearest3DBackward0"};
    static constexpr const char* exact[] = {"UpsampleNearestExact1DBackward0",
                                            "UpsampleNearestExact2DBackward0",
                                            "UpsampleNearestExact3DBackward0"};
    if (mode == "nearest") return nearest[spatial - 1];
    if (mode == "nearest-exact") return exact[spatial - 1];
    if (mode == "linear") return "UpsampleLinear1DBackward0";
    if (mode == "trilinear") return "UpsampleTrilinear3DBackward0";
    if (mode == "lanczos") return "UpsampleLanczos2DBackward0";
    if (mode == "bicubic") return antialias ? "UpsampleBicubic2DAaBackward0" : "UpsampleBicubic2DBackward0";
    return antialias ? "UpsampleBilinear2DAaBackward0" : "UpsampleBilinear2DBackward0";
}

Tensor resize_grid(const Tensor& self, const Dims& size, const std::optional<FloatList>& scales,
                   const std::string& mode, bool align_corners, bool antialias) {
    const size_t spatial = size.size();
    check(spatial >= 1 && spatial <= 3 && self.sizes().size() == spatial + 2,
          "It is expected input_size equals to ", spatial + 2, ", but got size ", self.dim());
    check(!scales || scales->size() == spatial, "expected a scale for each of ", spatial, " dimensions");
    for (const int64_t one : size) check(one > 0, "Input and output sizes should be greater than 0");
    check_memory(self, size);
    AxisMaps maps;
    for (size_t d = 0; d < spatial; ++d) {
        const Axis axis{self.sizes()[d + 2], size[d], scales ? std::optional((*scales)[d]) : std::nullopt,
                        align_corners};
        check(axis.input > 0, "Input and output sizes should be greater than 0");
        maps[3 - spatial + d] = self.dtype() == DType::float64 ? map_of<double>(axis, mode, antialias)
                                                               : map_of<float>(axis, mode, antialias);
    }
    return resample(node_of(mode, spatial, antialias), self, static_cast<int64_t>(spatial), std::move(maps));
}

const Register resize_grid_operator{
    "resize_grid(Tensor self, int[] size, float[]? scales, str mode, bool align_corners, bool antialias) -> "
    "Tensor",
    resize_grid,
    {.variants = 0,
     .doc = "Resizes the dimensions after the channels of (N, C, *): what nn.functional.interpolate does.\n\n"
            ">>> rushlight.nn.functional.interpolate(rushlight.tensor([[[1., 2.]]]), scale_factor=2)\n"
            "tensor([[[1., 1., 2., 2.]]])",
     .dtypes = "all but bool"}};

}  // namespace

}  // namespace rl::ops
