// Elements moved about without arithmetic.
#include "kernels/rearrange.h"

#include <algorithm>
#include <cstring>

#include "core/threads.h"
#include "kernels/dispatch.h"

namespace rl::kernels {

RUSHLIGHT_DECLARE_TABLES(RearrangeKernels, rearrange_table)

const RearrangeKernels& rearrange_kernels() {
    static const RearrangeKernels& table = RUSHLIGHT_SELECT(rearrange_table);
    return table;
}

void triangle(void* output, const void* input, int64_t item, int64_t count, int64_t rows, int64_t columns,
              int64_t diagonal, bool upper) {
    char* const out = static_cast<char*>(output);
    const char* const in = static_cast<const char*>(input);
    const int64_t row_bytes = columns * item;
    const int64_t rows_a_piece = std::max<int64_t>(1, (int64_t{1} << 16) / std::max<int64_t>(row_bytes, 1));
    parallel_for(0, count * rows, rows_a_piece, [=](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
            const int64_t edge =
                std::clamp<int64_t>(row % rows + diagonal + (upper ? 0 : 1), 0, columns) * item;
            const int64_t first = upper ? edge : 0, last = upper ? row_bytes : edge;
            char* const target = out + row * row_bytes;
            const char* const source = in + row * row_bytes;
            std::memset(target, 0, static_cast<size_t>(first));
            if (target != source)
                std::memcpy(target + first, source + first, static_cast<size_t>(last - first));
            std::memset(target + last, 0, static_cast<size_t>(row_bytes - last));
        }
    });
}

void join_lines(void* output, const JoinedPart* parts, int64_t count, int64_t rows) {
    constexpr int64_t block_bytes = 1 << 14, piece_bytes = 1 << 19;
    int64_t row_bytes = 0;
    for (int64_t i = 0; i < count; ++i) row_bytes += parts[i].bytes;
    if (row_bytes == 0) return;
    const int64_t block = std::max<int64_t>(1, block_bytes / row_bytes);
    const auto lines = rearrange_kernels().lines;
    parallel_for(0, rows, std::max<int64_t>(1, piece_bytes / row_bytes), [=](int64_t begin, int64_t end) {
        for (int64_t number; begin < end; begin += number) {
            number = std::min(block, end - begin);
            char* target = static_cast<char*>(output) + begin * row_bytes;
            for (int64_t i = 0; i < count; ++i) {
                const auto [data, bytes] = parts[i];
                lines(target, row_bytes, static_cast<const char*>(data) + begin * bytes, bytes, bytes,
                      number);
                target += bytes;
            }
        }
    });
}

}  // namespace rl::kernels
