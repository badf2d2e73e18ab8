// Embedding: rows of a table by index.
#include "ops/embedding.h"

#include "autograd/record.h"
#include "ops/arithmetic.h"
#include "ops/comparison.h"
#include "ops/conversion.h"
#include "ops/creation.h"
#include "ops/indexing.h"
#include "ops/registry.h"
#include "ops/selection.h"
#include "ops/views.h"

namespace rl::ops {
namespace {

// Each row of the table's gradient is the sum of the gradients of its uses.
Tensor embedding_gradient(const Tensor& grad, const Tensor& indices, IntSpan table_sizes, int64_t padding_idx,
                          bool scale_grad_by_freq) {
    const Tensor flat = contiguous(reshape(indices, Dims{indices.numel()}));
    Tensor rows = reshape(grad, Dims{indices.numel(), table_sizes[1]});
    if (padding_idx >= 0)
        rows = masked_fill(rows, unsqueeze(eq(flat, wrap_number(padding_idx)), 1), Scalar(0));
    if (scale_grad_by_freq) {
        const Tensor ones = full(flat.sizes(), 1, {grad.dtype(), grad.device()});
        const Tensor counts = index_add(zeros(Dims{table_sizes[0]}, options_of(grad)), 0, flat, ones);
        rows = rows / unsqueeze(index_select(counts, 0, flat), 1);
    }
    return index_add_to_zeros(table_sizes, 0, flat, rows);
}

}  // namespace

Tensor embedding(const Tensor& weight, const Tensor& indices, int64_t padding_idx, bool scale_grad_by_freq,
                 bool sparse) {
    check(weight.dim() == 2, "'weight' must be 2-D");
    check(indices.dtype() == DType::int64 || indices.dtype() == DType::int32,
          "Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; "
          "but got torch.",
          info(indices.dtype()).class_name, " instead (while checking arguments for embedding)");
    check(!sparse || !gradients_wanted({weight}), "sparse gradients need sparse tensors; use sparse=False");
    Dims sizes = indices.sizes();
    sizes.push_back(weight.sizes()[1]);
    Tensor result;
    {
        const GradientsEnabled off(false);
        result = reshape(index_select(weight, 0, reshape(indices, Dims{indices.numel()})), sizes);
    }
    return record("EmbeddingBackward0", {weight}, result, [&] {
        return [indices = Saved(to(indices, DType::int64)), sizes = weight.sizes(), padding_idx,
                scale_grad_by_freq](const Tensor& grad) -> Gradients {
            return {embedding_gradient(grad, indices.get(), sizes, padding_idx, scale_grad_by_freq)};
        };
    });
}

namespace {

const Register embedding_op{
    "embedding(Tensor weight, Tensor indices, int padding_idx=-1, bool scale_grad_by_freq=False, bool "
    "sparse=False) -> "
    "Tensor",
    embedding,
    {.variants = function, .doc = R"(Rows of weight (V, D) by int32 or int64 indices (*): a tensor (*, D).

Row padding_idx gets no gradient; scale_grad_by_freq divides a row's gradient by its number of uses. Raises IndexError out of
range.

    >>> rushlight.embedding(rushlight.tensor([[1., 2.], [3., 4.]]), rushlight.tensor([1, 0]))
    tensor([[3., 4.],
            [1., 2.]])
)"}};

}  // namespace
}  // namespace rl::ops
