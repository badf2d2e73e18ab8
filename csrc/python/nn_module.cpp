// What rushlight.nn.Module does natively: calls, straight to `forward` where no hooks are registered, and the
// walk over the members of a tree of modules.
#include <algorithm>
#include <vector>

#include "core/inline_vector.h"
#include "core/object.h"
#include "python/errors.h"
#include "python/module.h"

namespace rl {
namespace {

bool global_hooks = false;
PyObject *hooked_name = nullptr, *forward_name = nullptr, *with_hooks_name = nullptr;

bool has_hooks(PyObject* module) {
    if (global_hooks) return true;
    const Object hooked = Object::check(PyObject_GenericGetAttr(module, hooked_name));
    return hooked.get() == Py_True;
}

PyObject* call_with_hooks(PyObject* module, PyObject* const* arguments, Py_ssize_t count, PyObject* names) {
    const Object positional = Object::check(PyTuple_New(count));
    for (Py_ssize_t i = 0; i < count; ++i) PyTuple_SET_ITEM(positional.get(), i, Py_NewRef(arguments[i]));
    const Object keywords = Object::check(PyDict_New());
    const Py_ssize_t named = names == nullptr ? 0 : PyTuple_GET_SIZE(names);
    for (Py_ssize_t k = 0; k < named; ++k)
        check_status(PyDict_SetItem(keywords.get(), PyTuple_GET_ITEM(names, k), arguments[count + k]));
    return PyObject_CallMethodObjArgs(module, with_hooks_name, positional.get(), keywords.get(), nullptr);
}

PyObject* module_call(PyObject* module, PyObject* const* arguments, Py_ssize_t count, PyObject* names) {
    return guarded([&]() -> PyObject* {
        if (has_hooks(module)) return call_with_hooks(module, arguments, count, names);
        const Py_ssize_t named = names == nullptr ? 0 : PyTuple_GET_SIZE(names);
        InlineVector<PyObject*, 8> all;
        all.push_back(module);
        all.append(arguments, arguments + count + named);
        return PyObject_VectorcallMethod(forward_name, all.data(), static_cast<size_t>(count) + 1, names);
    });
}

PyObject* use_global_hooks(PyObject*, PyObject*) {
    global_hooks = true;
    return Py_NewRef(Py_None);
}

// Members

struct Walk {
    PyObject* names_key;     // under which a module's __dict__ has the names of its members
    PyObject* children_key;  // the same of its child modules
    PyObject* standard;      // Module.named_modules: a class that has another walks its own way
    PyObject* members;       // the list of (name, member) that is being made
    bool recurse, unique;
    std::vector<PyObject*> modules, seen;  // for `unique`: borrowed, alive in the tree
};

Object dotted(PyObject* prefix, PyObject* name) {
    if (PyUnicode_GET_LENGTH(prefix) == 0) return Object::borrow(name);
    static PyObject* const dot = PyUnicode_InternFromString(".");
    const Object start = Object::check(PyUnicode_Concat(prefix, dot));
    return Object::check(PyUnicode_Concat(start.get(), name));
}

// Whether it is the first time that the object comes.
bool first_time(std::vector<PyObject*>& met, PyObject* object) {
    constexpr size_t few = 32;
    if (met.size() < few) {
        if (std::find(met.begin(), met.end(), object) != met.end()) return false;
        met.push_back(object);
        if (met.size() == few) std::sort(met.begin(), met.end());
        return true;
    }
    const auto place = std::lower_bound(met.begin(), met.end(), object);
    if (place != met.end() && *place == object) return false;
    met.insert(place, object);
    return true;
}

// Calls visit(name, value) for the names that a dictionary of attributes holds under `key`; false where it
// holds none, or a visit says no.
template <class Visit>
bool for_each_named(PyObject* attributes, PyObject* key, Visit&& visit) {
    PyObject* const names = PyDict_GetItemWithError(attributes, key);
    if (names == nullptr) return false;
    PyObject *name, *unused;
    for (Py_ssize_t position = 0; PyDict_Next(names, &position, &name, &unused);) {
        const Object value = Object::borrow(PyDict_GetItemWithError(attributes, name));
        if (!value || (value.get() != Py_None && !visit(name, value.get()))) return false;
    }
    return true;
}

class RecursionScope {
  public:
    RecursionScope() {
        if (Py_EnterRecursiveCall(" in the walk over modules") != 0) throw PythonError();
    }
    ~RecursionScope() { Py_LeaveRecursiveCall(); }
    RecursionScope(const RecursionScope&) = delete;
    RecursionScope& operator=(const RecursionScope&) = delete;
};

// False where this is not to be walked here: a class has a way of its own, or a module is not made yet.
bool walk(Walk& state, PyObject* module, PyObject* prefix) {
    const RecursionScope scope;
    static PyObject* const named_modules = PyUnicode_InternFromString("named_modules");
    const Object way =
        Object::check(PyObject_GetAttr(reinterpret_cast<PyObject*>(Py_TYPE(module)), named_modules));
    if (way.get() != state.standard) return false;
    if (state.unique && !first_time(state.modules, module)) return true;
    const Object attributes = Object::check(PyObject_GenericGetDict(module, nullptr));
    const auto add = [&](PyObject* name, PyObject* member) {
        if (state.unique && !first_time(state.seen, member)) return true;
        const Object pair = Object::check(PyTuple_Pack(2, dotted(prefix, name).get(), member));
        check_status(PyList_Append(state.members, pair.get()));
        return true;
    };
    const auto descend = [&](PyObject* name, PyObject* child) {
        return walk(state, child, dotted(prefix, name).get());
    };
    return for_each_named(attributes.get(), state.names_key, add) &&
           (!state.recurse || for_each_named(attributes.get(), state.children_key, descend));
}

// _named_members(module, names_key, children_key, named_modules, prefix, recurse, unique) -> list | None
PyObject* named_members(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
    return guarded([&]() -> PyObject* {
        check<TypeError>(count == 7 && PyUnicode_Check(arguments[4]), "_named_members takes 7 arguments");
        const Object members = Object::check(PyList_New(0));
        Walk state{arguments[1],
                   arguments[2],
                   arguments[3],
                   members.get(),
                   arguments[5] == Py_True,
                   arguments[6] == Py_True,
                   {},
                   {}};
        return Py_NewRef(walk(state, arguments[0], arguments[4]) ? members.get() : Py_None);
    });
}

PyMethodDef call_method = {"__call__", as_method(module_call), METH_FASTCALL | METH_KEYWORDS,
                           "__call__($self, /, *args, **kwargs)\n--\n\nCalls `forward` between the hooks."};
PyMethodDef functions[] = {
    {"_use_global_module_hooks", use_global_hooks, METH_NOARGS,
     "Has every call of a module look for hooks from now on."},
    {"_named_members", as_method(named_members), METH_FASTCALL,
     "Pairs of dotted name and member of all modules of a tree; None where a class has its own way."},
    {},
};

}  // namespace

void add_nn_module(PyObject* module) {
    hooked_name = PyUnicode_InternFromString("_hooked");
    forward_name = PyUnicode_InternFromString("forward");
    with_hooks_name = PyUnicode_InternFromString("_call_with_hooks");
    const Object call = Object::check(PyDescr_NewMethod(&PyBaseObject_Type, &call_method));
    check_status(PyModule_AddObjectRef(module, "_module_call", call.get()));
    check_status(PyModule_AddFunctions(module, functions));
}

}  // namespace rl
