// Views of the whole tensor: other sizes, other orders of dimensions, other types over the same memory.
#include "ops/views.h"

#include <algorithm>

#include "autograd/record.h"
#include "ops/arithmetic.h"
#include "ops/conversion.h"
#include "ops/registry.h"

namespace rl::ops {
namespace {

// A view with the given geometry whose gradient is reshaped back.
Tensor view_of_all(const char* name, const Tensor& self, const Dims& sizes, const Dims& strides) {
    return record_view(name, self, alias(self, sizes, strides, self.offset()), [&] {
        return [sizes = self.sizes()](const Tensor& grad) -> Gradients { return {reshape(grad, sizes)}; };
    });
}

bool has_gaps(const Dims& dims, int64_t ndim) {
    uint64_t seen = 0;
    for (const int64_t dim : dims) seen |= uint64_t{1} << dim;
    return dims.size() != static_cast<size_t>(ndim) || seen != dim_mask({}, ndim);
}

}  // namespace

Tensor view(const Tensor& self, const Dims& size) {
    const Dims sizes = infer_size(size, self.numel());
    const std::optional<Dims> strides = view_strides(self.sizes(), self.strides(), sizes);
    check(strides.has_value(),
          "view size is not compatible with input tensor's size and stride (at least one dimension spans "
          "across two "
          "contiguous subspaces). Use .reshape(...) instead.");
    return view_of_all("ViewBackward0", self, sizes, *strides);
}

Tensor reshape(const Tensor& self, const Dims& shape) {
    const Dims sizes = infer_size(shape, self.numel());
    if (const std::optional<Dims> strides = view_strides(self.sizes(), self.strides(), sizes)) {
        return view_of_all(self.is_contiguous() ? "ViewBackward0" : "ReshapeAliasBackward0", self, sizes,
                           *strides);
    }
    const Tensor copy = contiguous(self);
    return record("UnsafeViewBackward0", {copy}, alias(copy, sizes, contiguous_strides(sizes), 0), [&] {
        return [sizes = self.sizes()](const Tensor& grad) -> Gradients { return {reshape(grad, sizes)}; };
    });
}

Tensor flatten(const Tensor& self, int64_t start_dim, int64_t end_dim) {
    const int64_t start = wrap_dim(start_dim, self.dim()), end = wrap_dim(end_dim, self.dim());
    check(start <= end, "flatten() has invalid args: start_dim cannot come after end_dim");
    if (self.dim() == 0) return reshape(self, {1});
    if (start == end) return self;
    Dims sizes;
    int64_t joined = 1;
    for (int64_t d = 0; d < self.dim(); ++d) {
        if (d < start || d > end) {
            sizes.push_back(self.sizes()[d]);
        } else {
            joined *= self.sizes()[d];
            if (d == end) sizes.push_back(joined);
        }
    }
    return reshape(self, sizes);
}

Tensor unflatten(const Tensor& self, int64_t dim, const Dims& sizes) {
    const int64_t wrapped = wrap_dim(dim, self.dim());
    check(!sizes.empty(), "unflatten: sizes must be non-empty");
    const int64_t whole = self.size(wrapped);
    int64_t known = 1;
    int64_t inferred = 0;
    for (const int64_t size : sizes) {
        known *= size == -1 ? 1 : size;
        inferred += size == -1;
    }
    check(inferred <= 1, "unflatten got an unexpected error:\nonly one dimension can be inferred");
    const bool fits = inferred == 0 ? known == whole : known != 0 && whole % known == 0;
    check(fits, "unflatten: Provided sizes ", to_string(sizes), " don't multiply up to the size of dim ",
          wrapped, " (", whole, ") in the input tensor");
    Dims shape;
    for (int64_t d = 0; d < self.dim(); ++d) {
        if (d != wrapped) {
            shape.push_back(self.sizes()[d]);
            continue;
        }
        for (const int64_t size : sizes) shape.push_back(size == -1 ? whole / known : size);
    }
    return view(self, shape);
}

namespace {

// The dimensions in another order, `order[d]` naming the one that comes to place d.
Tensor reorder(const char* name, const Tensor& self, const Dims& order) {
    Dims sizes, strides;
    for (const int64_t d : order) {
        sizes.push_back(self.sizes()[d]);
        strides.push_back(self.strides()[d]);
    }
    return record_view(name, self, alias(self, sizes, strides, self.offset()), [&] {
        Dims inverse(order.size());
        for (size_t d = 0; d < order.size(); ++d) inverse[order[d]] = static_cast<int64_t>(d);
        return [inverse](const Tensor& grad) -> Gradients { return {permute(grad, inverse)}; };
    });
}

Tensor exchange(const char* name, const Tensor& self, int64_t dim0, int64_t dim1) {
    Dims sizes = self.sizes(), strides = self.strides();
    std::swap(sizes[dim0], sizes[dim1]);
    std::swap(strides[dim0], strides[dim1]);
    return record_view(name, self, alias(self, sizes, strides, self.offset()), [&] {
        return [dim0, dim1](const Tensor& grad) -> Gradients { return {transpose(grad, dim0, dim1)}; };
    });
}

Tensor alias_view(const Tensor& self) {
    return record_view("AliasBackward0", self, alias(self),
                       [] { return [](const Tensor& grad) -> Gradients { return {grad}; }; });
}

}  // namespace

Tensor transpose(const Tensor& self, int64_t dim0, int64_t dim1) {
    const int64_t a = wrap_dim(dim0, self.dim()), b = wrap_dim(dim1, self.dim());
    return self.dim() == 0 ? alias_view(self) : exchange("TransposeBackward0", self, a, b);
}

Tensor permute(const Tensor& self, const Dims& dims) {
    check(dims.size() == self.sizes().size(),
          "permute(sparse_coo): number of dimensions in the tensor input does not match the length of the "
          "desired "
          "ordering of dimensions i.e. input.dim() = ",
          self.dim(), " is not equal to len(dims) = ", dims.size());
    Dims order;
    for (const int64_t dim : dims) order.push_back(wrap_dim(dim, self.dim()));
    check(!has_gaps(order, self.dim()), "permute(): duplicate dims are not allowed.");
    return reorder("PermuteBackward0", self, order);
}

Tensor movedim(const Tensor& self, const Dims& source, const Dims& destination) {
    check(source.size() == destination.size(), "movedim: Invalid source or destination dims: source (",
          to_string(source), " dims) should contain the same number of dims as destination (",
          to_string(destination), " dims)");
    Dims order(self.sizes().size(), -1);
    uint64_t moved = 0;
    for (size_t i = 0; i < source.size(); ++i) {
        const int64_t from = wrap_dim(source[i], self.dim()), to = wrap_dim(destination[i], self.dim());
        if (self.dim() == 0) return alias_view(self);
        check((moved & uint64_t{1} << from) == 0, "movedim: repeated dim in `source` (", to_string(source),
              ")");
        check(order[to] == -1, "movedim: repeated dim in `destination` (", to_string(destination), ")");
        moved |= uint64_t{1} << from;
        order[to] = from;
    }
    int64_t next = 0;
    for (int64_t& place : order) {
        if (place != -1) continue;
        while ((moved & uint64_t{1} << next) != 0) ++next;
        place = next++;
    }
    return permute(self, order);
}

namespace {

Tensor movedim_int(const Tensor& self, int64_t source, int64_t destination) {
    return movedim(self, Dims{source}, Dims{destination});
}

Tensor t(const Tensor& self) {
    check(self.dim() <= 2, "t() expects a tensor with <= 2 dimensions, but self is ", self.dim(), "D");
    if (self.dim() == 2) return exchange("TBackward0", self, 0, 1);
    return alias_view(self);
}

Tensor numpy_T(const Tensor& self) {
    if (self.dim() != 2 && self.dim() != 0 &&
        PyErr_WarnEx(
            PyExc_UserWarning,
            "The use of `x.T` on tensors of dimension other than 2 to reverse their shape is deprecated and "
            "it will throw an error in a future release. Consider `x.mT` to transpose batches of matrices or "
            "`x.permute(*torch.arange(x.ndim - 1, -1, -1))` to reverse the dimensions of a tensor.",
            1) != 0) {
        throw PythonError();
    }
    Dims order;
    for (int64_t d = self.dim(); d-- > 0;) order.push_back(d);
    return reorder("PermuteBackward0", self, order);
}

void check_matrices(const Tensor& self, const char* name) {
    check(self.dim() == 0 || self.dim() >= 2, "tensor.", name,
          " is only supported on matrices or batches of matrices. Got ", self.dim(), "-D tensor.");
}

Tensor adjoint_of(const Tensor& self, const char* name) {
    check_matrices(self, name);
    return conj(self.dim() == 0 ? alias_view(self) : transpose(self, -2, -1));
}
Tensor mH(const Tensor& self) {
    return adjoint_of(self, "mH");
}
Tensor adjoint(const Tensor& self) {
    return adjoint_of(self, "adjoint()");
}

Tensor matrix_H(const Tensor& self) {
    check(self.dim() == 0 || self.dim() == 2, "tensor.H is only supported on matrices (2-D tensors). Got ",
          self.dim(), "-D tensor.",
          self.dim() > 2 ? " For batches of matrices, consider using tensor.mH" : "");
    return conj(self.dim() == 0 ? alias_view(self) : transpose(self, 0, 1));
}

}  // namespace

Tensor mT(const Tensor& self) {
    check_matrices(self, "mT");
    return self.dim() == 0 ? alias_view(self) : transpose(self, -2, -1);
}

Tensor expand(const Tensor& self, const Dims& size, bool) {
    check(size.size() >= self.sizes().size(), "expand(", "torch.", info(self.dtype()).class_name, "{",
          to_string(self.sizes()), "}, size=", to_string(size), "): the number of sizes provided (",
          size.size(), ") must be greater or equal to the number of dimensions in the tensor (", self.dim(),
          ")");
    Dims sizes(size), strides(size.size(), 0);
    const size_t lead = size.size() - self.sizes().size();
    for (size_t d = size.size(); d-- > 0;) {
        if (d < lead) {
            check(size[d] >= 0, "The expanded size of the tensor (", size[d],
                  ") isn't allowed in a leading, non-existing dimension ", d);
            if (size[d] == 1 && self.dim() > 0)
                strides[d] = d + 1 < size.size() ? sizes[d + 1] * strides[d + 1] : 1;
            continue;
        }
        const int64_t existing = self.sizes()[d - lead];
        if (size[d] == -1) sizes[d] = existing;
        if (sizes[d] == existing) {
            strides[d] = self.strides()[d - lead];
        } else {
            check(existing == 1 && size[d] >= 0, "The expanded size of the tensor (", size[d],
                  ") must match the existing size (", existing, ") at non-singleton dimension ", d,
                  ".  Target sizes: ", to_string(size), ".  Tensor sizes: ", to_string(self.sizes()));
        }
    }
    return record_view("ExpandBackward0", self, alias(self, sizes, strides, self.offset()),
                       [] { return [](const Tensor& grad) -> Gradients { return {grad}; }; });
}

namespace {

Tensor expand_as(const Tensor& self, const Tensor& other) {
    return expand(self, other.sizes());
}
Tensor broadcast_to(const Tensor& self, const Dims& size) {
    return expand(self, size);
}
Tensor view_as(const Tensor& self, const Tensor& other) {
    return view(self, other.sizes());
}
Tensor reshape_as(const Tensor& self, const Tensor& other) {
    return reshape(self, other.sizes());
}
Tensor ravel(const Tensor& self) {
    return reshape(self, {-1});
}

// Without the dimensions in the mask that have size one.
Tensor drop_dims(const char* name, const Tensor& self, uint64_t mask) {
    Dims sizes, strides;
    for (int64_t d = 0; d < self.dim(); ++d) {
        if ((mask >> d & 1) != 0 && self.sizes()[d] == 1) continue;
        sizes.push_back(self.sizes()[d]);
        strides.push_back(self.strides()[d]);
    }
    return view_of_all(name, self, sizes, strides);
}

}  // namespace

Tensor squeeze(const Tensor& self) {
    return drop_dims("SqueezeBackward0", self, dim_mask({}, self.dim()));
}
Tensor squeeze(const Tensor& self, int64_t dim) {
    return drop_dims("SqueezeBackward1", self, uint64_t{1} << wrap_dim(dim, self.dim()));
}
Tensor squeeze(const Tensor& self, const Dims& dims) {
    return drop_dims("SqueezeBackward2", self, dim_mask(dims, self.dim(), false));
}

Tensor unsqueeze(const Tensor& self, int64_t dim) {
    const int64_t place = wrap_dim(dim, self.dim() + 1);
    Dims sizes, strides;
    for (int64_t d = 0; d <= self.dim(); ++d) {
        if (d == place) {
            sizes.push_back(1);
            strides.push_back(d == self.dim() ? 1 : self.sizes()[d] * self.strides()[d]);
        }
        if (d == self.dim()) break;
        sizes.push_back(self.sizes()[d]);
        strides.push_back(self.strides()[d]);
    }
    return view_of_all("UnsqueezeBackward0", self, sizes, strides);
}

Tensor view_as_real(const Tensor& self) {
    check(is_complex(self.dtype()), "view_as_real is only supported for complex tensors");
    Dims sizes = self.sizes(), strides;
    for (const int64_t stride : self.strides()) strides.push_back(2 * stride);
    sizes.push_back(2);
    strides.push_back(1);
    Tensor result = alias(self, sizes, strides, 2 * self.offset());
    result->dtype = to_real(self.dtype());
    return record_view("ViewAsRealBackward0", self, result, [] {
        return [](const Tensor& grad) -> Gradients { return {view_as_complex(contiguous(grad))}; };
    });
}

Tensor view_as_complex(const Tensor& self) {
    check(is_floating(self.dtype()) && self.dtype() != DType::bfloat16,
          "view_as_complex is only supported for half, float and double tensors, but got a tensor of scalar "
          "type: ",
          info(self.dtype()).scalar_name);
    check(self.dtype() != DType::float16,
          "view_as_complex: complex numbers of half precision do not exist here");
    check(self.dim() > 0, "Input tensor must have one or more dimensions");
    check(self.sizes()[self.dim() - 1] == 2, "Tensor must have a last dimension of size 2");
    check(self.strides()[self.dim() - 1] == 1, "Tensor must have a last dimension with stride 1");
    Dims sizes, strides;
    for (int64_t d = 0; d + 1 < self.dim(); ++d) {
        check(self.strides()[d] % 2 == 0,
              "Tensor must have a stride divisible by 2 for all but last dimension");
        sizes.push_back(self.sizes()[d]);
        strides.push_back(self.strides()[d] / 2);
    }
    check(self.offset() % 2 == 0, "Tensor must have a storage_offset divisible by 2");
    Tensor result = alias(self, sizes, strides, self.offset() / 2);
    result->dtype = to_complex(self.dtype());
    return record_view("ViewAsComplexBackward0", self, result,
                       [] { return [](const Tensor& grad) -> Gradients { return {view_as_real(grad)}; }; });
}

Tensor real(const Tensor& self) {
    return is_complex(self.dtype()) ? select(view_as_real(self), self.dim(), 0) : self;
}
Tensor imag(const Tensor& self) {
    check(is_complex(self.dtype()), "imag is not implemented for tensors with non-complex dtypes.");
    return select(view_as_real(self), self.dim(), 1);
}

namespace {

// The same bytes read as another type; the last dimension is resized where the item sizes differ.
Tensor view_dtype(const Tensor& self, DType dtype) {
    const int64_t old_item = item_size(self.dtype()), new_item = item_size(dtype);
    Dims sizes = self.sizes(), strides = self.strides();
    int64_t offset = self.offset();
    if (old_item != new_item) {
        const std::string what = message(" to view ", info(self.dtype()).scalar_name, " as ",
                                         info(dtype).scalar_name, " (different element sizes), but got ");
        check(self.dim() > 0, "self.dim() cannot be 0 to view ", info(self.dtype()).scalar_name, " as ",
              info(dtype).scalar_name, " (different element sizes)");
        const size_t last = sizes.size() - 1;
        check(strides[last] == 1, "self.stride(-1) must be 1", what, strides[last]);
        const int64_t ratio = std::max(old_item, new_item) / std::min(old_item, new_item);
        const bool wider = new_item > old_item;
        if (wider) {
            check(sizes[last] % ratio == 0, "self.size(-1) must be divisible by ", ratio, what, sizes[last]);
            check(offset % ratio == 0, "self.storage_offset() must be divisible by ", ratio, what, offset);
        }
        for (size_t d = 0; d < last; ++d) {
            check(!wider || strides[d] % ratio == 0, "self.stride(", d, ") must be divisible by ", ratio,
                  what, strides[d]);
            strides[d] = wider ? strides[d] / ratio : strides[d] * ratio;
        }
        sizes[last] = wider ? sizes[last] / ratio : sizes[last] * ratio;
        offset = wider ? offset / ratio : offset * ratio;
    }
    Tensor result = alias(self, sizes, strides, offset);
    result->dtype = dtype;
    mark_view(self, result);
    return result;
}

Tensor detached(const Tensor& self) {
    return detach(self);
}

Tensor detach_(const Tensor& self) {
    check(
        self->view_kind == ViewKind::none,
        "Can't detach views in-place. Use detach() instead. If you are using DistributedDataParallel (DDP) "
        "for training, "
        "and gradient_as_bucket_view is set as True, gradients are views of DDP buckets, and hence detach_() "
        "cannot be "
        "called on these gradients. To fix this error, please refer to the Optimizer.zero_grad() function in "
        "torch/optim/optimizer.py as the solution.");
    if (Variable* const state = variable(self)) {
        state->grad_fn = nullptr;
        state->requires_grad = false;
    }
    return self;
}

}  // namespace

Tensor take_geometry(const Tensor& self, const Tensor& view) {
    check_writable(self, requires_grad(self));
    share_memory(self, view);
    if (const Edge edge = gradient_edge(view); edge.is_valid()) set_history(self, edge.node, edge.index);
    return self;
}

namespace {

Tensor transpose_(const Tensor& self, int64_t dim0, int64_t dim1) {
    return take_geometry(self, transpose(self, dim0, dim1));
}
Tensor t_(const Tensor& self) {
    return take_geometry(self, t(self));
}
Tensor squeeze_(const Tensor& self) {
    return take_geometry(self, squeeze(self));
}
Tensor squeeze_dim_(const Tensor& self, int64_t dim) {
    return take_geometry(self, squeeze(self, dim));
}
Tensor squeeze_dims_(const Tensor& self, const Dims& dim) {
    return take_geometry(self, squeeze(self, dim));
}
Tensor unsqueeze_(const Tensor& self, int64_t dim) {
    return take_geometry(self, unsqueeze(self, dim));
}

using Squeeze = Tensor (*)(const Tensor&);
using SqueezeDim = Tensor (*)(const Tensor&, int64_t);
using SqueezeDims = Tensor (*)(const Tensor&, const Dims&);

const Register view_op{"view(Tensor(a) self, int[] size) -> Tensor(a)", view, {.variants = method, .doc = R"(
The same memory with other sizes, one of which may be -1, to be inferred.

Raises RuntimeError when the number of elements differs or the strides do not allow a view (`reshape` copies then).

>>> torch.arange(6).view(2, -1)
tensor([[0, 1, 2],
        [3, 4, 5]])
)"}};
const Register view_dtype_op{"view.dtype(Tensor(a) self, ScalarType dtype) -> Tensor(a)",
                             view_dtype,
                             {.variants = method,
                              .doc = "The same bytes read as elements of another dtype; off the graph.",
                              .differentiable = false}};
const Register view_as_op{"view_as(Tensor(a) self, Tensor other) -> Tensor(a)",
                          view_as,
                          {.variants = method, .doc = "`self.view(other.size())`."}};
const Register reshape_op{"reshape(Tensor(a) self, int[] shape) -> Tensor(a)", reshape, {.doc = R"(
The elements in the same order with other sizes, one of which may be -1: a view where the memory allows one, otherwise
a copy. Raises RuntimeError when the number of elements differs.

>>> torch.arange(6).reshape(3, 2).t().reshape(-1)
tensor([0, 2, 4, 1, 3, 5])
)"}};
const Register reshape_as_op{"reshape_as(Tensor(a) self, Tensor other) -> Tensor(a)",
                             reshape_as,
                             {.variants = method, .doc = "`self.reshape(other.size())`."}};
const Register ravel_op{
    "ravel(Tensor(a) self) -> Tensor(a)", ravel, {.doc = "All elements in one dimension."}};
const Register flatten_op{
    "flatten(Tensor(a) self, int start_dim=0, int end_dim=-1) -> Tensor(a)", flatten, {.doc = R"(
Joins the dimensions from start_dim to end_dim, both included, into one.

>>> torch.zeros(2, 3, 4).flatten(1).shape
torch.Size([2, 12])
)"}};
const Register unflatten_op{
    "unflatten(Tensor(a) self, int dim, int[] sizes) -> Tensor(a)", unflatten, {.doc = R"(
Cuts one dimension into several, one of which may be -1. Raises RuntimeError when they do not multiply up.

>>> torch.zeros(2, 12).unflatten(1, (3, -1)).shape
torch.Size([2, 3, 4])
)"}};

const Register transpose_op{
    "transpose(Tensor(a) self, int dim0, int dim1) -> Tensor(a)", transpose, {.doc = R"(
The view in which two dimensions are exchanged. Raises IndexError for a dimension out of range.

>>> torch.zeros(2, 3).transpose(0, 1).shape
torch.Size([3, 2])
)"}};
const Register swapaxes_op{"swapaxes(Tensor(a) self, int axis0, int axis1) -> Tensor(a)",
                           transpose,
                           {.doc = "Another name of `transpose`."}};
const Register swapdims_op{"swapdims(Tensor(a) self, int dim0, int dim1) -> Tensor(a)",
                           transpose,
                           {.doc = "Another name of `transpose`."}};
const Register transpose_in_place{
    "transpose_(Tensor(a!) self, int dim0, int dim1) -> Tensor(a!)",
    transpose_,
    {.variants = method, .doc = "Exchanges two dimensions of this tensor itself."}};
const Register swapaxes_in_place{"swapaxes_(Tensor(a!) self, int axis0, int axis1) -> Tensor(a!)",
                                 transpose_,
                                 {.variants = method, .doc = "Another name of `transpose_`."}};
const Register swapdims_in_place{"swapdims_(Tensor(a!) self, int dim0, int dim1) -> Tensor(a!)",
                                 transpose_,
                                 {.variants = method, .doc = "Another name of `transpose_`."}};
const Register permute_op{"permute(Tensor(a) self, int[] dims) -> Tensor(a)", permute, {.doc = R"(
The view whose dimension d is dimension dims[d] of the input. Raises RuntimeError unless dims names each once.

>>> torch.zeros(2, 3, 4).permute(2, 0, 1).shape
torch.Size([4, 2, 3])
)"}};
const Register movedim_op{
    "movedim.intlist(Tensor(a) self, int[] source, int[] destination) -> Tensor(a)", movedim, {.doc = R"(
The view in which the dimensions `source` come to the places `destination`; the others keep their order.

>>> torch.zeros(2, 3, 4).movedim(0, -1).shape
torch.Size([3, 4, 2])
)"}};
const Register movedim_int_op{"movedim.int(Tensor(a) self, int source, int destination) -> Tensor(a)",
                              movedim_int,
                              {.doc = "Moves one dimension."}};
const Register moveaxis_op{"moveaxis.intlist(Tensor(a) self, int[] source, int[] destination) -> Tensor(a)",
                           movedim,
                           {.doc = "Another name of `movedim`."}};
const Register moveaxis_int_op{"moveaxis.int(Tensor(a) self, int source, int destination) -> Tensor(a)",
                               movedim_int,
                               {.doc = "Another name of `movedim`."}};
const Register t_op{"t(Tensor(a) self) -> Tensor(a)", t, {.doc = R"(
The transpose of a matrix; tensors of fewer dimensions come back unchanged. Raises RuntimeError for more.

>>> torch.tensor([[1, 2], [3, 4]]).t()
tensor([[1, 3],
        [2, 4]])
)"}};
const Register t_in_place{
    "t_(Tensor(a!) self) -> Tensor(a!)", t_, {.variants = method, .doc = "Transposes this matrix itself."}};
const Register numpy_T_op{"numpy_T(Tensor(a) self) -> Tensor(a)",
                          numpy_T,
                          {.variants = 0, .doc = "The dimensions in reverse order."}};
const Register mT_op{
    "mT(Tensor(a) self) -> Tensor(a)", mT, {.variants = 0, .doc = "The last two dimensions exchanged."}};
const Register mH_op{"mH(Tensor(a) self) -> Tensor(a)",
                     mH,
                     {.variants = 0, .doc = "The conjugate with the last two dimensions exchanged."}};
const Register matrix_H_op{"matrix_H(Tensor(a) self) -> Tensor(a)",
                           matrix_H,
                           {.variants = 0, .doc = "The conjugate transpose of a matrix."}};
const Register adjoint_op{"adjoint(Tensor(a) self) -> Tensor(a)",
                          adjoint,
                          {.doc = "The conjugate with the last two dimensions exchanged."}};

const Register expand_op{"expand(Tensor(a) self, int[] size, *, bool implicit=False) -> Tensor(a)",
                         expand,
                         {.variants = method, .doc = R"(
The view in which dimensions of size one are repeated, and new ones put in front; -1 keeps a size. Raises RuntimeError
where another size would have to change. Elements share memory: clone before writing.

>>> torch.tensor([[1], [2]]).expand(-1, 3)
tensor([[1, 1, 1],
        [2, 2, 2]])
)"}};
const Register expand_as_op{"expand_as(Tensor(a) self, Tensor other) -> Tensor(a)",
                            expand_as,
                            {.variants = method, .doc = "`self.expand(other.size())`."}};
const Register broadcast_to_op{"broadcast_to(Tensor(a) self, int[] size) -> Tensor(a)",
                               broadcast_to,
                               {.doc = "The view broadcast to the given size; see `expand`."}};
const Register squeeze_op{"squeeze(Tensor(a) self) -> Tensor(a)", static_cast<Squeeze>(squeeze), {.doc = R"(
The view without dimensions of size one: all of them, or those of the given ones that have it.

>>> torch.zeros(1, 3, 1).squeeze(0).shape
torch.Size([3, 1])
)"}};
const Register squeeze_dim_op{"squeeze.dim(Tensor(a) self, int dim) -> Tensor(a)",
                              static_cast<SqueezeDim>(squeeze),
                              {.doc = "Drops one dimension if it has size one."}};
const Register squeeze_dims_op{"squeeze.dims(Tensor(a) self, int[] dim) -> Tensor(a)",
                               static_cast<SqueezeDims>(squeeze),
                               {.doc = "Drops those of the dimensions that have size one."}};
const Register squeeze_in_place{
    "squeeze_(Tensor(a!) self) -> Tensor(a!)",
    squeeze_,
    {.variants = method, .doc = "Drops dimensions of size one from this tensor itself."}};
const Register squeeze_dim_in_place{"squeeze_.dim(Tensor(a!) self, int dim) -> Tensor(a!)",
                                    squeeze_dim_,
                                    {.variants = method, .doc = "Drops one dimension if it has size one."}};
const Register squeeze_dims_in_place{
    "squeeze_.dims(Tensor(a!) self, int[] dim) -> Tensor(a!)",
    squeeze_dims_,
    {.variants = method, .doc = "Drops those of the dimensions that have size one."}};
const Register unsqueeze_op{"unsqueeze(Tensor(a) self, int dim) -> Tensor(a)", unsqueeze, {.doc = R"(
The view with a new dimension of size one at `dim`. Raises IndexError out of range.

>>> torch.zeros(3).unsqueeze(-1).shape
torch.Size([3, 1])
)"}};
const Register unsqueeze_in_place{
    "unsqueeze_(Tensor(a!) self, int dim) -> Tensor(a!)",
    unsqueeze_,
    {.variants = method, .doc = "Adds a dimension of size one to this tensor itself."}};

const Register view_as_real_op{"view_as_real(Tensor(a) self) -> Tensor(a)",
                               view_as_real,
                               {.variants = function,
                                .doc = R"(
A complex tensor as a real one with a last dimension of two: real and imaginary parts. Raises RuntimeError for others.

>>> torch.view_as_real(torch.tensor([1 + 2j]))
tensor([[1., 2.]])
)",
                                .dtypes = "complex"}};
const Register view_as_complex_op{"view_as_complex(Tensor(a) self) -> Tensor(a)",
                                  view_as_complex,
                                  {.variants = function,
                                   .doc = R"(
A real tensor with a last dimension of two as a complex one. Raises RuntimeError for other shapes, types or strides.

>>> torch.view_as_complex(torch.tensor([[1., 2.]]))
tensor([1.+2.j])
)",
                                   .dtypes = "float32, float64"}};
const Register real_op{"real(Tensor(a) self) -> Tensor(a)",
                       real,
                       {.variants = function, .doc = "The real part, a view; a real tensor itself."}};
const Register imag_op{"imag(Tensor(a) self) -> Tensor(a)",
                       imag,
                       {.variants = function,
                        .doc = "The imaginary part, a view. Raises RuntimeError for real tensors.",
                        .dtypes = "complex"}};
const Register detach_op{"detach(Tensor(a) self) -> Tensor(a)",
                         detached,
                         {.doc = "The same memory off the graph.", .differentiable = false}};
const Register detach_in_place_op{
    "detach_(Tensor(a!) self) -> Tensor(a!)",
    detach_,
    {.doc = "Takes the tensor off the graph in place. Raises RuntimeError for a view.",
     .differentiable = false}};

}  // namespace
}  // namespace rl::ops
