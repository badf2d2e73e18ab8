// The patches of images that convolutions of every kind read.
//
// The image is first copied into a box that also holds the padding, so that every element of a patch is an
// offset away: offset(position) + offset(tap) + channel * stride, and nothing is tested for being outside.
// Where positions lie `step` apart, the box holds every step-th element side by side, once for each remainder
// that a tap asks for: neighbouring positions are neighbours in memory whatever the stride.
#pragma once

#include <limits>
#include <vector>

#include "kernels/convolution.h"
#include "kernels/cpu/gemm_blocks.h"
#include "kernels/simd/vec.h"

namespace rl::kernels::RUSHLIGHT_ISA {

inline int64_t volume(const int64_t (&sizes)[3]) {
    return sizes[0] * sizes[1] * sizes[2];
}

inline constexpr int most_pieces = 4;

// `lanes` consecutive positions, and how to fetch them as a vector: a few unaligned loads, blended, where
// they lie in a few contiguous runs.
template <class T>
struct PositionBlock {
    using Lane = LaneOf<T>;
    using Index = std::conditional_t<sizeof(Lane) == 4, int32_t, int64_t>;
    int64_t offset[lanes<T>];
    int pieces = 0;
    int64_t piece_offset[most_pieces];
    Vector<Index> piece_mask[most_pieces];

    void find_pieces() {
        pieces = 0;
        for (int lane = 0; lane < lanes<T>; ++lane) {
            if (lane > 0 && offset[lane] == offset[lane - 1] + 1) continue;
            if (pieces < most_pieces) {
                piece_offset[pieces] = offset[lane] - lane;
                for (int other = 0; other < lanes<T>; ++other) piece_mask[pieces][other] = -(other >= lane);
            }
            ++pieces;
        }
    }
    // For a known number of pieces.
    template <int count>
    Vector<Lane> fetch_pieces(const Lane* source) const {
        Vector<Lane> value = load_vector(source + piece_offset[0]);
        for (int i = 1; i < count; ++i) value = piece_mask[i] ? load_vector(source + piece_offset[i]) : value;
        return value;
    }
    Vector<Lane> fetch(const Lane* source) const {
        if (pieces <= most_pieces) {
            Vector<Lane> value = load_vector(source + piece_offset[0]);
            for (int i = 1; i < pieces; ++i)
                value = piece_mask[i] ? load_vector(source + piece_offset[i]) : value;
            return value;
        }
        Lane values[lanes<T>];
        for (int lane = 0; lane < lanes<T>; ++lane) values[lane] = source[offset[lane]];
        return load_vector(values);
    }
};

// Boxes of images, [image][channel][remainder][depth][height][width], and the grid of positions and the taps
// in it.
template <class T>
struct Patches {
    const T* data;
    int64_t image_stride, channel_stride;
    int64_t grid[3], grid_stride[3];
    int64_t positions;                // of one image
    std::vector<int64_t> tap_offset;  // of one channel

    // Offsets of `count` positions from `first` on; those that pad the block follow the last.
    PositionBlock<T> block(int64_t first, int64_t count) const {
        PositionBlock<T> result;
        int64_t image = first / positions, rest = first % positions;
        int64_t x = rest % grid[2], y = rest / grid[2] % grid[1], z = rest / grid[2] / grid[1];
        for (int lane = 0; lane < lanes<T>; ++lane) {
            result.offset[lane] =
                image * image_stride + z * grid_stride[0] + y * grid_stride[1] + x * grid_stride[2];
            if (++x < grid[2] || lane + 1 >= count) continue;
            x = 0;
            if (++y < grid[1]) continue;
            y = 0;
            if (++z < grid[0]) continue;
            z = 0;
            ++image;
        }
        result.find_pieces();
        return result;
    }
    int64_t row_offset(int64_t row) const {
        const int64_t taps = static_cast<int64_t>(tap_offset.size());
        return row / taps * channel_stride + tap_offset[static_cast<size_t>(row % taps)];
    }
};

// One dimension of a box: element i of remainder r is coordinate low + remainders[r] + step * i of the image.
struct BoxAxis {
    int64_t low = 0, step = 1, extent = 1;
    std::vector<int64_t> remainders;

    int64_t coordinate(size_t remainder, int64_t i) const { return low + remainders[remainder] + step * i; }
    // The elements whose coordinates lie in [0, size).
    Range inside(size_t remainder, int64_t size) const {
        const int64_t start = coordinate(remainder, 0);
        const int64_t first = std::clamp<int64_t>(ceil_divide(-start, step), 0, extent);
        return {first, std::clamp<int64_t>(ceil_divide(size - start, step), first, extent) - first};
    }
};

struct Box {
    BoxAxis axis[3];
    // Elements of one remainder, and of all.
    int64_t part() const { return axis[0].extent * axis[1].extent * axis[2].extent; }
    int64_t volume() const {
        int64_t result = part();
        for (const BoxAxis& one : axis) result *= static_cast<int64_t>(one.remainders.size());
        return result;
    }
};

// Planes are walked a few lines at a time, which the processor's own prefetching does not foresee. `write`: 1
// for memory that will be written.
template <int write>
inline void prefetch_ahead(const void* place, int64_t distance = 8192) {
    const uintptr_t far = reinterpret_cast<uintptr_t>(place) + static_cast<uintptr_t>(distance);
    __builtin_prefetch(reinterpret_cast<const void*>(far), write);
}

// Every `step`-th element of a row, `count` in all and at most a vector of them. They lie within the first
// `parts` vectors of the row, of which nothing past the last one is read.
template <class T, int step, int parts = step>
inline Vector<T> load_every(const T* source, int64_t count) {
    constexpr int width = lanes<T>;
    const int64_t span = (count - 1) * step + 1;
    const auto part = [&](int i) {
        const int64_t here = std::clamp<int64_t>(span - i * width, 0, width);
        return here == width ? load_vector(source + i * width)
                             : Vec<T>::load(source + i * width, here).native;
    };
    if constexpr (step == 1) {
        return part(0);
    } else {
        using Index = IntegerOf<T>;
        const auto chosen = constant_vector<Index>([](int lane) { return lane * step % (2 * width); });
        const auto joined =
            constant_vector<Index>([](int lane) { return lane < width / 2 ? lane : lane + width / 2; });
        const Vector<T> first = __builtin_shuffle(part(0), part(1), chosen);
        if constexpr (parts == 2) return first;
        if constexpr (parts == 3) {
            const auto last = constant_vector<Index>(
                [](int lane) { return lane * step < 2 * width ? lane : lane * step - width; });
            return __builtin_shuffle(first, part(2), last);
        }
        return __builtin_shuffle(first, __builtin_shuffle(part(2), part(3), chosen), joined);
    }
}

// Rows of an image plane that go to rows of its box.
struct RowCopies {
    int64_t source, target;  // where the first of them begins
    int64_t rows, source_pitch, target_pitch, count, step;
};

// Everything of a plane of `size` that its box holds.
inline std::vector<RowCopies> copies_into(const Box& box, const int64_t (&size)[3]) {
    const auto& [depth, height, width] = box.axis;
    std::vector<RowCopies> copies;
    int64_t target = 0;
    for (size_t rz = 0; rz < depth.remainders.size(); ++rz) {
        const Range zs = depth.inside(rz, size[0]);
        for (size_t ry = 0; ry < height.remainders.size(); ++ry) {
            const Range ys = height.inside(ry, size[1]);
            for (size_t rx = 0; rx < width.remainders.size(); ++rx, target += box.part()) {
                const Range xs = width.inside(rx, size[2]);
                if (xs.count == 0 || ys.count == 0) continue;
                for (int64_t z = zs.first; z < zs.first + zs.count; ++z) {
                    const int64_t row = depth.coordinate(rz, z) * size[1] + height.coordinate(ry, ys.first);
                    copies.push_back({row * size[2] + width.coordinate(rx, xs.first),
                                      target + (z * height.extent + ys.first) * width.extent + xs.first,
                                      ys.count, height.step * size[2], width.extent, xs.count, width.step});
                }
            }
        }
    }
    return copies;
}

template <class T, int step, int parts = step>
inline void copy_vectors(const RowCopies& copies, const T* row, T* place) {
    constexpr int width = lanes<T>;
    const int64_t whole = (copies.count - 1) / width * width, rest = copies.count - whole;
    for (int64_t y = 0; y < copies.rows; ++y, row += copies.source_pitch, place += copies.target_pitch) {
        for (int64_t x = 0; x < whole; x += width)
            store_vector(place + x, load_every<T, step, parts>(row + x * step, width));
        Vec<T>(load_every<T, step, parts>(row + whole * step, rest)).store(place + whole, rest);
    }
}

template <class T>
inline void copy_rows(const RowCopies& copies, const T* row, T* place) {
    if constexpr (std::is_floating_point_v<T>) {
        if (copies.step == 1) return copy_vectors<T, 1>(copies, row, place);
        if (copies.step == 2) return copy_vectors<T, 2>(copies, row, place);
        if constexpr (lanes<T> >= 4) {
            if (copies.step == 4 && copies.count <= lanes<T> / 2)
                return copy_vectors<T, 4, 2>(copies, row, place);
            if (copies.step == 4) return copy_vectors<T, 4>(copies, row, place);
        }
    }
    for (int64_t y = 0; y < copies.rows; ++y, row += copies.source_pitch, place += copies.target_pitch)
        for (int64_t x = 0; x < copies.count; ++x) place[x] = row[x * copies.step];
}

// Writes one channel of an image into its box, whose padding is zero already.
template <class T>
void fill_box(const T* plane, const std::vector<RowCopies>& copies, T* target) {
    for (const RowCopies& one : copies) copy_rows(one, plane + one.source, target + one.target);
}

// What copies read of a plane.
inline Range source_range(const std::vector<RowCopies>& copies) {
    int64_t first = std::numeric_limits<int64_t>::max(), last = 0;
    for (const RowCopies& one : copies) {
        first = std::min(first, one.source);
        last = std::max(last, one.source + (one.rows - 1) * one.source_pitch + (one.count - 1) * one.step);
    }
    return {copies.empty() ? 0 : first, copies.empty() ? 0 : last + 1 - first};
}

// Short planes follow each other in an order that the hardware does not foresee.
template <class T>
inline void prefetch(const T* source, Range range) {
    constexpr int64_t line = 64 / static_cast<int64_t>(sizeof(T));
    for (int64_t i = 0; i < range.count; i += line) __builtin_prefetch(source + range.first + i);
}

template <class T>
void fill_boxes(const T* source, int64_t image_stride, int64_t images, int64_t channels,
                const int64_t (&size)[3], const Box& box, int64_t pitch, T* target) {
    const std::vector<RowCopies> copies = copies_into(box, size);
    const Range needed = source_range(copies);
    const auto plane_of = [&](int64_t item) {
        return source + item / channels * image_stride + item % channels * volume(size);
    };
    const int64_t chunk = std::max<int64_t>(1, 32768 / std::max<int64_t>(1, pitch));
    parallel_for(0, images * channels, chunk, [&](int64_t begin, int64_t end) {
        for (int64_t item = begin; item < end; ++item) {
            if (item + 1 < end) prefetch(plane_of(item + 1), needed);
            std::fill_n(target + item * pitch, pitch, T{});
            fill_box(plane_of(item), copies, target + item * pitch);
        }
    });
}

// A grid of positions (origin + step * index) and taps relative to them, each in three dimensions.
struct Sampling {
    int64_t grid[3], origin[3], step[3];
    std::vector<int64_t> taps[3];
    // Each tap of a line has elements of its own in the box, so that the next line's positions follow at
    // once.
    bool joined_lines = false;

    int64_t least(int d) const { return *std::min_element(taps[d].begin(), taps[d].end()); }
    // How many positions further the element of a tap so far from the first is the first tap's.
    int64_t shift(int d, int64_t distance) const { return d == 2 && joined_lines ? 0 : distance / step[d]; }
    Box box() const {
        Box result;
        for (int d = 0; d < 3; ++d) {
            BoxAxis& axis = result.axis[d];
            axis.low = origin[d] + least(d);
            axis.step = step[d];
            int64_t reach = 0;
            for (const int64_t tap : taps[d]) {
                const int64_t moved = shift(d, tap - least(d));
                axis.remainders.push_back(tap - least(d) - moved * step[d]);
                reach = std::max(reach, moved);
            }
            std::sort(axis.remainders.begin(), axis.remainders.end());
            axis.remainders.erase(std::unique(axis.remainders.begin(), axis.remainders.end()),
                                  axis.remainders.end());
            axis.extent = grid[d] + reach;
        }
        return result;
    }
    // Where each tap of the position at the origin lies in the box, which may hold further taps.
    std::vector<int64_t> tap_offsets(const Box& box) const {
        std::vector<int64_t> offsets{0};
        for (int d = 0; d < 3; ++d) {
            const auto& remainders = box.axis[d].remainders;
            const int64_t first = box.axis[d].low - origin[d];
            std::vector<int64_t> further;
            for (const int64_t before : offsets) {
                for (const int64_t tap : taps[d]) {
                    int64_t moved = shift(d, tap - first);
                    const auto found =
                        std::find(remainders.begin(), remainders.end(), tap - first - moved * step[d]);
                    int64_t part = found - remainders.begin();
                    for (int inner = d + 1; inner < 3; ++inner) {
                        part *= static_cast<int64_t>(box.axis[inner].remainders.size());
                        moved *= box.axis[inner].extent;
                    }
                    further.push_back(before + part * box.part() + moved);
                }
            }
            offsets = std::move(further);
        }
        return offsets;
    }
};

// Writes every second element from `target` on; those between keep their values.
template <class T>
void store_alternate(Vector<T> value, int64_t count, T* target) {
    using Index = IntegerOf<T>;
    constexpr int width = lanes<T>;
    const auto even = constant_vector<Index>([](int lane) { return lane % 2 - 1; });
    const auto low = constant_vector<Index>([](int lane) { return lane / 2; });
    const auto high = constant_vector<Index>([](int lane) { return width / 2 + lane / 2; });
    const int64_t span = 2 * count - 1, first = std::min<int64_t>(span, width);
    const auto blend = [&](T* place, int64_t size, Vector<T> spread) {
        Vec<T>(even ? spread : Vec<T>::load(place, size).native).store(place, size);
    };
    blend(target, first, __builtin_shuffle(value, low));
    if (span > width) blend(target + width, span - width, __builtin_shuffle(value, high));
}

// Writes up to a vector of sums, `step` apart.
template <class T>
void store_spaced(const T* source, int64_t count, T* target, int64_t step) {
    if constexpr (std::is_floating_point_v<T>) {
        const bool whole = count == lanes<T>;
        const Vec<T> value = whole ? Vec<T>::load(source) : Vec<T>::load(source, count);
        if (step == 1) return whole ? value.store(target) : value.store(target, count);
        if (step == 2) return store_alternate<T>(value.native, count, target);
    }
    for (int64_t lane = 0; lane < count; ++lane) target[lane * step] = source[lane];
}

// Room on both sides, because vectors are fetched from whole runs.
template <class T>
inline constexpr int64_t box_margin = 8 * lanes<T>;

// Boxes of `channels` channels, whose memory is yet to be found.
template <class T>
Patches<T> lay_out_patches(const Sampling& sampling, const Box& box, int64_t channels) {
    Patches<T> patches;
    patches.data = nullptr;
    patches.channel_stride = ceil_divide(box.volume(), lanes<T>) * lanes<T>;
    patches.image_stride = channels * patches.channel_stride;
    patches.positions = volume(sampling.grid);
    for (int d = 0; d < 3; ++d) patches.grid[d] = sampling.grid[d];
    patches.grid_stride[2] = 1;
    patches.grid_stride[1] = box.axis[2].extent;
    patches.grid_stride[0] = box.axis[2].extent * box.axis[1].extent;
    patches.tap_offset = sampling.tap_offsets(box);
    return patches;
}

template <class T>
Patches<T> make_patches(const T* source, int64_t image_stride, int64_t images, int64_t channels,
                        const int64_t (&size)[3], const Sampling& sampling,
                        ScratchUse use = ScratchUse::staging) {
    const Box box = sampling.box();
    Patches<T> patches = lay_out_patches<T>(sampling, box, channels);
    const int64_t count = images * patches.image_stride;
    T* staged = scratch_array<T>(use, static_cast<size_t>(count + 2 * box_margin<T>)) + box_margin<T>;
    fill_boxes(source, image_stride, images, channels, size, box, patches.channel_stride, staged);
    std::fill_n(staged - box_margin<T>, box_margin<T>, T{});
    std::fill_n(staged + count, box_margin<T>, T{});
    patches.data = staged;
    return patches;
}

inline Sampling forward_sampling(const ConvolutionShape& s) {
    Sampling result;
    for (int d = 0; d < 3; ++d) {
        result.grid[d] = s.output[d];
        result.origin[d] = -s.padding[d];
        result.step[d] = s.stride[d];
        for (int64_t tap = 0; tap < s.kernel[d]; ++tap) result.taps[d].push_back(tap * s.dilation[d]);
    }
    return result;
}

// The positions of the input that share a remainder modulo the stride see the same taps of the weight.
struct Phase {
    Sampling sampling;
    std::vector<int64_t> taps;  // offsets in one channel of the weight
    bool empty = false;

    Phase(const ConvolutionShape& s, const int64_t (&remainder)[3]) {
        std::vector<int64_t> used[3];
        for (int d = 0; d < 3; ++d) {
            sampling.grid[d] = ceil_divide(s.input[d] - remainder[d], s.stride[d]);
            sampling.origin[d] = 0;
            sampling.step[d] = 1;
            for (int64_t tap = 0; tap < s.kernel[d]; ++tap) {
                const int64_t distance = remainder[d] + s.padding[d] - tap * s.dilation[d];
                if (distance % s.stride[d] != 0) continue;
                used[d].push_back(tap);
                sampling.taps[d].push_back(distance / s.stride[d]);
            }
            empty = empty || used[d].empty();
        }
        for (const int64_t z : used[0])
            for (const int64_t y : used[1])
                for (const int64_t x : used[2]) taps.push_back((z * s.kernel[1] + y) * s.kernel[2] + x);
        if (empty)
            for (auto& list : sampling.taps) list.assign(1, 0);
    }

    // All phases that have positions, the last dimension's remainders innermost.
    template <class Body>
    static void for_each(const ConvolutionShape& s, Body&& body) {
        int64_t remainder[3];
        for (remainder[0] = 0; remainder[0] < std::min(s.stride[0], s.input[0]); ++remainder[0])
            for (remainder[1] = 0; remainder[1] < std::min(s.stride[1], s.input[1]); ++remainder[1])
                for (remainder[2] = 0; remainder[2] < std::min(s.stride[2], s.input[2]); ++remainder[2])
                    body(Phase(s, remainder), remainder);
    }
};

}  // namespace rl::kernels::RUSHLIGHT_ISA
