// Reading operators' arguments from Python objects, and giving results back.
#include "ops/boxing.h"

#include <string_view>

#include "core/generator.h"
#include "core/object.h"

namespace rl {
namespace {

Scalar item_of(PyObject* object) {
    return Tensor::borrow(object).item();
}

[[noreturn]] void wrong_type(const char* expected, PyObject* object) {
    raise<TypeError>("expected ", expected, ", but got ", Py_TYPE(object)->tp_name);
}

int64_t integer_from_long(PyObject* object) {
    int overflow = 0;
    const int64_t value = PyLong_AsLongLongAndOverflow(object, &overflow);
    check<ValueError>(overflow == 0, "Overflow when unpacking long long");
    if (value == -1 && PyErr_Occurred()) throw PythonError();
    return value;
}

int64_t integer_from_index(PyObject* object) {
    return integer_from_long(Object::check(PyNumber_Index(object)).get());
}

double floating_from(PyObject* object) {
    const double value = PyFloat_AsDouble(object);
    if (value == -1.0 && PyErr_Occurred()) throw PythonError();
    return value;
}

// An integer too wide for int64 takes part as the float nearest to it, as far as uint64 reaches.
Scalar scalar_from_long(PyObject* object) {
    int overflow = 0;
    const int64_t value = PyLong_AsLongLongAndOverflow(object, &overflow);
    if (overflow == 0) return Scalar(value);
    if (PyLong_AsUnsignedLongLong(object) == static_cast<unsigned long long>(-1) && PyErr_Occurred())
        throw PythonError();
    return Scalar(floating_from(object));
}

// NumPy's scalars that are not also Python numbers, told by name so that NumPy need not be loaded.
bool is_numpy(PyObject* object, const char* kind) {
    constexpr std::string_view module = "numpy.";
    const std::string_view name = Py_TYPE(object)->tp_name;
    return name.starts_with(module) && name.substr(module.size()).starts_with(kind);
}

Scalar scalar_from_other(PyObject* object) {
    if (is_numpy(object, "bool")) return Scalar(PyObject_IsTrue(object) == 1);
    if (is_numpy(object, "complex")) {
        const Py_complex value = PyComplex_AsCComplex(object);
        if (PyErr_Occurred()) throw PythonError();
        return Scalar(complex128(value.real, value.imag));
    }
    if (PyIndex_Check(object)) return Scalar(integer_from_index(object));
    return Scalar(floating_from(object));
}

// Calls visit on each item of a list, tuple or other sequence; a value that is none is the only item.
template <class Visit>
void for_each_item(PyObject* object, Visit&& visit) {
    if (PyList_Check(object) || PyTuple_Check(object)) {
        for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(object); ++i)
            visit(PySequence_Fast_GET_ITEM(object, i));
    } else if (PySequence_Check(object) && !is_tensor(object)) {
        const Object tuple = Object::check(PySequence_Tuple(object));
        for_each_item(tuple.get(), visit);
    } else {
        visit(object);
    }
}

template <class List, class Item>
List list_from(PyObject* object) {
    List list;
    for_each_item(object, [&list](PyObject* item) { list.push_back(from_python<Item>(item)); });
    return list;
}

template <class Value>
Value value_from(PyObject* object, PyTypeObject& type, const char* name) {
    if (!PyObject_TypeCheck(object, &type)) wrong_type(name, object);
    return reinterpret_cast<ValueObject<Value>*>(object)->value;
}

}  // namespace

template <>
Tensor from_python<Tensor>(PyObject* object) {
    if (is_tensor(object)) return Tensor::borrow(object);
    if (object == Py_None) return Tensor();
    return wrap_number(from_python<Scalar>(object));
}

template <>
TensorList from_python<TensorList>(PyObject* object) {
    TensorList list;
    if (PyList_Check(object) || PyTuple_Check(object)) list.reserve(PySequence_Fast_GET_SIZE(object));
    for_each_item(object, [&list](PyObject* item) { list.push_back(from_python<Tensor>(item)); });
    return list;
}

template <>
Scalar from_python<Scalar>(PyObject* object) {
    if (PyFloat_Check(object)) return Scalar(PyFloat_AS_DOUBLE(object));
    if (PyBool_Check(object)) return Scalar(object == Py_True);
    if (PyLong_Check(object)) return scalar_from_long(object);
    if (PyComplex_Check(object)) {
        const Py_complex value = PyComplex_AsCComplex(object);
        return Scalar(complex128(value.real, value.imag));
    }
    if (is_tensor(object)) return item_of(object);
    return scalar_from_other(object);
}

template <>
ScalarList from_python<ScalarList>(PyObject* object) {
    return list_from<ScalarList, Scalar>(object);
}

template <>
int64_t from_python<int64_t>(PyObject* object) {
    if (PyLong_Check(object)) return integer_from_long(object);
    if (is_tensor(object)) return item_of(object).to_int();
    return integer_from_index(object);
}

template <>
double from_python<double>(PyObject* object) {
    if (PyFloat_Check(object)) return PyFloat_AS_DOUBLE(object);
    if (is_tensor(object)) return item_of(object).to_double();
    return floating_from(object);
}

template <>
bool from_python<bool>(PyObject* object) {
    if (object == Py_True) return true;
    if (object == Py_False) return false;
    if (is_tensor(object)) return item_of(object).to_bool();
    const int value = PyObject_IsTrue(object);
    if (value < 0) throw PythonError();
    return value == 1;
}

template <>
Dims from_python<Dims>(PyObject* object) {
    return list_from<Dims, int64_t>(object);
}

template <>
FloatList from_python<FloatList>(PyObject* object) {
    return list_from<FloatList, double>(object);
}

template <>
BoolList from_python<BoolList>(PyObject* object) {
    return list_from<BoolList, bool>(object);
}

template <>
DType from_python<DType>(PyObject* object) {
    if (object == reinterpret_cast<PyObject*>(&PyFloat_Type)) return DType::float64;
    if (object == reinterpret_cast<PyObject*>(&PyBool_Type)) return DType::boolean;
    if (object == reinterpret_cast<PyObject*>(&PyLong_Type)) return DType::int64;
    if (object == reinterpret_cast<PyObject*>(&PyComplex_Type)) return DType::complex128;
    return value_from<DType>(object, dtype_type, "torch.dtype");
}

template <>
Device from_python<Device>(PyObject* object) {
    if (PyObject_TypeCheck(object, &device_type)) return reinterpret_cast<DeviceObject*>(object)->value;
    if (PyLong_Check(object)) raise("Cannot access accelerator device when none is available.");
    return parse_device(from_python<std::string>(object));
}

template <>
Layout from_python<Layout>(PyObject* object) {
    return value_from<Layout>(object, layout_type, "torch.layout");
}

template <>
MemoryFormat from_python<MemoryFormat>(PyObject* object) {
    return value_from<MemoryFormat>(object, memory_format_type, "torch.memory_format");
}

template <>
Generator* from_python<Generator*>(PyObject* object) {
    if (object == Py_None) return &default_generator();
    if (!PyObject_TypeCheck(object, &generator_type)) wrong_type("torch.Generator", object);
    return reinterpret_cast<GeneratorObject*>(object)->generator;
}

template <>
std::string from_python<std::string>(PyObject* object) {
    if (!PyUnicode_Check(object)) wrong_type("str", object);
    Py_ssize_t size = 0;
    const char* const text = PyUnicode_AsUTF8AndSize(object, &size);
    if (text == nullptr) throw PythonError();
    return std::string(text, static_cast<size_t>(size));
}

PyObject* to_python(Tensor tensor) {
    return tensor.defined() ? tensor.release() : Py_NewRef(Py_None);
}

PyObject* to_python(const TensorList& tensors) {
    Object tuple = Object::check(PyTuple_New(static_cast<Py_ssize_t>(tensors.size())));
    for (size_t i = 0; i < tensors.size(); ++i) PyTuple_SET_ITEM(tuple.get(), i, to_python(tensors[i]));
    return tuple.release();
}

PyObject* to_python(const Scalar& value) {
    switch (value.kind()) {
        case Scalar::Kind::boolean:
            return to_python(value.to_bool());
        case Scalar::Kind::integer:
            return to_python(value.to_int());
        case Scalar::Kind::floating:
            return to_python(value.to_double());
        case Scalar::Kind::complex:
            break;
    }
    const complex128 number = value.to_complex();
    return Object::check(PyComplex_FromDoubles(number.real(), number.imag())).release();
}

PyObject* to_python(int64_t value) {
    return Object::check(PyLong_FromLongLong(value)).release();
}
PyObject* to_python(double value) {
    return Object::check(PyFloat_FromDouble(value)).release();
}
PyObject* to_python(bool value) {
    return Py_NewRef(value ? Py_True : Py_False);
}
PyObject* to_python(DType dtype) {
    return Py_NewRef(dtype_object(dtype));
}

}  // namespace rl
