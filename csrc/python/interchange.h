// Sharing memory with other libraries: NumPy, the buffer protocol and DLPack.
#pragma once

#include <Python.h>

#include <memory>
#include <optional>

#include "core/tensor.h"

namespace rl {

// The buffer protocol of Tensor: memoryview(tensor) sees the tensor's own memory.
extern PyBufferProcs tensor_as_buffer;
// Tensor's methods numpy, __array__, __array_wrap__, untyped_storage, set_, tolist, __dlpack__ and
// __dlpack_device__.
extern PyMethodDef interchange_methods[];

// The tensor's values as nested lists of Python numbers. New reference, or throws.
PyObject* tensor_to_list(const Tensor& tensor);

// Whether the object is a NumPy array; does not load NumPy.
bool is_numpy_array(PyObject* object);
// A tensor on the memory of a NumPy array, which lives as long. Throws TypeError and ValueError with
// PyTorch's wording.
// `warns` once about arrays that are not writable.
Tensor from_numpy_array(PyObject* array, bool warns = true);
// The element type of a buffer's format and item size, if it is one of ours in native byte order.
std::optional<DType> dtype_of_buffer(const char* format, Py_ssize_t item_size);

struct ReleaseBuffer {
    void operator()(Py_buffer* view) const {
        PyBuffer_Release(view);
        delete view;
    }
};
using BufferView = std::unique_ptr<Py_buffer, ReleaseBuffer>;
// The buffer of an object; null, with no Python error set, where it has none.
BufferView view_buffer(PyObject* object, int flags);
// A tensor on the part of a buffer that starts at data; the storage takes the view over.
Tensor over_buffer(BufferView view, void* data, IntSpan sizes, IntSpan strides, DType dtype);

// DLPack: see python/dlpack.cpp.
PyObject* to_dlpack(PyObject* self, PyObject* args, PyObject* kwargs);
PyObject* dlpack_device(PyObject* self, PyObject*);
PyObject* from_dlpack(PyObject* module, PyObject* args, PyObject* kwargs);

}  // namespace rl
