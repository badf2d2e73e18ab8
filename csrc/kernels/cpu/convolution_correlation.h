// The gradient of a weight that looks at few channels: dot products of the lines of the output's gradient
// with the lines of the image's boxes, both read as they lie.
#pragma once

#include "kernels/cpu/convolution_patches.h"

namespace rl::kernels::RUSHLIGHT_ISA {

// Sums of products in registers: rows of the gradient times columns, the (channel, tap)s.
#if defined(__AVX512F__)
inline constexpr int correlated_edge = 5;
#else
inline constexpr int correlated_edge = 3;
#endif

template <class T>
inline T sum_of_lanes(Vector<T> value) {
    alignas(vector_bytes) T lane[lanes<T>];
    store_vector(lane, value);
    for (int half = lanes<T> / 2; half > 0; half /= 2)
        for (int i = 0; i < half; ++i) lane[i] += lane[i + half];
    return lane[0];
}

// A run of positions, a whole number of vectors, and where their sums are added.
template <class T>
struct CorrelatedRun {
    const T* grad;
    int64_t grad_row;  // from one channel of the gradient to the next
    const T* data;
    int64_t length;
    T* sums;  // a vector for each row and column
    int64_t sums_row;
};

template <class T, int rows, int columns>
void correlate_run(const CorrelatedRun<T>& run, const int64_t* offset) {
    Vector<T> sum[rows][columns] = {};
    for (int64_t x = 0; x < run.length; x += lanes<T>) {
        Vector<T> value[rows];
        for (int r = 0; r < rows; ++r) value[r] = load_vector(run.grad + r * run.grad_row + x);
        for (int j = 0; j < columns; ++j) {
            const Vector<T> patch = load_vector(run.data + offset[j] + x);
            for (int r = 0; r < rows; ++r) sum[r][j] += value[r] * patch;
        }
    }
    for (int r = 0; r < rows; ++r) {
        for (int j = 0; j < columns; ++j) {
            T* place = run.sums + r * run.sums_row + j * lanes<T>;
            store_vector(place, load_vector(place) + sum[r][j]);
        }
    }
}

template <class T>
using CorrelateRun = void (*)(const CorrelatedRun<T>&, const int64_t*);
template <class T, int... both>
inline CorrelateRun<T> correlate_run_function(int64_t rows, int64_t columns,
                                              std::integer_sequence<int, both...>) {
    constexpr int edge = correlated_edge;
    static constexpr CorrelateRun<T> functions[] = {&correlate_run<T, both / edge + 1, both % edge + 1>...};
    return functions[(rows - 1) * edge + columns - 1];
}

// The output's gradient in boxes whose lines are as long as those of the image's: between them are zeros.
template <class S>
Patches<Compute<S>> gradient_boxes(const S* source, int64_t image_stride, int64_t images, int64_t channels,
                                   const int64_t (&size)[3], const Box& box) {
    Sampling sampling{{size[0], size[1], size[2]}, {0, 0, 0}, {1, 1, 1}, {}};
    for (int d = 0; d < 3; ++d) sampling.taps[d] = {0, box.axis[d].extent - size[d]};
    return make_patches(source, image_stride, images, channels, size, sampling, ScratchUse::transformed);
}

// Adds to sums[row][channel, tap] what some images give.
template <class T>
void correlate(const Patches<T>& patches, const Patches<T>& grads, int64_t images, int64_t rows,
               int64_t columns, T* sums) {
    constexpr int edge = correlated_edge;
    std::vector<int64_t> offset;
    for (int64_t column = 0; column < columns; ++column) offset.push_back(patches.row_offset(column));
    const int64_t strips = ceil_divide(rows, edge), tiles = ceil_divide(columns, edge);
    const int64_t parts = std::clamp<int64_t>(ceil_divide(16, strips), 1, tiles);
    // Runs so short that the gradient's, read again for every tile, stay in the first cache.
    constexpr int64_t run_vectors = 64;
    const auto& grid = patches.grid;
    const auto& stride = patches.grid_stride;
    const int64_t length = (grid[0] - 1) * stride[0] + (grid[1] - 1) * stride[1] + grid[2];
    const int64_t vectors = ceil_divide(length, lanes<T>), runs = ceil_divide(vectors, run_vectors);
    parallel_for(0, strips * parts, 1, [&](int64_t begin, int64_t end) {
        const int64_t sums_row = columns * lanes<T>;
        T* vectors_of_sums = scratch_array<T>(ScratchUse::local, static_cast<size_t>(edge * sums_row));
        for (int64_t item = begin; item < end; ++item) {
            std::fill_n(vectors_of_sums, edge * sums_row, T{});
            const Range strip = piece(rows, strips, item / parts), some = piece(tiles, parts, item % parts);
            for (int64_t slice = 0; slice < images * runs; ++slice) {
                const int64_t image = slice / runs;
                const Range range = piece(vectors, runs, slice % runs);
                const int64_t start = range.first * lanes<T>;
                CorrelatedRun<T> run;
                run.grad =
                    grads.data + image * grads.image_stride + strip.first * grads.channel_stride + start;
                run.grad_row = grads.channel_stride;
                run.data = patches.data + image * patches.image_stride + start;
                run.length = range.count * lanes<T>;
                run.sums_row = sums_row;
                for (int64_t tile = some.first; tile < some.first + some.count; ++tile) {
                    const Range taps = piece(columns, tiles, tile);
                    run.sums = vectors_of_sums + taps.first * lanes<T>;
                    correlate_run_function<T>(strip.count, taps.count,
                                              std::make_integer_sequence<int, edge * edge>())(
                        run, offset.data() + taps.first);
                }
            }
            const Range first = piece(columns, tiles, some.first),
                        last = piece(columns, tiles, some.first + some.count - 1);
            for (int64_t r = 0; r < strip.count; ++r)
                for (int64_t j = first.first; j < last.first + last.count; ++j)
                    sums[(strip.first + r) * columns + j] +=
                        sum_of_lanes<T>(load_vector(vectors_of_sums + r * sums_row + j * lanes<T>));
        }
    });
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
