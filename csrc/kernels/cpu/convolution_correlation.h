// The gradient of a weight whose panels of patches would cost more to pack than their products: dot products
// of the lines of the output's gradient, as they lie, with lines of the image's boxes.
//
// The batch is cut into cells, a few small images or a band of a large one, whose boxes stay in the second
// cache; parts of some cells have sums of their own, which are added in order.
#pragma once

#include "kernels/cpu/convolution_patches.h"

namespace rl::kernels::RUSHLIGHT_ISA {

// Sums of products in registers: rows of the gradient times columns, the (channel, tap)s.
#if defined(__AVX512F__)
inline constexpr int correlated_edge = 5;
#else
inline constexpr int correlated_edge = 3;
#endif

// The sum of the lanes of each vector.
template <class T>
inline Vector<T> sums_of_lanes(Vector<T> (&value)[lanes<T>]) {
    using Index = IntegerOf<T>;
    const auto even = constant_vector<Index>([](int lane) { return 2 * lane; });
    const auto odd = constant_vector<Index>([](int lane) { return 2 * lane + 1; });
    for (int count = lanes<T> / 2; count > 0; count /= 2)
        for (int i = 0; i < count; ++i)
            value[i] = __builtin_shuffle(value[2 * i], value[2 * i + 1], even) +
                       __builtin_shuffle(value[2 * i], value[2 * i + 1], odd);
    return value[0];
}

// Whether panels of patches are used by so few rows, or the sums are so few and of so many positions at a
// time, that this is the better way.
inline bool suits_correlation(int64_t rows, int64_t columns, int64_t positions) {
    return (columns <= 160 && (positions >= 400 || rows * columns <= 1 << 14)) ||
           (rows <= 128 && rows * columns <= 3 << 14);
}

// Positions of which a tile of sums is made: planes of lines of `length`.
template <class T>
struct CorrelatedRun {
    const T *grad, *data;
    int64_t planes, lines, length;
    int64_t grad_plane, grad_line, data_plane, data_line;
    int64_t grad_row;  // from one channel of the gradient to the next
};

// A tile's sums, row by row, end in memory of whole vectors.
template <class T>
inline constexpr int correlated_room =
    (correlated_edge * correlated_edge + lanes<T> - 1) / lanes<T> * lanes<T>;

// Adds to sums[r * columns + j] the products of row r of the gradient with the patches at offset[j].
template <class T, int rows, int columns>
void correlate_run(const CorrelatedRun<T>& run, const int64_t* offset, T* sums) {
    constexpr int width = lanes<T>, groups = (rows * columns + width - 1) / width;
    Vector<T> sum[groups * width] = {};
    const int64_t whole = run.length / width * width, rest = run.length - whole, row = run.grad_row;
    int64_t place[columns];
    std::copy_n(offset, columns, place);
    const auto add = [&](const T* grad, const T* data, auto&& load) {
        Vector<T> value[rows];
        for (int r = 0; r < rows; ++r) value[r] = load(grad + r * row);
        for (int j = 0; j < columns; ++j) {
            const Vector<T> patch = load(data + place[j]);
            for (int r = 0; r < rows; ++r) sum[r * columns + j] += value[r] * patch;
        }
    };
    for (int64_t z = 0; z < run.planes; ++z) {
        const T *grad = run.grad + z * run.grad_plane, *data = run.data + z * run.data_plane;
        for (int64_t y = 0; y < run.lines; ++y) {
            for (const T* end = grad + whole; grad < end; grad += width, data += width)
                add(grad, data, [](const T* source) { return load_vector(source); });
            if (rest > 0)
                add(grad, data, [rest](const T* source) { return Vec<T>::load(source, rest).native; });
            grad += run.grad_line - whole;
            data += run.data_line - whole;
        }
    }
    for (int group = 0; group < groups; ++group) {
        Vector<T> some[width];
        for (int lane = 0; lane < width; ++lane) some[lane] = sum[group * width + lane];
        T* place = sums + group * width;
        store_vector(place, load_vector(place) + sums_of_lanes<T>(some));
    }
}

template <class T>
using CorrelateRun = void (*)(const CorrelatedRun<T>&, const int64_t*, T*);
template <class T, int... both>
inline CorrelateRun<T> correlate_run_function(int64_t rows, int64_t columns,
                                              std::integer_sequence<int, both...>) {
    constexpr int edge = correlated_edge;
    static constexpr CorrelateRun<T> functions[] = {&correlate_run<T, both / edge + 1, both % edge + 1>...};
    return functions[(rows - 1) * edge + columns - 1];
}

// One group of a convolution.
template <class T>
class Correlation {
  public:
    Correlation(const ConvolutionShape& s, const T* input, const T* grad)
        : s_(s), input_(input), grad_(grad) {
        while (cut_ < 2 && s.output[cut_] == 1) ++cut_;
        const Sampling whole = sampling({0, s.output[cut_]});
        const int64_t wanted = std::max(ceil_divide(channels_ * whole.box().volume(), most_elements),
                                        ceil_divide(most_parts, s.batch));
        const int64_t work = channels_ * volume(s.kernel) * rows_ * volume(s.output);
        const int64_t bands = std::clamp<int64_t>(std::min(wanted, work / parallel_work), 1, s.output[cut_]);
        for (int64_t band = 0; band < bands; ++band)
            bands_.emplace_back(*this, piece(s.output[cut_], bands, band));
        const int64_t together = s.output[0] == 1 && bands == 1 ? run_length / volume(s.output) : 1;
        groups_ = ceil_divide(s.batch, std::clamp<int64_t>(together, 1, ceil_divide(s.batch, most_parts)));
        columns_ = channels_ * volume(s.kernel);
        strips_ = ceil_divide(rows_, correlated_edge);
        tiles_ = ceil_divide(columns_, correlated_edge);
    }

    void run(T* grad_weight) const {
        const int64_t cells = groups_ * std::ssize(bands_), parts = std::min(cells, most_parts);
        const int64_t count = strips_ * tiles_ * correlated_room<T>;
        T* sums = scratch_array<T>(ScratchUse::shared, static_cast<size_t>(parts * count));
        parallel_for(0, parts, 1, [&](int64_t begin, int64_t end) {
            for (int64_t part = begin; part < end; ++part) {
                std::fill_n(sums + part * count, count, T{});
                correlate_cells(piece(cells, parts, part), sums + part * count);
            }
        });
        for (int64_t part = 1; part < parts; ++part)
            for (int64_t i = 0; i < count; i += lanes<T>)
                store_vector(sums + i, load_vector(sums + i) + load_vector(sums + part * count + i));
        for (int64_t index = 0; index < strips_ * tiles_; ++index) {
            const Range strip = piece(rows_, strips_, index / tiles_),
                        some = piece(columns_, tiles_, index % tiles_);
            const T* source = sums + index * correlated_room<T>;
            for (int64_t r = 0; r < strip.count; ++r)
                std::copy_n(source + r * some.count, some.count,
                            grad_weight + (strip.first + r) * columns_ + some.first);
        }
    }

  private:
    static constexpr int64_t most_elements = int64_t{3} << 15, most_parts = 8;
    // So short that the gradient's lines, read again for every tile, stay in the first cache.
    static constexpr int64_t run_length = 1024;

    // Some of the output's planes or lines, and their boxes.
    struct Band {
        Range range;
        Box box;
        std::vector<RowCopies> copies;
        Patches<T> patches;
        std::vector<int64_t> offset;
        Band(const Correlation& whole, Range part) : range(part) {
            const Sampling sampling = whole.sampling(part);
            box = sampling.box();
            copies = copies_into(box, whole.s_.input);
            patches = lay_out_patches<T>(sampling, box, whole.channels_);
            for (int64_t i = 0; i < whole.channels_ * volume(whole.s_.kernel); ++i)
                offset.push_back(patches.row_offset(i));
        }
    };

    Sampling sampling(Range part) const {
        Sampling result = forward_sampling(s_);
        result.grid[cut_] = part.count;
        result.origin[cut_] += part.first * result.step[cut_];
        result.joined_lines = joined_;
        return result;
    }

    void correlate_cells(Range cells, T* sums) const {
        int64_t filled = -1;
        for (int64_t cell = cells.first; cell < cells.first + cells.count; ++cell) {
            const int64_t index = cell / groups_;
            const Range images = piece(s_.batch, groups_, cell % groups_);
            const Band& band = bands_[static_cast<size_t>(index)];
            const int64_t most = ceil_divide(s_.batch, groups_) * band.patches.image_stride;
            const size_t room = static_cast<size_t>(most + 2 * box_margin<T>);
            T* data = scratch_array<T>(ScratchUse::staging, room) + box_margin<T>;
            if (index != filled) std::fill_n(data - box_margin<T>, room, T{});
            filled = index;
            for (int64_t i = 0; i < images.count; ++i)
                for (int64_t c = 0; c < channels_; ++c)
                    fill_box(input_ + ((images.first + i) * s_.in_channels + c) * volume(s_.input),
                             band.copies,
                             data + i * band.patches.image_stride + c * band.patches.channel_stride);
            correlate_cell(band, data, images, sums);
        }
    }

    void correlate_cell(const Band& band, const T* data, Range images, T* sums) const {
        const auto& grid = band.patches.grid;
        const auto& stride = band.patches.grid_stride;
        const int64_t line = s_.output[2], plane = s_.output[1] * line;
        const int64_t starts[3] = {plane, line, 1}, grad_image = s_.out_channels * volume(s_.output);
        const T* grad = grad_ + images.first * grad_image + band.range.first * starts[cut_];
        CorrelatedRun<T> run{
            grad, data,      grid[0],   joined_ ? 1 : grid[1], joined_ ? grid[1] * grid[2] : grid[2], plane,
            line, stride[0], stride[1], volume(s_.output)};
        if (images.count > 1) {  // one plane each
            run.planes = images.count;
            run.grad_plane = grad_image;
            run.data_plane = band.patches.image_stride;
        }
        const int64_t planes = std::clamp<int64_t>(run_length / (run.lines * run.length), 1, run.planes);
        const int64_t lines = std::clamp<int64_t>(run_length / run.length, 1, run.lines);
        const int64_t length = std::min(run_length, run.length);
        const CorrelatedRun<T> all = run;
        for (int64_t z = 0; z < all.planes; z += planes) {
            for (int64_t y = 0; y < all.lines; y += lines) {
                for (int64_t x = 0; x < all.length; x += length) {
                    run.grad = all.grad + z * all.grad_plane + y * all.grad_line + x;
                    run.data = all.data + z * all.data_plane + y * all.data_line + x;
                    run.planes = std::min(planes, all.planes - z);
                    run.lines = std::min(lines, all.lines - y);
                    run.length = std::min(length, all.length - x);
                    correlate_tiles(run, band.offset, sums);
                }
            }
        }
    }

    void correlate_tiles(const CorrelatedRun<T>& run, const std::vector<int64_t>& offset, T* sums) const {
        constexpr auto sizes = std::make_integer_sequence<int, correlated_edge * correlated_edge>();
        for (int64_t index = 0; index < strips_ * tiles_; ++index) {
            const Range strip = piece(rows_, strips_, index / tiles_),
                        some = piece(columns_, tiles_, index % tiles_);
            CorrelatedRun<T> here = run;
            here.grad += strip.first * run.grad_row;
            correlate_run_function<T>(strip.count, some.count, sizes)(here, offset.data() + some.first,
                                                                      sums + index * correlated_room<T>);
        }
    }

    const ConvolutionShape& s_;
    const T *input_, *grad_;
    int64_t channels_ = s_.in_channels / s_.groups, rows_ = s_.out_channels / s_.groups;
    int64_t columns_ = 0, strips_ = 0, tiles_ = 0, groups_ = 0;  // of images
    bool joined_ = s_.output[2] % lanes<T> != 0 || s_.output[2] == lanes<T>;
    int cut_ = 0;  // the dimension whose bands are taken one by one
    std::vector<Band> bands_;
};

}  // namespace rl::kernels::RUSHLIGHT_ISA
