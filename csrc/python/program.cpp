// BlockProgram: programs of pointwise instructions, as optimizers trace them.
#include "ops/program.h"

#include <nanobind/nanobind.h>

#include "core/object.h"
#include "core/objects.h"
#include "ops/boxing.h"
#include "python/module.h"

namespace nb = nanobind;

namespace rl {
namespace {

using ops::BlockProgram;

std::span<PyObject* const> items_of(PyObject* sequence, const char* what) {
    check<TypeError>(PyTuple_Check(sequence) || PyList_Check(sequence), "BlockProgram: expected ", what,
                     ", but got ", Py_TYPE(sequence)->tp_name);
    return {PySequence_Fast_ITEMS(sequence), static_cast<size_t>(PySequence_Fast_GET_SIZE(sequence))};
}

uint8_t register_from(PyObject* object) {
    const int64_t number = from_python<int64_t>(object);
    check<ValueError>(number >= 0 && number < kernels::max_registers, "BlockProgram: no register ", number);
    return static_cast<uint8_t>(number);
}

BlockProgram::Line line_from(PyObject* object) {
    const auto items = items_of(object, "a line (name, number, registers...)");
    check<TypeError>(items.size() >= 2 && items.size() <= 5 && PyUnicode_Check(items[0]),
                     "BlockProgram: expected a line (name, number, registers...)");
    Py_ssize_t size;
    const char* const text = PyUnicode_AsUTF8AndSize(items[0], &size);
    if (text == nullptr) throw PythonError();
    const std::string_view name(text, static_cast<size_t>(size));
    BlockProgram::Line line{name == "constant", {}, {}, {from_python<double>(items[1]), 0}};
    const size_t n_inputs = items.size() - 2;
    if (!line.is_constant) line.op = ops::block_function_named(name);
    const size_t wanted = line.is_constant ? 0 : kernels::input_count(line.op);
    check<ValueError>(n_inputs == wanted, "BlockProgram: '", name, "' takes ", wanted, " registers, not ",
                      n_inputs);
    for (size_t i = 0; i < n_inputs; ++i) line.inputs[i] = register_from(items[i + 2]);
    return line;
}

BlockProgram::Output output_from(PyObject* object) {
    const auto items = items_of(object, "an output (tensor, register)");
    check<TypeError>(items.size() == 2, "BlockProgram: expected an output (tensor, register)");
    return {register_from(items[0]), register_from(items[1])};
}

template <class T>
std::vector<T> list_from(nb::handle sequence, T (*read)(PyObject*)) {
    std::vector<T> result;
    for (PyObject* const item : items_of(sequence.ptr(), "a list")) result.push_back(read(item));
    return result;
}

void construct(BlockProgram* self, int n_inputs, nb::handle lines, nb::handle outputs) {
    new (self) BlockProgram(n_inputs, list_from(lines, line_from), list_from(outputs, output_from));
}

void run(BlockProgram& self, nb::handle rows) {
    const auto length = static_cast<size_t>(self.row_length());
    const auto given = items_of(rows.ptr(), "a list of rows");
    TensorList tensors;
    tensors.reserve(given.size() * length);
    for (PyObject* const row : given) {
        const auto items = items_of(row, "a row of tensors");
        check<ValueError>(items.size() == length, "BlockProgram: expected rows of ", length,
                          " tensors, but got ", items.size());
        for (PyObject* const item : items) {
            check<TypeError>(PyObject_TypeCheck(item, &tensor_type),
                             "BlockProgram: expected a Tensor, but got ", Py_TYPE(item)->tp_name);
            tensors.push_back(Tensor::borrow(item));
        }
    }
    self.run(tensors);
}

}  // namespace

void add_program(PyObject* module) {
    nb::class_<BlockProgram>(
        nb::borrow(module), "BlockProgram",
        "BlockProgram(inputs, lines, outputs)\n\n"
        "A chain of pointwise functions that runs over rows of tensors in one pass. Registers 0 to inputs - "
        "1 are a\n"
        "row's tensors; each line (name, number, registers...) defines the next register. Outputs (tensor, "
        "register)\n"
        "say what is written where; tensors from inputs on are only written.\n\n"
        ">>> import rushlight as torch\n"
        ">>> program = torch._C.BlockProgram(2, [('add_scaled', -0.5, 0, 1)], [(0, 2)])\n"
        ">>> weight, gradient = torch.ones(2), torch.tensor([1.0, 2.0])\n"
        ">>> program.run([(weight, gradient)])\n"
        ">>> weight\n"
        "tensor([0.5000, 0.0000])\n")
        .def("__init__", construct, nb::arg("inputs"), nb::arg("lines"), nb::arg("outputs"))
        .def("run", run, nb::arg("rows"), "Runs over rows, each a tuple of tensors of one shape, in place.");
}

}  // namespace rl
