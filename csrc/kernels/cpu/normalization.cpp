// Normalization loops. Sums run in vector lanes; variances are taken about the mean, in a second pass over a
// row that is still in cache. S is the type of the elements, T the one they are computed in.
#include "kernels/normalization.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/threads.h"
#include "kernels/cpu/half_lines.h"
#include "kernels/cpu/reduce_elements.h"

namespace rl::kernels::RUSHLIGHT_ISA {
namespace {

constexpr int64_t parallel_grain = 8192;  // elements worth handing to another thread

// A number of one type, and as many running sums of it as a loop has.
template <class V>
struct Pair {
    V first, second;
    Pair& operator+=(const Pair& other) {
        first += other.first;
        second += other.second;
        return *this;
    }
};

template <class T>
Pair<T> sum_lanes(const Pair<Vec<T>>& sums) {
    return {sum_lanes(sums.first), sum_lanes(sums.second)};
}

// The sum, or the pair of sums, of terms(line, i, count) over some lines of one size, in lanes to be added
// up; lanes beyond a line must come out zero.
template <class T, class Terms>
[[gnu::always_inline]] inline auto lines_lanes(int64_t lines, int64_t size, Terms&& terms) {
    constexpr int64_t width = Vec<T>::size, unrolled = 4;
    decltype(terms(0, 0, 0)) total[unrolled] = {};
    for (int64_t line = 0; line < lines; ++line) {
        int64_t i = 0;
        for (; i + unrolled * width <= size; i += unrolled * width)
            for (int64_t k = 0; k < unrolled; ++k) total[k] += terms(line, i + k * width, width);
        for (; i + width <= size; i += width) total[0] += terms(line, i, width);
        if (i < size) total[1] += terms(line, i, size - i);
    }
    total[0] += total[1];
    total[2] += total[3];
    total[0] += total[2];
    return total[0];
}
template <class T, class Terms>
auto lines_sums(int64_t lines, int64_t size, Terms&& terms) {
    return sum_lanes(lines_lanes<T>(lines, size, terms));
}

// The same of terms(i, count) over one line.
template <class T, class Terms>
auto line_sums(int64_t size, Terms&& terms) {
    return lines_sums<T>(1, size, [&](int64_t, int64_t i, int64_t n) { return terms(i, n); });
}

// The last vector of a line that has more than one overlaps the one before, which spares it a mask. What
// `value` reads is to stay in registers.
template <class S, class Value>
[[gnu::always_inline]] inline void write_line(S* y, int64_t size, Value&& value) {
    constexpr int64_t width = Vec<Compute<S>>::size;
    int64_t i = 0;
    for (; i + width <= size; i += width) store_lanes(value(i, width), y, i, width);
    if (i == size) return;
    if (i > 0)
        store_lanes(value(size - width, width), y, size - width, width);
    else
        store_lanes(value(0, size), y, 0, size);
}

template <class Body>
void for_each(int64_t count, int64_t size, Body&& body) {
    parallel_for(0, count, std::max<int64_t>(1, parallel_grain / std::max<int64_t>(1, size)),
                 [&](int64_t first, int64_t last) {
                     for (; first < last; ++first) body(first);
                 });
}

// x - mean, zero in the lanes beyond `count`.
template <class S, class T = Compute<S>>
Vec<T> deviation(const S* x, int64_t i, int64_t count, T mean) {
    const Vec<T> difference = load_lanes(x, i, count) - Vec<T>(mean);
    return count == Vec<T>::size ? difference : first_lanes(difference, count);
}

template <class S, class T = Compute<S>>
void normalize_row(const S* x, S* y, T mean, T rstd, const T* weight, const T* bias, const RowShape& shape) {
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

template <class S, class T = Compute<S>>
void run_rows(const S* in, const T* weight, const T* bias, double epsilon, S* out, T* means, T* rstds,
              const RowShape& shape) {
    const int64_t size = shape.channels * shape.inner;
    for_each(shape.rows, size, [&](int64_t row) {
        const S* x = in + row * size;
        T mean = 0;
        if (means != nullptr) {
            mean = line_sums<T>(size, [&](int64_t i, int64_t n) { return load_lanes(x, i, n); }) /
                   static_cast<T>(size);
            means[row] = mean;
        }
        const T squares = line_sums<T>(size, [&](int64_t i, int64_t n) {
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
    visit_floating(dtype, [&]<class S>(TypeTag<S>) {
        using T = Compute<S>;
        run_rows(static_cast<const S*>(in), static_cast<const T*>(weight), static_cast<const T*>(bias),
                 epsilon, static_cast<S*>(out), static_cast<T*>(mean), static_cast<T*>(rstd), shape);
    });
}

// --- Channels of [samples, outer, channels, inner], summed over outer and inner.

// Cuts each sample's rows, of which there are `outer`, and its channels into parts, by the shape alone. What
// the parts of the rows find for a channel is to be combined in their order.
struct ChannelParts {
    explicit ChannelParts(const ChannelShape& s) : shape(s) {
        const int64_t total = std::max<int64_t>(1, s.outer * s.channels * s.inner);
        row_step = ceiling(std::max<int64_t>(1, s.outer),
                           std::clamp<int64_t>(total / (4 * parallel_grain), 1, max_row_parts));
        row_parts = ceiling(std::max<int64_t>(1, s.outer), row_step);
        channel_step = ceiling(4 * parallel_grain, std::max<int64_t>(1, row_step * s.inner));
        channel_step = std::max(channel_step, ceiling(1024, std::max<int64_t>(1, s.inner)));
        channel_parts = ceiling(s.channels, channel_step);
    }

    // Calls body(part, {first row, last row}, {first channel, last channel}) for every part; rows are counted
    // over all samples.
    template <class Body>
    void for_each(Body&& body) const {
        parallel_for(0, all_row_parts() * channel_parts, 1, [&](int64_t first, int64_t last) {
            for (; first < last; ++first) {
                const int64_t part = first / channel_parts, sample = part / row_parts * shape.outer,
                              row = part % row_parts * row_step,
                              channel = first % channel_parts * channel_step;
                body(part, Range{sample + row, sample + std::min(shape.outer, row + row_step)},
                     Range{channel, std::min(shape.channels, channel + channel_step)});
            }
        });
    }

    int64_t all_row_parts() const { return shape.samples * row_parts; }

    // From what each part of rows found of each channel, that of all parts of a sample: [samples, channels].
    template <class Found>
    std::vector<Found> combine(const std::vector<Found>& partial) const {
        std::vector<Found> totals(static_cast<size_t>(shape.samples * shape.channels));
        for (int64_t part = 0; part < all_row_parts(); ++part) {
            Found* const total = totals.data() + part / row_parts * shape.channels;
            const Found* const found = partial.data() + part * shape.channels;
            for (int64_t c = 0; c < shape.channels; ++c) total[c] += found[c];
        }
        return totals;
    }

    struct Range {
        int64_t begin, end;
    };
    const ChannelShape& shape;
    int64_t row_step, row_parts, channel_step, channel_parts;

  private:
    static constexpr int64_t max_row_parts = 32;
    static int64_t ceiling(int64_t a, int64_t b) { return (a + b - 1) / b; }
};
using Range = ChannelParts::Range;

constexpr int64_t block_rows =
    256;  // rows of single elements that are summed in T, before they are in double
constexpr int64_t block_elements = 4096;  // of lines that are summed in T
constexpr int64_t block_columns = 256;    // neighbouring channels worked on together

// Lines of `size` elements that are summed as one.
int64_t lines_together(int64_t size) {
    return std::max<int64_t>(1, block_elements / std::max<int64_t>(1, size));
}

// Calls body(row, rows, column, columns) for the blocks of a part, row by row.
template <class Body>
void for_each_block(Range rows, Range columns, Body&& body) {
    for (int64_t row = rows.begin; row < rows.end; row += block_rows)
        for (int64_t column = columns.begin; column < columns.end; column += block_columns)
            body(row, std::min(block_rows, rows.end - row), column,
                 std::min(block_columns, columns.end - column));
}

// What the gradient of a normalization sums over each channel: g, and g (x - mean) rstd. Where `groups` is 0
// a mean belongs to a channel; otherwise mean and rstd belong to one of that many groups of channels in each
// row. A null mean stands for 0, a null rstd for 1.
template <class S>
struct GradientSums {
    using T = Compute<S>;
    const S* gradient;
    const S* in;
    const T* mean;
    const T* rstd;
    int64_t groups;
    T* sums;      // may be null
    T* products;  // may be null
    const ChannelShape& shape;

    void run() const {
        const ChannelParts parts(shape);
        std::vector<Pair<double>> partial(static_cast<size_t>(parts.all_row_parts() * shape.channels));
        parts.for_each([&](int64_t part, Range rows, Range channels) {
            Pair<double>* const target = partial.data() + part * shape.channels;
            if (shape.inner != 1) return lines(rows, channels, target);
            for_each_block(rows, channels, [&](int64_t row, int64_t height, int64_t column, int64_t width) {
                for (int64_t end = column + width, next; column < end; column = next) {
                    next = std::min(end, group_end(column));
                    block(row, height, column, next - column, target);
                }
            });
        });
        const auto totals = parts.combine(partial);
        for (size_t c = 0; c < totals.size(); ++c) {
            if (sums != nullptr) sums[c] = static_cast<T>(totals[c].first);
            if (products != nullptr) products[c] = static_cast<T>(totals[c].second);
        }
    }

    int64_t group_size() const { return shape.channels / groups; }
    int64_t group_end(int64_t channel) const {
        return groups == 0 ? shape.channels : (channel / group_size() + 1) * group_size();
    }
    const T* channel_means(int64_t row) const {
        return mean == nullptr ? nullptr : mean + row / shape.outer * shape.channels;
    }
    T center(int64_t row, int64_t c) const {
        if (mean == nullptr) return 0;
        return groups == 0 ? channel_means(row)[c] : mean[row * groups + c / group_size()];
    }
    T scale(int64_t row, int64_t c) const {
        return rstd == nullptr ? T(1) : rstd[row * groups + c / group_size()];
    }

    // Lines of one channel that share their mean are summed together while they are short.
    void lines(Range rows, Range channels, Pair<double>* target) const {
        const int64_t most = groups == 0 ? lines_together(shape.inner) : 1,
                      pitch = shape.channels * shape.inner;
        for (int64_t c = channels.begin; c < channels.end; ++c)
            for (int64_t row = rows.begin; row < rows.end; row += most) {
                const int64_t at = row * pitch + c * shape.inner;
                const Vec<T> middle(center(row, c));
                const Pair<T> found = lines_sums<T>(
                    std::min(most, rows.end - row), shape.inner, [&](int64_t line, int64_t i, int64_t n) {
                        const Vec<T> g = load_lanes(gradient + at + line * pitch, i, n);
                        return Pair<Vec<T>>{g, g * (load_lanes(in + at + line * pitch, i, n) - middle)};
                    });
                target[c] += {double(found.first), double(found.second) * double(scale(row, c))};
            }
    }

    // Columns of one group.
    void block(int64_t row, int64_t height, int64_t column, int64_t width, Pair<double>* target) const {
        const bool by_channel = groups == 0;
        T centers[block_rows], scales[block_rows];
        for (int64_t i = 0; i < height; ++i) {
            centers[i] = by_channel ? T(0) : center(row + i, column);
            scales[i] = scale(row + i, column);
        }
        const S *g = gradient + row * shape.channels, *x = in + row * shape.channels;
        const T* const means = by_channel ? channel_means(row) : nullptr;
        for_each_strip<T, 4, 1>(column, column + width, [&](int64_t j, int64_t columns, auto vectors) {
            constexpr int64_t size = Vec<T>::size;
            const int64_t n = std::min(size, columns);
            Vec<T> middle[vectors], sum[vectors], product[vectors];
            for (int64_t v = 0; v < vectors; ++v) {
                middle[v] = means != nullptr ? load_lanes(means, j + v * size, n) : Vec<T>(T(0));
                sum[v] = product[v] = Vec<T>(T(0));
            }
            for (int64_t i = 0; i < height; ++i)
                for (int64_t v = 0; v < vectors; ++v) {
                    const int64_t at = j + v * size;
                    if (!by_channel) middle[v] = Vec<T>(centers[i]);
                    const Vec<T> slope = load_lanes(g + i * shape.channels, at, n);
                    const Vec<T> distance = load_lanes(x + i * shape.channels, at, n) - middle[v];
                    sum[v] += slope;
                    product[v] += by_channel ? slope * distance : slope * distance * Vec<T>(scales[i]);
                }
            for (int64_t v = 0; v < vectors; ++v)
                for (int lane = 0; lane < n; ++lane)
                    target[j + v * size + lane] += {double(sum[v][lane]), double(product[v][lane])};
        });
    }
};

// All gradients of a normalization of rows in one pass over them: what the weights' sum over rows is found by
// parts, cut by the shape alone, and the parts are combined in their order.
template <class S>
struct RowGradients {
    using T = Compute<S>;
    const S* gradient;
    const S* in;
    const T* means;  // null stands for zeros
    const T* rstds;
    const T* weight;  // may be null
    S* in_gradient;
    T* weight_gradient;  // may be null
    T* bias_gradient;    // may be null
    const RowShape& shape;

    void run() const { shape.inner == 1 ? columns() : lines(); }

    // dx = rstd * weight * g - slope * (x - mean) - offset.
    struct Terms {
        T mean, rstd, slope, offset;
    };
    Terms terms(int64_t row, Pair<T> sums,
                int64_t size) const {  // of h and h (x - mean), with h = weight * g
        const T rstd = rstds[row], count = static_cast<T>(size);
        const T sum = means == nullptr ? T(0) : sums.first;
        return {mean(row), rstd, sums.second * rstd * rstd * rstd / count, rstd * sum / count};
    }
    T mean(int64_t row) const { return means == nullptr ? T(0) : means[row]; }

    // --- One weight for each element of a row (one group).

    void columns() const {
        constexpr int64_t together = 4, part_elements = 32768;
        const int64_t size = shape.channels;
        const int64_t step = std::clamp<int64_t>(part_elements / size / together, 1, 16) * together;
        const int64_t parts = (shape.rows + step - 1) / step;
        std::vector<T> partial(static_cast<size_t>(2 * parts * size));
        parallel_for(0, parts, 1, [&](int64_t first, int64_t last) {
            for (; first < last; ++first) {
                const int64_t end = std::min(shape.rows, (first + 1) * step);
                T *const sums = partial.data() + 2 * first * size, *const products = sums + size;
                int64_t row = first * step;
                for (; row + together <= end; row += together) rows_of_columns<together>(row, sums, products);
                for (; row < end; ++row) rows_of_columns<1>(row, sums, products);
            }
        });
        combine(partial.data(), parts, bias_gradient);
        combine(partial.data() + size, parts, weight_gradient);
    }

    template <int Number>
    void rows_of_columns(int64_t row, T* sums, T* products) const {
        const int64_t size = shape.channels;
        const S *const g = gradient + row * size, *const x = in + row * size;
        S* const out = in_gradient + row * size;
        Terms of[Number];
        for (int k = 0; k < Number; ++k) {
            const T center = mean(row + k);
            of[k] = terms(row + k,
                          line_sums<T>(size,
                                       [&](int64_t i, int64_t n) {
                                           Vec<T> h = load_lanes(g + k * size, i, n);
                                           if (weight != nullptr) h = h * load_lanes(weight, i, n);
                                           return Pair<Vec<T>>{h, h * deviation(x + k * size, i, n, center)};
                                       }),
                          size);
        }
        const auto column = [&](int64_t i, int64_t n) {
            const Vec<T> scale = weight == nullptr ? Vec<T>(T(1)) : load_lanes(weight, i, n);
            Vec<T> sum = load_lanes(sums, i, n), product = load_lanes(products, i, n);
            for (int k = 0; k < Number; ++k) {
                const Vec<T> slope = load_lanes(g + k * size, i, n), scaled = slope * Vec<T>(of[k].rstd);
                const Vec<T> distance = load_lanes(x + k * size, i, n) - Vec<T>(of[k].mean);
                const Vec<T> shift = fma(distance, Vec<T>(-of[k].slope), Vec<T>(-of[k].offset));
                store_lanes(fma(scaled, scale, shift), out + k * size, i, n);
                sum += slope;
                product = fma(scaled, distance, product);
            }
            store_lanes(sum, sums, i, n);
            store_lanes(product, products, i, n);
        };
        int64_t i = 0;
        for (; i + Vec<T>::size <= size; i += Vec<T>::size) column(i, Vec<T>::size);
        if (i < size) column(i, size - i);
    }

    void combine(const T* partial, int64_t parts, T* out) const {
        constexpr int64_t block = 256;
        const int64_t size = shape.channels;
        if (out == nullptr) return;
        for (int64_t begin = 0; begin < size; begin += block) {
            const int64_t count = std::min(block, size - begin);
            double total[block] = {};
            for (int64_t part = 0; part < parts; ++part)
                for (int64_t j = 0; j < count; ++j) total[j] += partial[2 * part * size + begin + j];
            for (int64_t j = 0; j < count; ++j) out[begin + j] = static_cast<T>(total[j]);
        }
    }

    // --- One weight for each line of a row.

    void lines() const {
        const int64_t channels = shape.groups * shape.channels, batch = shape.rows / shape.groups;
        std::vector<Pair<T>> found(static_cast<size_t>(shape.rows * shape.channels));
        for_each(shape.rows, shape.channels * shape.inner,
                 [&](int64_t row) { row_of_lines(row, found.data() + row * shape.channels); });
        for (int64_t c = 0; c < channels; ++c) {
            Pair<double> total{0, 0};
            for (int64_t i = 0; i < batch; ++i) {
                const Pair<T>& line = found[static_cast<size_t>(i * channels + c)];
                total += {double(line.first),
                          double(line.second) * double(rstds[i * shape.groups + c / shape.channels])};
            }
            if (bias_gradient != nullptr) bias_gradient[c] = static_cast<T>(total.first);
            if (weight_gradient != nullptr) weight_gradient[c] = static_cast<T>(total.second);
        }
    }

    // The sums of g and g (x - mean) of at most a vector's width of lines, added up together.
    void sums_of_lines(const S* g, const S* x, T center, int64_t lines, Pair<T>* found) const {
        Vec<T> first[Vec<T>::size] = {}, second[Vec<T>::size] = {};
        for (int64_t k = 0; k < lines; ++k) {
            const int64_t at = k * shape.inner;
            const Pair<Vec<T>> sums = lines_lanes<T>(1, shape.inner, [&](int64_t, int64_t i, int64_t n) {
                const Vec<T> slope = load_lanes(g + at, i, n);
                return Pair<Vec<T>>{slope, slope * deviation(x + at, i, n, center)};
            });
            first[k] = sums.first;
            second[k] = sums.second;
        }
        const Vec<T> firsts = fold_vectors<T, Sum<T>>(first), seconds = fold_vectors<T, Sum<T>>(second);
        for (int k = 0; k < lines; ++k) found[k] = {firsts[k], seconds[k]};
    }

    // Leaves each line's sums of g and g (x - mean).
    void row_of_lines(int64_t row, Pair<T>* found) const {
        const int64_t line = shape.inner, size = shape.channels * line;
        const T* const scale = weight == nullptr ? nullptr : weight + row % shape.groups * shape.channels;
        const S *const g = gradient + row * size, *const x = in + row * size;
        const T center = mean(row);
        Pair<T> sums{0, 0};
        for (int64_t c = 0; c < shape.channels; c += Vec<T>::size) {
            const int64_t lines = std::min<int64_t>(Vec<T>::size, shape.channels - c);
            sums_of_lines(g + c * line, x + c * line, center, lines, found + c);
            for (int64_t k = c; k < c + lines; ++k) {
                const T factor = scale == nullptr ? T(1) : scale[k];
                sums += {factor * found[k].first, factor * found[k].second};
            }
        }
        const Terms of = terms(row, sums, size);
        for (int64_t c = 0; c < shape.channels; ++c) {
            const Vec<T> factor(scale == nullptr ? of.rstd : of.rstd * scale[c]);
            write_line(in_gradient + row * size + c * line, line, [&](int64_t i, int64_t n) {
                const Vec<T> distance = load_lanes(x + c * line, i, n) - Vec<T>(of.mean);
                return fma(load_lanes(g + c * line, i, n), factor,
                           fma(distance, Vec<T>(-of.slope), Vec<T>(-of.offset)));
            });
        }
    }
};

// The input's gradient alone.
template <class S>
void rows_in_backward(const RowGradients<S>& a) {
    using T = Compute<S>;
    const int64_t size = a.shape.channels * a.shape.inner;
    const int64_t lines = a.shape.inner == 1 ? 1 : a.shape.channels,
                  line = size / std::max<int64_t>(1, lines);
    for_each(a.shape.rows, size, [&](int64_t row) {
        const T* const weight =
            a.weight == nullptr ? nullptr : a.weight + row % a.shape.groups * a.shape.channels;
        const S *const g = a.gradient + row * size, *const x = a.in + row * size;
        const T center = a.mean(row);
        const auto weighted = [&](int64_t c, int64_t i, int64_t n) {
            const Vec<T> gradient = load_lanes(g, c * line + i, n);
            if (weight == nullptr) return gradient;
            return gradient * (a.shape.inner == 1 ? load_lanes(weight, i, n) : Vec<T>(weight[c]));
        };
        Pair<T> sums{0, 0};
        for (int64_t c = 0; c < lines; ++c)
            sums += line_sums<T>(line, [&](int64_t i, int64_t n) {
                const Vec<T> h = weighted(c, i, n);
                return Pair<Vec<T>>{h, h * deviation(x, c * line + i, n, center)};
            });
        const auto of = a.terms(row, sums, size);
        for (int64_t c = 0; c < lines; ++c)
            write_line(a.in_gradient + row * size + c * line, line, [&](int64_t i, int64_t n) {
                const Vec<T> distance = load_lanes(x, c * line + i, n) - Vec<T>(of.mean);
                return fma(weighted(c, i, n), Vec<T>(of.rstd),
                           fma(distance, Vec<T>(-of.slope), Vec<T>(-of.offset)));
            });
    });
}

template <class S>
void rows_weight_backward(const RowGradients<S>& a) {
    const int64_t groups = std::max<int64_t>(1, a.shape.groups);
    const ChannelShape channels{1, a.shape.rows / groups, groups * a.shape.channels, a.shape.inner};
    GradientSums<S>{a.gradient, a.in, a.means, a.rstds, groups, a.bias_gradient, a.weight_gradient, channels}
        .run();
}

void rows_backward(DType dtype, const void* gradient, const void* in, const void* mean, const void* rstd,
                   const void* weight, void* in_gradient, void* weight_gradient, void* bias_gradient,
                   const RowShape& shape) {
    visit_floating(dtype, [&]<class S>(TypeTag<S>) {
        using T = Compute<S>;
        RowGradients<S> wanted{
            static_cast<const S*>(gradient),  static_cast<const S*>(in),      static_cast<const T*>(mean),
            static_cast<const T*>(rstd),      static_cast<const T*>(weight),  static_cast<S*>(in_gradient),
            static_cast<T*>(weight_gradient), static_cast<T*>(bias_gradient), shape};
        const bool weights = weight_gradient != nullptr || bias_gradient != nullptr;
        const bool joined = weights && in_gradient != nullptr &&
                            shape.rows * shape.channels * shape.inner > 0 &&
                            (shape.inner != 1 || shape.groups == 1);
        if (joined) return wanted.run();
        if (weights) rows_weight_backward(wanted);
        if (in_gradient != nullptr) rows_in_backward(wanted);
    });
}

void channel_sums(DType dtype, const void* gradient, const void* in, const void* mean, void* sums,
                  void* products, const ChannelShape& shape) {
    visit_floating(dtype, [&]<class S>(TypeTag<S>) {
        using T = Compute<S>;
        GradientSums<S>{static_cast<const S*>(gradient),
                        static_cast<const S*>(in),
                        static_cast<const T*>(mean),
                        nullptr,
                        0,
                        static_cast<T*>(sums),
                        static_cast<T*>(products),
                        shape}
            .run();
    });
}

// Count, mean and sum of squared deviations; combined as Chan, Golub and LeVeque (1979).
struct Moments {
    double count = 0, mean = 0, squares = 0;
    void combine(double more, double other_mean, double other_squares) {
        if (count == 0) return void(*this = {more, other_mean, other_squares});
        const double total = count + more, delta = other_mean - mean;
        mean += delta * (more / total);
        squares += other_squares + delta * delta * (count * more / total);
        count = total;
    }
    Moments& operator+=(const Moments& other) {
        if (other.count > 0) combine(other.count, other.mean, other.squares);
        return *this;
    }
};

// Means and biased variances of channels: each line or block of rows about its own mean while it is in cache.
template <class S>
struct ChannelMoments {
    using T = Compute<S>;
    const S* in;
    T* mean;
    T* variance;
    const ChannelShape& shape;

    void run() const {
        const ChannelParts parts(shape);
        std::vector<Moments> partial(static_cast<size_t>(parts.all_row_parts() * shape.channels));
        parts.for_each([&](int64_t part, Range rows, Range channels) {
            Moments* const target = partial.data() + part * shape.channels;
            if (shape.inner != 1) return lines(rows, channels, target);
            for_each_block(rows, channels, [&](int64_t row, int64_t height, int64_t column, int64_t width) {
                block(row, height, column, width, target);
            });
        });
        const auto totals = parts.combine(partial);
        for (size_t c = 0; c < totals.size(); ++c) {
            const Moments& total = totals[c];
            const double nothing = std::numeric_limits<double>::quiet_NaN();
            mean[c] = static_cast<T>(total.count == 0 ? nothing : total.mean);
            variance[c] = static_cast<T>(total.count == 0 ? nothing : total.squares / total.count);
        }
    }

    void lines(Range rows, Range channels, Moments* target) const {
        const int64_t most = lines_together(shape.inner);
        for (int64_t c = channels.begin; c < channels.end; ++c)
            for (int64_t row = rows.begin; row < rows.end; row += most)
                for (int64_t begin = 0; begin < shape.inner; begin += block_elements)
                    segments((row * shape.channels + c) * shape.inner + begin, std::min(most, rows.end - row),
                             std::min(block_elements, shape.inner - begin), target[c]);
    }
    // The elements from `at` on of some lines of one channel.
    void segments(int64_t at, int64_t lines, int64_t size, Moments& target) const {
        const int64_t pitch = shape.channels * shape.inner, count = lines * size;
        const S* const x = in + at;
        const T middle = lines_sums<T>(lines, size,
                                       [&](int64_t line, int64_t i, int64_t n) {
                                           return load_lanes(x + line * pitch, i, n);
                                       }) /
                         static_cast<T>(count);
        // The rounding of the middle is made good by the sum of the deviations from it.
        const Pair<T> found = lines_sums<T>(lines, size, [&](int64_t line, int64_t i, int64_t n) {
            const Vec<T> d = deviation(x + line * pitch, i, n, middle);
            return Pair<Vec<T>>{d, d * d};
        });
        add(target, count, middle, found.first, found.second);
    }

    void block(int64_t row, int64_t height, int64_t column, int64_t width, Moments* target) const {
        const S* const x = in + row * shape.channels;
        for_each_strip<T, 4, 1>(column, column + width, [&](int64_t j, int64_t columns, auto vectors) {
            constexpr int64_t size = Vec<T>::size;
            const int64_t n = std::min(size, columns);
            const auto element = [&](int64_t i, int64_t v) {
                return load_lanes(x + i * shape.channels, j + v * size, n);
            };
            Vec<T> middle[vectors], sum[vectors], squares[vectors];
            for (int64_t v = 0; v < vectors; ++v) middle[v] = sum[v] = squares[v] = Vec<T>(T(0));
            for (int64_t i = 0; i < height; ++i)
                for (int64_t v = 0; v < vectors; ++v) middle[v] += element(i, v);
            for (int64_t v = 0; v < vectors; ++v) middle[v] = middle[v] / Vec<T>(static_cast<T>(height));
            for (int64_t i = 0; i < height; ++i)
                for (int64_t v = 0; v < vectors; ++v) {
                    const Vec<T> d = element(i, v) - middle[v];
                    sum[v] += d;
                    squares[v] = fma(d, d, squares[v]);
                }
            for (int64_t v = 0; v < vectors; ++v)
                for (int lane = 0; lane < n; ++lane)
                    add(target[j + v * size + lane], height, middle[v][lane], sum[v][lane], squares[v][lane]);
        });
    }

    // Elements whose deviations from `middle`, about their mean, add up to `sum` and their squares to
    // `squares`.
    static void add(Moments& target, int64_t count, T middle, T sum, T squares) {
        const double size = static_cast<double>(count),
                     offset = std::isfinite(middle) ? double(sum) / size : 0;
        target.combine(size, double(middle) + offset, std::max(double(squares) - offset * double(sum), 0.0));
    }
};

void channel_moments(DType dtype, const void* in, void* mean, void* variance, const ChannelShape& shape) {
    visit_floating(dtype, [&]<class S>(TypeTag<S>) {
        using T = Compute<S>;
        ChannelMoments<S>{static_cast<const S*>(in), static_cast<T*>(mean), static_cast<T*>(variance), shape}
            .run();
    });
}

// out = a[c] * x + b[c] * y + shift[c]; `Joined` says whether there is a y.
template <class S, bool Joined>
struct ChannelMap {
    using T = Compute<S>;
    const S* x;
    const T* a;
    const S* y;
    const T* b;
    const T* shift;
    S* out;
    const ChannelShape& shape;

    void run() const { shape.inner == 1 ? rows() : lines(); }

    Vec<T> value(int64_t at, int64_t n, Vec<T> slope, Vec<T> second, Vec<T> offset) const {
        const Vec<T> first = fma(load_lanes(x, at, n), slope, offset);
        if constexpr (!Joined) return first;
        return fma(load_lanes(y, at, n), second, first);
    }

    void rows() const {
        const int64_t step = (parallel_grain + shape.channels - 1) / shape.channels,
                      blocks = (shape.outer + step - 1) / step;
        parallel_for(0, shape.samples * blocks, 1, [&](int64_t first, int64_t last) {
            for (; first < last; ++first) {
                const int64_t sample = first / blocks, row = first % blocks * step;
                rows_of(sample, row, std::min(shape.outer, row + step));
            }
        });
    }
    void rows_of(int64_t sample, int64_t first, int64_t last) const {
        constexpr int64_t size = Vec<T>::size;
        const int64_t own = sample * shape.channels, top = sample * shape.outer * shape.channels;
        for_each_strip<T, 4, 1>(0, shape.channels, [&](int64_t j, int64_t columns, auto vectors) {
            const int64_t n = std::min(size, columns);
            Vec<T> slope[vectors], second[vectors], offset[vectors];
            for (int64_t v = 0; v < vectors; ++v) {
                const int64_t c = own + j + v * size;
                slope[v] = load_lanes(a, c, n);
                offset[v] = load_lanes(shift, c, n);
                if constexpr (Joined) second[v] = load_lanes(b, c, n);
            }
            for (int64_t row = first; row < last; ++row)
                for (int64_t v = 0; v < vectors; ++v) {
                    const int64_t at = top + row * shape.channels + j + v * size;
                    store_lanes(value(at, n, slope[v], second[v], offset[v]), out, at, n);
                }
        });
    }

    void lines() const {
        for_each(shape.samples * shape.outer * shape.channels, shape.inner, [&](int64_t line) {
            const int64_t at = line * shape.inner, channel = line % shape.channels,
                          c = line / shape.channels / shape.outer * shape.channels + channel;
            const Vec<T> slope(a[c]), second(Joined ? b[c] : T(0)), offset(shift[c]);
            write_line(out + at, shape.inner,
                       [&](int64_t i, int64_t n) { return value(at + i, n, slope, second, offset); });
        });
    }
};

void channels(DType dtype, const void* x, const void* a, const void* y, const void* b, const void* shift,
              void* out, const ChannelShape& shape) {
    visit_floating(dtype, [&]<class S>(TypeTag<S>) {
        using T = Compute<S>;
        const auto run = [&](auto joined) {
            ChannelMap<S, joined>{static_cast<const S*>(x),
                                  static_cast<const T*>(a),
                                  static_cast<const S*>(y),
                                  static_cast<const T*>(b),
                                  static_cast<const T*>(shift),
                                  static_cast<S*>(out),
                                  shape}
                .run();
        };
        y == nullptr ? run(std::false_type{}) : run(std::true_type{});
    });
}

}  // namespace

extern const NormalizationKernels normalization_table;
const NormalizationKernels normalization_table = {
    rows, rows_backward, channels, channel_sums, channel_moments,
};

}  // namespace rl::kernels::RUSHLIGHT_ISA
