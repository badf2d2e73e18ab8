// Joining and repeating: cat, stack, repeat, tile, repeat_interleave.
#include <algorithm>

#include "autograd/record.h"
#include "core/gil.h"
#include "kernels/rearrange.h"
#include "ops/arithmetic.h"
#include "ops/conversion.h"
#include "ops/creation.h"
#include "ops/indexing.h"
#include "ops/reduction.h"
#include "ops/registry.h"
#include "ops/shape_ops.h"
#include "ops/views.h"

namespace rl::ops {
namespace {

// A tensor of shape [0] joins anything, for the sake of old programs.
bool is_skipped(const Tensor& tensor) {
    return tensor.dim() == 1 && tensor.numel() == 0;
}

Dims check_joinable(const TensorList& tensors, int64_t& dim) {
    check<ValueError>(!tensors.empty(), "torch.cat(): expected a non-empty list of Tensors");
    const Tensor* model = nullptr;
    for (size_t i = 0; i < tensors.size(); ++i) {
        check(tensors[i].dim() > 0, "zero-dimensional tensor (at position ", i, ") cannot be concatenated");
        if (model == nullptr && !is_skipped(tensors[i])) model = &tensors[i];
    }
    if (model == nullptr) model = &tensors[0];
    dim = wrap_dim(dim, model->dim());
    Dims sizes = model->sizes();
    sizes[dim] = 0;
    for (size_t i = 0; i < tensors.size(); ++i) {
        if (is_skipped(tensors[i])) continue;
        check(tensors[i].dim() == model->dim(), "Tensors must have same number of dimensions: got ",
              model->dim(), " and ", tensors[i].dim());
        for (int64_t d = 0; d < model->dim(); ++d) {
            if (d == dim) continue;
            check(tensors[i].sizes()[d] == sizes[d], "Sizes of tensors must match except in dimension ", dim,
                  ". Expected size ", sizes[d], " but got size ", tensors[i].sizes()[d],
                  " for tensor number ", i, " in the list.");
        }
        sizes[dim] += tensors[i].sizes()[dim];
    }
    return sizes;
}

bool all_channels_last(const TensorList& tensors) {
    return std::all_of(tensors.begin(), tensors.end(), [](const Tensor& tensor) {
        return !tensor.is_contiguous() && is_channels_last(tensor.sizes(), tensor.strides());
    });
}

// Copies contiguous tensors of one type into contiguous memory, each `rows` lines; false where they are not
// that, or are joined as a whole.
bool join_rows(const TensorList& tensors, int64_t rows, const Tensor& result) {
    if (rows <= 1 || result.is_meta() || !result.is_contiguous()) return false;
    InlineVector<kernels::JoinedPart, 8> parts;
    for (const Tensor& tensor : tensors) {
        if (tensor.is_meta() || !tensor.is_contiguous() || tensor.dtype() != result.dtype()) return false;
        if (is_skipped(tensor)) continue;
        parts.push_back({tensor.raw_data(), tensor.numel() / rows * item_size(tensor.dtype())});
    }
    const GilRelease released(result.numel());
    kernels::join_lines(result.raw_data(), parts.data(), static_cast<int64_t>(parts.size()), rows);
    return true;
}

// The positions before a dimension.
int64_t rows_before(const Dims& sizes, int64_t dim) {
    int64_t rows = 1;
    for (int64_t d = 0; d < dim; ++d) rows *= sizes[d];
    return rows;
}

// Copies the tensors into new memory, one after the other along a dimension.
Tensor join(const TensorList& tensors, int64_t dim, const Dims& sizes) {
    const TensorOptions options{result_type(tensors), tensors[0].device()};
    const MemoryFormat channels_last =
        sizes.size() == 4 ? MemoryFormat::channels_last : MemoryFormat::channels_last_3d;
    const Tensor result = all_channels_last(tensors)
                              ? empty_strided(sizes, strides_for(sizes, channels_last), options)
                              : empty(sizes, options);
    if (join_rows(tensors, rows_before(sizes, dim), result)) return result;
    int64_t start = 0;
    for (const Tensor& tensor : tensors) {
        if (is_skipped(tensor)) continue;
        copy_data(alias(result, tensor.sizes(), result.strides(), start * result.strides()[dim]), tensor);
        start += tensor.sizes()[dim];
    }
    return result;
}

}  // namespace

Tensor cat(const TensorList& tensors, int64_t dim) {
    const Dims sizes = check_joinable(tensors, dim);
    return record("CatBackward0", tensors, join(tensors, dim, sizes), [&] {
        Dims lengths;
        for (const Tensor& tensor : tensors) lengths.push_back(is_skipped(tensor) ? -1 : tensor.sizes()[dim]);
        return [lengths, dim](const Tensor& grad, const Needs& needs) -> Gradients {
            Gradients parts;
            int64_t start = 0;
            for (size_t i = 0; i < lengths.size(); ++i) {
                const bool skipped = lengths[i] < 0;
                if (!needs[i]) {
                    parts.push_back(Tensor());
                } else {
                    parts.push_back(skipped ? zeros(Dims{0}, options_of(grad))
                                            : narrow(grad, dim, start, lengths[i]));
                }
                if (!skipped) start += lengths[i];
            }
            return parts;
        };
    });
}

Tensor stack(const TensorList& tensors, int64_t dim) {
    check(!tensors.empty(), "stack expects a non-empty TensorList");
    const int64_t place = wrap_dim(dim, tensors[0].dim() + 1);
    const Dims& sizes = tensors[0].sizes();
    for (size_t i = 0; i < tensors.size(); ++i) {
        check(tensors[i].sizes() == sizes, "stack expects each tensor to be equal size, but got ",
              to_string(sizes), " at entry 0 and ", to_string(tensors[i].sizes()), " at entry ", i);
    }
    Dims stacked = sizes;
    stacked.insert(static_cast<size_t>(place), static_cast<int64_t>(tensors.size()));
    const Tensor result = empty(stacked, {result_type(tensors), tensors[0].device()});
    Dims strides = result.strides();
    const int64_t step = strides[place];
    strides.erase(static_cast<size_t>(place));
    const bool joined = join_rows(tensors, rows_before(stacked, place), result);
    for (size_t i = 0; i < tensors.size() && !joined; ++i) {
        copy_data(alias(result, sizes, strides, static_cast<int64_t>(i) * step), tensors[i]);
    }
    return record("StackBackward0", tensors, result, [&] {
        return [place](const Tensor& grad) -> Gradients {
            Gradients parts;
            for (const Tensor& part : unbind(grad, place)) parts.push_back(part);
            return parts;
        };
    });
}

namespace {

// Each dimension as a pair, [repeats, size]: with the first of a pair expanded, a tensor reads as repeated.
Dims paired(const Dims& first, const Dims& second) {
    Dims sizes;
    for (size_t d = 0; d < second.size(); ++d) {
        sizes.push_back(first[d]);
        sizes.push_back(second[d]);
    }
    return sizes;
}

}  // namespace

Tensor repeat(const Tensor& self, const Dims& repeats) {
    check(repeats.size() >= self.sizes().size(),
          "Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor");
    Dims padded(repeats.size() - self.sizes().size(), 1);
    for (const int64_t size : self.sizes()) padded.push_back(size);
    Dims sizes;
    for (size_t d = 0; d < repeats.size(); ++d) sizes.push_back(repeats[d] * padded[d]);
    const Tensor result = empty(sizes, options_of(self));
    {
        const GradientsEnabled disabled(false);
        const Dims pairs = paired(repeats, padded);
        const Tensor source = reshape(self, paired(Dims(repeats.size(), 1), padded));
        if (result.numel() > 0) copy_data(alias(result, pairs, contiguous_strides(pairs), 0), source);
    }
    return record("RepeatBackward0", {self}, result, [&] {
        return [repeats, padded, whole = self.sizes()](const Tensor& grad) -> Gradients {
            Dims summed;
            for (size_t d = 0; d < repeats.size(); ++d) summed.push_back(static_cast<int64_t>(2 * d));
            if (summed.empty()) return {grad};
            return {reshape(sum(reshape(grad, paired(repeats, padded)), summed), whole)};
        };
    });
}

namespace {

Tensor tile(const Tensor& self, const Dims& dims) {
    Dims repeats;
    for (size_t d = dims.size(); d < self.sizes().size(); ++d) repeats.push_back(1);
    for (const int64_t count : dims) repeats.push_back(count);
    return repeat(self, repeats);
}

// 0, 0, 1, 1, 1, ...: each index as often as `repeats` says.
Tensor repeated_indices(const Tensor& repeats, const std::optional<int64_t>& output_size) {
    check<NotImplemented>(repeats.dtype() == DType::int64 || repeats.dtype() == DType::int32,
                          "\"repeat_interleave_cpu\" not implemented for '",
                          info(repeats.dtype()).scalar_name, "'");
    check(repeats.dim() == 1, "repeat_interleave only accept 1D vector as repeat");
    const Tensor counts = contiguous_data(repeats, DType::int64);
    const int64_t* const count = counts.data<int64_t>();
    int64_t total = 0;
    for (int64_t i = 0; i < counts.numel(); ++i) {
        check(count[i] >= 0, "repeats can not be negative");
        total += count[i];
    }
    check(!output_size || *output_size == total, "allocated size does not match required size");
    const Tensor result = empty(Dims{total}, {DType::int64, repeats.device()});
    int64_t* target = result.data<int64_t>();
    for (int64_t i = 0; i < counts.numel(); ++i) target = std::fill_n(target, count[i], i);
    return contiguous_data(result, repeats.dtype());
}

Tensor repeat_interleave_tensor(const Tensor& self, const Tensor& repeats, const std::optional<int64_t>& dim,
                                const std::optional<int64_t>& output_size) {
    const Tensor input = dim ? self : reshape(self, {-1});
    const int64_t along = dim ? wrap_dim(*dim, self.dim()) : 0;
    check(repeats.dim() <= 1, "repeats must be 0-dim or 1-dim tensor");
    const int64_t length = input.dim() == 0 ? 1 : input.sizes()[along];
    const bool same_for_all = repeats.dim() == 0 || (repeats.dim() == 1 && repeats.sizes()[0] == 1);
    check(same_for_all || repeats.sizes()[0] == length,
          "repeats must have the same size as input along dim, but got repeats.size(0) = ",
          repeats.dim() == 0 ? 0 : repeats.sizes()[0], " and input.size(", along, ") = ", length);
    const Tensor counts = same_for_all ? expand(reshape(repeats, {1}), Dims{length}) : repeats;
    return index_select(input, along, repeated_indices(counts, output_size));
}

Tensor repeat_interleave_int(const Tensor& self, int64_t repeats, const std::optional<int64_t>& dim,
                             const std::optional<int64_t>& output_size) {
    check(repeats >= 0, "Repeats must be non-negative");
    const Tensor input = self.dim() == 0 || !dim ? reshape(self, {-1}) : self;
    const int64_t along = dim ? wrap_dim(*dim, input.dim()) : 0;
    Dims sizes = input.sizes(), spread;
    check(!output_size || *output_size == sizes[along] * repeats,
          "repeat_interleave: Invalid output_size, expected ", sizes[along] * repeats, " but got ",
          output_size.value_or(0));
    for (int64_t d = 0; d < input.dim(); ++d) {
        spread.push_back(sizes[d]);
        if (d == along) spread.push_back(repeats);
    }
    sizes[along] *= repeats;
    return reshape(clone(expand(unsqueeze(input, along + 1), spread), MemoryFormat::contiguous), sizes);
}

Tensor repeat_indices(const Tensor& repeats, const std::optional<int64_t>& output_size) {
    return repeated_indices(repeats, output_size);
}

}  // namespace

Tensor repeat_interleave(const Tensor& self, int64_t repeats, const std::optional<int64_t>& dim) {
    return repeat_interleave_int(self, repeats, dim, {});
}

namespace {

const Register cat_op{
    "cat(Tensor[] tensors, int dim=0) -> Tensor", cat, {.variants = function | out, .doc = R"(
The tensors one after the other along a dimension; types promote. Raises RuntimeError where other sizes differ,
ValueError for an empty list.

>>> torch.cat([torch.zeros(1, 2), torch.ones(2, 2)])
tensor([[0., 0.],
        [1., 1.],
        [1., 1.]])
)"}};
const Register concat_op{"concat(Tensor[] tensors, int dim=0) -> Tensor",
                         cat,
                         {.variants = function | out, .doc = "Another name of `cat`."}};
const Register concatenate_op{"concatenate(Tensor[] tensors, int dim=0) -> Tensor",
                              cat,
                              {.variants = function | out, .doc = "Another name of `cat`."}};
const Register stack_op{
    "stack(Tensor[] tensors, int dim=0) -> Tensor", stack, {.variants = function | out, .doc = R"(
Tensors of equal shape along a new dimension. Raises RuntimeError where shapes differ.

>>> torch.stack([torch.tensor([1, 2]), torch.tensor([3, 4])], dim=1)
tensor([[1, 3],
        [2, 4]])
)"}};
const Register repeat_op{
    "repeat(Tensor self, int[] repeats) -> Tensor", repeat, {.variants = method, .doc = R"(
A copy with each dimension repeated; more counts than dimensions add dimensions in front.

>>> torch.tensor([1, 2]).repeat(2, 2)
tensor([[1, 2, 1, 2],
        [1, 2, 1, 2]])
)"}};
const Register tile_op{"tile(Tensor self, int[] dims) -> Tensor", tile, {.doc = R"(
As `repeat`, with missing counts taken as one.

>>> torch.tensor([[1], [2]]).tile(2)
tensor([[1, 1],
        [2, 2]])
)"}};
const Register repeat_interleave_int_op{
    "repeat_interleave.self_int(Tensor self, int repeats, int? dim=None, *, int? output_size=None) -> Tensor",
    repeat_interleave_int,
    {.doc = R"(
Each index of a dimension (of all elements in a row, where none is given) repeated: as often as one number says, or
each as often as a tensor of counts says. Raises RuntimeError for negative counts.

>>> torch.tensor([1, 2]).repeat_interleave(torch.tensor([1, 3]))
tensor([1, 2, 2, 2])
)"}};
const Register repeat_interleave_tensor_op{
    "repeat_interleave.self_Tensor(Tensor self, Tensor repeats, int? dim=None, *, int? output_size=None) -> "
    "Tensor",
    repeat_interleave_tensor,
    {.doc = "Each index as often as a tensor says."}};
const Register repeat_indices_op{
    "repeat_interleave.Tensor(Tensor repeats, *, int? output_size=None) -> Tensor",
    repeat_indices,
    {.variants = function, .doc = "Indices, each as often as the tensor says.", .differentiable = false}};

}  // namespace
}  // namespace rl::ops
