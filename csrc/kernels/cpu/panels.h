// Products of operands that the caller packs once and multiplies many times: the weights of a recurrent
// layer, the blocks of attention.
#pragma once

#include "kernels/cpu/gemm_pack.h"

namespace rl::kernels::RUSHLIGHT_ISA {

// A left operand is cut into panels of at most tile_rows<T> rows; one takes this many numbers, as packing
// spills a vector past the end.
template <class T>
int64_t left_panel_space(int64_t rows, int64_t depth) {
    return rows * depth + lanes<T>;
}

// A left operand [rows, depth] in panels of nearly equal height.
template <class T>
struct LeftPanels {
    T* data;
    int64_t rows, depth;

    static int64_t space(int64_t rows, int64_t depth) {
        return (rows + tile_rows<T> - 1) / tile_rows<T> * left_panel_space<T>(tile_rows<T>, depth);
    }
    int64_t count() const { return (rows + tile_rows<T> - 1) / tile_rows<T>; }
    int64_t first_of(int64_t index) const { return index * rows / count(); }
    int rows_of(int64_t index) const { return static_cast<int>(first_of(index + 1) - first_of(index)); }
    T* panel(int64_t index) const { return data + index * left_panel_space<T>(tile_rows<T>, depth); }

    void pack(const StridedSource<T>& source) const {
        for (int64_t p = 0; p < count(); ++p) source.pack_rows(first_of(p), rows_of(p), 0, depth, panel(p));
    }
};

// A right operand [depth, columns] in panels of tile_columns<T> columns.
template <class T>
struct RightPanels {
    static constexpr int64_t width = tile_columns<T>;

    T* data;
    int64_t depth, columns;
    int64_t first = 0;  // rows left out at the start

    static int64_t space(int64_t depth, int64_t columns) {
        return (columns + width - 1) / width * width * depth + lanes<T>;
    }
    int64_t count() const { return (columns + width - 1) / width; }
    int columns_of(int64_t index) const { return static_cast<int>(std::min(width, columns - index * width)); }
    int vectors_of(int64_t index) const { return columns_of(index) > lanes<T> ? 2 : 1; }
    T* panel(int64_t index) const {
        return data + index * width * depth + first * vectors_of(index) * lanes<T>;
    }

    void pack(const StridedSource<T>& source, int64_t index) const {
        source.pack_columns(index * width, columns_of(index), vectors_of(index), 0, depth, panel(index));
    }
    void pack(const StridedSource<T>& source) const {
        for (int64_t q = 0; q < count(); ++q) pack(source, q);
    }
};

// c = alpha * left·right, added to c where `accumulate`, for one left panel of `rows` rows.
template <class T>
void multiply_panels(int rows, const T* left, const RightPanels<T>& right, T* c, int64_t pitch, T alpha,
                     bool accumulate) {
    for (int64_t q = 0; q < right.count(); ++q) {
        const int columns = right.columns_of(q);
        const int64_t depth = right.depth - right.first;
        const TileFunction<T> function = tile_function<T>(rows, right.vectors_of(q));
        T* target = c + q * right.width;
        if (columns % lanes<T> == 0) {
            function(depth, left, right.panel(q), target, pitch, alpha, accumulate);
            continue;
        }
        alignas(64) T tile[tile_rows<T> * tile_columns<T>];
        function(depth, left, right.panel(q), tile, right.width, alpha, false);
        for (int r = 0; r < rows; ++r) {
            for (int j = 0; j < columns; ++j) {
                T& into = target[r * pitch + j];
                into = tile[r * right.width + j] + (accumulate ? into : T(0));
            }
        }
    }
}

// A left operand [rows, depth] left as it lies, rows `pitch` apart, in strips of `pitch` columns one after
// another, `strip` numbers apart.
template <class T>
struct LeftStrips {
    const T* data;
    int64_t pitch, strip, depth;
};

// c += left·right for `rows` rows and `vectors` vectors of columns; `right` is packed.
template <class T, int rows, int vectors>
void multiply_strips(const LeftStrips<T>& left, const T* right, T* c, int64_t pitch) {
    constexpr int width = lanes<T>;
    Vector<T> sum[rows][vectors] = {};
    const T* strip = left.data;
    for (int64_t done = 0; done < left.depth; done += left.pitch, strip += left.strip) {
        const int64_t here = std::min(left.pitch, left.depth - done);
        for (int64_t k = 0; k < here; ++k) {
            Vector<T> column[vectors];
            for (int v = 0; v < vectors; ++v) column[v] = load_vector(right + v * width);
            for (int r = 0; r < rows; ++r) {
                const T factor = strip[r * left.pitch + k];
                for (int v = 0; v < vectors; ++v) sum[r][v] += factor * column[v];
            }
            right += vectors * width;
        }
    }
    for (int r = 0; r < rows; ++r)
        for (int v = 0; v < vectors; ++v) {
            T* const target = c + r * pitch + v * width;
            store_vector(target, load_vector(target) + sum[r][v]);
        }
}

template <class T, int vectors, int... counts>
auto strips_function(int rows, std::integer_sequence<int, counts...>) {
    static constexpr decltype(&multiply_strips<T, 1, vectors>) functions[] = {
        &multiply_strips<T, counts + 1, vectors>...};
    return functions[rows - 1];
}

// c += left·right, whose first rows are left out, for one block of `rows` rows.
template <class T>
void multiply_strips(int rows, const LeftStrips<T>& left, const RightPanels<T>& right, T* c, int64_t pitch) {
    constexpr auto counts = std::make_integer_sequence<int, tile_rows<T>>();
    for (int64_t q = 0; q < right.count(); ++q) {
        const int columns = right.columns_of(q);
        const auto function = right.vectors_of(q) == 1 ? strips_function<T, 1>(rows, counts)
                                                       : strips_function<T, 2>(rows, counts);
        T* const target = c + q * right.width;
        if (columns % lanes<T> == 0) {
            function(left, right.panel(q), target, pitch);
            continue;
        }
        alignas(64) T tile[tile_rows<T> * tile_columns<T>] = {};
        function(left, right.panel(q), tile, right.width);
        for (int r = 0; r < rows; ++r)
            for (int j = 0; j < columns; ++j) target[r * pitch + j] += tile[r * right.width + j];
    }
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
