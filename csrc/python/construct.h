// Tensors from Python values.
#pragma once

#include <Python.h>

#include <optional>

#include "core/tensor.h"

namespace rl {

// A new tensor with a copy of data: a number, nested sequences, an array or a tensor. Without a dtype it is
// inferred.
Tensor tensor_from_data(PyObject* data, std::optional<DType> dtype, Device device);

// What Tensor(...), LongTensor(...) and tensor.new(...) give: sizes, data or another tensor, in the given
// type. `checks_dtype`: another tensor must be of that type.
Tensor new_from_legacy(PyObject* args, PyObject* kwargs, DType dtype, bool checks_dtype = false);

// Tensor's methods new and new_tensor.
extern PyMethodDef construction_methods[];

}  // namespace rl
