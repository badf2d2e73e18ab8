// The Python type of tensors.
#pragma once

#include <Python.h>

namespace rl {

// Readies rushlight.Tensor and adds it to the module.
void add_tensor_type(PyObject* module);

// x[index] and x[index] = value; see python/indexing.cpp.
PyObject* tensor_get_item(PyObject* self, PyObject* index);
int tensor_set_item(PyObject* self, PyObject* index, PyObject* value);

// The Python object of a node; None for no node. New reference.
PyObject* node_object(const void* node);
// Node type, engine and modes; see python/autograd.cpp.
void add_autograd(PyObject* module);

}  // namespace rl
