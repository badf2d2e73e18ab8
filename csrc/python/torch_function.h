// The __torch_function__ protocol: classes that take over operators on their instances.
#pragma once

#include <Python.h>

#include "core/tensor.h"

namespace rl {

namespace detail {
bool overrides_operators(PyObject* object);
}  // namespace detail

// Whether this object's class takes over operators: it has a __torch_function__ that is not the disabled one,
// and is not Tensor itself; always false while the protocol is switched off on this thread.
inline bool has_torch_function(PyObject* object) {
    return Py_TYPE(object) != &tensor_type && detail::overrides_operators(object);
}

// Whether any of the arguments, or of the items of a list among them, does.
bool any_torch_function(PyObject* const* arguments, Py_ssize_t count);

// Asks the classes concerned, most derived first, to carry out function(*arguments). New reference, or throws
// PythonError; TypeError where all decline.
PyObject* call_torch_function(PyObject* function, PyObject* const* arguments, Py_ssize_t count,
                              PyObject* names);

// Adds the switch and the disabled implementation to the module.
void add_torch_function(PyObject* module);

}  // namespace rl
