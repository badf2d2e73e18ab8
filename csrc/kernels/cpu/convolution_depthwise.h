// Convolutions with few outputs in each group, the depthwise ones above all: each plane of the image is put
// into a box in the first cache, and vectors of its rows are summed over the taps.
#pragma once

#include "kernels/cpu/convolution_patches.h"
#include "kernels/simd/vec.h"

namespace rl::kernels::RUSHLIGHT_ISA {

// Groups of one or two output channels gain nothing from the tiles of a matrix product. Threads share out
// `items`, each with its boxes of `elements` in its own cache.
inline bool has_few_outputs(int64_t rows, int64_t items, int64_t elements) {
    return rows <= 2 && items >= 8 && elements <= int64_t{1} << 17;
}

inline constexpr int plane_rows = 8, most_stacked = 5;

// Taps that lie one line of the box below the other.
struct TapColumn {
    int64_t offset, count;
};

// The taps of every channel as columns, and which tap each of their elements is.
struct TapColumns {
    std::vector<TapColumn> columns;
    std::vector<int64_t> order;

    TapColumns(const std::vector<int64_t>& taps, int64_t pitch, int64_t channels, int64_t channel_stride) {
        std::vector<bool> used(taps.size(), false);
        for (size_t first = 0; first < taps.size(); ++first) {
            if (used[first]) continue;
            columns.push_back({taps[first], 0});
            for (size_t next = first; next < taps.size() && columns.back().count < most_stacked; ++next) {
                if (used[next] || taps[next] != taps[first] + columns.back().count * pitch) continue;
                used[next] = true;
                order.push_back(static_cast<int64_t>(next));
                ++columns.back().count;
            }
        }
        const size_t columns_of_one = columns.size(), taps_of_one = taps.size();
        for (int64_t channel = 1; channel < channels; ++channel) {
            for (size_t i = 0; i < columns_of_one; ++i)
                columns.push_back({columns[i].offset + channel * channel_stride, columns[i].count});
            for (size_t i = 0; i < taps_of_one; ++i)
                order.push_back(order[i] + channel * static_cast<int64_t>(taps_of_one));
        }
        if (channels == 0) *this = {};
    }
    TapColumns() = default;
};

// Adds the products of one column: each line of the box is loaded once for all the rows it bears on.
template <class Lane, int rows, int stacked>
[[gnu::always_inline]] inline void add_column(const Lane* place, int64_t pitch, const Lane* weight,
                                              Vector<Lane> (&sum)[rows]) {
    Lane factor[stacked];
    for (int j = 0; j < stacked; ++j) factor[j] = weight[j];
#pragma GCC unroll 16
    for (int i = 0; i < rows + stacked - 1; ++i) {
        const Vector<Lane> value = load_vector(place + i * pitch);
#pragma GCC unroll 8
        for (int j = 0; j < stacked; ++j)
            if (i - j >= 0 && i - j < rows) sum[i - j] += factor[j] * value;
    }
}

// out[r * width ...] = start + the sum over all columns for row r of the plane, a vector each.
template <class T, int rows>
void sum_plane_rows(const std::vector<TapColumn>& columns, const T* weight, const T* data, int64_t pitch,
                    T start, T* out) {
    using Lane = LaneOf<T>;
    const Lane* source = reinterpret_cast<const Lane*>(data);
    const Lane* factor = reinterpret_cast<const Lane*>(weight);
    Vector<Lane> sum[rows];
    for (int r = 0; r < rows; ++r) sum[r] = Vector<Lane>{} + static_cast<Lane>(start);
    for (const TapColumn& column : columns) {
        const Lane* place = source + column.offset;
        switch (column.count) {
            case 1:
                add_column<Lane, rows, 1>(place, pitch, factor, sum);
                break;
            case 2:
                add_column<Lane, rows, 2>(place, pitch, factor, sum);
                break;
            case 3:
                add_column<Lane, rows, 3>(place, pitch, factor, sum);
                break;
            case 4:
                add_column<Lane, rows, 4>(place, pitch, factor, sum);
                break;
            default:
                add_column<Lane, rows, most_stacked>(place, pitch, factor, sum);
        }
        factor += column.count;
    }
    for (int r = 0; r < rows; ++r) store_vector(reinterpret_cast<Lane*>(out) + r * lanes<T>, sum[r]);
}

template <class T>
using PlaneRows = void (*)(const std::vector<TapColumn>&, const T*, const T*, int64_t, T, T*);
template <class T, int... counts>
inline PlaneRows<T> plane_rows_function(int rows, std::integer_sequence<int, counts...>) {
    static constexpr PlaneRows<T> functions[] = {&sum_plane_rows<T, counts + 1>...};
    return functions[rows - 1];
}

// Where the positions of a plane go: every `step`-th element in each dimension.
template <class S>
struct PlaneTarget {
    S* data;
    int64_t step[3];
};

// Writes every second element from `target` on; those between keep their values.
template <class T>
void store_alternate(Vector<T> value, int64_t count, T* target) {
    using Index = IntegerOf<T>;
    constexpr int width = lanes<T>;
    const auto even = constant_vector<Index>([](int lane) { return lane % 2 - 1; });
    const auto low = constant_vector<Index>([](int lane) { return lane / 2; });
    const auto high = constant_vector<Index>([](int lane) { return width / 2 + lane / 2; });
    const int64_t span = 2 * count - 1, first = std::min<int64_t>(span, width);
    const auto blend = [&](T* place, int64_t size, Vector<T> spread) {
        Vec<T>(even ? spread : Vec<T>::load(place, size).native).store(place, size);
    };
    blend(target, first, __builtin_shuffle(value, low));
    if (span > width) blend(target + width, span - width, __builtin_shuffle(value, high));
}

// Writes up to a vector of sums, `step` apart.
template <class S>
void store_spaced(const Compute<S>* source, int64_t count, S* target, int64_t step) {
    if constexpr (std::is_floating_point_v<S>) {
        const bool whole = count == lanes<S>;
        const Vec<S> value = whole ? Vec<S>::load(source) : Vec<S>::load(source, count);
        if (step == 1) return whole ? value.store(target) : value.store(target, count);
        if (step == 2) return store_alternate<S>(value.native, count, target);
    }
    for (int64_t lane = 0; lane < count; ++lane) target[lane * step] = to_storage<S>(source[lane]);
}

// One output plane from the boxes of its group's channels.
template <class S>
void sum_plane(const Compute<S>* boxes, const Box& box, const int64_t (&grid)[3], const TapColumns& taps,
               const Compute<S>* weight, Compute<S> start, const PlaneTarget<S>& target) {
    using T = Compute<S>;
    constexpr int width = lanes<T>;
    const int64_t pitch = box.axis[2].extent, blocks = ceil_divide(grid[1], plane_rows);
    alignas(64) T sums[plane_rows * width];
    for (int64_t z = 0; z < grid[0]; ++z) {
        for (int64_t block = 0; block < blocks; ++block) {
            const Range rows = piece(grid[1], blocks, block);
            const auto function = plane_rows_function<T>(static_cast<int>(rows.count),
                                                         std::make_integer_sequence<int, plane_rows>());
            for (int64_t x = 0; x < grid[2]; x += width) {
                const T* corner = boxes + (z * box.axis[1].extent + rows.first) * pitch + x;
                function(taps.columns, weight, corner, pitch, start, sums);
                S* place =
                    target.data + z * target.step[0] + rows.first * target.step[1] + x * target.step[2];
                for (int64_t r = 0; r < rows.count; ++r)
                    store_spaced<S>(sums + r * width, std::min<int64_t>(width, grid[2] - x),
                                    place + r * target.step[1], target.step[2]);
            }
        }
    }
}

// This thread's boxes of `channels` channels of one image.
template <class T>
T* local_boxes(const Box& box, int64_t channels) {
    const size_t count = static_cast<size_t>(channels * box.volume() + 2 * box_margin<T>);
    T* boxes = scratch_array<T>(ScratchUse::local, count);
    std::fill_n(boxes, count, T{});
    return boxes + box_margin<T>;
}

// Offsets of every (channel, tap), channels outside.
inline std::vector<int64_t> offsets_of(const std::vector<int64_t>& taps, int64_t channels, int64_t stride) {
    std::vector<int64_t> offsets;
    for (int64_t channel = 0; channel < channels; ++channel)
        for (const int64_t tap : taps) offsets.push_back(channel * stride + tap);
    return offsets;
}

inline int64_t planes_at_once(int64_t work_of_one) {
    return std::max<int64_t>(1, parallel_work / std::max<int64_t>(1, work_of_one));
}

template <class S>
void few_outputs_forward(const ConvolutionShape& s, const S* input, const S* weight, const S* bias,
                         S* output) {
    using T = Compute<S>;
    const int64_t channels = s.in_channels / s.groups, rows = s.out_channels / s.groups;
    const int64_t size = volume(s.input), positions = volume(s.output), taps = volume(s.kernel);
    const Sampling sampling = forward_sampling(s);
    const Box box = sampling.box();
    const std::vector<RowCopies> copies = copies_into(box, s.input);
    const TapColumns columns(sampling.tap_offsets(box), box.axis[2].extent, channels, box.volume());
    const int64_t chunk = planes_at_once((positions * rows + size) * channels * taps);
    parallel_for(0, s.batch * s.groups, chunk, [&](int64_t begin, int64_t end) {
        T* boxes = local_boxes<T>(box, channels);
        T* factors = scratch_array<T>(ScratchUse::vector, columns.order.size());
        for (int64_t item = begin; item < end; ++item) {
            for (int64_t c = 0; c < channels; ++c)
                fill_box(input + (item * channels + c) * size, copies, boxes + c * box.volume());
            for (int64_t r = 0; r < rows; ++r) {
                const int64_t row = item % s.groups * rows + r;
                for (size_t k = 0; k < columns.order.size(); ++k)
                    factors[k] = static_cast<T>(weight[row * channels * taps + columns.order[k]]);
                const T start = bias != nullptr ? static_cast<T>(bias[row]) : T{};
                const PlaneTarget<S> target{output + (item * rows + r) * positions,
                                            {s.output[1] * s.output[2], s.output[2], 1}};
                sum_plane<S>(boxes, box, s.output, columns, factors, start, target);
            }
        }
    });
}

template <class S>
void few_inputs_gradient_of_phase(const ConvolutionShape& s, const Phase& phase,
                                  const int64_t (&remainder)[3], const S* grad_output, const S* weight,
                                  const S* bias, S* grad_input) {
    using T = Compute<S>;
    const int64_t rows = s.in_channels / s.groups, channels = phase.empty ? 0 : s.out_channels / s.groups;
    const int64_t all_channels = s.out_channels / s.groups;
    const int64_t size = volume(s.input), positions = volume(s.output), taps = volume(s.kernel);
    const int64_t stride[3] = {s.input[1] * s.input[2], s.input[2], 1};
    const Box box = phase.sampling.box();
    const std::vector<RowCopies> copies = copies_into(box, s.output);
    const TapColumns columns(phase.sampling.tap_offsets(box), box.axis[2].extent, channels, box.volume());
    const int64_t chunk = planes_at_once((volume(phase.sampling.grid) * rows + positions) * all_channels *
                                         std::ssize(phase.taps));
    parallel_for(0, s.batch * s.groups, chunk, [&](int64_t begin, int64_t end) {
        T* boxes = local_boxes<T>(box, channels);
        T* factors = scratch_array<T>(ScratchUse::vector, columns.order.size());
        for (int64_t item = begin; item < end; ++item) {
            const int64_t group = item % s.groups;
            for (int64_t c = 0; c < channels; ++c)
                fill_box(grad_output + (item * all_channels + c) * positions, copies,
                         boxes + c * box.volume());
            for (int64_t r = 0; r < rows; ++r) {
                const int64_t count = std::ssize(phase.taps);
                for (size_t k = 0; k < columns.order.size(); ++k) {
                    const int64_t c = columns.order[k] / count, tap = columns.order[k] % count;
                    const int64_t place = ((group * channels + c) * rows + r) * taps;
                    factors[k] = static_cast<T>(weight[place + phase.taps[static_cast<size_t>(tap)]]);
                }
                const T start = bias != nullptr ? static_cast<T>(bias[group * rows + r]) : T{};
                PlaneTarget<S> target{grad_input + (item * rows + r) * size, {}};
                for (int d = 0; d < 3; ++d) {
                    target.data += remainder[d] * stride[d];
                    target.step[d] = s.stride[d] * stride[d];
                }
                sum_plane<S>(boxes, box, phase.sampling.grid, columns, factors, start, target);
            }
        }
    });
}

// sum[t] += the products of a plane of gradients with the box shifted by each tap, lane by lane.
template <class T, int taps>
void correlate_plane(const T* grad, const int64_t (&grid)[3], const T* data, const Box& box,
                     const int64_t* offset, Vec<T>* sum) {
    constexpr int width = lanes<T>;
    Vec<T> total[taps];
    for (int t = 0; t < taps; ++t) total[t] = sum[t];
    for (int64_t z = 0; z < grid[0]; ++z) {
        for (int64_t y = 0; y < grid[1]; ++y, grad += grid[2]) {
            const T* row = data + (z * box.axis[1].extent + y) * box.axis[2].extent;
            int64_t x = 0;
            for (; x + width <= grid[2]; x += width) {
                const Vec<T> value = Vec<T>::load(grad + x);
                for (int t = 0; t < taps; ++t) total[t] += value * Vec<T>::load(row + x + offset[t]);
            }
            if (x == grid[2]) continue;
            const Vec<T> value = Vec<T>::load(grad + x, grid[2] - x);
            for (int t = 0; t < taps; ++t) total[t] += value * Vec<T>::load(row + x + offset[t], grid[2] - x);
        }
    }
    for (int t = 0; t < taps; ++t) sum[t] = total[t];
}

inline constexpr int correlated_taps = 9;
template <class T>
using CorrelatePlane = void (*)(const T*, const int64_t (&)[3], const T*, const Box&, const int64_t*,
                                Vec<T>*);
template <class T, int... counts>
inline CorrelatePlane<T> correlate_plane_function(int64_t taps, std::integer_sequence<int, counts...>) {
    static constexpr CorrelatePlane<T> functions[] = {&correlate_plane<T, counts + 1>...};
    return functions[taps - 1];
}

// For floating-point numbers that need no conversion.
template <class T>
void few_outputs_weight_gradient(const ConvolutionShape& s, const T* input, const T* grad_output,
                                 T* grad_weight) {
    const int64_t channels = s.in_channels / s.groups, rows = s.out_channels / s.groups;
    const int64_t size = volume(s.input), positions = volume(s.output);
    const Sampling sampling = forward_sampling(s);
    const Box box = sampling.box();
    const std::vector<RowCopies> copies = copies_into(box, s.input);
    const std::vector<int64_t> offsets = offsets_of(sampling.tap_offsets(box), channels, box.volume());
    const int64_t count = std::ssize(offsets), parts = ceil_divide(count, correlated_taps);
    const int64_t chunk = planes_at_once((positions * rows * count + size * channels) * s.batch);
    parallel_for(0, s.groups, chunk, [&](int64_t begin, int64_t end) {
        T* boxes = local_boxes<T>(box, channels);
        Vec<T>* sums = scratch_array<Vec<T>>(ScratchUse::vector, static_cast<size_t>(rows * count));
        for (int64_t group = begin; group < end; ++group) {
            std::fill_n(sums, rows * count, Vec<T>(T{}));
            for (int64_t item = group; item < s.batch * s.groups; item += s.groups) {
                for (int64_t c = 0; c < channels; ++c)
                    fill_box(input + (item * channels + c) * size, copies, boxes + c * box.volume());
                for (int64_t part = 0; part < rows * parts; ++part) {
                    const Range taps = piece(count, parts, part % parts);
                    const auto function = correlate_plane_function<T>(
                        taps.count, std::make_integer_sequence<int, correlated_taps>());
                    function(grad_output + (item * rows + part / parts) * positions, s.output, boxes, box,
                             offsets.data() + taps.first, sums + part / parts * count + taps.first);
                }
            }
            for (int64_t i = 0; i < rows * count; ++i) {
                T total = 0;
                for (int lane = 0; lane < lanes<T>; ++lane) total += sums[i][lane];
                grad_weight[group * rows * count + i] = total;
            }
        }
    });
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
