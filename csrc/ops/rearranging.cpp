// Elements in other places: flip, roll, rot90, triangles, diagonals.
#include <algorithm>

#include "autograd/record.h"
#include "core/gil.h"
#include "kernels/rearrange.h"
#include "ops/arithmetic.h"
#include "ops/conversion.h"
#include "ops/creation.h"
#include "ops/reduction.h"
#include "ops/registry.h"
#include "ops/shape_ops.h"
#include "ops/views.h"

namespace rl::ops {

Tensor flip(const Tensor& self, const Dims& dims) {
    const uint64_t mask = dim_mask(dims, self.dim(), false);
    const Tensor result =
        empty_strided(self.sizes(), strides_like(self.sizes(), self.strides()), options_of(self));
    if (!result.is_meta() && result.numel() > 0) {
        Dims strides = self.strides();
        int64_t offset = 0;
        for (int64_t d = 0; d < self.dim(); ++d) {
            if ((mask >> d & 1) == 0) continue;
            offset += (self.sizes()[d] - 1) * strides[d];
            strides[d] = -strides[d];
        }
        const kernels::Operand target{result.raw_data(), result.dtype(), result.strides().data()};
        char* const last = static_cast<char*>(self.raw_data()) + offset * item_size(self.dtype());
        const kernels::Operand source{last, self.dtype(), strides.data()};
        const GilRelease released(result.numel());
        kernels::convert(static_cast<int>(result.dim()), result.sizes().data(), target, source);
    }
    return record("FlipBackward0", {self}, result,
                  [&] { return [dims](const Tensor& grad) -> Gradients { return {flip(grad, dims)}; }; });
}

namespace {

Tensor fliplr(const Tensor& self) {
    check(self.dim() >= 2, "Input must be >= 2-d.");
    return flip(self, {1});
}
Tensor flipud(const Tensor& self) {
    check(self.dim() >= 1, "Input must be >= 1-d.");
    return flip(self, {0});
}

// One dimension moved round by `shift`, from contiguous memory to new memory.
Tensor roll_one(const Tensor& self, int64_t shift, int64_t dim) {
    const int64_t size = self.sizes()[dim];
    if (size == 0) return self;
    const int64_t start = ((shift % size) + size) % size;
    const Tensor result = empty(self.sizes(), options_of(self));
    const auto part = [dim](const Tensor& tensor, int64_t first, int64_t length) {
        Dims sizes = tensor.sizes();
        sizes[dim] = length;
        return alias(tensor, sizes, tensor.strides(), tensor.offset() + first * tensor.strides()[dim]);
    };
    copy_data(part(result, start, size - start), part(self, 0, size - start));
    if (start > 0) copy_data(part(result, 0, start), part(self, size - start, start));
    return result;
}

}  // namespace

Tensor roll(const Tensor& self, const Dims& shifts, const Dims& dims) {
    check(!shifts.empty(), "`shifts` required");
    const bool flat = dims.empty() && shifts.size() == 1;
    check(flat || shifts.size() == dims.size(), "shifts and dimensions must align. shifts: ", shifts.size(),
          ", dims:", dims.size());
    Tensor result = self;
    {
        const GradientsEnabled disabled(false);
        if (flat) {
            result = reshape(roll_one(reshape(self, {-1}), shifts[0], 0), self.sizes());
        } else {
            check<IndexError>(self.dim() > 0, "Dimension specified as ", dims[0],
                              " but tensor has no dimensions");
            for (size_t i = 0; i < shifts.size(); ++i) {
                result = roll_one(result, shifts[i], wrap_dim(dims[i], self.dim()));
            }
        }
        if (result->storage.get() == self->storage.get()) result = clone(self);
    }
    return record("RollBackward0", {self}, result, [&] {
        Dims back;
        for (const int64_t shift : shifts) back.push_back(-shift);
        return [back, dims](const Tensor& grad) -> Gradients { return {roll(grad, back, dims)}; };
    });
}

namespace {

// A new tensor with two of its dimensions exchanged in place.
Tensor turned(const Tensor& self, int64_t first, int64_t second) {
    Dims sizes = self.sizes(), strides = self.strides();
    std::swap(sizes[first], sizes[second]);
    std::swap(strides[first], strides[second]);
    return alias(self, sizes, strides, self.offset());
}

Tensor rot90(const Tensor& self, int64_t k, const Dims& dims) {
    check(dims.size() == 2, "expected total rotation dims == 2, but got dims = ", dims.size());
    check(self.dim() >= 2, "expected total dims >= 2, but got total dims = ", self.dim());
    check(dims[0] != dims[1] && std::abs(dims[0] - dims[1]) != self.dim(),
          "expected rotation dims to be different, but got dim0 = ", dims[0], " and dim1 = ", dims[1]);
    const int64_t first = wrap_dim(dims[0], self.dim()), second = wrap_dim(dims[1], self.dim());
    const int64_t turns = ((k % 4) + 4) % 4;
    Tensor result;
    {
        const GradientsEnabled disabled(false);
        switch (turns) {
            case 1:
                result = turned(flip(self, {second}), first, second);
                break;
            case 2:
                result = flip(self, {first, second});
                break;
            case 3:
                result = turned(flip(self, {first}), first, second);
                break;
            default:
                result = clone(self);
                break;
        }
    }
    return record("Rot90Backward0", {self}, result, [&] {
        return [turns, first, second](const Tensor& grad) -> Gradients {
            return {rot90(grad, -turns, {first, second})};
        };
    });
}

Tensor triangle_of(const Tensor& self, int64_t diagonal, bool upper) {
    check(self.dim() >= 2, upper ? "triu" : "tril", ": input tensor must have at least 2 dimensions");
    const Tensor source = contiguous_data(self);
    const Tensor result = empty(self.sizes(), options_of(self));
    if (!result.is_meta() && result.numel() > 0) {
        const int64_t rows = self.size(-2), columns = self.size(-1);
        const GilRelease released(result.numel());
        kernels::triangle(result.raw_data(), source.raw_data(), item_size(self.dtype()),
                          self.numel() / (rows * columns), rows, columns, diagonal, upper);
    }
    return record(upper ? "TriuBackward0" : "TrilBackward0", {self}, result, [&] {
        return [diagonal, upper](const Tensor& grad) -> Gradients {
            return {triangle_of(grad, diagonal, upper)};
        };
    });
}

}  // namespace

Tensor tril(const Tensor& self, int64_t diagonal) {
    return triangle_of(self, diagonal, false);
}
Tensor triu(const Tensor& self, int64_t diagonal) {
    return triangle_of(self, diagonal, true);
}

Tensor diag_embed(const Tensor& self, int64_t offset, int64_t dim1, int64_t dim2) {
    const int64_t first = wrap_dim(dim1, self.dim() + 1), second = wrap_dim(dim2, self.dim() + 1);
    check(first != second, "diagonal dimensions cannot be identical ", dim1, ", ", dim2);
    const int64_t side = self.size(-1) + std::abs(offset);
    Dims sizes = self.sizes();
    sizes.pop_back();
    sizes.insert(static_cast<size_t>(std::min(first, second)), side);
    sizes.insert(static_cast<size_t>(std::max(first, second)), side);
    const Tensor result = zeros(sizes, options_of(self));
    {
        const GradientsEnabled disabled(false);
        copy_data(diagonal(result, offset, first, second), self);
    }
    return record("DiagEmbedBackward0", {self}, result, [&] {
        return [offset, first, second](const Tensor& grad) -> Gradients {
            return {diagonal(grad, offset, first, second)};
        };
    });
}

Tensor diag(const Tensor& self, int64_t offset) {
    check(self.dim() == 1 || self.dim() == 2, "diag(): Supports 1D or 2D tensors. Got ", self.dim(), "D");
    if (self.dim() == 1) return diag_embed(self, offset);
    Tensor result;
    {
        const GradientsEnabled disabled(false);
        result = clone(diagonal(self, offset), MemoryFormat::contiguous);
    }
    return record("DiagonalBackward0_copy", {self}, result, [&] {
        return [offset, sizes = self.sizes()](const Tensor& grad) -> Gradients {
            return {diagonal_backward(grad, sizes, offset, 0, 1)};
        };
    });
}

Tensor trace(const Tensor& self) {
    check(self.dim() == 2, "trace: expected a matrix, but got tensor with dim ", self.dim());
    Tensor result;
    {
        const GradientsEnabled disabled(false);
        result = sum(diagonal(self));
    }
    return record("TraceBackward0", {self}, result, [&] {
        return [rows = self.sizes()[0], columns = self.sizes()[1]](const Tensor& grad) -> Gradients {
            return {grad * eye(rows, columns, options_of(grad))};
        };
    });
}

namespace {

Tensor diagflat(const Tensor& self, int64_t offset) {
    return diag_embed(reshape(self, {-1}), offset);
}

const Register flip_op{"flip(Tensor self, int[] dims) -> Tensor", flip, {.doc = R"(
A copy with the order of the given dimensions reversed.

>>> torch.tensor([1, 2, 3]).flip(0)
tensor([3, 2, 1])
)"}};
const Register fliplr_op{"fliplr(Tensor self) -> Tensor", fliplr, {.doc = "`flip` of the second dimension."}};
const Register flipud_op{"flipud(Tensor self) -> Tensor", flipud, {.doc = "`flip` of the first dimension."}};
const Register roll_op{"roll(Tensor self, int[1] shifts, int[1] dims=[]) -> Tensor", roll, {.doc = R"(
A copy with elements moved round along dimensions, or, where none are given, along all elements in a row.

>>> torch.tensor([1, 2, 3]).roll(1)
tensor([3, 1, 2])
)"}};
const Register rot90_op{"rot90(Tensor self, int k=1, int[] dims=[0, 1]) -> Tensor", rot90, {.doc = R"(
A copy turned k times by a quarter in the plane of two dimensions, from the first to the second.

>>> torch.tensor([[1, 2], [3, 4]]).rot90()
tensor([[2, 4],
        [1, 3]])
)"}};
constexpr unsigned everywhere = function | method | in_place | out;
const Register tril_op{
    "tril(Tensor self, int diagonal=0) -> Tensor", tril, {.variants = everywhere, .doc = R"(
The elements on and below a diagonal of the last two dimensions, zeros elsewhere.

>>> torch.ones(2, 2).tril()
tensor([[1., 0.],
        [1., 1.]])
)"}};
const Register triu_op{
    "triu(Tensor self, int diagonal=0) -> Tensor", triu, {.variants = everywhere, .doc = R"(
The elements on and above a diagonal of the last two dimensions, zeros elsewhere.

>>> torch.ones(2, 2).triu(1)
tensor([[0., 1.],
        [0., 0.]])
)"}};
const Register diag_op{
    "diag(Tensor self, int diagonal=0) -> Tensor", diag, {.variants = function | method | out, .doc = R"(
A matrix with a vector on a diagonal, or a copy of the diagonal of a matrix.

>>> torch.tensor([1, 2]).diag()
tensor([[1, 0],
        [0, 2]])
)"}};
const Register diag_embed_op{
    "diag_embed(Tensor self, int offset=0, int dim1=-2, int dim2=-1) -> Tensor",
    diag_embed,
    {.doc = "Matrices, in dimensions dim1 and dim2, with the last dimension of the input on a diagonal."}};
const Register diagflat_op{"diagflat(Tensor self, int offset=0) -> Tensor",
                           diagflat,
                           {.doc = "A matrix with all elements of the input on a diagonal."}};
const Register trace_op{"trace(Tensor self) -> Tensor", trace, {.doc = R"(
The sum of the main diagonal of a matrix.

>>> torch.eye(3).trace()
tensor(3.)
)"}};

}  // namespace
}  // namespace rl::ops
