// The blocked matrix product that matrices and convolutions share: which panels are packed when, and by whom.
//
// Rows are taken in blocks and depth in pieces. The panels of A of one piece are packed once for all threads;
// the columns are then cut into units, and whoever takes a unit packs its panels of B into memory of its own
// and multiplies them with every panel of A. Each element of C so belongs to one unit and adds its pieces in
// order.
#pragma once

#include "core/scratch.h"
#include "core/threads.h"
#include "kernels/cpu/gemm_tile.h"

namespace rl::kernels::RUSHLIGHT_ISA {

// Less work than this, in multiplications, is not worth waking another thread for.
inline constexpr int64_t parallel_work = int64_t{1} << 18;

inline int64_t ceil_divide(int64_t x, int64_t y) {
    return (x + y - 1) / y;
}

struct Range {
    int64_t first, count;
};
// Piece `index` of `size` things cut into `pieces` of nearly equal length.
inline Range piece(int64_t size, int64_t pieces, int64_t index) {
    const int64_t base = size / pieces, rest = size % pieces;
    return {index * base + std::min(index, rest), base + (index < rest ? 1 : 0)};
}

// Where a tile of C goes. `first` and `last` tell whether this piece of the depth is the first, the last.
template <class S>
struct StridedTarget {
    using T = Compute<S>;
    S* data;
    int64_t row, column;
    const S* addend;
    int64_t addend_row, addend_column;
    T alpha, beta;
    int64_t block_rows = 1536;
    T* partial = nullptr;  // for 16-bit types of more than one piece: sums of the pieces before, row-major
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
            for (int c = 0; c < columns; ++c)
                target[c] = to_storage<S>(product(beta, static_cast<T>(source[c * addend_column])));
        }
    }
    void store(const T* tile, int64_t pitch, int64_t i, int64_t j, int rows, int columns, bool first,
               bool last) const {
        for (int r = 0; r < rows; ++r)
            for (int c = 0; c < columns; ++c) put(tile[r * pitch + c], i + r, j + c, first, last);
    }
    void put(T value, int64_t i, int64_t j, bool first, bool last) const {
        S& target = data[i * row + j * column];
        if constexpr (std::is_same_v<S, T> || std::is_same_v<T, int64_t>) {
            value = product(alpha, value);
            if (!first)
                value = total(static_cast<T>(target), value);
            else if (addend != nullptr)
                value = total(value, product(beta, addend_at(i, j)));
            target = to_storage<S>(value);
        } else {
            T* sum = partial + (i - partial_first_row) * partial_pitch + j;
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
    T addend_at(int64_t i, int64_t j) const {
        return static_cast<T>(addend[i * addend_row + j * addend_column]);
    }
};

template <class T>
struct Blocking {
    // Short for complex numbers, whose real parts are sums of twice as many products, one after another.
    static constexpr int64_t depth =
        is_complex_type<T> ? 32 : 448 * 4 / static_cast<int64_t>(sizeof(Real<T>));
    static constexpr int rows_pitch = tile_rows<T> * planes<T>;
};

template <class T, class Left, class Right, class Target>
class BlockedProduct {
  public:
    BlockedProduct(int64_t m, int64_t n, int64_t k, const Left& a, const Right& b, const Target& c)
        : m_(m), n_(n), k_(k), a_(a), b_(b), c_(c) {}

    void run() {
        const int64_t blocks = ceil_divide(m_, c_.block_rows);
        for (int64_t block = 0; block < blocks; ++block) run_rows(piece(m_, blocks, block));
    }

  private:
    using R = Real<T>;
    static constexpr int width = lanes<T>;

    void run_rows(Range rows) {
        if constexpr (requires { c_.partial_first_row; }) c_.partial_first_row = rows.first;
        const int64_t pieces = std::max<int64_t>(1, ceil_divide(k_, Blocking<T>::depth));
        panels_ = ceil_divide(rows.count, tile_rows<T>);
        for (int64_t index = 0; index < pieces; ++index) {
            const Range depth = piece(k_, pieces, index);
            pack_left(rows, depth);
            const int64_t unit = unit_columns();
            const bool first = index == 0, last = index + 1 == pieces;
            const bool small = rows.count * n_ * depth.count < parallel_work;
            parallel_for(0, ceil_divide(n_, unit), small ? n_ : 1, [&](int64_t begin, int64_t end) {
                for (int64_t u = begin; u < end; ++u) {
                    const int64_t column = u * unit;
                    multiply_unit(rows, depth, {column, std::min(unit, n_ - column)}, first, last);
                }
            });
        }
    }

    // Wide enough to read B in long runs, narrow enough for some units a thread.
    int64_t unit_columns() const {
        constexpr int64_t tile = tile_columns<T>;
        return tile * std::clamp<int64_t>(n_ / (tile * 16), 1, 4);
    }

    int64_t panel_pitch(int64_t depth) const {
        return (depth * Blocking<T>::rows_pitch + width + 15) / 16 * 16;
    }

    void pack_left(Range rows, Range depth) {
        const int64_t pitch = panel_pitch(depth.count);
        packed_ = scratch_array<R>(ScratchUse::shared, static_cast<size_t>(pitch * panels_));
        const int64_t chunk = std::max<int64_t>(1, 65536 / (tile_rows<T> * depth.count + 1));
        parallel_for(0, panels_, chunk, [&](int64_t begin, int64_t end) {
            for (int64_t p = begin; p < end; ++p) {
                const Range panel = piece(rows.count, panels_, p);
                a_.pack_rows(rows.first + panel.first, static_cast<int>(panel.count), depth.first,
                             depth.count, packed_ + p * pitch);
            }
        });
    }

    void multiply_unit(Range rows, Range depth, Range columns, bool first, bool last) const {
        constexpr int64_t tile = tile_columns<T>;
        const int64_t panel = depth.count * tile * planes<T>;
        const int64_t count = ceil_divide(columns.count, tile);
        R* right = scratch_array<R>(ScratchUse::local, static_cast<size_t>(panel * count + width));
        for (int64_t q = 0; q < count; ++q) {
            const int here = static_cast<int>(std::min(tile, columns.count - q * tile));
            b_.pack_columns(columns.first + q * tile, here, here > width ? 2 : 1, depth.first, depth.count,
                            right + q * panel);
        }
        const int64_t pitch = panel_pitch(depth.count);
        for (int64_t p = 0; p < panels_; ++p) {
            const Range strip = piece(rows.count, panels_, p);
            for (int64_t q = 0; q < count; ++q) {
                const int here = static_cast<int>(std::min(tile, columns.count - q * tile));
                multiply(depth.count, packed_ + p * pitch, right + q * panel, rows.first + strip.first,
                         static_cast<int>(strip.count), columns.first + q * tile, here, first, last);
            }
        }
    }

    void multiply(int64_t depth, const R* left, const R* right, int64_t i, int rows, int64_t j, int columns,
                  bool first, bool last) const {
        const TileFunction<T> function = tile_function<T>(rows, columns > width ? 2 : 1);
        if (columns % width == 0) {
            if (T* target = c_.direct(i, j, columns)) {
                const bool started = first && c_.addend != nullptr;
                if (started) c_.start(i, j, rows, columns);
                function(depth, left, right, target, c_.row, c_.alpha, started || !first);
                return;
            }
        }
        alignas(64) T tile[tile_rows<T> * tile_columns<T>];
        function(depth, left, right, tile, tile_columns<T>, T(1), false);
        c_.store(tile, tile_columns<T>, i, j, rows, columns, first, last);
    }

    int64_t m_, n_, k_;
    Left a_;
    Right b_;
    Target c_;
    int64_t panels_ = 0;
    R* packed_ = nullptr;
};

template <class T, class Left, class Right, class Target>
void blocked_product(int64_t m, int64_t n, int64_t k, const Left& a, const Right& b, const Target& c) {
    BlockedProduct<T, Left, Right, Target>(m, n, k, a, b, c).run();
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
