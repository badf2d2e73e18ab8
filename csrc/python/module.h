// The parts that make up the extension module rushlight._C.
#pragma once

#include <Python.h>

namespace rl {

// dtypes, devices, layouts, memory formats, Size and Generator; throws PythonError on failure, as do the
// others.
void add_objects(PyObject* module);
// tensor, as_tensor, asarray, from_numpy, frombuffer.
void add_construction(PyObject* module);
// from_dlpack and to_dlpack.
void add_interchange(PyObject* module);
// UntypedStorage.
void add_storage(PyObject* module);
// What nn.Module does natively.
void add_nn_module(PyObject* module);
// BlockProgram.
void add_program(PyObject* module);

}  // namespace rl
