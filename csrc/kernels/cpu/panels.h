// Products of operands that the caller packs once and multiplies many times: the weights of a recurrent
// layer, the blocks of attention.
#pragma once

#include "kernels/cpu/gemm_tile.h"

namespace rl::kernels::RUSHLIGHT_ISA {

// A left operand is cut into panels of at most tile_rows<T> rows; one takes this many numbers, as packing
// spills a vector past the end.
template <class T>
int64_t left_panel_space(int64_t rows, int64_t depth) {
    return rows * depth + lanes<T>;
}

// A right operand [depth, columns] in panels of tile_columns<T> columns.
template <class T>
struct RightPanels {
    static constexpr int64_t width = tile_columns<T>;

    T* data;
    int64_t depth, columns;

    static int64_t space(int64_t depth, int64_t columns) {
        return (columns + width - 1) / width * width * depth + lanes<T>;
    }
    int64_t count() const { return (columns + width - 1) / width; }
    T* panel(int64_t index) const { return data + index * width * depth; }
    int columns_of(int64_t index) const { return static_cast<int>(std::min(width, columns - index * width)); }

    void pack(const StridedSource<T>& source, int64_t index) const {
        const int here = columns_of(index);
        source.pack_columns(index * width, here, here > lanes<T> ? 2 : 1, 0, depth, panel(index));
    }
};

// c = alpha * left·right, added to c where `accumulate`, for one left panel of `rows` rows.
template <class T>
void multiply_panels(int rows, const T* left, const RightPanels<T>& right, T* c, int64_t pitch, T alpha,
                     bool accumulate) {
    for (int64_t q = 0; q < right.count(); ++q) {
        const int columns = right.columns_of(q);
        const TileFunction<T> function = tile_function<T>(rows, columns > lanes<T> ? 2 : 1);
        T* target = c + q * right.width;
        if (columns % lanes<T> == 0) {
            function(right.depth, left, right.panel(q), target, pitch, alpha, accumulate);
            continue;
        }
        alignas(64) T tile[tile_rows<T> * tile_columns<T>];
        function(right.depth, left, right.panel(q), tile, right.width, alpha, false);
        for (int r = 0; r < rows; ++r) {
            for (int j = 0; j < columns; ++j) {
                T& into = target[r * pitch + j];
                into = tile[r * right.width + j] + (accumulate ? into : T(0));
            }
        }
    }
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
