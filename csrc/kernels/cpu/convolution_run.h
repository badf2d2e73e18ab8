// Convolution as a matrix product whose right operand is never written out: its panels are packed from the
// image. The patch matrix has a row for each (channel, tap) and a column for each (image, position).
#pragma once

#include "kernels/cpu/convolution_correlation.h"
#include "kernels/cpu/convolution_depthwise.h"
#include "kernels/cpu/convolution_direct.h"
#include "kernels/cpu/convolution_lanes.h"
#include "kernels/cpu/convolution_winograd.h"

namespace rl::kernels::RUSHLIGHT_ISA {

template <class T>
inline void store_planes(const PositionBlock<T>& block, const T* source, Real<T>* target, int64_t plane) {
    if constexpr (is_complex_type<T>) {
        for (int lane = 0; lane < lanes<T>; ++lane) {
            target[lane] = source[block.offset[lane]].real();
            target[plane + lane] = source[block.offset[lane]].imag();
        }
    } else {
        using Lane = LaneOf<T>;
        store_vector(reinterpret_cast<Lane*>(target), block.fetch(reinterpret_cast<const Lane*>(source)));
    }
}

// The patch matrix as right operand: depth runs over (channel, tap), lanes over positions.
template <class T>
struct PatchColumns {
    const Patches<T>* patches;

    void pack_columns(int64_t first, int count, int vectors, int64_t k, int64_t depth,
                      Real<T>* target) const {
        constexpr int width = lanes<T>;
        const int64_t plane = int64_t{vectors} * width, pitch = plane * planes<T>;
        const int64_t taps = static_cast<int64_t>(patches->tap_offset.size());
        for (int v = 0; v < vectors; ++v) {
            const PositionBlock<T> block = patches->block(first + v * width, count - v * width);
            int64_t channel = k / taps, tap = k % taps;
            for (int64_t row = 0; row < depth; ++row) {
                const T* source = patches->data + channel * patches->channel_stride +
                                  patches->tap_offset[static_cast<size_t>(tap)];
                store_planes(block, source, target + row * pitch + v * width, plane);
                if (++tap == taps) {
                    tap = 0;
                    ++channel;
                }
            }
        }
    }
};

// Its transpose: depth runs over positions, lanes over (channel, tap).
template <class T>
struct PatchRows {
    const Patches<T>* patches;

    void pack_columns(int64_t first, int count, int vectors, int64_t k, int64_t depth,
                      Real<T>* target) const {
        constexpr int width = lanes<T>;
        const int64_t plane = int64_t{vectors} * width, pitch = plane * planes<T>;
        int64_t offset[2 * width];
        for (int lane = 0; lane < 2 * width; ++lane)
            offset[lane] = patches->row_offset(first + std::min(lane, count - 1));
        for (int64_t done = 0; done < depth; done += width) {
            const int64_t here = std::min<int64_t>(width, depth - done);
            const PositionBlock<T> block = patches->block(k + done, here);
            for (int v = 0; v < vectors; ++v)
                pack_square(block, offset + v * width, here, target + done * pitch + v * width, pitch, plane);
        }
    }
    void pack_square(const PositionBlock<T>& block, const int64_t* offset, int64_t depth, Real<T>* target,
                     int64_t pitch, int64_t plane) const {
        constexpr int width = lanes<T>;
        if constexpr (is_complex_type<T>) {
            for (int64_t row = 0; row < depth; ++row) {
                for (int lane = 0; lane < width; ++lane) {
                    const T value = patches->data[block.offset[row] + offset[lane]];
                    target[row * pitch + lane] = value.real();
                    target[row * pitch + plane + lane] = value.imag();
                }
            }
        } else {
            using Lane = LaneOf<T>;
            const Lane* data = reinterpret_cast<const Lane*>(patches->data);
            Vector<Lane> line[width];
            for (int lane = 0; lane < width; ++lane) line[lane] = block.fetch(data + offset[lane]);
            transpose_square<Lane>(line);
            for (int64_t row = 0; row < depth; ++row)
                store_vector(reinterpret_cast<Lane*>(target) + row * pitch, line[row]);
        }
    }
};

// The weight as left operand of the input's gradient: rows are input channels, depth runs over (output
// channel, tap).
template <class S>
struct FlippedWeight {
    using T = Compute<S>;
    const S* data;
    int64_t row_stride, channel_stride;
    const std::vector<int64_t>* taps;

    void pack_rows(int64_t first, int rows, int64_t k, int64_t depth, Real<T>* target) const {
        if (depth == 0) return;
        const size_t count = taps->size();
        size_t tap = static_cast<size_t>(k) % count;
        const S* source = data + k / static_cast<int64_t>(count) * channel_stride + first * row_stride;
        for (int64_t step = 0; step < depth; ++step, target += rows * planes<T>) {
            const S* place = source + (*taps)[tap];
            for (int r = 0; r < rows; ++r, place += row_stride) {
                const T value = static_cast<T>(*place);
                if constexpr (is_complex_type<T>) {
                    target[r] = value.real();
                    target[rows + r] = value.imag();
                } else {
                    target[r] = value;
                }
            }
            if (++tap == count) {
                tap = 0;
                source += channel_stride;
            }
        }
    }
};

// The output's gradient as left operand of the weight's: rows are channels, depth runs over (image,
// position).
template <class S>
struct ImageRows {
    using T = Compute<S>;
    const S* data;
    int64_t image_stride, positions, rows_in_all;

    void pack_rows(int64_t first, int rows, int64_t k, int64_t depth, Real<T>* target) const {
        while (depth > 0) {
            const int64_t image = k / positions, position = k % positions;
            const int64_t here = std::min(depth, positions - position);
            const StridedSource<S> source{data + image * image_stride, positions, 1, rows_in_all};
            source.pack_rows(first, rows, position, here, target);
            target += here * rows * planes<T>;
            k += here;
            depth -= here;
        }
    }
};

// Columns of C spread over images and, for a stride, over every few positions of a row.
template <class S>
struct ImageTarget {
    using T = Compute<S>;
    S* data;
    int64_t image_stride, row;
    int64_t grid[3], grid_stride[3];
    int64_t positions;
    bool dense;  // the grid's positions lie one after another
    const S* addend;
    T alpha{1};
    int64_t block_rows = 1536;
    T* partial = nullptr;
    int64_t partial_pitch = 0, partial_first_row = 0;

    int64_t offset(int64_t j) const {
        const int64_t image = j / positions, rest = j % positions;
        if (dense) return image * image_stride + rest;
        return image * image_stride + rest / grid[2] / grid[1] * grid_stride[0] +
               rest / grid[2] % grid[1] * grid_stride[1] + rest % grid[2] * grid_stride[2];
    }
    T* direct(int64_t i, int64_t j, int columns) const {
        if constexpr (std::is_same_v<S, T>) {
            const bool whole = dense && j % positions + columns <= positions;
            return whole ? data + i * row + offset(j) : nullptr;
        } else {
            return nullptr;
        }
    }
    void start(int64_t i, int64_t j, int rows, int columns) const {
        for (int r = 0; r < rows; ++r) std::fill_n(data + (i + r) * row + offset(j), columns, addend[i + r]);
    }
    void store(const T* tile, int64_t pitch, int64_t i, int64_t j, int rows, int columns, bool first,
               bool last) const {
        int64_t place[tile_columns<T>];
        for (int c = 0; c < columns; ++c) place[c] = offset(j + c);
        for (int r = 0; r < rows; ++r) {
            for (int c = 0; c < columns; ++c) {
                const T value = tile[r * pitch + c];
                S& target = data[(i + r) * row + place[c]];
                const T bias = addend != nullptr ? static_cast<T>(addend[i + r]) : T{};
                if constexpr (std::is_same_v<S, T>) {
                    target = first ? total(value, bias) : total(target, value);
                } else {
                    T* sum = partial + (i + r - partial_first_row) * partial_pitch + j + c;
                    const T here = first ? value : *sum + value;
                    if (last)
                        target = to_storage<S>(here + bias);
                    else
                        *sum = here;
                }
            }
        }
    }
};

// How many images are taken at a time: their boxes and sums stay within some megabytes.
inline int64_t images_at_once(int64_t batch, int64_t elements_of_one) {
    return std::clamp<int64_t>((int64_t{1} << 22) / std::max<int64_t>(1, elements_of_one), 1, batch);
}

// Runs body(first_image, images, group), items in parallel when they are too small to be shared inside.
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
    if (work >= 4 * parallel_work)
        run(0, parts * s.groups);
    else
        parallel_for(0, parts * s.groups, std::max<int64_t>(1, parallel_work / work), run);
}

template <class S>
void give_partial_sums(ImageTarget<S>& target, int64_t m, int64_t n, int64_t k) {
    using T = Compute<S>;
    if (std::is_same_v<S, T> || k <= Blocking<T>::depth) return;
    target.block_rows = std::clamp<int64_t>((int64_t{1} << 22) / n, 1, target.block_rows);
    const int64_t rows = std::min(m, target.block_rows);
    target.partial = scratch_array<T>(ScratchUse::accumulator, static_cast<size_t>(rows * n));
    target.partial_pitch = n;
}

template <class S>
void forward(const ConvolutionShape& s, const void* input, const void* weight, const void* bias,
             void* output) {
    using T = Compute<S>;
    const int64_t channels = s.in_channels / s.groups, rows = s.out_channels / s.groups;
    const int64_t depth = channels * volume(s.kernel), positions = volume(s.output), size = volume(s.input);
    if (s.batch == 0 || positions == 0 || rows == 0) return;
    if constexpr (std::is_floating_point_v<S>) {
        if (LaneDepthwise<S>::suits(s))
            return LaneDepthwise<S>(s).forward(static_cast<const S*>(input), static_cast<const S*>(weight),
                                               static_cast<const S*>(bias), static_cast<S*>(output));
    }
    if constexpr (!is_complex_type<T>) {
        if (has_few_outputs(rows, s.batch * s.groups, channels * size))
            return few_outputs_forward(s, static_cast<const S*>(input), static_cast<const S*>(weight),
                                       static_cast<const S*>(bias), static_cast<S*>(output));
    }
    if constexpr (std::is_same_v<S, float>) {
        const winograd::Problem problem = winograd::forward_problem(s);
        if (winograd::suits(s, problem)) {
            const StridedSource<float> left{static_cast<const float*>(weight), depth, 1, rows};
            return winograd::Convolution(problem, static_cast<const float*>(input), left,
                                         static_cast<const float*>(bias), static_cast<float*>(output))
                .run();
        }
    }
    const Sampling sampling = forward_sampling(s);
    const auto run = [&](int64_t first, int64_t images, int64_t group) {
        const S* source = static_cast<const S*>(input) + (first * s.in_channels + group * channels) * size;
        const Patches<T> patches =
            make_patches(source, s.in_channels * size, images, channels, s.input, sampling);
        const StridedSource<S> left{static_cast<const S*>(weight) + group * rows * depth, depth, 1, rows};
        if constexpr (!is_complex_type<T>) {
            const DirectTarget<S> target{
                static_cast<S*>(output) + (first * s.out_channels + group * rows) * positions,
                s.out_channels * positions,
                positions,
                {s.output[1] * s.output[2], s.output[2], 1}};
            const S* start = bias != nullptr ? static_cast<const S*>(bias) + group * rows : nullptr;
            return DirectProduct<S>(patches, images, rows, depth, left, start, target).run();
        }
        ImageTarget<S> target;
        target.data = static_cast<S*>(output) + (first * s.out_channels + group * rows) * positions;
        target.image_stride = s.out_channels * positions;
        target.row = target.positions = positions;
        target.dense = true;
        target.addend = bias != nullptr ? static_cast<const S*>(bias) + group * rows : nullptr;
        give_partial_sums(target, rows, images * positions, depth);
        blocked_product<T>(rows, images * positions, depth, left, PatchColumns<T>{&patches}, target);
    };
    for_images_and_groups(s, channels * sampling.box().volume(), rows * depth * positions, run);
}

template <class S>
void gradient_of_phase(const ConvolutionShape& s, const Phase& phase, const int64_t (&remainder)[3],
                       const S* grad_output, const S* weight, const S* bias, S* grad_input) {
    using T = Compute<S>;
    const int64_t rows = s.in_channels / s.groups, channels = s.out_channels / s.groups;
    if constexpr (!is_complex_type<T>) {
        if (has_few_outputs(rows, s.batch * s.groups, channels * volume(s.output)))
            return few_inputs_gradient_of_phase(s, phase, remainder, grad_output, weight, bias, grad_input);
    }
    const int64_t size = volume(s.input), positions = volume(phase.sampling.grid);
    const int64_t depth = phase.empty ? 0 : channels * static_cast<int64_t>(phase.taps.size());
    const auto run = [&](int64_t first, int64_t images, int64_t group) {
        const S* source = grad_output + (first * s.out_channels + group * channels) * volume(s.output);
        const Patches<T> patches = make_patches(source, s.out_channels * volume(s.output), images,
                                                phase.empty ? 0 : channels, s.output, phase.sampling);
        const int64_t taps = volume(s.kernel);
        const FlippedWeight<S> left{weight + group * channels * rows * taps, taps, rows * taps, &phase.taps};
        if constexpr (!is_complex_type<T>) {
            const int64_t stride[3] = {s.input[1] * s.input[2], s.input[2], 1};
            DirectTarget<S> target{
                grad_input + (first * s.in_channels + group * rows) * size, s.in_channels * size, size, {}};
            for (int d = 0; d < 3; ++d) {
                target.data += remainder[d] * stride[d];
                target.step[d] = s.stride[d] * stride[d];
            }
            const S* start = bias != nullptr ? bias + group * rows : nullptr;
            return DirectProduct<S>(patches, images, rows, depth, left, start, target).run();
        }
        ImageTarget<S> target;
        target.data = grad_input + (first * s.in_channels + group * rows) * size +
                      (remainder[0] * s.input[1] + remainder[1]) * s.input[2] + remainder[2];
        target.image_stride = s.in_channels * size;
        target.row = size;
        target.positions = positions;
        target.dense = true;
        const int64_t stride[3] = {s.input[1] * s.input[2], s.input[2], 1};
        for (int d = 0; d < 3; ++d) {
            target.grid[d] = phase.sampling.grid[d];
            target.grid_stride[d] = s.stride[d] * stride[d];
            target.dense = target.dense && (s.stride[d] == 1);
        }
        target.addend = bias != nullptr ? bias + group * rows : nullptr;
        give_partial_sums(target, rows, images * positions, depth);
        blocked_product<T>(rows, images * positions, depth, left, PatchColumns<T>{&patches}, target);
    };
    for_images_and_groups(s, channels * phase.sampling.box().volume(), rows * depth * positions, run);
}

template <class S>
void input_gradient(const ConvolutionShape& s, const void* grad_output, const void* weight, const void* bias,
                    void* grad_input) {
    if (s.batch == 0 || volume(s.input) == 0 || s.in_channels == 0) return;
    if constexpr (std::is_floating_point_v<S>) {
        if (LaneDepthwise<S>::suits(s))
            return LaneDepthwise<S>(s).input_gradient(
                static_cast<const S*>(grad_output), static_cast<const S*>(weight),
                static_cast<const S*>(bias), static_cast<S*>(grad_input));
    }
    if constexpr (std::is_same_v<S, float>) {
        const winograd::Problem problem = winograd::gradient_problem(s);
        if (winograd::suits(s, problem)) {
            const std::vector<int64_t> taps{8, 7, 6, 5, 4, 3, 2, 1, 0};
            const FlippedWeight<float> left{static_cast<const float*>(weight), 9, s.in_channels * 9, &taps};
            return winograd::Convolution(problem, static_cast<const float*>(grad_output), left,
                                         static_cast<const float*>(bias), static_cast<float*>(grad_input))
                .run();
        }
    }
    int64_t remainder[3];
    for (remainder[0] = 0; remainder[0] < std::min(s.stride[0], s.input[0]); ++remainder[0])
        for (remainder[1] = 0; remainder[1] < std::min(s.stride[1], s.input[1]); ++remainder[1])
            for (remainder[2] = 0; remainder[2] < std::min(s.stride[2], s.input[2]); ++remainder[2])
                gradient_of_phase(s, Phase(s, remainder), remainder, static_cast<const S*>(grad_output),
                                  static_cast<const S*>(weight), static_cast<const S*>(bias),
                                  static_cast<S*>(grad_input));
}

// With so few (channel, tap)s panels of patches would cost more to pack than their products.
inline constexpr int64_t few_columns = 160;

// One group; the sums of several parts of the batch go into `sums`, which is the gradient itself for full
// types.
template <class S>
void weight_gradient_of_group(const ConvolutionShape& s, int64_t group, const S* input, const S* grad_output,
                              Compute<S>* sums) {
    using T = Compute<S>;
    const int64_t channels = s.in_channels / s.groups, rows = s.out_channels / s.groups;
    const int64_t columns = channels * volume(s.kernel), positions = volume(s.output), size = volume(s.input);
    const Sampling sampling = forward_sampling(s);
    const int64_t at_once = images_at_once(s.batch, channels * sampling.box().volume());
    for (int64_t first = 0; first < s.batch; first += at_once) {
        const int64_t images = std::min(at_once, s.batch - first);
        const S* source = input + (first * s.in_channels + group * channels) * size;
        const Patches<T> patches =
            make_patches(source, s.in_channels * size, images, channels, s.input, sampling);
        if constexpr (std::is_floating_point_v<S>) {
            if (columns <= few_columns) {
                if (first == 0) std::fill_n(sums, rows * columns, T{});
                const S* grad = grad_output + (first * s.out_channels + group * rows) * positions;
                const Patches<T> grads =
                    gradient_boxes(grad, s.out_channels * positions, images, rows, s.output, sampling.box());
                correlate(patches, grads, images, rows, columns, sums);
                continue;
            }
        }
        const ImageRows<S> left{grad_output + (first * s.out_channels + group * rows) * positions,
                                s.out_channels * positions, positions, rows};
        StridedTarget<T> target{sums, columns, 1, first == 0 ? nullptr : sums, columns, 1, T(1), T(1)};
        blocked_product<T>(rows, columns, images * positions, left, PatchRows<T>{&patches}, target);
    }
}

template <class S>
void weight_gradient(const ConvolutionShape& s, const void* input, const void* grad_output,
                     void* grad_weight) {
    using T = Compute<S>;
    const int64_t count = s.out_channels / s.groups * (s.in_channels / s.groups) * volume(s.kernel);
    S* result = static_cast<S*>(grad_weight);
    if (s.batch == 0 || volume(s.output) == 0) {
        std::fill_n(result, count * s.groups, S{});
        return;
    }
    if constexpr (std::is_floating_point_v<S>) {
        if (LaneDepthwise<S>::suits(s))
            return LaneDepthwise<S>(s).weight_gradient(static_cast<const S*>(input),
                                                       static_cast<const S*>(grad_output), result);
        const int64_t rows = s.out_channels / s.groups, channels = s.in_channels / s.groups;
        if (has_few_outputs(rows, s.groups, channels * volume(s.input)))
            return few_outputs_weight_gradient(s, static_cast<const S*>(input),
                                               static_cast<const S*>(grad_output), result);
    }
    if constexpr (std::is_same_v<S, float>) {
        const winograd::Problem problem = winograd::forward_problem(s);
        if (winograd::suits(s, problem))
            return winograd::weight_gradient(problem, static_cast<const float*>(input),
                                             static_cast<const float*>(grad_output), result);
    }
    const auto run = [&](int64_t begin, int64_t end) {
        for (int64_t group = begin; group < end; ++group) {
            T* sums;
            if constexpr (std::is_same_v<S, T>)
                sums = result + group * count;
            else
                sums = scratch_array<T>(ScratchUse::accumulator, static_cast<size_t>(count));
            weight_gradient_of_group(s, group, static_cast<const S*>(input),
                                     static_cast<const S*>(grad_output), sums);
            if constexpr (!std::is_same_v<S, T>)
                for (int64_t i = 0; i < count; ++i) result[group * count + i] = to_storage<S>(sums[i]);
        }
    };
    const int64_t work = std::max<int64_t>(1, count * s.batch * volume(s.output));
    if (work >= 4 * parallel_work)
        run(0, s.groups);
    else
        parallel_for(0, s.groups, std::max<int64_t>(1, parallel_work / work), run);
}

template <class S>
inline constexpr ConvolutionFunctions convolution_functions = {&forward<S>, &input_gradient<S>,
                                                               &weight_gradient<S>};

}  // namespace rl::kernels::RUSHLIGHT_ISA
