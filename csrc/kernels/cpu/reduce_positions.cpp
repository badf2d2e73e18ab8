// Positions of extrema along one dimension: a line's extreme first, then where it is; or columns side by
// side.
#include "core/threads.h"
#include "kernels/cpu/reduce_walk.h"

namespace rl::kernels::RUSHLIGHT_ISA {
namespace {

template <class C, bool Max>
struct Better {  // a NaN beats every number; the first of equals stays
    static bool apply(C x, C best) { return ((Max ? x > best : x < best) | (x != x)) & (best == best); }
};

// Where `value` (or a NaN, if it is one) comes first in x; it is there.
template <class R>
[[gnu::noinline]] int64_t first_equal(const typename R::Memory* x, int64_t count, typename R::Element value) {
    using C = typename R::Element;
    int64_t i = 0;
    if constexpr (R::vectorized) {
        const Vec<C> wanted(value);
        const auto found = [&](Vec<C> a) { return value == value ? a == wanted : a != a; };
        while (i + Vec<C>::size <= count && !any(found(R::vector(x + i)))) i += Vec<C>::size;
    } else {
        constexpr int64_t lanes = 64;
        const auto found = [&](const auto* lane) {
            unsigned char any = 0;
            for (int64_t l = 0; l < lanes; ++l) any |= static_cast<unsigned char>(R::one(lane[l]) == value);
            return any != 0;
        };
        while (i + lanes <= count && !found(x + i)) i += lanes;
    }
    while (!(value == value ? R::one(x[i]) == value : R::one(x[i]) != R::one(x[i]))) ++i;
    return i;
}

// Of short lines, without branches: where the extreme of each comes first.
template <class R>
[[gnu::noinline]] void line_positions(const typename R::Memory* x, int64_t stride, int64_t lines,
                                      int64_t count, const typename R::Element* extremes,
                                      int64_t* positions) {
    using C = typename R::Element;
    using Integer = IntegerOf<C>;
    constexpr int64_t width = Vec<C>::size;
    typename Vec<Integer>::Native index;
    for (int lane = 0; lane < width; ++lane) index[lane] = lane;
    const auto* const last_whole = x + (lines - 1) * stride + count - width;
    for (; lines > 0; lines -= width, extremes += width, positions += width) {
        const int64_t number = std::min(width, lines);
        Vec<Integer> part[width];
        for (int64_t line = 0; line < width; ++line) {
            Vec<Integer> first(static_cast<Integer>(count));
            if (line < number) {
                const Vec<C> wanted(extremes[line]);
                for (int64_t i = 0; i < count; i += width) {
                    const Vec<C> found = i + width <= count || x + i <= last_whole
                                             ? R::vector(x + i)
                                             : R::vector(x + i, count - i);
                    const Vec<Integer> here = Vec<Integer>(index) + Vec<Integer>(static_cast<Integer>(i));
                    first = minimum(first, select((found == wanted) | (found != found), here, first));
                }
                x += stride;
            }
            part[line] = first;
        }
        const Vec<Integer> folded = fold_vectors<Integer, Minimum<Integer>>(part);
        for (int64_t line = 0; line < number; ++line) positions[line] = folded[line];
    }
}

template <class R, bool Max>
struct ArgReducer {
    using S = typename R::Memory;
    using C = typename R::Element;
    using Op = std::conditional_t<Max, Maximum<C>, Minimum<C>>;
    using Own = Reader<C, C, Value>;  // of what has been loaded
    static constexpr int64_t tile = tile_size<int32_t>;

    const ArgReduceArguments& a;
    Source<C> source = fused_source<R, Op>(a.in);
    const ReduceDim& outer = a.kept[a.kept_rank - 1];

    void run() const {
        const int64_t kept_count = element_count(a.kept, a.kept_rank);
        if (kept_count == 0) return;
        const ReduceDim reduced{a.size, a.stride, 0};
        const bool countable = a.size <= std::numeric_limits<int32_t>::max();
        if (countable && side_by_side(a.kept, a.kept_rank, &reduced, 1)) return run_tiles(kept_count);
        parallel_for(0, kept_count, std::max<int64_t>(1, parallel_grain / a.size),
                     [&](int64_t first, int64_t last) { reduce_lines(first, last); });
    }

    void put(int64_t out, int64_t where, C best) const {
        a.indices[out] = where;
        if (a.values != nullptr) static_cast<S*>(a.values)[out] = convert<S>(best);
    }

    // --- One output after the other.

    [[gnu::noinline]] void reduce_lines(int64_t first, int64_t last) const {
        constexpr int64_t together = 64;
        const bool direct = a.stride == 1 && a.size <= direct_size;
        Cursor cursor(a.kept, a.kept_rank, first);
        for (int64_t count; first < last; first += count) {
            count = std::min({cursor.run(), last - first, together});
            if (direct)
                reduce_short_lines(cursor, count);
            else
                for (int64_t j = 0; j < count; ++j)
                    reduce_line(cursor.in + j * outer.in_stride, cursor.out + j * outer.out_stride);
            cursor.advance(count);
        }
    }

    void reduce_short_lines(const Cursor& position, int64_t count) const {
        C extremes[64];
        source.lines(source.base, position.in, outer.in_stride, count, a.size, extremes);
        const S* const x = static_cast<const S*>(a.in) + position.in;
        int64_t positions[64];
        if (a.size <= 128) {
            using Lane = LaneOf<R>;
            Lane wanted[64];
            std::copy_n(extremes, count, wanted);
            line_positions<LaneReader<R>>(x, outer.in_stride, count, a.size, wanted, positions);
        } else {
            for (int64_t j = 0; j < count; ++j)
                positions[j] = first_equal<R>(x + j * outer.in_stride, a.size, extremes[j]);
        }
        for (int64_t j = 0; j < count; ++j)
            put(position.out + j * outer.out_stride, positions[j], extremes[j]);
    }

    void reduce_line(int64_t in, int64_t out) const {
        C buffer[block_size], best = 0;
        int64_t where = -1;
        for (int64_t begin = 0, count; begin < a.size; begin += count) {
            count = std::min(a.stride == 1 ? direct_size : block_size, a.size - begin);
            const int64_t at = in + begin * a.stride;
            const C* const loaded = a.stride == 1 ? nullptr : source.read(at, a.stride, count, buffer);
            const C extreme = loaded == nullptr ? source.total(source.base, at, 1, count)
                                                : run_total<Own, Op>(loaded, count);
            if (where >= 0 && !Better<C, Max>::apply(extreme, best)) continue;
            best = extreme;
            where =
                begin + (loaded == nullptr ? first_equal<R>(static_cast<const S*>(a.in) + at, count, extreme)
                                           : first_equal<Own>(loaded, count, extreme));
        }
        put(out, where, best);
    }

    // --- Neighbouring outputs side by side; of narrow rows several in a row of the tile.

    void run_tiles(int64_t kept_count) const {
        const bool joined = outer.in_stride == 1 && a.stride == outer.size && 2 * outer.size <= tile;
        const int64_t lanes = joined ? std::max<int64_t>(1, std::min(tile / outer.size, a.size / 4)) : 1;
        const int64_t tiles_per_row = (outer.size + tile - 1) / tile;
        const int64_t grain = std::max<int64_t>(1, parallel_grain / (a.size * std::min(outer.size, tile)));
        parallel_for(0, kept_count / outer.size * tiles_per_row, grain, [&](int64_t first, int64_t last) {
            for (; first < last; ++first) {
                const Cursor cursor(a.kept, a.kept_rank,
                                    first / tiles_per_row * outer.size + first % tiles_per_row * tile);
                reduce_tile(cursor, std::min(cursor.run(), tile), lanes);
            }
        });
    }

    [[gnu::noinline]] void reduce_tile(const Cursor& position, int64_t columns, int64_t lanes) const {
        const int64_t width = columns * lanes, rows = a.size / lanes, tail = a.size % lanes * columns;
        C best[tile], buffer[tile];
        int32_t where[tile] = {};
        std::copy_n(source.read(position.in, outer.in_stride, width, buffer), width, best);
        for (int64_t row = 1; row <= rows; ++row) {
            const int64_t count = row < rows ? width : tail;
            if (count == 0) break;
            const C* x = source.read(position.in + row * lanes * a.stride, outer.in_stride, count, buffer);
            for (int64_t j = 0; j < count; ++j) {
                const bool better = Better<C, Max>::apply(x[j], best[j]);
                where[j] = better ? static_cast<int32_t>(row) : where[j];
                best[j] = better ? x[j] : best[j];
            }
        }
        for (int64_t j = 0; j < columns; ++j) {
            int64_t first = where[j] * lanes;
            for (int64_t lane = 1, at = j + columns; lane < lanes; ++lane, at += columns) {
                const int64_t index = where[at] * lanes + lane;
                const bool equal = best[at] == best[j] || (best[at] != best[at] && best[j] != best[j]);
                if (equal ? index >= first : !Better<C, Max>::apply(best[at], best[j])) continue;
                first = index;
                best[j] = best[at];
            }
            put(position.out + j * outer.out_stride, first, best[j]);
        }
    }
};

template <class R>
void run_positions(const ArgReduceArguments& a) {
    if (a.maximum)
        ArgReducer<R, true>{a}.run();
    else
        ArgReducer<R, false>{a}.run();
}

}  // namespace

void arg_reduce(const ArgReduceArguments& a) {
    visit_dtype(a.dtype, [&](auto tag) {
        using S = typename decltype(tag)::type;
        if constexpr (std::is_same_v<S, bool>)
            run_positions<Reader<uint8_t, uint8_t, Truth>>(a);
        else if constexpr (!is_complex_type<S>)
            run_positions<Reader<S, Ordered<S>, Value>>(a);
    });
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
