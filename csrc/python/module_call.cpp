// Module.__call__: straight to `forward` where no hooks are registered.
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
    const Object hooked = Object::check(PyObject_GetAttr(module, hooked_name));
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

PyMethodDef call_method = {"__call__", as_method(module_call), METH_FASTCALL | METH_KEYWORDS,
                           "__call__($self, /, *args, **kwargs)\n--\n\nCalls `forward` between the hooks."};
PyMethodDef functions[] = {
    {"_use_global_module_hooks", use_global_hooks, METH_NOARGS,
     "Has every call of a module look for hooks from now on."},
    {},
};

}  // namespace

void add_module_call(PyObject* module) {
    hooked_name = PyUnicode_InternFromString("_hooked");
    forward_name = PyUnicode_InternFromString("forward");
    with_hooks_name = PyUnicode_InternFromString("_call_with_hooks");
    const Object call = Object::check(PyDescr_NewMethod(&PyBaseObject_Type, &call_method));
    check_status(PyModule_AddObjectRef(module, "_module_call", call.get()));
    check_status(PyModule_AddFunctions(module, functions));
}

}  // namespace rl
