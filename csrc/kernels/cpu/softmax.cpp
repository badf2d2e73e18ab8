// Softmax loops: rows a vector at a time where the dimension is the last, otherwise tiles of neighbouring
// columns.
#include "kernels/softmax.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/threads.h"
#include "kernels/cpu/lines.h"
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

// The largest lane, or a NaN.
template <class T, int Bytes>
T largest_lane(typename NativeVector<T, Bytes>::type x) {
    if constexpr (Bytes == 16) {
        T result = x[0];
        for (int lane = 1; lane < static_cast<int>(Bytes / sizeof(T)); ++lane)
            result = (x[lane] > result) | (x[lane] != x[lane]) ? x[lane] : result;
        return result;
    } else {
        typename NativeVector<T, Bytes / 2>::type halves[2];
        std::memcpy(&halves, &x, Bytes);
        return largest_lane<T, Bytes / 2>((halves[0] > halves[1]) | (halves[0] != halves[0]) ? halves[0]
                                                                                             : halves[1]);
    }
}

template <class T>
T row_maximum(const T* x, int64_t size) {
    constexpr int64_t width = Vec<T>::size;
    if (size < width) {
        T best = -std::numeric_limits<T>::infinity();
        for (int64_t i = 0; i < size; ++i) best = (x[i] > best) | (x[i] != x[i]) ? x[i] : best;
        return best;
    }
    Vec<T> best = Vec<T>::load(x), other = Vec<T>::load(x + size - width);
    int64_t i = width;
    for (; i + 2 * width <= size; i += 2 * width) {
        best = maximum(best, Vec<T>::load(x + i));
        other = maximum(other, Vec<T>::load(x + i + width));
    }
    if (i + width <= size) best = maximum(best, Vec<T>::load(x + i));
    return largest_lane<T, vector_bytes>(maximum(best, other).native);
}

// The sum of exp(x - shift), whose terms go to `out` unless it is null.
template <class T>
T exponential_sum(const T* x, int64_t size, T shift, T* out) {
    Vec<T> total(T(0));
    int64_t i = 0;
    for (; i + Vec<T>::size <= size; i += Vec<T>::size) {
        const Vec<T> term = exp(Vec<T>::load(x + i) - Vec<T>(shift));
        if (out != nullptr) term.store(out + i);
        total += term;
    }
    if (i < size) {
        const Vec<T> term = exp(Vec<T>::load(x + i, size - i) - Vec<T>(shift));
        if (out != nullptr) term.store(out + i, size - i);
        total += first_lanes(term, size - i);
    }
    return sum_lanes(total);
}

template <class T>
void forward_row(bool log, const T* x, T* y, int64_t size) {
    const T highest = row_maximum(x, size);
    if (log) {
        // Taken off one after the other, for their sum is rounded.
        const Vec<T> shift(highest), log_sum(std::log(exponential_sum<T>(x, size, highest, nullptr)));
        for_each_vector<T>(
            size, [&](int64_t i, int64_t n) { store_lanes(load_lanes(x, i, n) - shift - log_sum, y, i, n); });
    } else {
        const Vec<T> scale(T(1) / exponential_sum(x, size, highest, y));
        for_each_vector<T>(size,
                           [&](int64_t i, int64_t n) { store_lanes(load_lanes(y, i, n) * scale, y, i, n); });
    }
}

template <class T>
void forward_tile(bool log, const T* x, T* y, int64_t size, int64_t inner, int64_t width) {
    T highest[tile_size], total[tile_size] = {}, term[tile_size];
    std::copy_n(x, width, highest);
    for (int64_t i = 1; i < size; ++i)
        for (int64_t j = 0; j < width; ++j) {
            const T value = x[i * inner + j];
            highest[j] = (value > highest[j]) | (value != value) ? value : highest[j];
        }
    for (int64_t i = 0; i < size; ++i) {
        T* const target = log ? term : y + i * inner;
        for_each_vector<T>(width, [&](int64_t j, int64_t n) {
            const Vec<T> value = exp(load_lanes(x + i * inner, j, n) - load_lanes<T>(highest, j, n));
            store_lanes(value, target, j, n);
            store_lanes(load_lanes<T>(total, j, n) + value, total, j, n);
        });
    }
    for (int64_t j = 0; j < width; ++j) total[j] = log ? std::log(total[j]) : T(1) / total[j];
    for (int64_t i = 0; i < size; ++i)
        for (int64_t j = 0; j < width; ++j)
            y[i * inner + j] = log ? x[i * inner + j] - highest[j] - total[j] : y[i * inner + j] * total[j];
}

template <class T>
void backward_row(bool log, const T* g, const T* y, T* out, int64_t size) {
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

template <class T>
void backward_tile(bool log, const T* g, const T* y, T* out, int64_t size, int64_t inner, int64_t width) {
    T total[tile_size] = {};
    for (int64_t i = 0; i < size; ++i)
        for (int64_t j = 0; j < width; ++j)
            total[j] += log ? g[i * inner + j] : g[i * inner + j] * y[i * inner + j];
    for (int64_t i = 0; i < size; ++i)
        for_each_vector<T>(width, [&](int64_t j, int64_t n) {
            const int64_t at = i * inner + j;
            const Vec<T> gradient = load_lanes(g, at, n), output = load_lanes(y, at, n),
                         sum = load_lanes<T>(total, j, n);
            store_lanes(log ? gradient - exp(output) * sum : output * (gradient - sum), out, at, n);
        });
}

// Calls row(offset) for every line where the dimension is the last, tile(offset, width) otherwise.
template <class Row, class Tile>
void for_each_line(const SoftmaxShape& shape, Row&& row, Tile&& tile) {
    if (shape.outer * shape.size * shape.inner == 0) return;
    const int64_t width = std::min(shape.inner, tile_size);
    const int64_t tiles = (shape.inner + tile_size - 1) / tile_size;
    const int64_t grain = std::max<int64_t>(1, parallel_grain / (shape.size * width));
    parallel_for(0, shape.outer * tiles, grain, [&](int64_t first, int64_t last) {
        for (; first < last; ++first) {
            const int64_t column = first % tiles * tile_size;
            const int64_t offset = first / tiles * shape.size * shape.inner + column;
            if (shape.inner == 1)
                row(offset);
            else
                tile(offset, std::min(tile_size, shape.inner - column));
        }
    });
}

void forward(bool log, DType dtype, const void* in, void* out, const SoftmaxShape& shape) {
    visit_float(dtype, [&](auto zero) {
        using T = decltype(zero);
        const T* x = static_cast<const T*>(in);
        T* y = static_cast<T*>(out);
        for_each_line(
            shape, [&](int64_t at) { forward_row(log, x + at, y + at, shape.size); },
            [&](int64_t at, int64_t width) {
                forward_tile(log, x + at, y + at, shape.size, shape.inner, width);
            });
    });
}

void backward(bool log, DType dtype, const void* gradient, const void* out, void* in_gradient,
              const SoftmaxShape& shape) {
    visit_float(dtype, [&](auto zero) {
        using T = decltype(zero);
        const T* g = static_cast<const T*>(gradient);
        const T* y = static_cast<const T*>(out);
        T* result = static_cast<T*>(in_gradient);
        for_each_line(
            shape, [&](int64_t at) { backward_row(log, g + at, y + at, result + at, shape.size); },
            [&](int64_t at, int64_t width) {
                backward_tile(log, g + at, y + at, result + at, shape.size, shape.inner, width);
            });
    });
}

void cross_entropy(DType dtype, const void* logits, const int64_t* targets, int64_t ignored, int64_t rows,
                   int64_t classes, void* losses, void* log_sums) {
    const int64_t grain = std::max<int64_t>(1, parallel_grain / std::max<int64_t>(1, classes));
    visit_float(dtype, [&](auto zero) {
        using T = decltype(zero);
        parallel_for(0, rows, grain, [&](int64_t first, int64_t last) {
            for (; first < last; ++first) {
                const T* x = static_cast<const T*>(logits) + first * classes;
                const T highest = row_maximum(x, classes);
                const T log_sum = std::log(exponential_sum<T>(x, classes, highest, nullptr));
                const int64_t target = targets[first];
                static_cast<T*>(log_sums)[first] = highest + log_sum;
                static_cast<T*>(losses)[first] = target == ignored ? T(0) : log_sum - (x[target] - highest);
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
