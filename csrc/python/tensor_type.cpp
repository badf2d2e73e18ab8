// The Python type of tensors: its life, numbers, properties and the methods that are not operators.
#include "python/tensor_type.h"

#include "autograd/record.h"
#include "core/object.h"
#include "ops/arithmetic.h"
#include "python/arguments.h"
#include "python/construct.h"
#include "python/errors.h"
#include "python/interchange.h"
#include "python/torch_function.h"

namespace rl {
namespace {

TensorImpl* impl_of(PyObject* object) {
    return reinterpret_cast<TensorImpl*>(object);
}
Tensor tensor_of(PyObject* object) {
    return Tensor::borrow(object);
}

// Life

// A new object of a class on the memory of `source`, off the graph.
Tensor with_class(PyTypeObject* type, const Tensor& source) {
    const Object self = Object::check(type->tp_alloc(type, 0));
    construct_tensor(impl_of(self.get()));
    const Tensor target = tensor_of(self.get());
    share_memory(target, source);
    return target;
}

PyObject* tensor_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
    return guarded([&]() -> PyObject* {
        Tensor made = new_from_legacy(args, kwargs, default_dtype());
        return type == &tensor_type ? made.release() : with_class(type, made).release();
    });
}

void tensor_dealloc(PyObject* self) {
    PyObject_GC_UnTrack(self);
    TensorImpl* const impl = impl_of(self);
    if (impl->weak_references != nullptr) PyObject_ClearWeakRefs(self);
    Py_CLEAR(impl->attributes);
    destroy_tensor(impl);
    if (Py_TYPE(self) == &tensor_type && keep_for_reuse(impl)) return;
    Py_TYPE(self)->tp_free(self);
}

int visit_hooks(const std::vector<NodeHooks::Entry>& hooks, visitproc visit, void* arg) {
    for (const NodeHooks::Entry& hook : hooks) Py_VISIT(hook.callable);
    return 0;
}

int tensor_traverse(PyObject* self, visitproc visit, void* arg) {
    const TensorImpl* const impl = impl_of(self);
    Py_VISIT(impl->attributes);
    Py_VISIT(reinterpret_cast<PyObject*>(impl->base));
    if (const auto* const state = static_cast<const Variable*>(impl->autograd.get())) {
        Py_VISIT(state->grad.object());
        if (const int status = visit_hooks(state->hooks, visit, arg)) return status;
        if (const int status = visit_hooks(state->post_accumulate_hooks, visit, arg)) return status;
    }
    return 0;
}

int tensor_clear(PyObject* self) {
    TensorImpl* const impl = impl_of(self);
    Py_CLEAR(impl->attributes);
    if (auto* const state = static_cast<Variable*>(impl->autograd.get())) {
        state->grad = Tensor();
        clear_hooks(state->hooks);
        clear_hooks(state->post_accumulate_hooks);
    }
    return 0;
}

// Plain tensors meet the garbage collector only once they hold something that could lead back to them.
void track(PyObject* self) {
    if (!PyObject_GC_IsTracked(self)) PyObject_GC_Track(self);
}

int tensor_setattro(PyObject* self, PyObject* name, PyObject* value) {
    const int status = PyObject_GenericSetAttr(self, name, value);
    if (status == 0 && impl_of(self)->attributes != nullptr) track(self);
    return status;
}

// Numbers

bool is_number(PyObject* object) {
    return PyFloat_Check(object) || PyLong_Check(object) || PyComplex_Check(object) ||
           (!is_tensor(object) && PyNumber_Check(object) && !PySequence_Check(object));
}

using Binary = Tensor (*)(const Tensor&, const Tensor&);

// a (op) b for any operands of which one is a tensor: straight to C++ for plain tensors and numbers.
PyObject* binary(const Callable& callable, Binary direct, PyObject* a, PyObject* b) noexcept {
    return guarded([&]() -> PyObject* {
        const bool overridden = has_torch_function(a) || has_torch_function(b);
        if (!overridden && !((is_tensor(a) || is_number(a)) && (is_tensor(b) || is_number(b)))) {
            Py_RETURN_NOTIMPLEMENTED;
        }
        if (direct != nullptr && !overridden) {
            return to_python(direct(from_python<Tensor>(a), from_python<Tensor>(b)));
        }
        const Object left =
            overridden || is_tensor(a) ? Object::borrow(a) : Object::steal(to_python(from_python<Tensor>(a)));
        PyObject* const arguments[] = {left.get(), b};
        return call_operator(callable, arguments, 2, nullptr, true);
    });
}

template <class Tag>
PyObject* binary_slot(PyObject* a, PyObject* b) {
    static const Callable& callable = *find_callable(Tag::name);
    return binary(callable, Tag::direct, a, b);
}
template <class Tag>
PyObject* in_place_slot(PyObject* self, PyObject* other) {
    return guarded([&]() -> PyObject* {
        if (!is_tensor(other) && !is_number(other) && !has_torch_function(other)) Py_RETURN_NOTIMPLEMENTED;
        static const Callable& callable = *find_callable(std::string(Tag::name) + "_");
        PyObject* const arguments[] = {self, other};
        return call_operator(callable, arguments, 2, nullptr, true);
    });
}
template <class Tag>
PyObject* unary_slot(PyObject* self) {
    static const Callable& callable = *find_callable(Tag::name);
    PyObject* const arguments[] = {self};
    return call_operator(callable, arguments, 1, nullptr, true);
}

struct Add {
    static constexpr const char* name = "add";
    static Tensor direct(const Tensor& a, const Tensor& b) { return ops::add(a, b); }
};
struct Sub {
    static constexpr const char* name = "sub";
    static Tensor direct(const Tensor& a, const Tensor& b) { return ops::sub(a, b); }
};
struct Mul {
    static constexpr const char* name = "mul";
    static Tensor direct(const Tensor& a, const Tensor& b) { return ops::mul(a, b); }
};
struct Div {
    static constexpr const char* name = "div";
    static Tensor direct(const Tensor& a, const Tensor& b) { return ops::div(a, b); }
};
template <size_t N>
struct Text {
    char characters[N];
    constexpr Text(const char (&text)[N]) { std::copy_n(text, N, characters); }
};
template <Text Name>
struct Named {
    static constexpr const char* name = Name.characters;
    static constexpr Binary direct = nullptr;
};

PyObject* power_slot(PyObject* a, PyObject* b, PyObject*) {
    static const Callable& callable = *find_callable("pow");
    if (is_tensor(a) || has_torch_function(a)) return binary(callable, nullptr, a, b);
    // A number to the power of a tensor: the number is no tensor of the schema's first overload.
    return guarded([&]() -> PyObject* {
        if (!is_number(a)) Py_RETURN_NOTIMPLEMENTED;
        PyObject* const arguments[] = {a, b};
        return call_operator(callable, arguments, 2, nullptr, false);
    });
}
PyObject* in_place_power_slot(PyObject* a, PyObject* b, PyObject*) {
    return in_place_slot<Named<"pow">>(a, b);
}

// For int(), float() and complex().
Scalar number_of(PyObject* self) {
    const Tensor tensor = tensor_of(self);
    check<ValueError>(tensor.numel() == 1, "only one element tensors can be converted to Python scalars");
    return tensor.item();
}
int tensor_bool(PyObject* self) {
    return guarded(
        [&] {
            const Tensor tensor = tensor_of(self);
            check(tensor.numel() != 0, "Boolean value of Tensor with no values is ambiguous");
            check(tensor.numel() == 1, "Boolean value of Tensor with more than one value is ambiguous");
            return tensor.item().to_bool() ? 1 : 0;
        },
        -1);
}
PyObject* tensor_int(PyObject* self) {
    return guarded([&]() -> PyObject* {
        const Scalar value = number_of(self);
        check(!value.is_complex() || value.to_complex().imag() == 0,
              "value cannot be converted to type int64_t without overflow");
        if (value.is_integral()) return PyLong_FromLongLong(value.to_int());
        return PyLong_FromDouble(value.to_double());
    });
}
PyObject* tensor_float(PyObject* self) {
    return guarded([&]() -> PyObject* {
        const Scalar value = number_of(self);
        check(!value.is_complex() || value.to_complex().imag() == 0,
              "value cannot be converted to type double without overflow");
        return PyFloat_FromDouble(value.to_double());
    });
}
PyObject* tensor_index(PyObject* self) {
    return guarded([&]() -> PyObject* {
        const Tensor tensor = tensor_of(self);
        check<TypeError>(is_integral(tensor.dtype(), true) && tensor.numel() == 1,
                         "only integer tensors of a single element can be converted to an index");
        return PyLong_FromLongLong(tensor.item().to_int());
    });
}
PyObject* tensor_complex(PyObject* self, PyObject*) {
    return guarded([&]() -> PyObject* {
        const complex128 value = number_of(self).to_complex();
        return PyComplex_FromDoubles(value.real(), value.imag());
    });
}

PyNumberMethods number_methods = {
    .nb_add = binary_slot<Add>,
    .nb_subtract = binary_slot<Sub>,
    .nb_multiply = binary_slot<Mul>,
    .nb_remainder = binary_slot<Named<"remainder">>,
    .nb_power = power_slot,
    .nb_negative = unary_slot<Named<"neg">>,
    .nb_positive = unary_slot<Named<"positive">>,
    .nb_absolute = unary_slot<Named<"abs">>,
    .nb_bool = tensor_bool,
    .nb_invert = unary_slot<Named<"bitwise_not">>,
    .nb_lshift = binary_slot<Named<"bitwise_left_shift">>,
    .nb_rshift = binary_slot<Named<"bitwise_right_shift">>,
    .nb_and = binary_slot<Named<"bitwise_and">>,
    .nb_xor = binary_slot<Named<"bitwise_xor">>,
    .nb_or = binary_slot<Named<"bitwise_or">>,
    .nb_int = tensor_int,
    .nb_float = tensor_float,
    .nb_inplace_add = in_place_slot<Add>,
    .nb_inplace_subtract = in_place_slot<Sub>,
    .nb_inplace_multiply = in_place_slot<Mul>,
    .nb_inplace_remainder = in_place_slot<Named<"remainder">>,
    .nb_inplace_power = in_place_power_slot,
    .nb_inplace_lshift = in_place_slot<Named<"bitwise_left_shift">>,
    .nb_inplace_rshift = in_place_slot<Named<"bitwise_right_shift">>,
    .nb_inplace_and = in_place_slot<Named<"bitwise_and">>,
    .nb_inplace_xor = in_place_slot<Named<"bitwise_xor">>,
    .nb_inplace_or = in_place_slot<Named<"bitwise_or">>,
    .nb_floor_divide = binary_slot<Named<"floor_divide">>,
    .nb_true_divide = binary_slot<Div>,
    .nb_inplace_floor_divide = in_place_slot<Named<"floor_divide">>,
    .nb_inplace_true_divide = in_place_slot<Div>,
    .nb_index = tensor_index,
    .nb_matrix_multiply = binary_slot<Named<"matmul">>,
};

PyObject* tensor_richcompare(PyObject* a, PyObject* b, int operation) {
    static const Callable* const callables[] = {find_callable("lt"), find_callable("le"),
                                                find_callable("eq"), find_callable("ne"),
                                                find_callable("gt"), find_callable("ge")};
    if ((operation == Py_EQ || operation == Py_NE) && is_numpy_array(b)) {
        const Object array = Object::steal(guarded([&] { return from_numpy_array(b).release(); }));
        return array ? binary(*callables[operation], nullptr, a, array.get()) : nullptr;
    }
    return binary(*callables[operation], nullptr, a, b);
}

Py_hash_t tensor_hash(PyObject* self) {
    return static_cast<Py_hash_t>(reinterpret_cast<uintptr_t>(self) >> 4);
}

Py_ssize_t tensor_length(PyObject* self) {
    return guarded(
        [&]() -> Py_ssize_t {
            const Tensor tensor = tensor_of(self);
            check<TypeError>(tensor.dim() > 0, "len() of a 0-d tensor");
            return tensor.sizes()[0];
        },
        Py_ssize_t{-1});
}

PyMappingMethods mapping_methods = {tensor_length, tensor_get_item,
                                    [](PyObject* self, PyObject* index, PyObject* value) -> int {
                                        return tensor_set_item(self, index, value);
                                    }};

// Properties

template <class Get>
PyObject* property(PyObject* self, Get&& get) noexcept {
    return guarded([&]() -> PyObject* { return get(tensor_of(self)); });
}

PyObject* get_shape(PyObject* self, void*) {
    const TensorImpl* const impl = impl_of(self);
    return guarded([&] { return new_size_object(impl->sizes.data(), impl->sizes.size()); });
}
PyObject* get_dtype(PyObject* self, void*) {
    return Py_NewRef(dtype_object(impl_of(self)->dtype));
}
PyObject* get_device(PyObject* self, void*) {
    static PyObject* const cpu = new_device_object(Device{});
    const Device device = impl_of(self)->device;
    return device == Device{} ? Py_NewRef(cpu) : new_device_object(device);
}
PyObject* get_layout(PyObject*, void*) {
    static PyObject* const strided = [] {
        auto* const object = PyObject_New(LayoutObject, &layout_type);
        object->value = Layout::strided;
        return reinterpret_cast<PyObject*>(object);
    }();
    return Py_NewRef(strided);
}
PyObject* get_requires_grad(PyObject* self, void*) {
    return property(self, [](const Tensor& tensor) { return PyBool_FromLong(requires_grad(tensor)); });
}
int set_requires_grad_property(PyObject* self, PyObject* value, void*) {
    return guarded_status([&] {
        check<TypeError>(value != nullptr && PyBool_Check(value), "requires_grad must be a bool");
        set_requires_grad(tensor_of(self), value == Py_True);
    });
}
PyObject* get_grad(PyObject* self, void*) {
    return guarded([&]() -> PyObject* {
        const Tensor tensor = tensor_of(self);
        const Variable* const state = variable(tensor);
        if (state != nullptr && state->grad.defined()) return to_python(state->grad);
        if (!is_leaf(tensor) && !state->retains_grad &&
            PyErr_WarnEx(PyExc_UserWarning,
                         "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its "
                         ".grad attribute "
                         "won't be populated during autograd.backward(). If you indeed want the .grad field "
                         "to be populated "
                         "for a non-leaf Tensor, use .retain_grad() on the non-leaf Tensor. If you access "
                         "the non-leaf Tensor "
                         "by mistake, make sure you access the leaf Tensor instead. See "
                         "github.com/pytorch/pytorch/pull/30531 "
                         "for more informations.",
                         1) != 0) {
            throw PythonError();
        }
        Py_RETURN_NONE;
    });
}
int set_grad(PyObject* self, PyObject* value, void*) {
    return guarded_status([&] {
        const Tensor tensor = tensor_of(self);
        if (value == nullptr || value == Py_None) {
            if (Variable* const state = variable(tensor)) state->grad = Tensor();
            return;
        }
        check<TypeError>(is_tensor(value),
                         "assigned grad expected to be a Tensor or None but got grad of type ",
                         Py_TYPE(value)->tp_name);
        check(value != self, "can't assign Variable as its own grad");
        const Tensor grad = tensor_of(value);
        check(grad.dtype() == tensor.dtype(), "attempting to assign a gradient with dtype '",
              info(grad.dtype()).name, "' to a tensor with grad_dtype '", info(tensor.dtype()).name,
              "'. The gradient must match the tensor's grad_dtype (defaults to the tensor's dtype). You can "
              "set the "
              "tensor's grad_dtype attribute with a specific dtype, or None to allow any dtype. Set "
              "grad_dtype with "
              "caution. Diverging the dtypes of a tensor and its gradient may break downstream systems that "
              "assume that they "
              "match.");
        check(grad.device().type == tensor.device().type,
              "assigned grad has data located on a different device");
        check(grad.sizes() == tensor.sizes(), "attempting to assign a gradient of size '",
              to_string(grad.sizes()), "' to a tensor of size '", to_string(tensor.sizes()),
              "'. Please ensure that the gradient and the tensor are the same size");
        make_variable(tensor).grad = grad;
        track(self);
    });
}
PyObject* get_grad_fn(PyObject* self, void*) {
    return property(self, [](const Tensor& tensor) { return node_object(grad_fn(tensor).get()); });
}
PyObject* get_is_leaf(PyObject* self, void*) {
    return property(self, [](const Tensor& tensor) { return PyBool_FromLong(is_leaf(tensor)); });
}
PyObject* get_retains_grad(PyObject* self, void*) {
    return property(self, [](const Tensor& tensor) {
        const Variable* const state = variable(tensor);
        return PyBool_FromLong(state != nullptr && state->retains_grad);
    });
}
PyObject* get_output_number(PyObject* self, void*) {
    return property(self, [](const Tensor& tensor) {
        return PyLong_FromLong(grad_fn(tensor) ? static_cast<long>(variable(tensor)->output_index) : 0);
    });
}
PyObject* get_data(PyObject* self, void*) {
    return property(self, [](const Tensor& tensor) { return to_python(detached_data(tensor)); });
}
int set_data(PyObject* self, PyObject* value, void*) {
    return guarded_status([&] {
        check<TypeError>(value != nullptr && is_tensor(value), "Variable data has to be a tensor, but got ",
                         value == nullptr ? "nothing" : Py_TYPE(value)->tp_name);
        const Tensor target = tensor_of(self);
        const Tensor source = tensor_of(value);
        if (requires_grad(target)) {
            check(is_differentiable(source.dtype()),
                  "data set to a tensor that requires gradients must be floating point or "
                  "complex dtype");
        }
        share_memory(target, source);
        if (const Variable* const state = variable(target);
            state != nullptr && state->accumulator != nullptr) {
            state->accumulator->outputs[0] = {target.sizes(), target.dtype(), target.device()};
        }
    });
}
PyObject* get_base(PyObject* self, void*) {
    TensorImpl* const base = impl_of(self)->base;
    return Py_NewRef(base == nullptr ? Py_None : reinterpret_cast<PyObject*>(base));
}
PyObject* get_version(PyObject* self, void*) {
    return property(self, [](const Tensor& tensor) {
        check(!tensor->inference, "Inference tensors do not track version counter.");
        return PyLong_FromUnsignedLong(tensor.version());
    });
}
PyObject* get_ndim(PyObject* self, void*) {
    return PyLong_FromSize_t(impl_of(self)->sizes.size());
}
PyObject* get_itemsize(PyObject* self, void*) {
    return PyLong_FromLong(item_size(impl_of(self)->dtype));
}
PyObject* get_nbytes(PyObject* self, void*) {
    return PyLong_FromLongLong(impl_of(self)->numel * item_size(impl_of(self)->dtype));
}
PyObject* get_is_cpu(PyObject* self, void*) {
    return PyBool_FromLong(impl_of(self)->device.type == DeviceType::cpu);
}
PyObject* get_is_meta(PyObject* self, void*) {
    return PyBool_FromLong(impl_of(self)->device.type == DeviceType::meta);
}
PyObject* get_false(PyObject*, void*) {
    Py_RETURN_FALSE;
}
PyObject* get_none(PyObject*, void*) {
    Py_RETURN_NONE;
}
// The result of an operator without arguments.
template <Text Name>
PyObject* get_computed(PyObject* self, void*) {
    return unary_slot<Named<Name>>(self);
}

PyGetSetDef properties[] = {
    {"shape", get_shape, nullptr, "The sizes of the dimensions.", nullptr},
    {"dtype", get_dtype, nullptr, "The element type.", nullptr},
    {"device", get_device, nullptr, "Where the memory is.", nullptr},
    {"layout", get_layout, nullptr, "How the memory is laid out: strided.", nullptr},
    {"requires_grad", get_requires_grad, set_requires_grad_property, "Whether gradients flow to this tensor.",
     nullptr},
    {"grad", get_grad, set_grad, "The accumulated gradient, or None.", nullptr},
    {"grad_fn", get_grad_fn, nullptr, "The graph node that made this tensor, or None for a leaf.", nullptr},
    {"is_leaf", get_is_leaf, nullptr, "Whether no recorded operation made this tensor.", nullptr},
    {"retains_grad", get_retains_grad, nullptr, "Whether a non-leaf keeps its gradient.", nullptr},
    {"output_nr", get_output_number, nullptr, "Which output of grad_fn this tensor is.", nullptr},
    {"data", get_data, set_data, "The same memory off the graph, with a version count of its own.", nullptr},
    {"_base", get_base, nullptr, "The tensor that this one is a view of, or None.", nullptr},
    {"_version", get_version, nullptr, "How often the memory has been written in place.", nullptr},
    {"ndim", get_ndim, nullptr, "The number of dimensions.", nullptr},
    {"itemsize", get_itemsize, nullptr, "Bytes per element.", nullptr},
    {"nbytes", get_nbytes, nullptr, "Bytes of all elements.", nullptr},
    {"is_cpu", get_is_cpu, nullptr, "Whether the memory is the processor's.", nullptr},
    {"is_meta", get_is_meta, nullptr, "Whether there is a shape but no memory.", nullptr},
    {"is_cuda", get_false, nullptr, "Always False.", nullptr},
    {"is_sparse", get_false, nullptr, "Always False.", nullptr},
    {"is_sparse_csr", get_false, nullptr, "Always False.", nullptr},
    {"is_quantized", get_false, nullptr, "Always False.", nullptr},
    {"is_nested", get_false, nullptr, "Always False.", nullptr},
    {"is_mkldnn", get_false, nullptr, "Always False.", nullptr},
    {"is_xpu", get_false, nullptr, "Always False.", nullptr},
    {"is_mps", get_false, nullptr, "Always False.", nullptr},
    {"name", get_none, nullptr, "Always None.", nullptr},
    {"T", get_computed<"numpy_T">, nullptr, "The dimensions reversed.", nullptr},
    {"mT", get_computed<"mT">, nullptr, "The last two dimensions exchanged.", nullptr},
    {"H", get_computed<"matrix_H">, nullptr, "The conjugate transpose of a matrix.", nullptr},
    {"mH", get_computed<"mH">, nullptr, "The conjugate, with the last two dimensions exchanged.", nullptr},
    {"real", get_computed<"real">, nullptr, "The real part, a view.", nullptr},
    {"imag", get_computed<"imag">, nullptr, "The imaginary part, a view.", nullptr},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

// Methods

// The argument of a method that takes at most one, by position or by name; null where none is given.
PyObject* only_argument(const char* method, const char* name, PyObject* const* arguments, Py_ssize_t count,
                        PyObject* keywords) {
    const Py_ssize_t named = keywords == nullptr ? 0 : PyTuple_GET_SIZE(keywords);
    check<TypeError>(count + named <= 1, method, "() takes at most 1 argument (", count + named, " given)");
    if (named == 1) {
        PyObject* const keyword = PyTuple_GET_ITEM(keywords, 0);
        check<TypeError>(PyUnicode_CompareWithASCIIString(keyword, name) == 0, "'", PyUnicode_AsUTF8(keyword),
                         "' is an invalid keyword argument for ", method, "()");
    }
    return count + named == 1 ? arguments[0] : nullptr;
}

PyObject* tensor_size(PyObject* self, PyObject* const* arguments, Py_ssize_t count, PyObject* keywords) {
    return guarded([&]() -> PyObject* {
        PyObject* const dim = only_argument("size", "dim", arguments, count, keywords);
        if (dim == nullptr || dim == Py_None) return get_shape(self, nullptr);
        return PyLong_FromLongLong(tensor_of(self).size(from_python<int64_t>(dim)));
    });
}
PyObject* tensor_stride(PyObject* self, PyObject* const* arguments, Py_ssize_t count, PyObject* keywords) {
    return guarded([&]() -> PyObject* {
        PyObject* const dim = only_argument("stride", "dim", arguments, count, keywords);
        if (dim != nullptr && dim != Py_None)
            return PyLong_FromLongLong(tensor_of(self).stride(from_python<int64_t>(dim)));
        const Dims& strides = impl_of(self)->strides;
        Object tuple = Object::check(PyTuple_New(static_cast<Py_ssize_t>(strides.size())));
        for (size_t i = 0; i < strides.size(); ++i) {
            PyTuple_SET_ITEM(tuple.get(), static_cast<Py_ssize_t>(i), PyLong_FromLongLong(strides[i]));
        }
        return tuple.release();
    });
}
PyObject* tensor_storage_offset(PyObject* self, PyObject*) {
    return PyLong_FromLongLong(impl_of(self)->offset);
}
PyObject* tensor_dim(PyObject* self, PyObject*) {
    return get_ndim(self, nullptr);
}
PyObject* tensor_numel(PyObject* self, PyObject*) {
    return PyLong_FromLongLong(impl_of(self)->numel);
}
PyObject* tensor_element_size(PyObject* self, PyObject*) {
    return get_itemsize(self, nullptr);
}
PyObject* tensor_data_ptr(PyObject* self, PyObject*) {
    return property(self, [](const Tensor& tensor) {
        tensor.storage().address();  // now known outside
        return PyLong_FromVoidPtr(tensor.numel() == 0 ? nullptr : tensor.raw_data());
    });
}
PyObject* tensor_is_contiguous(PyObject* self, PyObject* const* arguments, Py_ssize_t count,
                               PyObject* keywords) {
    return guarded([&] {
        PyObject* const format = only_argument("is_contiguous", "memory_format", arguments, count, keywords);
        return PyBool_FromLong(format == nullptr
                                   ? impl_of(self)->contiguous
                                   : tensor_of(self).is_contiguous(from_python<MemoryFormat>(format)));
    });
}
// The operator of the same name, but for what is contiguous already.
PyObject* tensor_contiguous(PyObject* self, PyObject* const* arguments, Py_ssize_t count,
                            PyObject* keywords) {
    if (Py_TYPE(self) == &tensor_type && count == 0 && keywords == nullptr && impl_of(self)->contiguous)
        return Py_NewRef(self);
    return guarded([&] {
        static const Callable& callable = *find_callable("contiguous");
        InlineVector<PyObject*, 4> all;
        all.push_back(self);
        all.append(arguments, arguments + count + (keywords == nullptr ? 0 : PyTuple_GET_SIZE(keywords)));
        return call_operator(callable, all.data(), count + 1, keywords, true);
    });
}
PyObject* tensor_is_floating_point(PyObject* self, PyObject*) {
    return PyBool_FromLong(is_floating(impl_of(self)->dtype));
}
PyObject* tensor_is_complex(PyObject* self, PyObject*) {
    return PyBool_FromLong(is_complex(impl_of(self)->dtype));
}
PyObject* tensor_is_signed(PyObject* self, PyObject*) {
    return PyBool_FromLong(impl_of(self)->dtype != DType::boolean && impl_of(self)->dtype != DType::uint8);
}
PyObject* tensor_is_inference(PyObject* self, PyObject*) {
    return PyBool_FromLong(impl_of(self)->inference);
}
PyObject* tensor_is_conj(PyObject*, PyObject*) {
    Py_RETURN_FALSE;
}
PyObject* tensor_is_view(PyObject* self, PyObject*) {
    return PyBool_FromLong(impl_of(self)->base != nullptr);
}
PyObject* tensor_item(PyObject* self, PyObject*) {
    return guarded([&] { return to_python(tensor_of(self).item()); });
}
PyObject* tensor_requires_grad_(PyObject* self, PyObject* const* arguments, Py_ssize_t count,
                                PyObject* keywords) {
    return guarded([&] {
        PyObject* const given = only_argument("requires_grad_", "requires_grad", arguments, count, keywords);
        const int wanted = given == nullptr ? 1 : PyObject_IsTrue(given);
        check_status(wanted);
        check(wanted == 0 || is_differentiable(impl_of(self)->dtype),
              "only Tensors of floating point dtype can require gradients");
        set_requires_grad(tensor_of(self), wanted != 0);
        return Py_NewRef(self);
    });
}
PyObject* tensor_retain_grad(PyObject* self, PyObject*) {
    return guarded([&]() -> PyObject* {
        retain_grad(tensor_of(self));
        Py_RETURN_NONE;
    });
}
// The hooks on a tensor's gradient: a leaf keeps its own, others leave theirs with the node that made them.
std::vector<NodeHooks::Entry>& gradient_hooks(const Tensor& tensor) {
    const Ref<Node> node = grad_fn(tensor);
    if (!node) return make_variable(tensor).hooks;
    auto& by_output = node->make_hooks().tensor;
    const uint32_t index = variable(tensor)->output_index;
    for (auto& [output, hooks] : by_output) {
        if (output == index) return hooks;
    }
    by_output.push_back({index, {}});
    return by_output.back().second;
}
PyObject* tensor_add_gradient_hook(PyObject* self, PyObject* hook) {
    return guarded([&] {
        track(self);
        return PyLong_FromLongLong(add_hook(gradient_hooks(tensor_of(self)), hook));
    });
}
PyObject* tensor_remove_gradient_hook(PyObject* self, PyObject* id) {
    return guarded([&]() -> PyObject* {
        remove_hook(gradient_hooks(tensor_of(self)), from_python<int64_t>(id));
        Py_RETURN_NONE;
    });
}
PyObject* tensor_add_post_accumulate_hook(PyObject* self, PyObject* hook) {
    return guarded([&] {
        track(self);
        return PyLong_FromLongLong(add_hook(make_variable(tensor_of(self)).post_accumulate_hooks, hook));
    });
}
PyObject* tensor_remove_post_accumulate_hook(PyObject* self, PyObject* id) {
    return guarded([&]() -> PyObject* {
        remove_hook(make_variable(tensor_of(self)).post_accumulate_hooks, from_python<int64_t>(id));
        Py_RETURN_NONE;
    });
}
// A new object of a subclass on the same memory and at the same place on the graph.
PyObject* tensor_as_subclass(PyObject* self, PyObject* type) {
    return guarded([&]() -> PyObject* {
        check<TypeError>(
            PyType_Check(type) && PyType_IsSubtype(reinterpret_cast<PyTypeObject*>(type), &tensor_type),
            "as_subclass(): argument 'cls' must be a subclass of Tensor");
        const Tensor source = tensor_of(self);
        Tensor target = with_class(reinterpret_cast<PyTypeObject*>(type), source);
        mark_view(source, target);
        record("AliasBackward0", {source}, TensorSpan(&target, 1),
               [] { return [](const Tensor& grad) -> Gradients { return {grad}; }; });
        return target.release();
    });
}
// Tensor._make_subclass(cls, data, requires_grad=False): a leaf of a subclass on the memory of `data`.
PyObject* tensor_make_subclass(PyObject*, PyObject* arguments) {
    PyObject *type, *data;
    int wanted = 0;
    if (!PyArg_ParseTuple(arguments, "OO|p", &type, &data, &wanted)) return nullptr;
    return guarded([&]() -> PyObject* {
        check<TypeError>(is_tensor(data), "_make_subclass(): argument 'data' must be Tensor, not ",
                         Py_TYPE(data)->tp_name);
        check<TypeError>(
            PyType_Check(type) && PyType_IsSubtype(reinterpret_cast<PyTypeObject*>(type), &tensor_type),
            "_make_subclass(): argument 'cls' must be a subclass of Tensor");
        Tensor target = with_class(reinterpret_cast<PyTypeObject*>(type), detach(tensor_of(data)));
        set_requires_grad(target, wanted != 0);
        return target.release();
    });
}

PyMethodDef methods[] = {
    {"size", as_method(tensor_size), METH_FASTCALL | METH_KEYWORDS,
     "The sizes, or the size of one dimension."},
    {"stride", as_method(tensor_stride), METH_FASTCALL | METH_KEYWORDS,
     "The strides in elements, or one of them."},
    {"storage_offset", tensor_storage_offset, METH_NOARGS,
     "Where the first element is in the storage, in elements."},
    {"dim", tensor_dim, METH_NOARGS, "The number of dimensions."},
    {"ndimension", tensor_dim, METH_NOARGS, "The number of dimensions."},
    {"numel", tensor_numel, METH_NOARGS, "The number of elements."},
    {"nelement", tensor_numel, METH_NOARGS, "The number of elements."},
    {"element_size", tensor_element_size, METH_NOARGS, "Bytes per element."},
    {"data_ptr", tensor_data_ptr, METH_NOARGS, "The address of the first element."},
    {"is_contiguous", as_method(tensor_is_contiguous), METH_FASTCALL | METH_KEYWORDS,
     "Whether elements lie in memory in the order of their indices."},
    {"contiguous", as_method(tensor_contiguous), METH_FASTCALL | METH_KEYWORDS,
     "contiguous(*, memory_format=None)\n\nThe same values one after the other in memory: self where they "
     "are."},
    {"is_floating_point", tensor_is_floating_point, METH_NOARGS,
     "Whether the dtype is a floating-point type."},
    {"is_complex", tensor_is_complex, METH_NOARGS, "Whether the dtype is complex."},
    {"is_signed", tensor_is_signed, METH_NOARGS, "Whether the dtype has negative numbers."},
    {"is_inference", tensor_is_inference, METH_NOARGS, "Whether this was made in inference mode."},
    {"is_conj", tensor_is_conj, METH_NOARGS, "False: conjugates are computed at once."},
    {"is_neg", tensor_is_conj, METH_NOARGS, "False: negatives are computed at once."},
    {"_is_view", tensor_is_view, METH_NOARGS, "Whether this is a view of another tensor."},
    {"item", tensor_item, METH_NOARGS, "The one element as a Python number."},
    {"requires_grad_", as_method(tensor_requires_grad_), METH_FASTCALL | METH_KEYWORDS,
     "Sets whether gradients flow to this tensor, in place."},
    {"retain_grad", tensor_retain_grad, METH_NOARGS, "Keeps the gradient of a non-leaf in .grad."},
    {"_add_gradient_hook", tensor_add_gradient_hook, METH_O, "Adds a hook; returns its id."},
    {"_remove_gradient_hook", tensor_remove_gradient_hook, METH_O, "Removes the hook of an id."},
    {"_add_post_accumulate_hook", tensor_add_post_accumulate_hook, METH_O, "Adds a hook; returns its id."},
    {"_remove_post_accumulate_hook", tensor_remove_post_accumulate_hook, METH_O,
     "Removes the hook of an id."},
    {"as_subclass", tensor_as_subclass, METH_O, "This tensor as an object of a subclass."},
    {"_make_subclass", tensor_make_subclass, METH_VARARGS | METH_STATIC,
     "A leaf of a subclass on given memory."},
    {"__complex__", tensor_complex, METH_NOARGS, "The one element as a complex number."},
    {nullptr, nullptr, 0, nullptr},
};

PyTypeObject make_tensor_type() {
    PyTypeObject type = {PyVarObject_HEAD_INIT(nullptr, 0)};
    type.tp_name = "rushlight.Tensor";
    type.tp_doc = "An array of numbers of one type, on the graph of the computation that made it.";
    type.tp_basicsize = sizeof(TensorImpl);
    type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC;
    type.tp_new = tensor_new;
    type.tp_dealloc = tensor_dealloc;
    type.tp_traverse = tensor_traverse;
    type.tp_clear = tensor_clear;
    type.tp_setattro = tensor_setattro;
    type.tp_free = PyObject_GC_Del;
    type.tp_as_number = &number_methods;
    type.tp_as_mapping = &mapping_methods;
    type.tp_as_buffer = &tensor_as_buffer;
    type.tp_richcompare = tensor_richcompare;
    type.tp_hash = tensor_hash;
    type.tp_getset = properties;
    type.tp_methods = methods;
    type.tp_dictoffset = offsetof(TensorImpl, attributes);
    type.tp_weaklistoffset = offsetof(TensorImpl, weak_references);
    return type;
}

}  // namespace

PyTypeObject tensor_type = make_tensor_type();

void add_tensor_type(PyObject* module) {
    check_status(PyType_Ready(&tensor_type));
#ifdef Py_TPFLAGS_IMMUTABLETYPE
    tensor_type.tp_flags &=
        ~Py_TPFLAGS_IMMUTABLETYPE;  // the Python half of the class is added by the package
#endif
    for (PyMethodDef* const table : {interchange_methods, construction_methods}) {
        for (PyMethodDef* method = table; method->ml_name != nullptr; ++method) {
            const Object descriptor = Object::check(PyDescr_NewMethod(&tensor_type, method));
            check_status(PyDict_SetItemString(tensor_type.tp_dict, method->ml_name, descriptor.get()));
        }
    }
    check_status(PyModule_AddObjectRef(module, "Tensor", reinterpret_cast<PyObject*>(&tensor_type)));
}

}  // namespace rl
