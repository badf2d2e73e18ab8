// Copies: other types, other memory, constants in the shape of another tensor.
#include "ops/conversion.h"

#include <cmath>
#include <limits>
#include <utility>

#include "ops/gradients.h"
#include "ops/registry.h"

namespace rl::ops {
namespace {

void warn_discarded_imaginary(DType from, DType to) {
    if (!is_complex(from) || is_complex(to) || is_boolean(to)) return;
    if (PyErr_WarnEx(PyExc_UserWarning, "Casting complex values to real discards the imaginary part", 1) !=
        0) {
        throw PythonError();
    }
}

// A copy with the given type, device and order of memory.
Tensor copy_as(const Tensor& self, DType dtype, Device device, MemoryFormat format, const char* node) {
    check<NotImplemented>(!self.is_meta() || device.type == DeviceType::meta,
                          "Cannot copy out of meta tensor; no data!");
    warn_discarded_imaginary(self.dtype(), dtype);
    const Dims strides = format == MemoryFormat::preserve ? (is_dense(self.sizes(), self.strides())
                                                                 ? self.strides()
                                                                 : strides_like(self.sizes(), self.strides()))
                                                          : strides_for(self.sizes(), format);
    const Tensor result = empty_strided(self.sizes(), strides, {dtype, device});
    copy_data(result, self);
    return record(node, {self}, result,
                  [] { return [](const Tensor& grad) -> Gradients { return {grad}; }; });
}

}  // namespace

Tensor to(const Tensor& self, DType dtype) {
    if (self.dtype() == dtype) return self;
    return copy_as(self, dtype, self.device(), MemoryFormat::preserve, "ToCopyBackward0");
}
Tensor clone(const Tensor& self) {
    return clone(self, MemoryFormat::preserve);
}
Tensor clone(const Tensor& self, MemoryFormat format) {
    return copy_as(self, self.dtype(), self.device(), format, "CloneBackward0");
}
Tensor contiguous(const Tensor& self) {
    return contiguous(self, MemoryFormat::contiguous);
}
Tensor contiguous(const Tensor& self, MemoryFormat format) {
    check(format != MemoryFormat::preserve,
          "preserve memory format is unsupported by the contiguous operator");
    return self.is_contiguous(format) ? self : clone(self, format);
}

namespace {

// Runs `write`, which changes the memory of `self`, and puts the change on the graph: the values that `self`
// had get a zero gradient, those of `source` (undefined: none) the result's.
template <class Write>
Tensor overwrite(const char* node, const Tensor& self, const Tensor& source, Write&& write) {
    const bool wanted = is_differentiable(self.dtype()) && gradients_wanted({self, source});
    check_writable(self, wanted);
    const Tensor original = wanted ? before_write(self) : Tensor();
    write();
    self.bump_version();
    if (!wanted) return self;
    Tensor written = alias(self);
    written = record(node, {original, source}, written, [] {
        return [](const Tensor& grad, const Needs& needs) -> Gradients {
            return {needs[0] ? zeros_like(grad) : Tensor(), grad};
        };
    });
    rebase_history(self, written);
    return self;
}

}  // namespace

Tensor copy_(const Tensor& self, const Tensor& source) {
    const Dims sizes = broadcast(self.sizes(), source.sizes());
    check_keeps_shape(self.sizes(), sizes);
    check<NotImplemented>(!source.is_meta() || self.is_meta(), "Cannot copy out of meta tensor; no data!");
    if (self.is_same(source)) return self;
    check_overlap(source, self);
    warn_discarded_imaginary(source.dtype(), self.dtype());
    return overwrite("CopyBackwards", self, source, [&] {
        const bool shared = self->storage.get() == source->storage.get();
        copy_data(self, shared ? contiguous_data(clone(detached_data(source))) : source);
    });
}
void check_fits(const Scalar& value, DType dtype) {
    constexpr const char* names[dtype_count] = {"bool",    "uint8_t",   "int8_t",        "int16_t", "int",
                                                "int64_t", "c10::Half", "c10::BFloat16", "float",   "double"};
    if (is_boolean(dtype) || is_complex(dtype)) return;
    const auto [low, high] = [&]() -> std::pair<double, double> {
        switch (dtype) {
            case DType::uint8:
                return {-255, 255};  // negative numbers wrap
            case DType::int8:
                return {-0x1p7, 0x1p7 - 1};
            case DType::int16:
                return {-0x1p15, 0x1p15 - 1};
            case DType::int32:
                return {-0x1p31, 0x1p31 - 1};
            case DType::int64:
                return {-0x1p63, 0x1p63 - 1025};  // the largest double below 2^63
            case DType::float16:
                return {-65504, 65504};
            case DType::bfloat16:
                return {-0x1.fep127, 0x1.fep127};
            case DType::float32:
                return {-std::numeric_limits<float>::max(), std::numeric_limits<float>::max()};
            default:
                return {-std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity()};
        }
    }();
    const double number = value.to_double();
    const bool wide = dtype == DType::int64 && value.is_integral();
    const bool inside =
        wide || (number >= low && number <= high) || (is_floating(dtype) && !std::isfinite(number));
    check(inside && value.to_complex().imag() == 0, "value cannot be converted to type ",
          names[static_cast<int>(dtype)], " without overflow");
}

Tensor fill_(const Tensor& self, const Scalar& value) {
    check_fits(value, self.dtype());
    return overwrite("FillBackward0", self, Tensor(), [&] { fill_data(self, value); });
}
Tensor zero_(const Tensor& self) {
    return overwrite("ZeroBackward0", self, Tensor(), [&] { fill_data(self, 0); });
}

Tensor full_like(const Tensor& self, const Scalar& value, std::optional<DType> dtype) {
    const Tensor result = empty_like(self, dtype);
    fill_data(result, value);
    return result;
}
Tensor zeros_like(const Tensor& self, std::optional<DType> dtype) {
    return full_like(self, 0, dtype);
}
Tensor ones_like(const Tensor& self, std::optional<DType> dtype) {
    return full_like(self, 1, dtype);
}

namespace {

Tensor fill_with_tensor(const Tensor& self, const Tensor& value) {
    check(value.dim() == 0, "fill_ only supports 0-dimension value tensor but got tensor with ", value.dim(),
          " dimensions.");
    return overwrite("FillBackward1", self, value, [&] { copy_data(self, value); });
}
Tensor fill(const Tensor& self, const Scalar& value) {
    return fill_(clone(self), value);
}
Tensor fill_tensor(const Tensor& self, const Tensor& value) {
    return fill_with_tensor(clone(self), value);
}

Tensor copy_in_place(const Tensor& self, const Tensor& src, bool) {
    return copy_(self, src);
}
Tensor clone_as(const Tensor& self, std::optional<MemoryFormat> format) {
    return clone(self, format.value_or(MemoryFormat::preserve));
}

Tensor contiguous_as(const Tensor& self, std::optional<MemoryFormat> format) {
    return contiguous(self, format.value_or(MemoryFormat::contiguous));
}

constexpr const char* fill_doc =
    "Sets every element to a number or to the one element of a zero-dim tensor.\n\n"
    ">>> torch.zeros(3).fill_(2)\n"
    "tensor([2., 2., 2.])";
const Register fill_tensor_op{"fill_.Tensor(Tensor(a!) self, Tensor value) -> Tensor(a!)",
                              fill_with_tensor,
                              {.variants = function | method, .doc = fill_doc}};
const Register fill_number{"fill_.Scalar(Tensor(a!) self, Scalar value) -> Tensor(a!)",
                           fill_,
                           {.variants = function | method, .doc = fill_doc}};
const Register fill_copy_tensor{"fill.Tensor(Tensor self, Tensor value) -> Tensor",
                                fill_tensor,
                                {.variants = function, .doc = "A copy in which every element is `value`."}};
const Register fill_copy{"fill.Scalar(Tensor self, Scalar value) -> Tensor",
                         fill,
                         {.variants = function, .doc = "A copy in which every element is `value`."}};
const Register zero_op{"zero_(Tensor(a!) self) -> Tensor(a!)",
                       zero_,
                       {.variants = function | method,
                        .doc = "Sets every element to zero.\n\n"
                               ">>> torch.ones(3).zero_()\n"
                               "tensor([0., 0., 0.])"}};
const Register copy_op{"copy_(Tensor(a!) self, Tensor src, bool non_blocking=False) -> Tensor(a!)",
                       copy_in_place,
                       {.variants = method,
                        .doc = "Copies the elements of `src`, broadcast and converted, into the tensor.\n\n"
                               ">>> torch.zeros(2, 2).copy_(torch.tensor([1, 2]))\n"
                               "tensor([[1., 2.],\n"
                               "        [1., 2.]])"}};
const Register clone_op{"clone(Tensor self, *, MemoryFormat? memory_format=None) -> Tensor",
                        clone_as,
                        {.doc = "A copy in new memory, on the graph.\n\n"
                                ">>> torch.clone(torch.tensor([1, 2]))\n"
                                "tensor([1, 2])"}};
const Register contiguous_op{
    "contiguous(Tensor self, *, MemoryFormat? memory_format=None) -> Tensor",
    contiguous_as,
    {.variants = method,
     .doc = "The tensor itself where its elements lie in order, else a copy in which they do.\n\n"
            ">>> torch.ones(2, 3).t().contiguous().stride()\n"
            "(2, 1)"}};

// Conversion of type and device

Tensor convert(const Tensor& self, std::optional<DType> dtype, std::optional<Device> device, bool copy,
               std::optional<MemoryFormat> format) {
    const DType target = dtype.value_or(self.dtype());
    const Device place = device.value_or(self.device());
    const MemoryFormat order = format.value_or(MemoryFormat::preserve);
    const bool same_place = place.type == self.device().type;
    const bool same_order = order == MemoryFormat::preserve || self.is_contiguous(order);
    if (!copy && target == self.dtype() && same_place && same_order) return self;
    return copy_as(self, target, place, order, "ToCopyBackward0");
}
Tensor to_dtype(const Tensor& self, DType dtype, bool, bool copy, std::optional<MemoryFormat> format) {
    return convert(self, dtype, std::nullopt, copy, format);
}
Tensor to_device(const Tensor& self, std::optional<Device> device, std::optional<DType> dtype, bool,
                 bool copy, std::optional<MemoryFormat> format) {
    return convert(self, dtype, device, copy, format);
}
Tensor to_other(const Tensor& self, const Tensor& other, bool, bool copy,
                std::optional<MemoryFormat> format) {
    return convert(self, other.dtype(), other.device(), copy, format);
}
Tensor type_as(const Tensor& self, const Tensor& other) {
    return to(self, other.dtype());
}
Tensor cpu(const Tensor& self, std::optional<MemoryFormat> format) {
    return convert(self, std::nullopt, Device{}, false, format);
}

constexpr const char* to_doc =
    "The tensor with another dtype, device or memory format; the tensor itself where nothing changes.\n\n"
    ">>> torch.tensor([1.7, -2.3]).to(torch.int64)\n"
    "tensor([ 1, -2])";
const Register to_dtype_op{
    "to.dtype(Tensor self, ScalarType dtype, bool non_blocking=False, bool copy=False, *, "
    "MemoryFormat? memory_format=None) -> Tensor",
    to_dtype,
    {.variants = method, .doc = to_doc}};
const Register to_other_op{
    "to.other(Tensor self, Tensor other, bool non_blocking=False, bool copy=False, *, "
    "MemoryFormat? memory_format=None) -> Tensor",
    to_other,
    {.variants = method, .doc = to_doc}};
const Register to_device_op{
    "to.device(Tensor self, Device? device=None, ScalarType? dtype=None, bool "
    "non_blocking=False, bool copy=False, *, MemoryFormat? memory_format=None) -> Tensor",
    to_device,
    {.variants = method, .doc = to_doc}};
const Register type_as_op{"type_as(Tensor self, Tensor other) -> Tensor",
                          type_as,
                          {.variants = method, .doc = "The tensor with the dtype of `other`."}};
const Register cpu_op{"cpu(Tensor self, MemoryFormat? memory_format=None) -> Tensor",
                      cpu,
                      {.variants = method, .doc = "The tensor in the processor's memory."}};

template <DType dtype>
Tensor to_type(const Tensor& self, std::optional<MemoryFormat> format) {
    return convert(self, dtype, std::nullopt, false, format);
}
constexpr OperatorOptions type_options{.variants = method,
                                       .doc = "The tensor in the type that the name says."};
const Register bool_op{"bool(Tensor self, MemoryFormat? memory_format=None) -> Tensor",
                       to_type<DType::boolean>, type_options};
const Register byte_op{"byte(Tensor self, MemoryFormat? memory_format=None) -> Tensor", to_type<DType::uint8>,
                       type_options};
const Register char_op{"char(Tensor self, MemoryFormat? memory_format=None) -> Tensor", to_type<DType::int8>,
                       type_options};
const Register short_op{"short(Tensor self, MemoryFormat? memory_format=None) -> Tensor",
                        to_type<DType::int16>, type_options};
const Register int_op{"int(Tensor self, MemoryFormat? memory_format=None) -> Tensor", to_type<DType::int32>,
                      type_options};
const Register long_op{"long(Tensor self, MemoryFormat? memory_format=None) -> Tensor", to_type<DType::int64>,
                       type_options};
const Register half_op{"half(Tensor self, MemoryFormat? memory_format=None) -> Tensor",
                       to_type<DType::float16>, type_options};
const Register bfloat16_op{"bfloat16(Tensor self, MemoryFormat? memory_format=None) -> Tensor",
                           to_type<DType::bfloat16>, type_options};
const Register float_op{"float(Tensor self, MemoryFormat? memory_format=None) -> Tensor",
                        to_type<DType::float32>, type_options};
const Register double_op{"double(Tensor self, MemoryFormat? memory_format=None) -> Tensor",
                         to_type<DType::float64>, type_options};
const Register cfloat_op{"cfloat(Tensor self, MemoryFormat? memory_format=None) -> Tensor",
                         to_type<DType::complex64>, type_options};
const Register cdouble_op{"cdouble(Tensor self, MemoryFormat? memory_format=None) -> Tensor",
                          to_type<DType::complex128>, type_options};

}  // namespace
}  // namespace rl::ops
