// tensor, as_tensor, asarray, from_numpy, frombuffer and the legacy constructors.
#include "python/construct.h"

#include <array>
#include <cstring>

#include "autograd/operators.h"
#include "autograd/record.h"
#include "core/object.h"
#include "core/objects.h"
#include "ops/boxing.h"
#include "python/errors.h"
#include "python/interchange.h"
#include "python/module.h"
#include "python/nested_data.h"
#include "python/storage_type.h"

namespace rl {
namespace {

// The arguments of a call, by position in the list of names; the first `positional` may be given without
// their names.
template <size_t N>
class Arguments {
  public:
    Arguments(const char* function, const std::array<const char*, N>& names, size_t positional,
              PyObject* const* values, Py_ssize_t count, PyObject* keywords)
        : function_(function), names_(names) {
        check<TypeError>(static_cast<size_t>(count) <= positional, function, "() takes ", positional,
                         " positional argument", positional == 1 ? "" : "s", " but ", count,
                         count == 1 ? " was given" : " were given");
        for (Py_ssize_t i = 0; i < count; ++i) values_[i] = values[i];
        for (Py_ssize_t i = 0; keywords != nullptr && i < PyTuple_GET_SIZE(keywords); ++i) {
            place(PyTuple_GET_ITEM(keywords, i), values[count + i]);
        }
    }

    PyObject* required(size_t i) const {
        check<TypeError>(values_[i] != nullptr, function_, "() missing 1 required positional arguments: \"",
                         names_[i], "\"");
        return values_[i];
    }
    std::optional<DType> dtype(size_t i) const {
        if (absent(i)) return std::nullopt;
        PyObject* const value = values_[i];
        if (!PyObject_TypeCheck(value, &dtype_type) && !is_number_type(value)) wrong_type(i, "torch.dtype");
        return from_python<DType>(value);
    }
    std::optional<Device> device(size_t i) const {
        if (absent(i)) return std::nullopt;
        PyObject* const value = values_[i];
        const bool known =
            PyObject_TypeCheck(value, &device_type) || PyUnicode_Check(value) || PyLong_Check(value);
        if (!known) wrong_type(i, "torch.device");
        return from_python<Device>(value);
    }
    std::optional<bool> boolean(size_t i) const {
        if (absent(i)) return std::nullopt;
        if (!PyBool_Check(values_[i])) wrong_type(i, "bool");
        return values_[i] == Py_True;
    }
    int64_t integer(size_t i, int64_t otherwise) const {
        if (absent(i)) return otherwise;
        if (!PyIndex_Check(values_[i]) || PyBool_Check(values_[i])) wrong_type(i, "int");
        return from_python<int64_t>(values_[i]);
    }

  private:
    bool absent(size_t i) const { return values_[i] == nullptr || values_[i] == Py_None; }
    static bool is_number_type(PyObject* value) {
        for (PyTypeObject* const type : {&PyFloat_Type, &PyLong_Type, &PyBool_Type, &PyComplex_Type}) {
            if (value == reinterpret_cast<PyObject*>(type)) return true;
        }
        return false;
    }
    void place(PyObject* keyword, PyObject* value) {
        for (size_t i = 0; i < N; ++i) {
            if (PyUnicode_CompareWithASCIIString(keyword, names_[i]) != 0) continue;
            check<TypeError>(values_[i] == nullptr, function_, "() got multiple values for argument '",
                             names_[i], "'");
            values_[i] = value;
            return;
        }
        raise<TypeError>(function_, "() got an unexpected keyword argument '",
                         from_python<std::string>(keyword), "'");
    }
    [[noreturn]] void wrong_type(size_t i, const char* expected) const {
        raise<TypeError>(function_, "(): argument '", names_[i], "' must be ", expected, ", not ",
                         Py_TYPE(values_[i])->tp_name);
    }

    const char* function_;
    const std::array<const char*, N>& names_;
    std::array<PyObject*, N> values_{};
};

Tensor with_requires_grad(Tensor tensor, bool wanted) {
    if (!wanted) return tensor;
    check(is_differentiable(tensor.dtype()),
          "Only Tensors of floating point and complex dtype can require gradients");
    set_requires_grad(tensor, true);
    return tensor;
}

void warn(const char* text) {
    check_status(PyErr_WarnEx(PyExc_UserWarning, text, 1));
}

Tensor copy_of(const Tensor& source, DType dtype, Device device) {
    if (device.type == DeviceType::meta) return empty(source.sizes(), {dtype, device});
    check<NotImplemented>(!source.is_meta(), "Cannot copy out of meta tensor; no data!");
    const Tensor result = empty_like(source, dtype);
    autograd_operators.copy_data(result, source);
    return result;
}

// The tensor in another type or on another device, on the graph; itself where nothing changes.
Tensor converted(const Tensor& tensor, std::optional<DType> dtype, std::optional<Device> device) {
    if (device && *device != tensor.device()) return copy_of(tensor, dtype.value_or(tensor.dtype()), *device);
    return dtype && *dtype != tensor.dtype() ? autograd_operators.to_dtype(tensor, *dtype) : tensor;
}

PyObject* tensor_function(PyObject*, PyObject* const* values, Py_ssize_t count, PyObject* keywords) {
    return guarded([&]() -> PyObject* {
        static constexpr std::array names = {"data", "dtype", "device", "requires_grad", "pin_memory"};
        const Arguments arguments("tensor", names, 1, values, count, keywords);
        PyObject* const data = arguments.required(0);
        const std::optional<DType> dtype = arguments.dtype(1);
        const Device device =
            arguments.device(2).value_or(is_tensor(data) ? Tensor::borrow(data).device() : default_device());
        check(!arguments.boolean(4).value_or(false),
              "pin_memory=True requires a CUDA or other accelerator backend; no pinned memory allocator is "
              "available "
              "on this system.");
        if (is_tensor(data)) {
            warn(
                "To copy construct from a tensor, it is recommended to use sourceTensor.detach().clone() or "
                "sourceTensor.detach().clone().requires_grad_(True), rather than "
                "torch.tensor(sourceTensor).");
        }
        Tensor result = tensor_from_data(data, dtype, device);
        return with_requires_grad(std::move(result), arguments.boolean(3).value_or(false)).release();
    });
}

PyObject* as_tensor_function(PyObject*, PyObject* const* values, Py_ssize_t count, PyObject* keywords) {
    return guarded([&]() -> PyObject* {
        static constexpr std::array names = {"data", "dtype", "device"};
        const Arguments arguments("as_tensor", names, 3, values, count, keywords);
        PyObject* const data = arguments.required(0);
        const std::optional<DType> dtype = arguments.dtype(1);
        const std::optional<Device> device = arguments.device(2);
        if (is_tensor(data)) return converted(Tensor::borrow(data), dtype, device).release();
        if (is_numpy_array(data)) return converted(from_numpy_array(data), dtype, device).release();
        return tensor_from_data(data, dtype, device.value_or(default_device())).release();
    });
}

PyObject* from_numpy_function(PyObject*, PyObject* array) {
    return guarded([&]() -> PyObject* {
        check<TypeError>(is_numpy_array(array), "expected np.ndarray (got ", Py_TYPE(array)->tp_name, ")");
        return from_numpy_array(array).release();
    });
}

void warn_of_read_only_buffer() {
    static bool warned = false;
    if (warned) return;
    warned = true;
    warn(
        "The given buffer is not writable, and PyTorch does not support non-writable tensors. This means you "
        "can "
        "write to the underlying (supposedly non-writable) buffer using the tensor. You may want to copy the "
        "buffer "
        "to protect its data or make it writable before converting it to a tensor. This type of warning will "
        "be "
        "suppressed for the rest of this program.");
}

Tensor from_buffer(PyObject* object, DType dtype, int64_t count, int64_t offset) {
    check<ValueError>(PyObject_CheckBuffer(object), "object does not implement Python buffer protocol.");
    BufferView view = view_buffer(object, PyBUF_WRITABLE);
    if (view == nullptr) {
        view = view_buffer(object, PyBUF_SIMPLE);
        check(view != nullptr, "could not retrieve buffer from object");
        warn_of_read_only_buffer();
    }
    const int64_t bytes = view->len, item = item_size(dtype);
    check<ValueError>(bytes > 0 && count != 0, "both buffer length (", bytes, ") and count (", count,
                      ") must not be 0");
    check<ValueError>(offset >= 0 && offset < bytes, "offset (", offset,
                      " bytes) must be non-negative and no greater than buffer length (", bytes,
                      " bytes) minus 1");
    const int64_t rest = bytes - offset;
    check<ValueError>(count > 0 || rest % item == 0, "buffer length (", rest, " bytes) after offset (",
                      offset, " bytes) must be a multiple of element size (", item, ")");
    const int64_t elements = count > 0 ? count : rest / item;
    check<ValueError>(elements <= rest / item, "requested buffer length (", elements, " * ", item,
                      " bytes) after offset (", offset,
                      " bytes) must not be greater than actual buffer length (", bytes, " bytes)");
    void* const data = static_cast<char*>(view->buf) + offset;
    return over_buffer(std::move(view), data, Dims{elements}, Dims{1}, dtype);
}

PyObject* from_buffer_function(PyObject*, PyObject* const* values, Py_ssize_t count, PyObject* keywords) {
    return guarded([&]() -> PyObject* {
        static constexpr std::array names = {"buffer", "dtype", "count", "offset", "requires_grad"};
        const Arguments arguments("frombuffer", names, 1, values, count, keywords);
        PyObject* const buffer = arguments.required(0);
        arguments.required(1);
        Tensor result = from_buffer(buffer, arguments.dtype(1).value_or(default_dtype()),
                                    arguments.integer(2, -1), arguments.integer(3, 0));
        return with_requires_grad(std::move(result), arguments.boolean(4).value_or(false)).release();
    });
}

// A tensor on the memory of an object that shares it; undefined for one that does not.
Tensor shared_with(PyObject* object, std::optional<DType> dtype) {
    if (is_tensor(object)) return Tensor::borrow(object);
    if (is_numpy_array(object)) return from_numpy_array(object);
    if (PyObject_HasAttrString(object, "__dlpack__")) {
        const Object arguments = Object::check(PyTuple_Pack(1, object));
        const Object result = Object::check(from_dlpack(nullptr, arguments.get(), nullptr));
        return Tensor::borrow(result.get());
    }
    if (PyObject_CheckBuffer(object)) return from_buffer(object, dtype.value_or(default_dtype()), -1, 0);
    return Tensor();
}

Tensor as_array(PyObject* object, std::optional<DType> dtype, std::optional<Device> device,
                std::optional<bool> copy) {
    const Tensor shared = shared_with(object, dtype);
    if (!shared.defined()) {
        check<ValueError>(copy.value_or(true), "can't alias arbitrary sequence into a tensor.");
        return tensor_from_data(object, dtype, device.value_or(default_device()));
    }
    const Tensor result = converted(shared, dtype, device);
    if (!result.is_same(shared)) {
        check<ValueError>(copy.value_or(true) || shared.device() == result.device(),
                          "can't alias tensor from device '", to_string(shared.device()), "' to '",
                          to_string(result.device()), "'.");
        check<ValueError>(copy.value_or(true), "can't alias tensor with dtype '",
                          info(shared.dtype()).scalar_name, "' into dtype '",
                          info(result.dtype()).scalar_name, "'.");
        return result;
    }
    return copy.value_or(false) ? autograd_operators.clone(result) : result;
}

PyObject* as_array_function(PyObject*, PyObject* const* values, Py_ssize_t count, PyObject* keywords) {
    return guarded([&]() -> PyObject* {
        static constexpr std::array names = {"obj", "dtype", "device", "copy", "requires_grad"};
        const Arguments arguments("asarray", names, 1, values, count, keywords);
        PyObject* const object = arguments.required(0);
        Tensor result = as_array(object, arguments.dtype(1), arguments.device(2), arguments.boolean(3));
        const std::optional<bool> wanted = arguments.boolean(4);
        if (!wanted.has_value() || *wanted == requires_grad(result)) return result.release();
        if (!*wanted) return detach(result).release();
        return with_requires_grad(is_tensor(object) ? detach(result) : result, true).release();
    });
}

// Legacy constructors

bool is_plain_integer(PyObject* object) {
    return PyLong_Check(object) && !PyBool_Check(object);
}

Dims legacy_sizes(PyObject* args) {
    Dims sizes;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(args); ++i) {
        PyObject* const item = PyTuple_GET_ITEM(args, i);
        check<TypeError>(PyIndex_Check(item) && !PyBool_Check(item),
                         "new(): argument 'size' failed to unpack the object at pos ", i + 1,
                         " with error \"type must be tuple of ints,but got ", Py_TYPE(item)->tp_name, "\"");
        sizes.push_back(from_python<int64_t>(item));
    }
    for (const int64_t size : sizes) {
        check(size >= 0, "Trying to create tensor with negative dimension ", size, ": ", to_string(sizes));
    }
    return sizes;
}

Tensor legacy_from_tensor(const Tensor& other, DType dtype, bool checks_dtype) {
    check<TypeError>(!checks_dtype || other.dtype() == dtype, "expected a tensor of dtype ", info(dtype).name,
                     " (got one of dtype ", info(other.dtype()).name, ")");
    return detach(other);
}

Tensor legacy_from_data(PyObject* data, DType dtype) {
    check<TypeError>(!PyUnicode_Check(data) && !PyBytes_Check(data), "new(): invalid data type '",
                     Py_TYPE(data)->tp_name, "'");
    check<TypeError>(PySequence_Check(data), "new(): data must be a sequence (got ", Py_TYPE(data)->tp_name,
                     ")");
    return tensor_from_data(data, dtype, Device{});
}

// The one keyword argument of legacy constructors besides device; null for none.
PyObject* legacy_keyword(PyObject* kwargs) {
    PyObject* found = nullptr;
    PyObject *key, *value;
    Py_ssize_t position = 0;
    while (kwargs != nullptr && PyDict_Next(kwargs, &position, &key, &value)) {
        const std::string name = from_python<std::string>(key);
        if (name == "device") {
            if (value == Py_None) continue;
            const Device device = from_python<Device>(value);
            check(device.type == DeviceType::cpu,
                  "legacy constructor expects device type: cpu but device type: ",
                  to_string(Device{device.type}), " was passed");
        } else {
            check<TypeError>(name == "data" || name == "size" || name == "other" || name == "storage",
                             "new() got an unexpected keyword argument '", name, "'");
            found = value;
        }
    }
    return found;
}

// _new_from_legacy(dtype, ...): what LongTensor(...) and its like give.
PyObject* legacy_function(PyObject*, PyObject* args, PyObject* kwargs) {
    return guarded([&]() -> PyObject* {
        check<TypeError>(PyTuple_GET_SIZE(args) > 0, "new() misses the dtype");
        const DType dtype = from_python<DType>(PyTuple_GET_ITEM(args, 0));
        const Object rest = Object::check(PyTuple_GetSlice(args, 1, PyTuple_GET_SIZE(args)));
        return new_from_legacy(rest.get(), kwargs, dtype, true).release();
    });
}

PyObject* new_method(PyObject* self, PyObject* args, PyObject* kwargs) {
    return guarded(
        [&] { return new_from_legacy(args, kwargs, Tensor::borrow(self).dtype(), true).release(); });
}

PyObject* new_tensor_method(PyObject* self, PyObject* const* values, Py_ssize_t count, PyObject* keywords) {
    return guarded([&]() -> PyObject* {
        static constexpr std::array names = {"data", "dtype", "device", "requires_grad", "pin_memory"};
        const Arguments arguments("new_tensor", names, 1, values, count, keywords);
        PyObject* const data = arguments.required(0);
        const Tensor like = Tensor::borrow(self);
        if (is_tensor(data)) {
            warn(
                "To copy construct from a tensor, it is recommended to use sourceTensor.detach().clone() or "
                "sourceTensor.detach().clone().requires_grad_(True), rather than "
                "tensor.new_tensor(sourceTensor).");
        }
        Tensor result = tensor_from_data(data, arguments.dtype(1).value_or(like.dtype()),
                                         arguments.device(2).value_or(like.device()));
        return with_requires_grad(std::move(result), arguments.boolean(3).value_or(false)).release();
    });
}

PyMethodDef construction_functions[] = {
    {"tensor", as_method(tensor_function), METH_FASTCALL | METH_KEYWORDS,
     "tensor(data, *, dtype=None, device=None, requires_grad=False, pin_memory=False)\n\n"
     "A new tensor with a copy of the data, off the graph.\n\n"
     "data: a number, nested sequences of numbers, a NumPy array or a tensor.\n"
     "dtype: by default inferred: int64 for integers, the default dtype for floats, bool, or complex.\n"
     "Raises ValueError where sequences differ in length, TypeError for strings, RuntimeError for what has "
     "no dtype\n"
     "and for numbers that the dtype cannot hold.\n\n"
     ">>> rushlight.tensor([[1, 2], [3, 4]])\ntensor([[1, 2],\n        [3, 4]])\n"},
    {"as_tensor", as_method(as_tensor_function), METH_FASTCALL | METH_KEYWORDS,
     "as_tensor(data, dtype=None, device=None)\n\n"
     "The data as a tensor, without a copy where it is a tensor or NumPy array of that dtype already.\n\n"
     ">>> rushlight.as_tensor([1.5, 2])\ntensor([1.5000, 2.0000])\n"},
    {"asarray", as_method(as_array_function), METH_FASTCALL | METH_KEYWORDS,
     "asarray(obj, *, dtype=None, device=None, copy=None, requires_grad=None)\n\n"
     "The object as a tensor that shares its memory where it can: tensors, NumPy arrays, DLPack and "
     "buffers.\n\n"
     "copy: True never shares, False raises ValueError where sharing is impossible.\n\n"
     ">>> rushlight.asarray([1, 2])\ntensor([1, 2])\n"},
    {"from_numpy", from_numpy_function, METH_O,
     "from_numpy(ndarray)\n\nA tensor on the memory of a NumPy array: what is written to one shows in the "
     "other.\n\n"
     "Raises TypeError for dtypes that tensors lack, ValueError for negative strides and foreign byte "
     "order.\n\n"
     ">>> import numpy\n>>> rushlight.from_numpy(numpy.arange(3))\ntensor([0, 1, 2])\n"},
    {"frombuffer", as_method(from_buffer_function), METH_FASTCALL | METH_KEYWORDS,
     "frombuffer(buffer, *, dtype, count=-1, offset=0, requires_grad=False)\n\n"
     "A one-dimensional tensor on the memory of an object with the buffer protocol.\n\n"
     "count: elements to take; all by default. offset: bytes to skip.\n"
     "Raises ValueError where these do not fit the buffer.\n\n"
     ">>> rushlight.frombuffer(bytearray(b'ab'), dtype=rushlight.uint8)\ntensor([97, 98], "
     "dtype=torch.uint8)\n"},
    {"_new_from_legacy", as_method(legacy_function), METH_VARARGS | METH_KEYWORDS, nullptr},
    {},
};

}  // namespace

PyMethodDef construction_methods[] = {
    {"new", as_method(new_method), METH_VARARGS | METH_KEYWORDS,
     "new(*sizes) or new(data)\n\nA new tensor of this tensor's dtype."},
    {"new_tensor", as_method(new_tensor_method), METH_FASTCALL | METH_KEYWORDS,
     "new_tensor(data, *, dtype=None, device=None, requires_grad=False)\n\n"
     "A new tensor with a copy of the data, by default of this tensor's dtype and device.\n\n"
     ">>> rushlight.ones(1).new_tensor([1, 2])\ntensor([1., 2.])\n"},
    {},
};

Tensor tensor_from_data(PyObject* data, std::optional<DType> dtype, Device device) {
    if (is_tensor(data)) {
        const Tensor source = Tensor::borrow(data);
        return copy_of(source, dtype.value_or(source.dtype()), device);
    }
    if (is_numpy_array(data)) {
        const Tensor source = from_numpy_array(data, false);
        return copy_of(source, dtype.value_or(source.dtype()), device);
    }
    check<TypeError>(!PyUnicode_Check(data) && !PyBytes_Check(data), "new(): invalid data type '",
                     Py_TYPE(data)->tp_name, "'");
    const Dims sizes = nested_sizes(data);
    const DType type = dtype ? *dtype : nested_dtype(data);
    const Tensor tensor = empty(sizes, {type, Device{}});
    write_nested(data, sizes, type, tensor.raw_data());
    return device.type == DeviceType::meta ? empty(sizes, {type, device}) : tensor;
}

Tensor new_from_legacy(PyObject* args, PyObject* kwargs, DType dtype, bool checks_dtype) {
    PyObject* const keyword = legacy_keyword(kwargs);
    const Py_ssize_t count = PyTuple_GET_SIZE(args);
    check<TypeError>(keyword == nullptr || count == 0, "new() takes one of data, size and other");
    if (keyword == nullptr && count == 0) return empty(Dims{0}, {dtype, Device{}});
    PyObject* const first = keyword != nullptr ? keyword : PyTuple_GET_ITEM(args, 0);
    if (count <= 1 && is_tensor(first)) return legacy_from_tensor(Tensor::borrow(first), dtype, checks_dtype);
    if (count <= 1 && is_storage(first)) return whole_storage(storage_of(first), dtype);
    const bool names_size = keyword != nullptr && PyDict_GetItemString(kwargs, "size") == keyword;
    if (PyObject_TypeCheck(first, &size_type) || names_size) {
        const Object sizes = Object::check(PySequence_Tuple(first));
        return empty(legacy_sizes(sizes.get()), {dtype, Device{}});
    }
    if (count > 1 || is_plain_integer(first)) return empty(legacy_sizes(args), {dtype, Device{}});
    return legacy_from_data(first, dtype);
}

void add_construction(PyObject* module) {
    check_status(PyModule_AddFunctions(module, construction_functions));
}

}  // namespace rl
