// Reduction loops. Input is read in blocks that fit in L1, converted and mapped on the way, and combined in
// wide lanes and then in a cascade, so that rounding errors grow with the logarithm of the count.
#include "kernels/reduce.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/threads.h"
#include "kernels/cpu/convert.h"
#include "kernels/simd/half.h"
#include "kernels/simd/vec.h"

namespace rl::kernels::RUSHLIGHT_ISA {
namespace {

constexpr int64_t block_size = 1024;       // elements of one output converted at a time
constexpr int64_t direct_size = 8192;      // elements of one output read in place at a time
constexpr int64_t tile_size = 256;         // neighbouring outputs reduced together
constexpr int64_t parallel_grain = 32768;  // elements worth handing to another thread
constexpr int max_pieces = 64;             // parts that one output's input is cut into

// --- What is done to each element as it is read.

struct Value {
    template <class C, class S>
    static C apply(S x, double) {
        return convert<C>(x);
    }
};
struct Truth {
    template <class C, class S>
    static C apply(S x, double) {
        return C(convert<bool>(x));
    }
};
struct NanToZero {
    template <class C, class S>
    static C apply(S x, double) {
        const C value = convert<C>(x);
        return value == value ? value : C(0);
    }
};
struct Absolute {
    template <class C, class S>
    static C apply(S x, double) {
        if constexpr (is_complex_type<S>)
            return std::hypot(x.real(), x.imag());
        else
            return std::fabs(convert<C>(x));
    }
};
struct Square {
    template <class C, class S>
    static C apply(S x, double) {
        if constexpr (is_complex_type<S>)
            return x.real() * x.real() + x.imag() * x.imag();
        else
            return convert<C>(x) * convert<C>(x);
    }
};
struct Power {
    template <class C, class S>
    static C apply(S x, double power) {
        return std::pow(Absolute::apply<C>(x, 0), static_cast<C>(power));
    }
};

// --- How elements are combined.

template <class C>
struct Sum {
    static constexpr C identity = C(0);
    template <class V>
    static V apply(V a, V b) {
        return add(a, b);
    }
};
template <class C>
struct Product {
    static constexpr C identity = C(1);
    template <class V>
    static V apply(V a, V b) {
        if constexpr (is_complex_type<V>)
            return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
        else
            return multiply(a, b);
    }
};
template <class C>
struct Maximum {
    static constexpr C identity = std::numeric_limits<C>::has_infinity ? -std::numeric_limits<C>::infinity()
                                                                       : std::numeric_limits<C>::lowest();
    static C apply(C a, C b) { return (b > a) | (b != b) ? b : a; }
    static Vec<C> apply(Vec<C> a, Vec<C> b)
        requires(sizeof(C) >= 4)
    {
        return maximum(b, a);
    }
};
template <class C>
struct Minimum {
    static constexpr C identity = std::numeric_limits<C>::has_infinity ? std::numeric_limits<C>::infinity()
                                                                       : std::numeric_limits<C>::max();
    static C apply(C a, C b) { return (b < a) | (b != b) ? b : a; }
    static Vec<C> apply(Vec<C> a, Vec<C> b)
        requires(sizeof(C) >= 4)
    {
        return minimum(b, a);
    }
};

// Eight vectors of running results where there is enough for them, joined in a tree at the end.
template <class C, class Op>
C reduce_vectors(const C* x, int64_t count) {
    constexpr int64_t width = Vec<C>::size, group = 8 * width;
    constexpr int64_t ahead = 2048 / sizeof(C);  // what is to be in cache when its turn comes
    Vec<C> joined = Vec<C>::load(x);
    int64_t i = width;
    if (count >= group) {
        Vec<C> total[8];
        for (int v = 0; v < 8; ++v) total[v] = Vec<C>::load(x + v * width);
        for (i = group; i + group <= count; i += group)
            for (int v = 0; v < 8; ++v) {
                __builtin_prefetch(x + i + v * width + ahead);
                total[v] = Op::apply(total[v], Vec<C>::load(x + i + v * width));
            }
        for (int half = 4; half > 0; half /= 2)
            for (int v = 0; v < half; ++v) total[v] = Op::apply(total[v], total[v + half]);
        joined = total[0];
    }
    for (; i + width <= count; i += width) joined = Op::apply(joined, Vec<C>::load(x + i));
    C lanes[width];
    joined.store(lanes);
    for (int64_t l = 0; i + l < count; ++l) lanes[l] = Op::apply(lanes[l], x[i + l]);
    for (int64_t half = width / 2; half > 0; half /= 2)
        for (int64_t l = 0; l < half; ++l) lanes[l] = Op::apply(lanes[l], lanes[l + half]);
    return lanes[0];
}

template <class C, class Op>
C reduce_block(const C* x, int64_t count) {
    if constexpr (std::is_arithmetic_v<C> && sizeof(C) >= 4)
        if (count >= Vec<C>::size) return reduce_vectors<C, Op>(x, count);
    constexpr int64_t lanes = std::max<int64_t>(4, 256 / sizeof(C));
    C total[lanes];
    if (count < lanes) {
        C sum = Op::identity;
        for (int64_t i = 0; i < count; ++i) sum = Op::apply(sum, x[i]);
        return sum;
    }
    for (int64_t l = 0; l < lanes; ++l) total[l] = x[l];
    int64_t i = lanes;
    for (; i + lanes <= count; i += lanes)
        for (int64_t l = 0; l < lanes; ++l) total[l] = Op::apply(total[l], x[i + l]);
    for (int64_t l = 0; i + l < count; ++l) total[l] = Op::apply(total[l], x[i + l]);
    for (int64_t half = lanes / 2; half > 0; half /= 2)
        for (int64_t l = 0; l < half; ++l) total[l] = Op::apply(total[l], total[l + half]);
    return total[0];
}

// row[j] = row[j] combined with x[j].
template <class C, class Op>
void combine_rows(C* row, const C* x, int64_t width) {
    int64_t j = 0;
    if constexpr (std::is_arithmetic_v<C> && sizeof(C) >= 4)
        for (; j + Vec<C>::size <= width; j += Vec<C>::size)
            Op::apply(Vec<C>::load(row + j), Vec<C>::load(x + j)).store(row + j);
    for (; j < width; ++j) row[j] = Op::apply(row[j], x[j]);
}
template <class C, class Op>
void combine_four_rows(C* row, const C* const (&x)[4], int64_t width) {
    const auto join = [](auto total, auto a, auto b, auto c, auto d) {
        return Op::apply(total, Op::apply(Op::apply(a, b), Op::apply(c, d)));
    };
    int64_t j = 0;
    if constexpr (std::is_arithmetic_v<C> && sizeof(C) >= 4)
        for (; j + Vec<C>::size <= width; j += Vec<C>::size)
            join(Vec<C>::load(row + j), Vec<C>::load(x[0] + j), Vec<C>::load(x[1] + j),
                 Vec<C>::load(x[2] + j), Vec<C>::load(x[3] + j))
                .store(row + j);
    for (; j < width; ++j) row[j] = join(row[j], x[0][j], x[1][j], x[2][j], x[3][j]);
}

// Combines a long series of rows of partial results in a tree of fan-in 16.
template <class C, class Op, int64_t Width>
class Cascade {
  public:
    explicit Cascade(int64_t width) : width_(width) {
        for (int level = 0; level < levels; ++level) reset(level);
    }
    C* row() { return rows_[0]; }  // where the caller combines the next group
    void fold() {
        ++groups_;
        for (int level = 0; level + 1 < levels && groups_ % (int64_t{1} << (4 * level)) == 0; ++level)
            merge(level);
    }
    C* total() {
        for (int level = 0; level + 1 < levels; ++level) merge(level);
        return rows_[levels - 1];
    }

  private:
    static constexpr int levels = 4;
    void reset(int level) { std::fill_n(rows_[level], width_, Op::identity); }
    void merge(int level) {
        if constexpr (Width == 1)
            *rows_[level + 1] = Op::apply(*rows_[level + 1], *rows_[level]);
        else
            combine_rows<C, Op>(rows_[level + 1], rows_[level], width_);
        reset(level);
    }
    C rows_[levels][Width];
    int64_t width_;
    int64_t groups_ = 0;
};

// A position in a list of dimensions, the last the fastest.
class Cursor {
  public:
    Cursor(const ReduceDim* dims, int rank, int64_t linear) : dims_(dims), last_(rank - 1) {
        for (int i = last_; i >= 0; --i) {
            index_[i] = linear == 0 ? 0 : linear % dims[i].size;
            if (linear == 0) continue;
            linear /= dims[i].size;
            in += index_[i] * dims[i].in_stride;
            out += index_[i] * dims[i].out_stride;
        }
    }
    int64_t run() const { return dims_[last_].size - index_[last_]; }  // left in the fastest dimension
    // As many of `count` as lie together, unless those are so few that they are better gathered.
    int64_t block(int64_t count, bool direct) const {
        return direct && run() >= 64 ? std::min(run(), count) : std::min(block_size, count);
    }
    void advance(int64_t count) {  // at most run()
        move(last_, count);
        for (int i = last_; i > 0 && index_[i] == dims_[i].size; --i) {
            move(i, -dims_[i].size);
            move(i - 1, 1);
        }
    }
    int64_t in = 0;
    int64_t out = 0;

  private:
    void move(int i, int64_t count) {
        index_[i] += count;
        in += count * dims_[i].in_stride;
        out += count * dims_[i].out_stride;
    }
    const ReduceDim* dims_;
    int last_;
    int64_t index_[max_reduce_rank];
};

int64_t element_count(const ReduceDim* dims, int rank) {
    int64_t count = 1;
    for (int i = 0; i < rank; ++i) count *= dims[i].size;
    return count;
}

// Reads elements as C; where memory holds C itself and nothing is to be mapped, blocks are used in place.
template <class C>
struct Source {
    using Load = void (*)(const void*, int64_t offset, int64_t stride, int64_t count, double power, C*);
    using Total = C (*)(const void*, int64_t offset, int64_t count);
    const void* base;
    Load load;
    bool direct;
    double power;
    Total total = nullptr;  // reduces at most direct_size neighbours without converting them first

    const C* read(int64_t offset, int64_t stride, int64_t count, C* buffer) const {
        if (direct && stride == 1) return static_cast<const C*>(base) + offset;
        load(base, offset, stride, count, power, buffer);
        return buffer;
    }
    // `count` elements along several dimensions from the cursor, which moves on.
    const C* read(int64_t offset, Cursor& cursor, int64_t stride, int64_t count, C* buffer) const {
        if (cursor.run() >= count) {
            const C* block = read(offset + cursor.in, stride, count, buffer);
            cursor.advance(count);
            return block;
        }
        for (int64_t filled = 0; filled < count;) {
            const int64_t run = std::min(cursor.run(), count - filled);
            load(base, offset + cursor.in, stride, run, power, buffer + filled);
            cursor.advance(run);
            filled += run;
        }
        return buffer;
    }
};

template <class S, class C, class Map>
void load_mapped(const void* base, int64_t offset, int64_t stride, int64_t count, double power, C* out) {
    const S* x = static_cast<const S*>(base) + offset;
    if constexpr (is_half_type<S> && std::is_same_v<C, float> && !std::is_same_v<Map, Power>) {
        if (stride == 1) {
            widen(x, out, count);
            if constexpr (!std::is_same_v<Map, Value>)
                for (int64_t i = 0; i < count; ++i) out[i] = Map::template apply<C>(out[i], power);
            return;
        }
    }
    if (stride == 1)
        for (int64_t i = 0; i < count; ++i) out[i] = Map::template apply<C>(x[i], power);
    else
        for (int64_t i = 0; i < count; ++i) out[i] = Map::template apply<C>(x[i * stride], power);
}

template <class S, class C, class Map>
Source<C> make_source(const void* base, double power = 1) {
    return {base, load_mapped<S, C, Map>, std::is_same_v<S, C> && std::is_same_v<Map, Value>, power};
}

// The sum of integers of one byte; those of bool may hold any value.
template <class S>
int64_t sum_bytes(const void* base, int64_t offset, int64_t count) {
    using Byte = std::conditional_t<std::is_same_v<S, bool>, uint8_t, S>;
    const Byte* const x = static_cast<const Byte*>(base) + offset;
    constexpr int64_t lanes = 64;
    const auto value = [](Byte byte) { return std::is_same_v<S, bool> ? int32_t{byte != 0} : int32_t{byte}; };
    int32_t total[lanes] = {};
    int64_t i = 0, sum = 0;
    for (; i + lanes <= count; i += lanes)
        for (int64_t l = 0; l < lanes; ++l) total[l] += value(x[i + l]);
    for (; i < count; ++i) sum += value(x[i]);
    for (const int32_t lane : total) sum += lane;
    return sum;
}

// The sum of value(x + i), a vector at a time, and of one(x[i]) for what is left.
template <class C, class S, class Value, class One>
C sum_vectors(const S* x, int64_t count, Value&& value, One&& one) {
    constexpr int64_t width = Vec<C>::size, group = 4 * width;
    Vec<C> total[4] = {Vec<C>(C(0)), Vec<C>(C(0)), Vec<C>(C(0)), Vec<C>(C(0))};
    int64_t i = 0;
    for (; i + group <= count; i += group)
        for (int64_t v = 0; v < 4; ++v) total[v] += value(x + i + v * width);
    for (; i + width <= count; i += width) total[0] += value(x + i);
    C sum = 0;
    for (; i < count; ++i) sum += one(x[i]);
    return sum + sum_lanes((total[0] + total[1]) + (total[2] + total[3]));
}

// The sum of 16-bit floating-point numbers.
template <class S>
float sum_halves(const void* base, int64_t offset, int64_t count) {
    return sum_vectors<float>(
        static_cast<const S*>(base) + offset, count, [](const S* x) { return load_widened(x); },
        [](S x) { return static_cast<float>(x); });
}

template <class T>
T sum_squares(const void* base, int64_t offset, int64_t count) {
    const auto square = [](auto x) { return x * x; };
    return sum_vectors<T>(
        static_cast<const T*>(base) + offset, count, [=](const T* x) { return square(Vec<T>::load(x)); },
        square);
}

template <class S, class C>
Source<C> make_sum_source(const void* base) {
    Source<C> source = make_source<S, C, Value>(base);
    if constexpr (sizeof(S) == 1) source.total = sum_bytes<S>;
    if constexpr (is_half_type<S>) source.total = sum_halves<S>;
    return source;
}

template <class C>
void store(DType dtype, void* out, int64_t offset, int64_t stride, const C* values, int64_t count) {
    visit_dtype(dtype, [&](auto tag) {
        using S = typename decltype(tag)::type;
        S* y = static_cast<S*>(out) + offset;
        for (int64_t i = 0; i < count; ++i) y[i * stride] = convert<S>(values[i]);
    });
}

// Whether neighbouring outputs are better reduced side by side than one after the other.
bool side_by_side(const ReduceDim* kept, int kept_rank, const ReduceDim* reduced, int reduced_rank) {
    const ReduceDim& tile = kept[kept_rank - 1];
    if (tile.size < 8) return false;
    if (std::abs(tile.in_stride) < std::abs(reduced[reduced_rank - 1].in_stride)) return true;
    return reduced[reduced_rank - 1].size == 1 ||
           (tile.size >= 32 && element_count(reduced, reduced_rank) < 32);
}

// How `count` elements of one output are cut: by their number alone.
struct Pieces {
    explicit Pieces(int64_t count, int64_t grain) {
        size = std::max(grain, (count + max_pieces - 1) / max_pieces);
        size = (size + block_size - 1) / block_size * block_size;
        number = (count + size - 1) / size;
    }
    int64_t size;
    int64_t number;
};

// How a tile's lanes make outputs: `lanes` of them each, neighbours or else as far apart as there are
// outputs.
struct Fold {
    int64_t lanes = 1;
    bool neighbours = false;
    int64_t tile_width = tile_size;  // lanes of a tile
    int64_t tail = 0;                // elements that follow the last whole row, for its first lanes
};

template <class C, class Op>
struct Reducer {
    const ReduceArguments& a;
    Source<C> source;
    Fold fold = {};
    int64_t reduced_count = element_count(a.reduced, a.reduced_rank);

    void run() const {
        const int64_t kept_count = element_count(a.kept, a.kept_rank);
        if (kept_count == 0) return;
        if (run_folded()) return;
        if (side_by_side(a.kept, a.kept_rank, a.reduced, a.reduced_rank)) return run_tiles(kept_count);
        if (kept_count < 8 && reduced_count >= 2 * parallel_grain) {
            Cursor cursor(a.kept, a.kept_rank, 0);
            for (int64_t i = 0; i < kept_count; ++i, cursor.advance(1))
                finish(cursor.out, 0, reduce_long(cursor.in));
            return;
        }
        const int64_t grain = std::max<int64_t>(1, parallel_grain / std::max<int64_t>(1, reduced_count));
        parallel_for(0, kept_count, grain, [&](int64_t first, int64_t last) {
            Cursor cursor(a.kept, a.kept_rank, first);
            C totals[tile_size];
            for (int64_t count; first < last; first += count) {
                count = std::min({cursor.run(), last - first, tile_size});
                const int64_t out = cursor.out;
                for (int64_t j = 0; j < count; ++j, cursor.advance(1))
                    totals[j] = reduce_range(cursor.in, 0, reduced_count);
                finish(out, a.kept[a.kept_rank - 1].out_stride, totals, count);
            }
        });
    }

    C reduce_range(int64_t offset, int64_t begin, int64_t end) const {
        const int64_t stride = a.reduced[a.reduced_rank - 1].in_stride;
        if (source.direct && stride == 1 && a.reduced_rank == 1 && end - begin <= direct_size)
            return reduce_block<C, Op>(static_cast<const C*>(source.base) + offset + begin, end - begin);
        const bool fused = source.total != nullptr && stride == 1 && a.reduced_rank == 1;
        if (fused && end - begin <= direct_size)
            return source.total(source.base, offset + begin, end - begin);
        Cursor cursor(a.reduced, a.reduced_rank, begin);
        C buffer[block_size];
        if (end - begin <= block_size)
            return reduce_block<C, Op>(source.read(offset, cursor, stride, end - begin, buffer), end - begin);
        Cascade<C, Op, 1> cascade(1);
        for (int64_t count; begin < end; begin += count) {
            count = cursor.block(std::min(direct_size, end - begin), fused || (source.direct && stride == 1));
            if (fused) {
                *cascade.row() = source.total(source.base, offset + begin, count);
                cascade.fold();
                cursor.advance(count);
                continue;
            }
            *cascade.row() = reduce_block<C, Op>(source.read(offset, cursor, stride, count, buffer), count);
            cascade.fold();
        }
        return *cascade.total();
    }

    C reduce_long(int64_t offset) const {
        const Pieces pieces(reduced_count, parallel_grain);
        C partial[max_pieces];
        parallel_for(0, pieces.number, 1, [&](int64_t first, int64_t last) {
            for (; first < last; ++first)
                partial[first] = reduce_range(offset, first * pieces.size,
                                              std::min(reduced_count, (first + 1) * pieces.size));
        });
        return reduce_block<C, Op>(partial, pieces.number);
    }

    // Short lines of memory are reduced several in a row, lane by lane, and the lanes in the end: those of
    // kept dimensions (narrow columns), or where other dimensions are reduced as well, of the reduced one.
    bool run_folded() const {
        if (reduced_count == 0) return false;
        const ReduceDim &tile = a.kept[a.kept_rank - 1], &fast = a.reduced[a.reduced_rank - 1];
        ReduceDim kept[max_reduce_rank], reduced[max_reduce_rank];
        std::copy_n(a.kept, a.kept_rank, kept);
        std::copy_n(a.reduced, a.reduced_rank, reduced);
        ReduceArguments folded = a;
        folded.kept = kept;
        folded.reduced = reduced;
        Fold how;
        if (a.reduced_rank == 1 && tile.in_stride == 1 && fast.in_stride == tile.size &&
            2 * tile.size <= tile_size) {
            how.lanes = tile_size / tile.size;
            if (fast.size < 4 * how.lanes) return false;
            kept[a.kept_rank - 1].size = how.tile_width = tile.size * how.lanes;
            reduced[0] = {fast.size / how.lanes, how.tile_width, 0};
            how.tail = fast.size % how.lanes * tile.size;
        } else if (a.reduced_rank > 1 && fast.in_stride == 1 && tile.in_stride == fast.size &&
                   fast.size <= tile_size && reduced_count >= 8 * fast.size) {
            how.lanes = fast.size;
            how.neighbours = true;
            how.tile_width = tile_size / fast.size * fast.size;
            kept[a.kept_rank - 1] = {tile.size * fast.size, 1, tile.out_stride};
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

    void run_tiles(int64_t kept_count) const {
        const ReduceDim& fast = a.kept[a.kept_rank - 1];
        const int64_t tiles_per_row = (fast.size + fold.tile_width - 1) / fold.tile_width;
        const int64_t tiles = kept_count / fast.size * tiles_per_row;
        const int64_t width = std::min(fast.size, fold.tile_width);
        const auto tile_at = [&](int64_t tile) {
            const int64_t lane = tile % tiles_per_row * fold.tile_width;
            const Cursor cursor(a.kept, a.kept_rank, tile / tiles_per_row * fast.size + lane);
            return Tile{cursor, std::min(cursor.run(), fold.tile_width),
                        cursor.out - (lane - lane / fold.lanes) * fast.out_stride};
        };
        if (tiles < 8 && reduced_count * width >= 2 * parallel_grain) {
            for (int64_t tile = 0; tile < tiles; ++tile) reduce_tall_tile(tile_at(tile));
            return;
        }
        const int64_t grain =
            std::max<int64_t>(1, parallel_grain / std::max<int64_t>(1, reduced_count * width));
        parallel_for(0, tiles, grain, [&](int64_t first, int64_t last) {
            for (; first < last; ++first) {
                const Tile tile = tile_at(first);
                Cascade<C, Op, tile_size> cascade(tile.width);
                reduce_rows(tile.cursor.in, tile.width, 0, reduced_count, cascade);
                finish_tile(tile, cascade.total());
            }
        });
    }

    void reduce_rows(int64_t offset, int64_t width, int64_t begin, int64_t end,
                     Cascade<C, Op, tile_size>& cascade) const {
        const int64_t stride = a.kept[a.kept_rank - 1].in_stride;
        C buffers[4][tile_size];
        if (begin >= end) return;
        Cursor cursor(a.reduced, a.reduced_rank, begin);
        int64_t next = offset + cursor.in;
        const auto read_next = [&](C* buffer) {
            const int64_t at = next;
            if (a.reduced_rank == 1) {
                next += a.reduced[0].in_stride;
            } else {
                cursor.advance(1);
                next = offset + cursor.in;
            }
            return source.read(at, stride, width, buffer);
        };
        while (begin < end) {
            C* const row = cascade.row();
            const int64_t group = std::min<int64_t>(end, begin + 16);
            for (; begin + 4 <= group; begin += 4) {
                const C* x[4];
                for (int k = 0; k < 4; ++k) x[k] = read_next(buffers[k]);
                combine_four_rows<C, Op>(row, x, width);
            }
            for (; begin < group; ++begin) combine_rows<C, Op>(row, read_next(buffers[0]), width);
            cascade.fold();
        }
    }

    void reduce_tall_tile(const Tile& tile) const {
        const int64_t width = tile.width;
        const Pieces pieces(reduced_count, std::max(block_size, parallel_grain / width));
        C partial[max_pieces][tile_size];
        parallel_for(0, pieces.number, 1, [&](int64_t first, int64_t last) {
            for (; first < last; ++first) {
                Cascade<C, Op, tile_size> cascade(width);
                reduce_rows(tile.cursor.in, width, first * pieces.size,
                            std::min(reduced_count, (first + 1) * pieces.size), cascade);
                std::copy_n(cascade.total(), width, partial[first]);
            }
        });
        for (int64_t piece = 1; piece < pieces.number; ++piece)
            combine_rows<C, Op>(partial[0], partial[piece], width);
        finish_tile(tile, partial[0]);
    }

    void finish_tile(const Tile& tile, C* totals) const {
        const int64_t outputs = tile.width / fold.lanes, stride = a.kept[a.kept_rank - 1].out_stride;
        if (fold.tail > 0) {
            C buffer[tile_size];
            const int64_t offset = tile.cursor.in + reduced_count * fold.tile_width;
            combine_rows<C, Op>(totals, source.read(offset, 1, fold.tail, buffer), fold.tail);
        }
        if (fold.neighbours) {
            for (int64_t i = 0; i < outputs; ++i)
                totals[i] = reduce_block<C, Op>(totals + i * fold.lanes, fold.lanes);
        } else {
            for (int64_t lane = 1; lane < fold.lanes; ++lane)
                combine_rows<C, Op>(totals, totals + lane * outputs, outputs);
        }
        finish(tile.out, stride, totals, outputs);
    }

    void finish(int64_t offset, int64_t, C total) const { finish(offset, 1, &total, 1); }
    void finish(int64_t offset, int64_t stride, const C* totals, int64_t count) const {
        C values[tile_size];
        for (int64_t i = 0; i < count; ++i) {
            C value = totals[i];
            if constexpr (!std::is_integral_v<C>) {
                using Real = decltype(std::abs(value));
                if (a.divisor != 1) value /= static_cast<Real>(a.divisor);
                if constexpr (!is_complex_type<C>) {
                    if (a.root == 2)
                        value = std::sqrt(value);
                    else if (a.root != 1)
                        value = std::pow(value, static_cast<C>(1 / a.root));
                }
            }
            values[i] = value;
        }
        store(a.out_dtype, a.out, offset, stride, values, count);
    }
};

template <template <class> class Op, class C>
void run(const ReduceArguments& a, const Source<C>& source) {
    Reducer<C, Op<C>>{a, source}.run();
}

// Calls visit with a source whose elements, mapped to a real floating-point type, have that type.
template <class Map, class Visit>
void with_real_source(const ReduceArguments& a, Visit&& visit) {
    switch (a.in_dtype) {
        case DType::float16:
            return visit(make_source<Half, float, Map>(a.in, a.power));
        case DType::bfloat16:
            return visit(make_source<BFloat16, float, Map>(a.in, a.power));
        case DType::float64:
            return visit(make_source<double, double, Map>(a.in, a.power));
        case DType::complex64:
            return visit(make_source<complex64, float, Map>(a.in, a.power));
        case DType::complex128:
            return visit(make_source<complex128, double, Map>(a.in, a.power));
        default:
            return visit(make_source<float, float, Map>(a.in, a.power));
    }
}

template <class C, class Visit>
void with_truth_source(const ReduceArguments& a, Visit&& visit) {
    visit(visit_dtype(a.in_dtype,
                      [&](auto tag) { return make_source<typename decltype(tag)::type, C, Truth>(a.in); }));
}

template <template <class> class Op>
void run_any_type(const ReduceArguments& a) {
    visit_dtype(a.in_dtype, [&](auto tag) {
        using S = typename decltype(tag)::type;
        run<Op>(a, make_source<S, Compute<S>, Value>(a.in));
    });
}

template <template <class> class Op>
void run_real_type(const ReduceArguments& a) {
    visit_dtype(a.in_dtype, [&](auto tag) {
        using S = typename decltype(tag)::type;
        if constexpr (!is_complex_type<S>) run<Op>(a, make_source<S, Compute<S>, Value>(a.in));
    });
}

void reduce(const ReduceArguments& a) {
    const auto sum = [&](const auto& source) { run<Sum>(a, source); };
    switch (a.reduction) {
        case Reduction::sum:
            return visit_dtype(a.in_dtype, [&](auto tag) {
                using S = typename decltype(tag)::type;
                run<Sum>(a, make_sum_source<S, Compute<S>>(a.in));
            });
        case Reduction::product:
            return run_any_type<Product>(a);
        case Reduction::minimum:
            return run_real_type<Minimum>(a);
        case Reduction::maximum:
            return run_real_type<Maximum>(a);
        case Reduction::any:
            return with_truth_source<uint8_t>(a, [&](const auto& s) { run<Maximum>(a, s); });
        case Reduction::all:
            return with_truth_source<uint8_t>(a, [&](const auto& s) { run<Minimum>(a, s); });
        case Reduction::count_nonzero:
            return with_truth_source<int64_t>(a, sum);
        case Reduction::sum_abs:
            return with_real_source<Absolute>(a, sum);
        case Reduction::sum_squares:
            if (a.in_dtype == DType::float32) {
                Source<float> source = make_source<float, float, Square>(a.in);
                source.total = sum_squares<float>;
                return sum(source);
            }
            return with_real_source<Square>(a, sum);
        case Reduction::sum_powers:
            return with_real_source<Power>(a, sum);
        case Reduction::max_abs:
            return with_real_source<Absolute>(a, [&](const auto& s) { run<Maximum>(a, s); });
        case Reduction::min_abs:
            return with_real_source<Absolute>(a, [&](const auto& s) { run<Minimum>(a, s); });
        case Reduction::nansum:
            break;
    }
    if (a.in_dtype == DType::complex64) return sum(make_source<complex64, complex64, NanToZero>(a.in));
    if (a.in_dtype == DType::complex128) return sum(make_source<complex128, complex128, NanToZero>(a.in));
    with_real_source<NanToZero>(a, sum);
}

// --- Moments.

// Count, mean and sum of squared deviations; combined as Chan, Golub and LeVeque (1979).
struct Moments {
    double count = 0, mean = 0, squares = 0;
    void combine(const Moments& other) {
        if (other.count == 0) return;
        const double total = count + other.count, delta = other.mean - mean;
        mean += delta * (other.count / total);
        squares += other.squares + delta * delta * (count * other.count / total);
        count = total;
    }
};

double squared_deviations(const double* x, int64_t count, double mean) {
    double buffer[block_size];
    for (int64_t i = 0; i < count; ++i) buffer[i] = (x[i] - mean) * (x[i] - mean);
    return reduce_block<double, Sum<double>>(buffer, count);
}

struct MomentsReducer {
    const MomentsArguments& a;
    Source<double> source;
    int64_t reduced_count = element_count(a.reduced, a.reduced_rank);

    void run() const {
        const int64_t kept_count = element_count(a.kept, a.kept_rank);
        if (kept_count == 0) return;
        if (side_by_side(a.kept, a.kept_rank, a.reduced, a.reduced_rank)) return run_tiles(kept_count);
        const bool split = kept_count < 8 && reduced_count >= 2 * parallel_grain;
        const int64_t grain = std::max<int64_t>(1, parallel_grain / std::max<int64_t>(1, reduced_count));
        parallel_for(0, kept_count, split ? kept_count : grain, [&](int64_t first, int64_t last) {
            Cursor cursor(a.kept, a.kept_rank, first);
            for (; first < last; ++first, cursor.advance(1)) {
                const Moments result =
                    split ? reduce_long(cursor.in) : reduce_range(cursor.in, 0, reduced_count);
                finish(cursor.out, 1, &result.mean, &result.squares, 1);
            }
        });
    }

    Moments reduce_range(int64_t offset, int64_t begin, int64_t end) const {
        const int64_t stride = a.reduced[a.reduced_rank - 1].in_stride;
        Cursor cursor(a.reduced, a.reduced_rank, begin);
        Moments total;
        double buffer[block_size];
        for (; begin < end; begin += block_size) {
            const int64_t count = std::min(block_size, end - begin);
            const double* x = source.read(offset, cursor, stride, count, buffer);
            const double mean = reduce_block<double, Sum<double>>(x, count) / static_cast<double>(count);
            total.combine({static_cast<double>(count), mean, squared_deviations(x, count, mean)});
        }
        return total;
    }

    Moments reduce_long(int64_t offset) const {
        const Pieces pieces(reduced_count, parallel_grain);
        Moments partial[max_pieces];
        parallel_for(0, pieces.number, 1, [&](int64_t first, int64_t last) {
            for (; first < last; ++first)
                partial[first] = reduce_range(offset, first * pieces.size,
                                              std::min(reduced_count, (first + 1) * pieces.size));
        });
        for (int64_t piece = 1; piece < pieces.number; ++piece) partial[0].combine(partial[piece]);
        return partial[0];
    }

    void run_tiles(int64_t kept_count) const {
        const ReduceDim& fast = a.kept[a.kept_rank - 1];
        const int64_t tiles_per_row = (fast.size + tile_size - 1) / tile_size;
        parallel_for(0, kept_count / fast.size * tiles_per_row, 1, [&](int64_t first, int64_t last) {
            for (; first < last; ++first) {
                const Cursor cursor(a.kept, a.kept_rank,
                                    first / tiles_per_row * fast.size + first % tiles_per_row * tile_size);
                reduce_tile(cursor, std::min(cursor.run(), tile_size));
            }
        });
    }

    // Two passes: the means, then the deviations from them.
    void reduce_tile(const Cursor& position, int64_t width) const {
        const ReduceDim& fast = a.kept[a.kept_rank - 1];
        double mean[tile_size] = {}, squares[tile_size] = {}, buffer[tile_size];
        Cursor row(a.reduced, a.reduced_rank, 0);
        for (int64_t i = 0; i < reduced_count; ++i, row.advance(1)) {
            const double* x = source.read(position.in + row.in, fast.in_stride, width, buffer);
            for (int64_t j = 0; j < width; ++j) mean[j] += x[j];
        }
        for (int64_t j = 0; j < width; ++j) mean[j] /= static_cast<double>(reduced_count);
        Cursor again(a.reduced, a.reduced_rank, 0);
        for (int64_t i = 0; i < reduced_count; ++i, again.advance(1)) {
            const double* x = source.read(position.in + again.in, fast.in_stride, width, buffer);
            for (int64_t j = 0; j < width; ++j) squares[j] += (x[j] - mean[j]) * (x[j] - mean[j]);
        }
        finish(position.out, fast.out_stride, mean, squares, width);
    }

    void finish(int64_t offset, int64_t stride, const double* mean, const double* squares,
                int64_t count) const {
        const double divisor = std::max(0.0, static_cast<double>(reduced_count) - a.correction);
        double variance[tile_size], means[tile_size];
        for (int64_t i = 0; i < count; ++i) {
            variance[i] = squares[i] / divisor;
            means[i] = reduced_count == 0 ? std::numeric_limits<double>::quiet_NaN() : mean[i];
        }
        store(a.dtype, a.variance, offset, stride, variance, count);
        if (a.mean != nullptr) store(a.dtype, a.mean, offset, stride, means, count);
    }
};

void moments(const MomentsArguments& a) {
    visit_floating(a.dtype, [&](auto tag) {
        MomentsReducer{a, make_source<typename decltype(tag)::type, double, Value>(a.in)}.run();
    });
}

// --- Positions of extrema.

template <class C, bool Max>
struct Better {  // a NaN beats every number; the first of equals stays
    static bool apply(C x, C best) { return ((Max ? x > best : x < best) | (x != x)) & (best == best); }
};

// Where `value` (or a NaN, if it is one) comes first in x; it is there.
template <class C>
int64_t first_equal(const C* x, int64_t count, C value) {
    int64_t i = 0;
    if constexpr (sizeof(C) >= 4) {
        const Vec<C> wanted(value);
        const auto found = [&](Vec<C> a) { return value == value ? a == wanted : a != a; };
        while (i + Vec<C>::size <= count && !any(found(Vec<C>::load(x + i)))) i += Vec<C>::size;
    }
    while (!(value == value ? x[i] == value : x[i] != x[i])) ++i;
    return i;
}

template <class C, bool Max>
struct ArgReducer {
    const ArgReduceArguments& a;
    Source<C> source;

    void run() const {
        const int64_t kept_count = element_count(a.kept, a.kept_rank);
        if (kept_count == 0) return;
        const ReduceDim reduced{a.size, a.stride, 0};
        if (side_by_side(a.kept, a.kept_rank, &reduced, 1)) return run_tiles(kept_count);
        parallel_for(0, kept_count, std::max<int64_t>(1, parallel_grain / a.size),
                     [&](int64_t first, int64_t last) {
                         Cursor cursor(a.kept, a.kept_rank, first);
                         for (; first < last; ++first, cursor.advance(1)) reduce_line(cursor);
                     });
    }

    void reduce_line(const Cursor& position) const {
        using Op = std::conditional_t<Max, Maximum<C>, Minimum<C>>;
        C buffer[block_size];
        C best = 0;
        int64_t where = -1;
        for (int64_t begin = 0; begin < a.size; begin += block_size) {
            const int64_t count = std::min(block_size, a.size - begin);
            const C* x = source.read(position.in + begin * a.stride, a.stride, count, buffer);
            const C extreme = reduce_block<C, Op>(x, count);
            if (where >= 0 && !Better<C, Max>::apply(extreme, best)) continue;
            best = extreme;
            where = begin + first_equal(x, count, extreme);
        }
        a.indices[position.out] = where;
        if (a.values != nullptr) store(a.dtype, a.values, position.out, 1, &best, 1);
    }

    void run_tiles(int64_t kept_count) const {
        const ReduceDim& fast = a.kept[a.kept_rank - 1];
        const int64_t tiles_per_row = (fast.size + tile_size - 1) / tile_size;
        const int64_t grain =
            std::max<int64_t>(1, parallel_grain / (a.size * std::min(fast.size, tile_size)));
        parallel_for(0, kept_count / fast.size * tiles_per_row, grain, [&](int64_t first, int64_t last) {
            for (; first < last; ++first) {
                const Cursor cursor(a.kept, a.kept_rank,
                                    first / tiles_per_row * fast.size + first % tiles_per_row * tile_size);
                reduce_tile(cursor, fast, std::min(cursor.run(), tile_size));
            }
        });
    }

    void reduce_tile(const Cursor& position, const ReduceDim& fast, int64_t width) const {
        C best[tile_size], buffer[tile_size];
        int64_t where[tile_size] = {};
        std::copy_n(source.read(position.in, fast.in_stride, width, buffer), width, best);
        for (int64_t row = 1; row < a.size; ++row) {
            const C* x = source.read(position.in + row * a.stride, fast.in_stride, width, buffer);
            for (int64_t j = 0; j < width; ++j) {
                const bool better = Better<C, Max>::apply(x[j], best[j]);
                where[j] = better ? row : where[j];
                best[j] = better ? x[j] : best[j];
            }
        }
        for (int64_t j = 0; j < width; ++j) a.indices[position.out + j * fast.out_stride] = where[j];
        if (a.values != nullptr) store(a.dtype, a.values, position.out, fast.out_stride, best, width);
    }
};

void arg_reduce(const ArgReduceArguments& a) {
    visit_dtype(a.dtype, [&](auto tag) {
        using S = typename decltype(tag)::type;
        if constexpr (!is_complex_type<S>) {
            const auto source = make_source<S, Compute<S>, Value>(a.in);
            if (a.maximum)
                ArgReducer<Compute<S>, true>{a, source}.run();
            else
                ArgReducer<Compute<S>, false>{a, source}.run();
        }
    });
}

}  // namespace

extern const ReduceKernels reduce_table;
const ReduceKernels reduce_table = {reduce, moments, arg_reduce};

}  // namespace rl::kernels::RUSHLIGHT_ISA
