// Softmax loops: rows a vector at a time where the dimension is the last, short ones several together;
// otherwise tiles of neighbouring columns. 16-bit types are float within.
#include "kernels/softmax.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/scratch.h"
#include "core/threads.h"
#include "kernels/cpu/half_lines.h"
#include "kernels/cpu/reduce_elements.h"
#include "kernels/simd/math.h"

namespace rl::kernels::RUSHLIGHT_ISA {
namespace {

constexpr int64_t tile_size = 128;        // neighbouring columns worked on together
constexpr int64_t parallel_grain = 8192;  // elements worth handing to another thread

// Calls body(i, count) for each vector of a line; count is short in the last one.
template <class T, class Body>
void for_each_vector(int64_t size, Body&& body) {
    constexpr int64_t width = Vec<T>::size;
    int64_t i = 0;
    for (; i + width <= size; i += width) body(i, width);
    if (i < size) body(i, size - i);
}

// Neighbouring rows that are worked on together, as many as a vector has lanes where they are short: what
// each is reduced to is found for all of them at once.
template <class S>
struct Rows {
    using T = Compute<S>;
    static constexpr int64_t most = Vec<T>::size;

    static int64_t together(int64_t size) { return std::clamp<int64_t>(8192 / size, 1, most); }

    const S* x;
    int64_t number;
    int64_t size;

    // The lanes of each row, combined from what visit(row, i, count) gives, and those of all rows folded.
    template <class Op, class Visit>
    Vec<T> fold(Visit&& visit) const {
        Vec<T> part[most];
        for (int64_t row = 0; row < most; ++row) {
            Vec<T> total(Op::identity);
            if (row < number)
                for_each_vector<T>(size, [&](int64_t i, int64_t n) { total = visit(total, row, i, n); });
            part[row] = total;
        }
        return fold_vectors<T, Op>(part);
    }

    // A NaN need not come out: it will from the exponentials.
    Vec<T> maxima() const {
        const T lowest = -std::numeric_limits<T>::infinity();
        return fold<Maximum<T>>([&](Vec<T> total, int64_t row, int64_t i, int64_t n) {
            const Vec<T> value = load_lanes(x + row * size, i, n);
            return max(n == most ? value : lanes_between<Maximum<T>>(value, 0, n),
                       max(total, Vec<T>(lowest)));
        });
    }

    // The sums of exp(x - shift), whose terms go to `terms` unless it is null.
    Vec<T> exponential_sums(const T* shifts, T* terms) const {
        return fold<Sum<T>>([&](Vec<T> total, int64_t row, int64_t i, int64_t n) {
            const Vec<T> term = exp(load_lanes(x + row * size, i, n) - Vec<T>(shifts[row]));
            if (terms != nullptr) store_lanes(term, terms + row * size, i, n);
            return total + (n == most ? term : first_lanes(term, n));
        });
    }
};

template <class S>
void forward_rows(bool log, const S* x, S* y, int64_t number, int64_t size) {
    using T = Compute<S>;
    const Rows<S> rows{x, number, size};
    T highest[Rows<S>::most], factors[Rows<S>::most];
    rows.maxima().store(highest);
    if (log) {
        // Taken off one after the other, for their sum is rounded.
        rl::kernels::RUSHLIGHT_ISA::log(rows.exponential_sums(highest, nullptr)).store(factors);
        for (int64_t row = 0; row < number; ++row) {
            const Vec<T> shift(highest[row]), log_sum(factors[row]);
            for_each_vector<T>(size, [&](int64_t i, int64_t n) {
                store_lanes(load_lanes(x + row * size, i, n) - shift - log_sum, y + row * size, i, n);
            });
        }
        return;
    }
    T* terms;
    if constexpr (std::is_same_v<S, T>)
        terms = y;
    else
        terms = scratch_array<T>(ScratchUse::vector, static_cast<size_t>(number * size));
    (Vec<T>(T(1)) / rows.exponential_sums(highest, terms)).store(factors);
    for (int64_t row = 0; row < number; ++row)
        for_each_vector<T>(size, [&](int64_t i, int64_t n) {
            store_lanes(load_lanes(terms + row * size, i, n) * Vec<T>(factors[row]), y + row * size, i, n);
        });
}

template <class S>
void forward_tile(bool log, const S* x, S* y, int64_t size, int64_t inner, int64_t width) {
    using T = Compute<S>;
    T highest[tile_size], total[tile_size] = {}, term[tile_size];
    std::fill_n(highest, width, -std::numeric_limits<T>::infinity());
    for (int64_t i = 0; i < size; ++i)
        for_each_vector<T>(width, [&](int64_t j, int64_t n) {
            store_lanes(max(load_lanes(x + i * inner, j, n), load_lanes<T>(highest, j, n)), highest, j, n);
        });
    // The exponentials are kept where there is room for them.
    const auto exponential = [&](int64_t i, int64_t j, int64_t n) {
        return exp(load_lanes(x + i * inner, j, n) - load_lanes<T>(highest, j, n));
    };
    constexpr bool kept = std::is_same_v<S, T>;
    for (int64_t i = 0; i < size; ++i) {
        T* target = term;
        if constexpr (kept) target = log ? term : y + i * inner;
        for_each_vector<T>(width, [&](int64_t j, int64_t n) {
            const Vec<T> value = exponential(i, j, n);
            store_lanes(value, target, j, n);
            store_lanes(load_lanes<T>(total, j, n) + value, total, j, n);
        });
    }
    for (int64_t j = 0; j < width; ++j) total[j] = log ? std::log(total[j]) : T(1) / total[j];
    for (int64_t i = 0; i < size; ++i)
        for_each_vector<T>(width, [&](int64_t j, int64_t n) {
            const Vec<T> sum = load_lanes<T>(total, j, n);
            if (log)
                store_lanes(load_lanes(x + i * inner, j, n) - load_lanes<T>(highest, j, n) - sum,
                            y + i * inner, j, n);
            else
                store_lanes((kept ? load_lanes(y + i * inner, j, n) : exponential(i, j, n)) * sum,
                            y + i * inner, j, n);
        });
}

template <class S>
void backward_row(bool log, const S* g, const S* y, S* out, int64_t size) {
    using T = Compute<S>;
    Vec<T> total(T(0));
    for_each_vector<T>(size, [&](int64_t i, int64_t n) {
        total += log ? load_lanes(g, i, n) : load_lanes(g, i, n) * load_lanes(y, i, n);
    });
    const Vec<T> sum(sum_lanes(total));
    for_each_vector<T>(size, [&](int64_t i, int64_t n) {
        const Vec<T> gradient = load_lanes(g, i, n), output = load_lanes(y, i, n);
        store_lanes(log ? gradient - exp(output) * sum : output * (gradient - sum), out, i, n);
    });
}

template <class S>
void backward_tile(bool log, const S* g, const S* y, S* out, int64_t size, int64_t inner, int64_t width) {
    using T = Compute<S>;
    T total[tile_size] = {};
    for (int64_t i = 0; i < size; ++i)
        for_each_vector<T>(width, [&](int64_t j, int64_t n) {
            const int64_t at = i * inner + j;
            const Vec<T> gradient = load_lanes(g, at, n);
            store_lanes(load_lanes<T>(total, j, n) + (log ? gradient : gradient * load_lanes(y, at, n)),
                        total, j, n);
        });
    for (int64_t i = 0; i < size; ++i)
        for_each_vector<T>(width, [&](int64_t j, int64_t n) {
            const int64_t at = i * inner + j;
            const Vec<T> gradient = load_lanes(g, at, n), output = load_lanes(y, at, n),
                         sum = load_lanes<T>(total, j, n);
            store_lanes(log ? gradient - exp(output) * sum : output * (gradient - sum), out, at, n);
        });
}

// Calls body(first row, number of rows) for rows of neighbours that are to be worked on together.
template <class S, class Body>
void for_each_rows(int64_t rows, int64_t size, Body&& body) {
    const int64_t together = Rows<S>::together(size);
    const int64_t grain = std::max<int64_t>(1, parallel_grain / (size * together)) * together;
    parallel_for(0, rows, grain, [&](int64_t first, int64_t last) {
        for (; first < last; first += together) body(first, std::min(together, last - first));
    });
}

// Calls tile(offset, width) for tiles of neighbouring columns.
template <class Tile>
void for_each_tile(const SoftmaxShape& shape, Tile&& tile) {
    const int64_t width = std::min(shape.inner, tile_size);
    const int64_t tiles = (shape.inner + tile_size - 1) / tile_size;
    const int64_t grain = std::max<int64_t>(1, parallel_grain / (shape.size * width));
    parallel_for(0, shape.outer * tiles, grain, [&](int64_t first, int64_t last) {
        for (; first < last; ++first) {
            const int64_t column = first % tiles * tile_size;
            tile(first / tiles * shape.size * shape.inner + column,
                 std::min(tile_size, shape.inner - column));
        }
    });
}

void forward(bool log, DType dtype, const void* in, void* out, const SoftmaxShape& shape) {
    if (shape.outer * shape.size * shape.inner == 0) return;
    visit_floating(dtype, [&](auto tag) {
        using S = typename decltype(tag)::type;
        const S* x = static_cast<const S*>(in);
        S* y = static_cast<S*>(out);
        if (shape.inner == 1)
            for_each_rows<S>(shape.outer, shape.size, [&](int64_t row, int64_t number) {
                forward_rows(log, x + row * shape.size, y + row * shape.size, number, shape.size);
            });
        else
            for_each_tile(shape, [&](int64_t at, int64_t width) {
                forward_tile(log, x + at, y + at, shape.size, shape.inner, width);
            });
    });
}

void backward(bool log, DType dtype, const void* gradient, const void* out, void* in_gradient,
              const SoftmaxShape& shape) {
    if (shape.outer * shape.size * shape.inner == 0) return;
    visit_floating(dtype, [&](auto tag) {
        using S = typename decltype(tag)::type;
        const S* g = static_cast<const S*>(gradient);
        const S* y = static_cast<const S*>(out);
        S* result = static_cast<S*>(in_gradient);
        if (shape.inner == 1)
            for_each_rows<S>(shape.outer, shape.size, [&](int64_t row, int64_t number) {
                for (int64_t at = row * shape.size; number > 0; --number, at += shape.size)
                    backward_row(log, g + at, y + at, result + at, shape.size);
            });
        else
            for_each_tile(shape, [&](int64_t at, int64_t width) {
                backward_tile(log, g + at, y + at, result + at, shape.size, shape.inner, width);
            });
    });
}

void cross_entropy(DType dtype, const void* logits, const int64_t* targets, int64_t ignored, int64_t rows,
                   int64_t classes, void* losses, void* log_sums) {
    if (classes == 0) return;
    visit_float(dtype, [&](auto zero) {
        using T = decltype(zero);
        for_each_rows<T>(rows, classes, [&](int64_t first, int64_t number) {
            const T* x = static_cast<const T*>(logits) + first * classes;
            const Rows<T> block{x, number, classes};
            T highest[Rows<T>::most], log_sum[Rows<T>::most];
            block.maxima().store(highest);
            log(block.exponential_sums(highest, nullptr)).store(log_sum);
            for (int64_t row = 0; row < number; ++row) {
                const int64_t target = targets[first + row];
                static_cast<T*>(log_sums)[first + row] = highest[row] + log_sum[row];
                static_cast<T*>(losses)[first + row] =
                    target == ignored ? T(0) : log_sum[row] - (x[row * classes + target] - highest[row]);
            }
        });
    });
}

void cross_entropy_backward(DType dtype, const void* logits, const void* log_sums, const int64_t* targets,
                            int64_t ignored, int64_t rows, int64_t classes, const void* scales,
                            bool one_scale, void* out) {
    const int64_t grain = std::max<int64_t>(1, parallel_grain / std::max<int64_t>(1, classes));
    visit_float(dtype, [&](auto zero) {
        using T = decltype(zero);
        parallel_for(0, rows, grain, [&](int64_t first, int64_t last) {
            for (; first < last; ++first) {
                const T* x = static_cast<const T*>(logits) + first * classes;
                T* y = static_cast<T*>(out) + first * classes;
                const int64_t target = targets[first];
                if (target == ignored) {
                    std::fill_n(y, classes, T(0));
                    continue;
                }
                const T scale = static_cast<const T*>(scales)[one_scale ? 0 : first];
                const Vec<T> shift(static_cast<const T*>(log_sums)[first]), factor(scale);
                for_each_vector<T>(classes, [&](int64_t j, int64_t n) {
                    store_lanes(factor * exp(load_lanes(x, j, n) - shift), y, j, n);
                });
                y[target] -= scale;
            }
        });
    });
}

}  // namespace

extern const SoftmaxKernels softmax_table;
const SoftmaxKernels softmax_table = {forward, backward, cross_entropy, cross_entropy_backward};

}  // namespace rl::kernels::RUSHLIGHT_ISA
