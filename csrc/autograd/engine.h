// Running the graph backward, on the calling thread.
#pragma once

#include "autograd/node.h"

namespace rl {

struct BackwardOptions {
    bool retain_graph = false;
    bool create_graph = false;
    // With inputs given: whether gradients are added to their .grad (backward) or returned (autograd.grad).
    bool accumulate = true;
    bool allow_unused = true;
};

// Backpropagates `gradients` (one for each root; undefined: ones, for roots of one element) to all leaves, or
// to `inputs` alone when there are any. Returns the inputs' gradients when they are not accumulated. Throws
// Error with PyTorch's wording; PythonError when a hook raised.
TensorList run_backward(TensorSpan roots, TensorSpan gradients, TensorSpan inputs,
                        const BackwardOptions& options);

}  // namespace rl
