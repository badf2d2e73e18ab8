// The operands of convolutions whose patches are packed into the panels of a matrix product, never written
// out as a whole. The patch matrix has a row for each (channel, tap) and a column for each (image, position).
#pragma once

#include "kernels/cpu/convolution_patches.h"

namespace rl::kernels::RUSHLIGHT_ISA {

// put(row, vector) for each of `depth` rows of the patch matrix from row k on, at a block of positions.
template <class T, class Put>
void for_patch_rows(const Patches<T>& patches, const PositionBlock<T>& block, int64_t k, int64_t depth,
                    Put&& put) {
    using Lane = LaneOf<T>;
    const int64_t taps = std::ssize(patches.tap_offset);
    const auto walk = [&](auto&& fetch) {
        const T* channel = patches.data + k / taps * patches.channel_stride;
        for (int64_t row = 0, tap = k % taps; row < depth; ++row) {
            const T* place = channel + patches.tap_offset[static_cast<size_t>(tap)];
            put(row, fetch(reinterpret_cast<const Lane*>(place)));
            if (++tap < taps) continue;
            tap = 0;
            channel += patches.channel_stride;
        }
    };
    if (block.pieces == 1)
        walk([&](const Lane* source) { return block.template fetch_pieces<1>(source); });
    else if (block.pieces == 2)
        walk([&](const Lane* source) { return block.template fetch_pieces<2>(source); });
    else if (block.pieces == 3)
        walk([&](const Lane* source) { return block.template fetch_pieces<3>(source); });
    else
        walk([&](const Lane* source) { return block.fetch(source); });
}

// The patch matrix as right operand: depth runs over (channel, tap), lanes over positions.
template <class T>
struct PatchColumns {
    const Patches<T>* patches;

    void pack_columns(int64_t first, int count, int vectors, int64_t k, int64_t depth,
                      Real<T>* target) const {
        constexpr int width = lanes<T>;
        const int64_t plane = int64_t{vectors} * width, pitch = plane * planes<T>;
        for (int v = 0; v < vectors; ++v) {
            const PositionBlock<T> block = patches->block(first + v * width, count - v * width);
            Real<T>* place = target + v * width;
            if constexpr (is_complex_type<T>) {
                for (int64_t row = 0; row < depth; ++row, place += pitch) {
                    const T* source = patches->data + patches->row_offset(k + row);
                    for (int lane = 0; lane < width; ++lane) {
                        const T value = source[block.offset[lane]];
                        place[lane] = value.real();
                        place[plane + lane] = value.imag();
                    }
                }
            } else {
                using Lane = LaneOf<T>;
                for_patch_rows(*patches, block, k, depth, [&](int64_t row, Vector<Lane> value) {
                    store_vector(reinterpret_cast<Lane*>(place) + row * pitch, value);
                });
            }
        }
    }
};

// The patch matrix as left operand of the transposed product, whose rows are the positions of one image.
template <class T>
struct PatchLines {
    const Patches<T>* patches;

    void pack_rows(int64_t first, int rows, int64_t k, int64_t depth, T* target) const {
        constexpr int width = lanes<T>;
        for (int lane = 0; lane < rows; lane += width) {
            const int count = std::min(rows - lane, width);
            const PositionBlock<T> block = patches->block(first + lane, count);
            for_patch_rows(*patches, block, k, depth, [&](int64_t row, Vector<T> value) {
                store_lanes(target + row * rows + lane, value, count);
            });
        }
    }
};

// The transpose of the patch matrix as right operand: depth runs over positions, lanes over (channel, tap).
template <class T>
struct PatchRows {
    const Patches<T>* patches;

    void pack_columns(int64_t first, int count, int vectors, int64_t k, int64_t depth,
                      Real<T>* target) const {
        constexpr int width = lanes<T>;
        const int64_t plane = int64_t{vectors} * width, pitch = plane * planes<T>;
        int64_t offset[2 * width];
        for (int lane = 0; lane < 2 * width; ++lane)
            offset[lane] = patches->row_offset(first + std::min(lane, count - 1));
        for (int64_t done = 0; done < depth; done += width) {
            const int64_t here = std::min<int64_t>(width, depth - done);
            const PositionBlock<T> block = patches->block(k + done, here);
            for (int v = 0; v < vectors; ++v)
                pack_square(block, offset + v * width, here, target + done * pitch + v * width, pitch, plane);
        }
    }
    void pack_square(const PositionBlock<T>& block, const int64_t* offset, int64_t depth, Real<T>* target,
                     int64_t pitch, int64_t plane) const {
        constexpr int width = lanes<T>;
        if constexpr (is_complex_type<T>) {
            for (int64_t row = 0; row < depth; ++row) {
                for (int lane = 0; lane < width; ++lane) {
                    const T value = patches->data[block.offset[row] + offset[lane]];
                    target[row * pitch + lane] = value.real();
                    target[row * pitch + plane + lane] = value.imag();
                }
            }
        } else {
            using Lane = LaneOf<T>;
            const Lane* data = reinterpret_cast<const Lane*>(patches->data);
            Vector<Lane> line[width];
            for (int lane = 0; lane < width; ++lane) line[lane] = block.fetch(data + offset[lane]);
            transpose_square<Lane>(line);
            for (int64_t row = 0; row < depth; ++row)
                store_vector(reinterpret_cast<Lane*>(target) + row * pitch, line[row]);
        }
    }
};

// The weight as left operand of the input's gradient: rows are input channels, depth runs over (output
// channel, tap).
template <class T>
struct FlippedWeight {
    const T* data;
    int64_t row_stride, channel_stride;
    const std::vector<int64_t>* taps;

    void pack_rows(int64_t first, int rows, int64_t k, int64_t depth, Real<T>* target) const {
        pack(first, rows, k, depth, target, rows);
    }
    // As right operand: zero past `count` lanes.
    void pack_columns(int64_t first, int count, int vectors, int64_t k, int64_t depth, T* target) const {
        const int pitch = vectors * lanes<T>;
        if (count < pitch) std::fill_n(target, depth * pitch, T{});
        pack(first, count, k, depth, target, pitch);
    }

  private:
    void pack(int64_t first, int rows, int64_t k, int64_t depth, Real<T>* target, int64_t pitch) const {
        if (depth == 0) return;
        const int64_t count = std::ssize(*taps);
        const int64_t reach = *std::max_element(taps->begin(), taps->end()) + 1;
        const T* source = data + k / count * channel_stride + first * row_stride;
        for (int64_t tap = k % count; depth > 0; tap = 0, source += channel_stride) {
            const Range some{tap, std::min(count - tap, depth)};
            if constexpr (std::is_floating_point_v<T>) {
                if (reach <= lanes<T>)
                    turn_lines(source, rows, reach, some, target, pitch);
                else
                    copy_lines(source, rows, some, target, pitch);
            } else {
                copy_lines(source, rows, some, target, pitch);
            }
            target += some.count * pitch * planes<T>;
            depth -= some.count;
        }
    }
    void copy_lines(const T* source, int rows, Range some, Real<T>* target, int64_t pitch) const {
        for (int64_t tap = some.first; tap < some.first + some.count; ++tap, target += pitch * planes<T>) {
            const T* place = source + (*taps)[static_cast<size_t>(tap)];
            for (int r = 0; r < rows; ++r, place += row_stride) {
                const T value = *place;
                if constexpr (is_complex_type<T>) {
                    target[r] = value.real();
                    target[rows + r] = value.imag();
                } else {
                    target[r] = value;
                }
            }
        }
    }
    // A vector holds the taps of a row, and a square of them is turned in registers.
    void turn_lines(const T* source, int rows, int64_t reach, Range some, T* target, int64_t pitch) const {
        constexpr int width = lanes<T>;
        constexpr int64_t channels_ahead = 8;  // so far apart that no other prefetching sees them coming
        alignas(64) T square[width * width];
        for (int lane = 0; lane < rows; lane += width) {
            const int count = std::min(rows - lane, width);
            const T* place = source + lane * row_stride;
            for (int i = 0; i < count; ++i)
                __builtin_prefetch(place + channels_ahead * channel_stride + i * row_stride);
            Vector<T> line[width];
            for (int i = 0; i < width; ++i)
                line[i] =
                    i < count ? load_lanes(place + i * row_stride, static_cast<int>(reach)) : Vector<T>{};
            transpose_square<T>(line);
            for (int i = 0; i < width; ++i) store_vector(square + i * width, line[i]);
            for (int64_t i = 0; i < some.count; ++i) {
                const T* tap = square + (*taps)[static_cast<size_t>(some.first + i)] * width;
                store_lanes(target + i * pitch + lane, load_vector(tap), count);
            }
        }
    }
};

// The output's gradient as left operand of the weight's: rows are channels, depth runs over (image,
// position).
template <class T>
struct ImageRows {
    const T* data;
    int64_t image_stride, positions, rows_in_all;

    void pack_rows(int64_t first, int rows, int64_t k, int64_t depth, Real<T>* target) const {
        while (depth > 0) {
            const int64_t image = k / positions, position = k % positions;
            const int64_t here = std::min(depth, positions - position);
            const StridedSource<T> source{data + image * image_stride, positions, 1, rows_in_all};
            source.pack_rows(first, rows, position, here, target);
            target += here * rows * planes<T>;
            k += here;
            depth -= here;
        }
    }
};

// One group's planes of all images, whose positions are numbered image after image.
struct PlaneRuns {
    int64_t positions, image_stride;

    // body(index, offset, length) for each run of neighbours among `count` positions from `first` on.
    template <class Body>
    void for_each(int64_t first, int64_t count, Body&& body) const {
        int64_t image = first / positions, rest = first % positions;
        for (int64_t done = 0, length; done < count; done += length, ++image, rest = 0) {
            length = std::min(count - done, positions - rest);
            body(done, image * image_stride + rest, length);
        }
    }
};

// Columns of C spread over images and, for a stride, over every few positions of a row.
template <class T>
struct ImageTarget {
    T* data;
    int64_t image_stride, row;
    int64_t grid[3], grid_stride[3];
    int64_t positions;
    bool dense;  // the grid's positions lie one after another
    const T* addend;
    T alpha{1};
    int64_t most_rows = any_rows;

    int64_t offset(int64_t j) const {
        const int64_t image = j / positions, rest = j % positions;
        if (dense) return image * image_stride + rest;
        return image * image_stride + rest / grid[2] / grid[1] * grid_stride[0] +
               rest / grid[2] % grid[1] * grid_stride[1] + rest % grid[2] * grid_stride[2];
    }
    T* direct(int64_t i, int64_t j, int64_t columns) const {
        const bool whole = dense && j % positions + columns <= positions;
        return whole ? data + i * row + offset(j) : nullptr;
    }
    void prefetch(int64_t i, int64_t j, int rows, int columns) const {
        if (!dense) return;
        PlaneRuns{positions, image_stride}.for_each(j, columns, [&](int64_t, int64_t place, int64_t run) {
            const T* target = data + i * row + place;
            for (int r = 0; r < rows; ++r, target += row)
                for (int64_t done = 0; done < run; done += lanes<T>) __builtin_prefetch(target + done, 1);
        });
    }
    void start(int64_t i, int64_t j, int rows, int columns) const {
        for (int r = 0; r < rows; ++r) std::fill_n(data + (i + r) * row + offset(j), columns, addend[i + r]);
    }
    void store(const T* tile, int64_t pitch, int64_t i, int64_t j, int rows, int columns, bool first,
               bool) const {
        if constexpr (!is_complex_type<T>) {
            if (dense) return store_runs(tile, pitch, i, j, rows, columns, first);
        }
        for (int64_t c = 0; c < columns; ++c) {
            T* place = data + i * row + offset(j + c);
            for (int r = 0; r < rows; ++r, place += row) {
                const T start = addend != nullptr ? addend[i + r] : T{};
                *place = tile[r * pitch + c] + (first ? start : *place);
            }
        }
    }

  private:
    void store_runs(const T* tile, int64_t pitch, int64_t i, int64_t j, int rows, int columns,
                    bool first) const {
        using Lane = LaneOf<T>;
        const Lane* sums = reinterpret_cast<const Lane*>(tile);
        PlaneRuns{positions, image_stride}.for_each(j, columns, [&](int64_t c, int64_t place, int64_t run) {
            for (int64_t done = 0; done < run; done += lanes<T>) {
                const int here = static_cast<int>(std::min<int64_t>(run - done, lanes<T>));
                Lane* target = reinterpret_cast<Lane*>(data + i * row + place + done);
                const Lane* source = sums + c + done;
                for (int r = 0; r < rows; ++r, target += row, source += pitch) {
                    const Vector<Lane> start = !first ? load_lanes(target, here)
                                               : addend != nullptr
                                                   ? static_cast<Lane>(addend[i + r]) - Vector<Lane>{}
                                                   : Vector<Lane>{};
                    store_lanes(target, load_lanes(source, here) + start, here);
                }
            }
        });
    }
};

}  // namespace rl::kernels::RUSHLIGHT_ISA
