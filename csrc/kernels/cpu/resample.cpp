// Separable linear maps: rows of the input are combined first, a whole row at a time, then the elements of a
// row.
#include "kernels/resample.h"

#include <algorithm>

#include "core/scratch.h"
#include "core/threads.h"
#include "kernels/cpu/gemm_tile.h"

namespace rl::kernels::RUSHLIGHT_ISA {
namespace {

template <class T>
using Weight = std::conditional_t<std::is_same_v<T, int64_t>, int64_t, Real<T>>;

// The weights of a map in the type they are used in.
template <class T>
std::vector<Weight<T>> weights_of(const AxisMap& map) {
    std::vector<Weight<T>> weights(map.index.size(), Weight<T>(1));
    for (size_t i = 0; i < map.weight.size(); ++i) weights[i] = static_cast<Weight<T>>(map.weight[i]);
    return weights;
}

template <class S>
class Resampler {
    using T = Compute<S>;

  public:
    Resampler(int64_t planes, const AxisMap (&maps)[3], int64_t divisor, const S* input, S* output)
        : planes_(planes), maps_(maps), divisor_(divisor), input_(input), output_(output) {
        for (int d = 0; d < 3; ++d) weights_[d] = weights_of<T>(maps[d]);
    }

    void run() {
        const int64_t rows = maps_[0].output * maps_[1].output;
        const int64_t work = std::max<int64_t>(1, maps_[2].output + maps_[2].input);
        parallel_for(0, planes_ * rows, std::max<int64_t>(1, 32768 / work), [&](int64_t begin, int64_t end) {
            T* line = scratch_array<T>(ScratchUse::staging, static_cast<size_t>(maps_[2].input));
            for (int64_t item = begin; item < end; ++item)
                make_row(item / rows, item % rows / maps_[1].output, item % maps_[1].output, line);
        });
    }

  private:
    static int64_t divisor_at(const AxisMap& map, int64_t i) {
        return map.divisor.empty() ? 1 : map.divisor[static_cast<size_t>(i)];
    }

    void make_row(int64_t plane, int64_t z, int64_t y, T* line) {
        const int64_t width = maps_[2].input;
        const S* source = input_ + plane * maps_[0].input * maps_[1].input * width;
        bool started = false;
        for (int64_t i = maps_[0].first[static_cast<size_t>(z)];
             i < maps_[0].first[static_cast<size_t>(z) + 1]; ++i) {
            for (int64_t j = maps_[1].first[static_cast<size_t>(y)];
                 j < maps_[1].first[static_cast<size_t>(y) + 1]; ++j) {
                const int64_t row = maps_[0].index[static_cast<size_t>(i)] * maps_[1].input +
                                    maps_[1].index[static_cast<size_t>(j)];
                const Weight<T> weight =
                    weights_[0][static_cast<size_t>(i)] * weights_[1][static_cast<size_t>(j)];
                add_row(source + row * width, weight, line, started);
                started = true;
            }
        }
        if (!started) std::fill_n(line, width, T{});
        S* target = output_ + ((plane * maps_[0].output + z) * maps_[1].output + y) * maps_[2].output;
        combine(line, divisor_at(maps_[0], z) * divisor_at(maps_[1], y) * divisor_, target);
    }

    void add_row(const S* source, Weight<T> weight, T* line, bool started) const {
        const int64_t width = maps_[2].input;
        if (started) {
            for (int64_t x = 0; x < width; ++x) line[x] += static_cast<T>(source[x]) * weight;
        } else if (weight == Weight<T>(1)) {
            for (int64_t x = 0; x < width; ++x) line[x] = static_cast<T>(source[x]);
        } else {
            for (int64_t x = 0; x < width; ++x) line[x] = static_cast<T>(source[x]) * weight;
        }
    }

    void combine(const T* line, int64_t divisor, S* target) const {
        const AxisMap& map = maps_[2];
        const int64_t* index = map.index.data();
        const Weight<T>* weight = weights_[2].data();
        const bool weighted = !map.weight.empty();
        for (int64_t x = 0; x < map.output; ++x) {
            const int64_t first = map.first[static_cast<size_t>(x)],
                          last = map.first[static_cast<size_t>(x) + 1];
            T sum{};
            if (weighted) {
                for (int64_t i = first; i < last; ++i) sum += line[index[i]] * weight[i];
            } else if (last - first == 1) {
                sum = line[index[first]];
            } else {
                for (int64_t i = first; i < last; ++i) sum += line[index[i]];
            }
            const int64_t whole = divisor * divisor_at(map, x);
            if (whole != 1) sum /= static_cast<Weight<T>>(whole);
            target[x] = to_storage<S>(sum);
        }
    }

    int64_t planes_;
    const AxisMap (&maps_)[3];
    int64_t divisor_;
    const S* input_;
    S* output_;
    std::vector<Weight<T>> weights_[3];
};

void run_resample(DType dtype, int64_t planes, const AxisMap (&maps)[3], int64_t divisor, const void* input,
                  void* output) {
    visit_dtype(dtype, [&](auto tag) {
        using S = typename decltype(tag)::type;
        Resampler<S>(planes, maps, divisor, static_cast<const S*>(input), static_cast<S*>(output)).run();
    });
}

}  // namespace

extern const ResampleKernels resample_table;
const ResampleKernels resample_table = {&run_resample};

}  // namespace rl::kernels::RUSHLIGHT_ISA
