// NumPy and the buffer protocol, both ways on one memory.
#include "python/interchange.h"

#include <algorithm>
#include <memory>
#include <string_view>
#include <vector>

#include "autograd/operators.h"
#include "autograd/record.h"
#include "core/object.h"
#include "core/objects.h"
#include "ops/boxing.h"
#include "python/errors.h"
#include "python/module.h"
#include "python/storage_type.h"

namespace rl {
namespace {

// Element types as the struct module writes them; null where it has no letter.
const char* buffer_format(DType dtype) {
    switch (dtype) {
        case DType::boolean:
            return "?";
        case DType::uint8:
            return "B";
        case DType::int8:
            return "b";
        case DType::int16:
            return "h";
        case DType::int32:
            return "i";
        case DType::int64:
            return "l";
        case DType::float16:
            return "e";
        case DType::bfloat16:
            return nullptr;
        case DType::float32:
            return "f";
        case DType::float64:
            return "d";
        case DType::complex64:
            return "Zf";
        case DType::complex128:
            break;
    }
    return "Zd";
}
static_assert(sizeof(long) == 8);

// What an exported buffer keeps alive.
struct Export {
    explicit Export(const Tensor& tensor) : storage(tensor->storage) {
        for (const int64_t size : tensor.sizes()) shape.push_back(size);
        for (const int64_t stride : tensor.strides()) strides.push_back(stride * item_size(tensor.dtype()));
        storage->lend();
    }
    ~Export() { storage->take_back(); }
    Export(const Export&) = delete;
    Export& operator=(const Export&) = delete;

    Ref<Storage> storage;
    std::vector<Py_ssize_t> shape;
    std::vector<Py_ssize_t> strides;
};

[[noreturn]] void buffer_error(const char* text) {
    PyErr_SetString(PyExc_BufferError, text);
    throw PythonError();
}

void check_exportable(const Tensor& tensor, int flags) {
    if (tensor.is_meta()) buffer_error("meta tensors have no memory to share");
    if (requires_grad(tensor)) {
        buffer_error("a tensor that requires grad does not share its memory; use tensor.detach()");
    }
    if (buffer_format(tensor.dtype()) == nullptr) buffer_error("bfloat16 has no buffer format");
    const bool strides_wanted = (flags & PyBUF_STRIDES) == PyBUF_STRIDES;
    const bool any_order = (flags & PyBUF_ANY_CONTIGUOUS) == PyBUF_ANY_CONTIGUOUS;
    const bool fortran = (flags & PyBUF_F_CONTIGUOUS) == PyBUF_F_CONTIGUOUS && !any_order;
    const bool in_c_order = (flags & PyBUF_C_CONTIGUOUS) == PyBUF_C_CONTIGUOUS && !any_order;
    Dims reversed_sizes(tensor.sizes()), reversed_strides(tensor.strides());
    std::reverse(reversed_sizes.begin(), reversed_sizes.end());
    std::reverse(reversed_strides.begin(), reversed_strides.end());
    const bool is_fortran = is_contiguous(reversed_sizes, reversed_strides);
    if ((!strides_wanted || in_c_order) && !tensor.is_contiguous())
        buffer_error("the tensor is not contiguous");
    if (fortran && !is_fortran) buffer_error("the tensor is not Fortran contiguous");
    if (any_order && !is_fortran && !tensor.is_contiguous()) buffer_error("the tensor is not contiguous");
}

int get_buffer(PyObject* self, Py_buffer* view, int flags) {
    view->obj = nullptr;
    return guarded_status([&] {
        const Tensor tensor = Tensor::borrow(self);
        check_exportable(tensor, flags);
        auto exported = std::make_unique<Export>(tensor);
        static char no_memory[1];
        view->buf = tensor.raw_data() == nullptr ? no_memory : tensor.raw_data();
        view->itemsize = item_size(tensor.dtype());
        view->len = tensor.numel() * view->itemsize;
        view->readonly = 0;
        view->ndim = static_cast<int>(tensor.dim());
        view->format = flags & PyBUF_FORMAT ? const_cast<char*>(buffer_format(tensor.dtype())) : nullptr;
        view->shape = (flags & PyBUF_ND) ? exported->shape.data() : nullptr;
        view->strides = (flags & PyBUF_STRIDES) == PyBUF_STRIDES ? exported->strides.data() : nullptr;
        view->suboffsets = nullptr;
        view->internal = exported.release();
        view->obj = Py_NewRef(self);
    });
}

void release_buffer(PyObject*, Py_buffer* view) {
    delete static_cast<Export*>(view->internal);
}

// From buffers to tensors

std::optional<DType> signed_of_size(Py_ssize_t size) {
    switch (size) {
        case 1:
            return DType::int8;
        case 2:
            return DType::int16;
        case 4:
            return DType::int32;
        case 8:
            return DType::int64;
        default:
            return std::nullopt;
    }
}

std::optional<DType> floating_of_size(Py_ssize_t size) {
    switch (size) {
        case 2:
            return DType::float16;
        case 4:
            return DType::float32;
        case 8:
            return DType::float64;
        default:
            return std::nullopt;
    }
}

bool has_foreign_byte_order(const char* format) {
    return format != nullptr && (*format == '>' || *format == '!');
}

// A NumPy type's name for error messages: "numpy.object_".
std::string element_type_name(PyObject* array) {
    const Object dtype = Object::check(PyObject_GetAttrString(array, "dtype"));
    const Object type = Object::check(PyObject_GetAttrString(dtype.get(), "type"));
    return reinterpret_cast<PyTypeObject*>(type.get())->tp_name;
}

[[noreturn]] void unsupported_array(PyObject* array) {
    raise<TypeError>(
        "can't convert np.ndarray of type ", element_type_name(array),
        ". The only supported types are: float64, float32, float16, complex64, complex128, int64, int32, "
        "int16, int8, uint8, and bool.");
}

void warn_once(bool& warned, const char* text) {
    if (warned) return;
    warned = true;
    check_status(PyErr_WarnEx(PyExc_UserWarning, text, 1));
}

// Strides in elements.
Dims array_strides(const Py_buffer& view) {
    Dims strides;
    for (int d = 0; d < view.ndim; ++d) {
        check<ValueError>(
            view.strides[d] >= 0,
            "At least one stride in the given numpy array is negative, and tensors with negative "
            "strides are not currently supported. (You can probably work around this by making a copy "
            "of your array  with array.copy().) ");
        check<ValueError>(
            view.strides[d] % view.itemsize == 0,
            "given numpy array strides not a multiple of the element byte size. Copy the numpy array "
            "to reallocate the memory.");
        strides.push_back(view.strides[d] / view.itemsize);
    }
    return strides;
}

// Tensors to NumPy

PyObject* to_numpy(const Tensor& tensor) {
    check(!requires_grad(tensor),
          "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.");
    check<TypeError>(
        !tensor.is_meta(),
        "can't convert meta device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host "
        "memory first.");
    check<TypeError>(buffer_format(tensor.dtype()) != nullptr, "Got unsupported ScalarType ",
                     info(tensor.dtype()).scalar_name);
    static PyObject* const as_array = [] {
        const Object numpy = Object::check(PyImport_ImportModule("numpy"));
        return Object::check(PyObject_GetAttrString(numpy.get(), "asarray")).release();
    }();
    const Object view = Object::check(PyMemoryView_FromObject(tensor.object()));
    return Object::check(PyObject_CallOneArg(as_array, view.get())).release();
}

PyObject* numpy_method(PyObject* self, PyObject* args, PyObject* kwargs) {
    return guarded([&]() -> PyObject* {
        static const char* const names[] = {"force", nullptr};
        int force = 0;
        if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$p:numpy", const_cast<char**>(names), &force)) {
            throw PythonError();
        }
        const Tensor tensor = Tensor::borrow(self);
        return to_numpy(force ? alias(tensor) : tensor);
    });
}

PyObject* array_method(PyObject* self, PyObject* args, PyObject* kwargs) {
    return guarded([&]() -> PyObject* {
        static const char* const names[] = {"dtype", "copy", nullptr};
        PyObject* dtype = Py_None;
        PyObject* copy = Py_None;
        if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OO:__array__", const_cast<char**>(names), &dtype,
                                         &copy)) {
            throw PythonError();
        }
        Object array = Object::check(to_numpy(Tensor::borrow(self)));
        const bool copies = copy != Py_None && PyObject_IsTrue(copy) == 1;
        if (dtype == Py_None) {
            return copies ? Object::check(PyObject_CallMethod(array.get(), "copy", nullptr)).release()
                          : array.release();
        }
        const Object convert = Object::check(PyObject_GetAttrString(array.get(), "astype"));
        const Object arguments = Object::check(PyTuple_Pack(1, dtype));
        const Object keywords = Object::check(Py_BuildValue("{s:O}", "copy", copies ? Py_True : Py_False));
        Object converted = Object::check(PyObject_Call(convert.get(), arguments.get(), keywords.get()));
        check<ValueError>(copy != Py_False || converted.get() == array.get(),
                          "Unable to avoid copy while creating an array as requested.");
        return converted.release();
    });
}

// NumPy's functions on tensors give tensors; truth values come as uint8, as in PyTorch.
PyObject* array_wrap_method(PyObject*, PyObject* args) {
    return guarded([&]() -> PyObject* {
        PyObject* array = nullptr;
        PyObject* context = nullptr;
        PyObject* return_scalar = nullptr;
        if (!PyArg_ParseTuple(args, "O|OO:__array_wrap__", &array, &context, &return_scalar))
            throw PythonError();
        if (!is_numpy_array(array)) return Py_NewRef(array);
        const Tensor result = from_numpy_array(array);
        return to_python(is_boolean(result.dtype()) ? autograd_operators.to_dtype(result, DType::uint8)
                                                    : result);
    });
}

// Tensors to lists

PyObject* number_at(const char* address, DType dtype) {
    switch (dtype) {
        case DType::float32:
            return PyFloat_FromDouble(*reinterpret_cast<const float*>(address));
        case DType::float64:
            return PyFloat_FromDouble(*reinterpret_cast<const double*>(address));
        case DType::int64:
            return PyLong_FromLongLong(*reinterpret_cast<const int64_t*>(address));
        default:
            return to_python(read_scalar(address, dtype));
    }
}

Object list_at(const Tensor& tensor, const char* address, size_t dim) {
    if (dim == tensor.sizes().size()) return Object::check(number_at(address, tensor.dtype()));
    const int64_t size = tensor.sizes()[dim];
    const int64_t stride = tensor.strides()[dim] * item_size(tensor.dtype());
    const bool innermost = dim + 1 == tensor.sizes().size();
    Object list = Object::check(PyList_New(size));
    for (int64_t i = 0; i < size; ++i, address += stride) {
        Object item =
            innermost ? Object::check(number_at(address, tensor.dtype())) : list_at(tensor, address, dim + 1);
        PyList_SET_ITEM(list.get(), i, item.release());
    }
    return list;
}

PyObject* tolist_method(PyObject* self, PyObject*) {
    return guarded([&] { return tensor_to_list(Tensor::borrow(self)); });
}

PyObject* untyped_storage_method(PyObject* self, PyObject*) {
    return guarded([&] { return storage_object(Tensor::borrow(self)->storage); });
}

}  // namespace

PyBufferProcs tensor_as_buffer = {get_buffer, release_buffer};

PyMethodDef interchange_methods[] = {
    {"numpy", as_method(numpy_method), METH_VARARGS | METH_KEYWORDS,
     "numpy(*, force=False)\n\n"
     "A NumPy array on the tensor's memory: what is written to one shows in the other.\n\n"
     "force: also for a tensor that requires grad, as by detach().\n"
     "Raises RuntimeError when the tensor requires grad, TypeError for bfloat16 and meta tensors.\n\n"
     ">>> rushlight.ones(2).numpy()\narray([1., 1.], dtype=float32)\n"},
    {"__array__", as_method(array_method), METH_VARARGS | METH_KEYWORDS, nullptr},
    {"__array_wrap__", array_wrap_method, METH_VARARGS, nullptr},
    {"__dlpack__", as_method(to_dlpack), METH_VARARGS | METH_KEYWORDS,
     "__dlpack__(*, stream=None, max_version=None, dl_device=None, copy=None)\n\n"
     "A DLPack capsule of the tensor's memory."},
    {"__dlpack_device__", dlpack_device, METH_NOARGS, "The device's type and number in DLPack's terms."},
    {"untyped_storage", untyped_storage_method, METH_NOARGS,
     "untyped_storage()\n\nThe storage whose memory the tensor sees, perhaps with others."},
    {"set_", as_method(set_storage), METH_VARARGS | METH_KEYWORDS,
     "set_(source=None, storage_offset=0, size=None, stride=None)\n\n"
     "Makes the tensor see the memory of another tensor or of a storage, in place.\n\n"
     "Raises RuntimeError for a source of another dtype, and where the geometry reaches outside the "
     "storage."},
    {"tolist", tolist_method, METH_NOARGS,
     "tolist()\n\nThe values as nested lists of Python numbers; a zero-dim tensor gives a number.\n\n"
     ">>> rushlight.ones(2).tolist()\n[1.0, 1.0]\n"},
    {},
};

PyObject* tensor_to_list(const Tensor& tensor) {
    check<NotImplemented>(!tensor.is_meta(), "Cannot copy out of meta tensor; no data!");
    return list_at(tensor, static_cast<const char*>(tensor.raw_data()), 0).release();
}

bool is_numpy_array(PyObject* object) {
    static PyTypeObject* array_type = nullptr;
    if (array_type == nullptr) {
        PyObject* const numpy = PyDict_GetItemString(PyImport_GetModuleDict(), "numpy");
        if (numpy == nullptr) return false;
        PyObject* const type = PyObject_GetAttrString(numpy, "ndarray");
        if (type == nullptr) {
            PyErr_Clear();
            return false;
        }
        array_type = reinterpret_cast<PyTypeObject*>(type);
    }
    return PyObject_TypeCheck(object, array_type);
}

std::optional<DType> dtype_of_buffer(const char* format, Py_ssize_t size) {
    std::string_view code = format == nullptr ? "B" : format;
    if (!code.empty() && std::string_view("@=<^").find(code[0]) != std::string_view::npos)
        code.remove_prefix(1);
    if (code.size() == 2 && code[0] == 'Z') {
        if (code[1] == 'f' && size == 8) return DType::complex64;
        if (code[1] == 'd' && size == 16) return DType::complex128;
        return std::nullopt;
    }
    if (code.size() != 1) return std::nullopt;
    if (code == "?") return DType::boolean;
    if (code == "B") return DType::uint8;
    if (std::string_view("bhilqn").find(code[0]) != std::string_view::npos) return signed_of_size(size);
    if (std::string_view("efd").find(code[0]) != std::string_view::npos) return floating_of_size(size);
    return std::nullopt;
}

BufferView view_buffer(PyObject* object, int flags) {
    auto view = std::make_unique<Py_buffer>();
    if (PyObject_GetBuffer(object, view.get(), flags) == 0) return BufferView(view.release());
    PyErr_Clear();
    return nullptr;
}

Tensor over_buffer(BufferView view, void* data, IntSpan sizes, IntSpan strides, DType dtype) {
    const auto release = [](void* context) { ReleaseBuffer()(static_cast<Py_buffer*>(context)); };
    const size_t bytes = static_cast<size_t>(storage_extent(sizes, strides)) * item_size(dtype);
    const auto storage = make_ref<Storage>(data, bytes, release, view.get());
    view.release();
    return over_storage(storage, sizes, strides, 0, dtype, Device{});
}

Tensor from_numpy_array(PyObject* array, bool warns) {
    BufferView view = view_buffer(array, PyBUF_FULL_RO);
    if (view == nullptr) unsupported_array(array);
    check<ValueError>(
        !has_foreign_byte_order(view->format),
        "given numpy array has byte order different from the native byte order. Conversion between "
        "byte orders is currently not supported.");
    const std::optional<DType> dtype = dtype_of_buffer(view->format, view->itemsize);
    if (!dtype) unsupported_array(array);
    const Dims sizes(view->shape, view->shape + view->ndim);
    const Dims strides = array_strides(*view);
    static bool warned = false;
    if (warns && view->readonly) {
        warn_once(
            warned,
            "The given NumPy array is not writable, and PyTorch does not support non-writable tensors. This "
            "means writing to this tensor will result in undefined behavior. You may want to copy the array "
            "to protect its data or make it writable before converting it to a tensor. This type of warning "
            "will be suppressed for the rest of this program.");
    }
    void* const data = view->buf;
    return over_buffer(std::move(view), data, sizes, strides, *dtype);
}

void add_interchange(PyObject* module) {
    static PyMethodDef functions[] = {
        {"from_dlpack", as_method(from_dlpack), METH_VARARGS | METH_KEYWORDS,
         "from_dlpack(ext_tensor, *, device=None, copy=None)\n\n"
         "A tensor on the memory of another library's array, through DLPack.\n\n"
         "ext_tensor: an object with __dlpack__ and __dlpack_device__, or a DLPack capsule.\n"
         "copy: True for a tensor of its own, False to insist on sharing.\n"
         "Raises RuntimeError for a capsule that was used up, BufferError where memory cannot be shared.\n"},
        {},
    };
    check_status(PyModule_AddFunctions(module, functions));
}

}  // namespace rl
