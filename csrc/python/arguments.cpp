// Calling operators from Python.
#include "python/arguments.h"

#include <array>
#include <map>

#include "autograd/record.h"
#include "core/object.h"
#include "ops/pointwise.h"
#include "python/errors.h"
#include "python/torch_function.h"

namespace rl {
namespace {

constexpr int max_arguments = 32;

// Whether an object may stand for a number: Python's, or one that knows how to become one (NumPy's scalars).
bool is_integer_like(PyObject* object) {
    if (PyLong_Check(object)) return !PyBool_Check(object);
    if (is_tensor(object)) {
        const auto* const impl = reinterpret_cast<TensorImpl*>(object);
        return impl->sizes.empty() && is_integral(impl->dtype) &&
               (!impl->autograd || !static_cast<Variable*>(impl->autograd.get())->requires_grad);
    }
    return PyIndex_Check(object) && !PyFloat_Check(object) && !PyBool_Check(object) &&
           !PySequence_Check(object);
}
bool is_number_like(PyObject* object) {
    if (PyFloat_Check(object) || PyLong_Check(object) || PyComplex_Check(object)) return true;
    if (is_tensor(object))
        return reinterpret_cast<TensorImpl*>(object)->numel == 1 &&
               reinterpret_cast<TensorImpl*>(object)->sizes.empty();
    const PyNumberMethods* const number = Py_TYPE(object)->tp_as_number;
    return number != nullptr && (number->nb_float != nullptr || number->nb_index != nullptr) &&
           !PySequence_Check(object);
}
bool is_real_like(PyObject* object) {
    return PyFloat_Check(object) || (is_number_like(object) && !PyComplex_Check(object));
}

template <class Accepts>
bool is_sequence_of(PyObject* object, Accepts&& accepts) {
    if (!PyTuple_Check(object) && !PyList_Check(object)) return false;
    const Py_ssize_t count = PySequence_Fast_GET_SIZE(object);
    PyObject** const items = PySequence_Fast_ITEMS(object);
    for (Py_ssize_t i = 0; i < count; ++i) {
        if (!accepts(items[i])) return false;
    }
    return true;
}

bool is_boolean_like(PyObject* object) {
    return PyBool_Check(object) || std::string_view(Py_TYPE(object)->tp_name) == "numpy.bool" ||
           std::string_view(Py_TYPE(object)->tp_name) == "numpy.bool_";
}

bool accepts_other(const Argument& argument, PyObject* object) {
    if (object == Py_None && argument.optional) return true;
    switch (argument.type) {
        case ArgumentType::tensor:
            return is_tensor(object) || has_torch_function(object);
        case ArgumentType::tensor_or_scalar:
            return is_tensor(object) || is_number_like(object) || has_torch_function(object);
        case ArgumentType::tensor_list:
            return is_sequence_of(object, is_tensor);
        case ArgumentType::optional_tensor_list:
            return is_sequence_of(object, [](PyObject* item) { return item == Py_None || is_tensor(item); });
        case ArgumentType::scalar:
            return is_number_like(object);
        case ArgumentType::scalar_list:
            return is_sequence_of(object, is_number_like);
        case ArgumentType::integer:
            return is_integer_like(object);
        case ArgumentType::integer_list:
            return is_sequence_of(object, is_integer_like) ||
                   (argument.list_size > 0 && is_integer_like(object));
        case ArgumentType::floating:
            return is_real_like(object);
        case ArgumentType::floating_list:
            return is_sequence_of(object, is_real_like);
        case ArgumentType::boolean:
            return is_boolean_like(object);
        case ArgumentType::boolean_list:
            return is_sequence_of(object, is_boolean_like) ||
                   (argument.list_size > 0 && is_boolean_like(object));
        case ArgumentType::dtype:
            return Py_TYPE(object) == &dtype_type || object == reinterpret_cast<PyObject*>(&PyFloat_Type) ||
                   object == reinterpret_cast<PyObject*>(&PyLong_Type) ||
                   object == reinterpret_cast<PyObject*>(&PyBool_Type) ||
                   object == reinterpret_cast<PyObject*>(&PyComplex_Type);
        case ArgumentType::layout:
            return Py_TYPE(object) == &layout_type;
        case ArgumentType::device:
            return Py_TYPE(object) == &device_type || PyUnicode_Check(object);
        case ArgumentType::memory_format:
            return Py_TYPE(object) == &memory_format_type;
        case ArgumentType::generator:
            return Py_TYPE(object) == &generator_type;
        case ArgumentType::string:
            return PyUnicode_Check(object);
    }
    return false;
}

// Most arguments are plain tensors where tensors are expected.
bool accepts(const Argument& argument, PyObject* object) {
    const bool takes_tensor =
        argument.type == ArgumentType::tensor || argument.type == ArgumentType::tensor_or_scalar;
    return (takes_tensor && Py_TYPE(object) == &tensor_type) || accepts_other(argument, object);
}

// The arguments of one call, as given.
struct Given {
    PyObject* const* arguments;
    Py_ssize_t count;
    PyObject* names;  // tuple of keyword names, or null
    Py_ssize_t keyword_count() const { return names == nullptr ? 0 : PyTuple_GET_SIZE(names); }
};

// The arguments of one call in the order of a schema, defaults filled in. References are borrowed but for
// `packed`.
struct Bound {
    std::array<PyObject*, max_arguments> values;
    Object packed;  // a tuple made of integers given one by one: view(2, 3)
    PyObject* out = nullptr;
};

enum class Mismatch : uint8_t { none, too_many, wrong_type, unexpected_keyword, given_twice, missing };
struct Failure {
    Mismatch kind = Mismatch::none;
    int argument = 0;  // index in the schema
    int position = 0;  // as counted from one by the caller, 0 for keywords
    PyObject* object = nullptr;
};

// Names that callers use for the argument that schemas call self, and NumPy's names for others.
int find_argument(const Schema& schema, PyObject* name) {
    for (size_t i = 0; i < schema.arguments.size(); ++i) {
        if (name == schema.arguments[i].interned_name) return static_cast<int>(i);
    }
    for (size_t i = 0; i < schema.arguments.size(); ++i) {
        if (PyUnicode_Compare(name, schema.arguments[i].interned_name) == 0) return static_cast<int>(i);
    }
    const auto named = [&](const char* argument) {
        for (size_t i = 0; i < schema.arguments.size(); ++i) {
            if (schema.arguments[i].name == argument) return static_cast<int>(i);
        }
        return -1;
    };
    if (PyUnicode_CompareWithASCIIString(name, "input") == 0) return named("self");
    if (PyUnicode_CompareWithASCIIString(name, "axis") == 0) return named("dim");
    if (PyUnicode_CompareWithASCIIString(name, "keepdims") == 0) return named("keepdim");
    if (PyUnicode_CompareWithASCIIString(name, "x") == 0) return named("self");
    if (PyUnicode_CompareWithASCIIString(name, "x2") == 0) return named("other");
    return -1;
}

// Integers given one by one stand for a list where the list is the only positional argument (besides self).
bool takes_loose_integers(const Schema& schema, const Given& given) {
    const int first = schema.list_position;
    if (first < 0 || given.count <= first) return false;
    const Argument& argument = schema.arguments[first];
    const bool several = given.count - first > 1;
    if (several && schema.positional_count - first > 1 && argument.list_size > 0) return false;
    for (Py_ssize_t i = first; i < given.count; ++i) {
        if (!is_integer_like(given.arguments[i])) return false;
    }
    return several || !accepts(argument, given.arguments[first]);
}

// Places the positional arguments; gives how many arguments of the schema they fill, or -1.
int bind_positional(const Schema& schema, const Given& given, Bound& bound, Failure& failure) {
    const bool loose = takes_loose_integers(schema, given);
    const Py_ssize_t count = loose ? schema.list_position : given.count;
    if (count > schema.positional_count) {
        failure = {Mismatch::too_many, 0, 0, nullptr};
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; ++i) {
        if (!accepts(schema.arguments[i], given.arguments[i])) {
            failure = {Mismatch::wrong_type, static_cast<int>(i), static_cast<int>(i) + 1,
                       given.arguments[i]};
            return -1;
        }
        bound.values[i] = given.arguments[i];
    }
    if (!loose) return static_cast<int>(count);
    bound.packed = Object::check(PyTuple_New(given.count - count));
    for (Py_ssize_t i = count; i < given.count; ++i) {
        PyTuple_SET_ITEM(bound.packed.get(), i - count, Py_NewRef(given.arguments[i]));
    }
    bound.values[count] = bound.packed.get();
    return static_cast<int>(count) + 1;
}

bool bind_keywords(const Callable::Entry& entry, const Given& given, Bound& bound, Failure& failure) {
    const Schema& schema = entry.op->schema;
    for (Py_ssize_t k = 0; k < given.keyword_count(); ++k) {
        PyObject* const name = PyTuple_GET_ITEM(given.names, k);
        PyObject* const value = given.arguments[given.count + k];
        const int index = find_argument(schema, name);
        if (index < 0) {
            const bool takes_out = (entry.op->options.variants & Variant::out) != 0 && !entry.in_place;
            if (takes_out && PyUnicode_CompareWithASCIIString(name, "out") == 0) {
                if (value != Py_None) bound.out = value;
                continue;
            }
            failure = {Mismatch::unexpected_keyword, 0, 0, name};
            return false;
        }
        if (bound.values[index] != nullptr) {
            failure = {Mismatch::given_twice, index, 0, value};
            return false;
        }
        if (!accepts(schema.arguments[index], value)) {
            failure = {Mismatch::wrong_type, index, 0, value};
            return false;
        }
        bound.values[index] = value;
    }
    return true;
}

bool bind(const Callable::Entry& entry, const Given& given, Bound& bound, Failure& failure) {
    const Schema& schema = entry.op->schema;
    const int arity = static_cast<int>(schema.arguments.size());
    const int filled = bind_positional(schema, given, bound, failure);
    if (filled < 0) return false;
    for (int i = filled; i < arity; ++i) bound.values[i] = nullptr;
    if (given.keyword_count() > 0 && !bind_keywords(entry, given, bound, failure)) return false;
    for (int i = filled; i < arity; ++i) {
        if (bound.values[i] != nullptr) continue;
        bound.values[i] = schema.arguments[i].default_value;
        if (bound.values[i] == nullptr) {
            failure = {Mismatch::missing, i, 0, nullptr};
            return false;
        }
    }
    return true;
}

std::string shown_name(const Argument& argument) {
    return argument.name == "self" ? "input" : argument.name;
}

std::string type_name(PyObject* object) {
    if (is_tensor(object) && Py_TYPE(object) == &tensor_type) return "Tensor";
    std::string name = Py_TYPE(object)->tp_name;
    constexpr std::string_view package = "rushlight.";
    return name.starts_with(package) ? name.substr(package.size()) : name;
}

// "list" arguments show the types of their items: "tuple of (Tensor, int)".
std::string given_type(PyObject* object) {
    if (!PyTuple_Check(object) && !PyList_Check(object)) return type_name(object);
    std::string text = std::string(PyTuple_Check(object) ? "tuple" : "list") + " of (";
    const Py_ssize_t count = PySequence_Fast_GET_SIZE(object);
    for (Py_ssize_t i = 0; i < count; ++i) {
        if (i > 0) text += ", ";
        text += type_name(PySequence_Fast_ITEMS(object)[i]);
    }
    if (count == 1 && PyTuple_Check(object)) text += ",";
    return text + ")";
}

[[noreturn]] void raise_single(const Callable& callable, const Callable::Entry& entry, const Given& given,
                               const Failure& failure, bool bound_self) {
    const Schema& schema = entry.op->schema;
    const std::string call = callable.name + "()";
    switch (failure.kind) {
        case Mismatch::too_many:
            raise<TypeError>(call, " takes ", schema.positional_count - (bound_self ? 1 : 0),
                             schema.positional_count - (bound_self ? 1 : 0) == 1
                                 ? " positional argument but "
                                 : " positional arguments but ",
                             given.count - (bound_self ? 1 : 0),
                             given.count - (bound_self ? 1 : 0) == 1 ? " was" : " were", " given");
        case Mismatch::wrong_type: {
            const Argument& argument = schema.arguments[failure.argument];
            const int position = failure.position - (bound_self ? 1 : 0);
            const std::string place = position > 0 ? message(" (position ", position, ")") : "";
            if ((argument.type == ArgumentType::tensor_list || argument.type == ArgumentType::integer_list) &&
                (PyTuple_Check(failure.object) || PyList_Check(failure.object))) {
                const Py_ssize_t count = PySequence_Fast_GET_SIZE(failure.object);
                for (Py_ssize_t i = 0; i < count; ++i) {
                    PyObject* const item = PySequence_Fast_ITEMS(failure.object)[i];
                    const bool fits =
                        argument.type == ArgumentType::tensor_list ? is_tensor(item) : is_integer_like(item);
                    if (fits) continue;
                    if (argument.type == ArgumentType::tensor_list) {
                        raise<TypeError>("expected Tensor as element ", i, " in argument ", failure.argument,
                                         ", but got ", type_name(item));
                    }
                    raise<TypeError>(call, ": argument '", shown_name(argument), "'", place, " must be ",
                                     python_type_name(argument), ", but found element of type ",
                                     type_name(item), " at pos ", i);
                }
            }
            raise<TypeError>(call, ": argument '", shown_name(argument), "'", place, " must be ",
                             python_type_name(argument), ", not ", type_name(failure.object));
        }
        case Mismatch::unexpected_keyword:
            raise<TypeError>(call, " got an unexpected keyword argument '", PyUnicode_AsUTF8(failure.object),
                             "'");
        case Mismatch::given_twice:
            raise<TypeError>(call, " got multiple values for argument '",
                             shown_name(schema.arguments[failure.argument]), "'");
        default:
            break;
    }
    std::string missing;
    int count = 0;
    for (size_t i = 0; i < schema.arguments.size(); ++i) {
        const Argument& argument = schema.arguments[i];
        if (argument.default_value != nullptr || static_cast<Py_ssize_t>(i) < given.count) continue;
        bool named = false;
        for (Py_ssize_t k = 0; k < given.keyword_count(); ++k) {
            named = named || find_argument(schema, PyTuple_GET_ITEM(given.names, k)) == static_cast<int>(i);
        }
        if (named) continue;
        missing += (count++ > 0 ? ", \"" : "\"") + shown_name(argument) + "\"";
    }
    raise<TypeError>(call, " missing ", count, " required positional arguments: ", missing);
}

[[noreturn]] void raise_no_match(const Callable& callable, const Given& given, bool bound_self) {
    std::string text = callable.name + "() received an invalid combination of arguments - got (";
    for (Py_ssize_t i = bound_self ? 1 : 0; i < given.count; ++i) {
        if (i > (bound_self ? 1 : 0)) text += ", ";
        text += given_type(given.arguments[i]);
    }
    for (Py_ssize_t k = 0; k < given.keyword_count(); ++k) {
        if (given.count + k > (bound_self ? 1 : 0)) text += ", ";
        text += message(PyUnicode_AsUTF8(PyTuple_GET_ITEM(given.names, k)), "=",
                        given_type(given.arguments[given.count + k]));
    }
    text += "), but expected one of:";
    for (const Callable::Entry& entry : callable.entries)
        text += "\n * " + python_signature(entry.op->schema);
    raise<TypeError>(text, "\n");
}

Tensor as_tensor_result(PyObject* object) {
    Tensor tensor = Tensor::borrow(object);
    Py_DECREF(object);
    return tensor;
}

PyObject* invoke_in_place(const Operator& op, Bound& bound) {
    const Tensor self = Tensor::borrow(bound.values[0]);
    if (op.takes_destination)
        return op.invoke(op.target, bound.values.data(), {Destination::Kind::in_place, self});
    write_in_place(self, [&](const Tensor& original) {
        bound.values[0] = original.object();
        PyObject* const result = op.invoke(op.target, bound.values.data(), {});
        bound.values[0] = self.object();
        return as_tensor_result(result);
    });
    return Py_NewRef(self.object());
}

void copy_result(const Operator& op, PyObject* out, PyObject* result) {
    check<TypeError>(is_tensor(out), op.schema.name, "(): argument 'out' must be Tensor, not ",
                     type_name(out));
    const Tensor source = Tensor::borrow(result);
    const Tensor target = Tensor::borrow(out);
    ops::prepare_out(target, source.sizes(), source.dtype());
    ops::copy_data(target, source);
    target.bump_version();
}

PyObject* invoke_out(const Operator& op, Bound& bound) {
    if (op.takes_destination) {
        check<TypeError>(is_tensor(bound.out), op.schema.name, "(): argument 'out' must be Tensor, not ",
                         type_name(bound.out));
        return op.invoke(op.target, bound.values.data(), {Destination::Kind::out, Tensor::borrow(bound.out)});
    }
    const Object result = Object::check(op.invoke(op.target, bound.values.data(), {}));
    const bool several = PyTuple_Check(result.get());
    const auto first = several ? PyTuple_GET_ITEM(result.get(), 0) : result.get();
    check(!is_tensor(first) || !requires_grad(Tensor::borrow(first)), op.schema.name,
          "(): functions with out=... arguments don't support automatic differentiation, but one of the "
          "arguments "
          "requires grad.");
    if (!several) {
        copy_result(op, bound.out, result.get());
    } else {
        const Py_ssize_t count = PyTuple_GET_SIZE(result.get());
        check<TypeError>((PyTuple_Check(bound.out) || PyList_Check(bound.out)) &&
                             PySequence_Fast_GET_SIZE(bound.out) == count,
                         op.schema.name, "(): argument 'out' must be tuple of ", count, " Tensors, not ",
                         given_type(bound.out));
        for (Py_ssize_t i = 0; i < count; ++i) {
            copy_result(op, PySequence_Fast_ITEMS(bound.out)[i], PyTuple_GET_ITEM(result.get(), i));
        }
    }
    return Py_NewRef(bound.out);
}

// A tuple with the field names of the schema: rushlight.return_types.max(values=..., indices=...).
PyObject* name_results(const Operator& op, PyObject* result) {
    if (op.return_type == nullptr || result == nullptr) return result;
    const Object tuple = Object::steal(result);
    return PyObject_CallOneArg(reinterpret_cast<PyObject*>(op.return_type), tuple.get());
}

PyObject* invoke(const Callable::Entry& entry, Bound& bound) {
    if (entry.in_place) return invoke_in_place(*entry.op, bound);
    if (bound.out != nullptr) return invoke_out(*entry.op, bound);
    return name_results(*entry.op, entry.op->invoke(entry.op->target, bound.values.data(), {}));
}

}  // namespace

PyObject* call_operator(const Callable& callable, PyObject* const* arguments, Py_ssize_t count,
                        PyObject* names, bool bound_self) noexcept {
    return guarded([&]() -> PyObject* {
        const Given given{arguments, count, names};
        if (any_torch_function(arguments, count + given.keyword_count())) [[unlikely]] {
            PyObject* const public_function = bound_self ? callable.method : callable.function;
            return call_torch_function(public_function, arguments, count, names);
        }
        Failure failure;
        for (const Callable::Entry& entry : callable.entries) {
            Bound bound;
            if (bind(entry, given, bound, failure)) return invoke(entry, bound);
        }
        if (callable.entries.size() == 1) {
            raise_single(callable, callable.entries[0], given, failure, bound_self);
        }
        raise_no_match(callable, given, bound_self);
    });
}

namespace {

// A function of the module, or with `is_method` a method descriptor of Tensor.
struct OperatorObject {
    PyObject ob_base;
    vectorcallfunc vectorcall;
    const Callable* callable;
    bool is_method;
};

PyObject* operator_call(PyObject* self, PyObject* const* arguments, size_t flagged,
                        PyObject* names) noexcept {
    const auto* const object = reinterpret_cast<OperatorObject*>(self);
    const Py_ssize_t count = PyVectorcall_NARGS(flagged);
    if (object->is_method && (count == 0 || !is_tensor(arguments[0]))) [[unlikely]] {
        PyErr_Format(PyExc_TypeError, "unbound method Tensor.%s() needs an argument",
                     object->callable->name.c_str());
        return nullptr;
    }
    return call_operator(*object->callable, arguments, count, names, object->is_method);
}

PyObject* operator_repr(PyObject* self) {
    const auto* const object = reinterpret_cast<OperatorObject*>(self);
    return PyUnicode_FromFormat(
        object->is_method ? "<method '%s' of 'rushlight.Tensor' objects>" : "<built-in function %s>",
        object->callable->name.c_str());
}

PyObject* operator_name(PyObject* self, void*) {
    return PyUnicode_FromString(reinterpret_cast<OperatorObject*>(self)->callable->name.c_str());
}
PyObject* operator_qualified_name(PyObject* self, void*) {
    const auto* const object = reinterpret_cast<OperatorObject*>(self);
    return PyUnicode_FromFormat(object->is_method ? "Tensor.%s" : "%s", object->callable->name.c_str());
}
PyObject* operator_module(PyObject*, void*) {
    return PyUnicode_FromString("rushlight");
}
PyObject* operator_doc(PyObject* self, void*) {
    const Callable& callable = *reinterpret_cast<OperatorObject*>(self)->callable;
    std::string text;
    for (const Callable::Entry& entry : callable.entries)
        text += callable.name + python_signature(entry.op->schema) + "\n";
    for (const Callable::Entry& entry : callable.entries) {
        if (*entry.op->options.doc != '\0') {
            text += std::string("\n") + entry.op->options.doc;
            break;
        }
    }
    return PyUnicode_FromString(text.c_str());
}
PyObject* operator_reduce(PyObject* self, PyObject*) {
    const auto* const object = reinterpret_cast<OperatorObject*>(self);
    if (!object->is_method) return PyUnicode_FromString(object->callable->name.c_str());
    return Py_BuildValue("O(Os)", PyDict_GetItemString(PyEval_GetBuiltins(), "getattr"), &tensor_type,
                         object->callable->name.c_str());
}

PyObject* method_get(PyObject* self, PyObject* instance, PyObject*) {
    if (instance == nullptr || instance == Py_None) return Py_NewRef(self);
    return PyMethod_New(self, instance);
}

PyGetSetDef operator_properties[] = {
    {"__name__", operator_name, nullptr, nullptr, nullptr},
    {"__qualname__", operator_qualified_name, nullptr, nullptr, nullptr},
    {"__module__", operator_module, nullptr, nullptr, nullptr},
    {"__doc__", operator_doc, nullptr, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};
PyMethodDef operator_methods[] = {
    {"__reduce__", operator_reduce, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

PyTypeObject make_operator_type(const char* name, unsigned long extra_flags) {
    PyTypeObject type = {PyVarObject_HEAD_INIT(nullptr, 0)};
    type.tp_name = name;
    type.tp_basicsize = sizeof(OperatorObject);
    type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | extra_flags;
    type.tp_vectorcall_offset = offsetof(OperatorObject, vectorcall);
    type.tp_call = PyVectorcall_Call;
    type.tp_repr = operator_repr;
    type.tp_getset = operator_properties;
    type.tp_methods = operator_methods;
    return type;
}

PyTypeObject function_type = make_operator_type("rushlight._C.OperatorFunction", 0);
PyTypeObject method_type = [] {
    PyTypeObject type = make_operator_type("rushlight._C.OperatorMethod", Py_TPFLAGS_METHOD_DESCRIPTOR);
    type.tp_descr_get = method_get;
    return type;
}();

PyObject* new_operator_object(const Callable& callable, bool is_method) {
    auto* const object = PyObject_New(OperatorObject, is_method ? &method_type : &function_type);
    if (object == nullptr) throw PythonError();
    object->vectorcall = operator_call;
    object->callable = &callable;
    object->is_method = is_method;
    return reinterpret_cast<PyObject*>(object);
}

struct Names {
    std::vector<Callable*> callables;
    std::map<std::string, Callable*> by_name;
    std::map<const Callable*, unsigned> variants;

    Callable& get(const std::string& name) {
        Callable*& callable = by_name[name];
        if (callable == nullptr) {
            callable = std::make_unique<Callable>().release();  // kept for the life of the process
            callable->name = name;
            callables.push_back(callable);
        }
        return *callable;
    }
    Names() {
        for (const Operator* const op : all_operators()) add(op, op->schema.name, false);
        for (const Operator* const op : all_operators()) {
            if ((op->options.variants & Variant::in_place) != 0) add(op, op->schema.name + "_", true);
        }
    }
    void add(const Operator* op, const std::string& name, bool in_place) {
        Callable& callable = get(name);
        callable.entries.push_back({op, in_place});
        variants[&callable] |= op->options.variants;
    }
};

Names& names() {
    static Names& instance = *std::make_unique<Names>().release();
    return instance;
}

// Named results get a type each: a tuple with fields.
void make_return_types(PyObject* module) {
    const Object types = Object::check(PyModule_New("rushlight.return_types"));
    for (Operator* const op : all_operators()) {
        const std::vector<std::string>& fields = op->schema.return_names;
        if (fields.size() < 2) continue;
        std::vector<PyStructSequence_Field> members;
        for (const std::string& field : fields) members.push_back({field.c_str(), nullptr});
        members.push_back({nullptr, nullptr});
        const std::string* const name =
            std::make_unique<std::string>("torch.return_types." + op->schema.name).release();
        PyStructSequence_Desc description{name->c_str(), nullptr, members.data(),
                                          static_cast<int>(fields.size())};
        op->return_type = PyStructSequence_NewType(&description);
        if (op->return_type == nullptr) throw PythonError();
        check_status(PyModule_AddObjectRef(types.get(), op->schema.name.c_str(),
                                           reinterpret_cast<PyObject*>(op->return_type)));
    }
    check_status(PyModule_AddObjectRef(module, "return_types", types.get()));
}

void append(PyObject* list, const std::string& text) {
    const Object item = Object::check(PyUnicode_FromString(text.c_str()));
    check_status(PyList_Append(list, item.get()));
}

}  // namespace

const std::vector<Callable*>& all_callables() {
    return names().callables;
}

Callable* find_callable(const std::string& name) {
    const auto found = names().by_name.find(name);
    return found == names().by_name.end() ? nullptr : found->second;
}

void add_operators(PyObject* module) {
    check_status(PyType_Ready(&function_type));
    check_status(PyType_Ready(&method_type));
    make_return_types(module);
    const Object functions = Object::check(PyList_New(0));
    for (Callable* const callable : all_callables()) {
        const unsigned variants = names().variants[callable];
        callable->function = new_operator_object(*callable, false);
        check_status(PyModule_AddObjectRef(module, callable->name.c_str(), callable->function));
        if ((variants & Variant::function) != 0) append(functions.get(), callable->name);
        if ((variants & Variant::method) == 0) continue;
        // The Tensor type itself has short ways to a few.
        callable->method = Py_XNewRef(PyDict_GetItemString(tensor_type.tp_dict, callable->name.c_str()));
        if (callable->method != nullptr) continue;
        callable->method = new_operator_object(*callable, true);
        check_status(PyDict_SetItemString(tensor_type.tp_dict, callable->name.c_str(), callable->method));
    }
    PyType_Modified(&tensor_type);
    check_status(PyModule_AddObjectRef(module, "_function_names", functions.get()));
}

}  // namespace rl
