// What sorting moves about: keys, unsigned integers that order as the values do, joined with positions. Items
// are all different, so that any sort of them is stable. For kernels/cpu/sort.cpp alone.
#pragma once

#include <bit>
#include <compare>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "kernels/cpu/convert.h"

namespace rl::kernels::RUSHLIGHT_ISA {

template <class T>
using UnsignedOf = std::conditional_t<
    sizeof(T) == 1, uint8_t,
    std::conditional_t<sizeof(T) == 2, uint16_t, std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>>>;

template <class T>
constexpr UnsignedOf<T> infinity_bits() {
    if constexpr (std::is_same_v<T, Half>)
        return 0x7c00;
    else if constexpr (std::is_same_v<T, BFloat16>)
        return 0x7f80;
    else
        return std::bit_cast<UnsignedOf<T>>(std::numeric_limits<T>::infinity());
}

// The key of a type in its lowest 8 * sizeof(T) bits: -0 equals 0, and NaN is greatest.
template <class T>
using Key = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;
template <class T>
inline constexpr Key<T> largest_key = std::numeric_limits<UnsignedOf<T>>::max();
template <class T>
inline constexpr UnsignedOf<T> sign_bit = UnsignedOf<T>(UnsignedOf<T>(1) << (8 * sizeof(T) - 1));

template <class T>
bool is_nan(T value) {
    using Bits = UnsignedOf<T>;
    return Bits(std::bit_cast<Bits>(value) & Bits(~sign_bit<T>)) > infinity_bits<T>();
}

template <class T>
Key<T> sort_key(T value) {
    using Bits = UnsignedOf<T>;
    if constexpr (is_real_floating_type<T>) {
        const Bits bits = std::bit_cast<Bits>(value), magnitude = bits & Bits(~sign_bit<T>);
        const Bits ordered = (bits & sign_bit<T>) != 0 ? Bits(~bits) : Bits(bits | sign_bit<T>);
        const Bits key = magnitude == 0 ? sign_bit<T> : ordered;
        return magnitude > infinity_bits<T>() ? largest_key<T> : Key<T>(key);
    } else if constexpr (std::is_signed_v<T>) {
        return static_cast<Bits>(static_cast<Bits>(value) ^ sign_bit<T>);
    } else {
        return static_cast<Bits>(value);
    }
}

// The value of a key; of zeros +0 and of NaNs one of them, which keys do not tell apart.
template <class T>
T value_of_key(Key<T> key) {
    using Bits = UnsignedOf<T>;
    const Bits bits = static_cast<Bits>(key);
    if constexpr (is_real_floating_type<T>)
        return std::bit_cast<T>((bits & sign_bit<T>) != 0 ? Bits(bits ^ sign_bit<T>) : Bits(~bits));
    else if constexpr (std::is_same_v<T, bool>)
        return bits != 0;
    else
        return static_cast<T>(std::is_signed_v<T> ? Bits(bits ^ sign_bit<T>) : bits);
}
template <class T>
bool tells_value(Key<T> key) {
    return !is_real_floating_type<T> || (key != sign_bit<T> && key != largest_key<T>);
}

// A key of up to 32 bits above a position of 32 bits.
struct Word {
    static constexpr uint64_t key_bits = ~uint64_t{0} << 32;
    uint64_t bits;

    uint64_t key() const { return bits >> 32; }
    int64_t position() const { return static_cast<int64_t>(bits & std::numeric_limits<uint32_t>::max()); }
    friend bool operator<(Word a, Word b) { return a.bits < b.bits; }
};
// A key of 64 bits and a position.
struct Pair {
    static constexpr uint64_t key_bits = ~uint64_t{0};
    uint64_t bits;
    int64_t place;

    uint64_t key() const { return bits; }
    int64_t position() const { return place; }
    friend bool operator<(const Pair& a, const Pair& b) {
        return (a.bits < b.bits) | ((a.bits == b.bits) & (a.place < b.place));
    }
};
template <class T>
using Item = std::conditional_t<sizeof(T) == 8, Pair, Word>;

template <class T>
Item<T> make_item(Key<T> key, int64_t position) {
    if constexpr (sizeof(T) == 8)
        return {key, position};
    else
        return {uint64_t{key} << 32 | static_cast<uint64_t>(position)};
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
