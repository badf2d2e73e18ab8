// Convolution as a matrix product that reads its right operand, the patches, straight from the boxes of the
// image: a vector of neighbouring positions is one load at every tap.
//
// Positions are numbered through the lines of a box, ends included, so that tiles run on from one line to the
// next where lines are short; what falls between lines is computed and dropped.
#pragma once

#include "kernels/cpu/convolution_depthwise.h"

namespace rl::kernels::RUSHLIGHT_ISA {

// Accumulators that leave registers for a vector of the patches and a weight.
inline constexpr int direct_sums = 2 * real_tile_rows;
constexpr int direct_vectors(int rows) {
    return std::min(4, direct_sums / rows);
}

// Where multiplying and adding round apart, a tile adds up so many products before it starts anew, which
// keeps errors as small as they are elsewhere.
#if defined(__FMA__)
inline constexpr int64_t direct_block = 0;
#else
inline constexpr int64_t direct_block = 48;
#endif

// How far apart the vectors of a tile lie in the patches, its rows and vectors where they go, and how many
// lanes of its vectors are positions: of all but the last, and of the last.
struct DirectPlaces {
    int64_t step, row, vector;
    int inner, last;
};

// out[r * row + v * vector + lane] = start[r] + sum over k of left[k * rows + r] * data[offset[k] + v * step
// + lane].
template <class T>
using DirectTile = void (*)(int64_t depth, const T* left, const T* data, const int64_t* offset,
                            const T* start, T* out, const DirectPlaces& places);

template <class T, int rows, int vectors>
void direct_tile(int64_t depth, const T* left, const T* data, const int64_t* offset, const T* start, T* out,
                 const DirectPlaces& places) {
    using Lane = LaneOf<T>;
    const auto [step, row, vector, inner, last] = places;
    const Lane* factor = reinterpret_cast<const Lane*>(left);
    Vector<Lane> sum[rows][vectors];
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r) {
        const Vector<Lane> value = Vector<Lane>{} + static_cast<Lane>(start[r]);
#pragma GCC unroll 4
        for (int v = 0; v < vectors; ++v) sum[r][v] = value;
    }
    const auto add_up = [&](int64_t first, int64_t end) {
        for (int64_t k = first; k < end; ++k) {
            const Lane* place = reinterpret_cast<const Lane*>(data + offset[k]);
            Vector<Lane> column[vectors];
            for (int v = 0; v < vectors; ++v) column[v] = load_vector(place + v * step);
            for (int r = 0; r < rows; ++r)
                for (int v = 0; v < vectors; ++v) sum[r][v] += factor[r] * column[v];
            factor += rows;
        }
    };
    if constexpr (direct_block == 0) {
        add_up(0, depth);
    } else {
        add_up(0, std::min(depth, direct_block));
        for (int64_t first = direct_block; first < depth; first += direct_block) {
            Vector<Lane> before[rows][vectors];
            std::copy_n(&sum[0][0], rows * vectors, &before[0][0]);
            std::fill_n(&sum[0][0], rows * vectors, Vector<Lane>{});
            add_up(first, std::min(depth, first + direct_block));
            for (int r = 0; r < rows; ++r)
                for (int v = 0; v < vectors; ++v) sum[r][v] += before[r][v];
        }
    }
    const bool whole = inner == lanes<T> && last == lanes<T>;
    Lane* target = reinterpret_cast<Lane*>(out);
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r, target += row) {
#pragma GCC unroll 4
        for (int v = 0; v < vectors; ++v) {
            if (whole)
                store_vector(target + v * vector, sum[r][v]);
            else
                store_lanes(target + v * vector, sum[r][v], v + 1 < vectors ? inner : last);
        }
    }
}

template <class T, int rows, int... counts>
inline DirectTile<T> direct_tile_of(int vectors, std::integer_sequence<int, counts...>) {
    static constexpr DirectTile<T> functions[] = {&direct_tile<T, rows, counts + 1>...};
    return functions[vectors - 1];
}
template <class T, int rows = 1>
inline DirectTile<T> direct_tile_function(int wanted, int vectors) {
    if constexpr (rows < real_tile_rows)
        if (wanted != rows) return direct_tile_function<T, rows + 1>(wanted, vectors);
    return direct_tile_of<T, rows>(vectors, std::make_integer_sequence<int, direct_vectors(rows)>());
}

// Where the sums go: row r of a position at data + image * image_stride + r * row + its place in the grid.
template <class T>
struct DirectTarget {
    T* data;
    int64_t image_stride, row;
    int64_t step[3];
};

// Sums of `rows` channels at every position of the patches.
template <class T>
class DirectProduct {
  public:
    template <class Left>
    DirectProduct(const Patches<T>& patches, int64_t images, int64_t rows, int64_t depth, const Left& left,
                  const T* bias, const DirectTarget<T>& target)
        : patches_(patches), target_(target), images_(images), rows_(rows), depth_(depth) {
        panels_ = ceil_divide(rows, real_tile_rows);
        pack(left, bias);
        for (int64_t k = 0; k < depth; ++k) offset_.push_back(patches.row_offset(k));
        choose_runs();
    }

    void run() const {
        // Few tiles are shared out panel by panel, many with all their panels.
        const int64_t tiles = images_ * runs_ * tiles_;
        const int64_t parts = std::clamp<int64_t>(ceil_divide(32, tiles), 1, panels_);
        const int64_t work = vectors_ * width * depth_ * ceil_divide(rows_, parts) + 1;
        parallel_for(0, tiles * parts, std::max<int64_t>(1, parallel_work / 4 / work),
                     [&](int64_t begin, int64_t end) {
                         for (int64_t item = begin; item < end; ++item)
                             run_tile(item / parts, piece(panels_, parts, item % parts));
                     });
    }

  private:
    static constexpr int width = lanes<T>;

    int64_t panel_pitch() const { return (depth_ * real_tile_rows + width + 15) / 16 * 16; }

    template <class Left>
    void pack(const Left& left, const T* bias) {
        const int64_t pitch = panel_pitch();
        packed_ = scratch_array<T>(ScratchUse::shared, static_cast<size_t>(pitch * panels_ + rows_));
        start_ = packed_ + pitch * panels_;
        for (int64_t r = 0; r < rows_; ++r) start_[r] = bias != nullptr ? bias[r] : T{};
        const int64_t chunk = std::max<int64_t>(1, 65536 / (real_tile_rows * depth_ + 1));
        parallel_for(0, panels_, chunk, [&](int64_t begin, int64_t end) {
            for (int64_t p = begin; p < end; ++p) {
                const Range panel = piece(rows_, panels_, p);
                left.pack_rows(panel.first, static_cast<int>(panel.count), 0, depth_, packed_ + p * pitch);
            }
        });
    }

    // Tiles either start anew at each line or run through the lines of a slice, which makes fewer of them,
    // but then what they give has to be split: about as much work as some steps of their depth. Lines no
    // longer than a vector are a tile's vectors.
    static constexpr int64_t split_cost = 16;
    void choose_runs() {
        const auto& grid = patches_.grid;
        const int64_t through = (grid[1] - 1) * patches_.grid_stride[1] + grid[2];
        const int64_t separate = grid[1] * ceil_divide(grid[2], width), joined = ceil_divide(through, width);
        const bool by_line = separate * depth_ <= joined * (depth_ + split_cost);
        short_lines_ = by_line && grid[2] <= width;
        whole_lines_ = by_line && !short_lines_;
        runs_ = whole_lines_ ? grid[0] * grid[1] : grid[0];
        line_ = short_lines_ ? width : patches_.grid_stride[1];
        length_ = whole_lines_ ? grid[2] : (grid[1] - 1) * line_ + grid[2];
        vectors_ = ceil_divide(length_, width);
        tiles_ = ceil_divide(vectors_, direct_vectors(static_cast<int>(ceil_divide(rows_, panels_))));
    }

    void run_tile(int64_t item, Range panels) const {
        const int64_t image = item / tiles_ / runs_, run = item / tiles_ % runs_;
        const Range vectors = piece(vectors_, tiles_, item % tiles_);
        const int64_t first = vectors.first * width, count = std::min(vectors.count * width, length_ - first);
        const int64_t z = whole_lines_ ? run / patches_.grid[1] : run;
        const int64_t flat = first + (whole_lines_ ? run % patches_.grid[1] * line_ : 0);
        const int64_t y = flat / line_, x = flat % line_;
        const T* data = patches_.data + image * patches_.image_stride + z * patches_.grid_stride[0] +
                        y * patches_.grid_stride[1] + x;
        T* place = target_.data + image * target_.image_stride + z * target_.step[0];
        const int last =
            static_cast<int>(short_lines_ ? patches_.grid[2] : count - (vectors.count - 1) * width);
        const DirectPlaces direct =
            short_lines_ ? DirectPlaces{patches_.grid_stride[1], target_.row, target_.step[1], last, last}
                         : DirectPlaces{width, target_.row, width, width, last};
        for (int64_t p = panels.first; p < panels.first + panels.count; ++p) {
            const Range strip = piece(rows_, panels_, p);
            const int rows = static_cast<int>(strip.count);
            const DirectTile<T> tile = direct_tile_function<T>(rows, static_cast<int>(vectors.count));
            const T* left = packed_ + p * panel_pitch();
            T* target = place + strip.first * target_.row;
            if (target_.step[2] == 1 && (short_lines_ || x + count <= patches_.grid[2])) {
                if (!short_lines_) fetch_lines(rows, flat, count, target);
                tile(depth_, left, data, offset_.data(), start_ + strip.first,
                     target + y * target_.step[1] + x, direct);
                continue;
            }
            fetch_lines(rows, flat, count, target);
            alignas(64) T sums[direct_sums * width];
            const int64_t pitch = vectors.count * width;
            tile(depth_, left, data, offset_.data(), start_ + strip.first, sums,
                 {direct.step, pitch, width, width, last});
            store(sums, pitch, rows, flat, count, target);
        }
    }

    // What positions flat, flat + 1, ... go to comes while their sums are made.
    void fetch_lines(int rows, int64_t flat, int64_t count, const T* target) const {
        for (int64_t at = flat; at < flat + count; at += width) {
            const T* place = target + at / line_ * target_.step[1] + at % line_ * target_.step[2];
            for (int r = 0; r < rows; ++r) {
                __builtin_prefetch(place + r * target_.row, 1);
                __builtin_prefetch(place + r * target_.row + (width - 1) * target_.step[2], 1);
            }
        }
    }
    // Copies positions flat, flat + 1, ... out, line by line.
    void store(const T* sums, int64_t pitch, int rows, int64_t flat, int64_t count, T* target) const {
        for (int64_t done = 0; done < count;) {
            const int64_t y = (flat + done) / line_, x = (flat + done) % line_;
            const int64_t here = std::min(count - done, line_ - x);
            const int64_t kept = std::min(here, patches_.grid[2] - x);
            T* place = target + y * target_.step[1] + x * target_.step[2];
            for (int r = 0; r < rows && kept > 0; ++r)
                store_line(sums + r * pitch + done, kept, place + r * target_.row);
            done += here;
        }
    }
    void store_line(const T* source, int64_t count, T* target) const {
        for (int64_t x = 0; x < count; x += width)
            store_spaced<T>(source + x, std::min<int64_t>(width, count - x), target + x * target_.step[2],
                            target_.step[2]);
    }

    const Patches<T>& patches_;
    DirectTarget<T> target_;
    int64_t images_, rows_, depth_, panels_;
    std::vector<int64_t> offset_;
    T* packed_ = nullptr;
    T* start_ = nullptr;
    bool short_lines_ = false, whole_lines_ = false;
    int64_t runs_ = 0, line_ = 0, length_ = 0, vectors_ = 0, tiles_ = 0;
};

}  // namespace rl::kernels::RUSHLIGHT_ISA
