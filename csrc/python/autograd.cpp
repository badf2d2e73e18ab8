// Autograd seen from Python: nodes, the engine, custom functions, modes.
#include <map>

#include "autograd/engine.h"
#include "autograd/operators.h"
#include "autograd/record.h"
#include "core/object.h"
#include "ops/boxing.h"
#include "python/arguments.h"
#include "python/errors.h"
#include "python/tensor_type.h"

namespace rl {
namespace {

// The Python object of a node. Its class is named as the node is, and made on demand.
struct NodeObject {
    PyObject ob_base;
    Ref<Node> node;
};

Node& node_of(PyObject* object) {
    return *reinterpret_cast<NodeObject*>(object)->node;
}

void node_dealloc(PyObject* self) {
    auto* const object = reinterpret_cast<NodeObject*>(self);
    PyTypeObject* const type = Py_TYPE(self);
    if (object->node->python_object == self) object->node->python_object = nullptr;
    std::destroy_at(&object->node);
    type->tp_free(self);
    if ((type->tp_flags & Py_TPFLAGS_HEAPTYPE) != 0) Py_DECREF(type);
}

// The name as PyTorch gives it, which differs from the class's where the node is the engine's own.
PyObject* node_name(PyObject* self, PyObject*) {
    const std::string name = node_of(self).name();
    const bool own = name == "AccumulateGrad" || name == "CopySlices";
    return PyUnicode_FromString((own ? "torch::autograd::" + name : name).c_str());
}
PyObject* node_next_functions(PyObject* self, void*) {
    return guarded([&]() -> PyObject* {
        const Node& node = node_of(self);
        const Object result = Object::check(PyTuple_New(static_cast<Py_ssize_t>(node.edges.size())));
        for (size_t i = 0; i < node.edges.size(); ++i) {
            const Object target = Object::check(node_object(node.edges[i].node.get()));
            PyTuple_SET_ITEM(result.get(), static_cast<Py_ssize_t>(i),
                             Py_BuildValue("OI", target.get(), node.edges[i].index));
        }
        return Py_NewRef(result.get());
    });
}
PyObject* node_variable(PyObject* self, void*) {
    PyObject* const leaf = node_of(self).variable();
    if (leaf == nullptr) {
        PyErr_Format(PyExc_AttributeError, "'%s' object has no attribute 'variable'", Py_TYPE(self)->tp_name);
        return nullptr;
    }
    return Py_NewRef(leaf);
}
PyObject* node_sequence(PyObject* self, PyObject*) {
    return PyLong_FromUnsignedLongLong(node_of(self).sequence);
}
PyObject* node_add_hook(PyObject* self, PyObject* hook) {
    return guarded([&] { return PyLong_FromLongLong(add_hook(node_of(self).make_hooks().after, hook)); });
}
PyObject* node_add_prehook(PyObject* self, PyObject* hook) {
    return guarded([&] { return PyLong_FromLongLong(add_hook(node_of(self).make_hooks().before, hook)); });
}
PyObject* node_remove_hook(PyObject* self, PyObject* id) {
    return guarded([&]() -> PyObject* {
        const int64_t number = from_python<int64_t>(id);
        remove_hook(node_of(self).make_hooks().after, number);
        remove_hook(node_of(self).make_hooks().before, number);
        Py_RETURN_NONE;
    });
}
Py_hash_t node_hash(PyObject* self) {
    return static_cast<Py_hash_t>(reinterpret_cast<uintptr_t>(&node_of(self)) >> 4);
}
PyObject* node_compare(PyObject* a, PyObject* b, int operation) {
    const bool nodes =
        Py_TYPE(b)->tp_dealloc == node_dealloc || Py_TYPE(a)->tp_richcompare == Py_TYPE(b)->tp_richcompare;
    if (!nodes || (operation != Py_EQ && operation != Py_NE)) Py_RETURN_NOTIMPLEMENTED;
    return PyBool_FromLong((&node_of(a) == &node_of(b)) == (operation == Py_EQ));
}
PyObject* node_repr(PyObject* self) {
    return PyUnicode_FromFormat("<%s object at %p>", node_of(self).name().c_str(), self);
}

PyMethodDef node_methods[] = {
    {"name", node_name, METH_NOARGS, "The name of the operation whose gradient this node computes."},
    {"_sequence_nr", node_sequence, METH_NOARGS, "The order in which nodes were made."},
    {"_add_hook", node_add_hook, METH_O, "Adds hook(grad_inputs, grad_outputs); returns its id."},
    {"_add_prehook", node_add_prehook, METH_O, "Adds hook(grad_outputs); returns its id."},
    {"_remove_hook", node_remove_hook, METH_O, "Removes the hook of an id."},
    {nullptr, nullptr, 0, nullptr},
};
PyGetSetDef node_properties[] = {
    {"next_functions", node_next_functions, nullptr,
     "The nodes that this node's results go to, with the input number.", nullptr},
    {"variable", node_variable, nullptr, "The leaf that an AccumulateGrad node accumulates into.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyTypeObject node_type = [] {
    PyTypeObject type = {PyVarObject_HEAD_INIT(nullptr, 0)};
    type.tp_name = "rushlight._C.Node";
    type.tp_doc = "A node of the graph of a computation.";
    type.tp_basicsize = sizeof(NodeObject);
    type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE;
    type.tp_dealloc = node_dealloc;
    type.tp_repr = node_repr;
    type.tp_hash = node_hash;
    type.tp_richcompare = node_compare;
    type.tp_methods = node_methods;
    type.tp_getset = node_properties;
    return type;
}();

PyTypeObject* named_node_type(const std::string& name) {
    static std::map<std::string, PyTypeObject*>& types =
        *std::make_unique<std::map<std::string, PyTypeObject*>>().release();
    PyTypeObject*& type = types[name];
    if (type == nullptr) {
        PyType_Slot slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(node_dealloc)}, {0, nullptr}};
        const std::string* const full_name = std::make_unique<std::string>("rushlight." + name).release();
        PyType_Spec spec{full_name->c_str(), sizeof(NodeObject), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
                         slots};
        const Object bases = Object::check(PyTuple_Pack(1, &node_type));
        type = reinterpret_cast<PyTypeObject*>(
            Object::check(PyType_FromSpecWithBases(&spec, bases.get())).release());
    }
    return type;
}

// Custom functions

// A node whose gradient is the static method `backward` of a Python class.
class PythonFunctionNode final : public Node {
  public:
    PythonFunctionNode(PyObject* context, std::string name, bool materialize)
        : context_(Object::borrow(context)), name_(std::move(name)), materialize_(materialize) {}
    std::string name() const override { return name_; }

    void save(PyObject* tensors) {
        const detail::Recording recording(this);
        for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tensors); ++i) {
            PyObject* const item = PyTuple_GET_ITEM(tensors, i);
            saved_.push_back(item == Py_None ? Saved() : Saved(Tensor::borrow(item)));
        }
    }

    Gradients apply(Gradients gradients) override {
        if (released_) raise_released();
        expose_saved();
        const Object arguments = Object::check(PyTuple_New(static_cast<Py_ssize_t>(gradients.size())));
        for (size_t i = 0; i < gradients.size(); ++i) {
            Tensor gradient = gradients[i];
            if (!gradient.defined() && materialize_) {
                gradient = autograd_operators.zeros(outputs[i].sizes, {outputs[i].dtype, outputs[i].device});
            }
            PyTuple_SET_ITEM(arguments.get(), static_cast<Py_ssize_t>(i), to_python(gradient));
        }
        const Object method = Object::check(PyObject_GetAttrString(context_.get(), "_backward"));
        const Object result = Object::check(PyObject_CallObject(method.get(), arguments.get()));
        check_status(PyObject_SetAttrString(context_.get(), "_unpacked", Py_None));
        return read_result(result.get());
    }

    void release_saved() override {
        if (saved_.empty()) return;
        released_ = true;
        saved_.clear();
    }

  private:
    void expose_saved() const {
        const Object tuple = Object::check(PyTuple_New(static_cast<Py_ssize_t>(saved_.size())));
        for (size_t i = 0; i < saved_.size(); ++i) {
            PyTuple_SET_ITEM(tuple.get(), static_cast<Py_ssize_t>(i), to_python(saved_[i].get()));
        }
        check_status(PyObject_SetAttrString(context_.get(), "_unpacked", tuple.get()));
    }

    Gradients read_result(PyObject* result) const {
        const bool several = PyTuple_Check(result);
        const size_t count = several ? static_cast<size_t>(PyTuple_GET_SIZE(result)) : 1;
        Gradients gradients(edges.size());
        for (size_t i = 0; i < count; ++i) {
            PyObject* const item = several ? PyTuple_GET_ITEM(result, static_cast<Py_ssize_t>(i)) : result;
            check(i < edges.size() || item == Py_None, "function ", name_,
                  " returned an incorrect number of gradients (expected ", edges.size(), ", got ", count,
                  ")");
            if (item == Py_None) continue;
            check<TypeError>(is_tensor(item), "expected Variable or None (got ", Py_TYPE(item)->tp_name, ")");
            check(edges[i].is_valid() || i < edges.size(), "function ", name_,
                  " returned a gradient different from None at position ", i + 1,
                  ", but the corresponding forward input was not a Variable");
            gradients[i] = Tensor::borrow(item);
        }
        check(count >= edges.size(), "function ", name_,
              " returned an incorrect number of gradients (expected ", edges.size(), ", got ", count, ")");
        return gradients;
    }

    Object context_;
    std::string name_;
    bool materialize_;
    bool released_ = false;
    std::vector<Saved> saved_;
};

bool contains(PyObject* tuple, PyObject* object) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tuple); ++i) {
        if (PyTuple_GET_ITEM(tuple, i) == object) return true;
    }
    return false;
}

// _record_function(ctx, name, inputs, outputs, saved, dirty, non_differentiable, materialize) -> outputs:
// puts the outputs on the graph. Inputs are tensors or None, one for each argument of the forward.
PyObject* record_function(PyObject*, PyObject* arguments) {
    PyObject *context, *inputs, *outputs, *saved, *dirty, *plain;
    const char* name;
    int materialize;
    if (!PyArg_ParseTuple(arguments, "OsO!O!O!O!O!p", &context, &name, &PyTuple_Type, &inputs, &PyTuple_Type,
                          &outputs, &PyTuple_Type, &saved, &PyTuple_Type, &dirty, &PyTuple_Type, &plain,
                          &materialize)) {
        return nullptr;
    }
    return guarded([&]() -> PyObject* {
        auto* const function = new PythonFunctionNode(context, name, materialize != 0);
        const Ref<Node> node(function);
        for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(inputs); ++i) {
            PyObject* const item = PyTuple_GET_ITEM(inputs, i);
            node->edges.push_back(item == Py_None ? Edge{} : gradient_edge(Tensor::borrow(item)));
        }
        const Object results = Object::check(PyTuple_New(PyTuple_GET_SIZE(outputs)));
        for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(outputs); ++i) {
            PyObject* const item = PyTuple_GET_ITEM(outputs, i);
            Tensor output = Tensor::borrow(item);
            const bool written = contains(dirty, item);
            if (written) {
                check_writable(output, true);
            } else if (contains(inputs, item)) {
                output = alias(output);
            }
            if (contains(plain, item)) {
                node->outputs.push_back({output.sizes(), output.dtype(), output.device()});
            } else if (written && output->base != nullptr) {
                const Tensor result = alias(output);
                attach_output(node, result);
                rebase_history(output, result);
            } else {
                attach_output(node, output);
            }
            PyTuple_SET_ITEM(results.get(), i, to_python(output));
        }
        Object to_save = Object::borrow(saved);
        function->save(to_save.get());
        return Py_NewRef(results.get());
    });
}

// The engine

TensorList tensors_of(PyObject* sequence) {
    const Object fast = Object::check(PySequence_Fast(sequence, "expected a sequence of tensors"));
    TensorList tensors;
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(fast.get()); ++i) {
        PyObject* const item = PySequence_Fast_ITEMS(fast.get())[i];
        if (item == Py_None) {
            tensors.emplace_back();
        } else {
            check<TypeError>(is_tensor(item), "element ", i, " of gradients tuple is not a Tensor or None");
            tensors.push_back(Tensor::borrow(item));
        }
    }
    return tensors;
}

PyObject* backward(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
    return guarded([&]() -> PyObject* {
        check<TypeError>(count == 7, "_backward takes 7 arguments");
        const TensorList roots = tensors_of(arguments[0]);
        const TensorList gradients = tensors_of(arguments[1]);
        const TensorList inputs = tensors_of(arguments[2]);
        const BackwardOptions options{.retain_graph = PyObject_IsTrue(arguments[3]) == 1,
                                      .create_graph = PyObject_IsTrue(arguments[4]) == 1,
                                      .accumulate = PyObject_IsTrue(arguments[5]) == 1,
                                      .allow_unused = PyObject_IsTrue(arguments[6]) == 1};
        return to_python(run_backward(roots, gradients, inputs, options));
    });
}

// Modes

template <bool AutogradMode::* Flag>
PyObject* get_mode(PyObject*, PyObject*) {
    return PyBool_FromLong(autograd_mode.*Flag);
}
template <bool AutogradMode::* Flag>
PyObject* set_mode(PyObject*, PyObject* value) {
    const int wanted = PyObject_IsTrue(value);
    if (wanted < 0) return nullptr;
    return PyBool_FromLong(std::exchange(autograd_mode.*Flag, wanted != 0));
}

// The context managers no_grad and enable_grad, which are entered too often to be Python. Called with a
// function they decorate it.
struct GradMode {
    PyObject ob_base;
    bool previous;
};

PyObject* grad_mode_new(PyTypeObject* type, PyObject* arguments, PyObject* keywords) {
    PyObject* function = nullptr;
    static const char* const names[] = {"function", nullptr};
    const bool given = PyTuple_GET_SIZE(arguments) > 0 || keywords != nullptr;
    if (given &&
        !PyArg_ParseTupleAndKeywords(arguments, keywords, "|O", const_cast<char**>(names), &function)) {
        return nullptr;
    }
    PyObject* const mode = type->tp_alloc(type, 0);
    if (mode == nullptr || function == nullptr || !PyCallable_Check(function)) return mode;
    PyObject* const decorated = PyObject_CallOneArg(mode, function);
    Py_DECREF(mode);
    return decorated;
}

template <bool Enabled>
PyObject* grad_mode_enter(PyObject* self, PyObject*) {
    reinterpret_cast<GradMode*>(self)->previous = std::exchange(autograd_mode.gradients, Enabled);
    return Py_NewRef(Py_None);
}
PyObject* grad_mode_exit(PyObject* self, PyObject* const*, Py_ssize_t) {
    autograd_mode.gradients = reinterpret_cast<GradMode*>(self)->previous;
    return Py_NewRef(Py_None);
}

template <bool Enabled>
PyMethodDef grad_mode_methods[] = {
    {"__enter__", grad_mode_enter<Enabled>, METH_NOARGS, nullptr},
    {"__exit__", as_method(grad_mode_exit), METH_FASTCALL, nullptr},
    {},
};

template <bool Enabled>
PyTypeObject make_grad_mode_type(const char* name) {
    PyTypeObject type = {PyVarObject_HEAD_INIT(nullptr, 0)};
    type.tp_name = name;
    type.tp_basicsize = sizeof(GradMode);
    type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE;
    type.tp_new = grad_mode_new;
    type.tp_methods = grad_mode_methods<Enabled>;
    return type;
}
PyTypeObject no_grad_type = make_grad_mode_type<false>("rushlight._C._NoGrad");
PyTypeObject enable_grad_type = make_grad_mode_type<true>("rushlight._C._EnableGrad");

PyMethodDef functions[] = {
    {"_record_function", record_function, METH_VARARGS,
     "Puts the outputs of a custom function on the graph."},
    {"_backward", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(backward)), METH_FASTCALL,
     "Runs the graph backward."},
    {"is_grad_enabled", get_mode<&AutogradMode::gradients>, METH_NOARGS, "Whether operations are recorded."},
    {"_set_grad_enabled", set_mode<&AutogradMode::gradients>, METH_O, "Returns what it was."},
    {"is_inference_mode_enabled", get_mode<&AutogradMode::inference>, METH_NOARGS,
     "Whether inference mode is on."},
    {"_set_inference_mode", set_mode<&AutogradMode::inference>, METH_O, "Returns what it was."},
    {"is_anomaly_enabled", get_mode<&AutogradMode::anomaly>, METH_NOARGS, "Whether anomaly detection is on."},
    {"_set_anomaly_enabled", set_mode<&AutogradMode::anomaly>, METH_O, "Returns what it was."},
    {"is_anomaly_check_nan_enabled", get_mode<&AutogradMode::anomaly_check_nan>, METH_NOARGS,
     "Whether anomaly detection looks for NaN."},
    {"_set_anomaly_check_nan", set_mode<&AutogradMode::anomaly_check_nan>, METH_O, "Returns what it was."},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

PyObject* node_object(const void* opaque) {
    auto* const node = static_cast<Node*>(const_cast<void*>(opaque));
    if (node == nullptr) Py_RETURN_NONE;
    if (node->python_object != nullptr) return Py_NewRef(node->python_object);
    PyTypeObject* const type = named_node_type(node->name());
    PyObject* const object = type->tp_alloc(type, 0);
    if (object == nullptr) throw PythonError();
    new (&reinterpret_cast<NodeObject*>(object)->node) Ref<Node>(node);
    node->python_object = object;
    return object;
}

void add_autograd(PyObject* module) {
    check_status(PyType_Ready(&node_type));
#ifdef Py_TPFLAGS_IMMUTABLETYPE
    node_type.tp_flags &= ~Py_TPFLAGS_IMMUTABLETYPE;
#endif
    check_status(PyModule_AddObjectRef(module, "Node", reinterpret_cast<PyObject*>(&node_type)));
    check_status(PyModule_AddFunctions(module, functions));
    check_status(PyModule_AddType(module, &no_grad_type));
    check_status(PyModule_AddType(module, &enable_grad_type));
}

}  // namespace rl
