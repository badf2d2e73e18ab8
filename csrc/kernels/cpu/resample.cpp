// Separable linear maps: rows of the input are combined first, a whole row at a time, then the elements of a
// row, a vector of neighbours at a time.
#include "kernels/resample.h"

#include <algorithm>

#include "core/scratch.h"
#include "core/threads.h"
#include "kernels/cpu/lines.h"
#include "kernels/cpu/partial_vectors.h"

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

// The terms of one output of a map.
struct Terms {
    size_t begin, end;
};
Terms terms_of(const AxisMap& map, int64_t i) {
    return {static_cast<size_t>(map.first[static_cast<size_t>(i)]),
            static_cast<size_t>(map.first[static_cast<size_t>(i) + 1])};
}

// Whether an output is the one before it again.
bool same_terms(const AxisMap& map, int64_t i) {
    const Terms here = terms_of(map, i), before = terms_of(map, i - 1);
    const auto same = [&](const auto& values) {
        const auto* const data = values.data();
        return values.empty() || std::equal(data + here.begin, data + here.end, data + before.begin);
    };
    return here.end - here.begin == before.end - before.begin && map.divisor_at(i) == map.divisor_at(i - 1) &&
           same(map.index) && same(map.weight);
}

// The map of a line in vectors of outputs: the j-th terms of some neighbours are a permutation of two vectors
// of the line, or of one, or lie side by side.
template <class T>
class LineMap {
    using Index = Vector<IntegerOf<T>>;
    static constexpr int width = lanes<T>;

  public:
    explicit LineMap(const AxisMap& map) {
        const std::vector<T> weights = weights_of<T>(map);
        for (int64_t start = 0; start < map.output;) {
            int64_t count = std::min<int64_t>(width, map.output - start);
            while (!reaches(map, start, count)) --count;
            if (count == 1 && is_run(map, start))
                add_run(map, start);
            else
                add_block(map, weights, start, count);
            start += count;
        }
        weighted_ = !map.weight.empty();
        divided_ = !map.divisor.empty();
    }

    // How far beyond the end of a line it is read.
    static constexpr int64_t margin = 2 * width;

    template <class S>
    void apply(const T* line, T divisor, S* target) const {
        const Block* last = blocks_.data() + blocks_.size();
        for (const Block* block = blocks_.data(); block != last; ++block) {
            Vector<T> sum{};
            const Term* term = terms_.data() + block->terms.begin;
            const Term* end = terms_.data() + block->terms.end;
            if (term != end) sum = value_of(*term++, line);
            for (; term != end; ++term) sum += value_of(*term, line);
            if (block->run.end > block->run.begin) sum[0] = run_sum(line, block->run);
            if (divided_ || divisor != T(1)) sum /= block->divisor * divisor;
            store_some(target + block->start, sum, block->count);
        }
    }

  private:
    enum class Reach { adjacent, one, two };
    struct Term {
        int64_t base;
        Reach reach;
        Index lane, present;
        Vector<T> weight;
    };
    struct Block {
        Terms terms, run;  // neighbours that one output sums, in place of terms
        int64_t start, count;
        Vector<T> divisor;
    };

    Vector<T> value_of(const Term& term, const T* line) const {
        Vector<T> value = load_vector(line + term.base);
        if (term.reach == Reach::one) value = __builtin_shuffle(value, term.lane);
        if (term.reach == Reach::two)
            value = __builtin_shuffle(value, load_vector(line + term.base + width), term.lane);
        value = std::bit_cast<Vector<T>>(std::bit_cast<Index>(value) & term.present);
        return weighted_ ? value * term.weight : value;
    }

    // The least and the largest index among the j-th terms of some outputs.
    static std::pair<int64_t, int64_t> range(const AxisMap& map, int64_t start, int64_t count, size_t j) {
        int64_t least = map.input, most = -1;
        for (int64_t i = start; i < start + count; ++i) {
            const Terms terms = terms_of(map, i);
            if (j >= terms.end - terms.begin) continue;
            least = std::min(least, map.index[terms.begin + j]);
            most = std::max(most, map.index[terms.begin + j]);
        }
        return {least, most};
    }
    static size_t most_terms(const AxisMap& map, int64_t start, int64_t count) {
        size_t most = 0;
        for (int64_t i = start; i < start + count; ++i) {
            const Terms terms = terms_of(map, i);
            most = std::max(most, terms.end - terms.begin);
        }
        return most;
    }
    static bool reaches(const AxisMap& map, int64_t start, int64_t count) {
        for (size_t j = 0; j < most_terms(map, start, count); ++j) {
            const auto [least, most] = range(map, start, count, j);
            if (most - least >= 2 * width) return false;
        }
        return true;
    }
    void add_block(const AxisMap& map, const std::vector<T>& weights, int64_t start, int64_t count) {
        Block block{{terms_.size(), 0}, {}, start, count, Vector<T>{} + T(1)};
        for (int64_t i = 0; i < count; ++i) block.divisor[i] = static_cast<T>(map.divisor_at(start + i));
        for (size_t j = 0; j < most_terms(map, start, count); ++j) {
            const auto [least, most] = range(map, start, count, j);
            Term term{least, Reach::adjacent, {}, {}, {}};
            for (int64_t i = 0; i < count; ++i) {
                const Terms terms = terms_of(map, start + i);
                if (j >= terms.end - terms.begin) continue;
                const int64_t lane = map.index[terms.begin + j] - least;
                term.lane[i] = static_cast<IntegerOf<T>>(lane);
                term.present[i] = -1;
                term.weight[i] = weights[terms.begin + j];
                if (lane != i) term.reach = Reach::one;
            }
            if (term.reach == Reach::one && most - least >= width) term.reach = Reach::two;
            terms_.push_back(term);
        }
        block.terms.end = terms_.size();
        blocks_.push_back(block);
    }

    // Whether an output is the plain sum of neighbours.
    static bool is_run(const AxisMap& map, int64_t i) {
        const Terms terms = terms_of(map, i);
        if (!map.weight.empty() || terms.begin == terms.end) return false;
        for (size_t j = terms.begin + 1; j < terms.end; ++j)
            if (map.index[j] != map.index[j - 1] + 1) return false;
        return true;
    }
    void add_run(const AxisMap& map, int64_t i) {
        const Terms terms = terms_of(map, i);
        const auto first = static_cast<size_t>(map.index[terms.begin]);
        Block block{{}, {first, first + (terms.end - terms.begin)}, i, 1, Vector<T>{} + T(1)};
        block.divisor[0] = static_cast<T>(map.divisor_at(i));
        blocks_.push_back(block);
    }
    static T run_sum(const T* line, Terms run) {
        Vector<T> sum{};
        size_t i = run.begin;
        for (; i + width <= run.end; i += width) sum += load_vector(line + i);
        if (i < run.end) sum += load_some(line + i, static_cast<int64_t>(run.end - i));
        return sum_lanes<T>(Vec<T>(sum));
    }

    std::vector<Term> terms_;
    std::vector<Block> blocks_;
    bool weighted_ = false, divided_ = false;
};

// The map of a line, output by output, for numbers that vectors do not hold.
template <class T>
class ScalarLineMap {
  public:
    explicit ScalarLineMap(const AxisMap& map) : map_(map), weights_(weights_of<T>(map)) {}

    static constexpr int64_t margin = 0;

    template <class S>
    void apply(const T* line, int64_t divisor, S* target) const {
        for (int64_t x = 0; x < map_.output; ++x) {
            const Terms terms = terms_of(map_, x);
            T sum{};
            for (size_t i = terms.begin; i < terms.end; ++i)
                sum += map_.weight.empty() ? line[map_.index[i]] : line[map_.index[i]] * weights_[i];
            const int64_t whole = divisor * map_.divisor_at(x);
            if (whole != 1) sum /= static_cast<Weight<T>>(whole);
            target[x] = to_storage<S>(sum);
        }
    }

  private:
    const AxisMap& map_;
    std::vector<Weight<T>> weights_;
};

template <class S>
class Resampler {
    using T = Compute<S>;
    static constexpr bool in_vectors = std::is_floating_point_v<T>;
    using Line = std::conditional_t<in_vectors, LineMap<T>, ScalarLineMap<T>>;
    using Divisor = std::conditional_t<in_vectors, T, int64_t>;

  public:
    Resampler(int64_t planes, const AxisMap (&maps)[3], int64_t divisor, const S* input, S* output)
        : planes_(planes),
          maps_(maps),
          divisor_(divisor),
          input_(input),
          output_(output),
          line_(maps[2]),
          weights_{weights_of<T>(maps[0]), weights_of<T>(maps[1])} {
        for (int64_t y = 0; y < maps[1].output; ++y) repeats_.push_back(y > 0 && same_terms(maps[1], y));
    }

    void run() const {
        const int64_t slices = maps_[0].output, rows = maps_[1].output;
        const int64_t work = std::max<int64_t>(1, maps_[2].output + maps_[2].input);
        parallel_for(
            0, planes_ * slices * rows, std::max<int64_t>(1, 32768 / work), [&](int64_t begin, int64_t end) {
                T* line =
                    scratch_array<T>(ScratchUse::staging, static_cast<size_t>(maps_[2].input + Line::margin));
                std::fill_n(line, maps_[2].input + Line::margin, T{});
                int64_t plane = begin / (slices * rows), z = begin / rows % slices, y = begin % rows;
                for (int64_t item = begin; item < end; ++item) {
                    if (item > begin && repeats_[static_cast<size_t>(y)])
                        std::copy_n(output_ + (item - 1) * maps_[2].output, maps_[2].output,
                                    output_ + item * maps_[2].output);
                    else
                        make_row(plane, z, y, line);
                    if (++y < rows) continue;
                    y = 0;
                    if (++z < slices) continue;
                    z = 0;
                    ++plane;
                }
            });
    }

  private:
    void make_row(int64_t plane, int64_t z, int64_t y, T* line) const {
        const int64_t width = maps_[2].input;
        const S* source = input_ + plane * maps_[0].input * maps_[1].input * width;
        const Terms slices = terms_of(maps_[0], z), rows = terms_of(maps_[1], y);
        bool started = false;
        for (size_t i = slices.begin; i < slices.end; ++i) {
            for (size_t j = rows.begin; j < rows.end; ++j, started = true) {
                const S* row = source + (maps_[0].index[i] * maps_[1].input + maps_[1].index[j]) * width;
                const Weight<T> weight = weights_[0][i] * weights_[1][j];
                started ? add_row<false>(row, weight, line) : add_row<true>(row, weight, line);
            }
        }
        if (!started) std::fill_n(line, width, T{});
        const int64_t divisor = maps_[0].divisor_at(z) * maps_[1].divisor_at(y) * divisor_;
        const int64_t place = ((plane * maps_[0].output + z) * maps_[1].output + y) * maps_[2].output;
        line_.apply(line, static_cast<Divisor>(divisor), output_ + place);
    }

    template <bool first>
    void add_row(const S* source, Weight<T> weight, T* line) const {
        const int64_t count = maps_[2].input;
        if constexpr (in_vectors) {
            for (int64_t x = 0; x < count; x += lanes<T>) {
                Vector<T> value = load_some(source + x, std::min<int64_t>(lanes<T>, count - x)) * weight;
                if constexpr (!first) value += load_vector(line + x);
                store_vector(line + x, value);
            }
        } else {
            for (int64_t x = 0; x < count; ++x)
                line[x] = (first ? T{} : line[x]) + static_cast<T>(source[x]) * weight;
        }
    }

    int64_t planes_;
    const AxisMap (&maps_)[3];
    int64_t divisor_;
    const S* input_;
    S* output_;
    Line line_;
    std::vector<Weight<T>> weights_[2];
    std::vector<bool> repeats_;  // whether a row is the one before it again
};

// Means of whole planes.
template <class S>
void average_planes(int64_t planes, int64_t size, int64_t divisor, const S* input, S* output) {
    using T = Compute<S>;
    constexpr int width = lanes<T>, sums = 4;
    parallel_for(0, planes, std::max<int64_t>(1, 32768 / size), [&](int64_t begin, int64_t end) {
        for (int64_t plane = begin; plane < end; ++plane) {
            const S* source = input + plane * size;
            Vector<T> sum[sums] = {};
            int64_t i = 0;
            for (; i + sums * width <= size; i += sums * width)
#pragma GCC unroll 4
                for (int k = 0; k < sums; ++k) sum[k] += load_converted(source + i + k * width);
#pragma GCC unroll 4
            for (int k = 0; k < sums; ++k, i += width)
                if (i < size) sum[k] += load_some(source + i, std::min<int64_t>(width, size - i));
            const T total = sum_lanes<T>(Vec<T>((sum[0] + sum[1]) + (sum[2] + sum[3])));
            output[plane] = to_storage<S>(total / static_cast<T>(divisor));
        }
    });
}

// Maps over (planes, depth, height, width, inner): every output is a weighted sum of runs of `inner`
// elements.
template <class S>
class InnerResampler {
    using T = Compute<S>;
    static constexpr int width = lanes<T>;

  public:
    InnerResampler(const AxisMap (&maps)[3], int64_t divisor, int64_t inner)
        : maps_(maps),
          divisor_(divisor),
          inner_(inner),
          weights_{weights_of<T>(maps[0]), weights_of<T>(maps[1]), weights_of<T>(maps[2])} {}

    void run(int64_t planes, const S* input, S* output) const {
        const int64_t lines = maps_[0].output * maps_[1].output, line = maps_[2].output * inner_;
        const int64_t size = maps_[0].input * maps_[1].input * maps_[2].input * inner_;
        const int64_t work = std::max<int64_t>(1, line + size / lines);
        parallel_for(0, planes * lines, std::max<int64_t>(1, 32768 / work), [&](int64_t begin, int64_t end) {
            std::vector<Row> rows;
            for (int64_t item = begin; item < end; ++item)
                make_line(item % lines, input + item / lines * size, output + item * line, rows);
        });
    }

  private:
    // A row of the input that a line of outputs sums.
    struct Row {
        const S* source;
        T weight;
    };
    // What is done with the sum of some columns of all rows.
    struct Sum {
        Terms columns;
        T divisor, factor;
    };

    void make_line(int64_t line, const S* source, S* target, std::vector<Row>& rows) const {
        const int64_t z = line / maps_[1].output, y = line % maps_[1].output;
        const int64_t divisor = divisor_ * maps_[0].divisor_at(z) * maps_[1].divisor_at(y);
        const Terms slices = terms_of(maps_[0], z), lines = terms_of(maps_[1], y);
        rows.clear();
        for (size_t i = slices.begin; i < slices.end; ++i)
            for (size_t j = lines.begin; j < lines.end; ++j) {
                const int64_t row = maps_[0].index[i] * maps_[1].input + maps_[1].index[j];
                rows.push_back({source + row * maps_[2].input * inner_, weights_[0][i] * weights_[1][j]});
            }
        for (int64_t x = 0; x < maps_[2].output; ++x, target += inner_) {
            const int64_t whole = divisor * maps_[2].divisor_at(x);
            Sum sum{terms_of(maps_[2], x), T(1), T(1)};
            // The quotient by a power of two is a product as well.
            (whole > 0 && (whole & (whole - 1)) == 0 ? sum.factor : sum.divisor) =
                whole > 0 && (whole & (whole - 1)) == 0 ? 1 / static_cast<T>(whole) : static_cast<T>(whole);
            for_each_strip<T, 4, 2, 1>(0, inner_, [&](int64_t c, int64_t count, auto vectors) {
                sum_runs<vectors>(rows, sum, c, target + c, vectors == 1 ? count : int64_t{width});
            });
        }
    }
    // Some vectors of an output, of which the last has `count` elements.
    template <int vectors>
    void sum_runs(const std::vector<Row>& rows, const Sum& sum, int64_t column, S* target,
                  int64_t count) const {
        Vector<T> total[vectors] = {};
        for (const Row& row : rows) {
            const T weight = row.weight * sum.factor;
            for (size_t k = sum.columns.begin; k < sum.columns.end; ++k) {
                const S* run = row.source + maps_[2].index[k] * inner_ + column;
                const T factor = weight * weights_[2][k];
#pragma GCC unroll 4
                for (int v = 0; v + 1 < vectors; ++v) total[v] += load_converted(run + v * width) * factor;
                total[vectors - 1] += load_some(run + (vectors - 1) * width, count) * factor;
            }
        }
#pragma GCC unroll 4
        for (int v = 0; v < vectors; ++v) {
            if (sum.divisor != T(1)) total[v] /= sum.divisor;
            store_some(target + v * width, total[v], v + 1 < vectors ? width : count);
        }
    }

    const AxisMap (&maps_)[3];
    int64_t divisor_, inner_;
    std::vector<T> weights_[3];
};

template <class S>
void run_one(int64_t planes, int64_t inner, const AxisMap (&maps)[3], int64_t divisor, const S* input,
             S* output) {
    if constexpr (std::is_floating_point_v<Compute<S>>) {
        if (inner > 1) return InnerResampler<S>(maps, divisor, inner).run(planes, input, output);
        if (maps[0].takes_all() && maps[1].takes_all() && maps[2].takes_all()) {
            const int64_t size = maps[0].input * maps[1].input * maps[2].input;
            for (const AxisMap& map : maps) divisor *= map.divisor_at(0);
            return average_planes(planes, size, divisor, input, output);
        }
    }
    Resampler<S>(planes, maps, divisor, input, output).run();
}

void run_resample(DType dtype, int64_t planes, int64_t inner, const AxisMap (&maps)[3], int64_t divisor,
                  const void* input, void* output) {
    visit_dtype(dtype, [&](auto tag) {
        using S = typename decltype(tag)::type;
        run_one<S>(planes, inner, maps, divisor, static_cast<const S*>(input), static_cast<S*>(output));
    });
}

}  // namespace

extern const ResampleKernels resample_table;
const ResampleKernels resample_table = {&run_resample};

}  // namespace rl::kernels::RUSHLIGHT_ISA
