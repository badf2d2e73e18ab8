// Scaled dot product attention (Vaswani et al., Attention is all you need, 2017).
#include "ops/attention.h"

#include <cmath>
#include <limits>

#include "autograd/record.h"
#include "core/gil.h"
#include "kernels/attention.h"
#include "ops/arithmetic.h"
#include "ops/comparison.h"
#include "ops/conversion.h"
#include "ops/creation.h"
#include "ops/matmul.h"
#include "ops/random.h"
#include "ops/reduction.h"
#include "ops/registry.h"
#include "ops/selection.h"
#include "ops/shape_ops.h"
#include "ops/softmax.h"
#include "ops/views.h"

namespace rl::ops {
namespace {

const Scalar excluded(-std::numeric_limits<double>::infinity());

void check_attention(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& mask,
                     bool is_causal) {
    const auto name = [](const Tensor& tensor) { return info(tensor.dtype()).name; };
    check(query.dtype() == key.dtype() && query.dtype() == value.dtype(),
          "Expected query, key, and value to have the same dtype, but got query.dtype: ", name(query),
          " key.dtype: ", name(key), " and value.dtype: ", name(value), " instead.");
    check(query.dim() >= 2 && key.dim() >= 2 && value.dim() >= 2,
          "Expected query, key, and value to all be  at least 2 dimensional, but got query.dim: ",
          query.dim(), " key.dim: ", key.dim(), " and value.dim: ", value.dim(), " instead.");
    if (!mask.defined()) return;
    check(is_boolean(mask.dtype()) || mask.dtype() == query.dtype() || mask.dtype() == DType::float32,
          "Expected attn_mask dtype to be bool or float or to match query dtype, but got attn_mask.dtype: ",
          name(mask), " and  query.dtype: ", name(query), " instead.");
    check(mask.dim() >= 1, "Expected attn_mask to have at least one dimension, but got ", mask.dim());
    check(!is_causal,
          "_scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True");
}

// Each head of keys and values serves several heads of queries.
Tensor spread_heads(const Tensor& tensor, int64_t heads) {
    const int64_t own = tensor.size(-3);
    check(own > 0 && heads % own == 0,
          "Number of heads in key and value must divide the number of heads in query");
    return own == heads ? tensor : repeat_interleave(tensor, heads / own, -3);
}

// scale * query·keyᵀ with the mask applied.
Tensor masked_scores(const Tensor& query, const Tensor& key, const Tensor& mask, bool is_causal,
                     double scale) {
    const Tensor scores = matmul(query * Scalar(scale), transpose(key, -2, -1));
    if (is_causal) {
        const Tensor seen = tril(ones(Dims{query.size(-2), key.size(-2)}, {DType::boolean, query.device()}));
        return where(seen, scores, excluded);
    }
    if (!mask.defined()) return scores;
    return is_boolean(mask.dtype()) ? where(mask, scores, excluded) : scores + to(mask, query.dtype());
}

// A query that sees no key gets zeros.
Tensor attention_weights(const Tensor& scores, bool masked) {
    const Tensor weights = softmax(scores, -1);
    if (!masked) return weights;
    return masked_fill(weights, eq(amax(scores, {-1}, true), wrap_number(excluded)), Scalar(0.0));
}

// What every gradient needs of the forward pass.
struct Call {
    bool is_causal;
    double scale;
    double kept_factor;  // of the weights that dropout leaves
};

int64_t batch_of(const Tensor& tensor) {
    return count_elements(IntSpan(tensor.sizes()).first(tensor.dim() - 3));
}

// (batch, head, row, column) strides of a tensor whose leading dimensions can be walked as one.
void set_strides(const Tensor& tensor, int64_t (&strides)[4]) {
    const Dims& own = tensor.strides();
    const size_t rank = own.size();
    strides[0] = rank > 3 ? own[rank - 4] : 0;
    for (size_t d = 1; d < 4; ++d) strides[d] = own[rank - 4 + d];
}

kernels::AttentionProblem problem_of(const Tensor& query, const Tensor& key, const Tensor& value,
                                     const Tensor& mask, const Tensor& kept, const Call& call) {
    kernels::AttentionProblem p;
    p.dtype = query.dtype();
    p.batch = batch_of(query);
    p.heads = query.size(-3);
    p.key_heads = key.size(-3);
    p.queries = query.size(-2);
    p.keys = key.size(-2);
    p.width = query.size(-1);
    p.value_width = value.size(-1);
    p.scale = call.scale;
    p.causal = call.is_causal;
    p.query = query.raw_data();
    p.key = key.raw_data();
    p.value = value.raw_data();
    set_strides(query, p.query_stride);
    set_strides(key, p.key_stride);
    set_strides(value, p.value_stride);
    if (kept.defined()) p.kept = kept.data<bool>();
    p.kept_factor = call.kept_factor;
    if (!mask.defined()) return p;
    p.mask = mask.raw_data();
    p.boolean_mask = is_boolean(mask.dtype());
    set_strides(mask, p.mask_stride);
    return p;
}

int64_t work_of(const Tensor& query, const Tensor& key) {
    return query.numel() * key.size(-2);
}

// The gradients in differentiable operators, for when they are themselves to be differentiated.
Gradients composed_gradients(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& mask,
                             const Tensor& kept, const Tensor& grad, const Call& call) {
    const Tensor keys = spread_heads(key, query.size(-3)), values = spread_heads(value, query.size(-3));
    const Tensor weights =
        attention_weights(masked_scores(query, keys, mask, call.is_causal, call.scale), mask.defined());
    const auto dropped = [&](const Tensor& tensor) {
        return kept.defined() ? tensor * kept * Scalar(call.kept_factor) : tensor;
    };
    const Tensor grad_weights = dropped(matmul(grad, transpose(values, -2, -1)));
    const Tensor slopes =
        weights * (grad_weights - sum(grad_weights * weights, Dims{-1}, true)) * Scalar(call.scale);
    const auto joined = [&](const Tensor& gradient, const Tensor& like) {
        if (like.size(-3) == query.size(-3)) return gradient;
        Dims sizes = like.sizes();
        sizes.insert(sizes.size() - 2, query.size(-3) / like.size(-3));
        return sum(reshape(gradient, sizes), Dims{-3});
    };
    return {matmul(slopes, keys), joined(matmul(transpose(slopes, -2, -1), query), key),
            joined(matmul(transpose(dropped(weights), -2, -1), grad), value)};
}

// In tiles, for three or four dimensions, float32 or float64, and a mask (if any) that wants no gradient.
// `kept` are the weights (if any are not) that dropout keeps.
Tensor tiled_attention(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& mask,
                       const Tensor& kept, const Call& call) {
    Dims sizes = query.sizes();
    sizes.back() = value.size(-1);
    const Tensor result = empty(sizes, options_of(query));
    sizes.pop_back();
    const Tensor log_sum = empty(sizes, options_of(query));
    if (!result.is_meta() && result.numel() > 0) {
        const GilRelease released(work_of(query, key));
        kernels::attention_forward(problem_of(query, key, value, mask, kept, call), result.raw_data(),
                                   log_sum.raw_data());
    }
    return record("ScaledDotProductFlashAttentionForCpuBackward0", {query, key, value}, result, [&] {
        return [query = Saved(query), key = Saved(key), value = Saved(value), mask = Saved(mask),
                result = Saved(result), log_sum, kept, call](const Tensor& grad) -> Gradients {
            const Tensor q = query.get(), k = key.get(), v = value.get();
            const Tensor m = mask.defined() ? mask.get() : Tensor();
            if (autograd_mode.gradients) return composed_gradients(q, k, v, m, kept, grad, call);
            const auto fresh = [](const Tensor& like) { return empty(like.sizes(), options_of(like)); };
            Gradients gradients{fresh(q), fresh(k), fresh(v)};
            if (q.is_meta()) return gradients;
            const Tensor dense = contiguous_data(grad), output = result.get();
            const GilRelease released(work_of(q, k));
            kernels::attention_backward(problem_of(q, k, v, m, kept, call), output.raw_data(),
                                        log_sum.raw_data(), dense.raw_data(), gradients[0].raw_data(),
                                        gradients[1].raw_data(), gradients[2].raw_data());
            return gradients;
        };
    });
}

// Queries fill the lanes of vectors; fewer leave most of them idle.
constexpr int64_t least_queries = 4;

// Leading dimensions of query, key and value broadcast against each other, heads apart where they are shared.
bool fits_tiles(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& mask) {
    const auto outer = [](const Tensor& tensor, int64_t inner) {
        return Dims(
            IntSpan(tensor.sizes()).first(static_cast<size_t>(std::max<int64_t>(0, tensor.dim() - inner))));
    };
    return is_floating(query.dtype()) && query.dim() >= 3 && query.dim() <= 4 &&
           outer(query, 3) == outer(key, 3) && outer(query, 3) == outer(value, 3) &&
           key.dim() == query.dim() && value.dim() == query.dim() && key.size(-3) == value.size(-3) &&
           key.size(-3) > 0 && query.size(-3) % key.size(-3) == 0 && query.size(-1) == key.size(-1) &&
           key.size(-2) == value.size(-2) && key.size(-2) > 0 && query.size(-2) >= least_queries &&
           !(mask.defined() && requires_grad(mask)) &&
           (!mask.defined() || is_boolean(mask.dtype()) || mask.dtype() == query.dtype());
}

// Heads that share keys are as many more queries of one head, where nothing tells queries apart.
Tensor joined_heads(const Tensor& query, const Tensor& key, const Tensor& value, double dropout_p,
                    double scale) {
    Dims sizes = query.sizes(), joined = sizes;
    const size_t rank = sizes.size();
    joined[rank - 3] = key.size(-3);
    joined[rank - 2] *= query.size(-3) / key.size(-3);
    const Tensor result = scaled_dot_product_attention(reshape(query, joined), key, value, Tensor(),
                                                       dropout_p, false, scale, false);
    sizes.back() = value.size(-1);
    return reshape(result, sizes);
}

}  // namespace

Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                                    const Tensor& attn_mask, double dropout_p, bool is_causal,
                                    std::optional<double> scale, bool enable_gqa) {
    check_attention(query, key, value, attn_mask, is_causal);
    if (is_reduced_floating(query.dtype())) {  // worked on as float32
        const auto widened = [](const Tensor& tensor) { return to(tensor, DType::float32); };
        const bool numbers = attn_mask.defined() && !is_boolean(attn_mask.dtype());
        const Tensor result = scaled_dot_product_attention(widened(query), widened(key), widened(value),
                                                           numbers ? widened(attn_mask) : attn_mask,
                                                           dropout_p, is_causal, scale, enable_gqa);
        return to(result, query.dtype());
    }
    const Call call{is_causal, scale.value_or(1.0 / std::sqrt(static_cast<double>(query.size(-1)))),
                    1 / (1 - dropout_p)};
    const bool same_heads = query.dim() < 3 || key.dim() < 3 || query.size(-3) == key.size(-3);
    const bool draws = dropout_p > 0 && dropout_p < 1;
    if ((dropout_p == 0 || draws) && (enable_gqa || same_heads) && fits_tiles(query, key, value, attn_mask)) {
        Tensor mask = attn_mask;
        Dims sizes = query.sizes();
        sizes.back() = key.size(-2);
        if (mask.defined() && can_broadcast_to(mask.sizes(), sizes)) mask = expand(mask, sizes);
        if (!mask.defined() || mask.sizes() == sizes) {
            Tensor kept;
            if (draws) bernoulli_(kept = empty(sizes, {DType::boolean, query.device()}), 1 - dropout_p);
            return tiled_attention(query, key, value, mask, kept, call);
        }
    }
    if (enable_gqa && !same_heads && !attn_mask.defined() && !is_causal && query.size(-2) < least_queries &&
        key.size(-3) > 0 && query.size(-3) % key.size(-3) == 0)
        return joined_heads(query, key, value, dropout_p, call.scale);
    const Tensor keys = enable_gqa ? spread_heads(key, query.size(-3)) : key;
    const Tensor values = enable_gqa ? spread_heads(value, query.size(-3)) : value;
    const Tensor scores = masked_scores(query, keys, attn_mask, is_causal, call.scale);
    const Tensor weights = attention_weights(scores, attn_mask.defined());
    return matmul(dropout_p > 0 ? dropout(weights, dropout_p, true) : weights, values);
}

namespace {

const Register attention_operator{
    "scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, Tensor? attn_mask=None, "
    "float dropout_p=0.0, bool is_causal=False, *, float? scale=None, bool enable_gqa=False) -> Tensor",
    scaled_dot_product_attention,
    {.variants = 0,
     .doc =
         "softmax(scale · query · keyᵀ + mask) · value: query (*, L, E), key (*, S, E), value (*, S, Ev), "
         "giving "
         "(*, L, Ev); scale is 1/√E unless given. A boolean attn_mask (broadcast to (*, L, S)) is true where "
         "a key "
         "takes part, one of numbers is added; is_causal hides keys after the query. With enable_gqa fewer "
         "heads of "
         "keys and values serve all heads of queries. (Vaswani et al., Attention is all you need, 2017)\n\n"
         "Raises RuntimeError for different dtypes, fewer than two dimensions, and a mask beside "
         "is_causal.\n\n"
         ">>> rushlight.nn.functional.scaled_dot_product_attention(\n"
         "...     rushlight.ones(2, 3), rushlight.ones(4, 3), rushlight.ones(4, 5)).shape\n"
         "torch.Size([2, 5])",
     .dtypes = "floating"}};

}  // namespace

}  // namespace rl::ops
