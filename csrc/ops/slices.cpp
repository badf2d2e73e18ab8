// Views of parts of a tensor: one index, a range, a diagonal, windows, pieces, any strides.
#include <algorithm>

#include "autograd/record.h"
#include "ops/arithmetic.h"
#include "ops/creation.h"
#include "ops/indexing.h"
#include "ops/registry.h"
#include "ops/shape_ops.h"
#include "ops/views.h"

namespace rl::ops {
namespace {

// The gradient of a view of distinct elements: zeros with `grad` where the view was.
template <class View>
Tensor place(const char* name, const Tensor& grad, const Dims& sizes, View view) {
    const Tensor result = zeros(sizes, options_of(grad));
    {
        const GradientsEnabled disabled(false);
        copy_data(view(result), grad);
    }
    return record(name, {grad}, result, [&] {
        return [view](const Tensor& grad_of_grad) -> Gradients { return {view(grad_of_grad)}; };
    });
}

Tensor with_zeros(const Tensor& grad, const Dims& sizes, const TensorOptions& options) {
    return grad.defined() ? grad : zeros(sizes, options);
}

}  // namespace

Tensor select(const Tensor& self, int64_t dim, int64_t index) {
    check<IndexError>(self.dim() > 0, "select() cannot be applied to a 0-dim tensor.");
    const int64_t d = wrap_dim(dim, self.dim());
    const int64_t size = self.sizes()[d];
    check<IndexError>(index >= -size && index < size, "select(): index ", index,
                      " out of range for tensor of size ", to_string(self.sizes()), " at dimension ", d);
    const int64_t at = index < 0 ? index + size : index;
    Dims sizes, strides;
    for (int64_t k = 0; k < self.dim(); ++k) {
        if (k == d) continue;
        sizes.push_back(self.sizes()[k]);
        strides.push_back(self.strides()[k]);
    }
    const int64_t offset = self.offset() + at * self.strides()[d];
    return record_view("SelectBackward0", self, alias(self, sizes, strides, offset), [&] {
        return [whole = self.sizes(), d, at](const Tensor& grad) -> Gradients {
            return {place("SelectBackwardBackward0", grad, whole,
                          [d, at](const Tensor& tensor) { return select(tensor, d, at); })};
        };
    });
}

Tensor slice(const Tensor& self, int64_t dim, std::optional<int64_t> start, std::optional<int64_t> end,
             int64_t step) {
    check<IndexError>(self.dim() > 0, "slice() cannot be applied to a 0-dim tensor.");
    const int64_t d = wrap_dim(dim, self.dim());
    check(step > 0, "slice step must be positive");
    const int64_t size = self.sizes()[d];
    const auto bound = [size](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + size : at, 0, size); };
    const int64_t first = bound(start.value_or(0));
    const int64_t last = std::max(first, bound(end.value_or(size)));
    Dims sizes = self.sizes(), strides = self.strides();
    sizes[d] = (last - first) / step + ((last - first) % step != 0);
    const int64_t offset = self.offset() + first * strides[d];
    strides[d] *= step;
    return record_view("SliceBackward0", self, alias(self, sizes, strides, offset), [&] {
        return [whole = self.sizes(), d, first, last, step](const Tensor& grad) -> Gradients {
            return {place("SliceBackwardBackward0", grad, whole,
                          [=](const Tensor& tensor) { return slice(tensor, d, first, last, step); })};
        };
    });
}

Tensor narrow(const Tensor& self, int64_t dim, int64_t start, int64_t length) {
    check(self.dim() > 0, "narrow() cannot be applied to a 0-dim tensor.");
    check(length >= 0, "narrow(): length must be non-negative.");
    const int64_t size = self.size(dim);
    check<IndexError>(start >= -size && start <= size, "start out of range (expected to be in range of [",
                      -size, ", ", size, "], but got ", start, ")");
    const int64_t first = start < 0 ? start + size : start;
    check(first <= size - length, "start (", first, ") + length (", length, ") exceeds dimension size (",
          size, ").");
    return slice(self, dim, first, first + length);
}

Tensor diagonal_backward(const Tensor& grad, const Dims& sizes, int64_t offset, int64_t dim1, int64_t dim2) {
    return place("DiagonalBackwardBackward0", grad, sizes,
                 [=](const Tensor& tensor) { return diagonal(tensor, offset, dim1, dim2); });
}

Tensor diagonal(const Tensor& self, int64_t offset, int64_t dim1, int64_t dim2) {
    const int64_t rows = wrap_dim(dim1, self.dim()), columns = wrap_dim(dim2, self.dim());
    check(rows != columns, "diagonal dimensions cannot be identical ", dim1, ", ", dim2);
    const int64_t length = offset >= 0 ? std::min(self.sizes()[rows], self.sizes()[columns] - offset)
                                       : std::min(self.sizes()[rows] + offset, self.sizes()[columns]);
    Dims sizes, strides;
    for (int64_t k = 0; k < self.dim(); ++k) {
        if (k == rows || k == columns) continue;
        sizes.push_back(self.sizes()[k]);
        strides.push_back(self.strides()[k]);
    }
    sizes.push_back(std::max<int64_t>(length, 0));
    strides.push_back(self.strides()[rows] + self.strides()[columns]);
    const int64_t lead = offset >= 0 ? offset * self.strides()[columns] : -offset * self.strides()[rows];
    const int64_t first = self.offset() + (length > 0 ? lead : 0);
    return record_view("DiagonalBackward0", self, alias(self, sizes, strides, first), [&] {
        return [whole = self.sizes(), offset, rows, columns](const Tensor& grad) -> Gradients {
            return {diagonal_backward(grad, whole, offset, rows, columns)};
        };
    });
}

namespace {

// Adds windows back where `unfold` took them from.
Tensor unfold_backward(const Tensor& grad, const Dims& sizes, int64_t dim, int64_t size, int64_t step) {
    const Tensor result = zeros(sizes, options_of(grad));
    {
        const GradientsEnabled disabled(false);
        const int64_t windows = grad.sizes()[dim];
        for (int64_t k = 0; k < size; ++k) {
            const Tensor target = slice(result, dim, k, k + (windows - 1) * step + 1, step);
            copy_data(target, add(target, select(grad, -1, k)));
        }
    }
    return record("UnfoldBackwardBackward0", {grad}, result, [&] {
        return [dim, size, step](const Tensor& grad_of_grad) -> Gradients {
            return {unfold(grad_of_grad, dim, size, step)};
        };
    });
}

}  // namespace

Tensor unfold(const Tensor& self, int64_t dimension, int64_t size, int64_t step) {
    const int64_t d = wrap_dim(dimension, self.dim());
    const int64_t whole = self.dim() == 0 ? 1 : self.sizes()[d];
    check(size >= 0, "size is ", size, " but must be >= 0");
    check(size <= whole, "maximum size for tensor at dimension ", dimension, " is ", whole, " but size is ",
          size);
    check(step > 0, "step is ", step, " but must be > 0");
    Dims sizes = self.sizes(), strides = self.strides();
    const int64_t stride = self.dim() == 0 ? 1 : strides[d];
    if (self.dim() > 0) {
        sizes[d] = (whole - size) / step + 1;
        strides[d] *= step;
    }
    sizes.push_back(size);
    strides.push_back(stride);
    return record_view("UnfoldBackward0", self, alias(self, sizes, strides, self.offset()), [&] {
        return [old = self.sizes(), d, size, step](const Tensor& grad) -> Gradients {
            if (old.empty()) return {reshape(grad, old)};
            return {unfold_backward(grad, old, d, size, step)};
        };
    });
}

namespace {

struct Geometry {
    Dims sizes, strides;
    int64_t offset;

    int64_t end() const {
        int64_t reach = offset + 1;
        for (size_t d = 0; d < sizes.size(); ++d) reach += (sizes[d] - 1) * strides[d];
        return reach;
    }
};
Geometry geometry_of(const Tensor& tensor) {
    return {tensor.sizes(), tensor.strides(), tensor.offset()};
}

// Adds the elements of `source` into zeroed memory by one geometry and reads that memory by another.
Tensor transfer(const Tensor& source, const Geometry& from, const Geometry& to) {
    const int64_t begin = std::min(from.offset, to.offset);
    const int64_t length = std::max<int64_t>(std::max(from.end(), to.end()) - begin, 0);
    Tensor memory = zeros(Dims{length}, options_of(source));
    const Tensor result = empty(to.sizes, options_of(source));
    {
        const GradientsEnabled disabled(false);
        if (source.numel() > 0 && may_overlap_itself(from.sizes, from.strides)) {
            const Tensor places = arange(length);
            const Tensor index = alias(places, from.sizes, from.strides, from.offset - begin);
            memory = index_add(memory, 0, reshape(index, {-1}), reshape(source, {-1}));
        } else if (source.numel() > 0) {
            copy_data(alias(memory, from.sizes, from.strides, from.offset - begin), source);
        }
        if (result.numel() > 0) copy_data(result, alias(memory, to.sizes, to.strides, to.offset - begin));
    }
    return record("AsStridedBackwardBackward0", {source}, result, [&] {
        return [from, to](const Tensor& grad) -> Gradients { return {transfer(grad, to, from)}; };
    });
}

}  // namespace

Tensor as_strided(const Tensor& self, const Dims& size, const Dims& stride,
                  std::optional<int64_t> storage_offset) {
    check(size.size() == stride.size(), "mismatch in length of strides and shape");
    for (const int64_t extent : size) {
        check(extent >= 0, "Storage size calculation overflowed with sizes=", to_string(size),
              " and strides=", to_string(stride));
    }
    const Tensor result = over_storage(self->storage, size, stride, storage_offset.value_or(self.offset()),
                                       self.dtype(), self.device());
    return record_view("AsStridedBackward0", self, result, [&] {
        return [whole = geometry_of(self), part = geometry_of(result)](const Tensor& grad) -> Gradients {
            return {transfer(grad, part, whole)};
        };
    });
}

namespace {

Tensor as_strided_(const Tensor& self, const Dims& size, const Dims& stride,
                   std::optional<int64_t> storage_offset) {
    return take_geometry(self, as_strided(self, size, stride, storage_offset));
}

Tensor slice_op_function(const Tensor& self, int64_t dim, std::optional<int64_t> start,
                         std::optional<int64_t> end, int64_t step) {
    return slice(self, dim, start, end, step);
}

Tensor narrow_tensor(const Tensor& self, int64_t dim, const Tensor& start, int64_t length) {
    check(start.dim() == 0 && is_integral(start.dtype()), "start must be an 0-dim integral Tensor.");
    return narrow(self, dim, start.item().to_int(), length);
}

// The pieces of one dimension with the given lengths, as views of one call.
TensorList pieces(const char* name, const Tensor& self, const Dims& lengths, int64_t dim) {
    TensorList parts;
    parts.reserve(lengths.size());
    int64_t start = 0;
    for (const int64_t length : lengths) {
        Dims sizes = self.sizes();
        sizes[dim] = length;
        parts.push_back(alias(self, sizes, self.strides(), self.offset() + start * self.strides()[dim]));
        mark_view(self, parts.back(), ViewKind::multiple_output);
        start += length;
    }
    record(name, {self}, parts, [&] {
        return [lengths, dim, whole = self.sizes(),
                options = options_of(self)](const Gradients& grads) -> Gradients {
            TensorList filled;
            for (size_t i = 0; i < lengths.size(); ++i) {
                Dims sizes = whole;
                sizes[dim] = lengths[i];
                filled.push_back(with_zeros(grads[i], sizes, options));
            }
            return {cat(filled, dim)};
        };
    });
    return parts;
}

TensorList split_evenly(const Tensor& self, int64_t split_size, int64_t dim) {
    const int64_t size = self.sizes()[dim];
    Dims lengths;
    for (int64_t start = 0; start == 0 || start < size; start += split_size) {
        lengths.push_back(std::min(split_size, size - start));
        if (split_size == 0) break;
    }
    return pieces("SplitBackward0", self, lengths, dim);
}

}  // namespace

TensorList split(const Tensor& self, int64_t split_size, int64_t dim) {
    check(self.dim() > 0, "split expects at least a 1-dimensional tensor");
    check(split_size >= 0, "split expects split_size be non-negative, but got split_size=", split_size);
    const int64_t d = wrap_dim(dim, self.dim());
    check(split_size > 0 || self.sizes()[d] == 0,
          "split_size can only be 0 if dimension size is 0, but got dimension size of ", self.sizes()[d]);
    return split_evenly(self, split_size, d);
}

TensorList split_with_sizes(const Tensor& self, const Dims& split_sizes, int64_t dim) {
    check(self.dim() > 0, "split expects at least a 1-dimensional tensor");
    const int64_t d = wrap_dim(dim, self.dim());
    int64_t total = 0;
    for (const int64_t length : split_sizes) {
        check(length >= 0,
              "split_with_sizes expects split_sizes have only non-negative entries, but got split_sizes=",
              to_string(split_sizes));
        total += length;
    }
    check(total == self.sizes()[d], "split_with_sizes expects split_sizes to sum exactly to ",
          self.sizes()[d], " (input tensor's size at dimension ", dim,
          "), but got split_sizes=", to_string(split_sizes));
    return pieces("SplitWithSizesBackward0", self, split_sizes, d);
}

TensorList chunk(const Tensor& self, int64_t chunks, int64_t dim) {
    check(self.dim() > 0, "chunk expects at least a 1-dimensional tensor");
    check(chunks > 0, "chunk expects `chunks` to be greater than 0, got: ", chunks);
    const int64_t d = wrap_dim(dim, self.dim());
    const int64_t size = self.sizes()[d];
    if (size == 0) return pieces("SplitWithSizesBackward0", self, Dims(static_cast<size_t>(chunks), 0), d);
    return split_evenly(self, (size + chunks - 1) / chunks, d);
}

TensorList unbind(const Tensor& self, int64_t dim) {
    check<IndexError>(self.dim() > 0, "Dimension specified as ", dim, " but tensor has no dimensions");
    const int64_t d = wrap_dim(dim, self.dim());
    Dims sizes, strides;
    for (int64_t k = 0; k < self.dim(); ++k) {
        if (k == d) continue;
        sizes.push_back(self.sizes()[k]);
        strides.push_back(self.strides()[k]);
    }
    TensorList parts;
    for (int64_t i = 0; i < self.sizes()[d]; ++i) {
        parts.push_back(alias(self, sizes, strides, self.offset() + i * self.strides()[d]));
        mark_view(self, parts.back(), ViewKind::multiple_output);
    }
    record("UnbindBackward0", {self}, parts, [&] {
        return [sizes, d, options = options_of(self)](const Gradients& grads) -> Gradients {
            TensorList filled;
            for (const Tensor& grad : grads) filled.push_back(with_zeros(grad, sizes, options));
            return {stack(filled, d)};
        };
    });
    return parts;
}

namespace {

const Register select_op{"select.int(Tensor(a) self, int dim, int index) -> Tensor(a)", select, {.doc = R"(
The view at one index of a dimension, without that dimension. Raises IndexError out of range.

>>> torch.tensor([[1, 2], [3, 4]]).select(1, 0)
tensor([1, 3])
)"}};
const Register slice_op{
    "slice.Tensor(Tensor(a) self, int dim=0, int? start=None, int? end=None, int step=1) -> Tensor(a)",
    slice_op_function,
    {.variants = 0, .doc = "The view `self[..., start:end:step, ...]` along one dimension."}};
const Register narrow_op{
    "narrow(Tensor(a) self, int dim, int start, int length) -> Tensor(a)", narrow, {.doc = R"(
The view of `length` indices of a dimension from `start` on. Raises RuntimeError or IndexError out of range.

>>> torch.arange(5).narrow(0, 1, 3)
tensor([1, 2, 3])
)"}};
const Register narrow_tensor_op{
    "narrow.Tensor(Tensor(a) self, int dim, Tensor start, int length) -> Tensor(a)",
    narrow_tensor,
    {.doc = "`narrow` from where a zero-dim integer tensor says."}};
const Register diagonal_op{
    "diagonal(Tensor(a) self, int offset=0, int dim1=0, int dim2=1) -> Tensor(a)", diagonal, {.doc = R"(
The view of the diagonal of two dimensions, put last; a positive offset is above the main diagonal.

>>> torch.tensor([[1, 2], [3, 4]]).diagonal()
tensor([1, 4])
)"}};
const Register unfold_op{"unfold(Tensor(a) self, int dimension, int size, int step) -> Tensor(a)",
                         unfold,
                         {.variants = method, .doc = R"(
The view of all windows of `size` indices of a dimension, `step` apart; a window's indices come last.

>>> torch.arange(5).unfold(0, 3, 2)
tensor([[0, 1, 2],
        [2, 3, 4]])
)"}};
const Register as_strided_op{
    "as_strided(Tensor(a) self, int[] size, int[] stride, int? storage_offset=None) -> Tensor(a)",
    as_strided,
    {.doc = R"(
The view with any sizes, strides and offset into the storage. Raises RuntimeError where it would reach outside.

>>> torch.arange(4).as_strided((2, 2), (1, 2))
tensor([[0, 2],
        [1, 3]])
)"}};
const Register as_strided_in_place{
    "as_strided_(Tensor(a!) self, int[] size, int[] stride, int? storage_offset=None) -> Tensor(a!)",
    as_strided_,
    {.doc = "Gives this tensor itself other sizes, strides and offset."}};
const Register split_op{
    "split.Tensor(Tensor(a) self, int split_size, int dim=0) -> Tensor(a)[]", split, {.doc = R"(
Views of a dimension cut into pieces of split_size indices, of which the last may be shorter, or into pieces of
the sizes given. Raises RuntimeError where these do not add up.

>>> torch.arange(5).split(2)
(tensor([0, 1]), tensor([2, 3]), tensor([4]))
)"}};
const Register split_sizes_op{"split.sizes(Tensor(a) self, int[] split_size, int dim=0) -> Tensor(a)[]",
                              split_with_sizes,
                              {.doc = "`split_with_sizes`."}};
const Register split_with_sizes_op{
    "split_with_sizes(Tensor(a) self, int[] split_sizes, int dim=0) -> Tensor(a)[]",
    split_with_sizes,
    {.doc = "Views of a dimension cut into pieces of the given sizes, which add up to the whole."}};
const Register chunk_op{"chunk(Tensor(a) self, int chunks, int dim=0) -> Tensor(a)[]", chunk, {.doc = R"(
Views of a dimension cut into at most `chunks` pieces of equal size; the last may be shorter.

>>> [len(piece) for piece in torch.arange(5).chunk(3)]
[2, 2, 1]
)"}};
const Register unbind_op{"unbind.int(Tensor(a) self, int dim=0) -> Tensor(a)[]", unbind, {.doc = R"(
Views at every index of a dimension, without that dimension.

>>> torch.tensor([[1, 2], [3, 4]]).unbind()
(tensor([1, 2]), tensor([3, 4]))
)"}};

}  // namespace
}  // namespace rl::ops
