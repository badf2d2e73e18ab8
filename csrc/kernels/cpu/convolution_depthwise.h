// Convolutions with few outputs in each group, the depthwise ones above all: each plane of the image is put
// into a box in the first cache, and vectors of its rows are summed over the taps.
#pragma once

#include <numeric>

#include "kernels/cpu/convolution_patches.h"
#include "kernels/simd/vec.h"

namespace rl::kernels::RUSHLIGHT_ISA {

// Groups of one or two output channels gain nothing from the tiles of a matrix product. Threads share out
// `items`, each with its boxes of `elements` in its own cache.
inline bool has_few_outputs(int64_t rows, int64_t items, int64_t elements) {
    return rows <= 2 && items >= 8 && elements <= int64_t{1} << 17;
}

inline int64_t planes_at_once(int64_t work_of_one) {
    return std::max<int64_t>(1, parallel_work / std::max<int64_t>(1, work_of_one));
}

template <class T>
inline int64_t whole_vectors(int64_t count) {
    return ceil_divide(count, lanes<T>) * lanes<T>;
}

// ---- The boxes of a group's channels

// Copies every `step`-th element of some rows. Whole vectors are written: zeros after the last element, which
// fall on padding or on what is written next, since the lines of the box are whole vectors as well.
template <class T, int step>
void fill_lines(const RowCopies& copies, const T* row, T* place) {
    const auto [source, target, rows, source_pitch, target_pitch, count, every] = copies;
    const int64_t whole = count / lanes<T> * lanes<T>, rest = count - whole;
    for (int64_t y = 0; y < rows; ++y, row += source_pitch, place += target_pitch) {
        for (int64_t x = 0; x < whole; x += lanes<T>) {
            prefetch_ahead<0>(row + x * step);
            store_vector(place + x, load_every<T, step>(row + x * step, lanes<T>));
        }
        if (rest == 0) continue;
        prefetch_ahead<0>(row + whole * step);
        store_vector(place + whole, load_every<T, step>(row + whole * step, rest));
    }
}

// This thread's boxes for the channels of a group in one image. Their lines are whole vectors, and those of
// the image begin where a vector does.
template <class T>
class PlaneBoxes {
  public:
    static Box in_vectors(Box box) {
        box.axis[2].extent = whole_vectors<T>(box.axis[2].extent);
        return box;
    }

    PlaneBoxes(const Box& box, const std::vector<RowCopies>& copies, int64_t channels)
        : copies_(copies), volume_(box.volume()) {
        const size_t count = static_cast<size_t>(channels * volume_ + 2 * box_margin<T>);
        T* memory = scratch_array<T>(ScratchUse::local, count);
        std::fill_n(memory, count, T{});
        data_ = memory + box_margin<T>;
        if (!copies.empty()) data_ -= copies[0].target % lanes<T>;
    }

    const T* data() const { return data_; }
    void fill(int64_t channel, const T* plane) {
        T* box = data_ + channel * volume_;
        for (const RowCopies& one : copies_) fill_some(one, plane + one.source, box + one.target);
    }

  private:
    static void fill_some(const RowCopies& one, const T* row, T* place) {
        if constexpr (std::is_floating_point_v<T>) {
            if (one.step == 1) return fill_lines<T, 1>(one, row, place);
            if (one.step == 2) return fill_lines<T, 2>(one, row, place);
        }
        copy_rows(one, row, place);
    }

    const std::vector<RowCopies>& copies_;
    int64_t volume_;
    T* data_;
};

// ---- Taps

inline constexpr int most_stacked = 5;

// Taps that lie one line of the box below the other.
struct TapColumn {
    int64_t offset, count;
};

// The taps of every channel as columns, those of equal height together, and which tap each of their elements
// is, counted through the channels.
struct TapColumns {
    std::vector<TapColumn> columns;
    std::vector<int64_t> order;

    TapColumns(const std::vector<int64_t>& taps, int64_t pitch, int64_t channels, int64_t channel_stride) {
        std::vector<size_t> rest(taps.size());
        std::iota(rest.begin(), rest.end(), size_t{0});
        std::sort(rest.begin(), rest.end(), [&](size_t a, size_t b) { return taps[a] < taps[b]; });
        std::vector<std::vector<size_t>> stacks;
        while (!rest.empty()) {
            std::vector<size_t> stack, others;
            for (const size_t tap : rest) {
                const bool next =
                    stack.empty() || (stack.size() < most_stacked && taps[tap] == taps[stack.back()] + pitch);
                (next ? stack : others).push_back(tap);
            }
            stacks.push_back(std::move(stack));
            rest = std::move(others);
        }
        std::stable_sort(stacks.begin(), stacks.end(),
                         [](const auto& a, const auto& b) { return a.size() > b.size(); });
        for (int64_t channel = 0; channel < channels; ++channel) {
            for (const auto& stack : stacks) {
                columns.push_back({taps[stack[0]] + channel * channel_stride, std::ssize(stack)});
                for (const size_t tap : stack)
                    order.push_back(channel * std::ssize(taps) + static_cast<int64_t>(tap));
            }
        }
    }
};

// ---- Sums over the taps

// Rows of a plane that are summed at a time: a register each, and some for the weights.
#if defined(__AVX512F__)
inline constexpr int plane_rows = 16;
#else
inline constexpr int plane_rows = 8;
#endif

// The j-th of some weights: one for all lanes, or one for each.
template <class Factor, class Lane>
inline Factor factor_at(const Lane* weight, int j) {
    if constexpr (std::is_same_v<Factor, Lane>)
        return weight[j];
    else
        return load_vector(weight + j * lanes<Lane>);
}

// Adds the products of one column: each line of the box is loaded once for all the rows it bears on.
template <class Factor, class Lane, int rows, int stacked>
[[gnu::always_inline]] inline void add_column(const Lane* place, int64_t pitch, const Lane* weight,
                                              Vector<Lane> (&sum)[rows]) {
    Factor factor[stacked];
#pragma GCC unroll 8
    for (int j = 0; j < stacked; ++j) factor[j] = factor_at<Factor>(weight, j);
#pragma GCC unroll 32
    for (int i = 0; i < rows + stacked - 1; ++i) {
        const Vector<Lane> value = load_vector(place + i * pitch);
#pragma GCC unroll 8
        for (int j = 0; j < stacked; ++j)
            if (i - j >= 0 && i - j < rows) sum[i - j] += factor[j] * value;
    }
}

// A block of rows of a plane: line r, `count` elements from out + r * out_pitch on, is `start` and the
// weighted sum of the lines of the box that the columns name.
template <class T>
struct PlaneLines {
    const T* data;
    int64_t pitch;
    const T *weight, *start;
    T* out;
    int64_t out_pitch, count;
};

template <class T, class Factor, int rows>
void sum_lines(const std::vector<TapColumn>& columns, const PlaneLines<T>& block) {
    using Lane = LaneOf<T>;
    const auto [data, pitch, weight, start, out, out_pitch, count] = block;
    const TapColumn *first = columns.data(), *last = first + columns.size();
    for (int64_t x = 0; x < count; x += lanes<T>) {
        const Lane* source = reinterpret_cast<const Lane*>(data) + x;
        const Lane* factor = reinterpret_cast<const Lane*>(weight);
        Vector<Lane> sum[rows];
#pragma GCC unroll 16
        for (int r = 0; r < rows; ++r)
            sum[r] = Vector<Lane>{} + factor_at<Factor>(reinterpret_cast<const Lane*>(start), 0);
        for (const TapColumn* column = first; column != last; ++column) {
            const Lane* place = source + column->offset;
            switch (column->count) {
                case 1:
                    add_column<Factor, Lane, rows, 1>(place, pitch, factor, sum);
                    break;
                case 2:
                    add_column<Factor, Lane, rows, 2>(place, pitch, factor, sum);
                    break;
                case 3:
                    add_column<Factor, Lane, rows, 3>(place, pitch, factor, sum);
                    break;
                case 4:
                    add_column<Factor, Lane, rows, 4>(place, pitch, factor, sum);
                    break;
                default:
                    add_column<Factor, Lane, rows, most_stacked>(place, pitch, factor, sum);
            }
            factor += column->count * static_cast<int64_t>(sizeof(Factor) / sizeof(Lane));
        }
        const int here = static_cast<int>(std::min<int64_t>(lanes<T>, count - x));
#pragma GCC unroll 16
        for (int r = 0; r < rows; ++r) {
            T* place = out + r * out_pitch + x;
            prefetch_ahead<1>(place);
            store_lanes(place, std::bit_cast<Vector<T>>(sum[r]), here);
        }
    }
}

template <class T>
using SumLines = void (*)(const std::vector<TapColumn>&, const PlaneLines<T>&);
template <class T, class Factor, int... counts>
inline SumLines<T> sum_lines_function(int64_t rows, std::integer_sequence<int, counts...>) {
    static constexpr SumLines<T> functions[] = {&sum_lines<T, Factor, counts + 1>...};
    return functions[rows - 1];
}

// Writes target[x * phases + p] = line[p * pitch + x] for `count` elements in all.
template <class T>
void interleave(const T* line, int64_t pitch, int64_t phases, int64_t count, T* target) {
    constexpr int width = lanes<T>;
    int64_t done = 0;
    if (phases == 1) {
        for (; done + width <= count; done += width) store_vector(target + done, load_vector(line + done));
    }
    if constexpr (std::is_floating_point_v<T>) {
        if (phases == 2) {
            using Index = IntegerOf<T>;
            const auto low = constant_vector<Index>([](int j) { return j / 2 + j % 2 * width; });
            const auto high = constant_vector<Index>([](int j) { return width / 2 + j / 2 + j % 2 * width; });
            for (; done < count; done += 2 * width) {
                const Vector<T> even = load_vector(line + done / 2),
                                odd = load_vector(line + pitch + done / 2);
                const int first = static_cast<int>(std::min<int64_t>(width, count - done));
                prefetch_ahead<1>(target + done);
                prefetch_ahead<1>(target + done + width);
                store_lanes(target + done, __builtin_shuffle(even, odd, low), first);
                if (first < width || done + width == count) return;
                const int second = static_cast<int>(std::min<int64_t>(width, count - done - width));
                store_lanes(target + done + width, __builtin_shuffle(even, odd, high), second);
            }
            return;
        }
    }
    for (; done < count; ++done) target[done] = line[done % phases * pitch + done / phases];
}

// The positions of the target that share their remainders modulo its steps, and the taps they see.
struct PlanePhase {
    int64_t grid[3];
    TapColumns taps;
    std::vector<int64_t> weights;  // where in the weight each element of the columns is
};

// How planes of the target are made of the boxes of a group: [remainder][remainder][remainder] of phases.
struct PlanePlan {
    Box box;
    std::vector<RowCopies> copies;
    int64_t from_channels, to_channels;  // of one group
    int64_t from[3], to[3], step[3];
    std::vector<PlanePhase> phases;
};

template <class T>
class PlaneSums {
  public:
    PlaneSums(const ConvolutionShape& s, const PlanePlan& plan) : s_(s), plan_(plan) {}

    // weight_at(group, row of the group): from where on the phases' weights count.
    template <class WeightAt>
    void run(const T* source, const T* weight, const T* bias, T* target, WeightAt&& weight_at) const {
        const int64_t channels = plan_.from_channels, rows = plan_.to_channels;
        const int64_t from = volume(plan_.from), to = volume(plan_.to), taps = volume(s_.kernel);
        const int64_t chunk =
            planes_at_once(volume(s_.output) * rows * channels * taps + from * channels + to);
        parallel_for(0, s_.batch * s_.groups, chunk, [&](int64_t begin, int64_t end) {
            PlaneBoxes<T> boxes(plan_.box, plan_.copies, channels);
            T* factors = scratch_array<T>(ScratchUse::vector, static_cast<size_t>(channels * taps));
            for (int64_t item = begin; item < end; ++item) {
                const int64_t group = item % s_.groups;
                for (int64_t c = 0; c < channels; ++c) boxes.fill(c, source + (item * channels + c) * from);
                for (int64_t r = 0; r < rows; ++r) {
                    T* factor = factors;
                    const T* base = weight + weight_at(group, r);
                    for (const PlanePhase& phase : plan_.phases)
                        for (const int64_t place : phase.weights) *factor++ = base[place];
                    const T start = bias != nullptr ? bias[group * rows + r] : T{};
                    sum_plane(boxes.data(), factors, start, target + (item * rows + r) * to);
                }
            }
        });
    }

  private:
    void sum_plane(const T* boxes, const T* factors, T start, T* target) const {
        const PlanePhase* phases = plan_.phases.data();
        const int64_t row = plan_.to[2], slice = plan_.to[1] * row;
        for (int64_t rz = 0; rz < plan_.step[0]; ++rz) {
            for (int64_t ry = 0; ry < plan_.step[1]; ++ry, phases += plan_.step[2]) {
                for (int64_t z = 0; z < phases->grid[0]; ++z) {
                    const int64_t place = (z * plan_.step[0] + rz) * slice + ry * row;
                    sum_slice(phases, boxes + z * plan_.box.axis[1].extent * plan_.box.axis[2].extent,
                              factors, start, target + place);
                }
                for (int64_t rx = 0; rx < plan_.step[2]; ++rx) factors += phases[rx].weights.size();
            }
        }
    }

    // The rows of a slice that are of some phases, which differ in the last dimension.
    void sum_slice(const PlanePhase* phases, const T* boxes, const T* factors, T start, T* target) const {
        const int64_t pitch = plan_.box.axis[2].extent, count = plan_.step[2], row = plan_.to[2];
        const int64_t blocks = ceil_divide(phases->grid[1], plane_rows), next = plan_.step[1] * row;
        const int64_t line = whole_vectors<T>(phases->grid[2]);
        T* sums = nullptr;
        if (count > 1)
            sums = scratch_array<T>(ScratchUse::accumulator, static_cast<size_t>(count * plane_rows * line));
        for (int64_t part = 0; part < blocks; ++part) {
            const Range rows = piece(phases->grid[1], blocks, part);
            const auto function =
                sum_lines_function<T, LaneOf<T>>(rows.count, std::make_integer_sequence<int, plane_rows>());
            PlaneLines<T> block{boxes + rows.first * pitch, pitch, factors, &start, nullptr, 0, 0};
            T* place = target + rows.first * next;
            if (count == 1) {
                block.out = place;
                block.out_pitch = next;
                block.count = row;
                function(phases->taps.columns, block);
                continue;
            }
            block.out_pitch = count * line;
            block.count = line;
            for (int64_t rx = 0; rx < count; ++rx) {
                block.out = sums + rx * line;
                function(phases[rx].taps.columns, block);
                block.weight += phases[rx].weights.size();
            }
            for (int64_t r = 0; r < rows.count; ++r)
                interleave<T>(sums + r * count * line, line, count, row, place + r * next);
        }
    }

    const ConvolutionShape& s_;
    const PlanePlan& plan_;
};

template <class T>
void few_outputs_forward(const ConvolutionShape& s, const T* input, const T* weight, const T* bias,
                         T* output) {
    const int64_t channels = s.in_channels / s.groups, rows = s.out_channels / s.groups;
    const Sampling sampling = forward_sampling(s);
    PlanePlan plan{PlaneBoxes<T>::in_vectors(sampling.box()), {}, channels, rows, {}, {}, {1, 1, 1}, {}};
    std::copy_n(s.input, 3, plan.from);
    std::copy_n(s.output, 3, plan.to);
    plan.copies = copies_into(plan.box, s.input);
    TapColumns taps(sampling.tap_offsets(plan.box), plan.box.axis[2].extent, channels, plan.box.volume());
    std::vector<int64_t> weights = taps.order;
    plan.phases.push_back({{s.output[0], s.output[1], s.output[2]}, std::move(taps), std::move(weights)});
    const int64_t size = channels * volume(s.kernel);
    PlaneSums<T>(s, plan).run(input, weight, bias, output,
                              [&](int64_t group, int64_t row) { return (group * rows + row) * size; });
}

// All phases of the input see the one box of the output's gradient.
template <class T>
void few_inputs_gradient(const ConvolutionShape& s, const T* grad_output, const T* weight, const T* bias,
                         T* grad_input) {
    const int64_t channels = s.out_channels / s.groups, rows = s.in_channels / s.groups;
    const int64_t taps = volume(s.kernel);
    std::vector<Phase> phases;
    Sampling all{{}, {0, 0, 0}, {1, 1, 1}, {}, false};
    Phase::for_each(s, [&](const Phase& phase, const auto&) {
        phases.push_back(phase);
        for (int d = 0; d < 3; ++d) {
            const auto& some = phase.sampling;
            all.grid[d] = std::max(all.grid[d], some.grid[d]);
            all.taps[d].insert(all.taps[d].end(), some.taps[d].begin(), some.taps[d].end());
        }
    });
    PlanePlan plan{PlaneBoxes<T>::in_vectors(all.box()), {}, channels, rows, {}, {}, {}, {}};
    for (int d = 0; d < 3; ++d) {
        plan.from[d] = s.output[d];
        plan.to[d] = s.input[d];
        plan.step[d] = std::min(s.stride[d], s.input[d]);
    }
    plan.copies = copies_into(plan.box, s.output);
    for (const Phase& phase : phases) {
        const auto& grid = phase.sampling.grid;
        TapColumns columns(phase.sampling.tap_offsets(plan.box), plan.box.axis[2].extent,
                           phase.empty ? 0 : channels, plan.box.volume());
        std::vector<int64_t> weights;
        for (const int64_t tap : columns.order) {
            const int64_t count = std::ssize(phase.taps);
            weights.push_back(tap / count * rows * taps + phase.taps[static_cast<size_t>(tap % count)]);
        }
        plan.phases.push_back({{grid[0], grid[1], grid[2]}, std::move(columns), std::move(weights)});
    }
    PlaneSums<T>(s, plan).run(grad_output, weight, bias, grad_input, [&](int64_t group, int64_t row) {
        return (group * channels * rows + row) * taps;
    });
}

// ---- The gradient of the weight

#if defined(__AVX512F__)
inline constexpr int most_correlated = 25;
#else
inline constexpr int most_correlated = 9;
#endif
inline constexpr int correlated_columns[] = {1, 3, 5};

// A slice of the output's gradient, and the lines of the box that a tap at the corner sees.
template <class T>
struct CorrelatedSlice {
    const T* grad;
    int64_t rows, width;
    const T* data;
    int64_t pitch;
};

// Adds to sum[c][j] the products of `rows` lines of the gradient with those that tap j of column c sees.
template <class T, int rows, int columns, int stacked>
[[gnu::always_inline]] inline void correlate_rows(const CorrelatedSlice<T>& slice, int64_t y,
                                                  const TapColumn* column,
                                                  Vector<T> (&sum)[columns][stacked]) {
    using Index = IntegerOf<T>;
    const auto lane = constant_vector<Index>([](int j) { return j; });
    for (int64_t x = 0; x < slice.width; x += lanes<T>) {
        const int count = static_cast<int>(std::min<int64_t>(lanes<T>, slice.width - x));
        const Vector<Index> mask = lane < static_cast<Index>(count);
        Vector<T> grad[rows];
#pragma GCC unroll 8
        for (int r = 0; r < rows; ++r) {
            const T* place = slice.grad + (y + r) * slice.width + x;
            prefetch_ahead<0>(place);
            grad[r] = load_lanes(place, count);
        }
#pragma GCC unroll 8
        for (int c = 0; c < columns; ++c) {
            const T* place = slice.data + y * slice.pitch + x + column[c].offset;
#pragma GCC unroll 16
            for (int i = 0; i < rows + stacked - 1; ++i) {
                const auto bits = std::bit_cast<Vector<Index>>(load_vector(place + i * slice.pitch)) & mask;
                const auto value = std::bit_cast<Vector<T>>(bits);
#pragma GCC unroll 8
                for (int j = 0; j < stacked; ++j)
                    if (i - j >= 0 && i - j < rows) sum[c][j] += grad[i - j] * value;
            }
        }
    }
}

template <class T, int columns, int stacked>
void correlate_slice(const CorrelatedSlice<T>& slice, const TapColumn* column, T* sums) {
    constexpr int at_once = columns * stacked <= 9 ? 4 : 2;
    Vector<T> sum[columns][stacked];
#pragma GCC unroll 32
    for (int k = 0; k < columns * stacked; ++k)
        sum[k / stacked][k % stacked] = load_vector(sums + k * lanes<T>);
    int64_t y = 0;
    for (; y + at_once <= slice.rows; y += at_once) correlate_rows<T, at_once>(slice, y, column, sum);
    for (; y < slice.rows; ++y) correlate_rows<T, 1>(slice, y, column, sum);
#pragma GCC unroll 32
    for (int k = 0; k < columns * stacked; ++k)
        store_vector(sums + k * lanes<T>, sum[k / stacked][k % stacked]);
}

template <class T>
using CorrelateSlice = void (*)(const CorrelatedSlice<T>&, const TapColumn*, T*);

// The function for correlated_columns[choice] columns of height `stacked`, or null where there are too few
// registers for their sums.
template <class T, int choice, int stacked>
constexpr CorrelateSlice<T> correlate_slice_or_null() {
    if constexpr (correlated_columns[choice] * stacked <= most_correlated)
        return &correlate_slice<T, correlated_columns[choice], stacked>;
    return nullptr;
}
template <class T, int... both>
inline CorrelateSlice<T> correlate_slice_function(int choice, int64_t stacked,
                                                  std::integer_sequence<int, both...>) {
    static constexpr CorrelateSlice<T> functions[] = {
        correlate_slice_or_null<T, both / most_stacked, both % most_stacked + 1>()...};
    return functions[choice * most_stacked + stacked - 1];
}

// Some columns of equal height, and how to correlate with them.
template <class T>
struct ColumnRun {
    CorrelateSlice<T> function;
    const TapColumn* columns;
    int64_t taps;

    static std::vector<ColumnRun> of(const std::vector<TapColumn>& columns) {
        constexpr std::make_integer_sequence<int, 3 * most_stacked> both;
        std::vector<ColumnRun> runs;
        for (size_t first = 0; first < columns.size();) {
            const int64_t stacked = columns[first].count;
            size_t last = first;
            while (last < columns.size() && columns[last].count == stacked) ++last;
            int choice = 2;
            while (static_cast<size_t>(correlated_columns[choice]) > last - first ||
                   correlate_slice_function<T>(choice, stacked, both) == nullptr)
                --choice;
            runs.push_back({correlate_slice_function<T>(choice, stacked, both), &columns[first],
                            correlated_columns[choice] * stacked});
            first += static_cast<size_t>(correlated_columns[choice]);
        }
        return runs;
    }
};

// Adds the products of a plane of gradients and the boxes, lane by lane, to a vector of sums for each tap.
template <class T>
void correlate_plane(const std::vector<ColumnRun<T>>& runs, const int64_t (&grid)[3], const Box& box,
                     const T* grad, const T* data, T* sums) {
    const int64_t pitch = box.axis[2].extent;
    for (int64_t z = 0; z < grid[0]; ++z) {
        const CorrelatedSlice<T> slice{grad + z * grid[1] * grid[2], grid[1], grid[2],
                                       data + z * box.axis[1].extent * pitch, pitch};
        T* sum = sums;
        for (const ColumnRun<T>& run : runs) {
            run.function(slice, run.columns, sum);
            sum += run.taps * lanes<T>;
        }
    }
}

inline constexpr int64_t weight_gradient_parts = 16;

// For floating-point numbers.
template <class T>
void few_outputs_weight_gradient(const ConvolutionShape& s, const T* input, const T* grad_output,
                                 T* grad_weight) {
    const int64_t channels = s.in_channels / s.groups, rows = s.out_channels / s.groups;
    const int64_t size = volume(s.input), positions = volume(s.output);
    const Sampling sampling = forward_sampling(s);
    const Box box = PlaneBoxes<T>::in_vectors(sampling.box());
    const std::vector<RowCopies> copies = copies_into(box, s.input);
    const TapColumns taps(sampling.tap_offsets(box), box.axis[2].extent, channels, box.volume());
    const std::vector<ColumnRun<T>> runs = ColumnRun<T>::of(taps.columns);
    const int64_t count = std::ssize(taps.order);
    // Some groups at a time, image by image, so that memory is read from one end to the other.
    const int64_t chunk = std::max(planes_at_once((positions * rows * count + size * channels) * s.batch),
                                   ceil_divide(s.groups, weight_gradient_parts));
    parallel_for(0, s.groups, chunk, [&](int64_t begin, int64_t end) {
        PlaneBoxes<T> boxes(box, copies, channels);
        const int64_t sums_of_one = count * lanes<T>, all = (end - begin) * rows * count;
        T* sums = scratch_array<T>(ScratchUse::vector, static_cast<size_t>(all * lanes<T>));
        std::fill_n(sums, all * lanes<T>, T{});
        for (int64_t image = 0; image < s.batch; ++image) {
            T* sum = sums;
            for (int64_t item = image * s.groups + begin; item < image * s.groups + end; ++item) {
                for (int64_t c = 0; c < channels; ++c) boxes.fill(c, input + (item * channels + c) * size);
                for (int64_t r = 0; r < rows; ++r, sum += sums_of_one)
                    correlate_plane(runs, s.output, box, grad_output + (item * rows + r) * positions,
                                    boxes.data(), sum);
            }
        }
        for (int64_t k = 0; k < all; ++k)
            grad_weight[begin * rows * count + k / count * count +
                        taps.order[static_cast<size_t>(k % count)]] =
                sum_lanes<T>(Vec<T>::load(sums + k * lanes<T>));
    });
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
