// The gradient of a minimally filtered weight: at each point, a product of the transformed tiles of the
// output's gradient with those of the input, summed over all tiles.
//
// Tiles are transformed with a channel in each lane, so that they lie as the products read them. A part of
// them is multiplied block by block, all points at once, and transformed back while the block's sums are in
// the second cache. Groups of parts have gradients of their own, which are added in order: whoever takes a
// group reads nothing but what it wrote.
#pragma once

#include "kernels/cpu/convolution_winograd.h"

namespace rl::kernels::RUSHLIGHT_ISA::winograd {

// Transformed tiles, [group of channels][point][tile][channel of the group].
struct ChannelTiles {
    int64_t group, tiles, points;
    float* data;

    int64_t pitch() const { return spread(tiles * group); }  // from point to point
    float* at(int64_t channel) const { return data + channel / group * points * pitch() + channel % group; }
    static int64_t room(int64_t group, int64_t tiles, int64_t points, int64_t channels) {
        return ceil_divide(channels, group) * points * spread(tiles * group);
    }
};

// Writes some rows of planes, one for each lane or null, side by side: [row][column][lane].
inline void join_channels(const float* const (&planes)[width], const RowCopies& copies, float* target) {
    const auto copy = [&](auto&& load) {
        for (int64_t y = 0; y < copies.rows; ++y) {
            float* place = target + (copies.target + y * copies.target_pitch) * width;
            for (int64_t x = 0; x < copies.count; x += width, place += width * width) {
                const int64_t count = std::min<int64_t>(width, copies.count - x);
                const int64_t source = copies.source + y * copies.source_pitch + x * copies.step;
                V line[width];
#pragma GCC unroll 16
                for (int lane = 0; lane < width; ++lane)
                    line[lane] = planes[lane] != nullptr ? load(planes[lane] + source, count) : V{};
                transpose_square<float>(line);
#pragma GCC unroll 16
                for (int i = 0; i < width; ++i)
                    if (i < count) store_vector(place + i * width, line[i]);
            }
        }
    };
    if (copies.step == 1)
        return copy(
            [](const float* source, int64_t count) { return load_lanes(source, static_cast<int>(count)); });
    if (copies.step == 2)
        return copy([](const float* source, int64_t count) { return load_every<float, 2>(source, count); });
    copy([step = copies.step](const float* source, int64_t count) {
        float values[width] = {};
        for (int64_t i = 0; i < count; ++i) values[i] = source[i * step];
        return load_vector(values);
    });
}

// Transforms every tile of a part, a vector of channels at a time.
template <class Transform>
void transform_channels(const PlaneSource& source, const Part& part, int64_t step,
                        const ChannelTiles& target) {
    const int64_t apart = step * source.dilation;
    const Sampling elements{
        {1, (part.rows - 1) * step + Transform::from, (part.across - 1) * step + Transform::from},
        {0, part.phase[0] + part.first_row * apart - source.padding[0], part.phase[1] - source.padding[1]},
        {1, source.dilation, source.dilation},
        {{0}, {0}, {0}}};
    const Box box = elements.box();
    const std::vector<RowCopies> copies = copies_into(box, {1, source.size[1], source.size[2]});
    const int64_t line = box.axis[2].extent * width, pitch = target.pitch();
    parallel_for(0, ceil_divide(source.channels, width), 1, [&](int64_t begin, int64_t end) {
        const int64_t room = box.volume() * width;
        float* staged = scratch_array<float>(ScratchUse::staging, static_cast<size_t>(room));
        std::fill_n(staged, room, 0.0f);
        for (int64_t first = begin * width; first < end * width; first += width) {
            float* place = target.at(first);
            for (int64_t image = part.first_image; image < part.first_image + part.images; ++image) {
                const float* planes[width];
                for (int lane = 0; lane < width; ++lane)
                    planes[lane] =
                        first + lane < source.channels ? source.plane(image, first + lane) : nullptr;
                for (const RowCopies& one : copies) join_channels(planes, one, staged);
                for (int64_t y = 0; y < part.rows; ++y) {
                    for (int64_t x = 0; x < part.across; ++x, place += target.group) {
                        const float* corner = staged + y * step * line + x * step * width;
                        transform_tile<Transform>(
                            [=](int i, int j) { return load_vector(corner + i * line + j * width); },
                            [=](int i, int j, V value) {
                                store_vector(place + (i * Transform::to + j) * pitch, value);
                            });
                    }
                }
            }
        }
    });
}

// Writes lines of `count` channels, one for each tap and `pitch` apart, as [channel][tap].
template <int64_t taps>
inline void turn_taps(const float* lines, int64_t pitch, int64_t count, float* target) {
    if constexpr (taps <= width) {
        for (; count > 0; count -= width, lines += width, target += width * taps) {
            V line[width] = {};
#pragma GCC unroll 16
            for (int64_t tap = 0; tap < taps; ++tap) line[tap] = load_vector(lines + tap * pitch);
            transpose_square<float>(line);
#pragma GCC unroll 16
            for (int lane = 0; lane < width; ++lane) {
                const int64_t left = (std::min<int64_t>(count, width) - lane) * taps;
                if (left >= width)  // the next store writes over what is too much
                    store_vector(target + lane * taps, line[lane]);
                else if (left > 0)
                    Vec<float>(line[lane]).store(target + lane * taps, left);
            }
        }
    } else {
        for (int64_t c = 0; c < count; ++c)
            for (int64_t tap = 0; tap < taps; ++tap) target[c * taps + tap] = lines[tap * pitch + c];
    }
}

template <class Form>
class WeightGradient {
  public:
    WeightGradient(const Problem& s, const float* input, const float* grad_output, float* grad_weight)
        : s_(s), input_(input), grad_output_(grad_output), grad_weight_(grad_weight) {
        const int64_t most = (int64_t{1} << 21) / (points * (s.channels + s.rows));
        parts_ = parts_of<Form>(s, std::clamp<int64_t>(most, 32, part_tiles));
        const int64_t groups = std::min(most_sums / (s.rows * row_pitch_), std::ssize(parts_));
        groups_ = std::clamp<int64_t>(static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(groups))), 1,
                                      most_groups);
    }

    void run() const {
        const int64_t size = s_.rows * row_pitch_, count = std::ssize(parts_);
        float* sums = scratch_array<float>(ScratchUse::shared, static_cast<size_t>(groups_ * size));
        // Each sum adds up in the same order, whether the groups are shared out or what is in them.
        parallel_for(0, groups_, get_num_threads() > groups_ ? groups_ : 1, [&](int64_t begin, int64_t end) {
            for (int64_t group = begin; group < end; ++group) {
                const Range some = piece(count, groups_, group);
                for (int64_t index = some.first; index < some.first + some.count; ++index)
                    add_part(parts_[static_cast<size_t>(index)], index == some.first, sums + group * size);
            }
        });
        parallel_for(0, s_.rows, 1 + 16384 / row_pitch_, [&](int64_t begin, int64_t end) {
            for (int64_t row = begin; row < end; ++row) join_row(row, sums + row * row_pitch_, size);
        });
    }

  private:
    static constexpr int64_t points = Form::points, taps = Form::taps * Form::taps;
    static constexpr int64_t strip = tile_rows<float>, panel = tile_columns<float>, block = 4 * strip;
    static constexpr int64_t part_tiles = 72, most_groups = 8, most_sums = int64_t{5} << 18;
    static_assert(block % width == 0);
    using Restore = typename Form::WeightGradientTransform;

    // Adds the gradient of a part to sums, [row][tap][channel].
    void add_part(const Part& part, bool first, float* sums) const {
        const int64_t tiles = part.tiles();
        const int64_t room = ChannelTiles::room(panel, tiles, points, s_.channels);
        const int64_t grad_room = ChannelTiles::room(block, tiles, points, s_.rows);
        float* memory = scratch_array<float>(ScratchUse::transformed, static_cast<size_t>(room + grad_room));
        const ChannelTiles inputs{panel, tiles, points, memory}, grads{block, tiles, points, memory + room};
        transform_channels<typename Form::InputTransform>(input_source(s_, input_), part, Form::in_step,
                                                          inputs);
        transform_channels<typename Form::GradientTransform>(output_source(s_, grad_output_), part,
                                                             Form::out_edge, grads);
        const int64_t panels = ceil_divide(s_.channels, panel), blocks = ceil_divide(s_.rows, block);
        parallel_for(0, blocks * panels, 1, [&](int64_t begin, int64_t end) {
            for (int64_t index = begin; index < end; ++index)
                multiply_block(grads, inputs, index / panels * block, index % panels * panel, first, sums);
        });
    }

    // The rows from `row` on, times the channels from `channel` on.
    void multiply_block(const ChannelTiles& grads, const ChannelTiles& inputs, int64_t row, int64_t channel,
                        bool first, float* sums) const {
        const int64_t rows = std::min(block, s_.rows - row), strips = ceil_divide(rows, strip);
        const int vectors = s_.channels - channel > width ? 2 : 1;
        const int64_t pitch = spread(block * panel);
        float* products = scratch_array<float>(ScratchUse::local, static_cast<size_t>(points * pitch));
        for (int64_t point = 0; point < points; ++point) {
            const float* right = inputs.at(channel) + point * inputs.pitch();
            for (int64_t index = 0; index < strips; ++index) {
                const Range some = piece(rows, strips, index);
                const float* left = grads.at(row) + point * grads.pitch() + some.first;
                tile_kernel<float, false>(static_cast<int>(some.count), vectors)(
                    {grads.tiles, left, 1, block, right, panel},
                    products + point * pitch + some.first * panel, panel, vectors * width, 1.0f, false);
            }
        }
        for (int64_t r = 0; r < rows; ++r) {
            for (int v = 0; v < vectors; ++v) {
                const float* source = products + r * panel + v * width;
                float* target = sums + (row + r) * row_pitch_ + channel + v * width;
                transform_tile<Restore>(
                    [=](int i, int j) { return load_vector(source + (i * Restore::from + j) * pitch); },
                    [=, this](int i, int j, V value) {
                        float* place = target + (i * Restore::to + j) * line_;
                        store_vector(place, first ? value : value + load_vector(place));
                    });
            }
        }
    }

    // Adds a row of all groups and writes it.
    void join_row(int64_t row, float* sums, int64_t size) const {
        for (int64_t group = 1; group < groups_; ++group)
            for (int64_t i = 0; i < row_pitch_; i += width)
                store_vector(sums + i, load_vector(sums + i) + load_vector(sums + group * size + i));
        turn_taps<taps>(sums, line_, s_.channels, grad_weight_ + row * s_.channels * taps);
    }

    const Problem& s_;
    const float *input_, *grad_output_;
    float* grad_weight_;
    int64_t line_ = ceil_divide(s_.channels, width) * width, row_pitch_ = taps * line_;
    std::vector<Part> parts_;
    int64_t groups_ = 1;
};

}  // namespace rl::kernels::RUSHLIGHT_ISA::winograd
