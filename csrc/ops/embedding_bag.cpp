// Bags of embeddings: the sum, mean or maximum of the rows of a table that each bag names.
#include "kernels/embedding_bag.h"

#include <vector>

#include "autograd/record.h"
#include "core/gil.h"
#include "kernels/index.h"
#include "ops/arithmetic.h"
#include "ops/comparison.h"
#include "ops/conversion.h"
#include "ops/creation.h"
#include "ops/indexing.h"
#include "ops/reduction.h"
#include "ops/registry.h"
#include "ops/selection.h"
#include "ops/shape_ops.h"
#include "ops/views.h"

namespace rl::ops {
namespace {

using kernels::BagMode;

struct Bags {
    Tensor indices, starts;  // int64, contiguous; starts has an element more than there are bags
    BagMode mode;
    int64_t padding;
    bool by_frequency;
    int64_t count() const { return starts.numel() - 1; }
};

kernels::BagProblem problem_of(const Tensor& table, const Tensor& scales, const Bags& bags) {
    return {table.dtype(),
            bags.mode,
            table.raw_data(),
            table.size(0),
            table.size(1),
            bags.indices.data<int64_t>(),
            bags.starts.data<int64_t>(),
            bags.count(),
            bags.padding,
            data_or_null(scales)};
}

Tensor table_gradient(const Tensor& grad, const Tensor& table, const Tensor& scales, const Tensor& places,
                      const Bags& bags) {
    const Tensor g = contiguous_data(grad, table.dtype()), t = contiguous_data(table);
    const Tensor result = zeros(table.sizes(), options_of(table));
    if (result.numel() == 0 || grad.numel() == 0 || result.is_meta()) return result;
    const GilRelease released(bags.indices.numel() * table.size(1));
    kernels::embedding_bag_kernels().table_gradient(problem_of(t, scales, bags), g.raw_data(),
                                                    places.defined() ? places.data<int64_t>() : nullptr,
                                                    bags.by_frequency, result.raw_data());
    return result;
}

Tensor scale_gradient(const Tensor& grad, const Tensor& table, const Tensor& scales, const Bags& bags) {
    const Tensor g = contiguous_data(grad, table.dtype()), t = contiguous_data(table);
    const Tensor result = zeros(scales.sizes(), options_of(scales));
    const GilRelease released(bags.indices.numel() * table.size(1));
    kernels::embedding_bag_kernels().scale_gradient(problem_of(t, {}, bags), g.raw_data(), result.raw_data());
    return result;
}

// The same gradients in differentiable operators, for those that are to be differentiated again.
Gradients composed_gradients(const Tensor& grad, const Tensor& table, const Tensor& scales,
                             const Tensor& places, const Bags& bags) {
    const Tensor zero = zeros(table.sizes(), options_of(table));
    if (bags.mode == BagMode::max) {
        const Tensor none = lt(places, wrap_number(0));
        return {
            scatter_add(zero, 0, masked_fill(places, none, Scalar(0)), masked_fill(grad, none, Scalar(0))),
            Tensor()};
    }
    const Tensor lengths = narrow(bags.starts, 0, 1, bags.count()) - narrow(bags.starts, 0, 0, bags.count());
    std::vector<int64_t> bag_of;
    for (int64_t b = 0; b < bags.count(); ++b)
        bag_of.insert(bag_of.end(), static_cast<size_t>(lengths.data<int64_t>()[b]), b);
    const Tensor owners = empty(Dims{static_cast<int64_t>(bag_of.size())}, {DType::int64, {}});
    std::copy(bag_of.begin(), bag_of.end(), owners.data<int64_t>());
    const Tensor used = narrow(bags.indices, 0, 0, owners.numel());
    const Tensor present = to(ne(used, wrap_number(bags.padding)), table.dtype());
    Tensor share = present;
    if (bags.mode == BagMode::mean) {
        const Tensor sizes = index_add(zeros(Dims{bags.count()}, options_of(table)), 0, owners, present);
        share = share / index_select(sizes, 0, owners);
        share = masked_fill(share, eq(used, wrap_number(bags.padding)), Scalar(0));
    }
    if (bags.by_frequency) {
        const Tensor ones = full(used.sizes(), 1, options_of(table));
        const Tensor counts = index_add(zeros(Dims{table.size(0)}, options_of(table)), 0, used, ones);
        share = share / index_select(counts, 0, used);
    }
    const Tensor arriving = index_select(grad, 0, owners);
    const int64_t rest = bags.indices.numel() - owners.numel();
    const Tensor scaled = scales.defined() ? share * narrow(scales, 0, 0, owners.numel()) : share;
    Gradients result{index_add(zero, 0, used, arriving * unsqueeze(scaled, 1)), Tensor()};
    if (!scales.defined()) return result;
    const Tensor products = sum(index_select(table, 0, used) * arriving, Dims{-1}) * present;
    result[1] = cat({products, zeros(Dims{rest}, options_of(products))}, 0);
    return result;
}

void check_bags(const Tensor& weight, const Tensor& indices, const Tensor& offsets, int64_t mode,
                const Tensor& scales, bool include_last_offset) {
    for (const Tensor& tensor : {indices, offsets})
        check(tensor.dtype() == DType::int64 || tensor.dtype() == DType::int32,
              "Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, "
              "Int; but got torch.",
              info(tensor.dtype()).class_name, " instead (while checking arguments for embedding_bag)");
    check(is_floating(weight.dtype()),
          "Expected tensor for argument #1 'weight' to have one of the following scalar types: Half, "
          "BFloat16, Float, Double; but got torch.",
          info(weight.dtype()).class_name, " instead (while checking arguments for embedding_bag)");
    check(weight.dim() == 2 && indices.dim() == 1 && offsets.dim() == 1,
          "embedding_bag: expected a weight of two dimensions, indices and offsets of one");
    check(mode >= 0 && mode <= 2, "embedding_bag: mode must be 0 (sum), 1 (mean) or 2 (max), got ", mode);
    check(!include_last_offset || offsets.numel() >= 1,
          "include_last_offset: number of offset should be at least 1");
    if (!scales.defined()) return;
    check(scales.dtype() == weight.dtype(),
          "Expected tensor for argument #1 'weight' to have the same type as tensor for argument #1 "
          "'per_sample_weights'; but type torch.",
          info(weight.dtype()).class_name, " does not equal torch.", info(scales.dtype()).class_name,
          " (while checking arguments for embedding_bag)");
    check(scales.dim() == 1 && scales.numel() == indices.numel(),
          "embedding_bag: expected per_sample_weights of the shape of indices");
    check(mode == 0, "embedding_bag: per_sample_weights only supported with mode='sum'");
}

// Where each bag starts, and the end of the last one.
Tensor starts_of(const Tensor& offsets, int64_t uses, bool include_last_offset) {
    const int64_t given = offsets.numel();
    const Tensor wide = contiguous_data(offsets, DType::int64);
    const Tensor starts =
        empty(Dims{include_last_offset ? given : given + 1}, {DType::int64, offsets.device()});
    if (starts.is_meta()) return starts;
    int64_t* const first = starts.data<int64_t>();
    std::copy_n(wide.data<int64_t>(), given, first);
    if (!include_last_offset) first[given] = uses;
    check(first[0] == 0 || given == 0,
          "offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from position 0. "
          "However, got ",
          first[0]);
    for (int64_t b = 0; b + 1 < starts.numel(); ++b)
        check(first[b] <= first[b + 1], "embedding_bag: offsets must not decrease, but offset ", b, " is ",
              first[b], " and is followed by ", first[b + 1]);
    check(first[starts.numel() - 1] <= uses, "offsets[-1] can not be greater than input's length(", uses,
          ") but got offsets[-1] of ", first[starts.numel() - 1]);
    if (given == 0) first[0] = 0;
    return starts;
}

void check_indices(const Tensor& indices, int64_t rows) {
    const int64_t* const values = indices.data<int64_t>();
    const int64_t bad = kernels::index_kernels().find_out_of_range(values, indices.numel(), 0, rows);
    check(bad < 0, "embedding_bag: Expected idx >= 0 && idx < num_embeddings but found idx to be ",
          bad < 0 ? 0 : values[bad]);
}

Tensor embedding_bag(const Tensor& weight, const Tensor& given_indices, const Tensor& offsets,
                     bool scale_grad_by_freq, int64_t mode, const Tensor& per_sample_weights,
                     bool include_last_offset, int64_t padding_idx) {
    check_bags(weight, given_indices, offsets, mode, per_sample_weights, include_last_offset);
    Bags bags{contiguous_data(given_indices, DType::int64),
              starts_of(offsets, given_indices.numel(), include_last_offset), static_cast<BagMode>(mode),
              padding_idx, scale_grad_by_freq};
    const Dims sizes{bags.count(), weight.size(1)};
    const Tensor result = empty(sizes, options_of(weight));
    Tensor places;
    if (bags.mode == BagMode::max) places = empty(sizes, {DType::int64, weight.device()});
    const Tensor scales = per_sample_weights.defined() ? contiguous_data(per_sample_weights) : Tensor();
    if (!result.is_meta()) {
        check_indices(bags.indices, weight.size(0));
        const Tensor table = contiguous_data(weight);
        const GilRelease released(bags.indices.numel() * weight.size(1));
        kernels::embedding_bag_kernels().forward(problem_of(table, scales, bags), result.raw_data(),
                                                 places.defined() ? places.data<int64_t>() : nullptr);
    }
    return record("EmbeddingBagBackward0", {weight, per_sample_weights}, result, [&] {
        return [weight = Saved(weight),
                scales = per_sample_weights.defined() ? Saved(per_sample_weights) : Saved(), places,
                bags](const Tensor& grad, const Needs& needs) -> Gradients {
            const Tensor table = weight.get(), factors = scales.defined() ? scales.get() : Tensor();
            if (gradients_wanted({grad, table, factors}))
                return composed_gradients(grad, table, factors, places, bags);
            const Tensor dense = factors.defined() ? contiguous_data(factors) : Tensor();
            return {needs[0] ? table_gradient(grad, table, dense, places, bags) : Tensor(),
                    needs[1] ? scale_gradient(grad, table, dense, bags) : Tensor()};
        };
    });
}

const Register embedding_bag_op{
    "_embedding_bag_pooled(Tensor weight, Tensor indices, Tensor offsets, bool scale_grad_by_freq=False, int "
    "mode=0, Tensor? per_sample_weights=None, bool include_last_offset=False, int padding_idx=-1) -> Tensor",
    embedding_bag,
    {.variants = 0,
     .doc = R"(
The sums (mode 0), means (1) or maxima (2) of the rows of weight (V, D) that bags of int32 or int64 indices (N) name: (B, D).

Bag b starts at offsets[b]; with include_last_offset the last offset ends the last bag. per_sample_weights (N) scale the
rows of sums. Uses of row padding_idx are left out, and empty bags are zero. Raises RuntimeError for indices out of range.

>>> weight = torch.tensor([[1., 2.], [3., 4.]])
>>> torch._C._embedding_bag_pooled(weight, torch.tensor([0, 1]), torch.tensor([0]))
tensor([[4., 6.]])
)",
     .dtypes = "floating"}};

}  // namespace
}  // namespace rl::ops
