// Attention in C++.
#pragma once

#include <optional>

#include "core/tensor.h"

namespace rl::ops {

Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                                    const Tensor& attn_mask, double dropout_p, bool is_causal,
                                    std::optional<double> scale, bool enable_gqa);

}  // namespace rl::ops
