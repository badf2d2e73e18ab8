// Reductions to one number: sums, products, extrema, truth, norms. Elements are combined in wide lanes as
// they are read, lanes at the end, and long series in a cascade, so that rounding errors grow with the
// logarithm of the count.
#include "kernels/reduce.h"

#include "core/scratch.h"
#include "core/threads.h"
#include "kernels/cpu/reduce_walk.h"

namespace rl::kernels::RUSHLIGHT_ISA {
namespace {

// Combines a long series of rows of partial results in a tree of fan-in 16.
template <class C, class Op, int64_t Width>
class Cascade {
  public:
    explicit Cascade(int64_t width) : width_(width) {
        if constexpr (Width == 1)
            for (auto& row : rows_) row[0] = Op::identity;
    }
    // Where the caller begins the next group.
    C* next() {
        if (groups_ > 0) {
            merge(0);
            for (int level = 1; level + 1 < levels && groups_ % (int64_t{1} << (4 * level)) == 0; ++level)
                merge(level);
        }
        ++groups_;
        used_[0] = true;
        return rows_[0];
    }
    C* total() {
        int top = levels - 1;
        while (top > 0 && !used_[top]) --top;
        for (int level = 0; level < top; ++level)
            if (used_[level]) merge(level);
        return rows_[top];
    }

  private:
    static constexpr int levels = 4;
    void merge(int level) {
        if (!used_[level + 1])
            std::copy_n(rows_[level], width_, rows_[level + 1]);
        else if constexpr (Width == 1)
            *rows_[level + 1] = Op::apply(*rows_[level + 1], *rows_[level]);
        else
            row_totals<Reader<C, C, Value>, Op>(rows_[level], 0, 0, 1, width_, rows_[level + 1], false, 0);
        used_[level + 1] = true;
        used_[level] = false;
    }
    C rows_[levels][Width];
    bool used_[levels] = {};
    int64_t width_;
    int64_t groups_ = 0;
};

// How a tile's lanes make outputs: `lanes` of them each, neighbours or else as far apart as there are
// outputs.
struct Fold {
    int64_t lanes = 1;
    bool neighbours = false;
    int64_t tile_width = 0;  // lanes of a tile, where not as many as fill it
    int64_t tail = 0;        // elements that follow the last whole row, for its first lanes
};

template <class C, class Op>
struct Reducer {
    using Own = Reader<C, C, Value>;  // of what has been loaded
    static constexpr int64_t tile = tile_size<C>;

    const ReduceArguments& a;
    Source<C> source;
    Fold fold = {};
    int64_t reduced_count = element_count(a.reduced, a.reduced_rank);
    const ReduceDim& outer = a.kept[a.kept_rank - 1];
    const ReduceDim& inner = a.reduced[a.reduced_rank - 1];

    void run() const {
        const int64_t kept_count = element_count(a.kept, a.kept_rank);
        if (kept_count == 0) return;
        if (reduced_count == 0) return fill(kept_count);
        if (run_folded()) return;
        if (side_by_side(a.kept, a.kept_rank, a.reduced, a.reduced_rank)) return run_tiles(kept_count);
        if (kept_count < 8 && reduced_count >= 2 * parallel_grain) {
            Cursor cursor(a.kept, a.kept_rank, 0);
            for (int64_t i = 0; i < kept_count; ++i, cursor.advance(1)) {
                C total = reduce_long(cursor.in);
                finish(cursor.out, 1, &total, 1);
            }
            return;
        }
        const int64_t grain = std::max<int64_t>(1, parallel_grain / reduced_count);
        parallel_for(0, kept_count, grain, [&](int64_t first, int64_t last) { reduce_lines(first, last); });
    }

    [[gnu::noinline]] void fill(int64_t kept_count) const {
        Cursor cursor(a.kept, a.kept_rank, 0);
        for (int64_t i = 0; i < kept_count; ++i, cursor.advance(1)) {
            C nothing = Op::identity;
            finish(cursor.out, 1, &nothing, 1);
        }
    }

    // --- One output after the other.

    [[gnu::noinline]] void reduce_lines(int64_t first, int64_t last) const {
        constexpr int64_t together = 64;
        Cursor cursor(a.kept, a.kept_rank, first);
        C totals[together];
        for (int64_t count; first < last; first += count) {
            count = std::min({cursor.run(), last - first, together});
            if (a.reduced_rank == 1 && inner.in_stride == 1 && reduced_count <= direct_size)
                reduce_short_lines(cursor.in, count, totals);
            else
                for (int64_t j = 0; j < count; ++j)
                    totals[j] = reduce_range(cursor.in + j * outer.in_stride, 0, reduced_count);
            finish(cursor.out, outer.out_stride, totals, count);
            cursor.advance(count);
        }
    }

    [[gnu::noinline]] void reduce_short_lines(int64_t offset, int64_t count, C* totals) const {
        if (source.fused())
            return source.lines(source.base, offset, outer.in_stride, count, reduced_count, totals);
        const bool joined = outer.in_stride == reduced_count;
        const int64_t together = joined ? block_size / reduced_count : 0;
        C buffer[block_size];
        for (int64_t done = 0, number; done < count; done += number) {
            number = std::min(std::max<int64_t>(1, together), count - done);
            const int64_t at = offset + done * outer.in_stride;
            if (together == 0)
                totals[done] = reduce_range(at, 0, reduced_count);
            else
                line_totals<Own, Op>(source.read(at, 1, number * reduced_count, buffer), 0, reduced_count,
                                     number, reduced_count, totals + done);
        }
    }

    // Elements begin to end of the output whose first is at `offset`.
    [[gnu::noinline]] C reduce_range(int64_t offset, int64_t begin, int64_t end) const {
        const int64_t stride = inner.in_stride;
        Cursor cursor(a.reduced, a.reduced_rank, begin);
        C buffer[block_size];
        Cascade<C, Op, 1> cascade(1);
        for (int64_t count; begin < end; begin += count) {
            const bool direct = source.fused() && (a.reduced_rank == 1 || cursor.run() >= 64);
            if (direct) {
                count = std::min({cursor.run(), end - begin, direct_size});
                const int64_t at = offset + cursor.in;
                cursor.advance(count);
                if (a.reduced_rank > 1) source.prefetch_run(offset + cursor.in);
                *cascade.next() = source.total(source.base, at, stride, count);
            } else {
                count = std::min(block_size, end - begin);
                *cascade.next() =
                    run_total<Own, Op>(source.read(offset, cursor, stride, count, buffer), count);
            }
        }
        return *cascade.total();
    }

    [[gnu::noinline]] C reduce_long(int64_t offset) const {
        const Pieces pieces(reduced_count, parallel_grain, block_size);
        C partial[max_pieces];
        parallel_for(0, pieces.number, 1, [&](int64_t first, int64_t last) {
            for (; first < last; ++first)
                partial[first] = reduce_range(offset, first * pieces.size,
                                              std::min(reduced_count, (first + 1) * pieces.size));
        });
        return run_total<Own, Op>(partial, pieces.number);
    }

    // --- Tiles of neighbouring outputs.

    // Short lines of memory are reduced several in a row, lane by lane, and the lanes in the end: those of
    // kept dimensions (narrow columns), or where other dimensions are reduced as well, of the reduced one.
    bool run_folded() const {
        ReduceDim kept[max_reduce_rank], reduced[max_reduce_rank];
        std::copy_n(a.kept, a.kept_rank, kept);
        std::copy_n(a.reduced, a.reduced_rank, reduced);
        ReduceArguments folded = a;
        folded.kept = kept;
        folded.reduced = reduced;
        Fold how;
        if (a.reduced_rank == 1 && outer.in_stride == 1 && inner.in_stride == outer.size &&
            2 * outer.size <= tile) {
            how.lanes = tile / outer.size;
            if (inner.size < 4 * how.lanes) how.lanes = inner.size / 16;
            if (how.lanes < 2) return false;
            kept[a.kept_rank - 1].size = how.tile_width = outer.size * how.lanes;
            reduced[0] = {inner.size / how.lanes, how.tile_width, 0};
            how.tail = inner.size % how.lanes * outer.size;
        } else if (a.reduced_rank > 1 && inner.in_stride == 1 && outer.in_stride == inner.size &&
                   inner.size <= tile && reduced_count >= 8 * inner.size) {
            how.lanes = inner.size;
            how.neighbours = true;
            how.tile_width = tile / inner.size * inner.size;
            kept[a.kept_rank - 1] = {outer.size * inner.size, 1, outer.out_stride};
            folded.reduced_rank = a.reduced_rank - 1;
        } else {
            return false;
        }
        Reducer{folded, source, how}.run_tiles(element_count(kept, a.kept_rank));
        return true;
    }

    struct Tile {
        Cursor cursor;
        int64_t width, out;
    };

    [[gnu::noinline]] void run_tiles(int64_t kept_count) const {
        const int64_t tile_width = fold.tile_width > 0 ? fold.tile_width : tile;
        const int64_t tiles_per_row = (outer.size + tile_width - 1) / tile_width;
        const int64_t tiles = kept_count / outer.size * tiles_per_row;
        const int64_t width = std::min(outer.size, tile_width);
        const auto tile_at = [&](int64_t number) {
            const int64_t lane = number % tiles_per_row * tile_width;
            const Cursor cursor(a.kept, a.kept_rank, number / tiles_per_row * outer.size + lane);
            return Tile{cursor, std::min(cursor.run(), tile_width),
                        cursor.out - (lane - lane / fold.lanes) * outer.out_stride};
        };
        if (tiles < 8 && reduced_count * width >= 2 * parallel_grain) {
            for (int64_t number = 0; number < tiles; ++number) reduce_tall_tile(tile_at(number));
            return;
        }
        const int64_t grain = std::max<int64_t>(1, parallel_grain / (reduced_count * width));
        parallel_for(0, tiles, grain, [&](int64_t first, int64_t last) {
            for (; first < last; ++first) {
                const Tile place = tile_at(first);
                Cascade<C, Op, tile> cascade(place.width);
                reduce_rows(place.cursor.in, place.width, 0, reduced_count, cascade);
                finish_tile(place, cascade.total());
            }
        });
    }

    [[gnu::noinline]] void reduce_rows(int64_t offset, int64_t width, int64_t begin, int64_t end,
                                       Cascade<C, Op, tile>& cascade) const {
        constexpr int64_t group = 16;
        Cursor cursor(a.reduced, a.reduced_rank, begin);
        const bool fused = source.fused() && outer.in_stride == 1;
        // The next rows, or where there are few, more of these.
        const int64_t ahead = inner.size > 4 ? 4 * inner.in_stride * source.element_size : prefetch_bytes;
        C buffer[tile];
        while (begin < end) {
            C* const row = cascade.next();
            const int64_t group_end = std::min(end, begin + group);
            for (bool first = true; begin < group_end; first = false) {
                const int64_t rows = fused ? std::min(cursor.run(), group_end - begin) : 1;
                const int64_t at = offset + cursor.in;
                if (fused)
                    source.rows(source.base, at, inner.in_stride, rows, width, row, first, ahead);
                else
                    row_totals<Own, Op>(source.read(at, outer.in_stride, width, buffer), 0, 0, 1, width, row,
                                        first, 0);
                cursor.advance(rows);
                begin += rows;
            }
        }
    }

    [[gnu::noinline]] void reduce_tall_tile(const Tile& place) const {
        const int64_t width = place.width;
        const Pieces pieces(reduced_count, 2 * parallel_grain / width, 16);
        C* const partial =
            scratch_array<C>(ScratchUse::accumulator, static_cast<size_t>(pieces.number * width));
        parallel_for(0, pieces.number, 1, [&](int64_t first, int64_t last) {
            for (; first < last; ++first) {
                Cascade<C, Op, tile> cascade(width);
                reduce_rows(place.cursor.in, width, first * pieces.size,
                            std::min(reduced_count, (first + 1) * pieces.size), cascade);
                std::copy_n(cascade.total(), width, partial + first * width);
            }
        });
        for (int64_t step = 1; step < pieces.number; step *= 2)
            for (int64_t piece = 0; piece + step < pieces.number; piece += 2 * step)
                row_totals<Own, Op>(partial, (piece + step) * width, 0, 1, width, partial + piece * width,
                                    false, 0);
        finish_tile(place, partial);
    }

    [[gnu::noinline]] void finish_tile(const Tile& place, C* totals) const {
        const int64_t outputs = place.width / fold.lanes;
        if (fold.tail > 0) {
            const int64_t at = place.cursor.in + reduced_count * fold.tile_width;
            C buffer[tile];
            row_totals<Own, Op>(source.read(at, 1, fold.tail, buffer), 0, 0, 1, fold.tail, totals, false, 0);
        }
        if (fold.lanes > 1) {
            if (fold.neighbours)
                line_totals<Own, Op>(totals, 0, fold.lanes, outputs, fold.lanes, totals);
            else
                row_totals<Own, Op>(totals, outputs, outputs, fold.lanes - 1, outputs, totals, false, 0);
        }
        finish(place.out, outer.out_stride, totals, outputs);
    }

    [[gnu::noinline]] void finish(int64_t offset, int64_t stride, C* totals, int64_t count) const {
        if constexpr (!std::is_integral_v<C>) {
            using Real = decltype(std::abs(C{}));
            if (a.divisor != 1)
                for (int64_t i = 0; i < count; ++i) totals[i] /= static_cast<Real>(a.divisor);
            if constexpr (!is_complex_type<C>) {
                if (a.root == 2)
                    for (int64_t i = 0; i < count; ++i) totals[i] = std::sqrt(totals[i]);
                else if (a.root != 1)
                    for (int64_t i = 0; i < count; ++i)
                        totals[i] = std::pow(totals[i], static_cast<C>(1 / a.root));
            }
        }
        store(a.out_dtype, a.out, offset, stride, totals, count);
    }
};

// --- Which loop for which reduction and type.

template <template <class> class Op, class C>
void run(const ReduceArguments& a, const Source<C>& source) {
    Reducer<C, Op<C>>{a, source}.run();
}

template <class S, class C, class Map, template <class> class Op>
void run_fused(const ReduceArguments& a) {
    run<Op>(a, fused_source<Reader<S, C, Map>, Op<C>>(a.in));
}

// The sum of bytes, or of how many of them are not zero: no line is so long that 32 bits could not hold it.
template <class Byte, class Map>
void run_byte_sum(const ReduceArguments& a) {
    using Narrow = Reader<Byte, int32_t, Map>;
    static_assert(direct_size * 255 <= std::numeric_limits<int32_t>::max());
    Source<int64_t> source = fused_source<Reader<Byte, int64_t, Map>, Sum<int64_t>>(a.in);
    source.total = [](const void* base, int64_t offset, int64_t stride, int64_t count) -> int64_t {
        return total_of<Narrow, Sum<int32_t>>(base, offset, stride, count);
    };
    source.lines = [](const void* base, int64_t offset, int64_t stride, int64_t lines, int64_t count,
                      int64_t* totals) {
        constexpr int64_t together = 64;
        int32_t narrow[together];
        for (int64_t line = 0; line < lines; line += together) {
            const int64_t number = std::min(together, lines - line);
            line_totals<Narrow, Sum<int32_t>>(base, offset + line * stride, stride, number, count, narrow);
            std::copy_n(narrow, number, totals + line);
        }
    };
    run<Sum>(a, source);
}

void run_sum(const ReduceArguments& a) {
    if (a.in_dtype == DType::boolean) return run_byte_sum<uint8_t, Truth>(a);
    if (a.in_dtype == DType::uint8) return run_byte_sum<uint8_t, Value>(a);
    if (a.in_dtype == DType::int8) return run_byte_sum<int8_t, Value>(a);
    visit_dtype(a.in_dtype, [&](auto tag) {
        using S = typename decltype(tag)::type;
        if constexpr (sizeof(S) > 1) run_fused<S, Compute<S>, Value, Sum>(a);
    });
}

// Integers of less than 64 bits are converted first.
void run_product(const ReduceArguments& a) {
    visit_dtype(a.in_dtype, [&](auto tag) {
        using S = typename decltype(tag)::type;
        if constexpr (std::is_integral_v<S> && sizeof(S) < 8)
            run<Product>(a, loaded_source<S, Compute<S>, Value>(a.in));
        else
            run_fused<S, Compute<S>, Value, Product>(a);
    });
}

// Extrema, in the type itself, or one with vectors; those of bool are truth.
template <template <class> class Op>
void run_extreme(const ReduceArguments& a) {
    visit_dtype(a.in_dtype, [&](auto tag) {
        using S = typename decltype(tag)::type;
        if constexpr (std::is_same_v<S, bool>)
            run_fused<uint8_t, uint8_t, Truth, Op>(a);
        else if constexpr (!is_complex_type<S>)
            run_fused<S, Ordered<S>, Value, Op>(a);
    });
}

template <template <class> class Op>
void run_truth(const ReduceArguments& a) {
    visit_dtype(a.in_dtype, [&](auto tag) {
        using S = typename decltype(tag)::type;
        if constexpr (sizeof(S) == 1)
            run_fused<uint8_t, uint8_t, Truth, Op>(a);
        else
            run<Op>(a, loaded_source<S, uint8_t, Truth>(a.in));
    });
}

void run_count(const ReduceArguments& a) {
    visit_dtype(a.in_dtype, [&](auto tag) {
        using S = typename decltype(tag)::type;
        if constexpr (sizeof(S) == 1)
            run_byte_sum<uint8_t, Truth>(a);
        else
            run<Sum>(a, loaded_source<S, int64_t, Truth>(a.in));
    });
}

// Of elements mapped to a real floating-point type.
template <class Map, template <class> class Op>
void run_mapped(const ReduceArguments& a) {
    if (a.in_dtype == DType::complex64)
        return run<Op>(a, loaded_source<complex64, float, Map>(a.in, a.power));
    if (a.in_dtype == DType::complex128)
        return run<Op>(a, loaded_source<complex128, double, Map>(a.in, a.power));
    visit_floating(a.in_dtype, [&](auto tag) {
        using S = typename decltype(tag)::type;
        if constexpr (std::is_same_v<Map, Power>)
            run<Op>(a, loaded_source<S, Compute<S>, Power>(a.in, a.power));
        else
            run_fused<S, Compute<S>, Map, Op>(a);
    });
}

void run_nansum(const ReduceArguments& a) {
    visit_floating(a.in_dtype, [&](auto tag) {
        using S = typename decltype(tag)::type;
        run_fused<S, Compute<S>, NanToZero, Sum>(a);
    });
}

void reduce(const ReduceArguments& a) {
    switch (a.reduction) {
        case Reduction::sum:
            return run_sum(a);
        case Reduction::nansum:
            return run_nansum(a);
        case Reduction::product:
            return run_product(a);
        case Reduction::minimum:
            return run_extreme<Minimum>(a);
        case Reduction::maximum:
            return run_extreme<Maximum>(a);
        case Reduction::any:
            return run_truth<Maximum>(a);
        case Reduction::all:
            return run_truth<Every>(a);
        case Reduction::count_nonzero:
            return run_count(a);
        case Reduction::sum_abs:
            return run_mapped<Absolute, Sum>(a);
        case Reduction::sum_squares:
            return run_mapped<Square, Sum>(a);
        case Reduction::sum_powers:
            return run_mapped<Power, Sum>(a);
        case Reduction::max_abs:
            return run_mapped<Absolute, Maximum>(a);
        case Reduction::min_abs:
            return run_mapped<Absolute, Minimum>(a);
    }
}

}  // namespace

extern const ReduceKernels reduce_table;
const ReduceKernels reduce_table = {reduce, moments, arg_reduce};

}  // namespace rl::kernels::RUSHLIGHT_ISA
