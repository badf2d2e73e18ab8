// Python objects that stand for small C++ values: dtypes, devices, layouts, memory formats, sizes,
// generators. The types are defined with the extension module; operators read their arguments through these.
#pragma once

#include <Python.h>

#include "core/device.h"
#include "core/dtype.h"

namespace rl {

class Generator;

extern PyTypeObject dtype_type;
extern PyTypeObject device_type;
extern PyTypeObject layout_type;
extern PyTypeObject memory_format_type;
extern PyTypeObject generator_type;
extern PyTypeObject size_type;  // rushlight.Size, a tuple

template <class Value>
struct ValueObject {
    PyObject ob_base;
    Value value;
};
using DTypeObject = ValueObject<DType>;
using DeviceObject = ValueObject<Device>;
using LayoutObject = ValueObject<Layout>;
using MemoryFormatObject = ValueObject<MemoryFormat>;

struct GeneratorObject {
    PyObject ob_base;
    Generator* generator;  // owned, but for the default one
};

// The one object for a dtype; new references to the others.
PyObject* dtype_object(DType dtype);
PyObject* new_device_object(Device device);
PyObject* new_size_object(const int64_t* values, size_t count);

}  // namespace rl
