// Spatial transformers (Jaderberg et al., 2015): the grid of an affine map, and sampling at a grid.
#include "kernels/grid_sample.h"

#include "autograd/record.h"
#include "core/gil.h"
#include "ops/arithmetic.h"
#include "ops/conversion.h"
#include "ops/creation.h"
#include "ops/matmul.h"
#include "ops/registry.h"
#include "ops/shape_ops.h"
#include "ops/views.h"

namespace rl::ops {
namespace {

using kernels::GridMode;

struct Sampling {
    int64_t mode, padding;
    bool align_corners;
};

void check_grid(const Tensor& input, const Tensor& grid, const Sampling& s) {
    const ShapeText sizes = to_string(input.sizes()), grid_sizes = to_string(grid.sizes());
    check((input.dim() == 4 || input.dim() == 5) && input.dim() == grid.dim(),
          "grid_sampler(): expected 4D or 5D input and grid with same number of dimensions, but got input "
          "with sizes ",
          sizes, " and grid with sizes ", grid_sizes);
    check(input.size(0) == grid.size(0),
          "grid_sampler(): expected grid and input to have same batch size, but got input with sizes ", sizes,
          " and grid with sizes ", grid_sizes);
    check(grid.size(-1) == input.dim() - 2, "grid_sampler(): expected grid to have size ", input.dim() - 2,
          " in last dimension, but got grid with sizes ", grid_sizes);
    for (int64_t d = 2; d < input.dim(); ++d)
        check(input.size(d) > 0,
              "grid_sampler(): expected input to have non-empty spatial dimensions, but input has sizes ",
              sizes, " with dimension ", d, " being empty");
    check(s.mode >= 0 && s.mode <= 2 && s.padding >= 0 && s.padding <= 2,
          "grid_sampler(): expected interpolation and padding modes of 0 to 2, but got ", s.mode, " and ",
          s.padding);
    check(input.dim() == 4 || s.mode != 2, "grid_sampler(): bicubic interpolation only supports 4D input");
    check(input.dtype() == grid.dtype(), "expected scalar type ", info(input.dtype()).scalar_name,
          " but found ", info(grid.dtype()).scalar_name);
    check<NotImplemented>(is_floating(input.dtype()), "\"grid_sampler_", input.dim() - 2,
                          "d_cpu\" not implemented for '", info(input.dtype()).scalar_name, "'");
    check(input.numel() == 0 || input.numel() / (input.size(0) * input.size(1)) < int64_t{1} << 31,
          "grid_sampler(): expected images of fewer than 2^31 elements, but got input with sizes ", sizes);
}

kernels::GridProblem problem_of(const Tensor& input, const Tensor& grid, const Sampling& s) {
    const int rank = static_cast<int>(input.dim()) - 2;
    kernels::GridProblem p{input.dtype(),
                           static_cast<GridMode>(s.mode),
                           static_cast<kernels::GridPadding>(s.padding),
                           s.align_corners,
                           rank,
                           input.size(0),
                           input.size(1),
                           {},
                           1,
                           input.raw_data(),
                           grid.raw_data()};
    for (int d = 0; d < rank; ++d) {
        p.sizes[d] = input.size(d + 2);
        p.points *= grid.size(d + 1);
    }
    return p;
}

Gradients sampler_gradients(const Tensor& grad, const Tensor& given_input, const Tensor& given_grid,
                            const Sampling& s, const Needs& needs) {
    const GradientsEnabled off(false);
    const Tensor input = contiguous_data(given_input), grid = contiguous_data(given_grid),
                 g = contiguous_data(grad, input.dtype());
    const DType working = is_reduced_floating(input.dtype()) ? DType::float32 : input.dtype();
    Gradients result{needs[0] ? zeros(input.sizes(), {working, input.device()}) : Tensor(),
                     needs[1] ? zeros_like(grid) : Tensor()};
    if (!input.is_meta() && g.numel() > 0) {
        const GilRelease released(8 * g.numel());
        const kernels::GridProblem problem = problem_of(input, grid, s);
        if (needs[0])
            kernels::grid_sample_kernels().input_gradient(problem, g.raw_data(), result[0].raw_data());
        if (needs[1] && problem.mode != GridMode::nearest)
            kernels::grid_sample_kernels().grid_gradient(problem, g.raw_data(), result[1].raw_data());
    }
    if (needs[0]) result[0] = to(result[0], input.dtype());
    return result;
}

// The gradients as constants that refuse to be differentiated.
Gradients refusing(const char* name, const Gradients& found, TensorSpan inputs) {
    Gradients result = found;
    for (Tensor& gradient : result) {
        if (!gradient.defined()) continue;
        gradient = record("GridSamplerBackwardBackward0", inputs, gradient, [&] {
            return [name, count = inputs.size()](const Tensor&) -> Gradients {
                raise<NotImplemented>("the derivative for '", name, "' is not implemented.");
                return Gradients(count);
            };
        });
    }
    return result;
}

Tensor grid_sampler(const Tensor& input, const Tensor& grid, int64_t interpolation_mode, int64_t padding_mode,
                    bool align_corners) {
    const Sampling s{interpolation_mode, padding_mode, align_corners};
    check_grid(input, grid, s);
    Dims sizes{input.size(0), input.size(1)};
    for (int64_t d = 1; d + 1 < grid.dim(); ++d) sizes.push_back(grid.size(d));
    const Tensor result = empty(sizes, options_of(input));
    if (!result.is_meta() && result.numel() > 0) {
        const Tensor image = contiguous_data(input), places = contiguous_data(grid);
        const GilRelease released(8 * result.numel());
        kernels::grid_sample_kernels().forward(problem_of(image, places, s), result.raw_data());
    }
    const bool plane = input.dim() == 4;
    return record(plane ? "GridSampler2DBackward0" : "GridSampler3DBackward0", {input, grid}, result, [&] {
        return [input = Saved(input), grid = Saved(grid), s, plane](const Tensor& grad,
                                                                    const Needs& needs) -> Gradients {
            const Tensor inputs[] = {grad, input.get(), grid.get()};
            const Gradients found = sampler_gradients(grad, inputs[1], inputs[2], s, needs);
            if (!gradients_wanted(TensorSpan(inputs))) return found;
            return refusing(plane ? "grid_sampler_2d_backward" : "grid_sampler_3d_backward", found,
                            TensorSpan(inputs));
        };
    });
}

template <int64_t rank>
Tensor ranked_sampler(const Tensor& input, const Tensor& grid, int64_t interpolation_mode,
                      int64_t padding_mode, bool align_corners) {
    check(input.dim() == rank + 2, "grid_sampler_", rank, "d(): expected ", rank + 2,
          "D input, but got input with sizes ", to_string(input.sizes()));
    return grid_sampler(input, grid, interpolation_mode, padding_mode, align_corners);
}

// The centres of `count` pixels in the range from -1 to 1.
Tensor centres(int64_t count, bool align_corners, DType dtype) {
    const Tensor result = empty(Dims{count}, {DType::float64, {}});
    double* const values = result.data<double>();
    const double steps = static_cast<double>(align_corners ? count - 1 : count);
    for (int64_t i = 0; i < count; ++i) {
        const double twice = static_cast<double>(2 * i + (align_corners ? 0 : 1));
        values[i] = count == 1 ? 0.0 : (twice - steps) / steps;
    }
    return to(result, dtype);
}

// theta's gradient: what reaches the points, times the points themselves with a 1 as their last coordinate.
Tensor theta_gradient(const Tensor& grad, const Tensor& points) {
    const int64_t rank = grad.size(-1), batch = grad.size(0);
    const Tensor flat = reshape(grad, {batch, points.size(0), rank});
    return matmul(transpose(flat, 1, 2), to(points, grad.dtype()));
}

// [points, rank + 1]: the points of a grid and a 1.
Tensor grid_points(const Dims& space, const TensorList& axes, DType dtype) {
    const int64_t rank = static_cast<int64_t>(space.size());
    TensorList coordinates;
    for (int64_t d = rank - 1; d >= 0; --d) {
        Dims shape(space.size(), 1);
        shape[static_cast<size_t>(d)] = space[static_cast<size_t>(d)];
        coordinates.push_back(expand(reshape(axes[static_cast<size_t>(d)], shape), space));
    }
    coordinates.push_back(expand(full(Dims(space.size(), 1), 1, {dtype, {}}), space));
    return reshape(stack(coordinates, -1), {count_elements(space), rank + 1});
}

Tensor affine_grid_generator(const Tensor& theta, const Dims& size, bool align_corners) {
    check(is_floating(theta.dtype()), "Expected theta to have floating point type, but got ",
          info(theta.dtype()).name);
    check(size.size() == 4 || size.size() == 5,
          "AffineGridGenerator needs 4d (spatial) or 5d (volumetric) inputs.");
    const Dims space(size.begin() + 2, size.end());
    const int64_t rank = static_cast<int64_t>(space.size()), batch = size[0];
    check(theta.sizes() == Dims{batch, rank, rank + 1}, "Expected a batch of ", rank,
          "D affine matrices of shape Nx", rank, "x", rank + 1, " for size ", to_string(size), ". Got ",
          to_string(theta.sizes()), ".");
    for (const int64_t one : size)
        check(one > 0, "Expected non-zero, positive output size. Got ", to_string(size));
    const DType dtype = theta.dtype(), working = is_reduced_floating(dtype) ? DType::float32 : dtype;
    Dims sizes{batch};
    for (const int64_t count : space) sizes.push_back(count);
    sizes.push_back(rank);
    Tensor result = empty(sizes, {working, theta.device()});
    TensorList axes;
    if (!theta.is_meta()) {
        for (const int64_t count : space) axes.push_back(to(centres(count, align_corners, dtype), working));
        const Tensor map = contiguous_data(theta, working);
        const void* raw[3] = {};
        for (size_t d = 0; d < axes.size(); ++d) raw[d] = axes[d].raw_data();
        const GilRelease released(result.numel());
        kernels::grid_sample_kernels().affine(working, static_cast<int>(rank), batch, space.data(), raw,
                                              map.raw_data(), result.raw_data());
    }
    {
        const GradientsEnabled off(false);
        result = to(result, dtype);
    }
    return record("AffineGridGeneratorBackward0", {theta}, result, [&] {
        return [space, axes, working](const Tensor& grad) -> Gradients {
            const Tensor wide = to(grad, working);
            return {to(theta_gradient(wide, grid_points(space, axes, working)), grad.dtype())};
        };
    });
}

const Register grid_sampler_op{
    "grid_sampler(Tensor input, Tensor grid, int interpolation_mode, int padding_mode, bool align_corners) "
    "-> "
    "Tensor",
    grid_sampler,
    {.variants = function,
     .doc =
         R"(Samples (N, C, H, W) at the points (x, y) of grid (N, h, w, 2), -1 and 1 being the edges; 3-D alike.

interpolation_mode is 0 (bilinear), 1 (nearest) or 2 (bicubic, 2-D only); beyond the edges padding_mode is 0 (zeros),
1 (border) or 2 (reflection). align_corners puts -1 and 1 at the centres of the corner pixels (Jaderberg et al., 2015).
Raises RuntimeError where shapes do not fit.

    >>> rushlight.grid_sampler(rushlight.tensor([[[[1., 3.]]]]), rushlight.zeros(1, 1, 1, 2), 0, 0, False)
    tensor([[[[2.]]]])
)",
     .dtypes = "floating"}};
const Register grid_sampler_2d_op{
    "grid_sampler_2d(Tensor input, Tensor grid, int interpolation_mode, int padding_mode, bool "
    "align_corners) -> Tensor",
    ranked_sampler<2>,
    {.variants = function, .doc = "grid_sampler of images.", .dtypes = "floating"}};
const Register grid_sampler_3d_op{
    "grid_sampler_3d(Tensor input, Tensor grid, int interpolation_mode, int padding_mode, bool "
    "align_corners) -> Tensor",
    ranked_sampler<3>,
    {.variants = function, .doc = "grid_sampler of volumes.", .dtypes = "floating"}};
const Register affine_grid_generator_op{
    "affine_grid_generator(Tensor theta, int[] size, bool align_corners) -> Tensor",
    affine_grid_generator,
    {.variants = function,
     .doc =
         R"(The grid for grid_sampler of affine maps: theta (N, 2, 3) and size (N, C, H, W) give (N, H, W, 2).

theta (N, 3, 4) and a size of five give (N, D, H, W, 3). Raises RuntimeError where shapes do not fit.

    >>> theta = rushlight.tensor([[[1., 0., 0.], [0., 1., 0.]]])
    >>> rushlight.affine_grid_generator(theta, [1, 1, 1, 2], True)
    tensor([[[[-1.,  0.],
              [ 1.,  0.]]]])
)",
     .dtypes = "floating"}};

}  // namespace
}  // namespace rl::ops
