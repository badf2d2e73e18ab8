// Recurrent layers over whole sequences: LSTM (Hochreiter and Schmidhuber, 1997), GRU (Cho et al., 2014) and
// the plain cell (Elman, 1990), given the inputs' part of the gates for all steps.
#pragma once

#include <cstdint>

#include "core/dtype.h"
#include "kernels/dispatch.h"

namespace rl::kernels {

enum class RecurrentCell : uint8_t { plain_tanh, plain_relu, lstm, gru };

// Blocks of `hidden` numbers in a row: of what each step projects from its input and its last state, and of
// what it leaves for the gradient. LSTM: input, forget, candidate, output. GRU: reset, update, the state's
// part of the candidate, and, left besides, the candidate.
constexpr int64_t gate_count(RecurrentCell cell) {
    return cell == RecurrentCell::lstm ? 4 : cell == RecurrentCell::gru ? 3 : 1;
}
constexpr int64_t kept_count(RecurrentCell cell) {
    return cell == RecurrentCell::lstm || cell == RecurrentCell::gru ? 4 : 0;
}

// All arrays are contiguous. More steps than one need state == hidden.
struct RecurrentProblem {
    DType dtype = DType::float32;  // or float64
    RecurrentCell cell = RecurrentCell::plain_tanh;
    bool narrow = false;   // states and weight are multiplied as bfloat16, whose numbers the weight has
    bool reverse = false;  // from the last step to the first
    int64_t steps = 0, batch = 0, hidden = 0;
    int64_t state = 0;                   // columns of the weight
    const void* projected = nullptr;     // [steps, batch, gates * hidden]
    const void* first_hidden = nullptr;  // [batch, state]
    const void* first_cell = nullptr;    // [batch, hidden], for LSTM
    const void* weight = nullptr;        // [gates * hidden, state]
    const void* bias = nullptr;          // [gates * hidden], for GRU; null for none
};

// output [steps, batch, hidden]; kept [steps, batch, kept_count * hidden]; for LSTM cells [steps, batch,
// hidden]. What no gradient will read needs room for one step alone, that of the last.
struct RecurrentRecord {
    void* output = nullptr;
    void* kept = nullptr;
    void* cells = nullptr;
    bool every_step = true;  // of kept and cells
};

// From the gradients of the output and, for LSTM, of the last cell state (null for zero): those of
// `projected` and of the first states, and, where it differs from the first (GRU), of the state's
// projections.
struct RecurrentGradients {
    const void* output = nullptr;
    const void* last_cell = nullptr;
    void* projected = nullptr;
    void* recurrent = nullptr;  // may be `projected`, except for GRU
    void* first_hidden = nullptr;
    void* first_cell = nullptr;
};

struct RecurrentKernels {
    void (*forward)(const RecurrentProblem&, const RecurrentRecord&);
    void (*backward)(const RecurrentProblem&, const RecurrentRecord&, const RecurrentGradients&);
};
const RecurrentKernels& recurrent_kernels();

}  // namespace rl::kernels
