// The blocked matrix product that matrices and convolutions share: which panels are packed when, and by whom.
//
// Rows are taken in blocks and depth in pieces. C is cut into units of some panels of rows by some of
// columns; whoever takes a unit packs its panels of B into memory of its own and multiplies them with its
// panels of A. What several units would pack alike is packed once for all of them before: all of A, and B
// where it is narrow. What the tiles can read as well where it lies is not packed at all. Each element of C
// belongs to one unit and adds its pieces in order.
#pragma once

#include "core/scratch.h"
#include "core/threads.h"
#include "kernels/cpu/gemm_pack.h"

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
        if constexpr (std::is_same_v<S, T> && std::is_floating_point_v<T>) {
            const bool vectors = first && addend != nullptr ? addend_row == 0 || addend_row == 1 : true;
            if (row == 1 && vectors) return store_transposed(tile, pitch, i, j, rows, columns, first);
        }
        for (int r = 0; r < rows; ++r) {
            int c = 0;
            if constexpr (!std::is_same_v<S, T> && std::is_floating_point_v<T>) {
                if (column == 1 && (!last || addend == nullptr)) {
                    for (; c + lanes<T> <= columns; c += lanes<T>)
                        put_converted(load_vector(tile + r * pitch + c), i + r, j + c, first, last);
                }
            }
            for (; c < columns; ++c) put(tile[r * pitch + c], i + r, j + c, first, last);
        }
    }
    void put_converted(Vector<Real<T>> value, int64_t i, int64_t j, bool first, bool last) const {
        T* sum = partial_at(i, j);
        if (!first) value += load_vector(sum);
        if (last)
            store_converted(data + i * row + j, Vector<T>(alpha * value));
        else
            store_vector(sum, value);
    }
    // Columns of the tile are contiguous in C.
    void store_transposed(const T* tile, int64_t pitch, int64_t i, int64_t j, int rows, int columns,
                          bool first) const {
        constexpr int width = lanes<T>;
        for (int r = 0; r < rows; r += width) {
            const int count = std::min(rows - r, width);
            for (int c = 0; c < columns; c += width) {
                Vector<T> line[width];
                for (int lane = 0; lane < width; ++lane)
                    line[lane] = lane < count ? load_vector(tile + (r + lane) * pitch + c) : Vector<T>{};
                transpose_square<T>(line);
                for (int lane = 0; lane < std::min(columns - c, width); ++lane)
                    put_column(line[lane], i + r, j + c + lane, count, first);
            }
        }
    }
    void put_column(Vector<Real<T>> value, int64_t i, int64_t j, int count, bool first) const {
        put_line(value, data + i + j * column, first, i, j, addend_row, count);
    }
    void put_line(Vector<Real<T>> value, T* target, bool first, int64_t i, int64_t j, int64_t addend_step,
                  int count) const {
        value *= alpha;
        if (!first) {
            value += load_lanes(target, count);
        } else if (addend != nullptr) {
            const T* source = addend + i * addend_row + j * addend_column;
            value += addend_step == 1 ? beta * load_lanes(source, count) : beta * (*source - Vector<T>{});
        }
        store_lanes(target, value, count);
    }
    // The whole sums of `count` elements of row i, from column j on.
    void put_row(const T* sums, int64_t i, int64_t j, int64_t count) const {
        if constexpr (std::is_same_v<S, T>) {
            if (column == 1 && (addend == nullptr || addend_column == 0 || addend_column == 1)) {
                for (int64_t c = 0; c < count; c += lanes<T>) {
                    const int here = static_cast<int>(std::min<int64_t>(count - c, lanes<T>));
                    put_line(load_lanes(sums + c, here), data + i * row + j + c, true, i, j + c,
                             addend_column, here);
                }
                return;
            }
        }
        for (int64_t c = 0; c < count; ++c) put(sums[c], i, j + c, true, true);
    }
    void put(T value, int64_t i, int64_t j, bool first, bool last) const {
        S& target = data[i * row + j * column];
        if constexpr (std::is_same_v<S, T> || std::is_integral_v<T>) {
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
        return partial == nullptr ? nullptr : partial + (i - partial_first_row) * partial_pitch + j;
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

// Whether tiles may read the operand itself.
template <class Source>
consteval bool is_readable() {
    if constexpr (requires { Source::readable; })
        return Source::readable;
    else
        return false;
}

template <class T, class Left, class Right, class Target>
class BlockedProduct {
  public:
    BlockedProduct(int64_t m, int64_t n, int64_t k, const Left& a, const Right& b, const Target& c)
        : m_(m), n_(n), k_(k), a_(a), b_(b), c_(c) {
        // Reading A where it lies costs nothing while depth is contiguous, unless its rows share cache sets,
        // or while A fits the first cache.
        if constexpr (is_readable<Left>()) {
            const bool aliased = a_.lane_stride * static_cast<int64_t>(sizeof(T)) % 4096 == 0;
            read_left_ = m_ * k_ <= cached_elements || (a_.k_stride == 1 && !(aliased && n_ >= 512));
        }
        if constexpr (is_readable<Right>()) {
            const bool whole = vector_bytes == 64 || n_ % tile == 0;
            read_right_ =
                b_.lane_stride == 1 && whole && (m_ <= 2 * tile_rows<T> || n_ * k_ <= cached_elements);
        }
    }

    void run() {
        const int64_t blocks = ceil_divide(m_, c_.block_rows);
        for (int64_t block = 0; block < blocks; ++block) run_rows(piece(m_, blocks, block));
    }

  private:
    using R = Real<T>;
    static constexpr int width = lanes<T>;
    static constexpr int64_t tile = tile_columns<T>;
    static constexpr int64_t cached_elements = 32768 / static_cast<int64_t>(sizeof(T));
    static constexpr int64_t least_units = 16;  // wanted for an even load

    void run_rows(Range rows) {
        if constexpr (requires { c_.partial_first_row; }) c_.partial_first_row = rows.first;
        const int64_t pieces = std::max<int64_t>(1, ceil_divide(k_, Blocking<T>::depth));
        panels_ = ceil_divide(rows.count, tile_rows<T>);
        unit_columns_ = tile * std::clamp<int64_t>(n_ / (tile * least_units), 1, 4);
        const int64_t column_units = ceil_divide(n_, unit_columns_);
        const int64_t row_units =
            std::clamp<int64_t>(ceil_divide(least_units, column_units), 1, ceil_divide(panels_, 4));
        share_right_ = !read_right_ && row_units > 1;
        for (int64_t index = 0; index < pieces; ++index) {
            const Range depth = piece(k_, pieces, index);
            if (!read_left_) pack_left(rows, depth);
            if (share_right_) pack_right(depth);
            const bool first = index == 0, last = index + 1 == pieces;
            const bool small = rows.count * n_ * depth.count < parallel_work;
            const int64_t units = column_units * row_units;
            parallel_for(0, units, small ? units : 1, [&](int64_t begin, int64_t end) {
                for (int64_t u = begin; u < end; ++u) {
                    const int64_t column = u / row_units * unit_columns_;
                    multiply_unit(rows, piece(panels_, row_units, u % row_units), depth,
                                  {column, std::min(unit_columns_, n_ - column)}, first, last);
                }
            });
        }
    }

    int64_t left_pitch(int64_t depth) const {
        return (depth * Blocking<T>::rows_pitch + width + 15) / 16 * 16;
    }
    static int64_t right_pitch(int64_t depth) { return depth * tile * planes<T>; }

    void pack_left(Range rows, Range depth) {
        const int64_t pitch = left_pitch(depth.count);
        left_ = scratch_array<R>(ScratchUse::shared, static_cast<size_t>(pitch * panels_));
        const int64_t chunk = std::max<int64_t>(1, 65536 / (tile_rows<T> * depth.count + 1));
        parallel_for(0, panels_, chunk, [&](int64_t begin, int64_t end) {
            for (int64_t p = begin; p < end; ++p) {
                const Range panel = piece(rows.count, panels_, p);
                a_.pack_rows(rows.first + panel.first, static_cast<int>(panel.count), depth.first,
                             depth.count, left_ + p * pitch);
            }
        });
    }

    R* right_memory(int64_t panels, int64_t depth) const {
        return scratch_array<R>(ScratchUse::local, static_cast<size_t>(right_pitch(depth) * panels + width));
    }
    void pack_right(Range depth) {
        const int64_t panels = ceil_divide(n_, tile);
        right_ = right_memory(panels, depth.count);
        const int64_t chunk = std::max<int64_t>(1, 16384 / (tile * depth.count + 1));
        parallel_for(0, panels, chunk, [&](int64_t begin, int64_t end) {
            for (int64_t q = begin; q < end; ++q)
                pack_right_panel(q * tile, depth, right_ + q * right_pitch(depth.count));
        });
    }
    void pack_right_panel(int64_t column, Range depth, R* target) const {
        const int here = static_cast<int>(std::min(tile, n_ - column));
        b_.pack_columns(column, here, here > width ? 2 : 1, depth.first, depth.count, target);
    }

    void multiply_unit(Range rows, Range panels, Range depth, Range columns, bool first, bool last) const {
        const int64_t count = ceil_divide(columns.count, tile), pitch = right_pitch(depth.count);
        const R* right = right_ + columns.first / tile * pitch;
        if (!read_right_ && !share_right_) {
            R* packed = right_memory(count, depth.count);
            for (int64_t q = 0; q < count; ++q)
                pack_right_panel(columns.first + q * tile, depth, packed + q * pitch);
            right = packed;
        }
        for (int64_t p = panels.first; p < panels.first + panels.count; ++p) {
            const Range strip = piece(rows.count, panels_, p);
            for (int64_t q = 0; q < count; ++q) {
                const int64_t column = columns.first + q * tile;
                const int here = static_cast<int>(std::min(tile, n_ - column));
                TileOperands<T> operands{
                    depth.count,       left_ + p * left_pitch(depth.count), 1, strip.count,
                    right + q * pitch, (here > width ? 2 : 1) * width};
                if constexpr (is_readable<Left>()) {
                    if (read_left_)
                        operands.a =
                            a_.data + (rows.first + strip.first) * a_.lane_stride + depth.first * a_.k_stride,
                        operands.a_row = a_.lane_stride, operands.a_step = a_.k_stride;
                }
                if constexpr (is_readable<Right>()) {
                    if (read_right_)
                        operands.b = b_.data + column + depth.first * b_.k_stride,
                        operands.b_step = b_.k_stride;
                }
                multiply(operands, {rows.first + strip.first, strip.count}, {column, here}, first, last);
            }
        }
    }

    void multiply(const TileOperands<T>& operands, Range rows, Range columns, bool first, bool last) const {
        const int height = static_cast<int>(rows.count), breadth = static_cast<int>(columns.count);
        const int vectors = breadth > width ? 2 : 1;
        TileKernel<T> kernel = tile_kernel<T, true>(height, vectors);
        if constexpr (is_readable<Left>() || is_readable<Right>()) {
            if (read_left_ || read_right_) kernel = tile_kernel<T, false>(height, vectors);
        }
        if constexpr (requires { Left::kernel(height, vectors); }) kernel = Left::kernel(height, vectors);
        if (T* target = c_.direct(rows.first, columns.first, breadth)) {
            for (int r = 0; r < height; ++r)  // C comes while the sums are made
                for (int j = 0; j < breadth; j += width) __builtin_prefetch(target + r * c_.row + j, 1);
            const bool started = first && c_.addend != nullptr;
            if (started) c_.start(rows.first, columns.first, height, breadth);
            kernel(operands, target, c_.row, breadth, c_.alpha, started || !first);
            return;
        }
        constexpr int whole_rows = (tile_rows<T> + width - 1) / width * width;  // as transposing sees them
        alignas(64) T product[whole_rows * tile_columns<T>];
        kernel(operands, product, tile, breadth, T(1), false);
        c_.store(product, tile, rows.first, columns.first, height, breadth, first, last);
    }

    int64_t m_, n_, k_;
    Left a_;
    Right b_;
    Target c_;
    bool read_left_ = false, read_right_ = false, share_right_ = false;
    int64_t panels_ = 0, unit_columns_ = 0;
    R* left_ = nullptr;   // packed for all
    R* right_ = nullptr;  // packed for all
};

template <class T, class Left, class Right, class Target>
void blocked_product(int64_t m, int64_t n, int64_t k, const Left& a, const Right& b, const Target& c) {
    BlockedProduct<T, Left, Right, Target>(m, n, k, a, b, c).run();
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
