// The weight of a recurrent layer as the right operand of every step's product, packed once.
#pragma once

#include <algorithm>

#include "core/scratch.h"
#include "core/threads.h"
#include "kernels/cpu/gemm_words.h"

namespace rl::kernels::RUSHLIGHT_ISA {

// A matrix of [depth, columns] in panels that all threads read. `Narrow` numbers are packed in pairs where
// the processor multiplies such, and what they multiply is rounded to bfloat16 too.
template <class T>
class PackedWeight {
  public:
    PackedWeight() = default;
    PackedWeight(const T* matrix, int64_t depth_stride, int64_t column_stride, int64_t depth, int64_t columns,
                 bool narrow)
        : depth_(depth), columns_(columns) {
#if defined(__AVX512F__)
        if constexpr (std::is_same_v<T, float>) {
            pairs_ = narrow && PairsOfBFloat16::available();
            if (pairs_) {
                const BFloat16* const same = narrowed(ScratchUse::staging, matrix, 1, depth * columns);
                pack((depth + 1) / 2, Pairs{same, column_stride, depth_stride, depth});
                return;
            }
        }
#endif
        static_cast<void>(narrow);
        pack(depth, StridedSource<T>{matrix, column_stride, depth_stride, columns});
    }

    // c = left·weight, added to c where `accumulate`, for `rows` contiguous rows of `depth` numbers.
    void multiply(int64_t rows, const T* left, T* c, int64_t pitch, bool accumulate) const {
#if defined(__AVX512F__)
        if constexpr (std::is_same_v<T, float>) {
            if (pairs_) {
                const BFloat16* const near = narrowed(ScratchUse::local, left, rows, depth_);
                return multiply_rows(rows, Pairs{near, 2 * steps_, 1, 2 * steps_}, c, pitch, accumulate);
            }
        }
#endif
        multiply_rows(rows, StridedSource<T>{left, depth_, 1, rows}, c, pitch, accumulate);
    }

  private:
    static constexpr int64_t width = tile_columns<T>;

    int columns_of(int64_t panel) const {
        return static_cast<int>(std::min(width, columns_ - panel * width));
    }
    static int vectors_of(int columns) { return columns > lanes<T> ? 2 : 1; }

    template <class Source>
    void pack(int64_t steps, const Source& source) {
        const int64_t panels = (columns_ + width - 1) / width;
        T* const data =
            scratch_array<T>(ScratchUse::shared, static_cast<size_t>(panels * width * steps + lanes<T>));
        parallel_for(0, panels, std::max<int64_t>(1, 16384 / (steps * width + 1)),
                     [&](int64_t begin, int64_t end) {
                         for (int64_t q = begin; q < end; ++q)
                             source.pack_columns(q * width, columns_of(q), vectors_of(columns_of(q)), 0,
                                                 steps, data + q * width * steps);
                     });
        data_ = data;
        steps_ = steps;
    }

    // Panels are shared out where the batch is one block, so that no loop runs around this one.
    template <class Source>
    void multiply_rows(int64_t rows, const Source& left, T* c, int64_t pitch, bool accumulate) const {
        constexpr int64_t piece = 1 << 18;  // multiplications, of at least four rows, whose panels are read
        const int64_t panels = (columns_ + width - 1) / width,
                      cost = std::max<int64_t>(rows, 4) * width * steps_;
        parallel_for(0, panels, std::max<int64_t>(1, piece / std::max<int64_t>(1, cost)),
                     [&](int64_t begin, int64_t end) {
                         for (int64_t q = begin; q < end; ++q)
                             multiply_panel(q, rows, left, c, pitch, accumulate);
                     });
    }
    template <class Source>
    void multiply_panel(int64_t q, int64_t rows, const Source& left, T* c, int64_t pitch,
                        bool accumulate) const {
        const int64_t strips = (rows + tile_rows<T> - 1) / tile_rows<T>;
        const int here = columns_of(q), vectors = vectors_of(here);
        for (int64_t strip = 0; strip < strips; ++strip) {
            const int64_t first = strip * rows / strips, last = (strip + 1) * rows / strips;
            const Place<T> place = left.place(first, 0);
            Source::kernel(static_cast<int>(last - first), vectors, false, true)(
                {steps_, place.data, place.lane, place.step, data_ + q * width * steps_, vectors * lanes<T>},
                c + first * pitch + q * width, pitch, here, T(1), accumulate);
        }
    }

#if defined(__AVX512F__)
    using Pairs = WordSource<PairsOfBFloat16>;

    // Rows of `count` numbers as bfloat16, each filled up with a zero to whole pairs.
    static const BFloat16* narrowed(ScratchUse use, const float* numbers, int64_t rows, int64_t count) {
        const int64_t pitch = (count + 1) / 2 * 2;
        auto* const result = scratch_array<BFloat16>(use, static_cast<size_t>(rows * pitch));
        for (int64_t r = 0; r < rows; ++r, numbers += count) {
            BFloat16* const row = result + r * pitch;
            for (int64_t i = 0; i < count; i += lanes<float>) {
                const int here = static_cast<int>(std::min<int64_t>(lanes<float>, count - i));
                store_converted(row + i, load_lanes(numbers + i, here), here);
            }
            if (pitch > count) row[count] = BFloat16(0.0f);
        }
        return result;
    }
#endif

    const T* data_ = nullptr;
    int64_t depth_ = 0, columns_ = 0;
    int64_t steps_ = 0;  // in depth, of the tile
    bool pairs_ = false;
};

}  // namespace rl::kernels::RUSHLIGHT_ISA
