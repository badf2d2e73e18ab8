// Depthwise convolutions of small planes, with a channel in each lane of a vector: the planes of as many
// channels are transposed into one box in the first cache, and every position of the output is one vector.
#pragma once

#include "kernels/cpu/convolution_depthwise.h"

namespace rl::kernels::RUSHLIGHT_ISA {

template <class T>
class LaneDepthwise {
  public:
    // Whether planes are so small that transposing them is less work than walking their short rows.
    static bool suits(const ConvolutionShape& s) {
        return s.in_channels == s.groups && s.out_channels == s.groups && 2 * s.groups >= width &&
               volume(s.input) <= most && volume(s.output) <= most && volume(s.kernel) <= most;
    }

    explicit LaneDepthwise(const ConvolutionShape& s) : s_(s) {}

    void forward(const T* input, const T* weight, const T* bias, T* output) const {
        run(forward_plan(), input, s_.input, weight, bias, output, s_.output);
    }
    void input_gradient(const T* grad_output, const T* weight, const T* bias, T* grad_input) const {
        run(gradient_plan(), grad_output, s_.output, weight, bias, grad_input, s_.input);
    }
    void weight_gradient(const T* input, const T* grad_output, T* grad_weight) const {
        const Plan plan = forward_plan();
        const int64_t taps = std::ssize(plan.taps), positions = volume(s_.output);
        for_blocks(plan, [&](int64_t first, int count, T* box) {
            T* sums = scratch_array<T>(ScratchUse::vector, static_cast<size_t>(taps * width));
            T* grads = scratch_array<T>(ScratchUse::accumulator, static_cast<size_t>(positions * width));
            std::fill_n(sums, taps * width, T{});
            for (int64_t image = 0; image < s_.batch; ++image) {
                const int64_t plane = image * s_.groups + first;
                gather(input + plane * volume(s_.input), volume(s_.input), count, plan.places.data(), box);
                gather(grad_output + plane * positions, positions, count, nullptr, grads);
                for (int64_t tap = 0; tap < taps; tap += taps_at_once)
                    correlate(plan, box, grads, tap, std::min<int64_t>(taps_at_once, taps - tap), sums);
            }
            for (int64_t tap = 0; tap < taps; ++tap)
                for (int lane = 0; lane < count; ++lane)
                    grad_weight[(first + lane) * taps + tap] = sums[tap * width + lane];
        });
    }

  private:
    using V = Vector<T>;
    static constexpr int width = lanes<T>;
    static constexpr int taps_at_once = 9;
    static constexpr int64_t most = 324;

    // Where each element of a source plane goes in the box (or -1), and what each output position reads from
    // it.
    struct Plan {
        std::vector<int64_t> places, taps;
        int64_t grid[3], stride[3], volume;
    };

    // `spacing`: how far apart in the sampled coordinates neighbours of the source lie.
    static Plan plan_of(const Sampling& sampling, const int64_t (&size)[3], const int64_t (&spacing)[3]) {
        const Box box = sampling.box();
        Plan plan;
        plan.taps = sampling.tap_offsets(box);
        plan.volume = box.volume();
        plan.places.assign(1, 0);
        int64_t stride = 1, parts = box.part();
        std::vector<int64_t> axis[3];
        for (int d = 2; d >= 0; --d) {
            plan.grid[d] = sampling.grid[d];
            plan.stride[d] = stride;
            axis[d] = places_on(box.axis[d], size[d], spacing[d], stride, parts);
            stride *= box.axis[d].extent;
            parts *= std::ssize(box.axis[d].remainders);
        }
        for (const auto& places : axis) {
            std::vector<int64_t> further;
            for (const int64_t before : plan.places)
                for (const int64_t place : places)
                    further.push_back(before < 0 || place < 0 ? -1 : before + place);
            plan.places = std::move(further);
        }
        return plan;
    }
    static std::vector<int64_t> places_on(const BoxAxis& axis, int64_t size, int64_t spacing, int64_t stride,
                                          int64_t parts) {
        std::vector<int64_t> places(static_cast<size_t>(size), -1);
        for (size_t r = 0; r < axis.remainders.size(); ++r) {
            for (int64_t i = 0; i < axis.extent; ++i) {
                const int64_t at = axis.coordinate(r, i);
                if (at >= 0 && at % spacing == 0 && at / spacing < size)
                    places[static_cast<size_t>(at / spacing)] = static_cast<int64_t>(r) * parts + i * stride;
            }
        }
        return places;
    }
    Plan forward_plan() const { return plan_of(forward_sampling(s_), s_.input, {1, 1, 1}); }
    // The output's gradient, spread out by the stride, is convolved with the flipped weight.
    Plan gradient_plan() const {
        Sampling sampling;
        for (int d = 0; d < 3; ++d) {
            sampling.grid[d] = s_.input[d];
            sampling.origin[d] = s_.padding[d];
            sampling.step[d] = 1;
            for (int64_t tap = 0; tap < s_.kernel[d]; ++tap)
                sampling.taps[d].push_back(-tap * s_.dilation[d]);
        }
        return plan_of(sampling, s_.output, s_.stride);
    }

    // body(first channel, channels, box full of zeros) for each vector of channels.
    template <class Body>
    void for_blocks(const Plan& plan, Body&& body) const {
        const int64_t work =
            s_.batch * width * (volume(s_.input) + volume(s_.output)) * std::ssize(plan.taps);
        parallel_for(0, ceil_divide(s_.groups, width),
                     std::max<int64_t>(1, parallel_work / std::max<int64_t>(1, work)),
                     [&](int64_t begin, int64_t end) {
                         const int64_t size = plan.volume * width;
                         T* box = scratch_array<T>(ScratchUse::local, static_cast<size_t>(size));
                         std::fill_n(box, size, T{});
                         for (int64_t block = begin; block < end; ++block)
                             body(block * width,
                                  static_cast<int>(std::min<int64_t>(width, s_.groups - block * width)), box);
                     });
    }

    void run(const Plan& plan, const T* source, const int64_t (&from)[3], const T* weight, const T* bias,
             T* target, const int64_t (&to)[3]) const {
        const int64_t taps = std::ssize(plan.taps), inputs = volume(from), outputs = volume(to);
        TapColumns runs(plan.taps, 1, 1, 0);
        for (TapColumn& run : runs.columns) run.offset *= width;
        for_blocks(plan, [&](int64_t first, int count, T* box) {
            T* factors = scratch_array<T>(ScratchUse::vector, static_cast<size_t>((taps + 1) * width));
            T* results = scratch_array<T>(ScratchUse::accumulator, static_cast<size_t>(outputs * width));
            std::fill_n(factors, (taps + 1) * width, T{});
            for (int lane = 0; lane < count; ++lane) {
                for (int64_t k = 0; k < taps; ++k)
                    factors[k * width + lane] =
                        weight[(first + lane) * taps + runs.order[static_cast<size_t>(k)]];
                if (bias != nullptr) factors[taps * width + lane] = bias[first + lane];
            }
            for (int64_t image = 0; image < s_.batch; ++image) {
                const int64_t plane = image * s_.groups + first;
                gather(source + plane * inputs, inputs, count, plan.places.data(), box);
                sum_positions(plan, runs, box, factors, results);
                scatter(results, outputs, count, target + plane * outputs);
            }
        });
    }

    // Transposes the planes of `count` channels into vectors, each at its place (or one after another).
    static void gather(const T* planes, int64_t size, int count, const int64_t* places, T* target) {
        for (int64_t first = 0; first < size; first += width) {
            const int64_t here = std::min<int64_t>(width, size - first);
            V line[width];
            for (int lane = 0; lane < width; ++lane) {
                const T* source = planes + lane * size + first;
                line[lane] = lane >= count   ? V{}
                             : here == width ? load_vector(source)
                                             : Vec<T>::load(source, here).native;
            }
            transpose_square<T>(line);
            for (int j = 0; j < here; ++j) {
                const int64_t place = places != nullptr ? places[first + j] : first + j;
                if (place >= 0) store_vector(target + place * width, line[j]);
            }
        }
    }
    static void scatter(const T* results, int64_t size, int count, T* planes) {
        for (int64_t first = 0; first < size; first += width) {
            const int64_t here = std::min<int64_t>(width, size - first);
            V line[width];
            for (int j = 0; j < width; ++j)
                line[j] = load_vector(results + (first + std::min<int64_t>(j, here - 1)) * width);
            transpose_square<T>(line);
            for (int lane = 0; lane < count; ++lane)
                Vec<T>(line[lane]).store(planes + lane * size + first, here);
        }
    }

    // Neighbours of a line of the box are a vector apart, as lines of a plane are a pitch apart.
    static void sum_positions(const Plan& plan, const TapColumns& taps, const T* box, const T* factors,
                              T* result) {
        const int64_t pieces = ceil_divide(plan.grid[2], plane_rows);
        PlaneLines<T> line_of{nullptr, width, factors, factors + std::ssize(plan.taps) * width,
                              result,  width, width};
        for (int64_t line = 0; line < plan.grid[0] * plan.grid[1]; ++line) {
            const int64_t start = line / plan.grid[1] * plan.stride[0] + line % plan.grid[1] * plan.stride[1];
            for (int64_t index = 0; index < pieces; ++index) {
                const Range xs = piece(plan.grid[2], pieces, index);
                line_of.data = box + (start + xs.first) * width;
                sum_lines_function<T, V>(xs.count, std::make_integer_sequence<int, plane_rows>())(
                    taps.columns, line_of);
                line_of.out += xs.count * width;
            }
        }
    }

    template <int count>
    static void correlate_some(const Plan& plan, const T* box, const T* grads, const int64_t* taps, T* sums) {
        V sum[count];
        for (int t = 0; t < count; ++t) sum[t] = load_vector(sums + t * width);
        for (int64_t line = 0; line < plan.grid[0] * plan.grid[1]; ++line) {
            const T* source =
                box + (line / plan.grid[1] * plan.stride[0] + line % plan.grid[1] * plan.stride[1]) * width;
            for (int64_t x = 0; x < plan.grid[2]; ++x, grads += width, source += width) {
                const V grad = load_vector(grads);
                for (int t = 0; t < count; ++t) sum[t] += grad * load_vector(source + taps[t] * width);
            }
        }
        for (int t = 0; t < count; ++t) store_vector(sums + t * width, sum[t]);
    }
    template <int... counts>
    static auto correlate_function(int64_t count, std::integer_sequence<int, counts...>) {
        static constexpr decltype(&correlate_some<1>) functions[] = {&correlate_some<counts + 1>...};
        return functions[count - 1];
    }
    static void correlate(const Plan& plan, const T* box, const T* grads, int64_t tap, int64_t count,
                          T* sums) {
        const auto function = correlate_function(count, std::make_integer_sequence<int, taps_at_once>());
        function(plan, box, grads, plan.taps.data() + tap, sums + tap * width);
    }

    const ConvolutionShape& s_;
};

}  // namespace rl::kernels::RUSHLIGHT_ISA
