// Scores of a block of keys and a group of queries, and the pieces that attention's two passes share. Scores
// lie transposed, [key, query]: queries fill the lanes of vectors, so that each query's maximum and sum need
// no steps across lanes, and the scores are at once the right operand of the next product.
#pragma once

#include <algorithm>
#include <limits>

#include "core/scratch.h"
#include "core/threads.h"
#include "kernels/attention.h"
#include "kernels/cpu/gemm_blocks.h"
#include "kernels/cpu/lines.h"
#include "kernels/simd/math.h"

namespace rl::kernels::RUSHLIGHT_ISA {

template <class T>
inline constexpr T excluded = -std::numeric_limits<T>::infinity();

// Memory handed out in order from one buffer of the thread, each part aligned.
template <class T>
class Arena {
  public:
    explicit Arena(int64_t numbers) {
        next_ = scratch_array<T>(ScratchUse::staging, static_cast<size_t>(numbers + parts * lanes<T>));
    }
    T* take(int64_t numbers) {
        T* const part = next_;
        next_ += (numbers + lanes<T> - 1) / lanes<T> * lanes<T>;
        return part;
    }

  private:
    static constexpr int64_t parts = 16;
    T* next_;
};

// One head's matrix of rows by columns.
template <class T>
struct Matrix {
    const T* data;
    int64_t row, column;

    // Some rows one after another, of `width` numbers: as they lie, or copied to `space`.
    const T* dense(Range range, int64_t width, T* space) const {
        const T* const first = data + range.first * row;
        if (row == width && column == 1) return first;
        for (int64_t r = 0; r < range.count; ++r) {
            const T* const source = first + r * row;
            if (column == 1)
                std::copy_n(source, width, space + r * width);
            else
                for (int64_t c = 0; c < width; ++c) space[r * width + c] = source[c * column];
        }
        return space;
    }
    // Some rows as lanes of a right operand [width, vectors].
    void pack_lanes(Range range, int64_t width, int vectors, T* panel) const {
        const StridedSource<T> source{data + range.first * row, row, column, range.count};
        source.pack_columns(0, static_cast<int>(range.count), vectors, 0, width, panel);
    }
};

// c[m, n] = alpha * a·b, added to c where `accumulate`.
template <class T>
void multiply_tiles(int64_t m, int64_t n, TileOperands<T> operands, T* c, int64_t pitch, T alpha,
                    bool accumulate) {
    const T *const a = operands.a, *const b = operands.b;
    for (int64_t j = 0; j < n; j += tile_columns<T>) {
        const int columns = static_cast<int>(std::min(int64_t{tile_columns<T>}, n - j));
        operands.b = b + j;
        for (int64_t i = 0; i < m; i += tile_rows<T>) {
            const int rows = static_cast<int>(std::min(int64_t{tile_rows<T>}, m - i));
            operands.a = a + i * operands.a_row;
            tile_kernel<T, false>(rows, columns > lanes<T> ? 2 : 1)(operands, c + i * pitch + j, pitch,
                                                                    columns, alpha, accumulate);
        }
    }
}

template <class T>
Matrix<T> head_of(const void* data, const int64_t (&stride)[4], int64_t batch, int64_t head) {
    return {static_cast<const T*>(data) + batch * stride[0] + head * stride[1], stride[2], stride[3]};
}

// One batch item and head of queries, with the head of keys that it looks at.
struct HeadIndex {
    int64_t batch, head, key_head;
    HeadIndex(const AttentionProblem& p, int64_t index)
        : batch(index / p.heads), head(index % p.heads), key_head(head / (p.heads / p.key_heads)) {}
};

// Queries that share vectors: at most a tile's columns. All groups of a block have as many vectors.
template <class T>
struct Group {
    Range queries;
    int vectors;
    int64_t pitch;  // from one key's scores to the next's

    int64_t width() const { return vectors * lanes<T>; }
    int lanes_of(int v) const {
        return static_cast<int>(std::clamp<int64_t>(queries.count - v * lanes<T>, 0, lanes<T>));
    }
};

template <class T>
int64_t group_count(Range queries) {
    return ceil_divide(queries.count, tile_columns<T>);
}
template <class T>
Group<T> group_of(Range queries, int64_t index, int64_t pitch) {
    constexpr int64_t most = tile_columns<T>;
    const Range own{queries.first + index * most, std::min(most, queries.count - index * most)};
    return {own, queries.count > lanes<T> ? 2 : 1, pitch};
}

// How many of the keys some query of the group sees, rounded up to a tile's rows.
template <class T>
int64_t seen_keys(const AttentionProblem& p, Range queries, Range keys) {
    if (!p.causal) return keys.count;
    const int64_t seen = std::max<int64_t>(0, queries.first + queries.count - keys.first);
    return std::min(keys.count, ceil_divide(seen, tile_rows<T>) * tile_rows<T>);
}

template <class T, class M>
Vector<T> load_numbers(const M* source, int64_t stride, int64_t count) {
    T numbers[lanes<T>] = {};
    if (stride == 1 && count == lanes<T>) {
        for (int j = 0; j < lanes<T>; ++j) numbers[j] = static_cast<T>(source[j]);
    } else {
        for (int64_t j = 0; j < count; ++j) numbers[j] = static_cast<T>(source[j * stride]);
    }
    return load_vector(numbers);
}

// target[key * pitch + query] = mask[query, key] as numbers.
template <class T, class M>
void transpose_mask(const M* mask, int64_t query_stride, int64_t key_stride, Range keys,
                    const Group<T>& group, T* target) {
    constexpr int width = lanes<T>;
    mask += group.queries.first * query_stride + keys.first * key_stride;
    for (int64_t k = 0; k < keys.count; k += width) {
        const int64_t here = std::min<int64_t>(width, keys.count - k);
        for (int v = 0; v < group.vectors; ++v) {
            const M* const corner = mask + v * width * query_stride + k * key_stride;
            Vector<T> line[width];
            for (int q = 0; q < width; ++q)
                line[q] = q < group.lanes_of(v) ? load_numbers<T>(corner + q * query_stride, key_stride, here)
                                                : Vector<T>{};
            transpose_square<T>(line);
            for (int64_t j = 0; j < here; ++j)
                store_vector(target + (k + j) * group.pitch + v * width, line[j]);
        }
    }
}

// The scores of one group and block that its queries may see: scale * key·queryᵀ, masked.
template <class T>
class BlockScores {
  public:
    BlockScores(const AttentionProblem& p, const HeadIndex& index) : p_(p), index_(index) {}

    // [keys.count, pitch] from keys that lie one after another and the group's queries as lanes; `staged`
    // takes as much and is overwritten.
    void compute(const T* key, Range keys, const Group<T>& group, const T* lanes_of_queries, T* scores,
                 T* staged) const {
        multiply_tiles<T>(keys.count, group.width(),
                          {p_.width, key, p_.width, 1, lanes_of_queries, group.width()}, scores, group.pitch,
                          static_cast<T>(p_.scale), false);
        if (p_.causal) hide_later_keys(keys, group, scores);
        if (p_.mask != nullptr) apply_mask(keys, group, scores, staged);
    }

    // What dropout multiplies the weights with, transposed as the scores are.
    void kept_weights(Range keys, const Group<T>& group, T* factors) const {
        const bool* const kept = p_.kept + (index_.batch * p_.heads + index_.head) * p_.queries * p_.keys;
        transpose_mask(kept, p_.keys, 1, keys, group, factors);
        const Vec<T> factor(static_cast<T>(p_.kept_factor));
        each_vector(keys, group,
                    [&](int64_t at) { (Vec<T>::load(factors + at) * factor).store(factors + at); });
    }

    template <class Body>
    static void each_vector(Range keys, const Group<T>& group, Body&& body) {
        for (int64_t k = 0; k < keys.count; ++k)
            for (int v = 0; v < group.vectors; ++v) body(k * group.pitch + v * lanes<T>);
    }

  private:
    void hide_later_keys(Range keys, const Group<T>& group, T* scores) const {
        T numbers[lanes<T>];
        for (int lane = 0; lane < lanes<T>; ++lane) numbers[lane] = static_cast<T>(lane);
        for (int64_t k = std::max<int64_t>(0, group.queries.first + 1 - keys.first); k < keys.count; ++k) {
            const auto first_seeing = static_cast<T>(keys.first + k - group.queries.first);
            for (int v = 0; v < group.vectors; ++v) {
                T* const score = scores + k * group.pitch + v * lanes<T>;
                const Vec<T> query = Vec<T>::load(numbers) + Vec<T>(static_cast<T>(v * lanes<T>));
                select(query < Vec<T>(first_seeing), excluded<T>, Vec<T>::load(score)).store(score);
            }
        }
    }

    void apply_mask(Range keys, const Group<T>& group, T* scores, T* staged) const {
        const int64_t (&stride)[4] = p_.mask_stride;
        const int64_t start = index_.batch * stride[0] + index_.head * stride[1];
        if (p_.boolean_mask)
            transpose_mask(static_cast<const bool*>(p_.mask) + start, stride[2], stride[3], keys, group,
                           staged);
        else
            transpose_mask(static_cast<const T*>(p_.mask) + start, stride[2], stride[3], keys, group, staged);
        each_vector(keys, group, [&](int64_t at) {
            const Vec<T> score = Vec<T>::load(scores + at), mask = Vec<T>::load(staged + at);
            const Vec<T> masked =
                p_.boolean_mask ? select(mask == Vec<T>(T(0)), excluded<T>, score) : score + mask;
            masked.store(scores + at);
        });
    }

    const AttentionProblem& p_;
    HeadIndex index_;
};

// rows[q * columns + e] = source[e, q] of a [columns, group width] matrix, or added to it.
template <class T>
void store_transposed(const T* source, int64_t columns, const Group<T>& group, T* rows, bool accumulate) {
    constexpr int width = lanes<T>;
    for (int v = 0; v < group.vectors; ++v) {
        for (int64_t e = 0; e < columns; e += width) {
            const int64_t here = std::min<int64_t>(width, columns - e);
            Vector<T> line[width];
            for (int j = 0; j < width; ++j)
                line[j] = j < here ? load_vector(source + (e + j) * group.width() + v * width) : Vector<T>{};
            transpose_square<T>(line);
            for (int q = 0; q < group.lanes_of(v); ++q) {
                T* const target = rows + (v * width + q) * columns;
                const Vec<T> value(line[q]);
                store_lanes(accumulate ? load_lanes(target, e, here) + value : value, target, e, here);
            }
        }
    }
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
