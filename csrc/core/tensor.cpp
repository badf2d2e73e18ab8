// Tensor: making, aliasing and resizing.
#include "core/tensor.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <new>

#include "core/error.h"
#include "core/mode.h"
#include "core/spare_list.h"

namespace rl {
namespace {

constinit SpareList<512> spare;

// As count_elements, where the bytes must be countable too.
int64_t count_elements_to_store(IntSpan sizes, DType dtype) {
    int64_t numel = 1, bytes = 0;
    bool plain = static_cast<int64_t>(sizes.size()) <= max_dims;
    for (const int64_t size : sizes)
        plain = plain && size > 0 && !__builtin_mul_overflow(numel, size, &numel);
    if (plain && !__builtin_mul_overflow(numel, int64_t{item_size(dtype)}, &bytes)) [[likely]]
        return numel;
    int64_t count = item_size(dtype);
    bool overflow = false;
    for (const int64_t size : sizes) overflow = __builtin_mul_overflow(count, size, &count) || overflow;
    check(!overflow || std::count(sizes.begin(), sizes.end(), 0) > 0,
          "Storage size calculation overflowed with sizes=", to_string(sizes));
    return count_elements(sizes);
}

size_t checked_bytes(int64_t elements, DType dtype) {
    int64_t bytes = 0;
    check(!__builtin_mul_overflow(elements, int64_t{item_size(dtype)}, &bytes),
          "Storage size calculation overflowed with ", elements, " elements");
    return static_cast<size_t>(bytes);
}

Tensor make(Ref<Storage> storage, IntSpan sizes, IntSpan strides, int64_t offset, DType dtype,
            Device device) {
    Tensor tensor = Tensor::steal(allocate_tensor());
    TensorImpl* const impl = tensor.impl();
    impl->storage = std::move(storage);
    impl->sizes.assign(sizes.begin(), sizes.end());
    impl->strides.assign(strides.begin(), strides.end());
    impl->offset = offset;
    impl->dtype = dtype;
    impl->device = device;
    refresh_geometry(impl);
    return tensor;
}

}  // namespace

TensorImpl* allocate_tensor() {
    auto* impl = static_cast<TensorImpl*>(spare.pop());
    if (impl != nullptr) {
        PyObject_Init(reinterpret_cast<PyObject*>(impl), &tensor_type);
    } else {
        impl = PyObject_GC_New(TensorImpl, &tensor_type);
        if (impl == nullptr) throw std::bad_alloc();
    }
    construct_tensor(impl);
    return impl;
}

void construct_tensor(TensorImpl* impl) {
    impl->attributes = nullptr;
    impl->weak_references = nullptr;
    new (&impl->storage) Ref<Storage>();
    new (&impl->autograd) std::unique_ptr<AutogradState>();
    impl->base = nullptr;
    impl->offset = 0;
    impl->numel = 0;
    impl->view_version = 0;
    new (&impl->sizes) Dims();
    new (&impl->strides) Dims();
    impl->dtype = DType::float32;
    impl->device = {};
    impl->view_kind = ViewKind::none;
    impl->contiguous = true;
    impl->wrapped_number = false;
    impl->inference = autograd_mode.inference;
    impl->overwritten = false;
}

void destroy_tensor(TensorImpl* impl) {
    impl->autograd.reset();
    impl->storage = nullptr;
    Py_CLEAR(impl->base);
    std::destroy_at(&impl->storage);
    std::destroy_at(&impl->autograd);
    std::destroy_at(&impl->sizes);
    std::destroy_at(&impl->strides);
}

bool keep_for_reuse(TensorImpl* impl) {
    return spare.push(impl);
}

int64_t Tensor::size(int64_t dim) const {
    check<IndexError>(!impl_->sizes.empty(), "Dimension specified as ", dim, " but tensor has no dimensions");
    return impl_->sizes[wrap_dim(dim, this->dim())];
}
int64_t Tensor::stride(int64_t dim) const {
    check<IndexError>(!impl_->sizes.empty(), "Dimension specified as ", dim, " but tensor has no dimensions");
    return impl_->strides[wrap_dim(dim, this->dim())];
}

bool Tensor::is_contiguous(MemoryFormat format) const {
    switch (format) {
        case MemoryFormat::channels_last:
            return dim() == 4 && is_channels_last(sizes(), strides());
        case MemoryFormat::channels_last_3d:
            return dim() == 5 && is_channels_last(sizes(), strides());
        default:
            return impl_->contiguous;
    }
}

Scalar Tensor::item() const {
    check(numel() == 1, "a Tensor with ", numel(), " elements cannot be converted to Scalar");
    check(!is_meta(), "Tensor.item() cannot be called on meta tensors");
    return read_scalar(raw_data(), dtype());
}

Tensor empty(IntSpan sizes, TensorOptions options) {
    const int64_t numel = count_elements_to_store(sizes, options.dtype);
    Tensor tensor = Tensor::steal(allocate_tensor());
    TensorImpl* const impl = tensor.impl();
    impl->storage = make_ref<Storage>(checked_bytes(numel, options.dtype), options.device);
    impl->sizes.assign(sizes.begin(), sizes.end());
    set_contiguous_strides(sizes, impl->strides);
    impl->numel = numel;
    impl->dtype = options.dtype;
    impl->device = options.device;
    return tensor;
}

Tensor empty_strided(IntSpan sizes, IntSpan strides, TensorOptions options) {
    check(sizes.size() == strides.size(), "dimensionality of sizes (", sizes.size(),
          ") must match dimensionality of strides (", strides.size(), ")");
    count_elements(sizes);
    for (const int64_t stride : strides) {
        check(stride >= 0, "as_strided: Negative strides are not supported at the moment, got strides: ",
              to_string(strides));
    }
    auto storage =
        make_ref<Storage>(checked_bytes(storage_extent(sizes, strides), options.dtype), options.device);
    return make(std::move(storage), sizes, strides, 0, options.dtype, options.device);
}

Tensor empty_like(const Tensor& self, std::optional<DType> dtype) {
    const TensorOptions options{dtype.value_or(self.dtype()), self.device()};
    if (self.is_contiguous()) return empty(self.sizes(), options);
    return empty_strided(self.sizes(), strides_like(self.sizes(), self.strides()), options);
}

Tensor scalar_tensor(const Scalar& value, DType dtype, Device device) {
    Tensor tensor = empty({}, {dtype, device});
    if (!tensor.is_meta()) write_scalar(tensor.raw_data(), dtype, value);
    return tensor;
}

Tensor wrap_number(const Scalar& value) {
    DType dtype = value.natural_dtype();
    if (value.is_floating()) dtype = DType::float64;
    if (value.is_complex()) dtype = DType::complex128;
    Tensor tensor = scalar_tensor(value, dtype);
    tensor->wrapped_number = true;
    return tensor;
}

Tensor over_storage(const Ref<Storage>& storage, IntSpan sizes, IntSpan strides, int64_t offset, DType dtype,
                    Device device) {
    check(sizes.size() == strides.size(), "mismatch in length of strides and shape");
    count_elements(sizes);
    check(offset >= 0, "Tensor: invalid storage offset ", offset);
    for (const int64_t stride : strides) {
        check(stride >= 0, "as_strided: Negative strides are not supported at the moment, got strides: ",
              to_string(strides));
    }
    const int64_t reach = storage_extent(sizes, strides);
    int64_t last = 0;
    const bool overflow = __builtin_add_overflow(offset, reach, &last);
    const size_t needed = reach == 0 || overflow ? 0 : checked_bytes(last, dtype);
    check(!overflow && needed <= storage->bytes(), "setStorage: sizes ", to_string(sizes), ", strides ",
          to_string(strides), ", storage offset ", offset, ", and itemsize ", item_size(dtype),
          " requiring a storage size of ", needed, " are out of bounds for storage of size ",
          storage->bytes());
    return make(storage, sizes, strides, offset, dtype, device);
}

Tensor alias(const Tensor& self, IntSpan sizes, IntSpan strides, int64_t offset) {
    return make(self->storage, sizes, strides, offset, self.dtype(), self.device());
}

Tensor alias(const Tensor& self) {
    return alias(self, self.sizes(), self.strides(), self.offset());
}

Tensor detached_data(const Tensor& self) {
    Tensor result = alias(self);
    result->storage = Storage::part_of(self->storage, 0, self.storage().bytes());
    return result;
}

void share_memory(const Tensor& target, const Tensor& source) {
    target->storage = source->storage;
    target->sizes = source.sizes();
    target->strides = source.strides();
    target->offset = source.offset();
    target->dtype = source.dtype();
    target->device = source.device();
    refresh_geometry(target.impl());
}

void refresh_geometry(TensorImpl* impl) {
    impl->numel = count_elements(impl->sizes);
    impl->contiguous = is_contiguous(impl->sizes, impl->strides);
}

void resize_in_place(const Tensor& self, IntSpan sizes) {
    TensorImpl* const impl = self.impl();
    if (std::equal(sizes.begin(), sizes.end(), impl->sizes.begin(), impl->sizes.end())) return;
    const int64_t numel = count_elements(sizes);
    const size_t needed = checked_bytes(impl->offset + numel, impl->dtype);
    if (numel > 0 && needed > impl->storage->bytes()) impl->storage->resize(needed);
    impl->sizes = Dims(sizes);
    impl->strides = contiguous_strides(sizes);
    refresh_geometry(impl);
}

Scalar read_scalar(const void* address, DType dtype) {
    return visit_dtype(dtype, [&](auto tag) -> Scalar {
        using T = typename decltype(tag)::type;
        T value;
        std::memcpy(&value, address, sizeof(T));
        if constexpr (std::is_same_v<T, bool>) {
            return Scalar(value);
        } else if constexpr (std::is_integral_v<T>) {
            return Scalar(static_cast<int64_t>(value));
        } else if constexpr (std::is_same_v<T, complex64> || std::is_same_v<T, complex128>) {
            return Scalar(complex128(value.real(), value.imag()));
        } else if constexpr (std::is_floating_point_v<T>) {
            return Scalar(static_cast<double>(value));
        } else {
            return Scalar(static_cast<double>(static_cast<float>(value)));
        }
    });
}

void write_scalar(void* address, DType dtype, const Scalar& scalar) {
    visit_dtype(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        T value;
        if constexpr (std::is_same_v<T, bool>) {
            value = scalar.to_bool();
        } else if constexpr (std::is_integral_v<T>) {
            const int64_t wide = scalar.to_int();
            const bool fits = sizeof(T) == 8 || (wide >= int64_t{std::numeric_limits<T>::min()} -
                                                             (std::is_unsigned_v<T> ? 256 : 0) &&
                                                 wide <= int64_t{std::numeric_limits<T>::max()});
            check(fits, "value cannot be converted to type ",
                  info(dtype).name == "uint8" ? "uint8_t" : info(dtype).name,
                  info(dtype).name == "uint8" ? "" : "_t", " without overflow");
            value = static_cast<T>(wide);
        } else if constexpr (std::is_same_v<T, complex64> || std::is_same_v<T, complex128>) {
            value = T(static_cast<typename T::value_type>(scalar.to_complex().real()),
                      static_cast<typename T::value_type>(scalar.to_complex().imag()));
        } else if constexpr (std::is_floating_point_v<T>) {
            value = static_cast<T>(scalar.to_double());
        } else {
            value = T(static_cast<float>(scalar.to_double()));
        }
        std::memcpy(address, &value, sizeof(T));
    });
}

namespace {

// Rank of an operand in promotion: tensors with dimensions, then zero-dim tensors, then numbers.
int promotion_rank(const Tensor& tensor) {
    if (tensor.is_wrapped_number()) return 2;
    return tensor.dim() == 0 ? 1 : 0;
}

int category(DType dtype) {
    if (is_complex(dtype)) return 3;
    if (is_floating(dtype)) return 2;
    return is_boolean(dtype) ? 0 : 1;
}

// A number's type takes part as the default type of its category.
DType promotion_dtype(const Tensor& tensor) {
    if (!tensor.is_wrapped_number()) return tensor.dtype();
    if (is_complex(tensor.dtype())) return default_complex_dtype();
    return is_floating(tensor.dtype()) ? default_dtype() : tensor.dtype();
}

}  // namespace

DType result_type(TensorSpan operands) {
    std::array<std::optional<DType>, 3> by_rank;
    for (const Tensor& operand : operands) {
        if (!operand.defined()) continue;
        std::optional<DType>& type = by_rank[promotion_rank(operand)];
        const DType dtype = promotion_dtype(operand);
        type = type ? promote(*type, dtype) : dtype;
    }
    std::optional<DType> result;
    for (const std::optional<DType>& type : by_rank) {
        if (!type) continue;
        if (!result) {
            result = type;
        } else if (category(*type) > category(*result)) {
            result = is_complex(*type) && is_floating(*result) ? promote(*result, DType::complex64) : *type;
        }
    }
    return result.value_or(default_dtype());
}

std::string describe(const Tensor& tensor) {
    return message("torch.", info(tensor.dtype()).class_name, " ", to_string(tensor.sizes()));
}

}  // namespace rl
