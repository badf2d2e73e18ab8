// Between Python objects and the C++ types that operators take and give.
//
// Values reach these functions checked against the schema (python/arguments.cpp), so that reading one cannot
// meet a wrong type; it may still meet a number that does not fit, which raises.
#pragma once

#include <Python.h>

#include <optional>
#include <string>
#include <tuple>

#include "core/error.h"
#include "core/objects.h"
#include "core/tensor.h"

namespace rl {

using OptionalTensors = std::vector<Tensor>;  // items may be undefined
using FloatList = std::vector<double>;
using BoolList = std::vector<bool>;
using ScalarList = std::vector<Scalar>;

// Subclasses of Tensor are all made in Python, which no built-in type is: most objects are told by a flag.
inline bool is_tensor(PyObject* object) {
    PyTypeObject* const type = Py_TYPE(object);
    return type == &tensor_type ||
           (PyType_HasFeature(type, Py_TPFLAGS_HEAPTYPE) && PyType_IsSubtype(type, &tensor_type));
}

template <class T>
T from_python(PyObject* object);

// None is an undefined tensor; a number becomes a wrapped one.
template <>
Tensor from_python<Tensor>(PyObject* object);
template <>
TensorList from_python<TensorList>(PyObject* object);
template <>
Scalar from_python<Scalar>(PyObject* object);
template <>
ScalarList from_python<ScalarList>(PyObject* object);
template <>
int64_t from_python<int64_t>(PyObject* object);
template <>
double from_python<double>(PyObject* object);
template <>
bool from_python<bool>(PyObject* object);
template <>
Dims from_python<Dims>(PyObject* object);  // a single number gives one entry
template <>
FloatList from_python<FloatList>(PyObject* object);
template <>
BoolList from_python<BoolList>(PyObject* object);
template <>
DType from_python<DType>(PyObject* object);
template <>
Device from_python<Device>(PyObject* object);
template <>
Layout from_python<Layout>(PyObject* object);
template <>
MemoryFormat from_python<MemoryFormat>(PyObject* object);
template <>
Generator* from_python<Generator*>(PyObject* object);  // None: the default generator
template <>
std::string from_python<std::string>(PyObject* object);

template <class T>
struct FromPython {
    static T read(PyObject* object) { return from_python<T>(object); }
};
template <class T>
struct FromPython<std::optional<T>> {
    static std::optional<T> read(PyObject* object) {
        if (object == Py_None) return std::nullopt;
        return from_python<T>(object);
    }
};

PyObject* to_python(Tensor tensor);  // undefined gives None
PyObject* to_python(const TensorList& tensors);
PyObject* to_python(const Scalar& value);
PyObject* to_python(int64_t value);
PyObject* to_python(double value);
PyObject* to_python(bool value);
PyObject* to_python(DType dtype);
template <class... T>
PyObject* to_python(std::tuple<T...> values) {
    PyObject* const tuple = PyTuple_New(sizeof...(T));
    if (tuple == nullptr) throw PythonError();
    [&]<size_t... I>(std::index_sequence<I...>) {
        (PyTuple_SET_ITEM(tuple, I, to_python(std::move(std::get<I>(values)))), ...);
    }(std::index_sequence_for<T...>{});
    return tuple;
}

}  // namespace rl
