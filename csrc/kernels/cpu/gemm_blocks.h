// The blocked matrix product that matrices and convolutions share: which panels are packed when, and by whom.
//
// Rows are taken in blocks and depth in pieces. C is cut into units of some panels of rows by some of
// columns; whoever takes a unit packs its panels of A and B into memory of its own, unless they are there
// from a unit before, and multiplies them. What the tiles can read as well where it lies is not packed at
// all. Each element of C belongs to one unit and adds its pieces in order.
#pragma once

#include <utility>

#include "core/scratch.h"
#include "core/threads.h"
#include "kernels/cpu/gemm_target.h"

namespace rl::kernels::RUSHLIGHT_ISA {

// Less work than this, in multiplications, is not worth waking another thread for.
inline constexpr int64_t parallel_work = int64_t{1} << 18;

inline int64_t ceil_divide(int64_t x, int64_t y) {
    return (x + y - 1) / y;
}

// Piece `index` of `size` things cut into `pieces` of nearly equal length.
inline Range piece(int64_t size, int64_t pieces, int64_t index) {
    const int64_t base = size / pieces, rest = size % pieces;
    return {index * base + std::min(index, rest), base + (index < rest ? 1 : 0)};
}

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

// The tiles of a product A·B, wherever their operands lie.
template <class T, class Left, class Right, class Target>
class ProductTiles {
  public:
    ProductTiles(int64_t m, int64_t n, int64_t k, const Left& a, const Right& b, const Target& c)
        : a_(a), b_(b), c_(c) {
        if constexpr (is_readable<Left>()) read_left_ = a_.left_in_place(m, n, k);
        if constexpr (is_readable<Right>()) read_right_ = b_.right_in_place(m, n, k);
    }

    // A small product of operands that need no packing, or false.
    bool run_in_place(int64_t m, int64_t n, int64_t k) const {
        if constexpr (is_readable<Left>() && is_readable<Right>()) {
            if (!read_left_ || !read_right_ || k > most_depth || m * n * k >= parallel_work) return false;
            const int64_t strips = m <= tile_rows<T> ? 1 : ceil_divide(m, tile_rows<T>);
            for (int64_t s = 0; s < strips; ++s) {
                const Range rows = strips == 1 ? Range{0, m} : piece(m, strips, s);
                for (int64_t j = 0; j < n; j += tile) {
                    TileOperands<T> operands{k};
                    read_left(operands, rows.first, 0);
                    read_right(operands, j, 0);
                    multiply(operands, rows, {j, std::min(tile, n - j)}, true, true);
                }
            }
            return true;
        }
        return false;
    }

  protected:
    static constexpr int width = lanes<T>;
    static constexpr int64_t tile = tile_columns<T>;
    static constexpr int64_t most_depth = [] {
        if constexpr (requires { Left::most_depth; })
            return Left::most_depth;
        else if constexpr (requires { Right::most_depth; })
            return Right::most_depth;
        else
            return Blocking<T>::depth;
    }();
    // Whether panels of A hold a line for each row, rather than a row's neighbours side by side.
    static constexpr bool left_lines = requires(Left a, Real<T>* line) { a.pack_lines(0, 0, 0, 0, line, 0); };

    void read_left(TileOperands<T>& operands, int64_t row, int64_t k) const {
        const Place<T> place = a_.place(row, k);
        operands.a = place.data;
        operands.a_row = place.lane;
        operands.a_step = place.step;
    }
    void read_right(TileOperands<T>& operands, int64_t column, int64_t k) const {
        const Place<T> place = b_.place(column, k);
        operands.b = place.data;
        operands.b_step = place.step;
    }

    static TileKernel<T> kernel(int rows, int vectors, bool left_packed, bool right_packed) {
        if constexpr (is_readable<Left>())
            return Left::kernel(rows, vectors, left_packed, right_packed);
        else if constexpr (is_readable<Right>())
            return Right::kernel(rows, vectors, left_packed, right_packed);
        else
            return tile_kernel<T, !left_lines>(rows, vectors);
    }
    void multiply(TileOperands<T>& operands, Range rows, Range columns, bool first, bool last) const {
        const int height = static_cast<int>(rows.count), breadth = static_cast<int>(columns.count);
        const TileKernel<T> kernel =
            ProductTiles::kernel(height, breadth > width ? 2 : 1, !read_left_, !read_right_);
        if constexpr (requires { c_.narrow(0, 0); }) {
            operands.narrow = first && last ? c_.narrow(rows.first, columns.first) : nullptr;
            if (operands.narrow != nullptr) return kernel(operands, nullptr, c_.row, breadth, T(1), false);
        }
        if (T* target = c_.direct(rows.first, columns.first, breadth)) {
            for (int r = 0; r < height; ++r)  // C comes while the sums are made
                for (int j = 0; j < breadth; j += width) __builtin_prefetch(target + r * c_.row + j, 1);
            const bool started = first && c_.addend != nullptr;
            if (started) c_.start(rows.first, columns.first, height, breadth);
            kernel(operands, target, c_.row, breadth, c_.alpha, started || !first);
            return finish(rows, columns, last);
        }
        constexpr int whole_rows = (tile_rows<T> + width - 1) / width * width;  // as transposing sees them
        alignas(64) T product[whole_rows * tile_columns<T>];
        if constexpr (requires { c_.prefetch(0, 0, 0, 0); })
            c_.prefetch(rows.first, columns.first, height, breadth);
        kernel(operands, product, tile, breadth, T(1), false);
        c_.store(product, tile, rows.first, columns.first, height, breadth, first, last);
        finish(rows, columns, last);
    }
    void finish(Range rows, Range columns, bool last) const {
        if constexpr (requires { c_.finish(0, 0, 0, 0); }) {
            if (last) c_.finish(rows.first, columns.first, rows.count, columns.count);
        }
    }

    Left a_;
    Right b_;
    Target c_;
    bool read_left_ = false, read_right_ = false;  // where they lie
};

template <class T, class Left, class Right, class Target>
class BlockedProduct : ProductTiles<T, Left, Right, Target> {
    using Tiles = ProductTiles<T, Left, Right, Target>;

  public:
    BlockedProduct(const Tiles& tiles, int64_t m, int64_t n, Range k) : Tiles(tiles), m_(m), n_(n), k_(k) {}

    void run() {
        if constexpr (std::is_same_v<Target, StridedTarget<T>>) {
            if (const int64_t parts = depth_parts(); parts > 1) return run_parts(parts);
        }
        run_blocks();
    }

  private:
    using Tiles::a_, Tiles::b_, Tiles::c_, Tiles::read_left_, Tiles::read_right_;
    using Tiles::width, Tiles::tile, Tiles::most_depth, Tiles::left_lines;
    using R = Real<T>;

    int64_t work() const { return m_ * n_ * k_.count; }
    void run_blocks() {
        const bool packs_left = !read_left_ && !has_forms(a_), packs_right = !read_right_ && !has_forms(b_);
        unit_columns_ = tile * std::clamp<int64_t>(n_ / (tile * least_units), 1, 4);
        column_units_ = ceil_divide(n_, unit_columns_);
        by_columns_ = column_units_ > most_units ||
                      (packs_right && (!packs_left || m_ * packing_cost(a_) <= n_ * packing_cost(b_)));
        const int64_t most_rows = by_columns_ && packs_left ? most_inner_rows : any_rows;
        const int64_t blocks = ceil_divide(m_, std::min(most_rows, c_.most_rows));
        for (int64_t block = 0; block < blocks; ++block) run_rows(piece(m_, blocks, block));
    }
    template <class Source>
    static bool has_forms(const Source& source) {
        if constexpr (requires { source.forms; })
            return source.forms != nullptr;
        else
            return false;
    }

    static constexpr int left_unit = [] {
        if constexpr (is_readable<Left>())
            return Left::unit;
        else
            return 1;
    }();
    static constexpr int64_t least_units = 16;  // wanted for an even load
    static constexpr int64_t most_units = 64;   // whose panels a thread holds at once
    static constexpr int64_t least_parts = 4;   // of the depth, if it is shared out
    static constexpr int64_t most_partial_sums = int64_t{1} << 21;
    static constexpr int64_t cached_block = 393216;  // bytes of A that stay in the second cache

    // In how many parts the depth of a deep product is shared out: a thread then packs what nobody else
    // reads, at the price of writing and adding up a matrix of sums for each part.
    int64_t depth_parts() const {
        if (work() < 4 * parallel_work) return 1;
        const int64_t longest = std::max(m_, n_);
        const int64_t parts = std::min({least_units, ceil_divide(k_.count, most_depth),
                                        k_.count / (12 * longest), most_partial_sums / (m_ * n_)});
        return parts >= least_parts ? parts : 1;
    }
    void run_parts(int64_t parts) {
        const int64_t count = m_ * n_;
        T* sums = scratch_array<T>(ScratchUse::shared, static_cast<size_t>(parts * count + width));
        parallel_for(0, parts, 1, [&](int64_t begin, int64_t end) {
            for (int64_t part = begin; part < end; ++part) {
                Range depth = piece(k_.count, parts, part);
                depth.first += k_.first;
                const Target target{sums + part * count, n_, 1, nullptr, 0, 0, T(1), T(1)};
                BlockedProduct(Tiles(m_, n_, depth.count, a_, b_, target), m_, n_, depth).run_blocks();
            }
        });
        parallel_for(0, m_, ceil_divide(32768, parts * n_), [&](int64_t begin, int64_t end) {
            T* first = sums + begin * n_;
            for (int64_t part = 1; part < parts; ++part)
                for (int64_t i = 0; i < (end - begin) * n_; ++i)
                    first[i] = total(first[i], first[part * count + i]);
            const Range rows{begin, end - begin}, columns{0, n_};
            c_.store(first, n_, begin, 0, static_cast<int>(rows.count), static_cast<int>(n_), true, true);
            this->finish(rows, columns, true);
        });
    }

    // A part of C: neighbouring panels of rows and columns, and its place among the units in each direction.
    struct Unit {
        Range panels, columns;
        int64_t row, column;
    };
    // Which units' panels are in a thread's own memory: of the operand that changes more slowly those of one
    // unit, of the other those of every unit met so far.
    struct OwnPanels {
        int64_t outer = -1;
        uint64_t inner = 0;

        bool missing(bool is_outer, int64_t unit) {
            if (is_outer) return std::exchange(outer, unit) != unit;
            const uint64_t bit = uint64_t{1} << unit;
            return (std::exchange(inner, inner | bit) & bit) == 0;
        }
    };

    void run_rows(Range rows) {
        if constexpr (requires { c_.partial_first_row; }) c_.partial_first_row = rows.first;
        rows_ = rows;
        const int64_t pieces = std::max<int64_t>(1, ceil_divide(k_.count, most_depth));
        panels_ = ceil_divide(rows.count, tile_rows<T>);
        row_units_ = count_row_units();
        const int64_t units = column_units_ * row_units_;
        for (int64_t index = 0; index < pieces; ++index) {
            depth_ = piece(k_.count, pieces, index);
            depth_.first += k_.first;
            find_kept_panels();
            const bool first = index == 0, last = index + 1 == pieces;
            const bool small = rows.count * n_ * depth_.count < parallel_work;
            parallel_for_with<OwnPanels>(0, units, small ? units : 1,
                                         [&](OwnPanels& own, int64_t begin, int64_t end) {
                                             for (int64_t u = begin; u < end; ++u)
                                                 multiply_unit(unit_at(u), own, first, last);
                                         });
        }
    }

    Unit unit_at(int64_t index) const {
        const int64_t row = by_columns_ ? index % row_units_ : index / column_units_;
        const int64_t column = by_columns_ ? index / row_units_ : index % column_units_;
        const int64_t first = column * unit_columns_;
        return {piece(panels_, row_units_, row), {first, std::min(unit_columns_, n_ - first)}, row, column};
    }

    // In how many pieces the rows are taken: so that their part of A stays in the cache, the longer the wider
    // units are, and that the load is even. A small product is rather cut by columns alone, whose panels of B
    // need not be packed twice.
    int64_t count_row_units() const {
        const int64_t area = rows_.count * std::min(most_depth, k_.count);
        const int64_t bytes = area * static_cast<int64_t>(sizeof(T));
        const int64_t wanted =
            read_right_ ? least_units : std::clamp<int64_t>(area * n_ >> 21, 1, least_units);
        int64_t count = std::max(ceil_divide(wanted, column_units_),
                                 ceil_divide(bytes, cached_block * (unit_columns_ / tile)));
        const bool odd = count * column_units_ % 2 != 0;  // which two threads would not share evenly
        if (odd && count * column_units_ < least_units) ++count;
        return std::clamp<int64_t>(count, 1,
                                   std::min(by_columns_ ? most_units : panels_, ceil_divide(panels_, 4)));
    }

    int64_t line_pitch() const { return ceil_divide(depth_.count, width) * width; }
    int64_t left_pitch() const {
        if (left_lines) return line_pitch() * tile_rows<T>;
        return (depth_.count * Blocking<T>::rows_pitch + width + 15) / 16 * 16;
    }
    int64_t right_pitch() const {
        constexpr int starts = requires { &Right::flip; } ? 1 : 0;  // a line after those of the depth
        return (depth_.count + starts) * tile * planes<T>;
    }
    int64_t left_count(int64_t panels) const { return left_pitch() * panels; }
    int64_t right_count(int64_t panels) const { return right_pitch() * panels + width; }
    static int64_t count_tiles(int64_t columns) { return ceil_divide(columns, tile); }

    // The packed panels of an operand that does not change are kept from call to call.
    template <class Source, class Pack>
    static const R* kept_panels(const Source& source, FormKind kind, Range lanes, Range depth, int64_t count,
                                Pack&& pack) {
        if constexpr (requires { source.forms; }) {
            if (source.forms == nullptr) return nullptr;
            const size_t bytes = static_cast<size_t>(count) * sizeof(R);
            return static_cast<const R*>(
                source.forms->get(source.form_key(kind, lanes, depth), bytes,
                                  [&](void* memory) { pack(static_cast<R*>(memory)); }));
        } else {
            return nullptr;
        }
    }
    void find_kept_panels() {
        if (!read_left_)
            kept_left_ = kept_panels(a_, FormKind::left_panels, rows_, depth_, left_count(panels_),
                                     [&](R* target) { pack_all_left(target); });
        if (!read_right_)
            kept_right_ =
                kept_panels(b_, FormKind::right_panels, {0, n_}, depth_, right_count(count_tiles(n_)),
                            [&](R* target) { pack_all_right(target); });
    }
    // For each element: most sources turn squares, some only copy.
    template <class Source>
    static int64_t packing_cost(const Source& source) {
        if constexpr (requires { source.packing_cost(); })
            return source.packing_cost();
        else
            return 3;
    }
    bool packs_left() const { return !read_left_ && kept_left_ == nullptr; }
    bool packs_right() const { return !read_right_ && kept_right_ == nullptr; }

    void pack_all_left(R* target) const {
        const int64_t chunk = std::max<int64_t>(1, 16384 / (tile_rows<T> * depth_.count + 1));
        parallel_for(0, panels_, chunk, [&](int64_t begin, int64_t end) {
            pack_left({begin, end - begin}, target + begin * left_pitch());
        });
    }
    void pack_all_right(R* target) const {
        const int64_t chunk = std::max<int64_t>(1, 16384 / (tile * depth_.count + 1));
        parallel_for(0, count_tiles(n_), chunk, [&](int64_t begin, int64_t end) {
            const int64_t column = begin * tile;
            pack_right({column, std::min(end * tile, n_) - column}, target + begin * right_pitch());
        });
    }

    // pack(panel, depth) for so much of the depth at once.
    template <class Pack>
    void for_panels(Range panels, int64_t at_once, Pack&& pack) const {
        for (int64_t done = 0; done < depth_.count; done += at_once)
            for (int64_t p = 0; p < panels.count; ++p)
                pack(p, Range{depth_.first + done, std::min(at_once, depth_.count - done)});
    }
    template <class Source>
    static int64_t depth_at_once(const Source& source) {
        if constexpr (requires { source.depth_at_once(); })
            return source.depth_at_once();
        else
            return any_depth;
    }
    void pack_left(Range panels, R* target) const {
        for_panels(panels, depth_at_once(a_), [&](int64_t p, Range some) {
            const Range panel = piece(rows_.count, panels_, panels.first + p);
            const int64_t row = rows_.first + panel.first;
            const int count = static_cast<int>(panel.count);
            R* place = target + p * left_pitch();
            if constexpr (left_lines)
                a_.pack_lines(row, count, some.first, some.count, place, line_pitch());
            else
                a_.pack_rows(row, count, some.first, some.count,
                             place + (some.first - depth_.first) * count * planes<T>);
        });
    }
    void pack_right(Range columns, R* target) const {
        for_panels({0, count_tiles(columns.count)}, depth_at_once(b_), [&](int64_t q, Range some) {
            const int here = static_cast<int>(std::min(tile, columns.count - q * tile));
            const int vectors = here > width ? 2 : 1;
            const int64_t before = (some.first - depth_.first) * vectors * width * planes<T>;
            b_.pack_columns(columns.first + q * tile, here, vectors, some.first, some.count,
                            target + q * right_pitch() + before);
        });
    }

    // A thread packs itself what it multiplies: what another has written comes from a cache far away.
    const R* left_panels(const Unit& unit, OwnPanels& own) const {
        if (!packs_left()) return kept_left_ + (kept_left_ != nullptr ? unit.panels.first * left_pitch() : 0);
        const int64_t room = by_columns_ ? panels_ : ceil_divide(panels_, row_units_);
        R* memory = scratch_array<R>(ScratchUse::panels, static_cast<size_t>(left_count(room)));
        if (by_columns_) memory += unit.panels.first * left_pitch();
        if (own.missing(!by_columns_, unit.row)) pack_left(unit.panels, memory);
        return memory;
    }
    const R* right_panels(const Unit& unit, OwnPanels& own) const {
        const int64_t before = unit.columns.first / tile * right_pitch();
        if (!packs_right()) return kept_right_ + (kept_right_ != nullptr ? before : 0);
        const int64_t room = count_tiles(by_columns_ ? unit_columns_ : n_);
        R* memory = scratch_array<R>(ScratchUse::local, static_cast<size_t>(right_count(room)));
        if (!by_columns_) memory += before;
        if (own.missing(by_columns_, unit.column)) pack_right(unit.columns, memory);
        return memory;
    }

    void multiply_unit(const Unit& unit, OwnPanels& own, bool first, bool last) const {
        const R* left = left_panels(unit, own);
        const R* right = right_panels(unit, own);
        const int64_t count = count_tiles(unit.columns.count);
        for (int64_t p = 0; p < unit.panels.count; ++p) {
            Range rows = piece(rows_.count, panels_, unit.panels.first + p);
            rows.first += rows_.first;
            for (int64_t q = 0; q < count; ++q) {
                const int64_t column = unit.columns.first + q * tile;
                const Range columns{column, std::min(tile, n_ - column)};
                TileOperands<T> operands{depth_.count};
                place_left(operands, rows, left, p);
                place_right(operands, columns, right, q);
                if constexpr (requires { b_.flip; }) {
                    operands.flip = b_.flip;
                    if (b_.flip != 0 && depth_.count > 0)
                        operands.start = operands.b + depth_.count * operands.b_step;
                }
                this->multiply(operands, rows, columns, first, last);
            }
        }
    }

    // Where a tile finds its rows of A: as they lie, or in panel p of what is packed.
    void place_left(TileOperands<T>& operands, Range rows, const R* packed, int64_t p) const {
        if constexpr (is_readable<Left>()) {
            if (read_left_) return this->read_left(operands, rows.first, depth_.first);
        }
        operands.a = packed + p * left_pitch();
        operands.a_row = left_lines ? line_pitch() : left_unit;
        operands.a_step = left_lines ? 1 : left_unit * rows.count;
    }
    void place_right(TileOperands<T>& operands, Range columns, const R* packed, int64_t q) const {
        if constexpr (is_readable<Right>()) {
            if (read_right_) return this->read_right(operands, columns.first, depth_.first);
        }
        operands.b = packed + q * right_pitch();
        operands.b_step = (columns.count > width ? 2 : 1) * width;
    }

    int64_t m_, n_;
    Range k_;
    int64_t unit_columns_ = 0, column_units_ = 0, row_units_ = 0, panels_ = 0;
    bool by_columns_ = false;  // units go down the columns of C
    Range rows_{}, depth_{};   // of the block and the piece at hand
    const R* kept_left_ = nullptr;
    const R* kept_right_ = nullptr;
};

template <class T, class Left, class Right, class Target>
void blocked_product(int64_t m, int64_t n, int64_t k, const Left& a, const Right& b, const Target& c) {
    const ProductTiles<T, Left, Right, Target> tiles(m, n, k, a, b, c);
    if (!tiles.run_in_place(m, n, k)) BlockedProduct<T, Left, Right, Target>(tiles, m, n, {0, k}).run();
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
