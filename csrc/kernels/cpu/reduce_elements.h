// What reductions make of the elements that they read, how they combine them, and the loops over memory that
// do both at once. For kernels/cpu alone.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "kernels/cpu/convert.h"
#include "kernels/cpu/lines.h"
#include "kernels/simd/complex.h"
#include "kernels/simd/half.h"
#include "kernels/simd/vec.h"

namespace rl::kernels::RUSHLIGHT_ISA {

// --- What is done to each element as it is read.

struct Value {
    template <class C, class S>
    static C apply(S x, double) {
        return convert<C>(x);
    }
    template <class C>
    static Vec<C> apply(Vec<C> x) {
        return x;
    }
};
struct Truth {
    template <class C, class S>
    static C apply(S x, double) {
        return C(convert<bool>(x));
    }
    template <class C>
    static Vec<C> apply(Vec<C> x) {
        return select(x != Vec<C>(C(0)), Vec<C>(C(1)), C(0));
    }
};
struct NanToZero {
    template <class C, class S>
    static C apply(S x, double) {
        const C value = convert<C>(x);
        return value == value ? value : C(0);
    }
    template <class C>
    static Vec<C> apply(Vec<C> x) {
        return select(x == x, x, C(0));
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
    template <class C>
    static Vec<C> apply(Vec<C> x) {
        return abs(x);
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
    template <class C>
    static Vec<C> apply(Vec<C> x) {
        return x * x;
    }
};
struct Power {
    template <class C, class S>
    static C apply(S x, double power) {
        return std::pow(Absolute::apply<C>(x, 0), static_cast<C>(power));
    }
};

// --- How elements are combined.

// The larger and the smaller of integers in one instruction, where the instruction set has it.
template <class C>
Vec<C> larger_integer(Vec<C> a, Vec<C> b) {
    using Native [[maybe_unused]] = typename Vec<C>::Native;
#if defined(__AVX512F__)
    const auto x = std::bit_cast<__m512i>(a.native), y = std::bit_cast<__m512i>(b.native);
    if constexpr (sizeof(C) == 4) return std::bit_cast<Native>(_mm512_maskz_max_epi32(0xffff, x, y));
    if constexpr (sizeof(C) == 8) return std::bit_cast<Native>(_mm512_maskz_max_epi64(0xff, x, y));
#elif defined(__AVX2__)
    const auto x = std::bit_cast<__m256i>(a.native), y = std::bit_cast<__m256i>(b.native);
    if constexpr (sizeof(C) == 4) return std::bit_cast<Native>(_mm256_max_epi32(x, y));
#endif
    return select(a > b, a, b);
}
template <class C>
Vec<C> smaller_integer(Vec<C> a, Vec<C> b) {
    using Native [[maybe_unused]] = typename Vec<C>::Native;
#if defined(__AVX512F__)
    const auto x = std::bit_cast<__m512i>(a.native), y = std::bit_cast<__m512i>(b.native);
    if constexpr (sizeof(C) == 4) return std::bit_cast<Native>(_mm512_maskz_min_epi32(0xffff, x, y));
    if constexpr (sizeof(C) == 8) return std::bit_cast<Native>(_mm512_maskz_min_epi64(0xff, x, y));
#elif defined(__AVX2__)
    const auto x = std::bit_cast<__m256i>(a.native), y = std::bit_cast<__m256i>(b.native);
    if constexpr (sizeof(C) == 4) return std::bit_cast<Native>(_mm256_min_epi32(x, y));
#endif
    return select(a < b, a, b);
}
template <class C>
struct Sum {
    template <class Other>
    using Of = Sum<Other>;
    static constexpr C identity = C(0);
    template <class V>
    static V apply(V a, V b) {
        return add(a, b);
    }
};
template <class C>
struct Product {
    template <class Other>
    using Of = Product<Other>;
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
    template <class Other>
    using Of = Maximum<Other>;
    static constexpr C identity = std::numeric_limits<C>::has_infinity ? -std::numeric_limits<C>::infinity()
                                                                       : std::numeric_limits<C>::lowest();
    static C apply(C a, C b) { return (b > a) | (b != b) ? b : a; }
    static Vec<C> apply(Vec<C> a, Vec<C> b)
        requires(sizeof(C) >= 4)
    {
        if constexpr (std::is_integral_v<C>)
            return larger_integer(a, b);
        else
            return maximum(b, a);
    }
};
template <class C>
struct Minimum {
    template <class Other>
    using Of = Minimum<Other>;
    static constexpr C identity = std::numeric_limits<C>::has_infinity ? std::numeric_limits<C>::infinity()
                                                                       : std::numeric_limits<C>::max();
    static C apply(C a, C b) { return (b < a) | (b != b) ? b : a; }
    static Vec<C> apply(Vec<C> a, Vec<C> b)
        requires(sizeof(C) >= 4)
    {
        if constexpr (std::is_integral_v<C>)
            return smaller_integer(a, b);
        else
            return minimum(b, a);
    }
};

template <class C>
struct Every : Minimum<C> {  // of 0 and 1
    template <class Other>
    using Of = Every<Other>;
    static constexpr C identity = C(1);
};

// --- Reading: elements of type S in memory, as C, mapped.

template <class C>
inline constexpr bool has_vectors = is_complex_type<C> || (std::is_arithmetic_v<C> && sizeof(C) >= 4);

// Whether a vector of S becomes one of C in a step.
template <class S, class C>
inline constexpr bool widens = std::is_same_v<S, C> || (is_half_type<S> && std::is_same_v<C, float>) ||
                               (std::is_same_v<S, float> && std::is_same_v<C, double>) ||
                               (std::is_integral_v<S> && !std::is_same_v<S, bool> && std::is_integral_v<C>);

// As many lanes of C as a vector has, by doublings of their width: the compiler takes longer steps lane by
// lane.
template <class S, class C, class Lanes>
typename Vec<C>::Native widen_lanes(Lanes x) {
    if constexpr (2 * sizeof(S) >= sizeof(C)) {
        return __builtin_convertvector(x, typename Vec<C>::Native);
    } else {
        using Next = std::conditional_t<sizeof(S) == 2, int32_t,
                                        std::conditional_t<std::is_signed_v<S>, int16_t, uint16_t>>;
        typedef Next Wider __attribute__((vector_size(Vec<C>::size * sizeof(Next))));
        return widen_lanes<Next, C>(__builtin_convertvector(x, Wider));
    }
}

template <class S, class C, class Map>
struct Reader {
    using Memory = S;
    using Element = C;
    using Mapping = Map;
    static constexpr bool vectorized = has_vectors<C> && widens<S, C> && !std::is_same_v<Map, Power>;

    static C one(S x, double power = 1) { return Map::template apply<C>(x, power); }
    static Vec<C> vector(const S* x) {
        if constexpr (std::is_same_v<S, C>) {
            return Map::apply(Vec<C>::load(x));
        } else if constexpr (is_half_type<S>) {
            return Map::apply(load_widened(x));
        } else {
            typedef S Narrow __attribute__((vector_size(Vec<C>::size * sizeof(S)), aligned(1), may_alias));
            return Map::apply(Vec<C>(widen_lanes<S, C>(*reinterpret_cast<const Narrow*>(x))));
        }
    }
    // The lanes before `count`, which is less than a vector's; the others hold anything.
    static Vec<C> vector(const S* x, int64_t count) {
        if constexpr (std::is_same_v<S, C>) {
            return Map::apply(Vec<C>::load(x, count));
        } else {
            S values[Vec<C>::size] = {};
            for (int64_t i = 0; i < count; ++i) values[i] = x[i];
            return vector(values);
        }
    }
};

// The type in which elements are compared: their own, or a wider one that has vectors.
template <class S>
using Ordered = std::conditional_t<
    is_half_type<S>, float,
    std::conditional_t<std::is_same_v<S, int8_t> || std::is_same_v<S, int16_t>, int32_t, S>>;

// Lanes first to last of `x`, the others the identity.
template <class Op, class C>
Vec<C> lanes_between(Vec<C> x, int64_t first, int64_t last) {
    using Integer = std::conditional_t<vector_bytes / Vec<C>::size == 8, int64_t, int32_t>;
    typename Vec<Integer>::Native index;
    for (int lane = 0; lane < Vec<C>::size; ++lane) index[lane] = lane;
    const Vec<Integer> lane(index);
    const auto chosen = (lane >= Vec<Integer>(static_cast<Integer>(first))) &
                        (lane < Vec<Integer>(static_cast<Integer>(last)));
    return select(chosen, x, Vec<C>(Op::identity));
}

// Every second group of `Group` lanes of the two vectors' together, from group `First` on.
template <int First, int Group, class C, int... I>
Vec<C> every_other(Vec<C> a, Vec<C> b, std::integer_sequence<int, I...> lanes) {
    if constexpr (is_complex_type<C>)
        return {every_other<First, Group>(a.re, b.re, lanes), every_other<First, Group>(a.im, b.im, lanes)};
    else
        return __builtin_shufflevector(a.native, b.native, (I + (I / Group + First) * Group)...);
}

// Of as many vectors as a vector has groups of lanes, the combined groups of each in the order of the
// vectors.
template <class C, class Op, int Group, int Count, int... I>
Vec<C> fold_vectors(const Vec<C>* x, std::integer_sequence<int, I...> lanes) {
    if constexpr (Count == 1) {
        return *x;
    } else {
        const Vec<C> a = fold_vectors<C, Op, Group, Count / 2>(x, lanes);
        const Vec<C> b = fold_vectors<C, Op, Group, Count / 2>(x + Count / 2, lanes);
        return Op::apply(every_other<0, Group>(a, b, lanes), every_other<1, Group>(a, b, lanes));
    }
}
template <class C, class Op, int Group = 1>
Vec<C> fold_vectors(const Vec<C> (&x)[Vec<C>::size / Group]) {
    constexpr int size = Vec<C>::size;
    return fold_vectors<C, Op, Group, size / Group>(x, std::make_integer_sequence<int, size>{});
}

// --- Loops over memory.

constexpr int64_t prefetch_bytes = 2048;  // ahead of what is read

// Asks for what lies `bytes` behind x, which may be outside of the array.
inline void prefetch(const void* x, int64_t bytes) {
    __builtin_prefetch(
        reinterpret_cast<const char*>(reinterpret_cast<uintptr_t>(x) + static_cast<uintptr_t>(bytes)));
}

// Whether complex numbers are summed as what they are in memory, pairs of real ones.
template <class R, class Op>
inline constexpr bool summed_in_parts =
    is_complex_type<typename R::Memory> && std::is_same_v<Op, Sum<typename R::Memory>>;

// What a line's elements are combined in: integers narrower than a vector's lanes in 32 bits.
template <class R>
using LaneReader =
    std::conditional_t<std::is_integral_v<typename R::Element> && sizeof(typename R::Element) < 4,
                       Reader<typename R::Memory, int32_t, typename R::Mapping>, R>;
template <class R>
using LaneOf = typename LaneReader<R>::Element;

// The elements of a line of at least a vector's, combined into its lanes: in eight vectors at a time, which
// are joined after some rounds, so that no rounding error gathers along a long line.
template <class R, class Op>
[[gnu::noinline]] Vec<typename R::Element> line_vector(const typename R::Memory* x, int64_t count) {
    using C = typename R::Element;
    constexpr int64_t width = Vec<C>::size, group = 8 * width, block = 8 * group;
    const auto read = [&](int64_t i) {
        prefetch(x + i, prefetch_bytes);
        return R::vector(x + i);
    };
    Vec<C> joined;
    int64_t i = 0;
    while (i + group <= count) {
        const int64_t end = std::min(count, i + block);
        const bool first = i == 0;
        Vec<C> total[8];
        for (int v = 0; v < 8; ++v) total[v] = read(i + v * width);
        for (i += group; i + group <= end; i += group)
            for (int v = 0; v < 8; ++v) total[v] = Op::apply(total[v], read(i + v * width));
        for (int half = 4; half > 0; half /= 2)
            for (int v = 0; v < half; ++v) total[v] = Op::apply(total[v], total[v + half]);
        joined = first ? total[0] : Op::apply(joined, total[0]);
    }
    if (i == 0) {
        joined = read(0);
        i = width;
    }
    for (; i + width <= count; i += width) joined = Op::apply(joined, read(i));
    if (i == count) return joined;
    // The last vector of the line, without the lanes that have been read.
    return Op::apply(joined, lanes_between<Op>(R::vector(x + count - width), width - (count - i), width));
}

// The same of up to eight vectors, without loops that begin and end for so few.
template <class R, class Op>
Vec<typename R::Element> short_line_vector(const typename R::Memory* x, int64_t count) {
    using C = typename R::Element;
    constexpr int64_t width = Vec<C>::size;
    const auto read = [&](int64_t i) {
        prefetch(x + i, prefetch_bytes);
        return R::vector(x + i);
    };
    if (count == 8 * width) {
        const auto pair = [&](int64_t v) { return Op::apply(read(v * width), read((v + 4) * width)); };
        return Op::apply(Op::apply(pair(0), pair(2)), Op::apply(pair(1), pair(3)));
    }
    Vec<C> joined = read(0);
    int64_t i = width;
    for (; i + width <= count; i += width) joined = Op::apply(joined, read(i));
    if (i == count) return joined;
    return Op::apply(joined, lanes_between<Op>(R::vector(x + count - width), width - (count - i), width));
}

// A long line of integers of one or two bytes, in lanes of their own width first.
template <class R, class Op>
[[gnu::noinline]] Vec<int32_t> narrow_line_vector(const typename R::Memory* x, int64_t count) {
    using C = typename R::Element;
    using Wide = typename Op::template Of<int32_t>;
    constexpr int64_t lanes = 256 / sizeof(C);
    C total[lanes];
    for (int64_t l = 0; l < lanes; ++l) total[l] = R::one(x[l]);
    int64_t i = lanes;
    for (; i + lanes <= count; i += lanes)
        for (int64_t l = 0; l < lanes; ++l) total[l] = Op::apply(total[l], R::one(x[i + l]));
    const int64_t left = count - lanes;  // the last ones, some of them once more: extrema do not mind
    for (int64_t l = 0; l < lanes; ++l) total[l] = Op::apply(total[l], R::one(x[left + l]));
    return line_vector<Reader<C, int32_t, Value>, Wide>(total, lanes);
}

// The elements of any line; `whole` says that a whole vector may be read where the line is shorter.
template <class R, class Op>
Vec<LaneOf<R>> lanes_of_line(const typename R::Memory* x, int64_t count, bool whole) {
    using Lanes = LaneReader<R>;
    using LaneOp = typename Op::template Of<LaneOf<R>>;
    if (count < Vec<LaneOf<R>>::size)
        return lanes_between<LaneOp>(whole ? Lanes::vector(x) : Lanes::vector(x, count), 0, count);
    if (count == Vec<LaneOf<R>>::size) return Lanes::vector(x);
    if constexpr (!R::vectorized)
        if (count >= 512) return narrow_line_vector<R, Op>(x, count);
    return line_vector<Lanes, LaneOp>(x, count);
}

template <class R, class Op, int Group = 1>
void line_totals(const void* base, int64_t offset, int64_t stride, int64_t lines, int64_t count,
                 typename R::Element* totals);

// `count` neighbours.
template <class R, class Op>
[[gnu::noinline]] typename R::Element run_total(const typename R::Memory* x, int64_t count) {
    using C = typename R::Element;
    if constexpr (summed_in_parts<R, Op>) {
        C total;
        line_totals<R, Op>(x, 0, 0, 1, count, &total);
        return total;
    } else if constexpr (LaneReader<R>::vectorized) {
        using Lane = LaneOf<R>;
        Lane total[Vec<Lane>::size];
        lanes_of_line<R, Op>(x, count, false).store(total);
        for (int half = Vec<Lane>::size / 2; half > 0; half /= 2)
            for (int l = 0; l < half; ++l) total[l] = Op::template Of<Lane>::apply(total[l], total[l + half]);
        return static_cast<C>(total[0]);
    } else {
        constexpr int64_t lanes = 4;
        C total[lanes];
        std::fill_n(total, lanes, Op::identity);
        int64_t i = 0;
        for (; i + lanes <= count; i += lanes)
            for (int64_t l = 0; l < lanes; ++l) total[l] = Op::apply(total[l], R::one(x[i + l]));
        for (int64_t l = 0; i + l < count; ++l) total[l] = Op::apply(total[l], R::one(x[i + l]));
        return Op::apply(Op::apply(total[0], total[2]), Op::apply(total[1], total[3]));
    }
}

// `count` elements, `stride` apart: in lanes of scalars, or gathered where they are dear to convert or to
// combine one by one.
template <class R, class Op>
typename R::Element strided_total(const typename R::Memory* x, int64_t stride, int64_t count) {
    using C = typename R::Element;
    constexpr bool plain = std::is_integral_v<C> || std::is_same_v<Op, Sum<C>>;
    constexpr bool gather = std::is_same_v<typename R::Memory, Half> || !plain;
    constexpr int64_t lanes = gather ? 1 : 8, together = gather ? 1024 : 32 * lanes;
    C total[lanes];
    std::fill_n(total, lanes, Op::identity);
    for (int64_t number; count > 0; count -= number, x += number * stride) {
        number = std::min(together, count);
        if constexpr (gather) {
            typename R::Memory gathered[together];
            for (int64_t i = 0; i < number; ++i) gathered[i] = x[i * stride];
            total[0] = Op::apply(total[0], run_total<R, Op>(gathered, number));
        } else {
            C part[lanes];
            std::fill_n(part, lanes, Op::identity);
            int64_t i = 0;
            for (; i + lanes <= number; i += lanes)
                for (int64_t l = 0; l < lanes; ++l) part[l] = Op::apply(part[l], R::one(x[(i + l) * stride]));
            for (int64_t l = 0; i < number; ++i, ++l) part[l] = Op::apply(part[l], R::one(x[i * stride]));
            for (int64_t l = 0; l < lanes; ++l) total[l] = Op::apply(total[l], part[l]);
        }
    }
    return run_total<Reader<C, C, Value>, Op>(total, lanes);
}

// `count` elements, `stride` apart.
template <class R, class Op>
typename R::Element total_of(const void* base, int64_t offset, int64_t stride, int64_t count) {
    const auto* const x = static_cast<const typename R::Memory*>(base) + offset;
    return stride == 1 ? run_total<R, Op>(x, count) : strided_total<R, Op>(x, stride, count);
}

// Of `lines` lines of `count` neighbours each, `stride` apart, as many at a time as a vector has lanes, or
// groups of them: every line then makes the totals of as many interleaved ones.
template <class R, class Op, int Group>
[[gnu::noinline]] void line_totals(const void* base, int64_t offset, int64_t stride, int64_t lines,
                                   int64_t count, typename R::Element* totals) {
    using C = typename R::Element;
    const auto* x = static_cast<const typename R::Memory*>(base) + offset;
    if constexpr (summed_in_parts<R, Op>) {
        using Part = typename R::Memory::value_type;
        line_totals<Reader<Part, Part, Value>, Sum<Part>, 2>(x, 0, 2 * stride, lines, 2 * count,
                                                             reinterpret_cast<Part*>(totals));
    } else if constexpr (LaneReader<R>::vectorized) {
        using Lane = LaneOf<R>;
        using LaneOp = typename Op::template Of<Lane>;
        constexpr int64_t width = Vec<Lane>::size, together = width / Group;
        const bool short_lines = width < count && count <= 8 * width;
        const auto* const last_whole = x + (lines - 1) * stride + count - width;
        for (; lines > 0; lines -= together, totals += width) {
            const int64_t number = std::min(together, lines);
            Vec<Lane> part[together];
            for (int64_t line = 0; line < number; ++line, x += stride)
                part[line] = short_lines ? short_line_vector<LaneReader<R>, LaneOp>(x, count)
                                         : lanes_of_line<R, Op>(x, count, x <= last_whole);
            for (int64_t line = number; line < together; ++line) part[line] = part[0];
            const Vec<Lane> total = fold_vectors<Lane, LaneOp, Group>(part);
            if constexpr (std::is_same_v<C, Lane>) {
                store_lanes(total, totals, 0, number * Group);
            } else {
                for (int64_t line = 0; line < number; ++line) totals[line] = static_cast<C>(total[line]);
            }
        }
    } else {
        for (int64_t line = 0; line < lines; ++line, x += stride) totals[line] = run_total<R, Op>(x, count);
    }
}

// totals[j] combined with `Count` rows' elements j, or begun with them.
template <class R, class Op, int Count>
void join_rows(const typename R::Memory* x, int64_t stride, int64_t width, typename R::Element* totals,
               bool begin, int64_t ahead) {
    using C = typename R::Element;
    const auto join = [&](auto read) {
        const auto a = read(0);
        if constexpr (Count == 1) return a;
        const auto b = read(1);
        return Op::apply(Op::apply(a, b), Op::apply(read(2), read(3)));
    };
    if constexpr (R::vectorized) {
        int64_t j = 0;
        for (; j + Vec<C>::size <= width; j += Vec<C>::size) {
            for (int row = 0; row < Count; ++row) prefetch(x + j + row * stride, ahead);
            const Vec<C> joined = join([&](int64_t row) { return R::vector(x + j + row * stride); });
            (begin ? joined : Op::apply(Vec<C>::load(totals + j), joined)).store(totals + j);
        }
        if (j == width) return;
        const Vec<C> joined = join([&](int64_t row) { return R::vector(x + j + row * stride, width - j); });
        (begin ? joined : Op::apply(Vec<C>::load(totals + j, width - j), joined))
            .store(totals + j, width - j);
    } else {
        for (int64_t j = 0; j < width; ++j) {
            const C joined = join([&](int64_t row) { return R::one(x[j + row * stride]); });
            totals[j] = begin ? joined : Op::apply(totals[j], joined);
        }
    }
}

// `rows` rows of `width` neighbours, `stride` apart, into totals or, where `begin` is set, as their first.
// What lies `ahead` of each is read next.
template <class R, class Op>
[[gnu::noinline]] void row_totals(const void* base, int64_t offset, int64_t stride, int64_t rows,
                                  int64_t width, typename R::Element* totals, bool begin, int64_t ahead) {
    if constexpr (summed_in_parts<R, Op>) {
        using Part = typename R::Memory::value_type;
        return row_totals<Reader<Part, Part, Value>, Sum<Part>>(
            base, 2 * offset, 2 * stride, rows, 2 * width, reinterpret_cast<Part*>(totals), begin, ahead);
    }
    const auto* x = static_cast<const typename R::Memory*>(base) + offset;
    for (; rows >= 4; rows -= 4, x += 4 * stride, begin = false)
        join_rows<R, Op, 4>(x, stride, width, totals, begin, ahead);
    for (; rows > 0; --rows, x += stride, begin = false)
        join_rows<R, Op, 1>(x, stride, width, totals, begin, ahead);
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
