// Elements moved about without arithmetic.
#pragma once

#include <cstdint>

namespace rl::kernels {

// For each of `count` contiguous matrices: the elements on and below (or, `upper`, above) a diagonal, zeros
// elsewhere. Elements of `item` bytes; output and input may be the same memory.
void triangle(void* output, const void* input, int64_t item, int64_t count, int64_t rows, int64_t columns,
              int64_t diagonal, bool upper);

// Contiguous lines of so many bytes each.
struct JoinedPart {
    const void* data;
    int64_t bytes;
};
// Contiguous rows, each made of one line of every part; all parts of a few rows at a time, so that no row is
// met again when it has left the cache.
void join_lines(void* output, const JoinedPart* parts, int64_t count, int64_t rows);

// Loops for elements of 1, 2, 4, 8 and 16 bytes: the tables' index is the binary logarithm. Strides count
// bytes and may be negative; memory need not be aligned.
struct RearrangeKernels {
    // to[i] = from[i] for i < count; a stride of 0 in the input repeats its element.
    using Move = void (*)(char* to, int64_t to_stride, const char* from, int64_t from_stride, int64_t count);
    Move move[5];
    // to[column][row] = from[row][column], where the last index is contiguous on both sides.
    using Transpose = void (*)(char* to, int64_t to_stride, const char* from, int64_t from_stride,
                               int64_t rows, int64_t columns);
    Transpose transpose[5];
    // `count` short contiguous lines of `bytes` each, at least one.
    using Lines = void (*)(char* to, int64_t to_stride, const char* from, int64_t from_stride, int64_t bytes,
                           int64_t count);
    Lines lines;
    // Lines of `width` elements, contiguous, and in reverse of those that lie before `from` and in it.
    Lines reverse[5];
    // Contiguous lines of `width` elements, each line one element `width` times.
    using Spread = void (*)(char* to, const char* from, int64_t from_stride, int64_t width, int64_t count);
    Spread spread[5];
    // Copies contiguous bytes past the caches; `to` is a multiple of 64. Other threads see them after
    // `finish_streams`.
    void (*stream)(char* to, const char* from, int64_t bytes);
    void (*finish_streams)();
};
const RearrangeKernels& rearrange_kernels();

}  // namespace rl::kernels
