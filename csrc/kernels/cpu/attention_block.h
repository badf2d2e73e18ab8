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
#include "kernels/cpu/panels.h"
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
    // As operands whose lanes are rows, or columns, counted from row `first`.
    StridedSource<T> rows(Range range) const { return {data + range.first * row, row, column, range.count}; }
    StridedSource<T> columns(Range range, int64_t width) const {
        return {data + range.first * row, column, row, width};
    }
};

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

// Queries that share vectors: at most a tile's columns.
template <class T>
struct Group {
    Range queries;
    int vectors;
    T* panel;  // the queries as a right operand [width, pitch]
    int64_t pitch() const { return vectors * lanes<T>; }
    int lanes_of(int v) const {
        return static_cast<int>(std::clamp<int64_t>(queries.count - v * lanes<T>, 0, lanes<T>));
    }
};

template <class T>
int64_t group_count(Range queries) {
    return ceil_divide(queries.count, tile_columns<T>);
}
// Group `index` of a block of queries, whose panel is packed at its place in `panels`. All groups of a block
// have as many vectors.
template <class T>
Group<T> group_of(Range queries, int64_t index, T* panels, int64_t depth) {
    constexpr int64_t most = tile_columns<T>;
    const Range own{queries.first + index * most, std::min(most, queries.count - index * most)};
    return {own, queries.count > lanes<T> ? 2 : 1, panels + index * most * depth};
}

// How many of the keys some query of the group sees, rounded up to whole panels.
template <class T>
int64_t seen_keys(const AttentionProblem& p, Range queries, Range keys, const LeftPanels<T>& panels) {
    if (!p.causal) return keys.count;
    const int64_t seen = queries.first + queries.count - keys.first;
    int64_t index = 0;
    while (index < panels.count() && panels.first_of(index) < seen) ++index;
    return index == 0 ? 0 : panels.first_of(index);
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
                store_vector(target + (k + j) * group.pitch() + v * width, line[j]);
        }
    }
}

// The scores of one group and block that its queries may see: scale * key·queryᵀ, masked.
template <class T>
class BlockScores {
  public:
    BlockScores(const AttentionProblem& p, const HeadIndex& index) : p_(p), index_(index) {}

    // [keys.count, pitch]; `staged` takes as much and is overwritten.
    void compute(const LeftPanels<T>& panels, Range keys, const Group<T>& group, T* scores, T* staged) const {
        const int64_t pitch = group.pitch();
        for (int64_t i = 0; i < panels.count() && panels.first_of(i) < keys.count; ++i)
            tile_function<T>(panels.rows_of(i), group.vectors)(panels.depth, panels.panel(i), group.panel,
                                                               scores + panels.first_of(i) * pitch, pitch,
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
        for (int64_t at = 0; at < keys.count * group.pitch(); at += lanes<T>) body(at);
    }

  private:
    void hide_later_keys(Range keys, const Group<T>& group, T* scores) const {
        T numbers[lanes<T>];
        for (int lane = 0; lane < lanes<T>; ++lane) numbers[lane] = static_cast<T>(lane);
        for (int64_t k = std::max<int64_t>(0, group.queries.first + 1 - keys.first); k < keys.count; ++k) {
            const auto first_seeing = static_cast<T>(keys.first + k - group.queries.first);
            for (int v = 0; v < group.vectors; ++v) {
                T* const score = scores + k * group.pitch() + v * lanes<T>;
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

// rows[q * pitch + e] = source[e, q] of a [columns, group pitch] matrix, or added to it.
template <class T>
void store_transposed(const T* source, int64_t columns, const Group<T>& group, T* rows, int64_t pitch,
                      bool accumulate) {
    constexpr int width = lanes<T>;
    for (int v = 0; v < group.vectors; ++v) {
        for (int64_t e = 0; e < columns; e += width) {
            const int64_t here = std::min<int64_t>(width, columns - e);
            Vector<T> line[width];
            for (int j = 0; j < width; ++j)
                line[j] = j < here ? load_vector(source + (e + j) * group.pitch() + v * width) : Vector<T>{};
            transpose_square<T>(line);
            for (int q = 0; q < group.lanes_of(v); ++q) {
                T* const target = rows + (v * width + q) * pitch;
                const Vec<T> value(line[q]);
                store_lanes(accumulate ? load_lanes(target, e, here) + value : value, target, e, here);
            }
        }
    }
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
