// Where the sums of a matrix product go: scaled, added to what they are to be added to, rounded and
// activated.
#pragma once

#include "kernels/cpu/gemm_pack.h"
#include "kernels/simd/activation.h"

namespace rl::kernels::RUSHLIGHT_ISA {

// Whether results of type S are written by vectors.
template <class S>
inline constexpr bool has_lines = !is_complex_type<S> && !std::is_same_v<S, bool>;

// Where a tile of C goes. `first` and `last` tell whether this piece of the depth is the first, the last.
template <class S>
struct StridedTarget {
    using T = Compute<S>;
    S* data;
    int64_t row, column;
    const S* addend;
    int64_t addend_row, addend_column;
    T alpha, beta;
    Activation activation = Activation::none;
    int64_t most_rows = any_rows;  // that are multiplied at once
    // 16-bit floats are summed in `partial` until the last piece; other types in C.
    static constexpr bool rounds_once = !std::is_same_v<S, T> && std::is_floating_point_v<T>;
    T* partial = nullptr;  // for 16-bit types of more than one piece: sums of the pieces before, laid as C
    int64_t partial_pitch = 0, partial_first_row = 0;

    // The memory that the tile may be multiplied into straight away, or null.
    T* direct(int64_t i, int64_t j, int) const {
        if constexpr (std::is_same_v<S, T>)
            return column == 1 ? data + i * row + j : nullptr;
        else
            return nullptr;
    }
    void start(int64_t i, int64_t j, int rows, int columns) const {
        for (int r = 0; r < rows; ++r) {
            const S* source = addend + (i + r) * addend_row + j * addend_column;
            S* target = data + (i + r) * row + j;
            if (addend_column == 1) {
                for (int c = 0; c < columns; ++c) target[c] = scaled(source[c]);
            } else {
                for (int c = 0; c < columns; ++c) target[c] = scaled(source[c * addend_column]);
            }
        }
    }
    S scaled(S value) const { return to_storage<S>(product(beta, static_cast<T>(value))); }

    void store(const T* tile, int64_t pitch, int64_t i, int64_t j, int rows, int columns, bool first,
               bool last) const {
        if constexpr (has_lines<S>) {
            if (down() && lines_of_addend(addend_row))
                return store_columns(tile, pitch, i, j, rows, columns, first, last);
            if (column == 1 && lines_of_addend(addend_column)) {
                for (int r = 0; r < rows; ++r) put_row(tile + r * pitch, i + r, j, columns, first, last);
                return;
            }
        }
        for (int r = 0; r < rows; ++r)
            for (int c = 0; c < columns; ++c) put(tile[r * pitch + c], i + r, j + c, first, last);
    }
    // The sums of `count` elements of row i, from column j on.
    void put_row(const T* sums, int64_t i, int64_t j, int64_t count, bool first, bool last) const {
        if constexpr (has_lines<S>) {
            if (column == 1 && lines_of_addend(addend_column)) {
                for (int64_t c = 0; c < count; c += lanes<T>) {
                    const int here = static_cast<int>(std::min<int64_t>(count - c, lanes<T>));
                    put_line(load_lanes(sums + c, here), i, j + c, addend_column, here, first, last);
                }
                return;
            }
        }
        for (int64_t c = 0; c < count; ++c) put(sums[c], i, j + c, first, last);
    }

    // Whether C lies in columns.
    bool down() const { return row == 1 && column != 1; }
    bool lines_of_addend(int64_t step) const { return addend == nullptr || step == 0 || step == 1; }

    void store_columns(const T* tile, int64_t pitch, int64_t i, int64_t j, int rows, int columns, bool first,
                       bool last) const {
        constexpr int width = lanes<T>;
        for (int r = 0; r < rows; r += width) {
            const int count = std::min(rows - r, width);
            for (int c = 0; c < columns; c += width) {
                Vector<T> line[width];
                for (int lane = 0; lane < width; ++lane)
                    line[lane] = lane < count ? load_vector(tile + (r + lane) * pitch + c) : Vector<T>{};
                transpose_square<T>(line);
                for (int lane = 0; lane < std::min(columns - c, width); ++lane)
                    put_line(line[lane], i + r, j + c + lane, addend_row, count, first, last);
            }
        }
    }
    // A line of sums, contiguous in C from element (i, j) on.
    void put_line(Vector<Real<T>> line, int64_t i, int64_t j, int64_t addend_step, int count, bool first,
                  bool last) const {
        using Lane = LaneOf<T>;
        const auto as_lanes = [](Vector<Real<T>> values) { return std::bit_cast<Vector<Lane>>(values); };
        S* place = data + i * row + j * column;
        Vector<Lane> value = as_lanes(line);
        if constexpr (rounds_once) {
            T* sum = partial_at(i, j);
            if (!first) value += load_lanes(sum, count);
            if (!last) return store_lanes(sum, value, count);
        }
        value *= static_cast<Lane>(alpha);
        if (!first && !rounds_once) {
            value += as_lanes(load_converted(place, count));
        } else if (addend != nullptr) {
            const S* other = addend + i * addend_row + j * addend_column;
            const auto factor = static_cast<Lane>(beta);
            value += addend_step == 1 ? factor * as_lanes(load_converted(other, count))
                                      : factor * (static_cast<Lane>(static_cast<T>(*other)) - Vector<Lane>{});
        }
        store_converted(place, std::bit_cast<Vector<Real<T>>>(value), count);
    }
    // Applies the activation to elements that are summed, while they are in the first cache.
    void finish(int64_t i, int64_t j, int64_t rows, int64_t columns) const {
        if constexpr (std::is_floating_point_v<S>) {
            if (activation == Activation::relu) apply(i, j, rows, columns, [](Vec<S> x) { return relu(x); });
            if (activation == Activation::gelu) apply(i, j, rows, columns, [](Vec<S> x) { return gelu(x); });
        }
    }
    template <class F>
    [[gnu::noinline]] void apply(int64_t i, int64_t j, int64_t rows, int64_t columns, F f) const {
        S* first = data + i * row + j * column;
        const bool along_rows = column == 1;
        const int64_t run = along_rows ? columns : row == 1 ? rows : 1;
        const int64_t step = along_rows ? row : column;
        for (int64_t other = 0; other < rows * columns / run; ++other) {
            S* line = run == 1 && !along_rows ? first + other / columns * row + other % columns * column
                                              : first + other * step;
            for (int64_t done = 0; done < run; done += lanes<S>) {
                const int here = static_cast<int>(std::min<int64_t>(run - done, lanes<S>));
                f(Vec<S>::load(line + done, here)).store(line + done, here);
            }
        }
    }
    void put(T value, int64_t i, int64_t j, bool first, bool last) const {
        S& target = data[i * row + j * column];
        if constexpr (!rounds_once) {
            value = product(alpha, value);
            if (!first)
                value = total(static_cast<T>(target), value);
            else if (addend != nullptr)
                value = total(value, product(beta, addend_at(i, j)));
            target = to_storage<S>(value);
        } else {
            T* sum = partial_at(i, j);
            if (!first) value += *sum;
            if (!last) {
                *sum = value;
                return;
            }
            value *= alpha;
            if (addend != nullptr) value += beta * addend_at(i, j);
            target = to_storage<S>(value);
        }
    }
    T* partial_at(int64_t i, int64_t j) const {
        if (partial == nullptr) return nullptr;
        const int64_t r = i - partial_first_row;
        return partial + (down() ? j * partial_pitch + r : r * partial_pitch + j);
    }
    T addend_at(int64_t i, int64_t j) const {
        return static_cast<T>(addend[i * addend_row + j * addend_column]);
    }
};

}  // namespace rl::kernels::RUSHLIGHT_ISA
