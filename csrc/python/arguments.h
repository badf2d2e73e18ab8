// Calling operators from Python: overloads, argument binding, in-place and out= forms, __torch_function__.
#pragma once

#include <Python.h>

#include <string>
#include <vector>

#include "ops/registry.h"

namespace rl {

// What one Python name stands for: operators tried in order, each as itself or in its in-place form.
struct Callable {
    struct Entry {
        const Operator* op;
        bool in_place;
    };
    std::string name;
    std::vector<Entry> entries;
    PyObject* function = nullptr;  // the Python function object (owned for the life of the process)
    PyObject* method = nullptr;    // the method descriptor of Tensor, if there is one
};

// All names, made from the registry once.
const std::vector<Callable*>& all_callables();
// The callable of a name; null where there is none.
Callable* find_callable(const std::string& name);

// Calls with Python arguments (vectorcall convention without the offset flag). `bound_self` says that args[0]
// is the object of a method call, which error messages do not count. Sets a Python error and returns null on
// failure.
PyObject* call_operator(const Callable& callable, PyObject* const* arguments, Py_ssize_t count,
                        PyObject* names, bool bound_self) noexcept;

// Readies the types of functions and methods, and puts every operator into the module and the Tensor type.
void add_operators(PyObject* module);

}  // namespace rl
