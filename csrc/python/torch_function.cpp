// The __torch_function__ protocol.
#include "python/torch_function.h"

#include <array>
#include <vector>

#include "core/object.h"
#include "python/errors.h"

namespace rl {
namespace {

[[gnu::tls_model("initial-exec")]] thread_local bool enabled = true;
PyObject* disabled_implementation = nullptr;
PyObject* attribute_name = nullptr;

bool is_builtin(const PyTypeObject* type) {
    return type == &PyFloat_Type || type == &PyLong_Type || type == &PyBool_Type || type == &PyTuple_Type ||
           type == &PyList_Type || type == &PyUnicode_Type || type == &PyComplex_Type ||
           type == Py_TYPE(Py_None);
}

bool type_overrides(PyTypeObject* type) {
    PyObject* const found = PyObject_GetAttr(reinterpret_cast<PyObject*>(type), attribute_name);
    if (found == nullptr) {
        PyErr_Clear();
        return false;
    }
    Py_DECREF(found);
    return found != disabled_implementation;
}

// What was found out of a class holds until the class changes, which its version tag tells.
struct CachedType {
    PyTypeObject* type = nullptr;
    unsigned version = 0;
    bool overrides = false;
};

bool cached_type_overrides(PyTypeObject* type) {
    static std::array<CachedType, 64> cache;
    CachedType& entry = cache[(reinterpret_cast<uintptr_t>(type) >> 6) % cache.size()];
    if (entry.type == type && entry.version == type->tp_version_tag && entry.version != 0)
        return entry.overrides;
    const bool overrides = type_overrides(type);
    entry = {type, type->tp_version_tag, overrides};
    return overrides;
}

PyObject* disabled(PyObject*, PyObject* arguments, PyObject* keywords) {
    PyObject *function, *types, *positional = nullptr, *named = nullptr;
    static const char* const names[] = {"func", "types", "args", "kwargs", nullptr};
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "OO|OO", const_cast<char**>(names), &function,
                                     &types, &positional, &named)) {
        return nullptr;
    }
    const bool previous = std::exchange(enabled, false);
    const Object empty = Object::steal(PyTuple_New(0));
    PyObject* const result = PyObject_Call(function, positional == nullptr ? empty.get() : positional,
                                           named == Py_None ? nullptr : named);
    enabled = previous;
    return result;
}

PyObject* set_enabled(PyObject*, PyObject* value) {
    const int wanted = PyObject_IsTrue(value);
    if (wanted < 0) return nullptr;
    return PyBool_FromLong(std::exchange(enabled, wanted != 0));
}

PyMethodDef functions[] = {
    {"_disabled_torch_function_impl", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(disabled)),
     METH_VARARGS | METH_KEYWORDS, "Carries out an operator as if its arguments were plain tensors."},
    {"_set_torch_function_enabled", set_enabled, METH_O,
     "Switches the __torch_function__ protocol on this thread; returns what it was."},
    {nullptr, nullptr, 0, nullptr},
};

void collect(PyObject* object, std::vector<PyObject*>& overriding) {
    if (has_torch_function(object)) {
        for (PyObject* const known : overriding) {
            if (Py_TYPE(known) == Py_TYPE(object)) return;
        }
        size_t place = overriding.size();
        for (size_t i = 0; i < overriding.size(); ++i) {
            if (PyType_IsSubtype(Py_TYPE(object), Py_TYPE(overriding[i]))) {
                place = i;
                break;
            }
        }
        overriding.insert(overriding.begin() + static_cast<ptrdiff_t>(place), object);
    } else if (PyTuple_Check(object) || PyList_Check(object)) {
        for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(object); ++i) {
            collect(PySequence_Fast_ITEMS(object)[i], overriding);
        }
    }
}

}  // namespace

bool detail::overrides_operators(PyObject* object) {
    PyTypeObject* const type = Py_TYPE(object);
    if (is_builtin(type) || !enabled) return false;
    return cached_type_overrides(type);
}

bool any_torch_function(PyObject* const* arguments, Py_ssize_t count) {
    if (!enabled) return false;
    for (Py_ssize_t i = 0; i < count; ++i) {
        PyObject* const argument = arguments[i];
        const PyTypeObject* const type = Py_TYPE(argument);
        if (type == &PyTuple_Type || type == &PyList_Type) {
            const Py_ssize_t size = PySequence_Fast_GET_SIZE(argument);
            for (Py_ssize_t k = 0; k < size; ++k) {
                PyObject* const item = PySequence_Fast_ITEMS(argument)[k];
                if (PyLong_CheckExact(item)) break;
                if (has_torch_function(item)) return true;
            }
        } else if (has_torch_function(argument)) {
            return true;
        }
    }
    return false;
}

PyObject* call_torch_function(PyObject* function, PyObject* const* arguments, Py_ssize_t count,
                              PyObject* names) {
    std::vector<PyObject*> overriding;
    const Py_ssize_t named = names == nullptr ? 0 : PyTuple_GET_SIZE(names);
    for (Py_ssize_t i = 0; i < count + named; ++i) collect(arguments[i], overriding);
    const Object types = Object::check(PyTuple_New(static_cast<Py_ssize_t>(overriding.size())));
    for (size_t i = 0; i < overriding.size(); ++i) {
        PyTuple_SET_ITEM(types.get(), static_cast<Py_ssize_t>(i),
                         Py_NewRef(reinterpret_cast<PyObject*>(Py_TYPE(overriding[i]))));
    }
    const Object positional = Object::check(PyTuple_New(count));
    for (Py_ssize_t i = 0; i < count; ++i) PyTuple_SET_ITEM(positional.get(), i, Py_NewRef(arguments[i]));
    const Object keywords = Object::check(PyDict_New());
    for (Py_ssize_t k = 0; k < named; ++k) {
        check_status(PyDict_SetItem(keywords.get(), PyTuple_GET_ITEM(names, k), arguments[count + k]));
    }
    for (PyObject* const object : overriding) {
        const Object handler = Object::check(PyObject_GetAttr(object, attribute_name));
        const Object result = Object::check(PyObject_CallFunctionObjArgs(
            handler.get(), function, types.get(), positional.get(), keywords.get(), nullptr));
        if (result.get() != Py_NotImplemented) return Py_NewRef(result.get());
    }
    const Object shown = Object::check(PyObject_Repr(function));
    raise<TypeError>("no implementation found for '", PyUnicode_AsUTF8(shown.get()),
                     "' on types that implement __torch_function__");
}

void add_torch_function(PyObject* module) {
    attribute_name = PyUnicode_InternFromString("__torch_function__");
    check_status(PyModule_AddFunctions(module, functions));
    disabled_implementation = PyObject_GetAttrString(module, "_disabled_torch_function_impl");
    if (attribute_name == nullptr || disabled_implementation == nullptr) throw PythonError();
}

}  // namespace rl
