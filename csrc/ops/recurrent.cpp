// Recurrent layers over whole sequences: one layer in one direction, given its projected inputs. What is done
// once a layer (projections, directions, dropout) is in nn.LSTM, nn.GRU and nn.RNN.
#include "kernels/recurrent.h"

#include <functional>
#include <tuple>
#include <vector>

#include "autograd/engine.h"
#include "autograd/record.h"
#include "core/gil.h"
#include "ops/activation.h"
#include "ops/arithmetic.h"
#include "ops/conversion.h"
#include "ops/creation.h"
#include "ops/elementary.h"
#include "ops/matmul.h"
#include "ops/reduction.h"
#include "ops/registry.h"
#include "ops/shape_ops.h"
#include "ops/views.h"

namespace rl::ops {
namespace {

using kernels::RecurrentCell;

struct Kind {
    RecurrentCell cell;
    bool reverse;
    bool narrow = false;  // numbers of bfloat16, held as float32
};

// The tensors that a sequence is computed from; `cell` is for LSTM alone and `bias` for GRU alone.
struct Inputs {
    Tensor projected, hidden, cell, weight, bias;
    TensorList list() const { return {projected, hidden, cell, weight, bias}; }
    static Inputs of(const TensorList& list) { return {list[0], list[1], list[2], list[3], list[4]}; }
};
struct Outputs {
    Tensor output, cell;  // of all steps; after the last one
};

Inputs each(const Inputs& inputs, const std::function<Tensor(const Tensor&)>& change) {
    TensorList list = inputs.list();
    for (Tensor& tensor : list)
        if (tensor.defined()) tensor = change(tensor);
    return Inputs::of(list);
}

void check_shape(const char* name, const Tensor& tensor, const Dims& sizes, DType dtype) {
    check(tensor.sizes() == sizes, "Expected ", name, " size ", to_string(sizes), ", got ",
          to_string(tensor.sizes()));
    check(tensor.dtype() == dtype, "Expected ", name, " of the inputs' type torch.", info(dtype).name,
          ", got torch.", info(tensor.dtype()).name);
}

void check_inputs(const Inputs& in, RecurrentCell cell) {
    check(in.projected.dim() == 3 && in.hidden.dim() == 2 && in.weight.dim() == 2,
          "Expected projected inputs of three dimensions, a state and a weight of two");
    const DType dtype = in.projected.dtype();
    check(is_floating(dtype), "Expected floating point inputs, got torch.", info(dtype).name);
    const int64_t gates = in.projected.size(2), state = in.weight.size(1),
                  hidden = gates / kernels::gate_count(cell);
    check_shape("weight", in.weight, {hidden * kernels::gate_count(cell), state}, dtype);
    check_shape("hidden", in.hidden, {in.projected.size(1), state}, dtype);
    check(in.projected.size(0) > 0, "Expected sequence length to be larger than 0 in RNN");
    check(state == hidden || (in.projected.size(0) == 1 && cell == RecurrentCell::lstm),
          "Expected a state of ", hidden, " numbers, got ", state);
    if (in.cell.defined()) check_shape("cell", in.cell, {in.projected.size(1), hidden}, dtype);
    if (in.bias.defined()) check_shape("bias", in.bias, {gates}, dtype);
}

// The same in differentiable operators, step by step.
Outputs composed_sequence(const Inputs& in, Kind kind) {
    const int64_t steps = in.projected.size(0);
    TensorList outputs(static_cast<size_t>(steps));
    Tensor hidden = in.hidden, cell = in.cell;
    for (int64_t s = 0; s < steps; ++s) {
        const int64_t step = kind.reverse ? steps - 1 - s : s;
        const Tensor input = select(in.projected, 0, step), recurrent = linear(hidden, in.weight, in.bias);
        if (kind.cell == RecurrentCell::lstm) {
            const TensorList gates = chunk(input + recurrent, 4, -1);
            cell = sigmoid(gates[1]) * cell + sigmoid(gates[0]) * tanh(gates[2]);
            hidden = sigmoid(gates[3]) * tanh(cell);
        } else if (kind.cell == RecurrentCell::gru) {
            const TensorList own = chunk(input, 3, -1), past = chunk(recurrent, 3, -1);
            const Tensor reset = sigmoid(own[0] + past[0]), update = sigmoid(own[1] + past[1]);
            const Tensor candidate = tanh(own[2] + reset * past[2]);
            hidden = candidate + update * (hidden - candidate);
        } else {
            const Tensor sum = input + recurrent;
            hidden = kind.cell == RecurrentCell::plain_relu ? relu(sum) : tanh(sum);
        }
        outputs[static_cast<size_t>(step)] = hidden;
    }
    return {stack(outputs, 0), cell};
}

// Gradients that can be differentiated: those of the composed sequence.
Gradients composed_gradients(const Inputs& saved, Kind kind, const Gradients& gradients, const Needs& needs) {
    // Views stand for the inputs, so that one's gradient does not run into another's that it was made of.
    const Inputs in = each(saved, [](const Tensor& tensor) { return view(tensor, tensor.sizes()); });
    const Outputs outputs = composed_sequence(in, kind);
    TensorList roots, arriving, wanted;
    const auto add_root = [&](const Tensor& root, const Tensor& gradient) {
        if (!gradient.defined()) return;
        roots.push_back(root);
        arriving.push_back(gradient);
    };
    add_root(outputs.output, gradients[0]);
    if (kind.cell == RecurrentCell::lstm) add_root(outputs.cell, gradients[1]);
    const TensorList all = in.list();
    for (size_t i = 0; i < all.size(); ++i)
        if (needs[i]) wanted.push_back(all[i]);
    const TensorList found = run_backward(roots, arriving, wanted,
                                          {.retain_graph = true, .create_graph = true, .accumulate = false});
    Gradients results(all.size());
    for (size_t i = 0, next = 0; i < all.size(); ++i)
        if (needs[i]) results[i] = found[next++];
    return results;
}

kernels::RecurrentProblem problem_of(const Inputs& in, Kind kind) {
    kernels::RecurrentProblem p;
    p.dtype = in.projected.dtype();
    p.cell = kind.cell;
    p.reverse = kind.reverse;
    p.narrow = kind.narrow;
    p.steps = in.projected.size(0);
    p.batch = in.projected.size(1);
    p.hidden = in.projected.size(2) / kernels::gate_count(kind.cell);
    p.state = in.weight.size(1);
    p.projected = data_or_null(in.projected);
    p.first_hidden = data_or_null(in.hidden);
    p.first_cell = data_or_null(in.cell);
    p.weight = data_or_null(in.weight);
    p.bias = data_or_null(in.bias);
    return p;
}

// What the forward pass leaves, for the gradient what every step does.
struct Record {
    Tensor output, kept, cells;
    bool every_step = true;
    kernels::RecurrentRecord raw() const {
        return {data_or_null(output), data_or_null(kept), data_or_null(cells), every_step};
    }
};

Record new_record(const Inputs& in, RecurrentCell cell, bool every_step) {
    Dims sizes = in.projected.sizes();
    const int64_t hidden = sizes[2] / kernels::gate_count(cell);
    const auto blocks = [&](int64_t count) {
        sizes[2] = count * hidden;
        return empty(sizes, options_of(in.projected));
    };
    Record record{blocks(1), {}, {}, every_step};
    if (!every_step) sizes[0] = 1;
    if (kernels::kept_count(cell) > 0) record.kept = blocks(kernels::kept_count(cell));
    if (cell == RecurrentCell::lstm) record.cells = blocks(1);
    return record;
}

int64_t work_of(const Inputs& in) {
    return in.projected.numel() * in.weight.size(1);
}

// The weight's gradient is a sum over all steps: one product of what reached the states' projections with
// the states before.
Tensor weight_gradient(const Tensor& first_hidden, const Tensor& output, const Tensor& recurrent, Kind kind) {
    if (kind.narrow) {
        const auto halved = [](const Tensor& tensor) { return to(tensor, DType::bfloat16); };
        kind.narrow = false;
        return to(weight_gradient(halved(first_hidden), halved(output), halved(recurrent), kind),
                  DType::float32);
    }
    const int64_t steps = output.size(0), rest = steps - 1, first = kind.reverse ? rest : 0;
    const auto rows = [](const Tensor& tensor) {
        return view(tensor, Dims{tensor.size(0) * tensor.size(1), tensor.size(2)});
    };
    const Tensor start = mm(transpose(select(recurrent, 0, first), 0, 1), first_hidden);
    if (rest == 0) return start;
    return addmm(start, transpose(rows(narrow(recurrent, 0, kind.reverse ? 0 : 1, rest)), 0, 1),
                 rows(narrow(output, 0, kind.reverse ? 1 : 0, rest)));
}

Gradients kernel_gradients(const Inputs& in, Kind kind, const Record& record, const Gradients& gradients,
                           const Needs& needs) {
    const auto fresh = [](const Tensor& like) { return empty(like.sizes(), options_of(like)); };
    const Tensor projected = fresh(in.projected), hidden = fresh(in.hidden),
                 cell = in.cell.defined() ? fresh(in.cell) : Tensor();
    const Tensor recurrent = kind.cell == RecurrentCell::gru ? fresh(in.projected) : projected;
    if (projected.numel() > 0 && !projected.is_meta()) {
        const auto dense = [](const Tensor& gradient) {
            return gradient.defined() ? contiguous_data(gradient) : Tensor();
        };
        const Tensor output = dense(gradients[0]), last = dense(in.cell.defined() ? gradients[1] : Tensor());
        const GilRelease released(work_of(in));
        kernels::recurrent_kernels().backward(
            problem_of(in, kind), record.raw(),
            {data_or_null(output), data_or_null(last), data_or_null(projected), data_or_null(recurrent),
             data_or_null(hidden), data_or_null(cell)});
    }
    Gradients results{projected, hidden, cell, Tensor(), Tensor()};
    if (needs[3]) results[3] = weight_gradient(in.hidden, record.output, recurrent, kind);
    if (in.bias.defined() && needs[4]) results[4] = sum(recurrent, Dims{0, 1});
    return results;
}

// One place for what all cells share. `name` is the node's.
Outputs run_sequence(const char* name, const Inputs& given, Kind kind) {
    check_inputs(given, kind.cell);
    if (is_reduced_floating(given.projected.dtype())) {  // worked on as float32
        const DType dtype = given.projected.dtype();
        kind.narrow = dtype == DType::bfloat16;
        const Outputs wide =
            run_sequence(name, each(given, [](const Tensor& t) { return to(t, DType::float32); }), kind);
        return {to(wide.output, dtype), wide.cell.defined() ? to(wide.cell, dtype) : Tensor()};
    }
    const Inputs in = each(given, [](const Tensor& tensor) { return contiguous(tensor); });
    const bool every_step = gradients_wanted(in.list());
    const Record record = new_record(in, kind.cell, every_step);
    if (record.output.numel() > 0 && !record.output.is_meta()) {
        const GilRelease released(work_of(in));
        kernels::recurrent_kernels().forward(problem_of(in, kind), record.raw());
    }
    TensorList outputs{record.output};
    if (kind.cell == RecurrentCell::lstm) {
        const GradientsEnabled off(false);
        const int64_t last = every_step && !kind.reverse ? in.projected.size(0) - 1 : 0;
        outputs.push_back(clone(select(record.cells, 0, last)));
    }
    rl::record(name, in.list(), outputs, [&] {
        TensorList list = in.list();
        std::vector<Saved> saved;
        for (const Tensor& tensor : list) saved.push_back(tensor.defined() ? Saved(tensor) : Saved());
        return [saved, output = Saved(record.output), kept = record.kept, cells = record.cells, kind](
                   const Gradients& gradients, const Needs& needs) -> Gradients {
            TensorList list;
            for (const Saved& one : saved) list.push_back(one.defined() ? one.get() : Tensor());
            const Inputs in = Inputs::of(list);
            if (autograd_mode.gradients) return composed_gradients(in, kind, gradients, needs);
            return kernel_gradients(in, kind, {output.get(), kept, cells}, gradients, needs);
        };
    });
    return {outputs[0], outputs.size() > 1 ? outputs[1] : Tensor()};
}

std::tuple<Tensor, Tensor> lstm_sequence(const Tensor& projected, const Tensor& hidden, const Tensor& cell,
                                         const Tensor& weight, bool reverse) {
    const Outputs outputs = run_sequence("LstmSequenceBackward0", {projected, hidden, cell, weight, {}},
                                         {RecurrentCell::lstm, reverse});
    return {outputs.output, outputs.cell};
}
Tensor gru_sequence(const Tensor& projected, const Tensor& hidden, const Tensor& weight, const Tensor& bias,
                    bool reverse) {
    return run_sequence("GruSequenceBackward0", {projected, hidden, {}, weight, bias},
                        {RecurrentCell::gru, reverse})
        .output;
}
template <RecurrentCell cell>
Tensor plain_sequence(const Tensor& projected, const Tensor& hidden, const Tensor& weight, bool reverse) {
    return run_sequence("RnnSequenceBackward0", {projected, hidden, {}, weight, {}}, {cell, reverse}).output;
}

constexpr OperatorOptions sequence_options(const char* doc) {
    return {.variants = 0, .doc = doc, .dtypes = "floating"};
}

const Register lstm_sequence_op{
    "_lstm_sequence(Tensor projected, Tensor hidden, Tensor cell, Tensor weight, bool reverse=False) -> "
    "(Tensor, Tensor)",
    lstm_sequence, sequence_options(R"(
One direction of one LSTM layer (Hochreiter and Schmidhuber, 1997) from its projected inputs (L, N, 4H), biases
included, its first states (N, H) and its recurrent weight (4H, H): the hidden states (L, N, H) and the last cell state
(N, H). For one step the hidden state may have another width than H. Raises RuntimeError where shapes do not fit.

>>> zeros = torch.zeros
>>> torch._C._lstm_sequence(zeros(5, 2, 12), zeros(2, 3), zeros(2, 3), zeros(12, 3))[0].shape
torch.Size([5, 2, 3])
)")};
const Register gru_sequence_op{
    "_gru_sequence(Tensor projected, Tensor hidden, Tensor weight, Tensor? bias=None, bool reverse=False) -> "
    "Tensor",
    gru_sequence, sequence_options(R"(
One direction of one GRU layer (Cho et al., 2014) from its projected inputs (L, N, 3H), its first state (N, H) and its
recurrent weight (3H, H) and bias: the hidden states (L, N, H). Raises RuntimeError where shapes do not fit.

>>> zeros = torch.zeros
>>> torch._C._gru_sequence(zeros(5, 2, 9), zeros(2, 3), zeros(9, 3)).shape
torch.Size([5, 2, 3])
)")};
const Register tanh_sequence_op{
    "_rnn_tanh_sequence(Tensor projected, Tensor hidden, Tensor weight, bool reverse=False) -> Tensor",
    plain_sequence<RecurrentCell::plain_tanh>, sequence_options(R"(
One direction of a plain recurrent layer (Elman, 1990), h' = tanh(projected + W h), from projected inputs (L, N, H),
biases included, the first state (N, H) and the weight (H, H): the hidden states (L, N, H). Raises RuntimeError where
shapes do not fit.

>>> torch._C._rnn_tanh_sequence(torch.zeros(5, 2, 3), torch.zeros(2, 3), torch.zeros(3, 3)).shape
torch.Size([5, 2, 3])
)")};
const Register relu_sequence_op{
    "_rnn_relu_sequence(Tensor projected, Tensor hidden, Tensor weight, bool reverse=False) -> Tensor",
    plain_sequence<RecurrentCell::plain_relu>,
    sequence_options("As `_rnn_tanh_sequence`, with ReLU in place of tanh.")};

}  // namespace
}  // namespace rl::ops
