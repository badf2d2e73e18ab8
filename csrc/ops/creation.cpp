// New tensors: constants, sequences, memory like that of another tensor.
#include "ops/creation.h"

#include <algorithm>
#include <cmath>

#include "kernels/sequence.h"
#include "ops/factory.h"

namespace rl::ops {

Tensor full(IntSpan sizes, const Scalar& value, TensorOptions options) {
    const Tensor result = empty(sizes, options);
    fill_data(result, value);
    return result;
}
Tensor zeros(IntSpan sizes, TensorOptions options) {
    return full(sizes, 0, options);
}
Tensor ones(IntSpan sizes, TensorOptions options) {
    return full(sizes, 1, options);
}

namespace {

using MaybeDType = std::optional<DType>;
using MaybeLayout = std::optional<Layout>;
using MaybeDevice = std::optional<Device>;
using MaybeBool = std::optional<bool>;
using MaybeFormat = std::optional<MemoryFormat>;

Tensor zeros_op(const Dims& size, MaybeDType dtype, MaybeLayout, MaybeDevice device, MaybeBool pin_memory,
                bool requires_grad, const Destination& destination) {
    const Factory factory{dtype, device, pin_memory, requires_grad, destination};
    for (const int64_t extent : size) check(extent >= 0, "zeros: Dimension size must be non-negative.");
    return factory.finish(zeros(size, factory.options()));
}

Tensor ones_op(const Dims& size, MaybeDType dtype, MaybeLayout, MaybeDevice device, MaybeBool pin_memory,
               bool requires_grad, const Destination& destination) {
    const Factory factory{dtype, device, pin_memory, requires_grad, destination};
    return factory.finish(ones(size, factory.options()));
}

Tensor full_op(const Dims& size, const Scalar& fill_value, MaybeDType dtype, MaybeLayout, MaybeDevice device,
               MaybeBool pin_memory, bool requires_grad, const Destination& destination) {
    const Factory factory{dtype, device, pin_memory, requires_grad, destination};
    return factory.finish(full(size, fill_value, factory.options(fill_value.natural_dtype())));
}

Tensor empty_op(const Dims& size, MaybeDType dtype, MaybeLayout, MaybeDevice device, MaybeBool pin_memory,
                bool requires_grad, MaybeFormat memory_format, const Destination& destination) {
    const Factory factory{dtype, device, pin_memory, requires_grad, destination};
    if (destination.kind == Destination::Kind::out) {
        prepare_out(destination.tensor, size, factory.options().dtype);
        return destination.tensor;
    }
    if (!memory_format) return factory.finish(empty(size, factory.options()));
    check(*memory_format != MemoryFormat::preserve, "Unsupported memory format Preserve");
    return factory.finish(empty_strided(size, strides_for(size, *memory_format), factory.options()));
}

Tensor empty_strided_op(const Dims& size, const Dims& stride, MaybeDType dtype, MaybeLayout,
                        MaybeDevice device, MaybeBool pin_memory, bool requires_grad) {
    const Factory factory{dtype, device, pin_memory, requires_grad};
    check(size.size() == stride.size(), "dimensionality of sizes (", size.size(),
          ") must match dimensionality of strides (", stride.size(), ")");
    count_elements(size);
    for (const int64_t step : stride) {
        check(step >= 0, "Storage size calculation overflowed with sizes=", to_string(size),
              " and strides=", to_string(stride));
    }
    return factory.finish(empty_strided(size, stride, factory.options()));
}

Tensor empty_permuted(const Dims& size, const Dims& physical_layout, MaybeDType dtype, MaybeLayout,
                      MaybeDevice device, MaybeBool pin_memory, bool requires_grad) {
    const Factory factory{dtype, device, pin_memory, requires_grad};
    check(size.size() == physical_layout.size(),
          "Number of dimensions in size does not match the length of the physical_layout; i.e. len(size) = ",
          size.size(), " is not equal to len(physical_layout) = ", physical_layout.size());
    const auto ndim = static_cast<int64_t>(size.size());
    Dims strides(size.size(), 0);
    uint64_t seen = 0;
    int64_t stride = 1;
    for (size_t i = size.size(); i-- > 0;) {
        const int64_t d = physical_layout[i];
        check(d >= 0 && d < ndim, "Dimension out of range (expected to be between 0 and ", ndim - 1,
              ", but got ", d, " at index ", i,
              ").  NB: negative dims not currently supported; file an issue if you want it.");
        check((seen & uint64_t{1} << d) == 0, "Duplicate dim not allowed");
        seen |= uint64_t{1} << d;
        strides[d] = stride;
        stride *= std::max<int64_t>(size[d], 1);
    }
    return factory.finish(empty_strided(size, strides, factory.options()));
}

Tensor scalar_tensor_op(const Scalar& value, MaybeDType dtype, MaybeLayout, MaybeDevice device,
                        MaybeBool pin_memory, bool requires_grad) {
    const Factory factory{dtype, device, pin_memory, requires_grad};
    return factory.finish(full({}, value, factory.options()));
}

Tensor empty_like_op(const Tensor& self, MaybeDType dtype, MaybeLayout, MaybeDevice device,
                     MaybeBool pin_memory, bool requires_grad, MaybeFormat memory_format) {
    const Factory factory{dtype, device, pin_memory, requires_grad};
    const TensorOptions options = factory.options(self.dtype(), self.device());
    const MemoryFormat format = memory_format.value_or(MemoryFormat::preserve);
    const Dims strides = format == MemoryFormat::preserve ? strides_like(self.sizes(), self.strides())
                                                          : strides_for(self.sizes(), format);
    return factory.finish(empty_strided(self.sizes(), strides, options));
}

Tensor full_like_op(const Tensor& self, const Scalar& fill_value, MaybeDType dtype, MaybeLayout layout,
                    MaybeDevice device, MaybeBool pin_memory, bool requires_grad, MaybeFormat memory_format) {
    const Tensor result = empty_like_op(self, dtype, layout, device, pin_memory, false, memory_format);
    fill_data(result, fill_value);
    if (requires_grad) set_requires_grad(result, true);
    return result;
}
Tensor zeros_like_op(const Tensor& self, MaybeDType dtype, MaybeLayout layout, MaybeDevice device,
                     MaybeBool pin_memory, bool requires_grad, MaybeFormat memory_format) {
    return full_like_op(self, 0, dtype, layout, device, pin_memory, requires_grad, memory_format);
}
Tensor ones_like_op(const Tensor& self, MaybeDType dtype, MaybeLayout layout, MaybeDevice device,
                    MaybeBool pin_memory, bool requires_grad, MaybeFormat memory_format) {
    return full_like_op(self, 1, dtype, layout, device, pin_memory, requires_grad, memory_format);
}

Tensor new_empty(const Tensor& self, const Dims& size, MaybeDType dtype, MaybeLayout, MaybeDevice device,
                 MaybeBool pin_memory, bool requires_grad) {
    const Factory factory{dtype, device, pin_memory, requires_grad};
    return factory.finish(empty(size, factory.options(self.dtype(), self.device())));
}
Tensor new_full(const Tensor& self, const Dims& size, const Scalar& fill_value, MaybeDType dtype, MaybeLayout,
                MaybeDevice device, MaybeBool pin_memory, bool requires_grad) {
    const Factory factory{dtype, device, pin_memory, requires_grad};
    return factory.finish(full(size, fill_value, factory.options(self.dtype(), self.device())));
}
Tensor new_zeros(const Tensor& self, const Dims& size, MaybeDType dtype, MaybeLayout layout,
                 MaybeDevice device, MaybeBool pin_memory, bool requires_grad) {
    return new_full(self, size, 0, dtype, layout, device, pin_memory, requires_grad);
}
Tensor new_ones(const Tensor& self, const Dims& size, MaybeDType dtype, MaybeLayout layout,
                MaybeDevice device, MaybeBool pin_memory, bool requires_grad) {
    return new_full(self, size, 1, dtype, layout, device, pin_memory, requires_grad);
}
Tensor new_empty_strided(const Tensor& self, const Dims& size, const Dims& stride, MaybeDType dtype,
                         MaybeLayout layout, MaybeDevice device, MaybeBool pin_memory, bool requires_grad) {
    return empty_strided_op(size, stride, dtype.value_or(self.dtype()), layout,
                            device.value_or(self.device()), pin_memory, requires_grad);
}

void check_range(const Scalar& start, const Scalar& end, const Scalar& step) {
    for (const Scalar& value : {start, end, step}) {
        check(!value.is_complex(), "value cannot be converted to type double without overflow");
    }
    const double first = start.to_double(), last = end.to_double();
    check(step.to_double() != 0, "step must be nonzero");
    check(std::isfinite(first) && std::isfinite(last), "unsupported range: ", first, " -> ", last);
    check(step.to_double() > 0 ? last >= first : last <= first,
          "upper bound and lower bound inconsistent with step sign");
}

int64_t count_steps(const Scalar& start, const Scalar& end, const Scalar& step, DType dtype) {
    if (dtype == DType::int64) {
        const int64_t stride = step.to_int();
        check(stride != 0, "step must be nonzero");
        const auto range = static_cast<__int128>(end.to_int()) - start.to_int();
        return static_cast<int64_t>((range + stride - (stride > 0 ? 1 : -1)) / stride);
    }
    const double count = std::ceil((end.to_double() - start.to_double()) / step.to_double());
    check(count >= 0 && count <= 0x1p62, "invalid size, possible overflow?");
    return static_cast<int64_t>(count);
}

void check_sequence_type(DType dtype, const char* name, bool complex_too) {
    check<NotImplemented>(!is_boolean(dtype) && (complex_too || !is_complex(dtype)), "\"", name,
                          "_cpu\" not implemented for '", info(dtype).scalar_name, "'");
}

DType sequence_type(std::initializer_list<Scalar> values) {
    const bool whole =
        std::all_of(values.begin(), values.end(), [](const Scalar& v) { return v.is_integral(); });
    return whole ? DType::int64 : default_dtype();
}

Tensor sequence(const Scalar& start, const Scalar& step, int64_t count, TensorOptions options) {
    const Tensor result = empty(Dims{count}, options);
    if (!result.is_meta()) kernels::arange(options.dtype, result.raw_data(), count, start, step);
    return result;
}

}  // namespace

Tensor arange(const Scalar& start, const Scalar& end, const Scalar& step, TensorOptions options) {
    check_sequence_type(options.dtype, "arange", false);
    check_range(start, end, step);
    return sequence(start, step, count_steps(start, end, step, options.dtype), options);
}
Tensor arange(int64_t end, TensorOptions options) {
    return arange(0, end, 1, options);
}

namespace {

Tensor arange_op(const Scalar& start, const Scalar& end, const Scalar& step, MaybeDType dtype, MaybeLayout,
                 MaybeDevice device, MaybeBool pin_memory, bool requires_grad,
                 const Destination& destination) {
    const Factory factory{dtype, device, pin_memory, requires_grad, destination};
    return factory.finish(arange(start, end, step, factory.options(sequence_type({start, end, step}))));
}
Tensor arange_start(const Scalar& start, const Scalar& end, MaybeDType dtype, MaybeLayout layout,
                    MaybeDevice device, MaybeBool pin_memory, bool requires_grad,
                    const Destination& destination) {
    return arange_op(start, end, 1, dtype, layout, device, pin_memory, requires_grad, destination);
}
Tensor arange_end(const Scalar& end, MaybeDType dtype, MaybeLayout layout, MaybeDevice device,
                  MaybeBool pin_memory, bool requires_grad, const Destination& destination) {
    return arange_op(0, end, 1, dtype, layout, device, pin_memory, requires_grad, destination);
}

Tensor range_op(const Scalar& start, const Scalar& end, const Scalar& step, MaybeDType dtype, MaybeLayout,
                MaybeDevice device, MaybeBool pin_memory, bool requires_grad,
                const Destination& destination) {
    if (PyErr_WarnEx(
            PyExc_UserWarning,
            "torch.range is deprecated and will be removed in a future release because its behavior is "
            "inconsistent with Python's range builtin. Instead, use torch.arange, which produces values in "
            "[start, end).",
            1) != 0) {
        throw PythonError();
    }
    const Factory factory{dtype, device, pin_memory, requires_grad, destination};
    const TensorOptions options = factory.options();
    check_sequence_type(options.dtype, "range", false);
    check_range(start, end, step);
    const double steps = (end.to_double() - start.to_double()) / step.to_double();
    return factory.finish(sequence(start, step, static_cast<int64_t>(steps) + 1, options));
}

DType spaced_type(const Scalar& start, const Scalar& end) {
    return start.is_complex() || end.is_complex() ? default_complex_dtype() : default_dtype();
}

void check_spaced(const char* name, const Tensor& start, const Tensor& end, int64_t steps) {
    check(start.dim() == 0 && end.dim() == 0, name,
          " only supports 0-dimensional start and end tensors, but got ", start.dim() != 0 ? "start" : "end",
          " with ", start.dim() != 0 ? start.dim() : end.dim(), " dimension(s).");
    check(steps >= 0, "number of steps must be non-negative");
}

Tensor linspace(const Tensor& start, const Tensor& end, int64_t steps, MaybeDType dtype, MaybeLayout,
                MaybeDevice device, MaybeBool pin_memory, bool requires_grad,
                const Destination& destination) {
    check_spaced("linspace", start, end, steps);
    const Factory factory{dtype, device, pin_memory, requires_grad, destination};
    const Scalar first = start.item(), last = end.item();
    const TensorOptions options = factory.options(spaced_type(first, last));
    check_sequence_type(options.dtype, "linspace", true);
    const Tensor result = empty(Dims{steps}, options);
    if (!result.is_meta() && steps > 0)
        kernels::linspace(options.dtype, result.raw_data(), steps, first, last);
    return factory.finish(result);
}

Tensor logspace(const Tensor& start, const Tensor& end, int64_t steps, double base, MaybeDType dtype,
                MaybeLayout, MaybeDevice device, MaybeBool pin_memory, bool requires_grad,
                const Destination& destination) {
    check_spaced("logspace", start, end, steps);
    const Factory factory{dtype, device, pin_memory, requires_grad, destination};
    const Scalar first = start.item(), last = end.item();
    const TensorOptions options = factory.options(spaced_type(first, last));
    check_sequence_type(options.dtype, "logspace", true);
    const Tensor result = empty(Dims{steps}, options);
    if (!result.is_meta() && steps > 0)
        kernels::logspace(options.dtype, result.raw_data(), steps, first, last, base);
    return factory.finish(result);
}

}  // namespace

Tensor eye(int64_t rows, int64_t columns, TensorOptions options) {
    check(rows >= 0, "n must be greater or equal to 0, got ", rows);
    check(columns >= 0, "m must be greater or equal to 0, got ", columns);
    const Tensor result = zeros(Dims{rows, columns}, options);
    fill_data(alias(result, Dims{std::min(rows, columns)}, Dims{columns + 1}, 0), 1);
    return result;
}

namespace {

Tensor eye_op(int64_t n, int64_t m, MaybeDType dtype, MaybeLayout, MaybeDevice device, MaybeBool pin_memory,
              bool requires_grad, const Destination& destination) {
    const Factory factory{dtype, device, pin_memory, requires_grad, destination};
    return factory.finish(eye(n, m, factory.options()));
}
Tensor eye_square(int64_t n, MaybeDType dtype, MaybeLayout layout, MaybeDevice device, MaybeBool pin_memory,
                  bool requires_grad, const Destination& destination) {
    return eye_op(n, n, dtype, layout, device, pin_memory, requires_grad, destination);
}

Tensor triangle_indices(const char* name, bool upper, int64_t row, int64_t col, int64_t offset,
                        const Factory& factory) {
    check(row >= 0, "row must be non-negative, got", row);
    check(col >= 0, "col must be non-negative, got", col);
    const TensorOptions options = factory.options(DType::int64);
    check<NotImplemented>(options.dtype == DType::int64 || options.dtype == DType::int32, "\"", name,
                          "\" not implemented for '", info(options.dtype).scalar_name, "'");
    const Tensor result = empty(Dims{2, kernels::count_triangle(row, col, offset, upper)}, options);
    if (!result.is_meta())
        kernels::triangle_indices(options.dtype, result.raw_data(), row, col, offset, upper);
    return factory.finish(result);
}
Tensor tril_indices(int64_t row, int64_t col, int64_t offset, MaybeDType dtype, MaybeLayout,
                    MaybeDevice device, MaybeBool pin_memory, bool requires_grad) {
    return triangle_indices("tril_indices", false, row, col, offset,
                            {dtype, device, pin_memory, requires_grad});
}
Tensor triu_indices(int64_t row, int64_t col, int64_t offset, MaybeDType dtype, MaybeLayout,
                    MaybeDevice device, MaybeBool pin_memory, bool requires_grad) {
    return triangle_indices("triu_indices", true, row, col, offset,
                            {dtype, device, pin_memory, requires_grad});
}

constexpr OperatorOptions makes(const char* doc) {
    return {.variants = function, .doc = doc, .differentiable = false};
}
constexpr OperatorOptions makes_or_fills(const char* doc) {
    return {.variants = function | out, .doc = doc, .differentiable = false};
}
constexpr OperatorOptions makes_from_tensor(const char* doc) {
    return {.variants = method, .doc = doc, .differentiable = false};
}

const Register zeros_registered{"zeros(int[] size, *, " RUSHLIGHT_FACTORY_SCHEMA ") -> Tensor", zeros_op,
                                makes_or_fills(R"(
A tensor of zeros. Raises RuntimeError for negative sizes.

>>> torch.zeros(2, 3, dtype=torch.int64)
tensor([[0, 0, 0],
        [0, 0, 0]])
)")};
const Register ones_registered{"ones(int[] size, *, " RUSHLIGHT_FACTORY_SCHEMA ") -> Tensor", ones_op,
                               makes_or_fills(R"(
A tensor of ones.

>>> torch.ones(3)
tensor([1., 1., 1.])
)")};
const Register full_registered{"full(int[] size, Scalar fill_value, *, " RUSHLIGHT_FACTORY_SCHEMA
                               ") -> Tensor",
                               full_op, makes_or_fills(R"(
A tensor in which each element is fill_value, from which the dtype follows unless it is given.

>>> torch.full((2,), 7)
tensor([7, 7])
)")};
const Register empty_registered{"empty(int[] size, *, " RUSHLIGHT_FACTORY_SCHEMA
                                ", MemoryFormat? memory_format=None) -> Tensor",
                                empty_op, makes_or_fills(R"(
A tensor whose memory is not cleared.

>>> torch.empty(2, 3).shape
torch.Size([2, 3])
)")};
const Register empty_strided_registered{
    "empty_strided(int[] size, int[] stride, *, " RUSHLIGHT_FACTORY_SCHEMA ") -> Tensor", empty_strided_op,
    makes("A tensor of the given sizes and strides whose memory is not cleared.")};
const Register empty_permuted_registered{
    "empty_permuted(int[] size, int[] physical_layout, *, " RUSHLIGHT_FACTORY_SCHEMA ") -> Tensor",
    empty_permuted,
    makes("A dense tensor, not cleared, whose dimensions lie in memory in the order that physical_layout "
          "names.")};
const Register scalar_tensor_registered{"scalar_tensor(Scalar s, *, " RUSHLIGHT_FACTORY_SCHEMA ") -> Tensor",
                                        scalar_tensor_op, makes("A zero-dim tensor of one number.")};
const Register empty_like_registered{
    "empty_like(Tensor self, *, " RUSHLIGHT_FACTORY_SCHEMA ", MemoryFormat? memory_format=None) -> Tensor",
    empty_like_op,
    makes("A tensor like another in sizes, type, device and order of dimensions; not cleared.")};

const Register zeros_like_registered{
    "zeros_like(Tensor self, *, " RUSHLIGHT_FACTORY_SCHEMA ", MemoryFormat? memory_format=None) -> Tensor",
    zeros_like_op, makes("Zeros like another tensor in sizes, type, device and order of dimensions.")};
const Register ones_like_registered{
    "ones_like(Tensor self, *, " RUSHLIGHT_FACTORY_SCHEMA ", MemoryFormat? memory_format=None) -> Tensor",
    ones_like_op, makes("Ones like another tensor in sizes, type, device and order of dimensions.")};
const Register full_like_registered{
    "full_like(Tensor self, Scalar fill_value, *, " RUSHLIGHT_FACTORY_SCHEMA
    ", MemoryFormat? memory_format=None) -> Tensor",
    full_like_op,
    makes("One number, in a tensor like another in sizes, type, device and order of dimensions.")};

const Register new_empty_registered{
    "new_empty(Tensor self, int[] size, *, " RUSHLIGHT_FACTORY_SCHEMA ") -> Tensor", new_empty,
    makes_from_tensor("A tensor of the type and device of this one; not cleared.")};
const Register new_full_registered{
    "new_full(Tensor self, int[] size, Scalar fill_value, *, " RUSHLIGHT_FACTORY_SCHEMA ") -> Tensor",
    new_full, makes_from_tensor("A tensor of the type and device of this one, filled with one number.")};
const Register new_zeros_registered{
    "new_zeros(Tensor self, int[] size, *, " RUSHLIGHT_FACTORY_SCHEMA ") -> Tensor", new_zeros,
    makes_from_tensor("A tensor of zeros of the type and device of this one.")};
const Register new_ones_registered{
    "new_ones(Tensor self, int[] size, *, " RUSHLIGHT_FACTORY_SCHEMA ") -> Tensor", new_ones,
    makes_from_tensor("A tensor of ones of the type and device of this one.")};
const Register new_empty_strided_registered{
    "new_empty_strided(Tensor self, int[] size, int[] stride, *, " RUSHLIGHT_FACTORY_SCHEMA ") -> Tensor",
    new_empty_strided,
    makes_from_tensor("A strided tensor of the type and device of this one; not cleared.")};

const Register arange_end_registered{"arange(Scalar end, *, " RUSHLIGHT_FACTORY_SCHEMA ") -> Tensor",
                                     arange_end, makes_or_fills(R"(
start, start + step, ... up to, but without, end: int64 where all three are whole, else the default dtype. Raises
RuntimeError where the step is zero or leads away from the end.

>>> torch.arange(1, 2, 0.5)
tensor([1.0000, 1.5000])
)")};
const Register arange_start_registered{"arange.start(Scalar start, Scalar end, *, " RUSHLIGHT_FACTORY_SCHEMA
                                       ") -> Tensor",
                                       arange_start, makes_or_fills("From start, by ones.")};
const Register arange_step_registered{
    "arange.start_step(Scalar start, Scalar end, Scalar step=1, *, " RUSHLIGHT_FACTORY_SCHEMA ") -> Tensor",
    arange_op, makes_or_fills("From start, by steps.")};
const Register range_registered{
    "range(Scalar start, Scalar end, Scalar step=1, *, " RUSHLIGHT_FACTORY_SCHEMA ") -> Tensor", range_op,
    makes_or_fills("As `arange`, but with the end included; deprecated.")};
const Register linspace_registered{
    "linspace(Tensor|Scalar start, Tensor|Scalar end, int steps, *, " RUSHLIGHT_FACTORY_SCHEMA ") -> Tensor",
    linspace, makes_or_fills(R"(
`steps` numbers at equal distances from start to end, both included. Raises RuntimeError for a negative count.

>>> torch.linspace(0, 1, 5)
tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000])
)")};
const Register logspace_registered{
    "logspace(Tensor|Scalar start, Tensor|Scalar end, int steps, float base=10.0, "
    "*, " RUSHLIGHT_FACTORY_SCHEMA ") -> Tensor",
    logspace, makes_or_fills(R"(
base to the powers of `steps` numbers at equal distances from start to end.

>>> torch.logspace(0, 2, 3)
tensor([  1.,  10., 100.])
)")};
const Register eye_registered{"eye(int n, *, " RUSHLIGHT_FACTORY_SCHEMA ") -> Tensor", eye_square,
                              makes_or_fills(R"(
The identity matrix: ones on the diagonal of n rows and n (or m) columns, zeros elsewhere.

>>> torch.eye(2)
tensor([[1., 0.],
        [0., 1.]])
)")};
const Register eye_m_registered{"eye.m(int n, int m, *, " RUSHLIGHT_FACTORY_SCHEMA ") -> Tensor", eye_op,
                                makes_or_fills("The identity of n rows and m columns.")};
const Register tril_indices_registered{
    "tril_indices(int row, int col, int offset=0, *, " RUSHLIGHT_FACTORY_SCHEMA ") -> Tensor", tril_indices,
    makes(R"(
Rows and columns, shape (2, count), of the elements of a matrix on and below a diagonal.

>>> torch.tril_indices(2, 2)
tensor([[0, 1, 1],
        [0, 0, 1]])
)")};
const Register triu_indices_registered{
    "triu_indices(int row, int col, int offset=0, *, " RUSHLIGHT_FACTORY_SCHEMA ") -> Tensor", triu_indices,
    makes("Rows and columns, shape (2, count), of the elements of a matrix on and above a diagonal.")};

}  // namespace
}  // namespace rl::ops
