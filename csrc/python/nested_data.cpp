// Numbers in nested Python sequences: their shape, their type, and writing them to memory.
#include "python/nested_data.h"

#include <cmath>
#include <limits>
#include <string_view>

#include "autograd/operators.h"
#include "core/object.h"
#include "core/tensor.h"
#include "ops/boxing.h"
#include "python/interchange.h"

namespace rl {
namespace {

constexpr size_t nesting_limit = 128;

// NumPy's scalars, told by name so that NumPy need not be loaded; arrays are sequences.
bool is_numpy_scalar(PyObject* object) {
    return std::string_view(Py_TYPE(object)->tp_name).starts_with("numpy.") && !PySequence_Check(object);
}

std::optional<DType> numpy_scalar_dtype(PyObject* object) {
    if (!is_numpy_scalar(object)) return std::nullopt;
    std::string_view name = Py_TYPE(object)->tp_name;
    name.remove_prefix(name.find('.') + 1);
    if (name == "bool" || name == "bool_") return DType::boolean;
    if (name == "longlong") return DType::int64;
    for (int i = 0; i < dtype_count; ++i) {
        if (info(static_cast<DType>(i)).name == name) return static_cast<DType>(i);
    }
    return std::nullopt;
}

// The type of a NumPy array that can become a tensor as it is.
std::optional<DType> array_dtype(PyObject* array) {
    const BufferView view = view_buffer(array, PyBUF_FULL_RO);
    if (view == nullptr) return std::nullopt;
    for (int d = 0; d < view->ndim; ++d) {
        if (view->strides[d] < 0 || view->strides[d] % view->itemsize != 0) return std::nullopt;
    }
    return dtype_of_buffer(view->format, view->itemsize);
}

Object fast_sequence(PyObject* data) {
    return Object::check(PySequence_Fast(data, "not a sequence"));
}

// Whether all items are exactly of one Python type.
bool all_of_type(PyObject* sequence, const PyTypeObject* type) {
    PyObject* const* const items = PySequence_Fast_ITEMS(sequence);
    const Py_ssize_t count = PySequence_Fast_GET_SIZE(sequence);
    for (Py_ssize_t i = 0; i < count; ++i) {
        if (Py_TYPE(items[i]) != type) return false;
    }
    return true;
}

// Lists may be nested deeper than the C++ stack.
class RecursionGuard {
  public:
    RecursionGuard() { check_status(-Py_EnterRecursiveCall(" while reading nested sequences")); }
    ~RecursionGuard() { Py_LeaveRecursiveCall(); }
    RecursionGuard(const RecursionGuard&) = delete;
    RecursionGuard& operator=(const RecursionGuard&) = delete;
};

DType sequence_dtype(PyObject* data) {
    const RecursionGuard guard;
    const Object sequence = fast_sequence(data);
    if (PySequence_Fast_GET_SIZE(sequence.get()) == 0) return default_dtype();
    if (all_of_type(sequence.get(), &PyFloat_Type)) return default_dtype();
    if (all_of_type(sequence.get(), &PyLong_Type)) return DType::int64;
    std::optional<DType> dtype;
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(sequence.get()); ++i) {
        const Object item = Object::borrow(PySequence_Fast_GET_ITEM(sequence.get(), i));
        const DType next = nested_dtype(item.get());
        dtype = dtype ? promote(*dtype, next) : next;
        if (dtype == DType::complex128) break;
    }
    return *dtype;
}

// Writing one number

[[noreturn]] void overflow(DType dtype) {
    raise("value cannot be converted to type ", info(dtype).name, " without overflow");
}

double number_as_double(PyObject* object) {
    if (PyFloat_Check(object)) return PyFloat_AS_DOUBLE(object);
    if (is_tensor(object)) {
        const Tensor tensor = Tensor::borrow(object);
        check<ValueError>(tensor.numel() == 1, "only one element tensors can be converted to Python scalars");
        return tensor.item().to_double();
    }
    const double value = PyFloat_AsDouble(object);
    if (value == -1.0 && PyErr_Occurred()) throw PythonError();
    return value;
}

complex128 number_as_complex(PyObject* object) {
    if (is_tensor(object)) {
        const Tensor tensor = Tensor::borrow(object);
        check<ValueError>(tensor.numel() == 1, "only one element tensors can be converted to Python scalars");
        return tensor.item().to_complex();
    }
    const Py_complex value = PyComplex_AsCComplex(object);
    if (PyErr_Occurred()) throw PythonError();
    return {value.real, value.imag};
}

template <class T>
T integer_from_float(double value) {
    // The upper limit of int64 rounds to 2^63, which does not fit itself.
    const double least = static_cast<double>(std::numeric_limits<T>::min());
    const double most = static_cast<double>(std::numeric_limits<T>::max());
    if (!(value >= least && (sizeof(T) == 8 ? value < most : value <= most))) overflow(dtype_of<T>);
    return static_cast<T>(value);
}

template <class T>
T integer_from_integer(int64_t value) {
    // Unsigned types take negative numbers as their two's complement.
    constexpr int64_t most = std::numeric_limits<T>::max();
    constexpr int64_t least = std::is_unsigned_v<T> ? -most : int64_t{std::numeric_limits<T>::min()};
    if (value < least || value > most) overflow(dtype_of<T>);
    return static_cast<T>(value);
}

template <class T>
T number_as_integer(PyObject* object) {
    if (PyFloat_Check(object)) return integer_from_float<T>(PyFloat_AS_DOUBLE(object));
    if (!is_tensor(object)) return integer_from_integer<T>(from_python<int64_t>(object));
    const Tensor tensor = Tensor::borrow(object);
    check<TypeError>(tensor.numel() == 1,
                     "only integer tensors of a single element can be converted to an index");
    const Scalar item = tensor.item();
    return item.is_integral() ? integer_from_integer<T>(item.to_int())
                              : integer_from_float<T>(item.to_double());
}

bool number_as_boolean(PyObject* object) {
    const bool is_number =
        PyLong_Check(object) || PyFloat_Check(object) || PyComplex_Check(object) || is_tensor(object);
    if (is_number || numpy_scalar_dtype(object) == DType::boolean) return from_python<bool>(object);
    return from_python<bool>(Object::check(PyNumber_Index(object)).get());
}

template <class T>
T number_as(PyObject* object) {
    if constexpr (std::is_same_v<T, bool>) {
        return number_as_boolean(object);
    } else if constexpr (std::is_integral_v<T>) {
        return number_as_integer<T>(object);
    } else if constexpr (std::is_floating_point_v<T>) {
        return static_cast<T>(number_as_double(object));
    } else if constexpr (std::is_same_v<T, complex64> || std::is_same_v<T, complex128>) {
        return static_cast<T>(number_as_complex(object));
    } else {
        return T(static_cast<float>(number_as_double(object)));
    }
}

template <class T>
void write_row(PyObject* sequence, T* memory) {
    const Py_ssize_t count = PySequence_Fast_GET_SIZE(sequence);
    if constexpr (std::is_floating_point_v<T>) {
        if (all_of_type(sequence, &PyFloat_Type)) {
            PyObject* const* const items = PySequence_Fast_ITEMS(sequence);
            for (Py_ssize_t i = 0; i < count; ++i) memory[i] = static_cast<T>(PyFloat_AS_DOUBLE(items[i]));
            return;
        }
    }
    // Reading a number may run Python code, which may change the list.
    for (Py_ssize_t i = 0; i < count; ++i) {
        check(PySequence_Fast_GET_SIZE(sequence) == count, "a list changed its length while it was read");
        const Object item = Object::borrow(PySequence_Fast_GET_ITEM(sequence, i));
        memory[i] = number_as<T>(item.get());
    }
}

// Writes a whole NumPy array of the given sizes; false when it is not of these sizes, or of a type that
// tensors lack.
bool write_array(PyObject* array, IntSpan sizes, DType dtype, void* memory) {
    if (!array_dtype(array)) return false;
    const Tensor source = from_numpy_array(array, false);
    if (!(source.sizes() == Dims(sizes))) return false;
    const size_t bytes = static_cast<size_t>(source.numel()) * item_size(dtype);
    const auto storage = make_ref<Storage>(memory, bytes, [](void*) {}, nullptr);
    autograd_operators.copy_data(over_storage(storage, sizes, contiguous_strides(sizes), 0, dtype, Device{}),
                                 source);
    return true;
}

template <class T>
T* write_sequence(PyObject* data, IntSpan sizes, size_t dim, T* memory) {
    if (is_numpy_array(data) && write_array(data, sizes.subspan(dim), dtype_of<T>, memory)) {
        return memory + count_elements(sizes.subspan(dim));
    }
    const Object sequence = fast_sequence(data);
    const Py_ssize_t count = PySequence_Fast_GET_SIZE(sequence.get());
    check<ValueError>(count == sizes[dim], "expected sequence of length ", sizes[dim], " at dim ", dim,
                      " (got ", count, ")");
    if (dim + 1 == sizes.size()) {
        write_row(sequence.get(), memory);
        return memory + count;
    }
    for (Py_ssize_t i = 0; i < count; ++i) {
        check(PySequence_Fast_GET_SIZE(sequence.get()) == count,
              "a list changed its length while it was read");
        const Object item = Object::borrow(PySequence_Fast_GET_ITEM(sequence.get(), i));
        memory = write_sequence(item.get(), sizes, dim + 1, memory);
    }
    return memory;
}

}  // namespace

Dims nested_sizes(PyObject* data) {
    Dims sizes;
    Object item = Object::borrow(data);
    while (PySequence_Check(item.get()) && !is_tensor(item.get())) {
        const Py_ssize_t length = PySequence_Size(item.get());
        if (length < 0) throw PythonError();
        sizes.push_back(length);
        check<ValueError>(sizes.size() <= nesting_limit, "too many dimensions '",
                          Py_TYPE(item.get())->tp_name, "'");
        if (length == 0) break;
        item = Object::check(PySequence_GetItem(item.get(), 0));
    }
    return sizes;
}

DType nested_dtype(PyObject* data) {
    if (PyFloat_CheckExact(data)) return default_dtype();
    if (PyBool_Check(data)) return DType::boolean;
    if (PyLong_CheckExact(data)) return DType::int64;
    if (is_tensor(data)) return Tensor::borrow(data).dtype();
    if (const std::optional<DType> dtype = numpy_scalar_dtype(data)) return *dtype;
    if (is_numpy_array(data)) {
        if (const std::optional<DType> dtype = array_dtype(data)) return *dtype;
    }
    if (PyFloat_Check(data)) return default_dtype();
    if (PyLong_Check(data)) return DType::int64;
    if (PyComplex_Check(data)) return default_complex_dtype();
    check<TypeError>(!PyUnicode_Check(data) && !PyBytes_Check(data), "new(): invalid data type '",
                     Py_TYPE(data)->tp_name, "'");
    check(PySequence_Check(data), "Could not infer dtype of ", Py_TYPE(data)->tp_name);
    return sequence_dtype(data);
}

void write_nested(PyObject* data, IntSpan sizes, DType dtype, void* memory) {
    visit_dtype(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        if (sizes.empty()) {
            *static_cast<T*>(memory) = number_as<T>(data);
        } else {
            write_sequence(data, sizes, 0, static_cast<T*>(memory));
        }
    });
}

}  // namespace rl
