// Attention in tiles: blocks of keys meet groups of queries, and what each query has summed so far is
// rescaled when a larger score comes (Milakov and Gimelshein, Online normalizer calculation for softmax,
// 2018).
#include "kernels/attention.h"

#include "kernels/cpu/attention_block.h"

namespace rl::kernels::RUSHLIGHT_ISA {
namespace {

// How many keys and queries are worked on at a time, at most: what is packed of one serves all of the other.
struct Blocks {
    int64_t keys, queries;
};
constexpr Blocks forward_blocks{22 * real_tile_rows, 256}, backward_blocks{22 * real_tile_rows, 128};

// Block `index` of `size` things in blocks of nearly equal size, at most `most`.
Range block_of(int64_t size, int64_t most, int64_t index) {
    return piece(size, ceil_divide(size, most), index);
}

// One block of queries of one head, over all keys that it sees.
template <class T>
class ForwardBlock {
  public:
    ForwardBlock(const AttentionProblem& p, int64_t head, Range queries)
        : p_(p),
          index_(p, head),
          queries_(queries),
          groups_(group_count<T>(queries)),
          most_keys_(std::min(p.keys, forward_blocks.keys)),
          arena_(space()),
          query_lanes_(arena_.take(groups_ * group_width * p.width)),
          key_space_(arena_.take(most_keys_ * p.width)),
          value_space_(arena_.take(most_keys_ * p.value_width)),
          scores_(arena_.take(group_width * most_keys_)),
          staged_(arena_.take(group_width * most_keys_)),
          sums_(arena_.take(groups_ * group_width * p.value_width)),
          highest_(arena_.take(groups_ * group_width)),
          total_(arena_.take(groups_ * group_width)) {}

    void run(T* output, T* log_sum) {
        start();
        const int64_t seen = p_.causal ? std::min(p_.keys, queries_.first + queries_.count) : p_.keys;
        for (int64_t i = 0; i < ceil_divide(seen, forward_blocks.keys); ++i) {
            const Range keys = block_of(seen, forward_blocks.keys, i);
            const T* const key = head_of<T>(p_.key, p_.key_stride, index_.batch, index_.key_head)
                                     .dense(keys, p_.width, key_space_);
            const T* const value = head_of<T>(p_.value, p_.value_stride, index_.batch, index_.key_head)
                                       .dense(keys, p_.value_width, value_space_);
            for (int64_t g = 0; g < groups_; ++g) add_keys(g, keys, key, value);
        }
        for (int64_t g = 0; g < groups_; ++g) finish(g, output, log_sum);
    }

  private:
    static constexpr int64_t group_width = tile_columns<T>;

    int64_t space() const {
        return groups_ * group_width * (p_.width + p_.value_width + 2) +
               most_keys_ * (p_.width + p_.value_width + 2 * group_width);
    }
    Group<T> group(int64_t g) const {
        return group_of<T>(queries_, g, queries_.count > lanes<T> ? group_width : lanes<T>);
    }
    T* lanes_of(int64_t g) const { return query_lanes_ + g * group_width * p_.width; }

    void start() {
        const Matrix<T> query = head_of<T>(p_.query, p_.query_stride, index_.batch, index_.head);
        for (int64_t g = 0; g < groups_; ++g)
            query.pack_lanes(group(g).queries, p_.width, group(g).vectors, lanes_of(g));
        std::fill_n(sums_, groups_ * group_width * p_.value_width, T(0));
        std::fill_n(highest_, groups_ * group_width, excluded<T>);
        std::fill_n(total_, groups_ * group_width, T(0));
    }

    void add_keys(int64_t g, Range keys, const T* key, const T* value) {
        const Group<T> own = group(g);
        keys.count = seen_keys<T>(p_, own.queries, keys);
        if (keys.count == 0) return;
        const BlockScores<T> block(p_, index_);
        block.compute(key, keys, own, lanes_of(g), scores_, staged_);
        for (int v = 0; v < own.vectors; ++v) exponentials(g, v, keys.count, own);
        if (p_.kept != nullptr) {
            block.kept_weights(keys, own, staged_);
            block.each_vector(keys, own, [&](int64_t at) {
                (Vec<T>::load(scores_ + at) * Vec<T>::load(staged_ + at)).store(scores_ + at);
            });
        }
        multiply_tiles<T>(p_.value_width, own.width(),
                          {keys.count, value, 1, p_.value_width, scores_, own.pitch}, sums_of(g), own.width(),
                          T(1), true);
    }

    // Scores become exponentials of what they are above the highest so far; earlier sums are rescaled.
    void exponentials(int64_t g, int v, int64_t keys, const Group<T>& own) {
        const int64_t pitch = own.pitch;
        T* const score = scores_ + v * lanes<T>;
        T* const highest = highest_ + g * group_width + v * lanes<T>;
        T* const total = total_ + g * group_width + v * lanes<T>;
        const Vec<T> before = Vec<T>::load(highest);
        Vec<T> best = before;
        for (int64_t k = 0; k < keys; ++k) best = max(Vec<T>::load(score + k * pitch), best);
        const Vec<T> shift = select(best == Vec<T>(excluded<T>), T(0), best);
        const Vec<T> correction = exp(before - shift);
        Vec<T> sum = Vec<T>::load(total) * correction;
        for (int64_t k = 0; k < keys; ++k) {
            const Vec<T> term = exp(Vec<T>::load(score + k * pitch) - shift);
            term.store(score + k * pitch);
            sum += term;
        }
        best.store(highest);
        sum.store(total);
        if (!any(correction != Vec<T>(T(1)))) return;
        T* const sums = sums_of(g) + v * lanes<T>;
        for (int64_t e = 0; e < p_.value_width; ++e)
            (Vec<T>::load(sums + e * own.width()) * correction).store(sums + e * own.width());
    }

    void finish(int64_t g, T* output, T* log_sum) {
        const Group<T> own = group(g);
        const int64_t first = own.queries.first - queries_.first;
        T* const sums = sums_of(g);
        for (int v = 0; v < own.vectors; ++v) {
            const int64_t at = g * group_width + v * lanes<T>;
            const Vec<T> total = Vec<T>::load(total_ + at), zero(T(0));
            const Vec<T> share = select(total == zero, zero, Vec<T>(T(1)) / total);
            for (int64_t e = 0; e < p_.value_width; ++e) {
                T* const sum = sums + e * own.width() + v * lanes<T>;
                (Vec<T>::load(sum) * share).store(sum);
            }
            store_lanes(Vec<T>::load(highest_ + at) + log(total), log_sum, first + v * lanes<T>,
                        own.lanes_of(v));
        }
        store_transposed(sums, p_.value_width, own, output + first * p_.value_width, false);
    }

    T* sums_of(int64_t g) const { return sums_ + g * group_width * p_.value_width; }

    const AttentionProblem& p_;
    HeadIndex index_;
    Range queries_;
    int64_t groups_, most_keys_;
    Arena<T> arena_;
    T *query_lanes_, *key_space_, *value_space_, *scores_, *staged_, *sums_, *highest_, *total_;
};

template <class T>
void forward(const AttentionProblem& p, T* output, T* log_sum) {
    const int64_t blocks = ceil_divide(p.queries, forward_blocks.queries);
    parallel_for(0, p.batch * p.heads * blocks, 1, [&](int64_t begin, int64_t end) {
        for (int64_t item = begin; item < end; ++item) {
            const int64_t head = item / blocks;
            const Range queries = block_of(p.queries, forward_blocks.queries, item % blocks);
            const int64_t row = head * p.queries + queries.first;
            ForwardBlock<T>(p, head, queries).run(output + row * p.value_width, log_sum + row);
        }
    });
}

template <class T>
struct Gradients {
    const T* output;
    const T* log_sum;
    const T* grad_output;
    T* grad_query;
    T* grad_key;
    T* grad_value;
};

// Some keys of one head against all queries that see them: whoever takes them sums their gradients in order.
template <class T>
class BackwardBlock {
  public:
    BackwardBlock(const AttentionProblem& p, const Gradients<T>& g, const T* inner, T* grad_query)
        : p_(p),
          g_(g),
          inner_(inner),
          grad_query_(grad_query),
          most_keys_(std::min(p.keys, backward_blocks.keys)),
          most_queries_(std::min(ceil_divide(p.queries, group_width) * group_width, backward_blocks.queries)),
          pitch_(most_queries_ + lanes<T>),  // no power of two, which would crowd one set of the cache
          arena_(space()),
          key_space_(arena_.take(most_keys_ * p.width)),
          value_space_(arena_.take(most_keys_ * p.value_width)),
          query_space_(arena_.take(most_queries_ * p.width)),
          query_lanes_(arena_.take(group_width * p.width)),
          grad_lanes_(arena_.take(group_width * p.value_width)),
          weights_(arena_.take(pitch_ * most_keys_)),
          slopes_(arena_.take(pitch_ * most_keys_)),
          staged_(arena_.take(pitch_ * most_keys_)),
          sums_(arena_.take(group_width * p.width)) {}

    void run(int64_t batch, int64_t key_head, Range keys) {
        keys_ = keys;
        const int64_t shared = p_.heads / p_.key_heads;
        key_ = head_of<T>(p_.key, p_.key_stride, batch, key_head).dense(keys, p_.width, key_space_);
        value_ =
            head_of<T>(p_.value, p_.value_stride, batch, key_head).dense(keys, p_.value_width, value_space_);
        const int64_t row = (batch * p_.key_heads + key_head) * p_.keys + keys.first;
        grad_key_ = g_.grad_key + row * p_.width;
        grad_value_ = g_.grad_value + row * p_.value_width;
        std::fill_n(grad_key_, keys.count * p_.width, T(0));
        std::fill_n(grad_value_, keys.count * p_.value_width, T(0));
        for (int64_t member = 0; member < shared; ++member)
            run_head((batch * p_.key_heads + key_head) * shared + member);
    }

  private:
    static constexpr int64_t group_width = tile_columns<T>;

    int64_t space() const {
        return most_keys_ * (p_.width + p_.value_width + 3 * pitch_) + most_queries_ * p_.width +
               group_width * (2 * p_.width + p_.value_width);
    }

    void run_head(int64_t head) {
        const HeadIndex index(p_, head);
        const Matrix<T> query = head_of<T>(p_.query, p_.query_stride, index.batch, index.head);
        const T* const grad = g_.grad_output + head * p_.queries * p_.value_width;
        for (int64_t i = 0; i < ceil_divide(p_.queries, backward_blocks.queries); ++i) {
            const Range queries = block_of(p_.queries, backward_blocks.queries, i);
            if (p_.causal && queries.first + queries.count <= keys_.first) continue;
            for (int64_t g = 0; g < group_count<T>(queries); ++g)
                run_group(index, group_of<T>(queries, g, pitch_), query, {grad, p_.value_width, 1},
                          weights_ + g * group_width, slopes_ + g * group_width);
            add_key_gradients(queries, slopes_, query.dense(queries, p_.width, query_space_), grad_key_,
                              p_.width);
            add_key_gradients(queries, weights_, grad + queries.first * p_.value_width, grad_value_,
                              p_.value_width);
        }
    }

    // The group's weights and the gradients of its scores, and from these its queries' gradient.
    void run_group(const HeadIndex& index, const Group<T>& own, const Matrix<T>& query, const Matrix<T>& grad,
                   T* weights, T* slopes) {
        const Range keys{keys_.first, seen_keys<T>(p_, own.queries, keys_)};
        if (keys.count == 0) return;
        query.pack_lanes(own.queries, p_.width, own.vectors, query_lanes_);
        grad.pack_lanes(own.queries, p_.value_width, own.vectors, grad_lanes_);
        const BlockScores<T> block(p_, index);
        block.compute(key_, keys, own, query_lanes_, weights, staged_);
        multiply_tiles<T>(keys.count, own.width(),
                          {p_.value_width, value_, p_.value_width, 1, grad_lanes_, own.width()}, slopes,
                          pitch_, T(1), false);
        if (p_.kept != nullptr) block.kept_weights(keys, own, staged_);
        const int64_t row = (index.batch * p_.heads + index.head) * p_.queries + own.queries.first;
        for (int v = 0; v < own.vectors; ++v) score_gradients(own, v, row, keys.count, weights, slopes);
        multiply_tiles<T>(p_.width, own.width(), {keys.count, key_, 1, p_.width, slopes, pitch_}, sums_,
                          own.width(), T(1), false);
        store_transposed(sums_, p_.width, own, grad_query_ + row * p_.width, true);
    }

    // Scores become weights, and `slopes`, the gradient of the weights, that of the scores before scaling.
    void score_gradients(const Group<T>& own, int v, int64_t row, int64_t keys, T* weights, T* slopes) {
        const int64_t first = row + v * lanes<T>;
        const Vec<T> log_sum = load_lanes(g_.log_sum, first, own.lanes_of(v));
        const Vec<T> inner = load_lanes(inner_, first, own.lanes_of(v));
        const auto blind = log_sum == Vec<T>(excluded<T>);
        const Vec<T> scale(static_cast<T>(p_.scale));
        for (int64_t k = 0; k < keys; ++k) {
            const int64_t at = k * pitch_ + v * lanes<T>;
            const Vec<T> weight = select(blind, T(0), exp(Vec<T>::load(weights + at) - log_sum));
            Vec<T> slope = Vec<T>::load(slopes + at), used = weight;
            if (p_.kept != nullptr) {
                const Vec<T> kept = Vec<T>::load(staged_ + at);
                slope *= kept;
                used *= kept;
            }
            used.store(weights + at);
            (weight * (slope - inner) * scale).store(slopes + at);
        }
    }

    // target[key] += the sum over queries of scores[key, query] * rows[query]. Queries that see none of a
    // tile's keys come before those that do, and are left out.
    void add_key_gradients(Range queries, const T* scores, const T* rows, T* target, int64_t width) {
        for (int64_t k = 0; k < keys_.count; k += tile_rows<T>) {
            const int64_t seeing = p_.causal ? std::max<int64_t>(0, keys_.first + k - queries.first) : 0;
            if (seeing >= queries.count) return;
            const int64_t first = seeing / group_width * group_width;
            multiply_tiles<T>(
                std::min<int64_t>(tile_rows<T>, keys_.count - k), width,
                {queries.count - first, scores + k * pitch_ + first, pitch_, 1, rows + first * width, width},
                target + k * width, width, T(1), true);
        }
    }

    const AttentionProblem& p_;
    const Gradients<T>& g_;
    const T* inner_;
    T* grad_query_;
    int64_t most_keys_, most_queries_, pitch_;
    Arena<T> arena_;
    T *key_space_, *value_space_, *query_space_, *query_lanes_, *grad_lanes_, *weights_, *slopes_, *staged_,
        *sums_;
    Range keys_{0, 0};
    const T *key_ = nullptr, *value_ = nullptr;
    T *grad_key_ = nullptr, *grad_value_ = nullptr;
};

// inner[query] = output·grad_output.
template <class T>
void inner_products(const AttentionProblem& p, const Gradients<T>& g, T* inner) {
    const int64_t width = p.value_width;
    parallel_for(0, p.batch * p.heads * p.queries, std::max<int64_t>(1, 32768 / (width + 1)),
                 [&](int64_t begin, int64_t end) {
                     for (int64_t row = begin; row < end; ++row) {
                         const T *const x = g.output + row * width, *const y = g.grad_output + row * width;
                         Vec<T> sum(T(0));
                         for (int64_t e = 0; e < width; e += lanes<T>) {
                             const int64_t here = std::min<int64_t>(lanes<T>, width - e);
                             sum = fma(load_lanes(x, e, here), load_lanes(y, e, here), sum);
                         }
                         inner[row] = sum_lanes(sum);
                     }
                 });
}

// Keys are cut into so many parts that there are some for every thread, each with a gradient of the queries
// of its own; the parts' gradients are added in order.
template <class T>
void backward(const AttentionProblem& p, const Gradients<T>& g) {
    const int64_t rows = p.batch * p.heads * p.queries, numbers = rows * p.width;
    const int64_t heads = p.batch * p.key_heads, blocks = ceil_divide(p.keys, backward_blocks.keys);
    const int64_t parts = std::clamp<int64_t>(16 / std::max<int64_t>(1, p.batch * p.heads), 1, blocks);
    T* const memory = scratch_array<T>(ScratchUse::shared, static_cast<size_t>(rows + (parts - 1) * numbers));
    T* const partial = memory + rows;
    inner_products(p, g, memory);
    parallel_for(0, heads * parts, 1, [&](int64_t begin, int64_t end) {
        for (int64_t item = begin; item < end; ++item) {
            const int64_t head = item / parts, part = item % parts, shared = p.heads / p.key_heads;
            T* const grad_query = part == 0 ? g.grad_query : partial + (part - 1) * numbers;
            const int64_t own = shared * p.queries * p.width;
            std::fill_n(grad_query + head * own, own, T(0));
            BackwardBlock<T> block(p, g, memory, grad_query);
            const Range mine = piece(blocks, parts, part);
            for (int64_t b = mine.first; b < mine.first + mine.count; ++b)
                block.run(head / p.key_heads, head % p.key_heads, block_of(p.keys, backward_blocks.keys, b));
        }
    });
    parallel_for(0, parts > 1 ? numbers : 0, 32768, [&](int64_t begin, int64_t end) {
        for (int64_t part = 1; part < parts; ++part) {
            const T* const from = partial + (part - 1) * numbers;
            for (int64_t i = begin; i < end; ++i) g.grad_query[i] += from[i];
        }
    });
}

void run_forward(const AttentionProblem& p, void* output, void* log_sum) {
    visit_float(p.dtype, [&]<class T>(T) { forward(p, static_cast<T*>(output), static_cast<T*>(log_sum)); });
}

void run_backward(const AttentionProblem& p, const void* output, const void* log_sum, const void* grad_output,
                  void* grad_query, void* grad_key, void* grad_value) {
    visit_float(p.dtype, [&]<class T>(T) {
        backward(p, Gradients<T>{static_cast<const T*>(output), static_cast<const T*>(log_sum),
                                 static_cast<const T*>(grad_output), static_cast<T*>(grad_query),
                                 static_cast<T*>(grad_key), static_cast<T*>(grad_value)});
    });
}

}  // namespace

extern const AttentionKernels attention_table;
const AttentionKernels attention_table = {&run_forward, &run_backward};

}  // namespace rl::kernels::RUSHLIGHT_ISA
