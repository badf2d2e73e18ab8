// Means and variances over any dimensions, in double: blocks about their own means, combined.
#include "core/scratch.h"
#include "core/threads.h"
#include "kernels/cpu/reduce_walk.h"

namespace rl::kernels::RUSHLIGHT_ISA {
namespace {

using Doubles = Reader<double, double, Value>;

// How a block of `more` elements is combined with `count` others (Chan, Golub and LeVeque, 1979).
struct Weights {
    Weights(double count, double more) : mean(more / (count + more)), squares(count * mean) {}
    double mean, squares;
};

struct Moments {
    double count = 0, mean = 0, squares = 0;
    void combine(const Moments& other) {
        if (other.count == 0) return;
        const Weights weights(count, other.count);
        const double delta = other.mean - mean;
        mean += delta * weights.mean;
        squares += other.squares + delta * delta * weights.squares;
        count += other.count;
    }
};

// Those of neighbouring outputs, side by side; they have one count.
struct TileMoments {
    double count = 0;
    double* mean;
    double* squares;
    void combine(double more, const double* other_mean, const double* other_squares, int64_t width) {
        const Weights weights(count, more);
        for (int64_t j = 0; j < width; ++j) {
            const double delta = other_mean[j] - mean[j];
            mean[j] += delta * weights.mean;
            squares[j] += other_squares[j] + delta * delta * weights.squares;
        }
        count += more;
    }
};

double squared_deviations(const double* x, int64_t count, double mean) {
    double buffer[block_size];
    for (int64_t i = 0; i < count; ++i) buffer[i] = (x[i] - mean) * (x[i] - mean);
    return run_total<Doubles, Sum<double>>(buffer, count);
}

struct MomentsReducer {
    static constexpr int64_t tile = tile_size<double>;
    const MomentsArguments& a;
    Source<double> source;
    int64_t reduced_count = element_count(a.reduced, a.reduced_rank);
    const ReduceDim& outer = a.kept[a.kept_rank - 1];

    void run() const {
        const int64_t kept_count = element_count(a.kept, a.kept_rank);
        if (kept_count == 0) return;
        if (side_by_side(a.kept, a.kept_rank, a.reduced, a.reduced_rank)) return run_tiles(kept_count);
        const bool split = kept_count < 8 && reduced_count >= 2 * parallel_grain;
        const int64_t grain = std::max<int64_t>(1, parallel_grain / std::max<int64_t>(1, reduced_count));
        parallel_for(0, kept_count, split ? kept_count : grain, [&](int64_t first, int64_t last) {
            Cursor cursor(a.kept, a.kept_rank, first);
            for (; first < last; ++first, cursor.advance(1)) {
                Moments result = split ? reduce_long(cursor.in) : reduce_range(cursor.in, 0, reduced_count);
                finish(cursor.out, 1, &result.mean, &result.squares, 1);
            }
        });
    }

    // --- One output after the other.

    Moments reduce_range(int64_t offset, int64_t begin, int64_t end) const {
        const int64_t stride = a.reduced[a.reduced_rank - 1].in_stride;
        Cursor cursor(a.reduced, a.reduced_rank, begin);
        Moments total;
        double buffer[block_size];
        for (; begin < end; begin += block_size) {
            const int64_t count = std::min(block_size, end - begin);
            const double* x = source.read(offset, cursor, stride, count, buffer);
            const double mean = run_total<Doubles, Sum<double>>(x, count) / static_cast<double>(count);
            total.combine({static_cast<double>(count), mean, squared_deviations(x, count, mean)});
        }
        return total;
    }

    Moments reduce_long(int64_t offset) const {
        const Pieces pieces(reduced_count, parallel_grain, block_size);
        Moments partial[max_pieces];
        parallel_for(0, pieces.number, 1, [&](int64_t first, int64_t last) {
            for (; first < last; ++first)
                partial[first] = reduce_range(offset, first * pieces.size,
                                              std::min(reduced_count, (first + 1) * pieces.size));
        });
        for (int64_t piece = 1; piece < pieces.number; ++piece) partial[0].combine(partial[piece]);
        return partial[0];
    }

    // --- Tiles of neighbouring outputs, cut along the reduced dimensions where there are few.

    void run_tiles(int64_t kept_count) const {
        const int64_t tiles_per_row = (outer.size + tile - 1) / tile;
        const int64_t tiles = kept_count / outer.size * tiles_per_row, width = std::min(outer.size, tile);
        const Pieces pieces(std::max<int64_t>(1, reduced_count),
                            tiles < 8 ? 2 * parallel_grain / width : reduced_count, block_rows);
        for_each_tile(tiles, tiles_per_row, pieces, width);
    }

    void for_each_tile(int64_t tiles, int64_t tiles_per_row, const Pieces& pieces, int64_t width) const {
        const auto cursor_of = [&](int64_t number) {
            return Cursor(a.kept, a.kept_rank,
                          number / tiles_per_row * outer.size + number % tiles_per_row * tile);
        };
        const int64_t grain =
            std::max<int64_t>(1, parallel_grain / std::max<int64_t>(1, reduced_count * width));
        if (pieces.number == 1)
            return parallel_for(0, tiles, grain, [&](int64_t first, int64_t last) {
                for (; first < last; ++first) {
                    double mean[tile], squares[tile];
                    const Cursor position = cursor_of(first);
                    const int64_t columns = std::min(position.run(), tile);
                    reduce_rows(position.in, columns, 0, reduced_count, {0, mean, squares});
                    finish(position.out, outer.out_stride, mean, squares, columns);
                }
            });
        double* const partial =
            scratch_array<double>(ScratchUse::accumulator, static_cast<size_t>(2 * pieces.number * tile));
        for (int64_t number = 0; number < tiles; ++number) {
            const Cursor position = cursor_of(number);
            const int64_t columns = std::min(position.run(), tile);
            const auto part = [&](int64_t piece) { return partial + 2 * piece * tile; };
            const auto rows_before = [&](int64_t piece) {
                return std::min(reduced_count, piece * pieces.size);
            };
            parallel_for(0, pieces.number, 1, [&](int64_t first, int64_t last) {
                for (; first < last; ++first)
                    reduce_rows(position.in, columns, rows_before(first), rows_before(first + 1),
                                {0, part(first), part(first) + tile});
            });
            TileMoments total{static_cast<double>(pieces.size), partial, partial + tile};
            for (int64_t piece = 1; piece < pieces.number; ++piece)
                total.combine(static_cast<double>(rows_before(piece + 1) - rows_before(piece)), part(piece),
                              part(piece) + tile, columns);
            finish(position.out, outer.out_stride, partial, partial + tile, columns);
        }
    }

    // Rows begin to end, a few at a time while they are in cache.
    void reduce_rows(int64_t offset, int64_t width, int64_t begin, int64_t end, TileMoments total) const {
        Cursor cursor(a.reduced, a.reduced_rank, begin);
        double x[block_rows][tile], mean[tile], squares[tile];
        std::fill_n(total.mean, width, 0.0);
        std::fill_n(total.squares, width, 0.0);
        for (; begin < end; begin += block_rows) {
            const int64_t rows = std::min(block_rows, end - begin);
            for (int64_t row = 0; row < rows; ++row, cursor.advance(1))
                source.read(offset + cursor.in, outer.in_stride, width, x[row]);
            if (rows == block_rows)
                block_moments<block_rows>(x, rows, width, mean, squares);
            else
                block_moments<0>(x, rows, width, mean, squares);
            total.combine(static_cast<double>(rows), mean, squares, width);
        }
    }

    static constexpr int64_t block_rows = 8;

    // Of as many rows as the template says, or of `rows` where it says none.
    template <int64_t Rows>
    static void block_moments(const double (&x)[block_rows][tile], int64_t rows, int64_t width, double* mean,
                              double* squares) {
        const int64_t number = Rows == 0 ? rows : Rows;
        const double count = static_cast<double>(number);
        for (int64_t j = 0; j < width; ++j) {
            double sum = x[0][j];
            for (int64_t row = 1; row < number; ++row) sum += x[row][j];
            const double middle = sum / count;
            double total = 0;
            for (int64_t row = 0; row < number; ++row) total += (x[row][j] - middle) * (x[row][j] - middle);
            mean[j] = middle;
            squares[j] = total;
        }
    }

    void finish(int64_t offset, int64_t stride, double* mean, double* squares, int64_t count) const {
        const double divisor = std::max(0.0, static_cast<double>(reduced_count) - a.correction);
        for (int64_t i = 0; i < count; ++i) {
            squares[i] = squares[i] / divisor;
            if (reduced_count == 0) mean[i] = std::numeric_limits<double>::quiet_NaN();
        }
        store(a.dtype, a.variance, offset, stride, squares, count);
        if (a.mean != nullptr) store(a.dtype, a.mean, offset, stride, mean, count);
    }
};

}  // namespace

void moments(const MomentsArguments& a) {
    visit_floating(a.dtype, [&](auto tag) {
        MomentsReducer{a, loaded_source<typename decltype(tag)::type, double, Value>(a.in)}.run();
    });
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
