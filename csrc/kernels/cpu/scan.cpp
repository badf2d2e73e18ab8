// Running reductions. Single precision accumulates in double. A line is scanned a vector at a time: within
// the vector in a logarithm of steps, and what came before is added to all of its lanes at once.
#include "kernels/scan.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "core/threads.h"
#include "kernels/cpu/reduce_elements.h"
#include "kernels/simd/math.h"

namespace rl::kernels::RUSHLIGHT_ISA {
namespace {

constexpr int64_t tile_size = 64;  // neighbouring lines scanned together
constexpr int64_t parallel_grain = 16384;

template <class T>
using Accumulator =
    std::conditional_t<std::is_same_v<T, float>, double,
                       std::conditional_t<std::is_same_v<T, complex64>, complex128, Compute<T>>>;

struct RunningSum {
    template <class C>
    static C start() {
        return C(0);
    }
    template <class C>
    static C next(C total, C x) {
        return add(total, x);
    }
};
struct RunningProduct {
    template <class C>
    static C start() {
        return C(1);
    }
    template <class C>
    static C next(C total, C x) {
        return multiply(total, x);
    }
};
struct RunningLogSumExp {
    template <class C>
    static C start() {
        return C(-INFINITY);
    }
    template <class C>
    static C next(C total, C x) {
        if constexpr (is_complex_type<C>) {
            if (std::isinf(total.real()) && total.real() < 0) return x;
            const bool first = total.real() >= x.real();
            const C high = first ? total : x, low = first ? x : total;
            return high + std::log(C(1) + std::exp(low - high));
        } else {
            if (std::isnan(total) || std::isnan(x)) return total + x;
            const C high = std::max(total, x), low = std::min(total, x);
            return std::isinf(high) ? high : high + std::log1p(std::exp(low - high));
        }
    }
};

// --- Within a vector.

// The lanes moved up by `Step`, those below it from `fill`.
template <int Step, class C, int... Lane>
Vec<C> moved_up(Vec<C> x, Vec<C> fill, std::integer_sequence<int, Lane...>) {
    constexpr int size = Vec<C>::size;
    return Vec<C>(
        __builtin_shufflevector(x.native, fill.native, (Lane < Step ? size + Lane : Lane - Step)...));
}
template <class C, int... Lane>
Vec<C> last_lane(Vec<C> x, std::integer_sequence<int, Lane...>) {
    return Vec<C>(__builtin_shufflevector(x.native, x.native, (Lane * 0 + Vec<C>::size - 1)...));
}
template <class C>
Vec<C> last_lane(Vec<C> x) {
    return last_lane(x, std::make_integer_sequence<int, Vec<C>::size>{});
}

// Each lane combined with all before it.
template <int Step, class C, class Join>
Vec<C> prefix(Vec<C> x, Vec<C> start, Join&& join) {
    if constexpr (Step == Vec<C>::size) {
        return x;
    } else {
        const Vec<C> before = moved_up<Step>(x, start, std::make_integer_sequence<int, Vec<C>::size>{});
        return prefix<2 * Step>(join(before, x), start, join);
    }
}

// Results in the type they are stored in. A part of a vector is stored whole where there is `room` for that:
// what follows is written later.
template <class T, class C>
void put(Vec<C> value, T* out, int64_t count, int64_t room) {
    constexpr int64_t width = Vec<C>::size;
    if (count < width && room < width) {
        T part[width];
        put(value, part, width, width);
        for (int64_t lane = 0; lane < count; ++lane) out[lane] = part[lane];
    } else if constexpr (std::is_same_v<T, C>) {
        value.store(out);
    } else if constexpr (is_half_type<T>) {
        store_narrowed(value, out);
    } else {
        typedef T Converted __attribute__((vector_size(width * sizeof(T))));
        const auto converted = __builtin_convertvector(value.native, Converted);
        std::memcpy(out, &converted, sizeof converted);
    }
}

// `count` elements, a whole vector where the array does not end before.
template <class R>
Vec<typename R::Element> take(const typename R::Memory* x, int64_t count, const typename R::Memory* end) {
    return end - x >= Vec<typename R::Element>::size ? R::vector(x) : R::vector(x, count);
}

// --- Lines of the last dimension.

// Products of float64 are formed one by one: their parts may overflow where the whole does not.
template <class T, class Op>
inline constexpr bool in_vectors =
    !is_complex_type<T> && !(std::is_same_v<T, double> && std::is_same_v<Op, RunningProduct>);

template <class R, class T, class Op>
void scan_vectors(const typename R::Memory* in, T* out, int64_t lines, int64_t size) {
    using C = typename R::Element;
    constexpr int64_t width = Vec<C>::size;
    const Vec<C> start(Op::template start<C>());
    const auto join = [](Vec<C> a, Vec<C> b) { return Op::next(a, b); };
    const auto* const end = in + lines * size;
    T* const out_end = out + lines * size;
    for (; lines > 0; --lines, in += size, out += size) {
        Vec<C> carry = start;
        int64_t i = 0;
        for (; i + width <= size; i += width) {
            const Vec<C> part = prefix<1>(R::vector(in + i), start, join);
            put(join(carry, part), out + i, width, width);
            carry = join(carry, last_lane(part));
        }
        if (i == size) continue;
        const Vec<C> part = prefix<1>(take<R>(in + i, size - i, end), start, join);
        put(join(carry, part), out + i, size - i, out_end - out - i);
    }
}

// A sum of exponentials so far, as a multiple of the largest.
template <class C>
struct ScaledSum {
    C largest = -INFINITY, sum = 0;

    C logarithm() const { return sum == 0 ? C(-INFINITY) : largest + std::log(sum); }

    // The running sums of x as logarithms. One by one where numbers are not finite, or are so far apart that
    // multiples of the largest would be zero.
    Vec<C> add(Vec<C> x) {
        constexpr C apart = sizeof(C) == 8 ? 600 : 60;
        const auto larger = [](Vec<C> a, Vec<C> b) { return maximum(a, b); };
        const Vec<C> start(-INFINITY);
        const C top = std::max(largest, last_lane(prefix<1>(x, start, larger))[0]);
        const bool near = std::isfinite(top) && !any(x != x) && std::max(largest, x[0]) > top - apart;
        if (!near) return add_one_by_one(x);
        if (top > largest) sum *= std::exp(largest - top);
        largest = top;
        const auto total = [](Vec<C> a, Vec<C> b) { return a + b; };
        const Vec<C> sums = Vec<C>(sum) + prefix<1>(exp(x - Vec<C>(top)), Vec<C>(C(0)), total);
        sum = sums[Vec<C>::size - 1];
        return Vec<C>(top) + log(sums);
    }

  private:
    Vec<C> add_one_by_one(Vec<C> x) {
        C total = logarithm();
        for (int lane = 0; lane < Vec<C>::size; ++lane)
            x.native[lane] = total = RunningLogSumExp::next(total, x[lane]);
        largest = total;
        sum = total == C(-INFINITY) ? C(0) : C(1);
        return x;
    }
};

template <class R, class T>
void scan_exponentials(const typename R::Memory* in, T* out, int64_t lines, int64_t size) {
    using C = typename R::Element;
    constexpr int64_t width = Vec<C>::size;
    const auto* const end = in + lines * size;
    T* const out_end = out + lines * size;
    for (; lines > 0; --lines, in += size, out += size) {
        ScaledSum<C> sum;
        for (int64_t i = 0; i < size; i += width) {
            const int64_t count = std::min(width, size - i);
            const Vec<C> x = take<R>(in + i, count, end);
            put(sum.add(count == width ? x : lanes_between<Maximum<C>>(x, 0, count)), out + i, count,
                out_end - out - i);
        }
    }
}

// A line of a type without vectors.
template <class S, class T, class Op>
void scan_elements(const S* in, T* out, int64_t size) {
    using C = Accumulator<T>;
    C total = Op::template start<C>();
    for (int64_t i = 0; i < size; ++i) {
        total = Op::template next<C>(total, convert<C>(in[i]));
        out[i] = convert<T>(total);
    }
}

template <class S, class T, class Op>
void scan_lines(const S* in, T* out, int64_t lines, int64_t size) {
    using R = Reader<S, Accumulator<T>, Value>;
    if constexpr (!in_vectors<T, Op>)
        for (; lines > 0; --lines, in += size, out += size) scan_elements<S, T, Op>(in, out, size);
    else if constexpr (std::is_same_v<Op, RunningLogSumExp>)
        scan_exponentials<R, T>(in, out, lines, size);
    else
        scan_vectors<R, T, Op>(in, out, lines, size);
}

// --- Neighbouring lines side by side.

// `columns` of rows that are `inner` long, which end at `end`.
template <class R, class T, class Op>
void scan_columns(const typename R::Memory* in, T* out, int64_t size, int64_t inner, int64_t columns,
                  const typename R::Memory* end) {
    using C = typename R::Element;
    constexpr int64_t width = Vec<C>::size;
    static_assert(tile_size % width == 0);
    C total[tile_size];
    std::fill_n(total, tile_size, Op::template start<C>());
    for (; size > 0; --size, in += inner, out += inner) {
        const int64_t room = columns == inner ? size * inner : columns;
        for (int64_t j = 0; j < columns; j += width) {
            const int64_t count = std::min(width, columns - j);
            const Vec<C> joined = Op::next(Vec<C>::load(total + j), take<R>(in + j, count, end));
            joined.store(total + j);
            put(joined, out + j, count, room - j);
        }
    }
}

template <class S, class T, class Op>
void scan_column_elements(const S* in, T* out, int64_t size, int64_t inner, int64_t columns) {
    using C = Accumulator<T>;
    C total[tile_size];
    std::fill_n(total, columns, Op::template start<C>());
    for (; size > 0; --size, in += inner, out += inner)
        for (int64_t j = 0; j < columns; ++j) {
            total[j] = Op::template next<C>(total[j], convert<C>(in[j]));
            out[j] = convert<T>(total[j]);
        }
}

// Calls body(offset of the first element, number) for runs of lines of the last dimension.
template <class Body>
void for_each_run(const ScanShape& shape, Body&& body) {
    parallel_for(0, shape.outer, std::max<int64_t>(1, parallel_grain / shape.size),
                 [&](int64_t first, int64_t last) { body(first * shape.size, last - first); });
}

// Calls body(offset of the first element, width) for every tile of neighbouring lines.
template <class Body>
void for_each_tile(const ScanShape& shape, Body&& body) {
    const int64_t tiles = (shape.inner + tile_size - 1) / tile_size;
    const int64_t grain =
        std::max<int64_t>(1, parallel_grain / (shape.size * std::min(shape.inner, tile_size)));
    parallel_for(0, shape.outer * tiles, grain, [&](int64_t first, int64_t last) {
        for (; first < last; ++first) {
            const int64_t column = first % tiles * tile_size;
            body(first / tiles * shape.size * shape.inner + column,
                 std::min(tile_size, shape.inner - column));
        }
    });
}

template <class S, class T, class Op>
void run_scan(const S* in, T* out, const ScanShape& shape) {
    if (shape.inner == 1)
        return for_each_run(shape, [&](int64_t at, int64_t lines) {
            scan_lines<S, T, Op>(in + at, out + at, lines, shape.size);
        });
    const S* const end = in + shape.outer * shape.size * shape.inner;
    for_each_tile(shape, [&](int64_t offset, int64_t columns) {
        if constexpr (is_complex_type<T> || std::is_same_v<Op, RunningLogSumExp>)
            scan_column_elements<S, T, Op>(in + offset, out + offset, shape.size, shape.inner, columns);
        else
            scan_columns<Reader<S, Accumulator<T>, Value>, T, Op>(in + offset, out + offset, shape.size,
                                                                  shape.inner, columns, end);
    });
}

template <class S, class T>
void run_kind(Scan kind, const void* in, void* out, const ScanShape& shape) {
    const S* const x = static_cast<const S*>(in);
    T* const y = static_cast<T*>(out);
    if (kind == Scan::sum)
        run_scan<S, T, RunningSum>(x, y, shape);
    else if (kind == Scan::product)
        run_scan<S, T, RunningProduct>(x, y, shape);
    else if constexpr (!std::is_integral_v<T>)
        run_scan<S, T, RunningLogSumExp>(x, y, shape);
}

void scan(Scan kind, DType in_dtype, DType dtype, const void* in, void* out, const ScanShape& shape) {
    if (shape.outer * shape.size * shape.inner == 0) return;
    visit_dtype(in_dtype, [&](auto tag) {
        using S = typename decltype(tag)::type;
        using Memory = std::conditional_t<std::is_same_v<S, bool>, uint8_t, S>;
        if constexpr (std::is_integral_v<S>)
            if (dtype == DType::int64) return run_kind<Memory, int64_t>(kind, in, out, shape);
        run_kind<Memory, Memory>(kind, in, out, shape);
    });
}

// --- Extremes and where they were last met.

template <class C, bool Max>
constexpr C least = std::numeric_limits<C>::has_infinity
                        ? (Max ? -std::numeric_limits<C>::infinity() : std::numeric_limits<C>::infinity())
                        : (Max ? std::numeric_limits<C>::lowest() : std::numeric_limits<C>::max());

// Lines of less than 2^31 elements: places are counted in lanes of the elements' width.
template <class R, class T, bool Max>
void scan_extreme_lines(const T* in, T* values, int64_t* indices, int64_t lines, int64_t size) {
    using C = typename R::Element;
    using Integer = IntegerOf<C>;
    constexpr int64_t width = Vec<C>::size;
    using Extreme = std::conditional_t<Max, Maximum<C>, Minimum<C>>;
    const auto better = [](Vec<C> a, Vec<C> b) { return Extreme::apply(a, b); };
    const auto later = [](Vec<Integer> a, Vec<Integer> b) { return larger_integer(a, b); };
    const Vec<Integer> none(Integer(-1));
    const Vec<C> start(least<C, Max>);
    typename Vec<Integer>::Native lanes;
    for (int lane = 0; lane < width; ++lane) lanes[lane] = lane;
    const T* const end = in + lines * size;
    T* const values_end = values + lines * size;
    for (; lines > 0; --lines, in += size, values += size, indices += size) {
        Vec<C> carry = start;
        Vec<Integer> before = none;
        for (int64_t i = 0; i < size; i += width) {
            const int64_t count = std::min(width, size - i), room = values_end - values - i;
            const Vec<C> x = take<R>(in + i, count, end);
            if (any((Max ? x >= carry : x <= carry) | (x != x))) {  // seldom, in a long line
                const Vec<C> extreme = better(carry, prefix<1>(x, start, better));
                // A lane's place where the extreme is met, and from there on to the next.
                const Vec<Integer> here = Vec<Integer>(lanes) + Vec<Integer>(static_cast<Integer>(i));
                const Vec<Integer> met = select((x == extreme) | (x != x), here, none);
                const Vec<Integer> places = later(before, prefix<1>(met, none, later));
                put(extreme, values + i, count, room);
                put(places, indices + i, count, room);
                carry = last_lane(extreme);
                before = last_lane(places);
            } else {
                put(carry, values + i, count, room);
                put(before, indices + i, count, room);
            }
        }
    }
}

// Columns of as few elements, as in scan_columns.
template <class R, class T, bool Max>
void scan_extreme_columns(const T* in, T* values, int64_t* indices, int64_t size, int64_t inner,
                          int64_t columns, const T* end) {
    using C = typename R::Element;
    using Integer = IntegerOf<C>;
    constexpr int64_t width = Vec<C>::size;
    C best[tile_size];
    Integer places[tile_size] = {};
    std::fill_n(best, tile_size, least<C, Max>);
    for (int64_t i = 0; i < size; ++i, in += inner, values += inner, indices += inner) {
        const int64_t room = columns == inner ? (size - i) * inner : columns;
        for (int64_t j = 0; j < columns; j += width) {
            const int64_t count = std::min(width, columns - j);
            const Vec<C> x = take<R>(in + j, count, end), before = Vec<C>::load(best + j);
            const auto better = (x != x) | ((before == before) & (Max ? x >= before : x <= before));
            const Vec<C> extreme = select(better, x, before);
            const Vec<Integer> here(static_cast<Integer>(i));
            const Vec<Integer> place = select(better, here, Vec<Integer>::load(places + j));
            extreme.store(best + j);
            place.store(places + j);
            put(extreme, values + j, count, room - j);
            put(place, indices + j, count, room - j);
        }
    }
}

// Lines of any length, one by one.
template <class T, bool Max>
void scan_extreme_elements(const T* in, T* values, int64_t* indices, int64_t size, int64_t inner,
                           int64_t columns) {
    using C = Ordered<T>;
    for (int64_t j = 0; j < columns; ++j) {
        C best = least<C, Max>;
        int64_t where = 0;
        for (int64_t at = j, i = 0; i < size; ++i, at += inner) {
            const C x = convert<C>(in[at]);
            const bool better = x != x || (best == best && (Max ? x >= best : x <= best));
            if (better) best = x, where = i;
            values[at] = convert<T>(best);
            indices[at] = where;
        }
    }
}

template <class T, bool Max>
void run_extreme(const T* in, T* values, int64_t* indices, const ScanShape& shape) {
    using R = Reader<T, std::conditional_t<sizeof(T) == 1, int32_t, Ordered<T>>, Value>;
    const bool countable = shape.size <= std::numeric_limits<int32_t>::max();
    if (shape.inner == 1 && countable)
        return for_each_run(shape, [&](int64_t at, int64_t lines) {
            scan_extreme_lines<R, T, Max>(in + at, values + at, indices + at, lines, shape.size);
        });
    const T* const end = in + shape.outer * shape.size * shape.inner;
    for_each_tile(shape, [&](int64_t at, int64_t columns) {
        if (countable)
            scan_extreme_columns<R, T, Max>(in + at, values + at, indices + at, shape.size, shape.inner,
                                            columns, end);
        else
            scan_extreme_elements<T, Max>(in + at, values + at, indices + at, shape.size, shape.inner,
                                          columns);
    });
}

void scan_extreme(bool maximum, DType dtype, const void* in, void* values, int64_t* indices,
                  const ScanShape& shape) {
    if (shape.outer * shape.size * shape.inner == 0) return;
    visit_dtype(dtype, [&](auto tag) {
        using S = typename decltype(tag)::type;
        using T = std::conditional_t<std::is_same_v<S, bool>, uint8_t, S>;
        if constexpr (!is_complex_type<T>) {
            const auto run = maximum ? run_extreme<T, true> : run_extreme<T, false>;
            run(static_cast<const T*>(in), static_cast<T*>(values), indices, shape);
        }
    });
}

}  // namespace

extern const ScanKernels scan_table;
const ScanKernels scan_table = {scan, scan_extreme};

}  // namespace rl::kernels::RUSHLIGHT_ISA
