// The Python type of storages.
#pragma once

#include <Python.h>

#include "core/tensor.h"

namespace rl {

bool is_storage(PyObject* object);
const Ref<Storage>& storage_of(PyObject* object);
// The one Python object of a storage while it lives. New reference.
PyObject* storage_object(const Ref<Storage>& storage);
// The storage's memory as a one-dimensional tensor.
Tensor whole_storage(const Ref<Storage>& storage, DType dtype);

// Tensor.set_: looks at the memory of another tensor or storage from now on.
PyObject* set_storage(PyObject* self, PyObject* args, PyObject* kwargs);

}  // namespace rl
