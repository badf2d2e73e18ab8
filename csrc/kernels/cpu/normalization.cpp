// Normalization loops. Sums run in vector lanes; variances are taken about the mean, in a second pass over a
// row that is still in cache.
#include "kernels/normalization.h"

#include <algorithm>
#include <cmath>

#include "core/threads.h"
#include "kernels/cpu/lines.h"

namespace rl::kernels::RUSHLIGHT_ISA {
namespace {

constexpr int64_t parallel_grain = 8192;  // elements worth handing to another thread

// The sum of term(i, lanes) over a line; lanes beyond the line must come out zero.
template <class T, class Term>
T line_sum(int64_t size, Term&& term) {
    constexpr int64_t width = Vec<T>::size;
    Vec<T> first(T(0)), second(T(0));
    int64_t i = 0;
    for (; i + 2 * width <= size; i += 2 * width) {
        first += term(i, width);
        second += term(i + width, width);
    }
    if (i + width <= size) first += term(i, width), i += width;
    if (i < size) second += term(i, size - i);
    return sum_lanes(first + second);
}

template <class T, class Value>
void write_line(T* y, int64_t size, Value&& value) {
    constexpr int64_t width = Vec<T>::size;
    int64_t i = 0;
    for (; i + width <= size; i += width) value(i, width).store(y + i);
    if (i < size) value(i, size - i).store(y + i, size - i);
}

template <class Body>
void for_each(int64_t count, int64_t size, Body&& body) {
    parallel_for(0, count, std::max<int64_t>(1, parallel_grain / std::max<int64_t>(1, size)),
                 [&](int64_t first, int64_t last) {
                     for (; first < last; ++first) body(first);
                 });
}

// x with the lanes beyond `count` made zero, where a constant was added to them.
template <class T>
Vec<T> deviation(const T* x, int64_t i, int64_t count, T mean) {
    if (count == Vec<T>::size) return Vec<T>::load(x + i) - Vec<T>(mean);
    T lanes[Vec<T>::size] = {};
    for (int64_t lane = 0; lane < count; ++lane) lanes[lane] = x[i + lane] - mean;
    return Vec<T>::load(lanes);
}

template <class T>
void normalize_row(const T* x, T* y, T mean, T rstd, const T* weight, const T* bias, const RowShape& shape) {
    const int64_t size = shape.channels * shape.inner;
    const Vec<T> center(mean), scale(rstd);
    if (shape.inner == 1) {
        write_line(y, size, [&](int64_t i, int64_t n) {
            Vec<T> value = (load_lanes(x, i, n) - center) * scale;
            if (weight != nullptr) value = value * load_lanes(weight, i, n);
            if (bias != nullptr) value = value + load_lanes(bias, i, n);
            return value;
        });
        return;
    }
    for (int64_t c = 0; c < shape.channels; ++c, x += shape.inner, y += shape.inner) {
        const Vec<T> factor(weight == nullptr ? rstd : rstd * weight[c]);
        const Vec<T> shift(bias == nullptr ? T(0) : bias[c]);
        write_line(y, shape.inner,
                   [&](int64_t i, int64_t n) { return (load_lanes(x, i, n) - center) * factor + shift; });
    }
}

template <class T>
void run_rows(const T* in, const T* weight, const T* bias, double epsilon, T* out, T* means, T* rstds,
              const RowShape& shape) {
    const int64_t size = shape.channels * shape.inner;
    for_each(shape.rows, size, [&](int64_t row) {
        const T* x = in + row * size;
        T mean = 0;
        if (means != nullptr) {
            mean = line_sum<T>(size, [&](int64_t i, int64_t n) { return load_lanes(x, i, n); }) /
                   static_cast<T>(size);
            means[row] = mean;
        }
        const T squares = line_sum<T>(size, [&](int64_t i, int64_t n) {
            const Vec<T> d = deviation(x, i, n, mean);
            return d * d;
        });
        const T rstd = T(1) / std::sqrt(squares / static_cast<T>(size) + static_cast<T>(epsilon));
        rstds[row] = rstd;
        const int64_t channel = row % shape.groups * shape.channels;
        normalize_row(x, out + row * size, mean, rstd, weight == nullptr ? nullptr : weight + channel,
                      bias == nullptr ? nullptr : bias + channel, shape);
    });
}

void rows(DType dtype, const void* in, const void* weight, const void* bias, double epsilon, void* out,
          void* mean, void* rstd, const RowShape& shape) {
    visit_float(dtype, [&](auto zero) {
        using T = decltype(zero);
        run_rows(static_cast<const T*>(in), static_cast<const T*>(weight), static_cast<const T*>(bias),
                 epsilon, static_cast<T*>(out), static_cast<T*>(mean), static_cast<T*>(rstd), shape);
    });
}

// With h = gradient * weight and z the normalized row: rstd * (h - mean(h) - z * mean(h * z)).
template <class T>
void backward_row(const T* g, const T* x, T mean, bool centered, T rstd, const T* weight, T* out,
                  const RowShape& shape) {
    const int64_t size = shape.channels * shape.inner;
    const int64_t lines = shape.inner == 1 ? 1 : shape.channels, line = size / lines;
    const auto weighted = [&](int64_t c, int64_t i, int64_t n) {
        const Vec<T> gradient = load_lanes(g, c * line + i, n);
        if (weight == nullptr) return gradient;
        return gradient * (shape.inner == 1 ? load_lanes(weight, i, n) : Vec<T>(weight[c]));
    };
    T sum = 0, product = 0;
    for (int64_t c = 0; c < lines; ++c) {
        if (centered) sum += line_sum<T>(line, [&](int64_t i, int64_t n) { return weighted(c, i, n); });
        product += line_sum<T>(line, [&](int64_t i, int64_t n) {
            return weighted(c, i, n) * deviation(x, c * line + i, n, mean);
        });
    }
    const Vec<T> center(mean), scale(rstd), offset(sum / static_cast<T>(size));
    const Vec<T> slope(product * rstd * rstd / static_cast<T>(size));
    for (int64_t c = 0; c < lines; ++c)
        write_line(out + c * line, line, [&](int64_t i, int64_t n) {
            return scale * (weighted(c, i, n) - offset - (load_lanes(x, c * line + i, n) - center) * slope);
        });
}

void rows_backward(DType dtype, const void* gradient, const void* in, const void* mean, const void* rstd,
                   const void* weight, void* in_gradient, const RowShape& shape) {
    const int64_t size = shape.channels * shape.inner;
    visit_float(dtype, [&](auto zero) {
        using T = decltype(zero);
        for_each(shape.rows, size, [&](int64_t row) {
            const int64_t channel = row % shape.groups * shape.channels;
            backward_row(static_cast<const T*>(gradient) + row * size, static_cast<const T*>(in) + row * size,
                         mean == nullptr ? T(0) : static_cast<const T*>(mean)[row], mean != nullptr,
                         static_cast<const T*>(rstd)[row],
                         weight == nullptr ? nullptr : static_cast<const T*>(weight) + channel,
                         static_cast<T*>(in_gradient) + row * size, shape);
        });
    });
}

template <class T>
struct WeightBackward {
    const T* gradient;
    const T* in;
    const T* mean;
    const T* rstd;
    T* weight_gradient;
    T* bias_gradient;
    const RowShape& shape;

    void store(int64_t channel, T weight, T bias) const {
        if (weight_gradient != nullptr) weight_gradient[channel] = weight;
        if (bias_gradient != nullptr) bias_gradient[channel] = bias;
    }

    // Neighbouring channels together, for rows of channels alone.
    void tile(int64_t begin, int64_t end) const {
        constexpr int64_t tile_size = 64;
        T weights[tile_size] = {}, biases[tile_size] = {};
        for (int64_t row = begin / shape.channels; row < shape.rows; row += shape.groups) {
            const T* g = gradient + row * shape.channels + begin % shape.channels;
            const T* x = in + row * shape.channels + begin % shape.channels;
            const T center = mean == nullptr ? T(0) : mean[row], scale = rstd[row];
            for (int64_t j = 0; j < end - begin; ++j) {
                weights[j] += g[j] * (x[j] - center) * scale;
                biases[j] += g[j];
            }
        }
        for (int64_t j = 0; j < end - begin; ++j) store(begin + j, weights[j], biases[j]);
    }

    void channel(int64_t index) const {
        T weight = 0, bias = 0;
        for (int64_t row = index / shape.channels; row < shape.rows; row += shape.groups) {
            const int64_t at = (row * shape.channels + index % shape.channels) * shape.inner;
            const T center = mean == nullptr ? T(0) : mean[row];
            weight += rstd[row] * line_sum<T>(shape.inner, [&](int64_t i, int64_t n) {
                          return load_lanes(gradient + at, i, n) * deviation(in + at, i, n, center);
                      });
            bias += line_sum<T>(shape.inner,
                                [&](int64_t i, int64_t n) { return load_lanes(gradient + at, i, n); });
        }
        store(index, weight, bias);
    }

    void run() const {
        const int64_t count = shape.groups * shape.channels;
        const int64_t depth = shape.rows / std::max<int64_t>(1, shape.groups);
        if (shape.inner != 1)
            return for_each(count, depth * shape.inner, [&](int64_t index) { channel(index); });
        const int64_t tiles = (shape.channels + 63) / 64;
        for_each(shape.groups * tiles, depth * 64, [&](int64_t index) {
            const int64_t base = index / tiles * shape.channels, begin = index % tiles * 64;
            tile(base + begin, base + std::min(shape.channels, begin + 64));
        });
    }
};

void rows_weight_backward(DType dtype, const void* gradient, const void* in, const void* mean,
                          const void* rstd, void* weight_gradient, void* bias_gradient,
                          const RowShape& shape) {
    visit_float(dtype, [&](auto zero) {
        using T = decltype(zero);
        WeightBackward<T>{static_cast<const T*>(gradient),
                          static_cast<const T*>(in),
                          static_cast<const T*>(mean),
                          static_cast<const T*>(rstd),
                          static_cast<T*>(weight_gradient),
                          static_cast<T*>(bias_gradient),
                          shape}
            .run();
    });
}

template <class T>
void run_channels(const T* x, const T* a, const T* y, const T* b, const T* shift, T* out,
                  const ChannelShape& shape) {
    if (shape.inner == 1)
        return for_each(shape.outer, shape.channels, [&](int64_t row) {
            const int64_t at = row * shape.channels;
            write_line(out + at, shape.channels, [&](int64_t i, int64_t n) {
                const Vec<T> value = load_lanes(x + at, i, n) * load_lanes(a, i, n) + load_lanes(shift, i, n);
                return y == nullptr ? value : value + load_lanes(y + at, i, n) * load_lanes(b, i, n);
            });
        });
    for_each(shape.outer * shape.channels, shape.inner, [&](int64_t line) {
        const int64_t at = line * shape.inner, c = line % shape.channels;
        const Vec<T> slope(a[c]), second(b == nullptr ? T(0) : b[c]), offset(shift[c]);
        write_line(out + at, shape.inner, [&](int64_t i, int64_t n) {
            const Vec<T> value = load_lanes(x + at, i, n) * slope + offset;
            return y == nullptr ? value : value + load_lanes(y + at, i, n) * second;
        });
    });
}

void channels(DType dtype, const void* x, const void* a, const void* y, const void* b, const void* shift,
              void* out, const ChannelShape& shape) {
    visit_float(dtype, [&](auto zero) {
        using T = decltype(zero);
        run_channels(static_cast<const T*>(x), static_cast<const T*>(a), static_cast<const T*>(y),
                     static_cast<const T*>(b), static_cast<const T*>(shift), static_cast<T*>(out), shape);
    });
}

template <class T>
void run_channel_sums(const T* gradient, const T* in, const T* mean, T* sums, T* products,
                      const ChannelShape& shape) {
    for_each(shape.channels, shape.outer * shape.inner, [&](int64_t c) {
        double sum = 0, product = 0;
        for (int64_t outer = 0; outer < shape.outer; ++outer) {
            const int64_t at = (outer * shape.channels + c) * shape.inner;
            sum += line_sum<T>(shape.inner,
                               [&](int64_t i, int64_t n) { return load_lanes(gradient + at, i, n); });
            product += line_sum<T>(shape.inner, [&](int64_t i, int64_t n) {
                return load_lanes(gradient + at, i, n) * deviation(in + at, i, n, mean[c]);
            });
        }
        sums[c] = static_cast<T>(sum);
        products[c] = static_cast<T>(product);
    });
}

void channel_sums(DType dtype, const void* gradient, const void* in, const void* mean, void* sums,
                  void* products, const ChannelShape& shape) {
    visit_float(dtype, [&](auto zero) {
        using T = decltype(zero);
        run_channel_sums(static_cast<const T*>(gradient), static_cast<const T*>(in),
                         static_cast<const T*>(mean), static_cast<T*>(sums), static_cast<T*>(products),
                         shape);
    });
}

}  // namespace

extern const NormalizationKernels normalization_table;
const NormalizationKernels normalization_table = {
    rows, rows_backward, rows_weight_backward, channels, channel_sums,
};

}  // namespace rl::kernels::RUSHLIGHT_ISA
