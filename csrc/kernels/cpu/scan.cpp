// Running reductions. Single precision accumulates in double. A line is scanned a vector at a time: within
// the vector in a logarithm of steps, and what came before is added to all of its lanes at once.
#include "kernels/scan.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "core/threads.h"
#include "kernels/cpu/reduce_elements.h"

namespace rl::kernels::RUSHLIGHT_ISA {
namespace {

constexpr int64_t block_size = 256;  // results of a line that are converted at a time
constexpr int64_t tile_size = 64;    // neighbouring lines scanned together
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

// --- Lines of the last dimension.

// Products of float64 are formed one by one: their parts may overflow where the whole does not.
template <class T, class Op>
inline constexpr bool in_vectors = !is_complex_type<T> && !std::is_same_v<Op, RunningLogSumExp> &&
                                   !(std::is_same_v<T, double> && std::is_same_v<Op, RunningProduct>);

// Calls body(i, vector of the elements from i on, their number); the last vector is read whole where the
// array has not come to its end.
template <class R, class Body>
void for_each_vector(const typename R::Memory* x, int64_t size, const typename R::Memory* end, Body&& body) {
    constexpr int64_t width = Vec<typename R::Element>::size;
    int64_t i = 0;
    for (; i + width <= size; i += width) body(i, R::vector(x + i), width);
    if (i < size) body(i, end - x >= i + width ? R::vector(x + i) : R::vector(x + i, size - i), size - i);
}

template <class T, class C>
void store_converted(const C* from, int64_t count, T* to) {
    if constexpr (is_half_type<T>)
        narrow(from, to, count);
    else
        for (int64_t i = 0; i < count; ++i) to[i] = convert<T>(from[i]);
}

// Calls scan(line, begin, count, target) for the parts of lines that a block holds; what it leaves at the
// targets goes to `out`.
template <class T, class C, class Scan>
void for_each_part(T* out, int64_t lines, int64_t size, Scan&& scan) {
    C block[block_size];
    const int64_t together = std::max<int64_t>(1, block_size / size);
    for (int64_t first = 0; first < lines; first += together, out += together * size) {
        const int64_t number = std::min(together, lines - first);
        if constexpr (std::is_same_v<T, C>) {
            for (int64_t line = 0; line < number; ++line)
                scan(first + line, int64_t{0}, size, out + line * size);
        } else if (size <= block_size) {
            for (int64_t line = 0; line < number; ++line)
                scan(first + line, int64_t{0}, size, block + line * size);
            store_converted(block, number * size, out);
        } else {
            for (int64_t begin = 0; begin < size; begin += block_size) {
                const int64_t count = std::min(block_size, size - begin);
                scan(first, begin, count, block);
                store_converted(block, count, out + begin);
            }
        }
    }
}

template <class R, class T, class Op>
void scan_vectors(const typename R::Memory* in, T* out, int64_t lines, int64_t size) {
    using C = typename R::Element;
    const Vec<C> start(Op::template start<C>());
    const auto join = [](Vec<C> a, Vec<C> b) { return Op::next(a, b); };
    const auto* const end = in + lines * size;
    Vec<C> carry = start;
    for_each_part<T, C>(out, lines, size, [&](int64_t line, int64_t begin, int64_t number, C* target) {
        if (begin == 0) carry = start;
        for_each_vector<R>(in + line * size + begin, number, end, [&](int64_t i, Vec<C> x, int64_t count) {
            const Vec<C> part = prefix<1>(x, start, join);
            store_lanes(join(carry, part), target, i, count);
            carry = join(carry, last_lane(part));
        });
    });
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
    if constexpr (in_vectors<T, Op>)
        scan_vectors<Reader<S, Accumulator<T>, Value>, T, Op>(in, out, lines, size);
    else
        for (; lines > 0; --lines, in += size, out += size) scan_elements<S, T, Op>(in, out, size);
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
    using C = Accumulator<T>;
    if (shape.inner == 1)
        return for_each_run(shape, [&](int64_t at, int64_t lines) {
            scan_lines<S, T, Op>(in + at, out + at, lines, shape.size);
        });
    for_each_tile(shape, [&](int64_t offset, int64_t width) {
        C total[tile_size], row[tile_size];
        std::fill_n(total, width, Op::template start<C>());
        for (int64_t i = 0; i < shape.size; ++i, offset += shape.inner) {
            if constexpr (is_half_type<S>)
                widen(in + offset, row, width);
            else
                for (int64_t j = 0; j < width; ++j) row[j] = convert<C>(in[offset + j]);
            for (int64_t j = 0; j < width; ++j) total[j] = Op::template next<C>(total[j], row[j]);
            store_converted(total, width, out + offset);
        }
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

template <class R, class T, bool Max>
void scan_extreme_lines(const T* in, T* values, int64_t* indices, int64_t lines, int64_t size) {
    using C = typename R::Element;
    using Integer = IntegerOf<C>;
    constexpr int width = Vec<C>::size;
    const auto better = [](Vec<C> a, Vec<C> b) { return Max ? maximum(b, a) : minimum(b, a); };
    const auto later = [](Vec<Integer> a, Vec<Integer> b) { return max(a, b); };
    const Vec<Integer> none(Integer(-1));
    const Vec<C> start(least<C, Max>);
    typename Vec<Integer>::Native lanes;
    for (int lane = 0; lane < width; ++lane) lanes[lane] = lane;
    const T* const end = in + lines * size;
    Vec<C> carry = start;
    int64_t before = 0;
    for_each_part<T, C>(values, lines, size, [&](int64_t line, int64_t begin, int64_t number, C* target) {
        if (begin == 0) carry = start, before = 0;
        int64_t* const places = indices + line * size + begin;
        for_each_vector<R>(in + line * size + begin, number, end, [&](int64_t i, Vec<C> x, int64_t count) {
            if (!any((Max ? x >= carry : x <= carry) | (x != x))) {  // as most, in a long line
                store_lanes(carry, target, i, count);
                std::fill_n(places + i, count, before);
                return;
            }
            const Vec<C> part = prefix<1>(x, start, better), extreme = better(carry, part);
            // A lane's number where the extreme is met, and from there on to the next.
            const Vec<Integer> met = select((x == extreme) | (x != x), Vec<Integer>(lanes), none);
            Integer found[width];
            prefix<1>(met, none, later).store(found);
            store_lanes(extreme, target, i, count);
            int64_t where[width];
            for (int lane = 0; lane < width; ++lane)
                where[lane] = found[lane] < 0 ? before : begin + i + found[lane];
            if (count == width)
                std::copy_n(where, width, places + i);
            else
                std::copy_n(where, count, places + i);
            before = where[width - 1];
            carry = better(carry, last_lane(part));
        });
    });
}

template <class T, bool Max>
void run_extreme(const T* in, T* values, int64_t* indices, const ScanShape& shape) {
    using C = std::conditional_t<sizeof(T) == 1, int32_t, Ordered<T>>;
    if (shape.inner == 1)
        return for_each_run(shape, [&](int64_t at, int64_t lines) {
            scan_extreme_lines<Reader<T, C, Value>, T, Max>(in + at, values + at, indices + at, lines,
                                                            shape.size);
        });
    for_each_tile(shape, [&](int64_t offset, int64_t width) {
        C best[tile_size];
        int64_t where[tile_size] = {};
        for (int64_t j = 0; j < width; ++j) best[j] = convert<C>(in[offset + j]);
        for (int64_t i = 0; i < shape.size; ++i, offset += shape.inner)
            for (int64_t j = 0; j < width; ++j) {
                const C x = convert<C>(in[offset + j]);
                const bool better = (x != x) | ((best[j] == best[j]) & (Max ? x >= best[j] : x <= best[j]));
                best[j] = better ? x : best[j];
                where[j] = better ? i : where[j];
                values[offset + j] = convert<T>(best[j]);
                indices[offset + j] = where[j];
            }
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
