// The graph of a computation: nodes that turn gradients of their outputs into gradients of their inputs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/inline_vector.h"
#include "core/tensor.h"

namespace rl {

class Node;

// Gradients, one for each output or input of a node; undefined ones stand for zeros.
using Gradients = InlineVector<Tensor, 3>;

// Where a gradient goes on: input `index` of `node` (that is, an output of the operation that made it).
struct Edge {
    Ref<Node> node;
    uint32_t index = 0;
    bool is_valid() const { return static_cast<bool>(node); }
};

// What a node knows of each output of its operation, to bring gradients into its shape and type.
struct OutputInfo {
    Dims sizes;
    DType dtype = DType::float32;
    Device device;
};

// Python callables attached to a node; made only when the first is registered.
struct NodeHooks {
    struct Entry {
        int64_t id;
        PyObject* callable;  // owned
    };
    std::vector<Entry> before;  // called with the gradients of the outputs
    std::vector<Entry> after;   // called with gradients of inputs and outputs
    std::vector<std::pair<uint32_t, std::vector<Entry>>> tensor;  // hooks of single outputs, in their order
    std::vector<std::pair<uint32_t, PyObject*>> retained;  // weak references of outputs that retain grads
    ~NodeHooks();
};

class Node : public Counted, public KeepsMemory {
  public:
    Node();
    virtual ~Node();
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;
    // Frees a node and all that only it keeps alive without recursion, however deep the graph.
    static void destroy(Node* node);

    // As PyTorch shows it: "MulBackward0".
    virtual std::string name() const = 0;
    // Gradients of the inputs from those of the outputs.
    virtual Gradients apply(Gradients gradients) = 0;
    // Drops what was saved for `apply`, when the graph is not retained.
    virtual void release_saved() {}
    // The leaf whose gradient this node accumulates, if that is what it does.
    virtual PyObject* variable() const { return nullptr; }

    bool needs_input_gradient(size_t index) const { return index < edges.size() && edges[index].is_valid(); }

    InlineVector<Edge, 2> edges;
    InlineVector<OutputInfo, 1> outputs;
    // Nodes run in descending order of these, so that consumers come before producers.
    uint64_t sequence;
    std::unique_ptr<NodeHooks> hooks;
    // The Python object that stands for this node (borrowed), and the anomaly mode's traceback (owned).
    PyObject* python_object = nullptr;
    PyObject* traceback = nullptr;

    NodeHooks& make_hooks();
};

// Throws Error as PyTorch words it: what a node saved for `apply` was freed by an earlier backward.
[[noreturn]] void raise_released();

// The node whose `apply` runs on this thread, and the one that is being recorded.
Node* executing_node();

// What autograd keeps with a tensor.
struct Variable final : AutogradState {
    Ref<Node> grad_fn;
    uint32_t output_index = 0;
    bool requires_grad = false;  // set by the user on a leaf
    bool retains_grad = false;
    Tensor grad;
    Node* accumulator = nullptr;          // the node that accumulates into grad (it clears this when it goes)
    std::vector<NodeHooks::Entry> hooks;  // on a leaf's gradient
    std::vector<NodeHooks::Entry> post_accumulate_hooks;  // after a leaf's gradient has been accumulated
    ~Variable() override;
};

inline Variable* variable(const Tensor& tensor) {
    return static_cast<Variable*>(tensor->autograd.get());
}
Variable& make_variable(const Tensor& tensor);

namespace detail {
// Whether an in-place write to the memory has made the history of this view out of date.
bool has_stale_history(const Tensor& view);
}  // namespace detail

inline bool requires_grad(const Tensor& tensor) {
    const Variable* const state = variable(tensor);
    if (state != nullptr && (state->requires_grad || state->grad_fn)) return true;
    return tensor->base != nullptr && detail::has_stale_history(tensor);
}
bool is_leaf(const Tensor& tensor);
// The node that made this tensor, if any; for views brought up to date with in-place writes to the base.
Ref<Node> grad_fn(const Tensor& tensor);
// Where gradients of this tensor go: its grad_fn, or for leaves the node that accumulates them.
Edge gradient_edge(const Tensor& tensor);
void set_history(const Tensor& tensor, Ref<Node> node, uint32_t output_index);
// Adds the tensor to the node's outputs and makes the node its grad_fn.
void attach_output(const Ref<Node>& node, const Tensor& output);

// User-facing setters; they throw Error with PyTorch's wording.
void set_requires_grad(const Tensor& tensor, bool requires_grad);
void retain_grad(const Tensor& tensor);
// The tensor off the graph, sharing memory and version count.
Tensor detach(const Tensor& tensor);

// Adds a callable to a list of hooks; returns the id by which it can be removed.
int64_t add_hook(std::vector<NodeHooks::Entry>& hooks, PyObject* callable);
void remove_hook(std::vector<NodeHooks::Entry>& hooks, int64_t id);
void clear_hooks(std::vector<NodeHooks::Entry>& hooks);

}  // namespace rl
