// Numbers in nested Python sequences: their shape, their type, and writing them to memory.
#pragma once

#include <Python.h>

#include <optional>

#include "core/dtype.h"
#include "core/shape.h"

namespace rl {

// Throws ValueError and TypeError with PyTorch's wording for what is no sequence of numbers.
Dims nested_sizes(PyObject* data);
// The type that all the numbers have together; the default type when there are none.
DType nested_dtype(PyObject* data);
// Writes the numbers, converted, to contiguous memory; throws where the data is not of these sizes.
void write_nested(PyObject* data, IntSpan sizes, DType dtype, void* memory);

}  // namespace rl
