// Copies of contiguous lines that are mostly too short for a call. For kernels/cpu alone.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace rl::kernels::RUSHLIGHT_ISA {

// Lines of at least Word bytes and less than twice as many: their first and their last Word.
template <int64_t Word, class To, class From>
void copy_words(To to, From from, int64_t bytes, int64_t count) {
    const int64_t rest = bytes - Word;
    for (int64_t i = 0; i < count; ++i) {
        std::memcpy(to(i), from(i), Word);
        if (rest > 0) std::memcpy(to(i) + rest, from(i) + rest, Word);
    }
}

// `count` lines of `bytes` each, the i-th from from(i) to to(i).
template <class To, class From>
void copy_lines(To to, From from, int64_t bytes, int64_t count) {
    switch (std::bit_width(static_cast<uint64_t>(bytes))) {
        case 0:
            return;
        case 1:
            return copy_words<1>(to, from, bytes, count);
        case 2:
            return copy_words<2>(to, from, bytes, count);
        case 3:
            return copy_words<4>(to, from, bytes, count);
        case 4:
            return copy_words<8>(to, from, bytes, count);
        case 5:
            return copy_words<16>(to, from, bytes, count);
        case 6:
            return copy_words<32>(to, from, bytes, count);
        case 7:
            return copy_words<64>(to, from, bytes, count);
        case 8:
            return copy_words<128>(to, from, bytes, count);
        case 9:
            return copy_words<256>(to, from, bytes, count);
        default:
            for (int64_t i = 0; i < count; ++i) std::memcpy(to(i), from(i), static_cast<size_t>(bytes));
    }
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
