// Moving elements: strided runs, short lines, and transposition in squares that are turned in registers.
#include "kernels/rearrange.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "kernels/cpu/short_lines.h"
#include "kernels/simd/vec.h"

namespace rl::kernels::RUSHLIGHT_ISA {
namespace {

// Elements by their size, wherever they lie.
template <class T>
struct [[gnu::packed, gnu::may_alias]] Anywhere {
    T value;
};
struct [[gnu::packed]] Sixteen {
    uint64_t halves[2];
};

// One value throughout: the processor's own loop for it need not read the memory first.
template <class T>
void repeat(char* to, T value, int64_t count) {
#if defined(__x86_64__)
    constexpr int64_t many = 4096;
    if constexpr (sizeof(T) <= 8) {
        constexpr int64_t per_word = 8 / sizeof(T);
        if (count >= many) {
            T values[per_word];
            std::fill_n(values, per_word, value);
            int64_t words = count / per_word;
            count -= words * per_word;
            const auto word = std::bit_cast<uint64_t>(values);
            asm volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(word) : "memory");
        }
    }
#endif
    auto* const out = reinterpret_cast<Anywhere<T>*>(to);
    for (int64_t i = 0; i < count; ++i) out[i].value = value;
}

template <size_t... I, class Row>
Row reversed(Row row, std::index_sequence<I...>) {
    return __builtin_shufflevector(row, row, (sizeof...(I) - 1 - I)...);
}

// Neighbours in reverse, `last` the first of them to be read: N at a time, the last N overlapping the ones
// before, or where there are fewer, half as many.
template <class T, size_t N>
void reverse(char* to, const char* last, int64_t count) {
    constexpr int64_t size = sizeof(T), lanes = N;
    if constexpr (N == 1) {
        for (int64_t i = 0; i < count; ++i) std::memcpy(to + i * size, last - i * size, size);
    } else {
        if (count < lanes) return reverse<T, N / 2>(to, last, count);
        const auto turn = [=](int64_t i) {
            typedef T Row __attribute__((vector_size(N * sizeof(T))));
            Row row;
            std::memcpy(&row, last - (i + lanes - 1) * size, sizeof row);
            row = reversed(row, std::make_index_sequence<N>{});
            std::memcpy(to + i * size, &row, sizeof row);
        };
        int64_t i = 0;
        for (; i + lanes <= count; i += lanes) turn(i);
        if (i < count) turn(count - lanes);
    }
}

template <class T>
void reverse_lines(char* to, int64_t to_stride, const char* from, int64_t from_stride, int64_t width,
                   int64_t count) {
    constexpr size_t lanes = sizeof(T) <= 8 ? vector_bytes / sizeof(T) : 1;
    for (; count > 0; --count, to += to_stride, from += from_stride) reverse<T, lanes>(to, from, width);
}

template <class T>
void move(char* to, int64_t to_stride, const char* from, int64_t from_stride, int64_t count) {
    constexpr int64_t size = sizeof(T);
    auto* const out = reinterpret_cast<Anywhere<T>*>(to);
    const auto* const in = reinterpret_cast<const Anywhere<T>*>(from);
    if (to_stride == size && from_stride == size) {
        std::memcpy(to, from, static_cast<size_t>(count * size));
    } else if (to_stride == size && from_stride == 0) {
        repeat(to, in->value, count);
    } else if (to_stride == size && from_stride == -size) {
        reverse_lines<T>(to, 0, from, 0, count, 1);
    } else if (to_stride == size && from_stride == 2 * size) {
#pragma GCC ivdep
        for (int64_t i = 0; i < count; ++i) out[i].value = in[2 * i].value;
    } else {
        for (int64_t i = 0; i < count; ++i, to += to_stride, from += from_stride) std::memcpy(to, from, size);
    }
}

// A square of N * N elements: zipping the first half of its rows with the second, as often as it takes to
// move every bit of the row's number into the column's, transposes it.
template <class T, int N>
struct Square {
    typedef T Row __attribute__((vector_size(N * sizeof(T))));

    template <size_t... I>
    static Row zip_low(Row a, Row b, std::index_sequence<I...>) {
        return __builtin_shufflevector(a, b, (I % 2 == 0 ? I / 2 : N + I / 2)...);
    }
    template <size_t... I>
    static Row zip_high(Row a, Row b, std::index_sequence<I...>) {
        return __builtin_shufflevector(a, b, (I % 2 == 0 ? N / 2 + I / 2 : N + N / 2 + I / 2)...);
    }

    static void transpose(char* to, int64_t to_stride, const char* from, int64_t from_stride) {
        constexpr std::make_index_sequence<N> lanes{};
        Row rows[N], zipped[N];
#pragma GCC unroll 16
        for (int i = 0; i < N; ++i) std::memcpy(&rows[i], from + i * from_stride, sizeof(Row));
#pragma GCC unroll 4
        for (int bit = 1; bit < N; bit *= 2) {
#pragma GCC unroll 8
            for (int i = 0; i < N / 2; ++i) {
                zipped[2 * i] = zip_low(rows[i], rows[i + N / 2], lanes);
                zipped[2 * i + 1] = zip_high(rows[i], rows[i + N / 2], lanes);
            }
#pragma GCC unroll 16
            for (int i = 0; i < N; ++i) rows[i] = zipped[i];
        }
#pragma GCC unroll 16
        for (int i = 0; i < N; ++i) std::memcpy(to + i * to_stride, &rows[i], sizeof(Row));
    }
};

template <class T>
void transpose_plain(char* to, int64_t to_stride, const char* from, int64_t from_stride, int64_t rows,
                     int64_t columns) {
    constexpr int64_t size = sizeof(T);
    for (int64_t column = 0; column < columns; ++column)
        for (int64_t row = 0; row < rows; ++row)
            std::memcpy(to + column * to_stride + row * size, from + row * from_stride + column * size, size);
}

// Tiles small enough that the lines they touch stay in cache until they are complete.
template <class T, int N>
void transpose(char* to, int64_t to_stride, const char* from, int64_t from_stride, int64_t rows,
               int64_t columns) {
    constexpr int64_t tile = 64, size = sizeof(T);
    for (int64_t top = 0; top < rows; top += tile)
        for (int64_t left = 0; left < columns; left += tile) {
            const int64_t bottom = std::min(rows, top + tile), right = std::min(columns, left + tile);
            for (int64_t column = left; column < right; column += N)
                for (int64_t row = top; row < bottom; row += N) {
                    char* const out = to + column * to_stride + row * size;
                    const char* const in = from + row * from_stride + column * size;
                    if (row + N <= bottom && column + N <= right)
                        Square<T, N>::transpose(out, to_stride, in, from_stride);
                    else
                        transpose_plain<T>(out, to_stride, in, from_stride,
                                           std::min<int64_t>(N, bottom - row),
                                           std::min<int64_t>(N, right - column));
                }
        }
}

void lines(char* to, int64_t to_stride, const char* from, int64_t from_stride, int64_t bytes, int64_t count) {
    copy_lines([=](int64_t i) { return to + i * to_stride; },
               [=](int64_t i) { return from + i * from_stride; }, bytes, count);
}

// Whole vectors, of which the next line writes over what is too much, as long as there is room.
template <class T>
void spread(char* to, const char* from, int64_t from_stride, int64_t width, int64_t count) {
    constexpr int64_t size = sizeof(T);
    const int64_t bytes = width * size;
    if constexpr (size <= 8) {
        const int64_t covered = (bytes + vector_bytes - 1) / vector_bytes * vector_bytes;
        const int64_t lines = std::max<int64_t>(0, (count * bytes - covered + bytes) / bytes);
        count -= lines;
        for (const char* const end = to + lines * bytes; to != end; to += bytes, from += from_stride) {
            T value;
            std::memcpy(&value, from, size);
            const Vec<T> repeated(value);
            for (int64_t i = 0; i < covered; i += vector_bytes)
                std::memcpy(to + i, &repeated.native, vector_bytes);
        }
    }
    for (; count > 0; --count, from += from_stride)
        for (int64_t i = 0; i < width; ++i, to += size) std::memcpy(to, from, size);
}

void stream(char* to, const char* from, int64_t bytes) {
    int64_t i = 0;
#if defined(__x86_64__)
    for (; i + 64 <= bytes; i += 64) {
#if defined(__AVX512F__)
        _mm512_stream_si512(reinterpret_cast<__m512i*>(to + i), _mm512_loadu_si512(from + i));
#else
        for (int64_t part = i; part < i + 64; part += 16)
            _mm_stream_si128(reinterpret_cast<__m128i*>(to + part),
                             _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + part)));
#endif
    }
#endif
    std::memcpy(to + i, from + i, static_cast<size_t>(bytes - i));
}

void finish_streams() {
#if defined(__x86_64__)
    _mm_sfence();
#endif
}

}  // namespace

extern const RearrangeKernels rearrange_table;
const RearrangeKernels rearrange_table = {
    {move<uint8_t>, move<uint16_t>, move<uint32_t>, move<uint64_t>, move<Sixteen>},
    {transpose<uint8_t, 16>, transpose < uint16_t, vector_bytes >= 32 ? 16 : 8 >,
     transpose<uint32_t, vector_bytes / 4>, transpose<uint64_t, vector_bytes / 8>, transpose_plain<Sixteen>},
    lines,
    {reverse_lines<uint8_t>, reverse_lines<uint16_t>, reverse_lines<uint32_t>, reverse_lines<uint64_t>,
     reverse_lines<Sixteen>},
    {spread<uint8_t>, spread<uint16_t>, spread<uint32_t>, spread<uint64_t>, spread<Sixteen>},
    stream,
    finish_streams,
};

}  // namespace rl::kernels::RUSHLIGHT_ISA
