// DLPack both ways: capsules of our tensors, and tensors on the memory of others' capsules.
#include "python/dlpack.h"

#include <memory>
#include <string_view>

#include "autograd/operators.h"
#include "autograd/record.h"
#include "core/object.h"
#include "ops/boxing.h"
#include "python/errors.h"
#include "python/interchange.h"

namespace rl {
namespace {

[[noreturn]] void buffer_error(const std::string& text) {
    PyErr_SetString(PyExc_BufferError, text.c_str());
    throw PythonError();
}

// Export

dlpack::DataType data_type(DType dtype) {
    const auto bits = static_cast<uint8_t>(8 * item_size(dtype));
    if (is_boolean(dtype)) return {dlpack::code_bool, 8, 1};
    if (dtype == DType::uint8) return {dlpack::code_uint, 8, 1};
    if (is_integral(dtype)) return {dlpack::code_int, bits, 1};
    if (dtype == DType::bfloat16) return {dlpack::code_bfloat, 16, 1};
    if (is_floating(dtype)) return {dlpack::code_float, bits, 1};
    return {dlpack::code_complex, bits, 1};
}

// What a consumer holds: the structure it reads, and what that points to.
template <class Managed>
struct Exported {
    explicit Exported(const Tensor& tensor)
        : storage(tensor->storage), sizes(tensor.sizes()), strides(tensor.strides()) {
        managed.context = this;
        managed.deleter = destroy;
        managed.tensor = {tensor.raw_data(),
                          {dlpack::device_cpu, 0},
                          static_cast<int32_t>(tensor.dim()),
                          data_type(tensor.dtype()),
                          sizes.data(),
                          strides.data(),
                          0};
        storage->lend();
    }
    ~Exported() { storage->take_back(); }
    Exported(const Exported&) = delete;
    Exported& operator=(const Exported&) = delete;

    // Consumers may call this without the GIL.
    static void destroy(Managed* managed) {
        const PyGILState_STATE state = PyGILState_Ensure();
        delete static_cast<Exported*>(managed->context);
        PyGILState_Release(state);
    }

    Managed managed{};
    Ref<Storage> storage;
    Dims sizes;
    Dims strides;
};

template <class Managed>
constexpr const char* capsule_name =
    std::is_same_v<Managed, dlpack::ManagedTensor> ? "dltensor" : "dltensor_versioned";

// Consumers rename the capsules that they take over.
template <class Managed>
void drop_capsule(PyObject* capsule) {
    if (!PyCapsule_IsValid(capsule, capsule_name<Managed>)) return;
    auto* const managed = static_cast<Managed*>(PyCapsule_GetPointer(capsule, capsule_name<Managed>));
    managed->deleter(managed);
}

template <class Managed>
Object make_capsule(std::unique_ptr<Exported<Managed>> exported) {
    Object capsule =
        Object::check(PyCapsule_New(&exported->managed, capsule_name<Managed>, drop_capsule<Managed>));
    exported.release();
    return capsule;
}

bool is_true(PyObject* object) {
    return object != Py_None && from_python<bool>(object);
}

// Import

std::optional<DType> dtype_of(const dlpack::DataType& type) {
    if (type.lanes != 1) return std::nullopt;
    for (int i = 0; i < dtype_count; ++i) {
        const DType dtype = static_cast<DType>(i);
        const dlpack::DataType known = data_type(dtype);
        if (known.code == type.code && known.bits == type.bits) return dtype;
    }
    return std::nullopt;
}

// Takes the capsule's contents over; they are released with the storage.
template <class Managed>
Tensor consume(PyObject* capsule) {
    const char* const name = capsule_name<Managed>;
    auto* const managed = static_cast<Managed*>(PyCapsule_GetPointer(capsule, name));
    if (managed == nullptr) throw PythonError();
    if constexpr (std::is_same_v<Managed, dlpack::ManagedTensorVersioned>) {
        if (managed->version.major > 1) buffer_error("the DLPack capsule is of a newer major version than 1");
    }
    const dlpack::DLTensor& source = managed->tensor;
    if (source.device.type != dlpack::device_cpu)
        buffer_error("only DLPack tensors on the CPU can be taken over");
    const std::optional<DType> dtype = dtype_of(source.dtype);
    if (!dtype) {
        buffer_error(message("DLPack type code ", int{source.dtype.code}, " with ", int{source.dtype.bits},
                             " bits and ", source.dtype.lanes, " lanes is not supported"));
    }
    const Dims sizes(source.shape, source.shape + source.ndim);
    const Dims strides = source.strides == nullptr ? contiguous_strides(sizes)
                                                   : Dims(source.strides, source.strides + source.ndim);
    for (size_t d = 0; d < sizes.size(); ++d) {
        check<ValueError>(
            strides[d] >= 0 || sizes[d] <= 1,
            "At least one stride in the given DLPack tensor is negative, and tensors with negative strides "
            "are not currently supported.");
    }
    const int64_t elements = storage_extent(sizes, strides);
    const auto release = [](void* context) {
        auto* const owned = static_cast<Managed*>(context);
        if (owned->deleter != nullptr) owned->deleter(owned);
    };
    const auto storage =
        make_ref<Storage>(static_cast<char*>(source.data) + source.byte_offset,
                          static_cast<size_t>(elements) * item_size(*dtype), release, managed);
    check_status(PyCapsule_SetName(capsule, std::is_same_v<Managed, dlpack::ManagedTensor>
                                                ? "used_dltensor"
                                                : "used_dltensor_versioned"));
    return over_storage(storage, sizes, strides, 0, *dtype, Device{});
}

Tensor consume_either(PyObject* capsule) {
    if (PyCapsule_IsValid(capsule, capsule_name<dlpack::ManagedTensorVersioned>)) {
        return consume<dlpack::ManagedTensorVersioned>(capsule);
    }
    check(PyCapsule_IsValid(capsule, capsule_name<dlpack::ManagedTensor>),
          "from_dlpack received an invalid capsule. Note that DLTensor capsules can be consumed only once, "
          "so you might "
          "have already constructed a tensor from it once.");
    return consume<dlpack::ManagedTensor>(capsule);
}

// Asks for the newest form first; producers from before DLPack 1.0 know no max_version.
Object request_capsule(PyObject* producer, PyObject* copy) {
    const Object method = Object::check(PyObject_GetAttrString(producer, "__dlpack__"));
    const Object empty = Object::check(PyTuple_New(0));
    const Object keywords = Object::check(Py_BuildValue("{s:(ii)}", "max_version", 1, 0));
    if (copy != Py_None) check_status(PyDict_SetItemString(keywords.get(), "copy", copy));
    Object capsule = Object::steal(PyObject_Call(method.get(), empty.get(), keywords.get()));
    if (!capsule && copy == Py_None && PyErr_ExceptionMatches(PyExc_TypeError)) {
        PyErr_Clear();
        capsule = Object::steal(PyObject_CallNoArgs(method.get()));
    }
    if (!capsule) throw PythonError();
    return capsule;
}

}  // namespace

PyObject* to_dlpack(PyObject* self, PyObject* args, PyObject* kwargs) {
    return guarded([&]() -> PyObject* {
        static const char* const names[] = {"stream", "max_version", "dl_device", "copy", nullptr};
        PyObject *stream = Py_None, *max_version = Py_None, *device = Py_None, *copy = Py_None;
        if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OOOO:__dlpack__", const_cast<char**>(names), &stream,
                                         &max_version, &device, &copy)) {
            throw PythonError();
        }
        Tensor tensor = Tensor::borrow(self);
        if (requires_grad(tensor))
            buffer_error("Can't export tensors that require gradient, use tensor.detach()");
        if (tensor.is_meta()) buffer_error("Cannot pack tensors on meta");
        if (stream != Py_None) {
            PyErr_SetString(PyExc_AssertionError, "stream should be None on cpu.");
            throw PythonError();
        }
        int type = dlpack::device_cpu, id = 0;
        if (device != Py_None && !PyArg_ParseTuple(device, "ii", &type, &id)) throw PythonError();
        if (type != dlpack::device_cpu) buffer_error("tensors can be exported to the CPU only");
        const bool copied = is_true(copy);
        if (copied) tensor = autograd_operators.clone(tensor);
        int major = 0, minor = 0;
        if (max_version != Py_None && !PyArg_ParseTuple(max_version, "ii", &major, &minor))
            throw PythonError();
        if (major < 1)
            return make_capsule(std::make_unique<Exported<dlpack::ManagedTensor>>(tensor)).release();
        auto exported = std::make_unique<Exported<dlpack::ManagedTensorVersioned>>(tensor);
        exported->managed.version = {1, 0};
        exported->managed.flags = copied ? dlpack::flag_copied : 0;
        return make_capsule(std::move(exported)).release();
    });
}

PyObject* dlpack_device(PyObject* self, PyObject*) {
    return guarded([&] {
        check<ValueError>(!Tensor::borrow(self).is_meta(), "Unknown device type meta for Dlpack");
        return Py_BuildValue("(ii)", dlpack::device_cpu, 0);
    });
}

PyObject* from_dlpack(PyObject*, PyObject* args, PyObject* kwargs) {
    return guarded([&]() -> PyObject* {
        static const char* const names[] = {"ext_tensor", "device", "copy", nullptr};
        PyObject *producer = nullptr, *device = Py_None, *copy = Py_None;
        if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$OO:from_dlpack", const_cast<char**>(names),
                                         &producer, &device, &copy)) {
            throw PythonError();
        }
        const Device where = device == Py_None ? Device{} : from_python<Device>(device);
        if (where.type != DeviceType::cpu) buffer_error("DLPack tensors can be taken over on the CPU only");
        if (!PyObject_HasAttrString(producer, "__dlpack__")) return consume_either(producer).release();
        const Object capsule = request_capsule(producer, copy);
        return consume_either(capsule.get()).release();
    });
}

}  // namespace rl
