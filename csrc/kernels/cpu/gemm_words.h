// Products of narrow types by instructions that multiply neighbours in depth: two bfloat16 (AVX512-BF16) or
// four bytes (VNNI) fill a 32-bit word, and an instruction adds all of a word's products to a 32-bit sum.
//
// To the blocked product a word is one element; only packing and the tile know better. Strides count
// elements.
#pragma once

#include "kernels/cpu/gemm_run.h"

namespace rl::kernels::RUSHLIGHT_ISA {

#if defined(__AVX512F__)

struct PairsOfBFloat16 {
    using Element = BFloat16;
    using Sum = float;
    static bool available() {
        static const bool has = __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vnni");
        return has;
    }
};

// The instruction takes unsigned bytes from the left and signed ones from the right. Who wants signed bytes
// from the left as well has their signs turned over, which raises them by 128; sums then start from minus 128
// times the sums of the right columns.
struct QuadsOfBytes {
    using Element = uint8_t;
    using Sum = int32_t;
    static bool available() { return PairsOfBFloat16::available(); }
};

template <class P>
inline constexpr int word_elements = 4 / static_cast<int>(sizeof(typename P::Element));

// Lane j holds the elements j of `rows` rows, the first lowest; lanes from `count` on are zero.
template <class Element>
inline Words interleave_rows(const Element* source, int64_t stride, int count, int rows) {
    const auto widen = [count](const Element* row) {
        if constexpr (sizeof(Element) == 2)
            return std::bit_cast<Words>(_mm512_maskz_cvtepu16_epi32(0xffff, load_narrow(row, count)));
        else
            return std::bit_cast<Words>(_mm512_maskz_cvtepu8_epi32(0xffff, load_narrow(row, count)));
    };
    constexpr int bits = 8 * static_cast<int>(sizeof(Element));
    Words words = widen(source);
#pragma GCC unroll 4
    for (int e = 1; e < 32 / bits; ++e)
        if (e < rows) words |= widen(source + e * stride) << (e * bits);
    return words;
}

// sum + the products of each word on the left with the same on the right.
template <class P>
using Sums = Vector<LaneOf<typename P::Sum>>;
template <class P>
__attribute__((target("avx512bf16,avx512vnni"), always_inline)) inline Sums<P> add_products(Sums<P> sum,
                                                                                            Words left,
                                                                                            Words right) {
    if constexpr (std::is_same_v<P, PairsOfBFloat16>)
        return _mm512_dpbf16_ps(sum, std::bit_cast<__m512bh>(left), std::bit_cast<__m512bh>(right));
    else
        return std::bit_cast<Sums<P>>(_mm512_dpbusd_epi32(
            std::bit_cast<__m512i>(sum), std::bit_cast<__m512i>(left), std::bit_cast<__m512i>(right)));
}

// Writes a tile's sums rounded by the processor's instruction, two vectors at a time.
template <int rows, int vectors>
__attribute__((target("avx512bf16,avx512vnni"), always_inline)) inline void store_narrowed(
    const Vector<float> (&sum)[rows][vectors], BFloat16* out, int64_t pitch, int columns) {
    const auto mask = static_cast<__mmask32>((uint64_t{1} << columns) - 1);
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r) {
        const Vector<float> second = vectors == 2 ? sum[r][vectors - 1] : Vector<float>{};
        _mm512_mask_storeu_epi16(out + r * pitch, mask,
                                 std::bit_cast<__m512i>(_mm512_cvtne2ps_pbh(second, sum[r][0])));
    }
}

template <class P, int rows, int vectors, bool right_packed>
__attribute__((target("avx512bf16,avx512vnni"))) void multiply_word_tile(
    const TileOperands<typename P::Sum>& operands, typename P::Sum* out, int64_t pitch, int columns,
    typename P::Sum alpha, bool accumulate) {
    using Sum = typename P::Sum;
    using Element = typename P::Element;
    constexpr int width = lanes<Sum>, pointers = (rows + rows_a_pointer - 1) / rows_a_pointer;
    constexpr int elements = word_elements<P>;
    const int last_lanes = columns - (vectors - 1) * width;
    const int64_t row = operands.a_row, step = operands.a_step;
    const int64_t b_step = right_packed ? vectors * width * elements : operands.b_step;
    const Element* right = reinterpret_cast<const Element*>(operands.b);
    const Element* left[pointers];
    for (int i = 0; i < pointers; ++i)
        left[i] = reinterpret_cast<const Element*>(operands.a) + i * rows_a_pointer * row;
    // Opaque: GCC would turn over the word before it spreads it, outside the vectors.
    Words flip = Words{} + operands.flip;
    asm("" : "+v"(flip));
    Sums<P> sum[rows][vectors] = {};
    if constexpr (std::is_integral_v<Sum>) {
        if (operands.start != nullptr) {
            const auto* start = reinterpret_cast<const LaneOf<Sum>*>(operands.start);
            for (int v = 0; v < vectors; ++v) {
                const Sums<P> column = v + 1 < vectors ? load_vector(start + v * width)
                                                       : load_lanes(start + v * width, last_lanes);
                for (int r = 0; r < rows; ++r) sum[r][v] = column;
            }
        }
    }
    for (int64_t k = 0; k < operands.depth; ++k) {
        Words column[vectors];
        for (int v = 0; v < vectors; ++v) {
            if constexpr (right_packed)
                std::memcpy(&column[v], right + v * width * elements, vector_bytes);
            else
                column[v] = interleave_rows(right + v * width, b_step / elements,
                                            v + 1 < vectors ? width : last_lanes, elements);
        }
        for (int r = 0; r < rows; ++r) {
            uint32_t word;
            std::memcpy(&word, left[r / rows_a_pointer] + r % rows_a_pointer * row, sizeof(word));
            Words x = Words{} + word;
            if constexpr (std::is_integral_v<Sum>) x ^= flip;
            for (int v = 0; v < vectors; ++v) sum[r][v] = add_products<P>(sum[r][v], x, column[v]);
        }
        for (int i = 0; i < pointers; ++i) left[i] += step;
        right += b_step;
    }
    if constexpr (std::is_same_v<P, PairsOfBFloat16>) {
        if (operands.narrow != nullptr) return store_narrowed(sum, operands.narrow, pitch, columns);
    }
    store_sums<Sum>(sum, out, pitch, last_lanes, alpha, accumulate);
}

template <class P, int vectors, bool right_packed, int... counts>
inline TileKernel<typename P::Sum> word_kernel_of(int rows, std::integer_sequence<int, counts...>) {
    static constexpr TileKernel<typename P::Sum> kernels[] = {
        &multiply_word_tile<P, counts + 1, vectors, right_packed>...};
    return kernels[rows - 1];
}

// A strided matrix as either operand, its depth counted in words; the last is filled up with zeros.
template <class P>
struct WordSource {
    using Element = typename P::Element;
    using Sum = typename P::Sum;
    static constexpr int width = lanes<Sum>;
    static constexpr int unit = word_elements<P>;
    static constexpr bool readable = true;
    static constexpr int64_t most_depth = 640;

    const Element* data;
    int64_t lane_stride, k_stride;
    int64_t elements;   // in depth
    uint32_t flip = 0;  // as TileOperands say
    KeptForms* forms = nullptr;

    // As StridedSource's; the depth in elements, of which the last word may be short.
    FormKey form_key(FormKind kind, Range lanes, Range depth) const {
        return {static_cast<int64_t>(kind) + 2 * unit,  // other layouts than those of elements
                static_cast<int64_t>(dtype_of<Element>),
                reinterpret_cast<int64_t>(data),
                lane_stride,
                k_stride,
                lanes.first,
                lanes.count,
                depth.first * unit,
                std::min(elements - depth.first * unit, depth.count * unit)};
    }

    bool left_in_place(int64_t, int64_t n, int64_t) const {
        const bool aliased = lane_stride * static_cast<int64_t>(sizeof(Element)) % 4096 == 0;
        return k_stride == 1 && elements % unit == 0 && !(aliased && n >= 512);
    }
    // While it costs no more than packing does.
    bool right_in_place(int64_t m, int64_t, int64_t) const {
        return flip == 0 && lane_stride == 1 && elements % unit == 0 &&
               ceil_divide(m, tile_rows<Sum>) * unit <= 4;
    }
    Place<Sum> place(int64_t lane, int64_t k) const {
        const Element* first = data + lane * lane_stride + k * unit * k_stride;
        return {reinterpret_cast<const Sum*>(first), lane_stride, unit * k_stride};
    }
    static TileKernel<Sum> kernel(int rows, int vectors, bool, bool right_packed) {
        constexpr auto counts = std::make_integer_sequence<int, tile_rows<Sum>>();
        if (right_packed)
            return vectors == 1 ? word_kernel_of<P, 1, true>(rows, counts)
                                : word_kernel_of<P, 2, true>(rows, counts);
        return vectors == 1 ? word_kernel_of<P, 1, false>(rows, counts)
                            : word_kernel_of<P, 2, false>(rows, counts);
    }

    // target[k * pitch + lane] for `count` lanes and zeros up to a vector's width after them.
    void pack_strip(int64_t first, int count, int64_t k, int64_t depth, Sum* target, int64_t pitch) const {
        const Element* source = data + first * lane_stride + k * unit * k_stride;
        const int64_t rest = elements - k * unit;
        if (k_stride == 1) {
            for (int64_t done = 0; done < depth; done += width)
                pack_square(source + done * unit, count, rest - done * unit, depth - done,
                            target + done * pitch, pitch);
        } else if (lane_stride == 1) {
            for (int64_t done = 0; done < depth; ++done) {
                const int rows = static_cast<int>(std::min<int64_t>(unit, rest - done * unit));
                store_words(target + done * pitch,
                            interleave_rows(source + done * unit * k_stride, k_stride, count, rows));
            }
        } else {
            for (int64_t done = 0; done < depth; ++done)
                pack_words(source + done * unit * k_stride, count, rest - done * unit, target + done * pitch);
        }
    }
    // Up to a vector's width of words in depth, contiguous in memory.
    void pack_square(const Element* source, int count, int64_t rest, int64_t depth, Sum* target,
                     int64_t pitch) const {
        const auto bytes = rest * static_cast<int64_t>(sizeof(Element));
        const __mmask64 mask = bytes >= 64 ? ~__mmask64{0} : (__mmask64{1} << bytes) - 1;
        Vector<Sum> line[width];
#pragma GCC unroll 16
        for (int lane = 0; lane < width; ++lane)
            line[lane] =
                lane < count
                    ? std::bit_cast<Vector<Sum>>(_mm512_maskz_loadu_epi8(mask, source + lane * lane_stride))
                    : Vector<Sum>{};
        transpose_square<Sum>(line);
#pragma GCC unroll 16
        for (int j = 0; j < width; ++j)
            if (j < depth) store_vector(target + j * pitch, line[j]);
    }
    void pack_words(const Element* source, int count, int64_t rest, Sum* target) const {
        Words words = {};
        for (int lane = 0; lane < count; ++lane) {
            Element here[unit] = {};
            for (int e = 0; e < std::min<int64_t>(unit, rest); ++e)
                here[e] = source[lane * lane_stride + e * k_stride];
            uint32_t word;
            std::memcpy(&word, here, sizeof(word));
            words[lane] = word;
        }
        store_words(target, words);
    }
    static void store_words(Sum* target, Words words) {
        store_vector(target, std::bit_cast<Vector<Sum>>(words));
    }

    // As StridedSource's; a strip may spill past the pitch into the row that is written next.
    void pack_rows(int64_t first, int rows, int64_t k, int64_t depth, Sum* target) const {
        pack_strip(first, rows, k, depth, target, rows);
    }
    void pack_columns(int64_t first, int count, int vectors, int64_t k, int64_t depth, Sum* target) const {
        for (int v = 0; v < vectors; ++v)
            pack_strip(first + v * width, std::clamp(count - v * width, 0, width), k, depth,
                       target + v * width, int64_t{vectors} * width);
        if constexpr (std::is_integral_v<Sum>) {
            if (flip != 0) sum_columns(target, vectors, depth, target + depth * vectors * width);
        }
    }
    // What the sums of the panel's columns start from.
    __attribute__((target("avx512bf16,avx512vnni"))) static void sum_columns(const Sum* panel, int vectors,
                                                                             int64_t depth, Sum* start) {
        const Words ones = Words{} + 0x01010101u;
        for (int v = 0; v < vectors; ++v) {
            Sums<P> sum = {};
            for (int64_t k = 0; k < depth; ++k)
                sum = add_products<P>(sum, ones,
                                      std::bit_cast<Words>(load_vector(panel + (k * vectors + v) * width)));
            store_vector(start + v * width, std::bit_cast<Vector<Sum>>(sum * LaneOf<Sum>(-128)));
        }
    }
};

// Rows of bfloat16, rounded by the processor's instruction: two vectors at a time.
struct PairTarget : StridedTarget<BFloat16> {
    // Where tiles may write results themselves, or null.
    BFloat16* narrow(int64_t i, int64_t j) const {
        return column == 1 && alpha == 1 && addend == nullptr ? data + i * row + j : nullptr;
    }
    void store(const float* tile, int64_t pitch, int64_t i, int64_t j, int rows, int columns, bool first,
               bool last) const {
        if (!last || column != 1 || !lines_of_addend(addend_column))
            return StridedTarget::store(tile, pitch, i, j, rows, columns, first, last);
        const int last_lanes = columns > width ? columns - width : columns;
        if (columns == 2 * width)
            store_rows<2, true>(tile, pitch, i, j, rows, last_lanes, first);
        else if (columns > width)
            store_rows<2, false>(tile, pitch, i, j, rows, last_lanes, first);
        else
            store_rows<1, false>(tile, pitch, i, j, rows, last_lanes, first);
    }

  private:
    static constexpr int width = lanes<float>;

    template <int vectors, bool whole>
    __attribute__((target("avx512bf16"))) void store_rows(const float* tile, int64_t pitch, int64_t i,
                                                          int64_t j, int rows, int last_lanes,
                                                          bool first) const {
        const uint32_t columns = (vectors - 1) * width + last_lanes;
        const auto mask = static_cast<__mmask32>(whole ? ~0u : (uint64_t{1} << columns) - 1);
        for (int r = 0; r < rows; ++r) {
            Vector<float> value[2] = {};
            for (int v = 0; v < vectors; ++v) {
                const int count = whole || v + 1 < vectors ? width : last_lanes;
                value[v] = load_converted(tile + r * pitch + v * width, count);
                if (!first) value[v] += load_converted(partial_at(i + r, j + v * width), count);
                if (alpha != 1) value[v] *= alpha;
                if (addend != nullptr) {
                    const BFloat16* other = addend + (i + r) * addend_row + (j + v * width) * addend_column;
                    value[v] += addend_column == 1 ? beta * load_converted(other, count)
                                                   : beta * (static_cast<float>(*other) - Vector<float>{});
                }
            }
            const auto halves = std::bit_cast<__m512i>(_mm512_cvtne2ps_pbh(value[1], value[0]));
            _mm512_mask_storeu_epi16(data + (i + r) * row + j, mask, halves);
        }
    }
};
static_assert(tile_columns<float> == 32);

static_assert(tile_rows<float> <= lanes<float> && tile_rows<int32_t> <= lanes<int32_t>);

// The product as words; false where the processor has no such instruction.
template <class P, class Target>
bool multiply_words(const GemmProblem& p, const Target& target, uint32_t flip = 0) {
    if (!P::available()) return false;
    using Element = typename P::Element;
    const WordSource<P> left{static_cast<const Element*>(p.a), p.a_row, p.a_column, p.k, flip, p.a_forms};
    const WordSource<P> right{static_cast<const Element*>(p.b), p.b_column, p.b_row, p.k, flip, p.b_forms};
    blocked_product<typename P::Sum>(p.m, p.n, ceil_divide(p.k, word_elements<P>), left, right, target);
    return true;
}

#endif

}  // namespace rl::kernels::RUSHLIGHT_ISA
