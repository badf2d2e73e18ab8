// The packing of operands into the panels that a matrix product's tiles read.
#pragma once

#include "core/kept_forms.h"
#include "kernels/cpu/gemm_tile.h"

namespace rl::kernels::RUSHLIGHT_ISA {

struct Range {
    int64_t first, count;
};

// What may be kept of an operand that does not change.
enum class FormKind { left_panels, right_panels };

// Exchanges the blocks of `step` lanes of a square that is being transposed, and then ever larger ones.
template <class T, int step>
inline void exchange_blocks(Vector<T> (&line)[lanes<T>]) {
    using Index = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;
    constexpr int width = lanes<T>;
    const auto low = constant_vector<Index>([](int j) { return (j & step) ? width + j - step : j; });
    const auto high = constant_vector<Index>([](int j) { return (j & step) ? width + j : j + step; });
    for (int i = 0; i < width; ++i) {
        if (i & step) continue;
        const Vector<T> first = line[i], second = line[i + step];
        line[i] = __builtin_shuffle(first, second, low);
        line[i + step] = __builtin_shuffle(first, second, high);
    }
    if constexpr (2 * step < width) exchange_blocks<T, 2 * step>(line);
}

// Transposes a square of vectors held in registers.
template <class T>
inline void transpose_square(Vector<T> (&line)[lanes<T>]) {
    exchange_blocks<T, 1>(line);
}

// Writes target[k * pitch + lane] for `count` lanes (at most one vector) and zeros (or, where they are
// readable, the next lanes) after them: a vector each time, which may spill past the pitch and, at the end,
// past the panel. `readable` lanes may be read.
template <class S>
void pack_strip(const S* source, int64_t lane_stride, int64_t k_stride, int count, int64_t readable,
                int64_t depth, Compute<S>* target, int64_t pitch) {
    using T = Compute<S>;
    constexpr int width = lanes<T>;
    if (lane_stride == 1 && readable >= width) {
        for (int64_t k = 0; k < depth; ++k)
            store_vector(target + k * pitch, load_converted(source + k * k_stride));
        return;
    }
    int64_t k = 0;
    if (k_stride == 1) {
        for (; k + width <= depth; k += width) {
            Vector<T> line[width];
            for (int lane = 0; lane < width; ++lane)
                line[lane] = lane < count ? load_converted(source + lane * lane_stride + k) : Vector<T>{};
            transpose_square<T>(line);
            for (int j = 0; j < width; ++j) store_vector(target + (k + j) * pitch, line[j]);
        }
    }
    if constexpr (vector_bytes == 64) {
        if (k_stride == 1 && k < depth) {
            const int here = static_cast<int>(depth - k);
            Vector<T> line[width];
            for (int lane = 0; lane < width; ++lane)
                line[lane] =
                    lane < count ? load_converted(source + lane * lane_stride + k, here) : Vector<T>{};
            transpose_square<T>(line);
#pragma GCC unroll 16
            for (int j = 0; j < width; ++j)
                if (j < here) store_vector(target + (k + j) * pitch, line[j]);
            return;
        }
        if (lane_stride == 1) {
            for (; k < depth; ++k)
                store_vector(target + k * pitch, load_converted(source + k * k_stride, count));
        }
    }
    for (; k < depth; ++k) {
        for (int lane = 0; lane < count; ++lane)
            target[k * pitch + lane] = static_cast<T>(source[lane * lane_stride + k * k_stride]);
        for (int lane = count; lane < width; ++lane) target[k * pitch + lane] = T{};
    }
}

// The planes of a complex strip: reals at target, imaginary parts `plane` elements further.
template <class S>
void pack_complex_strip(const S* source, int64_t lane_stride, int64_t k_stride, int count, int64_t depth,
                        Real<S>* target, int64_t pitch, int64_t plane, int padded) {
    for (int64_t k = 0; k < depth; ++k) {
        for (int lane = 0; lane < padded; ++lane) {
            const S value = lane < count ? source[lane * lane_stride + k * k_stride] : S{};
            target[k * pitch + lane] = value.real();
            target[k * pitch + plane + lane] = value.imag();
        }
    }
}

// Panels that lie side by side in memory share its lines: they are packed a few lines at a time, which stay
// in the first cache although they may fall into the same sets.
inline constexpr int64_t lines_at_once = 8, any_depth = int64_t{1} << 32;
inline constexpr int64_t any_rows = int64_t{1} << 48;
// So many rows of which all is at hand stay in the third cache.
inline constexpr int64_t most_inner_rows = 1536;

// A strided matrix as either operand; `lane` runs along the panel's width.
template <class S>
struct StridedSource {
    using T = Compute<S>;
    const S* data;
    int64_t lane_stride, k_stride;
    int64_t size;                // lanes in all
    KeptForms* forms = nullptr;  // where its panels may be kept

    // The key of a form of some of the lanes and of the depth; `kind` tells the forms' layouts apart.
    FormKey form_key(FormKind kind, Range lanes, Range depth) const {
        return {static_cast<int64_t>(kind),
                static_cast<int64_t>(dtype_of<S>),
                reinterpret_cast<int64_t>(data),
                lane_stride,
                k_stride,
                lanes.first,
                lanes.count,
                depth.first,
                depth.count};
    }

    // Tiles may read the matrix itself.
    static constexpr bool readable = std::is_same_v<S, T> && !is_complex_type<T>;
    static constexpr int unit = 1;
    static constexpr int64_t cached_elements = 32768 / static_cast<int64_t>(sizeof(T));

    // As the left operand it costs nothing while depth is contiguous, unless its rows share cache sets, or
    // while it fits the first cache.
    bool left_in_place(int64_t m, int64_t n, int64_t k) const {
        const bool aliased = lane_stride * static_cast<int64_t>(sizeof(T)) % 4096 == 0;
        return m * k <= cached_elements || (k_stride == 1 && !(aliased && n >= 256));
    }
    // As the right one where few rows would use what was packed, or while its rows lie close together.
    bool right_in_place(int64_t m, int64_t n, int64_t k) const {
        const bool whole = vector_bytes == 64 || n % tile_columns<T> == 0;
        return lane_stride == 1 && whole && (m <= 2 * tile_rows<T> || k_stride * k <= 2 * cached_elements);
    }
    Place<T> place(int64_t lane, int64_t k) const {
        return {data + lane * lane_stride + k * k_stride, lane_stride, k_stride};
    }
    static TileKernel<T> kernel(int rows, int vectors, bool left_packed, bool right_packed) {
        return left_packed && right_packed ? tile_kernel<T, true>(rows, vectors)
                                           : tile_kernel<T, false>(rows, vectors);
    }

    int64_t packing_cost() const { return lane_stride == 1 ? 1 : 3; }
    int64_t depth_at_once() const { return lane_stride == 1 ? lines_at_once : any_depth; }
    // A panel for the left operand: `rows` lanes side by side.
    void pack_rows(int64_t first, int rows, int64_t k, int64_t depth, Real<T>* target) const {
        const S* source = data + first * lane_stride + k * k_stride;
        if constexpr (is_complex_type<T>) {
            pack_complex_strip(source, lane_stride, k_stride, rows, depth, target, 2 * rows, rows, rows);
        } else {
            // From the last strip to the first: each spills into lanes that are written after it.
            for (int lane = (rows - 1) / lanes<T> * lanes<T>; lane >= 0; lane -= lanes<T>) {
                pack_strip(source + lane * lane_stride, lane_stride, k_stride,
                           std::min(rows - lane, lanes<T>), size - first - lane, depth, target + lane, rows);
            }
        }
    }
    // A panel for the right operand: `vectors` vectors side by side, zero past `count` lanes.
    void pack_columns(int64_t first, int count, int vectors, int64_t k, int64_t depth,
                      Real<T>* target) const {
        constexpr int width = lanes<T>;
        if constexpr (!is_complex_type<T>) {
            if (lane_stride == 1 && count == tile_columns<T>) return copy_columns(first, k, depth, target);
        }
        for (int v = 0; v < vectors; ++v) {
            const S* source = data + (first + v * width) * lane_stride + k * k_stride;
            const int here = std::clamp(count - v * width, 0, width);
            if constexpr (is_complex_type<T>) {
                const int64_t pitch = int64_t{2} * vectors * width;
                pack_complex_strip(source, lane_stride, k_stride, here, depth, target + v * width, pitch,
                                   vectors * width, width);
            } else {
                pack_strip(source, lane_stride, k_stride, here, here, depth, target + v * width,
                           int64_t{vectors} * width);
            }
        }
    }
    // A whole panel of lanes that lie contiguous.
    void copy_columns(int64_t first, int64_t k, int64_t depth, T* target) const {
        const S* source = data + first + k * k_stride;
        for (int64_t row = 0; row < depth; ++row, source += k_stride, target += tile_columns<T>) {
            store_vector(target, load_converted(source));
            store_vector(target + lanes<T>, load_converted(source + lanes<T>));
        }
    }
};

}  // namespace rl::kernels::RUSHLIGHT_ISA
