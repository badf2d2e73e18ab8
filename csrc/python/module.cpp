// The extension module rushlight._C.
#include "python/module.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include "core/allocator.h"
#include "core/isa.h"
#include "core/object.h"
#include "core/threads.h"
#include "ops/autograd_support.h"
#include "ops/convolution.h"
#include "ops/registry.h"
#include "python/arguments.h"
#include "python/errors.h"
#include "python/tensor_type.h"
#include "python/torch_function.h"

namespace nb = nanobind;

namespace {

// One dict for each operator: what `python -m rushlight.ops` shows.
nb::list describe_operators() {
    nb::list result;
    for (const rl::Operator* const op : rl::all_operators()) {
        nb::dict entry;
        entry["name"] = op->schema.name;
        entry["overload"] = op->schema.overload;
        entry["schema"] = op->schema.text;
        entry["file"] = op->file;
        entry["line"] = op->line;
        entry["doc"] = op->options.doc;
        entry["differentiable"] = op->options.differentiable;
        entry["dtypes"] = op->options.dtypes;
        nb::list variants;
        if ((op->options.variants & rl::Variant::function) != 0) variants.append("function");
        if ((op->options.variants & rl::Variant::method) != 0) variants.append("method");
        if ((op->options.variants & rl::Variant::in_place) != 0) variants.append("in_place");
        if ((op->options.variants & rl::Variant::out) != 0) variants.append("out");
        entry["variants"] = variants;
        result.append(entry);
    }
    return result;
}

nb::dict describe_memory() {
    const rl::MemoryStats stats = rl::memory_stats();
    nb::dict result;
    result["allocated_bytes.current"] = stats.allocated_bytes;
    result["allocated_bytes.peak"] = stats.peak_allocated_bytes;
    result["reserved_bytes.current"] = stats.reserved_bytes;
    result["allocations"] = stats.allocations;
    result["deallocations"] = stats.deallocations;
    result["system_allocations"] = stats.system_allocations;
    return result;
}

nb::object dtype_handle(rl::DType dtype) {
    return nb::borrow(rl::dtype_object(dtype));
}
rl::DType dtype_from(nb::handle object) {
    if (Py_TYPE(object.ptr()) != &rl::dtype_type) {
        rl::raise<rl::TypeError>("expected torch.dtype, but got ", Py_TYPE(object.ptr())->tp_name);
    }
    return rl::from_python<rl::DType>(object.ptr());
}

nb::object result_type(nb::handle a, nb::handle b) {
    const rl::Tensor operands[] = {rl::from_python<rl::Tensor>(a.ptr()),
                                   rl::from_python<rl::Tensor>(b.ptr())};
    return dtype_handle(rl::result_type(operands));
}

void set_default_dtype(nb::handle object) {
    const rl::DType dtype = dtype_from(object);
    rl::check<rl::TypeError>(rl::is_floating(dtype),
                             "only floating-point types are supported as the default type");
    rl::set_default_dtype(dtype);
}

void add_dtype_functions(nb::module_& module) {
    module.def(
        "get_default_dtype", [] { return dtype_handle(rl::default_dtype()); },
        "The dtype of tensors made from Python floats.");
    module.def("set_default_dtype", set_default_dtype, nb::arg("d"),
               "Sets the dtype of tensors made from floats.");
    module.def(
        "promote_types",
        [](nb::handle a, nb::handle b) { return dtype_handle(rl::promote(dtype_from(a), dtype_from(b))); },
        nb::arg("type1"), nb::arg("type2"), "The smallest dtype that both can become.");
    module.def(
        "can_cast",
        [](nb::handle from, nb::handle to) { return rl::can_cast(dtype_from(from), dtype_from(to)); },
        nb::arg("from_"), nb::arg("to"), "Whether results of one dtype may be written into another.");
    module.def("result_type", result_type, nb::arg("tensor1"), nb::arg("tensor2"),
               "The dtype that an operator on two operands gives.");
}

void translate_error(const std::exception_ptr& error, void*) {
    try {
        std::rethrow_exception(error);
    } catch (const rl::Error&) {
        rl::set_python_error();
    } catch (const rl::PythonError&) {
        // the Python error is set already
    }
}

}  // namespace

NB_MODULE(_C, module) {
    nb::register_exception_translator(translate_error);
    try {
        rl::add_objects(module.ptr());
        rl::add_torch_function(module.ptr());
        rl::add_tensor_type(module.ptr());
        rl::add_storage(module.ptr());
        rl::add_construction(module.ptr());
        rl::add_interchange(module.ptr());
        rl::add_program(module.ptr());
        rl::ops::provide_autograd_operators();
        rl::add_operators(module.ptr());
        rl::add_autograd(module.ptr());
        rl::add_nn_module(module.ptr());
    } catch (const rl::PythonError&) {
        nb::raise_python_error();
    }
    add_dtype_functions(module);
    module.def("_operators", describe_operators, "What the registry knows of every native operator.");
    module.def("memory_stats", describe_memory, "Bytes held by tensors and kept for reuse.");
    module.def("reset_peak_memory_stats", rl::reset_peak_memory_stats,
               "Starts a new peak from what is held now.");
    module.def("empty_cache", rl::empty_cache, "Gives memory kept for reuse back to the system.");
    module.def("get_num_threads", rl::get_num_threads, "The number of threads that operators use.");
    module.def("set_num_threads", rl::set_num_threads, nb::arg("num_threads"), "Sets the number of threads.");
    module.def("_winograd_enabled", rl::ops::winograd_enabled, "See rushlight.backends.convolution.");
    module.def("_set_winograd_enabled", rl::ops::set_winograd_enabled, nb::arg("enabled"));
    module.def(
        "_isa", [] { return std::string(rl::isa_name(rl::current_isa())); }, "The instruction set in use.");
}
