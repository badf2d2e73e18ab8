// Convolutions of elements of type T: the way that suits each shape.
#pragma once

#include "kernels/cpu/convolution_correlation.h"
#include "kernels/cpu/convolution_depthwise.h"
#include "kernels/cpu/convolution_direct.h"
#include "kernels/cpu/convolution_lanes.h"
#include "kernels/cpu/convolution_packed.h"
#include "kernels/cpu/convolution_pointwise.h"
#include "kernels/cpu/convolution_winograd_gradient.h"

namespace rl::kernels::RUSHLIGHT_ISA {

// How many images are taken at a time: their boxes and sums stay within some megabytes.
inline int64_t images_at_once(int64_t batch, int64_t elements_of_one) {
    return std::clamp<int64_t>((int64_t{1} << 22) / std::max<int64_t>(1, elements_of_one), 1, batch);
}

// Runs body(first_image, images, group), items in parallel when they are too small to be shared inside or
// groups enough for an even load.
template <class Body>
void for_images_and_groups(const ConvolutionShape& s, int64_t elements_of_one, int64_t work_of_one,
                           Body&& body) {
    const int64_t at_once = images_at_once(s.batch, elements_of_one);
    const int64_t parts = ceil_divide(s.batch, at_once);
    const auto run = [&](int64_t begin, int64_t end) {
        for (int64_t item = begin; item < end; ++item) {
            const int64_t first = item / s.groups * at_once;
            body(first, std::min(at_once, s.batch - first), item % s.groups);
        }
    };
    const int64_t work = std::max<int64_t>(1, work_of_one * at_once);
    if (work >= 4 * parallel_work && s.groups < 16)
        run(0, parts * s.groups);
    else
        parallel_for(0, parts * s.groups, std::max<int64_t>(1, parallel_work / work), run);
}

// By minimal filtering, where it suits.
template <class Form>
bool filter_forward(const ConvolutionShape& s, int64_t stride, const void* input,
                    const StridedSource<float>& left, const void* bias, void* output) {
    const winograd::Problem problem = winograd::forward_problem(s);
    if (!winograd::suits<Form>(s, problem, stride)) return false;
    winograd::Convolution<Form, StridedSource<float>>(problem, static_cast<const float*>(input), left,
                                                      static_cast<const float*>(bias),
                                                      static_cast<float*>(output))
        .run();
    return true;
}
template <class Form>
bool filter_gradient(const ConvolutionShape& s, int64_t stride, const void* grad_output, const void* weight,
                     const void* bias, void* grad_input) {
    const winograd::Problem problem = winograd::gradient_problem(s);
    if (s.stride[0] != 1 || !winograd::suits<Form>(s, problem, stride)) return false;
    std::vector<int64_t> taps(static_cast<size_t>(volume(s.kernel)));
    std::iota(taps.rbegin(), taps.rend(), int64_t{0});
    const FlippedWeight<float> left{static_cast<const float*>(weight), std::ssize(taps),
                                    s.in_channels * std::ssize(taps), &taps};
    winograd::Convolution<Form, FlippedWeight<float>>(problem, static_cast<const float*>(grad_output), left,
                                                      static_cast<const float*>(bias),
                                                      static_cast<float*>(grad_input))
        .run();
    return true;
}
template <class Form>
bool filter_weight_gradient(const ConvolutionShape& s, int64_t stride, const void* input,
                            const void* grad_output, void* grad_weight) {
    const winograd::Problem problem = winograd::forward_problem(s);
    if (!winograd::suits<Form>(s, problem, stride)) return false;
    winograd::WeightGradient<Form>(problem, static_cast<const float*>(input),
                                   static_cast<const float*>(grad_output), static_cast<float*>(grad_weight))
        .run();
    return true;
}

// Whether patches are worth packing: many rows look at them, and lines are short.
template <class T>
bool packs_patches(int64_t rows, int64_t positions) {
    return std::is_floating_point_v<T> && rows >= 16 * lanes<T> && positions <= 1024;
}

// The sums of `rows` channels at every position from packed patches, written densely, image after image.
template <class T, class Left>
void packed_product(const Patches<T>& patches, int64_t images, int64_t rows, int64_t depth, const Left& left,
                    const T* bias, T* output, int64_t image_stride) {
    constexpr int64_t width = lanes<T>;
    const int64_t positions = patches.positions;
    // Channels fill the vectors of a transposed product where the positions of an image would not.
    const int64_t filled = positions * ceil_divide(rows, width), plain = ceil_divide(positions, width) * rows;
    if (images == 1 && filled * 9 < plain * 8) {
        const StridedTarget<T> target{output, 1, positions, bias, 0, 1, T(1), T(1)};
        blocked_product<T>(positions, rows, depth, PatchLines<T>{&patches}, left, target);
        return;
    }
    ImageTarget<T> target;
    target.data = output;
    target.image_stride = image_stride;
    target.row = target.positions = positions;
    target.dense = true;
    target.addend = bias;
    blocked_product<T>(rows, images * positions, depth, left, PatchColumns<T>{&patches}, target);
}

template <class T>
void forward(const ConvolutionShape& s, const void* input, const void* weight, const void* bias,
             void* output) {
    const int64_t channels = s.in_channels / s.groups, rows = s.out_channels / s.groups;
    const int64_t depth = channels * volume(s.kernel), positions = volume(s.output), size = volume(s.input);
    if (s.batch == 0 || positions == 0 || rows == 0) return;
    if constexpr (std::is_floating_point_v<T>) {
        if (is_pointwise(s))
            return for_pointwise_groups<T>(s, [&](const PointwiseGroup<T>& group) {
                group.forward(static_cast<const T*>(input), static_cast<const T*>(weight),
                              static_cast<const T*>(bias), static_cast<T*>(output));
            });
        if (LaneDepthwise<T>::suits(s))
            return LaneDepthwise<T>(s).forward(static_cast<const T*>(input), static_cast<const T*>(weight),
                                               static_cast<const T*>(bias), static_cast<T*>(output));
    }
    if constexpr (!is_complex_type<T>) {
        if (has_few_outputs(rows, s.batch * s.groups, channels * size))
            return few_outputs_forward(s, static_cast<const T*>(input), static_cast<const T*>(weight),
                                       static_cast<const T*>(bias), static_cast<T*>(output));
    }
    if constexpr (std::is_same_v<T, float>) {
        const StridedSource<float> left{static_cast<const float*>(weight), depth, 1, rows, s.weight_forms};
        if (filter_forward<winograd::Dense>(s, 1, input, left, bias, output) ||
            filter_forward<winograd::Strided>(s, 2, input, left, bias, output) ||
            filter_forward<winograd::StridedEven>(s, 2, input, left, bias, output))
            return;
    }
    const Sampling sampling = forward_sampling(s);
    const auto run = [&](int64_t first, int64_t images, int64_t group) {
        const T* source = static_cast<const T*>(input) + (first * s.in_channels + group * channels) * size;
        const Patches<T> patches =
            make_patches(source, s.in_channels * size, images, channels, s.input, sampling);
        const StridedSource<T> left{static_cast<const T*>(weight) + group * rows * depth, depth, 1, rows,
                                    s.weight_forms};
        if constexpr (std::is_floating_point_v<T>) {
            if (packs_patches<T>(rows, positions)) {
                const T* start = bias != nullptr ? static_cast<const T*>(bias) + group * rows : nullptr;
                T* sums = static_cast<T*>(output) + (first * s.out_channels + group * rows) * positions;
                return packed_product(patches, images, rows, depth, left, start, sums,
                                      s.out_channels * positions);
            }
        }
        if constexpr (!is_complex_type<T>) {
            const DirectTarget<T> target{
                static_cast<T*>(output) + (first * s.out_channels + group * rows) * positions,
                s.out_channels * positions,
                positions,
                {s.output[1] * s.output[2], s.output[2], 1}};
            const T* start = bias != nullptr ? static_cast<const T*>(bias) + group * rows : nullptr;
            DirectProduct<T>(patches, images, rows, depth, left, start, target).run();
        } else {
            ImageTarget<T> target;
            target.data = static_cast<T*>(output) + (first * s.out_channels + group * rows) * positions;
            target.image_stride = s.out_channels * positions;
            target.row = target.positions = positions;
            target.dense = true;
            target.addend = bias != nullptr ? static_cast<const T*>(bias) + group * rows : nullptr;
            blocked_product<T>(rows, images * positions, depth, left, PatchColumns<T>{&patches}, target);
        }
    };
    for_images_and_groups(s, channels * sampling.box().volume(), rows * depth * positions, run);
}

template <class T>
void gradient_of_phase(const ConvolutionShape& s, const Phase& phase, const int64_t (&remainder)[3],
                       const T* grad_output, const T* weight, const T* bias, T* grad_input) {
    const int64_t rows = s.in_channels / s.groups, channels = s.out_channels / s.groups;
    const int64_t size = volume(s.input), positions = volume(phase.sampling.grid);
    const int64_t depth = phase.empty ? 0 : channels * static_cast<int64_t>(phase.taps.size());
    const auto run = [&](int64_t first, int64_t images, int64_t group) {
        const T* source = grad_output + (first * s.out_channels + group * channels) * volume(s.output);
        const Patches<T> patches = make_patches(source, s.out_channels * volume(s.output), images,
                                                phase.empty ? 0 : channels, s.output, phase.sampling);
        const int64_t taps = volume(s.kernel);
        const FlippedWeight<T> left{weight + group * channels * rows * taps, taps, rows * taps, &phase.taps};
        const int64_t stride[3] = {s.input[1] * s.input[2], s.input[2], 1};
        T* corner = grad_input + (first * s.in_channels + group * rows) * size;
        for (int d = 0; d < 3; ++d) corner += remainder[d] * stride[d];
        const T* start = bias != nullptr ? bias + group * rows : nullptr;
        if constexpr (std::is_floating_point_v<T>) {
            if (positions == size && packs_patches<T>(rows, positions))
                return packed_product(patches, images, rows, depth, left, start, corner,
                                      s.in_channels * size);
        }
        if constexpr (!is_complex_type<T>) {
            DirectTarget<T> target{corner, s.in_channels * size, size, {}};
            for (int d = 0; d < 3; ++d) target.step[d] = s.stride[d] * stride[d];
            DirectProduct<T>(patches, images, rows, depth, left, start, target).run();
        } else {
            ImageTarget<T> target;
            target.data = corner;
            target.image_stride = s.in_channels * size;
            target.row = size;
            target.positions = positions;
            target.dense = true;
            for (int d = 0; d < 3; ++d) {
                target.grid[d] = phase.sampling.grid[d];
                target.grid_stride[d] = s.stride[d] * stride[d];
                target.dense = target.dense && (s.stride[d] == 1);
            }
            target.addend = start;
            blocked_product<T>(rows, images * positions, depth, left, PatchColumns<T>{&patches}, target);
        }
    };
    for_images_and_groups(s, channels * phase.sampling.box().volume(), rows * depth * positions, run);
}

// The sums of one phase of the input's gradient, [image][row][position], and where they begin in a plane.
template <class T>
struct PhaseSums {
    int64_t offset, grid[3];
    const T* sums;
};

// Writes the phases of a plane of the input's gradient among each other.
template <class T>
void join_phases(const ConvolutionShape& s, const std::vector<PhaseSums<T>>& phases, int64_t item, T* plane) {
    const int64_t step[3] = {s.stride[0] * s.input[1] * s.input[2], s.stride[1] * s.input[2], s.stride[2]};
    for (const PhaseSums<T>& phase : phases) {
        const T* values = phase.sums + item * volume(phase.grid);
        for (int64_t z = 0; z < phase.grid[0]; ++z) {
            for (int64_t y = 0; y < phase.grid[1]; ++y, values += phase.grid[2]) {
                T* line = plane + phase.offset + z * step[0] + y * step[1];
                for (int64_t x = 0; x < phase.grid[2]; x += lanes<T>)
                    store_spaced<T>(values + x, std::min<int64_t>(lanes<T>, phase.grid[2] - x),
                                    line + x * step[2], step[2]);
            }
        }
    }
}

// The phases of the gradient as products of packed patches. What no tap meets is the bias alone.
template <class T>
void gradient_in_phases(const ConvolutionShape& s, const T* grad_output, const T* weight, const T* bias,
                        T* grad_input) {
    const int64_t rows = s.in_channels / s.groups, channels = s.out_channels / s.groups;
    const int64_t positions = volume(s.output), size = volume(s.input), taps = volume(s.kernel);
    const auto run = [&](int64_t first, int64_t images, int64_t group) {
        const T* source = grad_output + (first * s.out_channels + group * channels) * positions;
        const T* start = bias != nullptr ? bias + group * rows : nullptr;
        T* sums = scratch_array<T>(ScratchUse::accumulator, static_cast<size_t>(images * rows * size));
        std::vector<PhaseSums<T>> phases;
        int64_t written = 0;
        Phase::for_each(s, [&](const Phase& phase, const int64_t (&remainder)[3]) {
            if (phase.empty) return;
            const auto& grid = phase.sampling.grid;
            const Patches<T> patches =
                make_patches(source, s.out_channels * positions, images, channels, s.output, phase.sampling);
            const T* const kernels = weight + group * channels * rows * taps;
            const auto multiply = [&](const auto& left) {
                packed_product(patches, images, rows, channels * std::ssize(phase.taps), left, start,
                               sums + written, rows * volume(grid));
            };
            if (taps == 1)
                multiply(StridedSource<T>{kernels, 1, rows, rows});
            else
                multiply(FlippedWeight<T>{kernels, taps, rows * taps, &phase.taps});
            const int64_t offset = (remainder[0] * s.input[1] + remainder[1]) * s.input[2] + remainder[2];
            phases.push_back({offset, {grid[0], grid[1], grid[2]}, sums + written});
            written += images * rows * volume(grid);
        });
        parallel_for(0, images * rows, std::max<int64_t>(1, 32768 / size), [&](int64_t begin, int64_t end) {
            for (int64_t item = begin; item < end; ++item) {
                const int64_t image = first + item / rows, row = item % rows;
                T* plane = grad_input + (image * s.in_channels + group * rows + row) * size;
                if (written < images * rows * size)
                    std::fill_n(plane, size, start != nullptr ? start[row] : T{});
                join_phases(s, phases, item, plane);
            }
        });
    };
    for_images_and_groups(s, std::max(rows * size, channels * positions), rows * channels * positions, run);
}

template <class T>
void input_gradient(const ConvolutionShape& s, const void* grad_output, const void* weight, const void* bias,
                    void* grad_input) {
    if (s.batch == 0 || volume(s.input) == 0 || s.in_channels == 0) return;
    if constexpr (std::is_floating_point_v<T>) {
        if (is_pointwise(s))
            return for_pointwise_groups<T>(s, [&](const PointwiseGroup<T>& group) {
                group.input_gradient(static_cast<const T*>(grad_output), static_cast<const T*>(weight),
                                     static_cast<const T*>(bias), static_cast<T*>(grad_input));
            });
        if (LaneDepthwise<T>::suits(s))
            return LaneDepthwise<T>(s).input_gradient(
                static_cast<const T*>(grad_output), static_cast<const T*>(weight),
                static_cast<const T*>(bias), static_cast<T*>(grad_input));
    }
    if constexpr (!is_complex_type<T>) {
        const int64_t channels = s.out_channels / s.groups;
        if (has_few_outputs(s.in_channels / s.groups, s.batch * s.groups, channels * volume(s.output)))
            return few_inputs_gradient(s, static_cast<const T*>(grad_output), static_cast<const T*>(weight),
                                       static_cast<const T*>(bias), static_cast<T*>(grad_input));
    }
    if constexpr (std::is_same_v<T, float>) {
        if (filter_gradient<winograd::Dense>(s, 1, grad_output, weight, bias, grad_input) ||
            filter_gradient<winograd::StridedGradient>(s, 2, grad_output, weight, bias, grad_input) ||
            filter_gradient<winograd::StridedEvenGradient>(s, 2, grad_output, weight, bias, grad_input))
            return;
    }
    if constexpr (std::is_floating_point_v<T>) {
        if (volume(s.stride) > 1 && packs_patches<T>(s.in_channels / s.groups, volume(s.output)))
            return gradient_in_phases(s, static_cast<const T*>(grad_output), static_cast<const T*>(weight),
                                      static_cast<const T*>(bias), static_cast<T*>(grad_input));
    }
    Phase::for_each(s, [&](const Phase& phase, const int64_t (&remainder)[3]) {
        gradient_of_phase(s, phase, remainder, static_cast<const T*>(grad_output),
                          static_cast<const T*>(weight), static_cast<const T*>(bias),
                          static_cast<T*>(grad_input));
    });
}

// One group; several parts of the batch are summed in its gradient.
template <class T>
void weight_gradient_of_group(const ConvolutionShape& s, int64_t group, const T* input, const T* grad_output,
                              T* sums) {
    const int64_t channels = s.in_channels / s.groups, rows = s.out_channels / s.groups;
    const int64_t columns = channels * volume(s.kernel), positions = volume(s.output), size = volume(s.input);
    if constexpr (std::is_floating_point_v<T>) {
        if (suits_correlation(rows, columns, positions))
            return Correlation<T>(s, input + group * channels * size, grad_output + group * rows * positions)
                .run(sums);
    }
    const Sampling sampling = forward_sampling(s);
    const int64_t at_once = images_at_once(s.batch, channels * sampling.box().volume());
    for (int64_t first = 0; first < s.batch; first += at_once) {
        const int64_t images = std::min(at_once, s.batch - first);
        const T* source = input + (first * s.in_channels + group * channels) * size;
        const Patches<T> patches =
            make_patches(source, s.in_channels * size, images, channels, s.input, sampling);
        const ImageRows<T> left{grad_output + (first * s.out_channels + group * rows) * positions,
                                s.out_channels * positions, positions, rows};
        StridedTarget<T> target{sums, columns, 1, first == 0 ? nullptr : sums, columns, 1, T(1), T(1)};
        blocked_product<T>(rows, columns, images * positions, left, PatchRows<T>{&patches}, target);
    }
}

template <class T>
void weight_gradient(const ConvolutionShape& s, const void* input, const void* grad_output,
                     void* grad_weight) {
    const int64_t count = s.out_channels / s.groups * (s.in_channels / s.groups) * volume(s.kernel);
    T* result = static_cast<T*>(grad_weight);
    if (s.batch == 0 || volume(s.output) == 0) {
        std::fill_n(result, count * s.groups, T{});
        return;
    }
    if constexpr (std::is_floating_point_v<T>) {
        if (is_pointwise(s))
            return for_pointwise_groups<T>(s, [&](const PointwiseGroup<T>& group) {
                group.weight_gradient(static_cast<const T*>(input), static_cast<const T*>(grad_output),
                                      result);
            });
        if (LaneDepthwise<T>::suits(s))
            return LaneDepthwise<T>(s).weight_gradient(static_cast<const T*>(input),
                                                       static_cast<const T*>(grad_output), result);
        const int64_t rows = s.out_channels / s.groups, channels = s.in_channels / s.groups;
        if (has_few_outputs(rows, s.groups, channels * volume(s.input)))
            return few_outputs_weight_gradient(s, static_cast<const T*>(input),
                                               static_cast<const T*>(grad_output), result);
    }
    if constexpr (std::is_same_v<T, float>) {
        if (filter_weight_gradient<winograd::Dense>(s, 1, input, grad_output, result) ||
            filter_weight_gradient<winograd::Strided>(s, 2, input, grad_output, result) ||
            filter_weight_gradient<winograd::StridedEven>(s, 2, input, grad_output, result))
            return;
    }
    const auto run = [&](int64_t begin, int64_t end) {
        for (int64_t group = begin; group < end; ++group) {
            weight_gradient_of_group(s, group, static_cast<const T*>(input),
                                     static_cast<const T*>(grad_output), result + group * count);
        }
    };
    const int64_t work = std::max<int64_t>(1, count * s.batch * volume(s.output));
    if (work >= 4 * parallel_work)
        run(0, s.groups);
    else
        parallel_for(0, s.groups, std::max<int64_t>(1, parallel_work / work), run);
}

template <class T>
inline constexpr ConvolutionFunctions convolution_functions = {&forward<T>, &input_gradient<T>,
                                                               &weight_gradient<T>};

}  // namespace rl::kernels::RUSHLIGHT_ISA
