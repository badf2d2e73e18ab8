// Attention in tiles: blocks of queries meet blocks of keys, and what each query has summed so far is
// rescaled when a larger score comes (Milakov and Gimelshein, Online normalizer calculation for softmax,
// 2018).
#include "kernels/attention.h"

#include <cmath>
#include <limits>

#include "kernels/cpu/gemm_blocks.h"
#include "kernels/simd/math.h"

namespace rl::kernels::RUSHLIGHT_ISA {
namespace {

constexpr int64_t block_queries = 96, block_keys = 256;

template <class T>
struct Matrix {
    T* data;
    int64_t row, column = 1;
    Matrix<T> transposed() const { return {data, column, row}; }
    Matrix<T> rows_from(int64_t i) const { return {data + i * row, row, column}; }
};

// c = alpha * a·b, added to c where `accumulate`.
template <class T>
void multiply(int64_t m, int64_t n, int64_t k, Matrix<const T> a, Matrix<const T> b, Matrix<T> c, T alpha,
              bool accumulate) {
    const StridedSource<T> left{a.data, a.row, a.column, m}, right{b.data, b.column, b.row, n};
    const StridedTarget<T> target{c.data, c.row,    c.column, accumulate ? c.data : nullptr,
                                  c.row,  c.column, alpha,    T(1)};
    blocked_product<T>(m, n, k, left, right, target);
}

template <class T>
Matrix<const T> head_of(const void* data, const int64_t (&stride)[4], int64_t batch, int64_t head) {
    return {static_cast<const T*>(data) + batch * stride[0] + head * stride[1], stride[2], stride[3]};
}

template <class T>
constexpr T excluded = -std::numeric_limits<T>::infinity();

// scores = scale * query·keyᵀ, masked, for one block of queries and keys.
template <class T>
void block_scores(const AttentionProblem& p, int64_t batch, int64_t head, Range queries, Range keys,
                  T* scores) {
    const Matrix<const T> query = head_of<T>(p.query, p.query_stride, batch, head).rows_from(queries.first);
    const Matrix<const T> key =
        head_of<T>(p.key, p.key_stride, batch, head / (p.heads / p.key_heads)).rows_from(keys.first);
    multiply<T>(queries.count, keys.count, p.width, query, key.transposed(), Matrix<T>{scores, keys.count},
                static_cast<T>(p.scale), false);
    const int64_t mask_start =
        batch * p.mask_stride[0] + head * p.mask_stride[1] + keys.first * p.mask_stride[3];
    for (int64_t r = 0; r < queries.count; ++r) {
        T* row = scores + r * keys.count;
        const int64_t query_number = queries.first + r;
        if (p.causal) {
            const int64_t seen = std::clamp<int64_t>(query_number + 1 - keys.first, 0, keys.count);
            std::fill(row + seen, row + keys.count, excluded<T>);
        }
        if (p.mask == nullptr) continue;
        const int64_t start = mask_start + query_number * p.mask_stride[2];
        if (p.boolean_mask) {
            const bool* mask = static_cast<const bool*>(p.mask) + start;
            for (int64_t c = 0; c < keys.count; ++c)
                if (!mask[c * p.mask_stride[3]]) row[c] = excluded<T>;
        } else {
            const T* mask = static_cast<const T*>(p.mask) + start;
            for (int64_t c = 0; c < keys.count; ++c) row[c] += mask[c * p.mask_stride[3]];
        }
    }
}

// row = exp(row - shift); returns the sum.
template <class T>
T exponentials(T* row, int64_t count, T shift) {
    Vec<T> total(T(0));
    int64_t c = 0;
    for (; c + Vec<T>::size <= count; c += Vec<T>::size) {
        const Vec<T> term = exp(Vec<T>::load(row + c) - Vec<T>(shift));
        term.store(row + c);
        total += term;
    }
    T sum = sum_lanes(total);
    if (c < count) {
        exp(Vec<T>::load(row + c, count - c) - Vec<T>(shift)).store(row + c, count - c);
        for (; c < count; ++c) sum += row[c];
    }
    return sum;
}

template <class T>
void forward_block(const AttentionProblem& p, int64_t batch, int64_t head, Range queries, T* output,
                   T* log_sum) {
    T* memory = scratch_array<T>(ScratchUse::staging,
                                 static_cast<size_t>(block_queries * (block_keys + p.value_width + 2)));
    T* scores = memory;
    T* sums = scores + block_queries * block_keys;
    T* highest = sums + block_queries * p.value_width;
    T* total = highest + block_queries;
    std::fill_n(sums, queries.count * p.value_width, T(0));
    std::fill_n(highest, queries.count, excluded<T>);
    std::fill_n(total, queries.count, T(0));
    const Matrix<const T> value = head_of<T>(p.value, p.value_stride, batch, head / (p.heads / p.key_heads));
    const int64_t visible = p.causal ? std::min(p.keys, queries.first + queries.count) : p.keys;
    for (int64_t first = 0; first < visible; first += block_keys) {
        const Range keys{first, std::min(block_keys, visible - first)};
        block_scores(p, batch, head, queries, keys, scores);
        for (int64_t r = 0; r < queries.count; ++r) {
            T* row = scores + r * keys.count;
            T best = highest[r];
            for (int64_t c = 0; c < keys.count; ++c) best = row[c] > best ? row[c] : best;
            const T shift = best == excluded<T> ? T(0) : best;
            const T correction = std::exp(highest[r] - shift);
            total[r] = total[r] * correction + exponentials(row, keys.count, shift);
            highest[r] = best;
            if (correction == T(1)) continue;
            for (int64_t c = 0; c < p.value_width; ++c) sums[r * p.value_width + c] *= correction;
        }
        multiply<T>(queries.count, p.value_width, keys.count, Matrix<const T>{scores, keys.count},
                    value.rows_from(first), Matrix<T>{sums, p.value_width}, T(1), true);
    }
    for (int64_t r = 0; r < queries.count; ++r) {
        const T scale = total[r] == T(0) ? T(0) : T(1) / total[r];
        for (int64_t c = 0; c < p.value_width; ++c)
            output[r * p.value_width + c] = total[r] == T(0) ? T(0) : sums[r * p.value_width + c] * scale;
        log_sum[r] = total[r] == T(0) ? excluded<T> : highest[r] + std::log(total[r]);
    }
}

template <class T>
void forward(const AttentionProblem& p, T* output, T* log_sum) {
    const int64_t blocks = ceil_divide(p.queries, block_queries);
    parallel_for(0, p.batch * p.heads * blocks, 1, [&](int64_t begin, int64_t end) {
        for (int64_t item = begin; item < end; ++item) {
            const int64_t head = item / blocks, first = item % blocks * block_queries;
            const Range queries{first, std::min(block_queries, p.queries - first)};
            const int64_t row = head * p.queries + first;
            forward_block(p, head / p.heads, head % p.heads, queries, output + row * p.value_width,
                          log_sum + row);
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

// scores become probabilities, and `slopes` (grad_output·valueᵀ) the gradient of the scores before scaling.
template <class T>
void score_gradients(const AttentionProblem& p, const Gradients<T>& g, int64_t row, Range queries,
                     int64_t keys, T* scores, T* slopes) {
    for (int64_t r = 0; r < queries.count; ++r) {
        const int64_t query = row + r;
        T inner = 0;
        for (int64_t c = 0; c < p.value_width; ++c)
            inner += g.grad_output[query * p.value_width + c] * g.output[query * p.value_width + c];
        const T log_sum = g.log_sum[query];
        T* score = scores + r * keys;
        T* slope = slopes + r * keys;
        if (log_sum == excluded<T>)
            std::fill_n(score, keys, T(0));
        else
            exponentials(score, keys, log_sum);
        const T scale = static_cast<T>(p.scale);
        for (int64_t c = 0; c < keys; ++c) slope[c] = score[c] * (slope[c] - inner) * scale;
    }
}

template <class T>
void backward_block(const AttentionProblem& p, const Gradients<T>& g, int64_t batch, int64_t head,
                    Range queries, T* scores, T* slopes) {
    const int64_t key_head = head / (p.heads / p.key_heads);
    const int64_t row = (batch * p.heads + head) * p.queries + queries.first;
    const int64_t key_row = (batch * p.key_heads + key_head) * p.keys;
    const Matrix<const T> query = head_of<T>(p.query, p.query_stride, batch, head).rows_from(queries.first);
    const Matrix<const T> key = head_of<T>(p.key, p.key_stride, batch, key_head);
    const Matrix<const T> value = head_of<T>(p.value, p.value_stride, batch, key_head);
    const Matrix<const T> grad_output{g.grad_output + row * p.value_width, p.value_width};
    const Matrix<T> grad_query{g.grad_query + row * p.width, p.width};
    const int64_t visible = p.causal ? std::min(p.keys, queries.first + queries.count) : p.keys;
    for (int64_t first = 0; first < visible; first += block_keys) {
        const Range keys{first, std::min(block_keys, visible - first)};
        block_scores(p, batch, head, queries, keys, scores);
        multiply<T>(queries.count, keys.count, p.value_width, grad_output,
                    value.rows_from(first).transposed(), Matrix<T>{slopes, keys.count}, T(1), false);
        score_gradients(p, g, row, queries, keys.count, scores, slopes);
        const Matrix<const T> chances{scores, keys.count}, slope{slopes, keys.count};
        multiply<T>(keys.count, p.value_width, queries.count, chances.transposed(), grad_output,
                    Matrix<T>{g.grad_value + (key_row + first) * p.value_width, p.value_width}, T(1), true);
        multiply<T>(queries.count, p.width, keys.count, slope, key.rows_from(first), grad_query, T(1), true);
        multiply<T>(keys.count, p.width, queries.count, slope.transposed(), query,
                    Matrix<T>{g.grad_key + (key_row + first) * p.width, p.width}, T(1), true);
    }
}

// Whoever takes a head of keys takes all queries that see it, in order.
template <class T>
void backward(const AttentionProblem& p, const Gradients<T>& g) {
    const int64_t shared = p.heads / p.key_heads;
    std::fill_n(g.grad_query, p.batch * p.heads * p.queries * p.width, T(0));
    std::fill_n(g.grad_key, p.batch * p.key_heads * p.keys * p.width, T(0));
    std::fill_n(g.grad_value, p.batch * p.key_heads * p.keys * p.value_width, T(0));
    parallel_for(0, p.batch * p.key_heads, 1, [&](int64_t begin, int64_t end) {
        T* scores =
            scratch_array<T>(ScratchUse::staging, static_cast<size_t>(2 * block_queries * block_keys));
        for (int64_t item = begin; item < end; ++item) {
            for (int64_t member = 0; member < shared; ++member) {
                const int64_t head = item % p.key_heads * shared + member;
                for (int64_t first = 0; first < p.queries; first += block_queries) {
                    const Range queries{first, std::min(block_queries, p.queries - first)};
                    backward_block(p, g, item / p.key_heads, head, queries, scores,
                                   scores + block_queries * block_keys);
                }
            }
        }
    });
}

void run_forward(const AttentionProblem& p, void* output, void* log_sum) {
    if (p.dtype == DType::float32)
        forward(p, static_cast<float*>(output), static_cast<float*>(log_sum));
    else
        forward(p, static_cast<double*>(output), static_cast<double*>(log_sum));
}

template <class T>
void run_backward_of(const AttentionProblem& p, const void* output, const void* log_sum,
                     const void* grad_output, void* grad_query, void* grad_key, void* grad_value) {
    backward(p, Gradients<T>{static_cast<const T*>(output), static_cast<const T*>(log_sum),
                             static_cast<const T*>(grad_output), static_cast<T*>(grad_query),
                             static_cast<T*>(grad_key), static_cast<T*>(grad_value)});
}

void run_backward(const AttentionProblem& p, const void* output, const void* log_sum, const void* grad_output,
                  void* grad_query, void* grad_key, void* grad_value) {
    const auto function = p.dtype == DType::float32 ? &run_backward_of<float> : &run_backward_of<double>;
    function(p, output, log_sum, grad_output, grad_query, grad_key, grad_value);
}

}  // namespace

extern const AttentionKernels attention_table;
const AttentionKernels attention_table = {&run_forward, &run_backward};

}  // namespace rl::kernels::RUSHLIGHT_ISA
