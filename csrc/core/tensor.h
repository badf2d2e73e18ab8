// Tensor: sizes, strides and an offset over a shared storage.
//
// A tensor is one Python object from the bottom up: TensorImpl begins with the object header, Tensor is a
// counted reference to it, and what C++ saves and later returns is the very object that Python knows,
// attributes and all. References are copied and dropped only while the GIL is held.
#pragma once

#include <Python.h>

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "core/device.h"
#include "core/dtype.h"
#include "core/ref.h"
#include "core/scalar.h"
#include "core/shape.h"
#include "core/storage.h"

namespace rl {

class Tensor;

// What autograd keeps with a tensor; defined on its own floor.
struct AutogradState : KeepsMemory {
    virtual ~AutogradState() = default;
};

// How a tensor came to share its base's memory, which decides what in-place writes to it mean.
enum class ViewKind : uint8_t {
    none,
    differentiable,   // a view on the graph
    no_grad,          // made while gradients were off
    multiple_output,  // one of several views of one call (unbind, split): not to be written in place
    custom_function,  // made inside an autograd.Function
};

struct TensorImpl {
    PyObject ob_base;
    PyObject* attributes;  // the object's __dict__, made on demand
    PyObject* weak_references;
    Ref<Storage> storage;
    std::unique_ptr<AutogradState> autograd;
    TensorImpl* base;  // for views: the tensor that they are views of (counted)
    int64_t offset;    // in elements
    int64_t numel;
    uint32_t view_version;  // for views: the storage version at which the history was up to date
    Dims sizes;
    Dims strides;
    DType dtype;
    Device device;
    ViewKind view_kind;
    bool contiguous;
    bool wrapped_number;  // a Python number in a tensor's clothes: weak in type promotion
    bool inference;       // made in inference mode
    bool overwritten;     // about to be written in place: who saves it must copy it
};

// The Python type of plain tensors; its free list serves allocate_tensor.
extern PyTypeObject tensor_type;
TensorImpl* allocate_tensor();
// Constructs and destroys the C++ part of a tensor in place, for subclasses that Python allocated.
void construct_tensor(TensorImpl* impl);
void destroy_tensor(TensorImpl* impl);
// Keeps the memory of a plain tensor for the next one; false when enough are kept.
bool keep_for_reuse(TensorImpl* impl);

class Tensor {
  public:
    Tensor() noexcept = default;
    static Tensor borrow(PyObject* object) {
        Py_XINCREF(object);
        return Tensor(reinterpret_cast<TensorImpl*>(object));
    }
    static Tensor steal(TensorImpl* impl) { return Tensor(impl); }
    Tensor(const Tensor& other) noexcept : impl_(other.impl_) { Py_XINCREF(object()); }
    Tensor(Tensor&& other) noexcept : impl_(std::exchange(other.impl_, nullptr)) {}
    Tensor& operator=(Tensor other) noexcept {
        std::swap(impl_, other.impl_);
        return *this;
    }
    ~Tensor() { Py_XDECREF(object()); }

    bool defined() const { return impl_ != nullptr; }
    explicit operator bool() const = delete;
    TensorImpl* impl() const { return impl_; }
    TensorImpl* operator->() const { return impl_; }
    PyObject* object() const { return reinterpret_cast<PyObject*>(impl_); }
    PyObject* release() { return reinterpret_cast<PyObject*>(std::exchange(impl_, nullptr)); }
    bool is_same(const Tensor& other) const { return impl_ == other.impl_; }

    int64_t dim() const { return static_cast<int64_t>(impl_->sizes.size()); }
    int64_t numel() const { return impl_->numel; }
    const Dims& sizes() const { return impl_->sizes; }
    const Dims& strides() const { return impl_->strides; }
    // The size or stride of a dimension, which may be negative; throws IndexError out of range.
    int64_t size(int64_t dim) const;
    int64_t stride(int64_t dim) const;
    int64_t offset() const { return impl_->offset; }
    DType dtype() const { return impl_->dtype; }
    Device device() const { return impl_->device; }
    bool is_meta() const { return impl_->device.type == DeviceType::meta; }
    bool is_contiguous() const { return impl_->contiguous; }
    bool is_contiguous(MemoryFormat format) const;
    bool is_wrapped_number() const { return impl_->wrapped_number; }
    Storage& storage() const { return *impl_->storage; }
    uint32_t version() const { return impl_->storage->version; }
    void bump_version() const { ++impl_->storage->version; }

    // Where the first element is; null for meta and empty tensors.
    void* raw_data() const {
        char* const memory = static_cast<char*>(impl_->storage->data());
        return memory == nullptr ? nullptr : memory + impl_->offset * item_size(impl_->dtype);
    }
    template <class T>
    T* data() const {
        return static_cast<T*>(raw_data());
    }
    // The value of a tensor of one element; throws Error with PyTorch's wording for any other.
    Scalar item() const;

  private:
    explicit Tensor(TensorImpl* impl) noexcept : impl_(impl) {}
    TensorImpl* impl_ = nullptr;
};

// Where the first element of a tensor that may be undefined is.
inline void* data_or_null(const Tensor& tensor) {
    return tensor.defined() ? tensor.raw_data() : nullptr;
}

using TensorSpan = std::span<const Tensor>;
using TensorList = std::vector<Tensor>;

struct TensorOptions {
    DType dtype = default_dtype();
    Device device = {};
};
inline TensorOptions options_of(const Tensor& tensor) {
    return {tensor.dtype(), tensor.device()};
}

// New memory, not cleared. Throws Error for negative sizes, OutOfMemory.
Tensor empty(IntSpan sizes, TensorOptions options = {});
Tensor empty_strided(IntSpan sizes, IntSpan strides, TensorOptions options = {});
// Like `self` in sizes, order of dimensions, type and device; `dtype` overrides.
Tensor empty_like(const Tensor& self, std::optional<DType> dtype = std::nullopt);
// A zero-dim tensor of the given number; `wrap` makes it weak in type promotion, as Python numbers are.
Tensor scalar_tensor(const Scalar& value, DType dtype, Device device = {});
Tensor wrap_number(const Scalar& value);
// A tensor over an existing storage; throws Error when the geometry reaches outside it.
Tensor over_storage(const Ref<Storage>& storage, IntSpan sizes, IntSpan strides, int64_t offset, DType dtype,
                    Device device);
// Another tensor on the memory of `self`, off the graph, with the given geometry (unchecked) or the same.
Tensor alias(const Tensor& self, IntSpan sizes, IntSpan strides, int64_t offset);
Tensor alias(const Tensor& self);
// As alias, with a version count of its own, as Tensor.data gives.
Tensor detached_data(const Tensor& self);

// Makes `target` another tensor on the memory of `source`: its storage, geometry, type and device.
void share_memory(const Tensor& target, const Tensor& source);

// Gives `self` new sizes in place, contiguous, growing its storage when needed.
void resize_in_place(const Tensor& self, IntSpan sizes);
// Recomputes what is derived from sizes and strides after they were changed in place.
void refresh_geometry(TensorImpl* impl);

// One element at an address, as a number; and the reverse, converting as PyTorch's fill does.
Scalar read_scalar(const void* address, DType dtype);
void write_scalar(void* address, DType dtype, const Scalar& value);

// The type that operands give together: tensors with dimensions, zero-dim tensors and wrapped numbers each
// promote within their rank, and a lower rank counts only when its category is higher.
DType result_type(TensorSpan operands);

// "torch.FloatTensor [2, 3]", as error messages name a tensor.
std::string describe(const Tensor& tensor);

}  // namespace rl
