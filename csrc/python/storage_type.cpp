// UntypedStorage: the bytes that tensors share, as a Python object.
#include "python/storage_type.h"

#include <sys/mman.h>

#include <cstring>
#include <vector>

#include "autograd/record.h"
#include "core/object.h"
#include "core/objects.h"
#include "ops/boxing.h"
#include "python/errors.h"
#include "python/module.h"

namespace rl {
namespace {

extern PyTypeObject storage_type;

struct StorageObject {
    PyObject ob_base;
    PyObject* weak_references;
    Ref<Storage> storage;
};

uint8_t* bytes_of(const Storage& storage) {
    return static_cast<uint8_t*>(storage.data());
}

PyObject* wrap(const Ref<Storage>& storage) {
    StorageObject* const object = PyObject_New(StorageObject, &storage_type);
    if (object == nullptr) throw PythonError();
    object->weak_references = nullptr;
    new (&object->storage) Ref<Storage>(storage);
    storage->python_object = object;
    return reinterpret_cast<PyObject*>(object);
}

// Life

Ref<Storage> storage_from_items(PyObject* items) {
    const Object list = Object::check(PySequence_List(items));
    const Py_ssize_t count = PyList_GET_SIZE(list.get());
    auto storage = make_ref<Storage>(static_cast<size_t>(count), Device{});
    for (Py_ssize_t i = 0; i < count; ++i) {
        PyObject* const item = PyList_GET_ITEM(list.get(), i);
        check(PyIndex_Check(item), "torch.UntypedStorage(): tried to construct a storage from a sequence (",
              Py_TYPE(items)->tp_name, "), but one of the items was of type ", Py_TYPE(item)->tp_name,
              " instead of int");
        bytes_of(*storage)[i] = static_cast<uint8_t>(from_python<int64_t>(item));
    }
    return storage;
}

PyObject* storage_new(PyTypeObject*, PyObject* args, PyObject* kwargs) {
    return guarded([&]() -> PyObject* {
        static const char* const names[] = {"size", "device", nullptr};
        PyObject *size = nullptr, *device = Py_None;
        if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O$O:UntypedStorage", const_cast<char**>(names),
                                         &size, &device)) {
            throw PythonError();
        }
        const Device where = device == Py_None ? Device{} : from_python<Device>(device);
        if (size == nullptr) return wrap(make_ref<Storage>(size_t{0}, where));
        if (!PyIndex_Check(size)) {
            check<TypeError>(PySequence_Check(size),
                             "UntypedStorage(): argument 'size' must be int or a sequence, not ",
                             Py_TYPE(size)->tp_name);
            return wrap(storage_from_items(size));
        }
        const int64_t bytes = from_python<int64_t>(size);
        check(bytes >= 0, "Storage size must not be negative, got ", bytes);
        return wrap(make_ref<Storage>(static_cast<size_t>(bytes), where));
    });
}

void storage_dealloc(PyObject* self) {
    auto* const object = reinterpret_cast<StorageObject*>(self);
    if (object->weak_references != nullptr) PyObject_ClearWeakRefs(self);
    object->storage->python_object = nullptr;
    std::destroy_at(&object->storage);
    Py_TYPE(self)->tp_free(self);
}

// Bytes

Py_ssize_t storage_length(PyObject* self) {
    return static_cast<Py_ssize_t>(storage_of(self)->bytes());
}

PyObject* storage_nbytes(PyObject* self, PyObject*) {
    return PyLong_FromSsize_t(storage_length(self));
}

void check_memory(const Storage& storage) {
    check<NotImplemented>(storage.device().type == DeviceType::cpu, "Not available for 'meta' storage");
}

size_t checked_index(PyObject* self, PyObject* key) {
    check<TypeError>(PyIndex_Check(key), "can't index a torch.UntypedStorage with ", Py_TYPE(key)->tp_name);
    const int64_t index = from_python<int64_t>(key), size = storage_length(self);
    check<IndexError>(index >= -size && index < size, "index ", index, " out of range for storage of size ",
                      size);
    return static_cast<size_t>(index < 0 ? index + size : index);
}

// The range of bytes of a slice, whose step must be one.
std::pair<size_t, size_t> checked_slice(PyObject* self, PyObject* key) {
    Py_ssize_t start, stop, step;
    if (PySlice_Unpack(key, &start, &stop, &step) < 0) throw PythonError();
    const Py_ssize_t count = PySlice_AdjustIndices(storage_length(self), &start, &stop, step);
    check(step == 1, "Trying to slice with a step of ", step, ", but only a step of 1 is supported");
    return {static_cast<size_t>(start), static_cast<size_t>(count)};
}

PyObject* storage_get_item(PyObject* self, PyObject* key) {
    return guarded([&]() -> PyObject* {
        const Ref<Storage>& storage = storage_of(self);
        check_memory(*storage);
        if (!PySlice_Check(key)) return to_python(int64_t{bytes_of(*storage)[checked_index(self, key)]});
        const auto [start, count] = checked_slice(self, key);
        return wrap(Storage::part_of(storage, start, count));
    });
}

int storage_set_item(PyObject* self, PyObject* key, PyObject* value) {
    return guarded_status([&] {
        check<TypeError>(value != nullptr, "bytes of a storage cannot be deleted");
        check_memory(*storage_of(self));
        check(PyIndex_Check(value), "can only set storage content with a int types, but got ",
              Py_TYPE(value)->tp_name, " instead");
        const auto byte = static_cast<uint8_t>(from_python<int64_t>(value));
        uint8_t* const bytes = bytes_of(*storage_of(self));
        if (PySlice_Check(key)) {
            const auto [start, count] = checked_slice(self, key);
            if (count > 0) std::memset(bytes + start, byte, count);
        } else {
            bytes[checked_index(self, key)] = byte;
        }
        storage_of(self)->forget_forms();
    });
}

PyObject* storage_tolist(PyObject* self, PyObject*) {
    return guarded([&]() -> PyObject* {
        check_memory(*storage_of(self));
        const Object bytes = Object::check(PyBytes_FromStringAndSize(
            static_cast<const char*>(storage_of(self)->data()), storage_length(self)));
        return Object::check(PySequence_List(bytes.get())).release();
    });
}

PyObject* storage_fill(PyObject* self, PyObject* value) {
    const Object everything = Object::steal(PySlice_New(nullptr, nullptr, nullptr));
    if (!everything || storage_set_item(self, everything.get(), value) < 0) return nullptr;
    return Py_NewRef(self);
}

PyObject* storage_copy(PyObject* self, PyObject* args, PyObject* kwargs) {
    return guarded([&]() -> PyObject* {
        static const char* const names[] = {"source", "non_blocking", nullptr};
        PyObject* source = nullptr;
        int non_blocking = 0;
        if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!|p:copy_", const_cast<char**>(names), &storage_type,
                                         &source, &non_blocking)) {
            throw PythonError();
        }
        check_memory(*storage_of(self));
        check_memory(*storage_of(source));
        check(storage_length(self) == storage_length(source), "size does not match, self was ",
              storage_length(self), " bytes but src was ", storage_length(source), " bytes");
        if (storage_length(self) > 0) {
            std::memmove(storage_of(self)->data(), storage_of(source)->data(), storage_of(self)->bytes());
            storage_of(self)->forget_forms();
        }
        return Py_NewRef(self);
    });
}

PyObject* storage_clone(PyObject* self, PyObject*) {
    return guarded([&]() -> PyObject* {
        const Ref<Storage>& storage = storage_of(self);
        const auto copy = make_ref<Storage>(storage->bytes(), storage->device());
        if (copy->data() != nullptr) std::memcpy(copy->data(), storage->data(), storage->bytes());
        return wrap(copy);
    });
}

PyObject* storage_resize(PyObject* self, PyObject* size) {
    return guarded([&]() -> PyObject* {
        const int64_t bytes = from_python<int64_t>(size);
        check(bytes >= 0, "Storage size must not be negative, got ", bytes);
        storage_of(self)->resize(static_cast<size_t>(bytes));
        return Py_NewRef(self);
    });
}

PyObject* storage_data_ptr(PyObject* self, PyObject*) {
    return PyLong_FromVoidPtr(storage_of(self)->address());
}

PyObject* storage_element_size(PyObject*, PyObject*) {
    return PyLong_FromLong(1);
}

PyObject* storage_cpu(PyObject* self, PyObject*) {
    return Py_NewRef(self);
}

// Memory that forked processes share

struct Mapping {
    void* data;
    size_t bytes;
};

void unmap(void* context) {
    const std::unique_ptr<Mapping> mapping(static_cast<Mapping*>(context));
    munmap(mapping->data, mapping->bytes);
}

PyObject* storage_is_shared(PyObject* self, PyObject*) {
    return PyBool_FromLong(storage_of(self)->deleter() == unmap);
}

PyObject* storage_share_memory(PyObject* self, PyObject*) {
    return guarded([&]() -> PyObject* {
        Storage& storage = *storage_of(self);
        check_memory(storage);
        if (storage.deleter() == unmap || storage.bytes() == 0) return Py_NewRef(self);
        void* const data =
            mmap(nullptr, storage.bytes(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        check(data != MAP_FAILED, "unable to map ", storage.bytes(),
              " bytes of shared memory: ", std::strerror(errno));
        std::memcpy(data, storage.data(), storage.bytes());
        storage.replace(data, unmap, new Mapping{data, storage.bytes()});
        return Py_NewRef(self);
    });
}

// Python's protocols

PyObject* storage_repr(PyObject* self) {
    return guarded([&]() -> PyObject* {
        const Storage& storage = *storage_of(self);
        std::ostringstream text;
        const bool readable = storage.device().type == DeviceType::cpu;
        text << (readable ? " " : "...");
        for (size_t i = 0; readable && i < storage.bytes(); ++i)
            text << (i == 0 ? "" : "\n ") << int{bytes_of(storage)[i]};
        text << "\n[torch.storage.UntypedStorage(device=" << to_string(storage.device()) << ") of size "
             << storage.bytes() << ']';
        return PyUnicode_FromString(text.str().c_str());
    });
}

PyObject* storage_reduce(PyObject* self, PyObject*) {
    return guarded([&]() -> PyObject* {
        check_memory(*storage_of(self));
        const Object module = Object::check(PyImport_ImportModule("rushlight._utils"));
        const Object rebuild = Object::check(PyObject_GetAttrString(module.get(), "_storage_from_bytes"));
        const Object bytes = Object::check(PyBytes_FromObject(self));
        return Object::check(
                   PyTuple_Pack(2, rebuild.get(), Object::check(PyTuple_Pack(1, bytes.get())).get()))
            .release();
    });
}

PyObject* storage_device(PyObject* self, void*) {
    return guarded([&] { return new_device_object(storage_of(self)->device()); });
}

PyObject* storage_address(PyObject* self, void*) {
    return PyLong_FromVoidPtr(storage_of(self).get());
}

int storage_get_buffer(PyObject* self, Py_buffer* view, int flags) {
    const Storage& storage = *storage_of(self);
    if (storage.device().type != DeviceType::cpu) {
        view->obj = nullptr;
        PyErr_SetString(PyExc_BufferError, "meta storages have no memory to share");
        return -1;
    }
    static char no_memory[1];
    void* const data = storage.data() == nullptr ? no_memory : storage.data();
    const int status = PyBuffer_FillInfo(view, self, data, storage_length(self), 0, flags);
    if (status == 0) storage_of(self)->lend();
    return status;
}

void storage_release_buffer(PyObject* self, Py_buffer*) {
    storage_of(self)->take_back();
}

PyMethodDef storage_methods[] = {
    {"nbytes", storage_nbytes, METH_NOARGS, "The number of bytes."},
    {"size", storage_nbytes, METH_NOARGS, "The number of bytes."},
    {"element_size", storage_element_size, METH_NOARGS, "One: storages know bytes alone."},
    {"data_ptr", storage_data_ptr, METH_NOARGS, "The address of the first byte."},
    {"tolist", storage_tolist, METH_NOARGS, "The bytes as a list of integers."},
    {"fill_", storage_fill, METH_O, "Sets every byte."},
    {"copy_", as_method(storage_copy), METH_VARARGS | METH_KEYWORDS,
     "Copies the bytes of a storage of equal size."},
    {"clone", storage_clone, METH_NOARGS, "Another storage with a copy of the bytes."},
    {"cpu", storage_cpu, METH_NOARGS, "The storage itself, which is on the CPU."},
    {"resize_", storage_resize, METH_O,
     "Changes the number of bytes, keeping what fits. Raises RuntimeError while the memory is lent to "
     "others."},
    {"is_shared", storage_is_shared, METH_NOARGS, "Whether forked processes share the memory."},
    {"share_memory_", storage_share_memory, METH_NOARGS,
     "Moves the bytes to memory that forked processes share."},
    {"__reduce__", storage_reduce, METH_NOARGS, nullptr},
    {},
};

PyGetSetDef storage_attributes[] = {
    {"device", storage_device, nullptr, "Where the memory is.", nullptr},
    {"_cdata", storage_address, nullptr, "A number that identifies the storage while it lives.", nullptr},
    {},
};

PyMappingMethods storage_as_mapping = {storage_length, storage_get_item, storage_set_item};
PySequenceMethods storage_as_sequence = {.sq_length = storage_length};
PyBufferProcs storage_as_buffer = {storage_get_buffer, storage_release_buffer};

PyTypeObject storage_type = {
    .ob_base = PyVarObject_HEAD_INIT(nullptr, 0).tp_name = "rushlight.UntypedStorage",
    .tp_basicsize = sizeof(StorageObject),
    .tp_dealloc = storage_dealloc,
    .tp_repr = storage_repr,
    .tp_as_sequence = &storage_as_sequence,
    .tp_as_mapping = &storage_as_mapping,
    .tp_as_buffer = &storage_as_buffer,
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_doc =
        "UntypedStorage(size=0, *, device=None)\n\n"
        "Bytes of memory, not cleared, or those of a sequence of integers.\n\n"
        ">>> rushlight.UntypedStorage([1, 2]).tolist()\n[1, 2]\n",
    .tp_weaklistoffset = offsetof(StorageObject, weak_references),
    .tp_methods = storage_methods,
    .tp_getset = storage_attributes,
    .tp_new = storage_new,
};

Tensor tensor_on(const Ref<Storage>& storage, DType dtype, int64_t offset, PyObject* size, PyObject* stride) {
    if (size == nullptr || size == Py_None) return whole_storage(storage, dtype);
    const Dims sizes = from_python<Dims>(size);
    const Dims strides =
        stride == nullptr || stride == Py_None ? contiguous_strides(sizes) : from_python<Dims>(stride);
    return over_storage(storage, sizes, strides, offset, dtype, storage->device());
}

// What set_ makes a tensor look at.
Tensor new_target(const Tensor& self, PyObject* source, int64_t offset, PyObject* size, PyObject* stride) {
    if (source == nullptr || source == Py_None) return empty(Dims{0}, options_of(self));
    if (is_storage(source)) return tensor_on(storage_of(source), self.dtype(), offset, size, stride);
    check<TypeError>(PyObject_TypeCheck(source, &tensor_type),
                     "set_(): argument 'source' must be Tensor or Storage, not ", Py_TYPE(source)->tp_name);
    const Tensor other = Tensor::borrow(source);
    check(other.dtype() == self.dtype(), "Could not set tensor of type ", info(other.dtype()).name,
          " to a tensor of type ", info(self.dtype()).name);
    return size == nullptr ? other : tensor_on(other->storage, other.dtype(), offset, size, stride);
}

// _tensor_from_storage(storage, dtype, storage_offset, size, stride)
PyObject* tensor_from_storage(PyObject*, PyObject* args) {
    return guarded([&]() -> PyObject* {
        PyObject *storage = nullptr, *dtype = nullptr, *size = nullptr, *stride = nullptr;
        long long offset = 0;
        if (!PyArg_ParseTuple(args, "O!OLOO:_tensor_from_storage", &storage_type, &storage, &dtype, &offset,
                              &size, &stride)) {
            throw PythonError();
        }
        return over_storage(storage_of(storage), from_python<Dims>(size), from_python<Dims>(stride), offset,
                            from_python<DType>(dtype), storage_of(storage)->device())
            .release();
    });
}

}  // namespace

bool is_storage(PyObject* object) {
    return PyObject_TypeCheck(object, &storage_type);
}

const Ref<Storage>& storage_of(PyObject* object) {
    return reinterpret_cast<StorageObject*>(object)->storage;
}

PyObject* storage_object(const Ref<Storage>& storage) {
    if (storage->python_object != nullptr) return Py_NewRef(static_cast<PyObject*>(storage->python_object));
    return wrap(storage);
}

Tensor whole_storage(const Ref<Storage>& storage, DType dtype) {
    const auto count = static_cast<int64_t>(storage->bytes()) / item_size(dtype);
    return over_storage(storage, Dims{count}, Dims{1}, 0, dtype, storage->device());
}

PyObject* set_storage(PyObject* self, PyObject* args, PyObject* kwargs) {
    return guarded([&]() -> PyObject* {
        static const char* const names[] = {"source", "storage_offset", "size", "stride", nullptr};
        PyObject *source = nullptr, *size = nullptr, *stride = nullptr;
        long long offset = 0;
        if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OLOO:set_", const_cast<char**>(names), &source,
                                         &offset, &size, &stride)) {
            throw PythonError();
        }
        const Tensor tensor = Tensor::borrow(self);
        check_writable(tensor, gradients_wanted({tensor}));
        const Tensor target = new_target(tensor, source, offset, size, stride);
        share_memory(tensor, target);
        tensor.bump_version();
        return Py_NewRef(self);
    });
}

void add_storage(PyObject* module) {
    static PyMethodDef functions[] = {
        {"_tensor_from_storage", tensor_from_storage, METH_VARARGS, nullptr},
        {},
    };
    check_status(PyType_Ready(&storage_type));
    check_status(PyModule_AddObjectRef(module, "UntypedStorage", reinterpret_cast<PyObject*>(&storage_type)));
    check_status(PyModule_AddFunctions(module, functions));
}

}  // namespace rl
