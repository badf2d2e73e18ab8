// Convolution as a matrix product whose right operand is never written out: its panels are packed from the
// image.
//
// A patch matrix has a row for each (channel, tap) and a column for each (image, position). The image is
// first copied into a box that also holds the padding, so that every element of a patch is an offset away:
// offset(position) + offset(tap) + channel * stride, and nothing is tested for being outside.
#pragma once

#include <vector>

#include "kernels/convolution.h"
#include "kernels/cpu/gemm_blocks.h"

namespace rl::kernels::RUSHLIGHT_ISA {

inline constexpr int most_pieces = 4;

// `lanes` consecutive positions, and how to fetch them as a vector: a few unaligned loads, blended, where
// they lie in a few contiguous runs.
template <class T>
struct PositionBlock {
    using Lane = LaneOf<T>;
    using Index = std::conditional_t<sizeof(Lane) == 4, int32_t, int64_t>;
    int64_t offset[lanes<T>];
    int pieces = 0;
    int64_t piece_offset[most_pieces];
    Vector<Index> piece_mask[most_pieces];

    void find_pieces() {
        pieces = 0;
        for (int lane = 0; lane < lanes<T>; ++lane) {
            if (lane > 0 && offset[lane] == offset[lane - 1] + 1) continue;
            if (pieces < most_pieces) {
                piece_offset[pieces] = offset[lane] - lane;
                for (int other = 0; other < lanes<T>; ++other) piece_mask[pieces][other] = -(other >= lane);
            }
            ++pieces;
        }
    }
    Vector<Lane> fetch(const Lane* source) const {
        if (pieces <= most_pieces) {
            Vector<Lane> value = load_vector(source + piece_offset[0]);
            for (int i = 1; i < pieces; ++i)
                value = piece_mask[i] ? load_vector(source + piece_offset[i]) : value;
            return value;
        }
        Lane values[lanes<T>];
        for (int lane = 0; lane < lanes<T>; ++lane) values[lane] = source[offset[lane]];
        return load_vector(values);
    }
};

// A box of an image, [image][channel][depth][height][width], and the grid of positions and the taps in it.
template <class T>
struct Patches {
    const T* data;
    int64_t image_stride, channel_stride;
    int64_t grid[3], grid_stride[3];
    int64_t positions;                // of one image
    std::vector<int64_t> tap_offset;  // of one channel

    // Offsets of `count` positions from `first` on; those that pad the block repeat the last.
    PositionBlock<T> block(int64_t first, int64_t count) const {
        PositionBlock<T> result;
        int64_t image = first / positions, rest = first % positions;
        int64_t x = rest % grid[2], y = rest / grid[2] % grid[1], z = rest / grid[2] / grid[1];
        for (int lane = 0; lane < lanes<T>; ++lane) {
            result.offset[lane] =
                image * image_stride + z * grid_stride[0] + y * grid_stride[1] + x * grid_stride[2];
            if (lane + 1 >= count || ++x < grid[2]) continue;
            x = 0;
            if (++y < grid[1]) continue;
            y = 0;
            if (++z < grid[0]) continue;
            z = 0;
            ++image;
        }
        result.find_pieces();
        return result;
    }
    int64_t row_offset(int64_t row) const {
        const int64_t taps = static_cast<int64_t>(tap_offset.size());
        return row / taps * channel_stride + tap_offset[static_cast<size_t>(row % taps)];
    }
};

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
        const int64_t count = static_cast<int64_t>(taps->size());
        for (int64_t step = 0; step < depth; ++step) {
            const int64_t channel = (k + step) / count;
            const S* source =
                data + channel * channel_stride + (*taps)[static_cast<size_t>((k + step) % count)];
            for (int r = 0; r < rows; ++r) {
                const T value = static_cast<T>(source[(first + r) * row_stride]);
                Real<T>* place = target + step * rows * planes<T> + r;
                if constexpr (is_complex_type<T>) {
                    place[0] = value.real();
                    place[rows] = value.imag();
                } else {
                    *place = value;
                }
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

struct Box {
    int64_t low[3], size[3], stride[3];
    int64_t volume() const { return size[0] * size[1] * size[2]; }
};

// Copies images of `size` into boxes, zero outside the image.
template <class S>
void fill_boxes(const S* source, int64_t image_stride, int64_t images, int64_t channels,
                const int64_t (&size)[3], const Box& box, Compute<S>* target) {
    using T = Compute<S>;
    const int64_t chunk = std::max<int64_t>(1, 32768 / std::max<int64_t>(1, box.volume()));
    parallel_for(0, images * channels, chunk, [&](int64_t begin, int64_t end) {
        for (int64_t item = begin; item < end; ++item) {
            const S* plane =
                source + item / channels * image_stride + item % channels * size[0] * size[1] * size[2];
            T* line = target + item * box.volume();
            for (int64_t z = box.low[0]; z < box.low[0] + box.size[0]; ++z) {
                for (int64_t y = box.low[1]; y < box.low[1] + box.size[1]; ++y, line += box.size[2]) {
                    const bool inside = z >= 0 && z < size[0] && y >= 0 && y < size[1];
                    const int64_t end_x = box.low[2] + box.size[2];
                    const int64_t first = std::clamp<int64_t>(0, box.low[2], end_x);
                    const int64_t last = inside ? std::clamp<int64_t>(size[2], first, end_x) : first;
                    const S* row = plane + (z * size[1] + y) * size[2];
                    T* place = std::fill_n(line, first - box.low[2], T{});
                    for (int64_t x = first; x < last; ++x) *place++ = static_cast<T>(row[x]);
                    std::fill_n(place, end_x - last, T{});
                }
            }
        }
    });
}

// A grid of positions (origin + step * index) and taps relative to them, each in three dimensions.
struct Sampling {
    int64_t grid[3], origin[3], step[3];
    std::vector<int64_t> taps[3];

    Box box() const {
        Box result;
        for (int d = 0; d < 3; ++d) {
            const auto [least, most] = std::minmax_element(taps[d].begin(), taps[d].end());
            result.low[d] = origin[d] + *least;
            result.size[d] = step[d] * (grid[d] - 1) + *most - *least + 1;
        }
        result.stride[2] = 1;
        result.stride[1] = result.size[2];
        result.stride[0] = result.size[2] * result.size[1];
        return result;
    }
};

// Room on both sides, because vectors are fetched from whole runs.
template <class T>
inline constexpr int64_t box_margin = 2 * lanes<T>;

template <class S>
Patches<Compute<S>> make_patches(const S* source, int64_t image_stride, int64_t images, int64_t channels,
                                 const int64_t (&size)[3], const Sampling& sampling) {
    using T = Compute<S>;
    const Box box = sampling.box();
    const size_t count = static_cast<size_t>(images * channels * box.volume() + 2 * box_margin<T>);
    T* staged = scratch_array<T>(ScratchUse::staging, count) + box_margin<T>;
    fill_boxes(source, image_stride, images, channels, size, box, staged);
    Patches<T> patches;
    patches.data = staged;
    patches.channel_stride = box.volume();
    patches.image_stride = channels * box.volume();
    patches.positions = 1;
    for (int d = 0; d < 3; ++d) {
        patches.grid[d] = sampling.grid[d];
        patches.grid_stride[d] = sampling.step[d] * box.stride[d];
        patches.positions *= sampling.grid[d];
    }
    for (const int64_t z : sampling.taps[0])
        for (const int64_t y : sampling.taps[1])
            for (const int64_t x : sampling.taps[2])
                patches.tap_offset.push_back((z + sampling.origin[0] - box.low[0]) * box.stride[0] +
                                             (y + sampling.origin[1] - box.low[1]) * box.stride[1] +
                                             (x + sampling.origin[2] - box.low[2]));
    return patches;
}

inline Sampling forward_sampling(const ConvolutionShape& s) {
    Sampling result;
    for (int d = 0; d < 3; ++d) {
        result.grid[d] = s.output[d];
        result.origin[d] = -s.padding[d];
        result.step[d] = s.stride[d];
        for (int64_t tap = 0; tap < s.kernel[d]; ++tap) result.taps[d].push_back(tap * s.dilation[d]);
    }
    return result;
}

inline int64_t volume(const int64_t (&sizes)[3]) {
    return sizes[0] * sizes[1] * sizes[2];
}

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
    const Sampling sampling = forward_sampling(s);
    const auto run = [&](int64_t first, int64_t images, int64_t group) {
        const S* source = static_cast<const S*>(input) + (first * s.in_channels + group * channels) * size;
        const Patches<T> patches =
            make_patches(source, s.in_channels * size, images, channels, s.input, sampling);
        const StridedSource<S> left{static_cast<const S*>(weight) + group * rows * depth, depth, 1, rows};
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

// The positions of the input that share a remainder modulo the stride see the same taps of the weight.
struct Phase {
    Sampling sampling;
    std::vector<int64_t> taps;  // offsets in one channel of the weight
    bool empty = false;

    Phase(const ConvolutionShape& s, const int64_t (&remainder)[3]) {
        std::vector<int64_t> used[3];
        for (int d = 0; d < 3; ++d) {
            sampling.grid[d] = ceil_divide(s.input[d] - remainder[d], s.stride[d]);
            sampling.origin[d] = 0;
            sampling.step[d] = 1;
            for (int64_t tap = 0; tap < s.kernel[d]; ++tap) {
                const int64_t distance = remainder[d] + s.padding[d] - tap * s.dilation[d];
                if (distance % s.stride[d] != 0) continue;
                used[d].push_back(tap);
                sampling.taps[d].push_back(distance / s.stride[d]);
            }
            empty = empty || used[d].empty();
        }
        for (const int64_t z : used[0])
            for (const int64_t y : used[1])
                for (const int64_t x : used[2]) taps.push_back((z * s.kernel[1] + y) * s.kernel[2] + x);
        if (empty)
            for (auto& list : sampling.taps) list.assign(1, 0);
    }
};

template <class S>
void gradient_of_phase(const ConvolutionShape& s, const Phase& phase, const int64_t (&remainder)[3],
                       const S* grad_output, const S* weight, const S* bias, S* grad_input) {
    using T = Compute<S>;
    const int64_t rows = s.in_channels / s.groups, channels = s.out_channels / s.groups;
    const int64_t size = volume(s.input), positions = volume(phase.sampling.grid);
    const int64_t depth = phase.empty ? 0 : channels * static_cast<int64_t>(phase.taps.size());
    const auto run = [&](int64_t first, int64_t images, int64_t group) {
        const S* source = grad_output + (first * s.out_channels + group * channels) * volume(s.output);
        const Patches<T> patches = make_patches(source, s.out_channels * volume(s.output), images, channels,
                                                s.output, phase.sampling);
        const int64_t taps = volume(s.kernel);
        const FlippedWeight<S> left{weight + group * channels * rows * taps, taps, rows * taps, &phase.taps};
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
    int64_t remainder[3];
    for (remainder[0] = 0; remainder[0] < std::min(s.stride[0], s.input[0]); ++remainder[0])
        for (remainder[1] = 0; remainder[1] < std::min(s.stride[1], s.input[1]); ++remainder[1])
            for (remainder[2] = 0; remainder[2] < std::min(s.stride[2], s.input[2]); ++remainder[2])
                gradient_of_phase(s, Phase(s, remainder), remainder, static_cast<const S*>(grad_output),
                                  static_cast<const S*>(weight), static_cast<const S*>(bias),
                                  static_cast<S*>(grad_input));
}

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
