// Scaled dot product attention (Vaswani et al., Attention is all you need, 2017).
#include "ops/attention.h"

#include <cmath>
#include <limits>

#include "autograd/record.h"
#include "ops/arithmetic.h"
#include "ops/comparison.h"
#include "ops/conversion.h"
#include "ops/creation.h"
#include "ops/matmul.h"
#include "ops/reduction.h"
#include "ops/registry.h"
#include "ops/selection.h"
#include "ops/shape_ops.h"
#include "ops/softmax.h"
#include "ops/views.h"

namespace rl::ops {
namespace {

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

}  // namespace

Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                                    const Tensor& attn_mask, double dropout_p, bool is_causal,
                                    std::optional<double> scale, bool enable_gqa) {
    check_attention(query, key, value, attn_mask, is_causal);
    if (enable_gqa) {
        const int64_t heads = query.size(-3);
        const Tensor keys = spread_heads(key, heads), values = spread_heads(value, heads);
        return scaled_dot_product_attention(query, keys, values, attn_mask, dropout_p, is_causal, scale,
                                            false);
    }
    const double factor = scale.value_or(1.0 / std::sqrt(static_cast<double>(query.size(-1))));
    Tensor scores = matmul(query * Scalar(factor), transpose(key, -2, -1));
    const Scalar excluded(-std::numeric_limits<double>::infinity());
    Tensor mask = attn_mask;
    if (is_causal) mask = tril(ones(Dims{query.size(-2), key.size(-2)}, {DType::boolean, query.device()}));
    if (mask.defined()) {
        scores = is_boolean(mask.dtype()) ? where(mask, scores, excluded) : scores + to(mask, query.dtype());
    }
    Tensor weights = softmax(scores, -1);
    if (mask.defined() && !is_causal) {
        // A query that sees no key gets zeros.
        const Tensor blind = eq(amax(scores, {-1}, true), wrap_number(excluded));
        weights = masked_fill(weights, blind, Scalar(0.0));
    }
    return matmul(weights, value);
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
         "rushlight.Size([2, 5])",
     .dtypes = "floating"}};

}  // namespace

}  // namespace rl::ops
