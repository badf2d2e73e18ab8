// The Python types dtype, device, layout, memory_format, Size and Generator.
#include "core/objects.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <vector>

#include "core/generator.h"
#include "core/object.h"
#include "core/spare_list.h"
#include "core/tensor.h"
#include "python/errors.h"
#include "python/module.h"

namespace rl {
namespace {

template <class Value>
const Value& value_of(PyObject* object) {
    return reinterpret_cast<ValueObject<Value>*>(object)->value;
}

PyObject* text(std::string_view value) {
    return PyUnicode_FromStringAndSize(value.data(), static_cast<Py_ssize_t>(value.size()));
}

// dtype

constinit std::array<DTypeObject, dtype_count> dtype_objects = [] {
    std::array<DTypeObject, dtype_count> objects{};
    for (int i = 0; i < dtype_count; ++i)
        objects[i] = {PyObject_HEAD_INIT(&dtype_type) static_cast<DType>(i)};
    return objects;
}();

PyObject* dtype_repr(PyObject* self) {
    return text(message("torch.", info(value_of<DType>(self)).name));
}

PyObject* dtype_reduce(PyObject* self, PyObject*) {
    return text(info(value_of<DType>(self)).name);
}

PyObject* dtype_to_real(PyObject* self, PyObject*) {
    return Py_NewRef(dtype_object(to_real(value_of<DType>(self))));
}

PyObject* dtype_to_complex(PyObject* self, PyObject*) {
    const DType dtype = value_of<DType>(self);
    if (!is_floating(dtype) && !is_complex(dtype)) {
        PyErr_Format(PyExc_RuntimeError, "Unknown Complex ScalarType for %s", info(dtype).scalar_name.data());
        return nullptr;
    }
    return Py_NewRef(dtype_object(to_complex(dtype)));
}

PyObject* dtype_is_floating_point(PyObject* self, void*) {
    return PyBool_FromLong(is_floating(value_of<DType>(self)));
}
PyObject* dtype_is_complex(PyObject* self, void*) {
    return PyBool_FromLong(is_complex(value_of<DType>(self)));
}
PyObject* dtype_is_signed(PyObject* self, void*) {
    return PyBool_FromLong(value_of<DType>(self) > DType::uint8);
}
PyObject* dtype_itemsize(PyObject* self, void*) {
    return PyLong_FromLong(item_size(value_of<DType>(self)));
}

PyMethodDef dtype_methods[] = {
    {"to_real", dtype_to_real, METH_NOARGS, "The type of the real part of this type's values."},
    {"to_complex", dtype_to_complex, METH_NOARGS, "The complex type whose parts are of this type."},
    {"__reduce__", dtype_reduce, METH_NOARGS, nullptr},
    {},
};
PyGetSetDef dtype_attributes[] = {
    {"is_floating_point", dtype_is_floating_point, nullptr, "Whether values are real floating-point numbers.",
     nullptr},
    {"is_complex", dtype_is_complex, nullptr, "Whether values are complex numbers.", nullptr},
    {"is_signed", dtype_is_signed, nullptr, "Whether values may be negative.", nullptr},
    {"itemsize", dtype_itemsize, nullptr, "Bytes of one element.", nullptr},
    {},
};

// device

Device device_from(PyObject* object) {
    if (PyObject_TypeCheck(object, &device_type)) return value_of<Device>(object);
    if (PyLong_Check(object)) raise("Cannot access accelerator device when none is available.");
    if (!PyUnicode_Check(object)) {
        raise<TypeError>(
            "device() received an invalid combination of arguments - got (", Py_TYPE(object)->tp_name,
            "), but expected one of:\n * (torch.device device)\n * (str type, int index = -1)\n");
    }
    const char* const name = PyUnicode_AsUTF8(object);
    if (name == nullptr) throw PythonError();
    return parse_device(name);
}

Device device_from(PyObject* object, PyObject* index) {
    Device device = device_from(object);
    if (index == nullptr || index == Py_None) return device;
    check(device.index < 0,
          "type (string) must not include an index because index was passed explicitly: ", to_string(device));
    const long number = PyLong_AsLong(index);
    if (number == -1 && PyErr_Occurred()) throw PythonError();
    check(number >= 0, "Device index must not be negative");
    check(number <= 127, "Device index must be at most 127, but got ", number);
    device.index = static_cast<int8_t>(number);
    return device;
}

PyObject* device_new(PyTypeObject*, PyObject* args, PyObject* kwargs) {
    return guarded([&]() -> PyObject* {
        static const char* const by_type[] = {"type", "index", nullptr};
        static const char* const by_device[] = {"device", nullptr};
        PyObject* object = nullptr;
        PyObject* index = nullptr;
        const bool has_device = kwargs != nullptr && PyDict_GetItemString(kwargs, "device") != nullptr;
        const bool parsed = has_device
                                ? PyArg_ParseTupleAndKeywords(args, kwargs, "O:device",
                                                              const_cast<char**>(by_device), &object)
                                : PyArg_ParseTupleAndKeywords(args, kwargs, "O|O:device",
                                                              const_cast<char**>(by_type), &object, &index);
        if (!parsed) throw PythonError();
        return new_device_object(device_from(object, index));
    });
}

PyObject* device_kind(PyObject* self, void*) {
    return text(to_string(Device{value_of<Device>(self).type}));
}

PyObject* device_index(PyObject* self, void*) {
    const int index = value_of<Device>(self).index;
    return index < 0 ? Py_NewRef(Py_None) : PyLong_FromLong(index);
}

PyObject* device_repr(PyObject* self) {
    const Device device = value_of<Device>(self);
    const std::string type = to_string(Device{device.type});
    return text(device.index < 0 ? message("device(type='", type, "')")
                                 : message("device(type='", type, "', index=", int{device.index}, ")"));
}

PyObject* device_str(PyObject* self) {
    return text(to_string(value_of<Device>(self)));
}

PyObject* device_compare(PyObject* self, PyObject* other, int operation) {
    if (!PyObject_TypeCheck(other, &device_type)) return Py_NewRef(Py_NotImplemented);
    if (operation != Py_EQ && operation != Py_NE) {
        PyErr_SetString(PyExc_TypeError, "comparison not implemented");
        return nullptr;
    }
    return PyBool_FromLong((value_of<Device>(self) == value_of<Device>(other)) == (operation == Py_EQ));
}

Py_hash_t device_hash(PyObject* self) {
    const Device device = value_of<Device>(self);
    return static_cast<Py_hash_t>(device.type) * 256 + device.index + 1;
}

PyObject* device_reduce(PyObject* self, PyObject*) {
    const Device device = value_of<Device>(self);
    const std::string type = to_string(Device{device.type});
    if (device.index < 0) return Py_BuildValue("(O(s))", Py_TYPE(self), type.c_str());
    return Py_BuildValue("(O(si))", Py_TYPE(self), type.c_str(), int{device.index});
}

// Devices that the open `with device:` blocks replaced.
std::vector<Device>& outer_devices() {
    static std::vector<Device>& devices = *new std::vector<Device>();
    return devices;
}

PyObject* device_enter(PyObject* self, PyObject*) {
    outer_devices().push_back(default_device());
    set_default_device(value_of<Device>(self));
    return Py_NewRef(self);
}

PyObject* device_exit(PyObject*, PyObject*) {
    if (!outer_devices().empty()) {
        set_default_device(outer_devices().back());
        outer_devices().pop_back();
    }
    return Py_NewRef(Py_None);
}

PyObject* get_default_device(PyObject*, PyObject*) {
    return guarded([] { return new_device_object(default_device()); });
}

PyObject* set_default_device_function(PyObject*, PyObject* device) {
    return guarded([&]() -> PyObject* {
        set_default_device(device == Py_None ? Device{} : device_from(device));
        return Py_NewRef(Py_None);
    });
}

PyMethodDef device_functions[] = {
    {"get_default_device", get_default_device, METH_NOARGS,
     "get_default_device()\n\nThe device of new tensors where none is named."},
    {"set_default_device", set_default_device_function, METH_O,
     "set_default_device(device)\n\nSets the device of new tensors where none is named; None stands for the "
     "CPU.\n\n"
     "Raises RuntimeError for an unknown device."},
    {},
};

PyMethodDef device_methods[] = {
    {"__enter__", device_enter, METH_NOARGS, "Makes this the device of new tensors until the block ends."},
    {"__exit__", device_exit, METH_VARARGS, nullptr},
    {"__reduce__", device_reduce, METH_NOARGS, nullptr},
    {},
};
PyGetSetDef device_attributes[] = {
    {"type", device_kind, nullptr, "The kind of device: 'cpu' or 'meta'.", nullptr},
    {"index", device_index, nullptr, "The device's number among those of its kind, or None.", nullptr},
    {},
};

// layout and memory_format

LayoutObject strided = {PyObject_HEAD_INIT(&layout_type) Layout::strided};

PyObject* layout_repr(PyObject*) {
    return text("torch.strided");
}
PyObject* layout_reduce(PyObject*, PyObject*) {
    return text("strided");
}

PyMethodDef layout_methods[] = {
    {"__reduce__", layout_reduce, METH_NOARGS, nullptr},
    {},
};

const char* name_of(MemoryFormat format) {
    switch (format) {
        case MemoryFormat::contiguous:
            return "contiguous_format";
        case MemoryFormat::preserve:
            return "preserve_format";
        case MemoryFormat::channels_last:
            return "channels_last";
        case MemoryFormat::channels_last_3d:
            break;
    }
    return "channels_last_3d";
}

MemoryFormatObject memory_formats[] = {
    {PyObject_HEAD_INIT(&memory_format_type) MemoryFormat::contiguous},
    {PyObject_HEAD_INIT(&memory_format_type) MemoryFormat::preserve},
    {PyObject_HEAD_INIT(&memory_format_type) MemoryFormat::channels_last},
    {PyObject_HEAD_INIT(&memory_format_type) MemoryFormat::channels_last_3d},
};

PyObject* memory_format_repr(PyObject* self) {
    return text(message("torch.", name_of(value_of<MemoryFormat>(self))));
}
PyObject* memory_format_reduce(PyObject* self, PyObject*) {
    return text(name_of(value_of<MemoryFormat>(self)));
}

PyMethodDef memory_format_methods[] = {
    {"__reduce__", memory_format_reduce, METH_NOARGS, nullptr},
    {},
};

// Size

// Gives a tuple that a method of tuple returned the type Size.
PyObject* as_size(PyObject* tuple) {
    if (tuple == nullptr || !PyTuple_CheckExact(tuple)) return tuple;
    const Object owned = Object::steal(tuple);
    const Py_ssize_t count = PyTuple_GET_SIZE(tuple);
    PyObject* const size = size_type.tp_alloc(&size_type, count);
    if (size == nullptr) return nullptr;
    for (Py_ssize_t i = 0; i < count; ++i) PyTuple_SET_ITEM(size, i, Py_NewRef(PyTuple_GET_ITEM(tuple, i)));
    return size;
}

PyObject* size_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
    Object self = Object::steal(PyTuple_Type.tp_new(type, args, kwargs));
    if (!self) return nullptr;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(self.get()); ++i) {
        PyObject* const item = PyTuple_GET_ITEM(self.get(), i);
        if (PyLong_CheckExact(item)) continue;
        if (!PyIndex_Check(item)) {
            PyErr_Format(PyExc_TypeError, "torch.Size() takes an iterable of 'int' (item %zd is '%s')", i,
                         Py_TYPE(item)->tp_name);
            return nullptr;
        }
        PyObject* const number = PyNumber_Index(item);
        if (number == nullptr) return nullptr;
        PyTuple_SET_ITEM(self.get(), i, number);
        Py_DECREF(item);
    }
    return self.release();
}

PyObject* size_repr(PyObject* self) {
    const Object list = Object::steal(PySequence_List(self));
    return list ? PyUnicode_FromFormat("torch.Size(%R)", list.get()) : nullptr;
}

PyObject* size_concatenate(PyObject* a, PyObject* b) {
    for (PyObject* const operand : {a, b}) {
        if (!PyTuple_Check(operand)) {
            PyErr_Format(PyExc_TypeError, "can only concatenate tuple (not %s) to torch.Size",
                         Py_TYPE(operand)->tp_name);
            return nullptr;
        }
    }
    return as_size(PyTuple_Type.tp_as_sequence->sq_concat(a, b));
}

// As a number slot, so that a plain tuple on the left gives a Size too.
PyObject* size_add(PyObject* a, PyObject* b) {
    if (!PyTuple_Check(a)) return Py_NewRef(Py_NotImplemented);
    return size_concatenate(a, b);
}

PyObject* size_repeat(PyObject* self, Py_ssize_t count) {
    return as_size(PyTuple_Type.tp_as_sequence->sq_repeat(self, count));
}

// Memory of short sizes, by length.
constinit std::array<SpareList<64>, 7> spare_sizes;

// A size of nulls, not tracked by the garbage collector: integers lead nowhere.
PyObject* allocate_size(size_t count) {
    const auto length = static_cast<Py_ssize_t>(count);
    auto* size = static_cast<PyTupleObject*>(count < spare_sizes.size() ? spare_sizes[count].pop() : nullptr);
    if (size != nullptr) {
        PyObject_InitVar(reinterpret_cast<PyVarObject*>(size), &size_type, length);
    } else {
        size = PyObject_GC_NewVar(PyTupleObject, &size_type, length);
        if (size == nullptr) return nullptr;
    }
    std::fill_n(size->ob_item, count, nullptr);
    return reinterpret_cast<PyObject*>(size);
}

void size_dealloc(PyObject* self) {
    PyObject_GC_UnTrack(self);
    const auto count = static_cast<size_t>(PyTuple_GET_SIZE(self));
    for (size_t i = 0; i < count; ++i) Py_XDECREF(PyTuple_GET_ITEM(self, i));
    const bool plain = Py_TYPE(self) == &size_type && count < spare_sizes.size();
    if (!plain || !spare_sizes[count].push(self)) Py_TYPE(self)->tp_free(self);
}

PyObject* size_subscript(PyObject* self, PyObject* key) {
    return as_size(PyTuple_Type.tp_as_mapping->mp_subscript(self, key));
}

PyObject* size_numel(PyObject* self, PyObject*) {
    Object product = Object::steal(PyLong_FromLong(1));
    for (Py_ssize_t i = 0; product && i < PyTuple_GET_SIZE(self); ++i) {
        product = Object::steal(PyNumber_Multiply(product.get(), PyTuple_GET_ITEM(self, i)));
    }
    return product.release();
}

PyObject* size_reduce(PyObject* self, PyObject*) {
    const Object plain = Object::steal(PyTuple_GetSlice(self, 0, PyTuple_GET_SIZE(self)));
    if (!plain) return nullptr;
    // A slice of a whole tuple may be the tuple itself, which would pickle without end.
    const Object list = Object::steal(PySequence_List(plain.get()));
    const Object tuple = Object::steal(list ? PyList_AsTuple(list.get()) : nullptr);
    return tuple ? Py_BuildValue("(O(O))", &size_type, tuple.get()) : nullptr;
}

PyMethodDef size_methods[] = {
    {"numel", size_numel, METH_NOARGS,
     "The number of elements of a tensor of this size.\n\n"
     ">>> rushlight.Size([2, 3]).numel()\n6\n"},
    {"__reduce__", size_reduce, METH_NOARGS, nullptr},
    {},
};
PyNumberMethods size_as_number = {.nb_add = size_add};
PySequenceMethods size_as_sequence = {.sq_concat = size_concatenate, .sq_repeat = size_repeat};
PyMappingMethods size_as_mapping = {.mp_subscript = size_subscript};

// Generator

Generator& generator_of(PyObject* object) {
    return *reinterpret_cast<GeneratorObject*>(object)->generator;
}

GeneratorObject default_generator_object = {PyObject_HEAD_INIT(&generator_type) nullptr};

PyObject* new_generator(PyTypeObject* type, std::unique_ptr<Generator> generator) {
    Object self = Object::check(type->tp_alloc(type, 0));
    reinterpret_cast<GeneratorObject*>(self.get())->generator = generator.release();
    return self.release();
}

PyObject* generator_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
    return guarded([&]() -> PyObject* {
        static const char* const names[] = {"device", nullptr};
        PyObject* device = nullptr;
        if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:Generator", const_cast<char**>(names), &device)) {
            throw PythonError();
        }
        const Device where = device == nullptr || device == Py_None ? Device{} : device_from(device);
        check(where.type == DeviceType::cpu, "Device type ", to_string(Device{where.type}),
              " is not supported for torch.Generator() api.");
        return new_generator(type, std::make_unique<Generator>());
    });
}

void generator_dealloc(PyObject* self) {
    delete &generator_of(self);
    Py_TYPE(self)->tp_free(self);
}

// Any 64-bit number, signed or not; a negative one names the stream of its two's complement.
uint64_t seed_from(PyObject* object) {
    check(PyLong_Check(object), "manual_seed expected a long, but got ", Py_TYPE(object)->tp_name);
    int overflow = 0;
    const int64_t value = PyLong_AsLongLongAndOverflow(object, &overflow);
    if (overflow == 0) return static_cast<uint64_t>(value);
    const uint64_t wide = overflow > 0 ? PyLong_AsUnsignedLongLong(object) : 0;
    if (overflow < 0 || PyErr_Occurred()) {
        PyErr_Clear();
        raise<ValueError>("Overflow when unpacking long long");
    }
    return wide;
}

PyObject* generator_manual_seed(PyObject* self, PyObject* seed) {
    return guarded([&]() -> PyObject* {
        const uint64_t value = seed_from(seed);
        const std::lock_guard lock(generator_of(self).mutex);
        generator_of(self).manual_seed(value);
        return Py_NewRef(self);
    });
}

PyObject* generator_seed(PyObject* self, PyObject*) {
    return guarded([&]() -> PyObject* {
        const std::lock_guard lock(generator_of(self).mutex);
        return PyLong_FromUnsignedLongLong(generator_of(self).seed());
    });
}

PyObject* generator_initial_seed(PyObject* self, PyObject*) {
    return PyLong_FromUnsignedLongLong(generator_of(self).initial_seed());
}

PyObject* generator_get_state(PyObject* self, PyObject*) {
    return guarded([&]() -> PyObject* {
        Tensor tensor = empty(Dims{int64_t{Generator::state_bytes}}, {DType::uint8, Device{}});
        const std::lock_guard lock(generator_of(self).mutex);
        const Generator::State state = generator_of(self).state();
        std::memcpy(tensor.raw_data(), state.data(), state.size());
        return tensor.release();
    });
}

void set_generator_state(Generator& generator, PyObject* state) {
    check<TypeError>(PyObject_TypeCheck(state, &tensor_type), "expected a torch.ByteTensor, but got ",
                     Py_TYPE(state)->tp_name);
    const Tensor tensor = Tensor::borrow(state);
    check<TypeError>(tensor.dtype() == DType::uint8 && !tensor.is_meta() && tensor.is_contiguous(),
                     "RNG state must be a torch.ByteTensor");
    const std::lock_guard lock(generator.mutex);
    generator.set_state({tensor.data<uint8_t>(), static_cast<size_t>(tensor.numel())});
}

PyObject* generator_set_state(PyObject* self, PyObject* state) {
    return guarded([&]() -> PyObject* {
        set_generator_state(generator_of(self), state);
        return Py_NewRef(self);
    });
}

PyObject* generator_clone_state(PyObject* self, PyObject*) {
    return guarded([&]() -> PyObject* {
        auto copy = std::make_unique<Generator>();
        const std::lock_guard lock(generator_of(self).mutex);
        copy->set_state(generator_of(self).state());
        return new_generator(&generator_type, std::move(copy));
    });
}

PyObject* generator_device(PyObject*, void*) {
    return guarded([&] { return new_device_object(Device{}); });
}

PyObject* generator_reduce(PyObject* self, PyObject*) {
    const Object device = Object::steal(generator_device(self, nullptr));
    const Object state = Object::steal(generator_get_state(self, nullptr));
    if (!device || !state) return nullptr;
    return Py_BuildValue("(O(O)(KOO))", Py_TYPE(self), device.get(),
                         static_cast<unsigned long long>(generator_of(self).initial_seed()), Py_None,
                         state.get());
}

PyObject* generator_set_pickled(PyObject* self, PyObject* pickled) {
    return guarded([&]() -> PyObject* {
        PyObject* seed = nullptr;
        PyObject* offset = nullptr;
        PyObject* state = nullptr;
        if (!PyArg_ParseTuple(pickled, "OOO:__setstate__", &seed, &offset, &state)) throw PythonError();
        generator_of(self).manual_seed(seed_from(seed));
        set_generator_state(generator_of(self), state);
        return Py_NewRef(Py_None);
    });
}

PyMethodDef generator_methods[] = {
    {"manual_seed", generator_manual_seed, METH_O,
     "Starts the stream of random numbers that the seed names, and returns the generator."},
    {"seed", generator_seed, METH_NOARGS, "Starts a stream that differs every time, and returns its seed."},
    {"initial_seed", generator_initial_seed, METH_NOARGS, "The seed that the stream was started with."},
    {"get_state", generator_get_state, METH_NOARGS,
     "The generator's state as a uint8 tensor of 5056 elements."},
    {"set_state", generator_set_state, METH_O, "Restores a state that get_state gave."},
    {"clone_state", generator_clone_state, METH_NOARGS, "Another generator in the same state."},
    {"__reduce__", generator_reduce, METH_NOARGS, nullptr},
    {"__setstate__", generator_set_pickled, METH_O, nullptr},
    {},
};
PyGetSetDef generator_attributes[] = {
    {"device", generator_device, nullptr, "The device whose operators draw from the generator.", nullptr},
    {},
};

}  // namespace

PyTypeObject dtype_type = {
    .ob_base = PyVarObject_HEAD_INIT(nullptr, 0).tp_name = "rushlight.dtype",
    .tp_basicsize = sizeof(DTypeObject),
    .tp_repr = dtype_repr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_doc = "The type of a tensor's elements.",
    .tp_methods = dtype_methods,
    .tp_getset = dtype_attributes,
};

PyTypeObject device_type = {
    .ob_base = PyVarObject_HEAD_INIT(nullptr, 0).tp_name = "rushlight.device",
    .tp_basicsize = sizeof(DeviceObject),
    .tp_repr = device_repr,
    .tp_hash = device_hash,
    .tp_str = device_str,
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_doc =
        "device(type, index=None)\n\nWhere a tensor's memory is.\n\n"
        ">>> rushlight.device('cpu')\ndevice(type='cpu')\n",
    .tp_richcompare = device_compare,
    .tp_methods = device_methods,
    .tp_getset = device_attributes,
    .tp_new = device_new,
};

PyTypeObject layout_type = {
    .ob_base = PyVarObject_HEAD_INIT(nullptr, 0).tp_name = "rushlight.layout",
    .tp_basicsize = sizeof(LayoutObject),
    .tp_repr = layout_repr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_doc = "How a tensor's elements lie in memory.",
    .tp_methods = layout_methods,
};

PyTypeObject memory_format_type = {
    .ob_base = PyVarObject_HEAD_INIT(nullptr, 0).tp_name = "rushlight.memory_format",
    .tp_basicsize = sizeof(MemoryFormatObject),
    .tp_repr = memory_format_repr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_doc = "The order of a dense tensor's dimensions in memory.",
    .tp_methods = memory_format_methods,
};

PyTypeObject size_type = {
    .ob_base = PyVarObject_HEAD_INIT(nullptr, 0).tp_name = "rushlight.Size",
    .tp_dealloc = size_dealloc,
    .tp_repr = size_repr,
    .tp_as_number = &size_as_number,
    .tp_as_sequence = &size_as_sequence,
    .tp_as_mapping = &size_as_mapping,
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_doc =
        "Size(iterable=())\n\nA tensor's sizes: a tuple of integers.\n\n"
        ">>> rushlight.Size([2, 3])\ntorch.Size([2, 3])\n",
    .tp_methods = size_methods,
    .tp_base = &PyTuple_Type,
    .tp_new = size_new,
};

PyTypeObject generator_type = {
    .ob_base = PyVarObject_HEAD_INIT(nullptr, 0).tp_name = "rushlight.Generator",
    .tp_basicsize = sizeof(GeneratorObject),
    .tp_dealloc = generator_dealloc,
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_doc =
        "Generator(device='cpu')\n\nA stream of random numbers of its own.\n\n"
        ">>> rushlight.Generator().manual_seed(7).initial_seed()\n7\n",
    .tp_methods = generator_methods,
    .tp_getset = generator_attributes,
    .tp_new = generator_new,
};

PyObject* dtype_object(DType dtype) {
    return reinterpret_cast<PyObject*>(&dtype_objects[static_cast<size_t>(dtype)]);
}

PyObject* new_device_object(Device device) {
    DeviceObject* const object = PyObject_New(DeviceObject, &device_type);
    if (object == nullptr) throw PythonError();
    object->value = device;
    return reinterpret_cast<PyObject*>(object);
}

PyObject* new_size_object(const int64_t* values, size_t count) {
    Object size = Object::check(allocate_size(count));
    for (size_t i = 0; i < count; ++i) {
        PyTuple_SET_ITEM(size.get(), i, Object::check(PyLong_FromLongLong(values[i])).release());
    }
    return size.release();
}

void add_objects(PyObject* module) {
    const auto add = [module](const char* name, void* object) {
        check_status(PyModule_AddObjectRef(module, name, static_cast<PyObject*>(object)));
    };
    size_type.tp_itemsize = PyTuple_Type.tp_itemsize;
    for (PyTypeObject* const type :
         {&dtype_type, &device_type, &layout_type, &memory_format_type, &size_type, &generator_type}) {
        check_status(PyType_Ready(type));
        add(std::strrchr(type->tp_name, '.') + 1, type);
    }
    add("strided", &strided);
    for (MemoryFormatObject& format : memory_formats) add(name_of(format.value), &format);
    check_status(PyModule_AddFunctions(module, device_functions));
    default_generator_object.generator = &default_generator();
    add("default_generator", &default_generator_object);

    const Object names = Object::check(PyDict_New());
    const auto name_dtype = [&names](const char* name, DType dtype) {
        check_status(PyDict_SetItemString(names.get(), name, dtype_object(dtype)));
    };
    for (const DTypeObject& object : dtype_objects) name_dtype(info(object.value).name.data(), object.value);
    static constexpr std::pair<const char*, DType> aliases[] = {
        {"float", DType::float32},    {"double", DType::float64},     {"half", DType::float16},
        {"int", DType::int32},        {"long", DType::int64},         {"short", DType::int16},
        {"cfloat", DType::complex64}, {"cdouble", DType::complex128},
    };
    for (const auto& [name, dtype] : aliases) name_dtype(name, dtype);
    add("_dtypes", names.get());
}

}  // namespace rl
