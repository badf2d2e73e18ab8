// Matrix products: mm, bmm, mv, dot, matmul, their additive forms and linear.
#include "ops/matmul.h"

#include "autograd/record.h"
#include "core/gil.h"
#include "kernels/gemm.h"
#include "ops/activation.h"
#include "ops/arithmetic.h"
#include "ops/conversion.h"
#include "ops/reduction.h"
#include "ops/registry.h"
#include "ops/views.h"

namespace rl::ops {
namespace {

const char* scalar_name(const Tensor& tensor) {
    return info(tensor.dtype()).scalar_name.data();
}

// float32 is "float" to C++, and so to some of PyTorch's messages.
const char* cpp_name(DType dtype) {
    switch (dtype) {
        case DType::boolean:
            return "bool";
        case DType::uint8:
            return "unsigned char";
        case DType::int8:
            return "signed char";
        case DType::int16:
            return "short";
        case DType::int32:
            return "int";
        case DType::int64:
            return "long";
        case DType::float16:
            return "c10::Half";
        case DType::bfloat16:
            return "c10::BFloat16";
        case DType::float32:
            return "float";
        case DType::float64:
            return "double";
        case DType::complex64:
            return "c10::complex<float>";
        case DType::complex128:
            break;
    }
    return "c10::complex<double>";
}

void check_product_type(const Tensor& tensor, const char* kernel) {
    check<NotImplemented>(tensor.dtype() != DType::boolean, '"', kernel, "\" not implemented for 'Bool'");
}

kernels::Factor factor(const Scalar& value) {
    const complex128 number = value.to_complex();
    return {number.real(), number.imag(), value.to_int()};
}

struct Sum {
    Tensor addend;  // undefined for none; broadcast to the result
    Scalar beta = 1, alpha = 1;
    kernels::Activation activation = kernels::Activation::none;
    bool weight = false;  // b is a parameter, which seldom changes
};

// Packed panels of fewer weights are made as quickly as they are found.
constexpr int64_t least_kept = 4096;

// Where the packed panels of a weight are kept that so many rows are multiplied with; may be null.
std::shared_ptr<KeptForms> forms_of(const Tensor& weight, int64_t rows) {
    return rows > 1 && weight.numel() >= least_kept ? weight.storage().forms() : nullptr;
}

// result = alpha * a·b + beta * addend over the last two dimensions; those before broadcast.
void multiply(const Tensor& result, const Tensor& a, const Tensor& b, const Sum& sum = {}) {
    if (result.is_meta() || result.numel() == 0) return;
    kernels::GemmProblem p;
    const size_t rank = result.sizes().size(), batch = rank - 2;
    const auto broadcast_to = [&](const Tensor& operand, int64_t rows, int64_t columns) {
        Dims sizes = result.sizes();
        sizes[rank - 2] = rows;
        sizes[rank - 1] = columns;
        return broadcast_strides(operand.sizes(), operand.strides(), sizes);
    };
    p.dtype = result.dtype();
    p.m = result.sizes()[rank - 2];
    p.n = result.sizes()[rank - 1];
    p.k = a.sizes().back();
    const Dims left = broadcast_to(a, p.m, p.k), right = broadcast_to(b, p.k, p.n);
    p.a = a.raw_data();
    p.a_row = left[rank - 2];
    p.a_column = left[rank - 1];
    p.b = b.raw_data();
    p.b_row = right[rank - 2];
    p.b_column = right[rank - 1];
    p.c = result.raw_data();
    p.c_row = result.strides()[rank - 2];
    p.c_column = result.strides()[rank - 1];
    p.alpha = factor(sum.alpha);
    p.activation = sum.activation;
    p.batch_rank = static_cast<int>(batch);
    for (size_t d = 0; d < batch; ++d)
        p.batch[d] = {result.sizes()[d], left[d], right[d], result.strides()[d], 0};
    if (sum.addend.defined() && !sum.beta.equals(0)) {
        const Dims strides = broadcast_to(sum.addend, p.m, p.n);
        p.addend = sum.addend.raw_data();
        p.addend_row = strides[rank - 2];
        p.addend_column = strides[rank - 1];
        p.beta = factor(sum.beta);
        for (size_t d = 0; d < batch; ++d) p.batch[d].addend = strides[d];
    }
    const std::shared_ptr<KeptForms> forms = sum.weight ? forms_of(b, p.m) : nullptr;
    p.b_forms = forms.get();
    const GilRelease released(p.m * p.n * std::max<int64_t>(p.k, 1));
    kernels::gemm(p);
}

Tensor adjoint(const Tensor& matrix) {
    return conj(transpose(matrix, -2, -1));
}

// The gradient of what was multiplied with `value`.
Tensor scaled(const Tensor& grad, const Scalar& value) {
    if (value.equals(1)) return grad;
    if (!value.is_complex()) return grad * value;
    return grad * Scalar(std::conj(value.to_complex()));
}

void check_mm(const Tensor& self, const Tensor& mat2) {
    check(self.dim() == 2, "self must be a matrix");
    check(mat2.dim() == 2, "mat2 must be a matrix");
    check(self.sizes()[1] == mat2.sizes()[0], "mat1 and mat2 shapes cannot be multiplied (", self.sizes()[0],
          "x", self.sizes()[1], " and ", mat2.sizes()[0], "x", mat2.sizes()[1], ")");
    check(self.dtype() == mat2.dtype(),
          "expected m1 and m2 to have the same dtype, but got: ", cpp_name(self.dtype()),
          " != ", cpp_name(mat2.dtype()));
    check_product_type(self, "addmm_impl_cpu_");
}

void check_addend(const Tensor& self, const Dims& sizes) {
    const size_t rank = self.sizes().size();
    check(rank <= sizes.size(), "expand(torch.", info(self.dtype()).class_name, "{", to_string(self.sizes()),
          "}, size=", to_string(sizes), "): the number of sizes provided (", sizes.size(),
          ") must be greater or equal to the number of dimensions in the tensor (", rank, ")");
    for (size_t d = sizes.size(); d-- > sizes.size() - rank;) {
        const int64_t mine = self.sizes()[d + rank - sizes.size()];
        check(mine == 1 || mine == sizes[d], "The expanded size of the tensor (", sizes[d],
              ") must match the existing size (", mine, ") at non-singleton dimension ", d,
              ".  Target sizes: ", to_string(sizes), ".  Tensor sizes: ", to_string(self.sizes()));
    }
}

void check_linear_bias(const Tensor& input, const Tensor& weight, const Tensor& bias, const Dims& sizes) {
    check_addend(bias, sizes);
    check(bias.dtype() == weight.dtype(), "self and mat2 must have the same dtype, but got ",
          scalar_name(bias), " and ", scalar_name(weight));
    check(input.dtype() == weight.dtype(), "mat1 and mat2 must have the same dtype, but got ",
          scalar_name(input), " and ", scalar_name(weight));
}

// multiply for one product without a batch, which spares the small layer the making of views.
void multiply_linear(const Tensor& result, const Tensor& input, const Tensor& weight, const Tensor& bias,
                     int64_t rows) {
    if (result.is_meta() || result.numel() == 0) return;
    kernels::GemmProblem p;
    p.dtype = result.dtype();
    p.m = rows;
    p.n = weight.sizes()[0];
    p.k = weight.sizes()[1];
    p.a = input.raw_data();
    p.a_row = input.dim() == 2 ? input.strides()[0] : p.k;
    p.a_column = input.strides().back();
    p.b = weight.raw_data();
    p.b_row = weight.strides()[1];
    p.b_column = weight.strides()[0];
    p.c = result.raw_data();
    p.c_row = p.n;
    p.c_column = 1;
    const std::shared_ptr<KeptForms> forms = forms_of(weight, p.m);
    p.b_forms = forms.get();
    if (bias.defined()) {
        const Dims strides = broadcast_strides(bias.sizes(), bias.strides(), Dims{rows, p.n});
        p.addend = bias.raw_data();
        p.addend_row = strides[0];
        p.addend_column = strides[1];
    }
    const GilRelease released(p.m * p.n * std::max<int64_t>(p.k, 1));
    kernels::gemm(p);
}

}  // namespace

Tensor mm(const Tensor& self, const Tensor& mat2) {
    check_mm(self, mat2);
    const Tensor result = empty(Dims{self.sizes()[0], mat2.sizes()[1]}, options_of(self));
    multiply(result, self, mat2);
    return record("MmBackward0", {self, mat2}, result, [&] {
        return [self = Saved(self), mat2 = Saved(mat2)](const Tensor& grad, const Needs& needs) -> Gradients {
            return {needs[0] ? mm(grad, adjoint(mat2.get())) : Tensor(),
                    needs[1] ? mm(adjoint(self.get()), grad) : Tensor()};
        };
    });
}

namespace {

void check_bmm(const Tensor& self, const Tensor& mat2) {
    check(self.dim() == 3, "batch1 must be a 3D tensor");
    check(mat2.dim() == 3, "batch2 must be a 3D tensor");
    check(self.sizes()[0] == mat2.sizes()[0] && self.sizes()[2] == mat2.sizes()[1],
          "Expected size for first two dimensions of batch2 tensor to be: [", self.sizes()[0], ", ",
          self.sizes()[2], "] but got: [", mat2.sizes()[0], ", ", mat2.sizes()[1], "].");
    check(self.dtype() == mat2.dtype(), "expected scalar type ", scalar_name(self), " but found ",
          scalar_name(mat2));
    check_product_type(self, "bmm");
}

}  // namespace

Tensor bmm(const Tensor& self, const Tensor& mat2) {
    check_bmm(self, mat2);
    const Tensor result = empty(Dims{self.sizes()[0], self.sizes()[1], mat2.sizes()[2]}, options_of(self));
    multiply(result, self, mat2);
    return record("BmmBackward0", {self, mat2}, result, [&] {
        return [self = Saved(self), mat2 = Saved(mat2)](const Tensor& grad, const Needs& needs) -> Gradients {
            return {needs[0] ? bmm(grad, adjoint(mat2.get())) : Tensor(),
                    needs[1] ? bmm(adjoint(self.get()), grad) : Tensor()};
        };
    });
}

namespace {

void check_mv(const Tensor& self, const Tensor& vec, const Tensor& addend) {
    check(self.dim() == 2 && vec.dim() == 1, "vector + matrix @ vector expected, got ",
          addend.defined() ? addend.dim() : 1, ", ", self.dim(), ", ", vec.dim());
    check(self.sizes()[1] == vec.sizes()[0], "size mismatch, got input (", self.sizes()[0], "), mat (",
          self.sizes()[0], "x", self.sizes()[1], "), vec (", vec.sizes()[0], ")");
    const Tensor& first = addend.defined() ? addend : vec;
    check(self.dtype() == vec.dtype() && first.dtype() == vec.dtype(),
          "addmv input tensors must have the same dtype, but got ", scalar_name(first), ", ",
          scalar_name(self), ", and ", scalar_name(vec));
    check_product_type(self, "addmv_impl_cpu");
}

// A vector as a matrix of one column, off the graph.
Tensor as_column(const Tensor& vec) {
    return alias(vec, Dims{vec.sizes()[0], 1}, Dims{vec.strides()[0], 1}, vec.offset());
}

}  // namespace

Tensor mv(const Tensor& self, const Tensor& vec) {
    check_mv(self, vec, Tensor());
    const Tensor result = empty(Dims{self.sizes()[0]}, options_of(self));
    multiply(as_column(result), self, as_column(vec));
    return record("MvBackward0", {self, vec}, result, [&] {
        return [self = Saved(self), vec = Saved(vec)](const Tensor& grad, const Needs& needs) -> Gradients {
            return {needs[0] ? outer(grad, conj(vec.get())) : Tensor(),
                    needs[1] ? mv(adjoint(self.get()), grad) : Tensor()};
        };
    });
}

namespace {

void check_dot(const Tensor& self, const Tensor& other, const char* name) {
    check(self.dim() == 1 && other.dim() == 1, "1D tensors expected, but got ", self.dim(), "D and ",
          other.dim(), "D tensors");
    check(self.dtype() == other.dtype(), "dot : expected both vectors to have same dtype, but found ",
          scalar_name(self), " and ", scalar_name(other));
    check(self.numel() == other.numel(), "inconsistent tensor size, expected tensor ",
          to_string(self.sizes()), " and src ", to_string(other.sizes()),
          " to have the same number of elements, but got ", self.numel(), " and ", other.numel(),
          " elements respectively");
    check_product_type(self, name);
}

Tensor inner_product(const Tensor& self, const Tensor& other) {
    const Tensor result = empty(Dims{}, options_of(self));
    const Tensor matrix = alias(result, Dims{1, 1}, Dims{1, 1}, result.offset());
    const Tensor row = alias(self, Dims{1, self.numel()}, Dims{0, self.strides()[0]}, self.offset());
    multiply(matrix, row, as_column(other));
    return result;
}

}  // namespace

Tensor dot(const Tensor& self, const Tensor& other) {
    check_dot(self, other, "dot");
    return record("DotBackward0", {self, other}, inner_product(self, other), [&] {
        return
            [self = Saved(self), other = Saved(other)](const Tensor& grad, const Needs& needs) -> Gradients {
                return {needs[0] ? grad * conj(other.get()) : Tensor(),
                        needs[1] ? grad * conj(self.get()) : Tensor()};
            };
    });
}

Tensor vdot(const Tensor& self, const Tensor& other) {
    check_dot(self, other, "vdot");
    if (!is_complex(self.dtype())) return dot(self, other);
    Tensor result;
    {
        const GradientsEnabled off(false);
        result = inner_product(conj(self), other);
    }
    return record("VdotBackward0", {self, other}, result, [&] {
        return [self = Saved(self), other = Saved(other)](const Tensor& grad,
                                                          const Needs& needs) -> Gradients {
            return {needs[0] ? conj(grad) * other.get() : Tensor(), needs[1] ? grad * self.get() : Tensor()};
        };
    });
}

Tensor outer(const Tensor& self, const Tensor& vec2) {
    check(self.dim() == 1, "outer: Expected 1-D argument self, but got ", self.dim(), "-D");
    check(vec2.dim() == 1, "outer: Expected 1-D argument vec2, but got ", vec2.dim(), "-D");
    return unsqueeze(self, 1) * vec2;
}

namespace {

// addmm and an activation, off the graph.
Tensor activated_sum(const Tensor& self, const Tensor& mat1, const Tensor& mat2, const Scalar& beta,
                     const Scalar& alpha, kernels::Activation activation) {
    check(mat1.dim() == 2, "mat1 must be a matrix, got ", mat1.dim(), "-D tensor");
    check(mat2.dim() == 2, "mat2 must be a matrix, got ", mat2.dim(), "-D tensor");
    check(mat1.sizes()[1] == mat2.sizes()[0], "mat1 and mat2 shapes cannot be multiplied (", mat1.sizes()[0],
          "x", mat1.sizes()[1], " and ", mat2.sizes()[0], "x", mat2.sizes()[1], ")");
    const Dims sizes{mat1.sizes()[0], mat2.sizes()[1]};
    check_addend(self, sizes);
    check(self.dtype() == mat2.dtype(), "self and mat2 must have the same dtype, but got ", scalar_name(self),
          " and ", scalar_name(mat2));
    check(mat1.dtype() == mat2.dtype(), "mat1 and mat2 must have the same dtype, but got ", scalar_name(mat1),
          " and ", scalar_name(mat2));
    check_product_type(self, "addmm_impl_cpu_");
    const Tensor result = empty(sizes, options_of(self));
    multiply(result, mat1, mat2, {self, beta, alpha, activation, requires_grad(mat2) && is_leaf(mat2)});
    return result;
}

}  // namespace

Tensor addmm(const Tensor& self, const Tensor& mat1, const Tensor& mat2, const Scalar& beta,
             const Scalar& alpha) {
    const Tensor result = activated_sum(self, mat1, mat2, beta, alpha, kernels::Activation::none);
    return record("AddmmBackward0", {self, mat1, mat2}, result, [&] {
        return [mat1 = Saved(mat1), mat2 = Saved(mat2), beta, alpha](const Tensor& grad,
                                                                     const Needs& needs) -> Gradients {
            return {needs[0] ? scaled(grad, beta) : Tensor(),
                    needs[1] ? scaled(mm(grad, adjoint(mat2.get())), alpha) : Tensor(),
                    needs[2] ? scaled(mm(adjoint(mat1.get()), grad), alpha) : Tensor()};
        };
    });
}

Tensor baddbmm(const Tensor& self, const Tensor& batch1, const Tensor& batch2, const Scalar& beta,
               const Scalar& alpha) {
    check_bmm(batch1, batch2);
    const Dims sizes{batch1.sizes()[0], batch1.sizes()[1], batch2.sizes()[2]};
    check_addend(self, sizes);
    check(self.dtype() == batch1.dtype(),
          "Input dtypes must be the same, got: input: ", cpp_name(self.dtype()),
          ", batch1: ", cpp_name(batch1.dtype()), ", batch2: ", cpp_name(batch2.dtype()));
    const Tensor result = empty(sizes, options_of(self));
    multiply(result, batch1, batch2, {self, beta, alpha});
    return record("BaddbmmBackward0", {self, batch1, batch2}, result, [&] {
        return [batch1 = Saved(batch1), batch2 = Saved(batch2), beta, alpha](
                   const Tensor& grad, const Needs& needs) -> Gradients {
            return {needs[0] ? scaled(grad, beta) : Tensor(),
                    needs[1] ? scaled(bmm(grad, adjoint(batch2.get())), alpha) : Tensor(),
                    needs[2] ? scaled(bmm(adjoint(batch1.get()), grad), alpha) : Tensor()};
        };
    });
}

namespace {

// The sum over the batch is one product whose depth runs over batch and inner dimension.
Tensor addbmm(const Tensor& self, const Tensor& batch1, const Tensor& batch2, const Scalar& beta,
              const Scalar& alpha) {
    check(batch1.dim() == 3, "batch1 must be a 3D tensor");
    check(batch2.dim() == 3, "batch2 must be a 3D tensor");
    check(batch1.sizes()[0] == batch2.sizes()[0], "batch1 and batch2 must have same number of batches, got ",
          batch1.sizes()[0], " and ", batch2.sizes()[0]);
    check(batch1.sizes()[2] == batch2.sizes()[1], "Incompatible matrix sizes for bmm (", batch1.sizes()[1],
          "x", batch1.sizes()[2], " and ", batch2.sizes()[1], "x", batch2.sizes()[2], ")");
    const int64_t depth = batch1.sizes()[0] * batch1.sizes()[2];
    const Tensor left = reshape(permute(batch1, {1, 0, 2}), {batch1.sizes()[1], depth});
    return addmm(self, left, reshape(batch2, {depth, batch2.sizes()[2]}), beta, alpha);
}

// Unlike its siblings this one gives `self` the shape of the result.
Tensor addbmm_in_place(const Tensor& self, const Tensor& batch1, const Tensor& batch2, const Scalar& beta,
                       const Scalar& alpha) {
    const Tensor result = addbmm(self, batch1, batch2, beta, alpha);
    if (self.sizes() != result.sizes()) {
        check(!gradients_wanted({self}), "cannot resize variables that require grad");
        resize_in_place(self, result.sizes());
    }
    return write_in_place(self, [&](const Tensor&) { return result; });
}

Tensor addmv(const Tensor& self, const Tensor& mat, const Tensor& vec, const Scalar& beta,
             const Scalar& alpha) {
    check_mv(mat, vec, self);
    check_addend(self, Dims{mat.sizes()[0]});
    const Tensor result = empty(Dims{mat.sizes()[0]}, options_of(mat));
    const int64_t stride = self.dim() == 1 && self.sizes()[0] != 1 ? self.strides()[0] : 0;
    multiply(as_column(result), mat, as_column(vec),
             {alias(self, Dims{mat.sizes()[0], 1}, Dims{stride, 1}, self.offset()), beta, alpha});
    return record("AddmvBackward0", {self, mat, vec}, result, [&] {
        return [mat = Saved(mat), vec = Saved(vec), beta, alpha](const Tensor& grad,
                                                                 const Needs& needs) -> Gradients {
            return {needs[0] ? scaled(grad, beta) : Tensor(),
                    needs[1] ? scaled(outer(grad, conj(vec.get())), alpha) : Tensor(),
                    needs[2] ? scaled(mv(adjoint(mat.get()), grad), alpha) : Tensor()};
        };
    });
}

Tensor addr(const Tensor& self, const Tensor& vec1, const Tensor& vec2, const Scalar& beta,
            const Scalar& alpha) {
    check(vec1.dim() == 1, "addr: Expected 1-D argument vec1, but got ", vec1.dim(), "-D");
    check(vec2.dim() == 1, "addr: Expected 1-D argument vec2, but got ", vec2.dim(), "-D");
    check_addend(self, Dims{vec1.sizes()[0], vec2.sizes()[0]});
    const DType dtype = result_type(std::initializer_list<Tensor>{self, vec1, vec2});
    check(is_boolean(dtype) || !is_integral(dtype) || (beta.is_integral() && alpha.is_integral()),
          "For integral input tensors, argument beta must not be a floating point number.");
    Tensor result;
    {
        const GradientsEnabled off(false);
        Tensor product = outer(vec1, vec2);
        if (!alpha.equals(1)) product = product * (is_boolean(dtype) ? Scalar(alpha.to_bool()) : alpha);
        const Tensor scaled_self = beta.equals(1) || is_boolean(dtype) ? self : self * beta;
        result = to(beta.equals(0) ? product : scaled_self + product, dtype);
    }
    return record("AddrBackward0", {self, vec1, vec2}, result, [&] {
        return [vec1 = Saved(vec1), vec2 = Saved(vec2), dtype, beta, alpha](const Tensor& grad,
                                                                            const Needs& needs) -> Gradients {
            return {
                needs[0] ? scaled(grad, beta) : Tensor(),
                needs[1] ? scaled(mv(grad, conj(to(vec2.get(), dtype))), alpha) : Tensor(),
                needs[2] ? scaled(mv(transpose(grad, 0, 1), conj(to(vec1.get(), dtype))), alpha) : Tensor()};
        };
    });
}

Tensor addmm_activation(const Tensor& self, const Tensor& mat1, const Tensor& mat2, const Scalar& beta,
                        const Scalar& alpha, bool use_gelu) {
    if ((self.dtype() == DType::float32 || self.dtype() == DType::float64) &&
        !gradients_wanted({self, mat1, mat2}))
        return activated_sum(self, mat1, mat2, beta, alpha,
                             use_gelu ? kernels::Activation::gelu : kernels::Activation::relu);
    const Tensor sum = addmm(self, mat1, mat2, beta, alpha);
    return use_gelu ? gelu(sum) : relu(sum);
}

// Bytes multiplied exactly, for quantized networks.
Tensor int_mm(const Tensor& self, const Tensor& mat2) {
    const int64_t columns = mat2.size(1);
    check(self.dim() == 2, "int_mm_out_cpu: Expected self to be of dimension 2 but got ", self.dim());
    check(mat2.dim() == 2, "int_mm_out_cpu: Expected mat2 to be of dimension 2 but got ", mat2.dim());
    check(self.sizes()[1] == mat2.sizes()[0],
          "int_mm_out_cpu: self.size(1) needs to match mat2.size(0) but got ", self.sizes()[1], " and ",
          mat2.sizes()[0]);
    check(self.dtype() == DType::int8 || self.dtype() == DType::uint8,
          "int_mm_out_cpu: Expected self dtype to be int8 or uint8 but got ", cpp_name(self.dtype()));
    check(mat2.dtype() == DType::int8, "int_mm_out_cpu: Expected mat2 dtype to be of type int8 but got ",
          cpp_name(mat2.dtype()));
    TensorOptions options = options_of(self);
    options.dtype = DType::int32;
    const Tensor result = empty(Dims{self.sizes()[0], columns}, options);
    if (result.is_meta()) return result;
    kernels::GemmProblem p;
    p.dtype = self.dtype();
    p.m = self.sizes()[0];
    p.n = columns;
    p.k = self.sizes()[1];
    p.a = self.raw_data();
    p.a_row = self.strides()[0];
    p.a_column = self.strides()[1];
    p.b = mat2.raw_data();
    p.b_row = mat2.strides()[0];
    p.b_column = mat2.strides()[1];
    p.c = result.raw_data();
    p.c_row = columns;
    p.c_column = 1;
    const GilRelease released(p.m * p.n * std::max<int64_t>(p.k, 1));
    kernels::gemm_widened(p);
    return result;
}

// A tensor of any rank times a matrix, rows folded together.
Tensor fold_product(const Tensor& self, const Tensor& matrix, const Tensor& bias) {
    const int64_t depth = self.sizes().back();
    Dims sizes = self.sizes();
    sizes.back() = matrix.sizes()[1];
    int64_t rows = 1;
    for (size_t d = 0; d + 1 < self.sizes().size(); ++d) rows *= self.sizes()[d];
    const Tensor flat = reshape(self, {rows, depth});
    return view(bias.defined() ? addmm(bias, flat, matrix) : mm(flat, matrix), sizes);
}

// The gradient of a matrix that multiplied a batch from the left: one product whose depth runs over the
// batch.
Tensor left_matrix_gradient(const Tensor& grad, const Tensor& other) {
    const auto folded = [](const Tensor& tensor) {
        const Tensor moved = movedim(tensor, {-2}, {0});
        return reshape(moved, {moved.size(0), tensor.numel() / std::max<int64_t>(1, moved.size(0))});
    };
    return mm(folded(grad), adjoint(folded(other)));
}

// Any two of at least two dimensions, one of them of three or more.
Tensor batched_product(const Tensor& self, const Tensor& other) {
    const size_t rank_a = self.sizes().size(), rank_b = other.sizes().size();
    Dims sizes = broadcast(IntSpan(self.sizes()).first(rank_a - 2), IntSpan(other.sizes()).first(rank_b - 2));
    const int64_t rows = self.sizes()[rank_a - 2], depth = self.sizes()[rank_a - 1];
    check(depth == other.sizes()[rank_b - 2],
          "Expected size for first two dimensions of batch2 tensor to be: [", count_elements(sizes), ", ",
          depth, "] but got: [", count_elements(sizes), ", ", other.sizes()[rank_b - 2], "].");
    check(self.dtype() == other.dtype(), "expected scalar type ", scalar_name(self), " but found ",
          scalar_name(other));
    check_product_type(self, "bmm");
    if (sizes.size() > kernels::gemm_batch_rank) {
        Dims wide_a = sizes, wide_b = sizes;
        wide_a.push_back(rows);
        wide_a.push_back(depth);
        wide_b.push_back(depth);
        wide_b.push_back(other.sizes()[rank_b - 1]);
        const int64_t count = count_elements(sizes);
        const Tensor product = bmm(reshape(expand(self, wide_a), {count, rows, depth}),
                                   reshape(expand(other, wide_b), {count, depth, wide_b.back()}));
        wide_a.back() = wide_b.back();
        return view(product, wide_a);
    }
    sizes.push_back(rows);
    sizes.push_back(other.sizes()[rank_b - 1]);
    const Tensor result = empty(sizes, options_of(self));
    multiply(result, self, other);
    return record("UnsafeViewBackward0", {self, other}, result, [&] {
        return
            [self = Saved(self), other = Saved(other)](const Tensor& grad, const Needs& needs) -> Gradients {
                const bool fold = grad.numel() > 0 && self.get().dim() == 2;
                return {!needs[0] ? Tensor()
                        : fold    ? left_matrix_gradient(grad, other.get())
                                  : batched_product(grad, adjoint(other.get())),
                        needs[1] ? batched_product(adjoint(self.get()), grad) : Tensor()};
            };
    });
}

}  // namespace

Tensor matmul(const Tensor& self, const Tensor& other) {
    const int64_t a = self.dim(), b = other.dim();
    check(a > 0 && b > 0, "both arguments to matmul need to be at least 1D, but they are ", a, "D and ", b,
          "D");
    if (a == 1 && b == 1) return dot(self, other);
    if (a == 2 && b == 2) return mm(self, other);
    if (a == 2 && b == 1) return mv(self, other);
    if (a == 1 && b == 2) return squeeze(mm(unsqueeze(self, 0), other), 0);
    if (b == 1) {
        Dims sizes = self.sizes();
        sizes.pop_back();
        return view(mv(reshape(self, {count_elements(sizes), self.sizes().back()}), other), sizes);
    }
    if (b == 2) return fold_product(self, other, Tensor());
    if (a == 1) return squeeze(batched_product(unsqueeze(self, 0), other), -2);
    return batched_product(self, other);
}

Tensor linear(const Tensor& input, const Tensor& weight, const Tensor& bias) {
    const int64_t rank = input.dim();
    if (weight.dim() == 1 && !bias.defined()) return matmul(input, weight);
    check(rank > 0, "both arguments to linear need to be at least 1D, but they are 0D and ", weight.dim(),
          "D");
    check(weight.dim() == 2, "mat2 must be a matrix, got ", weight.dim(), "-D tensor");
    const int64_t depth = input.sizes().back(), columns = weight.sizes()[0];
    int64_t rows = 1;
    for (size_t d = 0; d + 1 < input.sizes().size(); ++d) rows *= input.sizes()[d];
    check(depth == weight.sizes()[1], "mat1 and mat2 shapes cannot be multiplied (", rows, "x", depth,
          " and ", weight.sizes()[1], "x", columns, ")");
    if (bias.defined()) check_linear_bias(input, weight, bias, {rows, columns});
    check(input.dtype() == weight.dtype(),
          "expected m1 and m2 to have the same dtype, but got: ", cpp_name(input.dtype()),
          " != ", cpp_name(weight.dtype()));
    check_product_type(input, "addmm_impl_cpu_");

    const Tensor left = rank == 2 ? input : contiguous_data(input);
    Dims sizes = input.sizes();
    sizes.back() = columns;
    const Tensor result = empty(sizes, options_of(input));
    multiply_linear(result, left, weight, bias, rows);
    const char* const name = rank == 2 ? (bias.defined() ? "AddmmBackward0" : "MmBackward0")
                                       : (bias.defined() ? "ViewBackward0" : "UnsafeViewBackward0");
    return record(name, {bias, input, weight}, result, [&] {
        return [input = Saved(input), weight = Saved(weight), rows](const Tensor& grad,
                                                                    const Needs& needs) -> Gradients {
            const Tensor matrix = weight.get();
            const Tensor flat = grad.dim() == 2 ? grad : reshape(grad, {rows, matrix.sizes()[0]});
            Gradients gradients{grad, Tensor(), Tensor()};
            const Tensor left = input.get();
            if (needs[1]) {
                const Tensor product = mm(flat, conj(matrix));
                gradients[1] = left.dim() == 2 ? product : view(product, left.sizes());
            }
            if (needs[2]) {
                const Tensor folded = left.dim() == 2 ? left : reshape(left, {rows, matrix.sizes()[1]});
                gradients[2] = mm(transpose(flat, 0, 1), conj(folded));
            }
            return gradients;
        };
    });
}

namespace {

const Register mm_operator{
    "mm(Tensor self, Tensor mat2) -> Tensor",
    mm,
    {.variants = function | method | out,
     .doc = "The product of two matrices, (n, m) times (m, p) giving (n, p).\n\n"
            "Raises RuntimeError where either is no matrix, the inner sizes differ, or the dtypes differ.\n\n"
            ">>> rushlight.mm(rushlight.tensor([[1., 2.]]), rushlight.tensor([[3.], [4.]]))\ntensor([[11.]])",
     .dtypes = "all but bool"}};
const Register bmm_operator{
    "bmm(Tensor self, Tensor mat2) -> Tensor",
    bmm,
    {.variants = function | method | out,
     .doc = "Products of matrices in a batch, (b, n, m) times (b, m, p) giving (b, n, p).\n\n"
            "Raises RuntimeError for shapes that do not fit and for different dtypes.\n\n"
            ">>> rushlight.bmm(rushlight.ones(2, 1, 3), rushlight.ones(2, 3, 1)).shape\n"
            "torch.Size([2, 1, 1])",
     .dtypes = "all but bool"}};
const Register mv_operator{
    "mv(Tensor self, Tensor vec) -> Tensor",
    mv,
    {.variants = function | method | out,
     .doc = "A matrix (n, m) times a vector (m), giving (n).\n\n"
            ">>> rushlight.mv(rushlight.tensor([[1., 2.]]), rushlight.tensor([3., 4.]))\ntensor([11.])",
     .dtypes = "all but bool"}};
const Register dot_operator{
    "dot(Tensor self, Tensor tensor) -> Tensor",
    dot,
    {.variants = function | method | out,
     .doc = "The sum of the products of two vectors' elements, without conjugation.\n\n"
            ">>> rushlight.dot(rushlight.tensor([2, 3]), rushlight.tensor([2, 1]))\ntensor(7)",
     .dtypes = "all but bool"}};
const Register vdot_operator{
    "vdot(Tensor self, Tensor other) -> Tensor",
    vdot,
    {.variants = function | method | out,
     .doc = "The sum of the products of the first vector's conjugated elements with the second's.\n\n"
            ">>> rushlight.vdot(rushlight.tensor([2, 3]), rushlight.tensor([2, 1]))\ntensor(7)",
     .dtypes = "all but bool"}};
constexpr const char* outer_doc =
    "The matrix of products of each element of one vector (n) with each of another (m), shaped (n, m).\n\n"
    ">>> rushlight.outer(rushlight.tensor([1., 2.]), rushlight.tensor([3., 4.]))\n"
    "tensor([[3., 4.],\n        [6., 8.]])";
const Register outer_operator{"outer(Tensor self, Tensor vec2) -> Tensor",
                              outer,
                              {.variants = function | method | out, .doc = outer_doc}};
const Register ger_operator{"ger(Tensor self, Tensor vec2) -> Tensor",
                            outer,
                            {.variants = function | method | out, .doc = outer_doc}};
const Register matmul_operator{
    "matmul(Tensor self, Tensor other) -> Tensor",
    matmul,
    {.variants = function | method | out,
     .doc = "The matrix product of two tensors. Vectors count as a row on the left and as a column on the "
            "right; "
            "dimensions before the last two broadcast.\n\n"
            "Raises RuntimeError for zero-dim tensors, shapes that do not fit, and different dtypes.\n\n"
            ">>> rushlight.matmul(rushlight.ones(5, 2, 3), rushlight.ones(3, 4)).shape\n"
            "torch.Size([5, 2, 4])",
     .dtypes = "all but bool"}};
const Register linear_operator{
    "linear(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor",
    linear,
    {.variants = out,
     .doc = "input · weightᵀ + bias: input (*, in_features), weight (out_features, in_features) or "
            "(in_features), "
            "bias (out_features) or None, giving (*, out_features).\n\n"
            "Raises RuntimeError for shapes that do not fit and for different dtypes.\n\n"
            ">>> rushlight.nn.functional.linear(rushlight.ones(2, 3), rushlight.ones(4, 3)).shape\n"
            "torch.Size([2, 4])",
     .dtypes = "all but bool"}};

constexpr const char* additive_doc =
    "beta * self + alpha * (the product of the other two), where self broadcasts to the product's shape and, "
    "for "
    "beta=0, is not read.\n\n"
    ">>> rushlight.addmm(rushlight.ones(2), rushlight.ones(2, 3), rushlight.ones(3, 2))\n"
    "tensor([[4., 4.],\n        [4., 4.]])";
constexpr OperatorOptions additive_options{
    .variants = function | method | in_place | out, .doc = additive_doc, .dtypes = "all but bool"};
const Register addmm_operator{
    "addmm(Tensor self, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1) -> Tensor", addmm,
    additive_options};
const Register addmm_activation_operator{
    "_addmm_activation(Tensor self, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1, "
    "bool use_gelu=False) -> Tensor",
    addmm_activation,
    {.variants = function | method | out,
     .doc = "relu(addmm(self, mat1, mat2)), or gelu of it where use_gelu.\n\n"
            ">>> rushlight._addmm_activation(rushlight.tensor([-7., 1.]), rushlight.ones(1, 3), "
            "rushlight.ones(3, 2))\n"
            "tensor([[0., 4.]])",
     .dtypes = "all but bool"}};
const Register int_mm_operator{
    "_int_mm(Tensor self, Tensor mat2) -> Tensor",
    int_mm,
    {.variants = function | out,
     .doc = "The product of two matrices of bytes, (n, m) int8 or uint8 times (m, p) int8, as int32 (n, p), "
            "exact "
            "unless it exceeds 32 bits.\n\n"
            "Raises RuntimeError for other dtypes and for shapes that do not fit.\n\n"
            ">>> x = rushlight.tensor([[100, -100]], dtype=rushlight.int8)\n"
            ">>> rushlight._int_mm(x, x.t())\n"
            "tensor([[20000]], dtype=torch.int32)",
     .dtypes = "int8, uint8"}};
const Register addbmm_operator{
    "addbmm(Tensor self, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1) -> Tensor",
    addbmm,
    {.variants = function | method | out, .doc = additive_doc, .dtypes = "all but bool"}};
const Register addbmm_in_place_operator{
    "addbmm_(Tensor(a!) self, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1) -> Tensor(a!)",
    addbmm_in_place,
    {.variants = method, .doc = additive_doc, .dtypes = "all but bool"}};
const Register baddbmm_operator{
    "baddbmm(Tensor self, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1) -> Tensor", baddbmm,
    additive_options};
const Register addmv_operator{
    "addmv(Tensor self, Tensor mat, Tensor vec, *, Scalar beta=1, Scalar alpha=1) -> Tensor", addmv,
    additive_options};
const Register addr_operator{
    "addr(Tensor self, Tensor vec1, Tensor vec2, *, Scalar beta=1, Scalar alpha=1) -> Tensor", addr,
    additive_options};

}  // namespace

}  // namespace rl::ops
