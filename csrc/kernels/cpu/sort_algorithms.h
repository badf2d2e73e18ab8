// Sorting and selection of items (sort_items.h). For kernels/cpu/sort.cpp alone.
#pragma once

#include <algorithm>
#include <array>
#include <utility>

#include "core/scratch.h"
#include "core/threads.h"
#include "kernels/cpu/sort_items.h"
#include "kernels/simd/vec.h"

namespace rl::kernels::RUSHLIGHT_ISA {

// --- Counting sort by digits, least significant first.

inline constexpr int64_t radix_least = 256;      // items from which counting beats comparing
inline constexpr int64_t radix_piece = 1 << 16;  // items that are counted and moved by one thread
inline constexpr int64_t wide_digit_least = 1 << 14;

// Moves items into the order of one digit; those that agree keep their order. False where all agree, which
// moves none.
template <int Bits, class Item>
bool move_by_digit(const Item* from, Item* into, int64_t count, int shift) {
    constexpr int64_t digits = int64_t{1} << Bits;
    const int64_t pieces = (count + radix_piece - 1) / radix_piece;
    int64_t* const starts = scratch_array<int64_t>(ScratchUse::vector, pieces * digits);
    const auto digit = [shift](const Item& item) { return item.bits >> shift & (digits - 1); };
    parallel_for(0, count, radix_piece, [&](int64_t first, int64_t last) {
        int64_t* const counts = starts + first / radix_piece * digits;
        std::fill_n(counts, digits, 0);
        for (int64_t i = first; i < last; ++i) ++counts[digit(from[i])];
    });
    int64_t agreeing = 0, sum = 0;
    for (int64_t piece = 0; piece < pieces; ++piece) agreeing += starts[piece * digits + digit(from[0])];
    if (agreeing == count) return false;
    for (int64_t d = 0; d < digits; ++d)
        for (int64_t piece = 0; piece < pieces; ++piece)
            sum += std::exchange(starts[piece * digits + d], sum);
    parallel_for(0, count, radix_piece, [&](int64_t first, int64_t last) {
        int64_t* const next = starts + first / radix_piece * digits;
        for (int64_t i = first; i < last; ++i) into[next[digit(from[i])]++] = from[i];
    });
    return true;
}

// The bits of keys in which items differ.
template <class Item>
uint64_t differing_bits(const Item* items, int64_t count) {
    uint64_t differing = 0;
    for (int64_t i = 0; i < count; ++i) differing |= items[i].bits ^ items[0].bits;
    return differing & Item::key_bits;
}

// Sorts by keys alone, which leaves those that agree in their order. `spare` has room for as many; returns
// which of the two arrays holds the result.
template <class Item>
Item* radix_sort(Item* items, Item* spare, int64_t count) {
    const uint64_t differing = differing_bits(items, count);
    if (differing == 0) return items;
    const int first = std::countr_zero(differing), end = 64 - std::countl_zero(differing);
    const bool wide = count >= wide_digit_least && end - first > 16;
    for (int shift = first; shift < end; shift += wide ? 11 : 8) {
        if (wide ? move_by_digit<11>(items, spare, count, shift)
                 : move_by_digit<8>(items, spare, count, shift))
            std::swap(items, spare);
    }
    return items;
}

// The same by comparison where there are few, which all differ by their positions.
template <class Item>
Item* sort_items(Item* items, Item* spare, int64_t count) {
    if (count >= radix_least) return radix_sort(items, spare, count);
    std::sort(items, items + count);
    return items;
}

// --- Sorting networks over as many short lines as a vector has lanes.

inline constexpr int64_t network_lanes = Vec<int64_t>::size;
inline constexpr int64_t network_most = network_lanes == 8 ? 1024 : network_lanes == 4 ? 128 : 32;

using Lanes = Vec<int64_t>;

// An item of each line, held with the top bit turned over, so that they compare as signed numbers.
struct WordLanes {
    static constexpr int64_t width = network_lanes;

    static void order(int64_t* first, int64_t* second) {
        const Lanes a = Lanes::load(first), b = Lanes::load(second);
        const auto in_order = a < b;
        select(in_order, a, b).store(first);
        select(in_order, b, a).store(second);
    }
};
// The same, with positions behind the keys.
struct PairLanes {
    static constexpr int64_t width = 2 * network_lanes;

    static void order(int64_t* first, int64_t* second) {
        const Lanes a = Lanes::load(first), b = Lanes::load(second);
        const Lanes a_place = Lanes::load(first + network_lanes),
                    b_place = Lanes::load(second + network_lanes);
        const auto in_order = (a < b) | ((a == b) & (a_place < b_place));
        select(in_order, a, b).store(first);
        select(in_order, b, a).store(second);
        select(in_order, a_place, b_place).store(first + network_lanes);
        select(in_order, b_place, a_place).store(second + network_lanes);
    }
};
template <class T>
using ItemLanes = std::conditional_t<sizeof(T) == 8, PairLanes, WordLanes>;

// Batcher's merge exchange (Knuth, The Art of Computer Programming, volume 3, algorithm 5.2.2M).
template <class LanesOfItems>
void sort_network(int64_t* items, int64_t count) {
    constexpr int64_t width = LanesOfItems::width;
    const int64_t top = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(count))) / 2;
    for (int64_t p = top; p > 0; p /= 2) {
        int64_t remainder = 0, distance = p;
        for (int64_t q = top;; q /= 2) {
            for (int64_t begin = remainder; begin + distance < count; begin += 2 * p) {
                const int64_t end = std::min(begin + p, count - distance);
                for (int64_t i = begin; i < end; ++i)
                    LanesOfItems::order(items + i * width, items + (i + distance) * width);
            }
            if (q == p) break;
            distance = q - p;
            remainder = p;
        }
    }
}

constexpr uint64_t turned = uint64_t{1} << 63;

template <class T>
Item<T> get_lane(const int64_t* items, int64_t i, int64_t lane) {
    const int64_t* const place = items + i * ItemLanes<T>::width + lane;
    const uint64_t bits = static_cast<uint64_t>(*place) ^ turned;
    if constexpr (sizeof(T) == 8)
        return {bits, place[network_lanes]};
    else
        return {bits};
}

// --- Selection.

// Moves the keys from `low` to `high` to the front, in their order, and returns how many there are.
template <class KeyType>
int64_t keep_between(KeyType* keys, int64_t count, KeyType low, KeyType high) {
    int64_t kept = 0, i = 0;
#if defined(__AVX512F__)
    constexpr int64_t lanes = 64 / sizeof(KeyType);
    for (; i + lanes <= count; i += lanes) {
        const __m512i some = _mm512_loadu_si512(keys + i);
        if constexpr (sizeof(KeyType) == 4) {
            const __mmask16 inside =
                _mm512_cmpge_epu32_mask(some, _mm512_set1_epi32(static_cast<int32_t>(low))) &
                _mm512_cmple_epu32_mask(some, _mm512_set1_epi32(static_cast<int32_t>(high)));
            _mm512_storeu_si512(keys + kept, _mm512_maskz_compress_epi32(inside, some));
            kept += std::popcount(static_cast<uint32_t>(inside));
        } else {
            const __mmask8 inside =
                _mm512_cmpge_epu64_mask(some, _mm512_set1_epi64(static_cast<int64_t>(low))) &
                _mm512_cmple_epu64_mask(some, _mm512_set1_epi64(static_cast<int64_t>(high)));
            _mm512_storeu_si512(keys + kept, _mm512_maskz_compress_epi64(inside, some));
            kept += std::popcount(static_cast<uint32_t>(inside));
        }
    }
#endif
    for (; i < count; ++i) {
        const KeyType key = keys[i];
        keys[kept] = key;
        kept += (key >= low) & (key <= high);
    }
    return kept;
}

// The key that sorting would put at `rank`; leaves the keys in no order. A sample tells between which two it
// lies, and the search goes on among the keys between them.
template <class KeyType>
KeyType select_key(KeyType* keys, int64_t count, int64_t rank) {
    constexpr int64_t most_sampled = 256, few = 1024;
    while (count > few) {
        const int64_t sampled = count > (1 << 16) ? most_sampled : 64, margin = sampled == 64 ? 10 : 24;
        std::array<KeyType, most_sampled> sample;
        for (int64_t i = 0; i < sampled; ++i) sample[i] = keys[i * (count / sampled)];
        std::sort(sample.begin(), sample.begin() + sampled);
        const int64_t expected = rank / (count / sampled + 1);
        const KeyType low = sample[std::max<int64_t>(0, expected - margin)];
        const KeyType high = sample[std::min(sampled - 1, expected + margin)];
        int64_t below = 0, up_to = 0;
        for (int64_t i = 0; i < count; ++i) below += keys[i] < low, up_to += keys[i] <= high;
        if (rank < below || rank >= up_to || up_to - below == count) break;
        count = keep_between(keys, count, low, high);
        rank -= below;
    }
    std::nth_element(keys, keys + rank, keys + count);
    return keys[rank];
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
