// Running the graph backward.
//
// Nodes wait in a heap ordered by the sequence numbers that they were made with: a consumer is always younger
// than what it consumes, so the youngest waiting node has all of its gradient.
#include "autograd/engine.h"

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "autograd/operators.h"
#include "core/error.h"
#include "core/mode.h"
#include "core/object.h"

namespace rl {
namespace {

[[gnu::tls_model("initial-exec")]] thread_local Node* executing = nullptr;

class Executing {
  public:
    explicit Executing(Node* node) : previous_(std::exchange(executing, node)) {}
    ~Executing() { executing = previous_; }
    Executing(const Executing&) = delete;
    Executing& operator=(const Executing&) = delete;

  private:
    Node* previous_;
};

// What a hook returns replaces the gradient, unless it is None.
void call_hook(PyObject* callable, Tensor& gradient) {
    PyObject* const argument = gradient.defined() ? gradient.object() : Py_None;
    PyObject* const result = PyObject_CallOneArg(callable, argument);
    if (result == nullptr) throw PythonError();
    if (result != Py_None) {
        if (!PyObject_TypeCheck(result, &tensor_type)) {
            const std::string given = Py_TYPE(result)->tp_name;
            Py_DECREF(result);
            raise<TypeError>("hook returned a value that is not a Tensor: ", given);
        }
        gradient = Tensor::borrow(result);
    }
    Py_DECREF(result);
}

PyObject* to_tuple(const Gradients& gradients) {
    PyObject* const tuple = PyTuple_New(static_cast<Py_ssize_t>(gradients.size()));
    if (tuple == nullptr) throw PythonError();
    for (size_t i = 0; i < gradients.size(); ++i) {
        PyObject* const item = gradients[i].defined() ? gradients[i].object() : Py_None;
        Py_INCREF(item);
        PyTuple_SET_ITEM(tuple, static_cast<Py_ssize_t>(i), item);
    }
    return tuple;
}

// Takes a hook's result, a tuple of tensors and Nones (or one alone), in place of the gradients.
void replace_gradients(PyObject* result, Gradients& gradients) {
    if (result == Py_None) return;
    const bool several = PyTuple_Check(result);
    const size_t count = several ? static_cast<size_t>(PyTuple_GET_SIZE(result)) : 1;
    check(count == gradients.size(), "hook has returned an incorrect number of values (got ", count,
          ", but expected ", gradients.size(), ")");
    for (size_t i = 0; i < count; ++i) {
        PyObject* const item = several ? PyTuple_GET_ITEM(result, static_cast<Py_ssize_t>(i)) : result;
        if (item == Py_None) {
            gradients[i] = Tensor();
        } else {
            check<TypeError>(PyObject_TypeCheck(item, &tensor_type),
                             "hook must return None or a Tensor, but got ", Py_TYPE(item)->tp_name);
            gradients[i] = Tensor::borrow(item);
        }
    }
}

struct Waiting : KeepsMemory {
    uint64_t sequence;
    Ref<Node> node;
    Gradients gradients;
};

// When inputs are given: where their gradients are caught, and the nodes that lead there.
struct Selection {
    std::vector<Edge> edges;
    TensorList captured;
    std::unordered_set<Node*> leading;
    std::unordered_set<Node*> capturing;

    bool wants(Node* node) const { return capturing.contains(node) || leading.contains(node); }
};

class Backward {
  public:
    explicit Backward(const BackwardOptions& options) : options_(options) {}

    void select_inputs(TensorSpan roots, TensorSpan inputs);
    void add(const Edge& edge, Tensor gradient);
    void run();
    TensorList take_results(TensorSpan inputs);

  private:
    static bool older(const std::unique_ptr<Waiting>& a, const std::unique_ptr<Waiting>& b) {
        return a->sequence < b->sequence;
    }
    Waiting* find(Node* node);
    void run_node(Waiting& waiting);
    void run_before_hooks(Waiting& waiting);
    void capture(Waiting& waiting);
    Gradients call(Waiting& waiting);
    void propagate(Node& node, const Gradients& gradients);
    Tensor fit(Tensor gradient, const Edge& edge, const Node& from, size_t position) const;
    void check_nan(const Node& node, const Gradients& gradients) const;

    BackwardOptions options_;
    std::vector<std::unique_ptr<Waiting>> heap_;
    std::vector<std::unique_ptr<Waiting>> spare_;
    std::optional<std::unordered_map<Node*, Waiting*>> index_;  // once many nodes wait
    std::optional<Selection> selection_;
};

void Backward::select_inputs(TensorSpan roots, TensorSpan inputs) {
    Selection& selection = selection_.emplace();
    for (const Tensor& input : inputs) {
        check(requires_grad(input), "One of the differentiated Tensors does not require grad");
        selection.edges.push_back(gradient_edge(input));
        selection.capturing.insert(selection.edges.back().node.get());
    }
    selection.captured.resize(inputs.size());
    // A node leads to an input when one of its edges goes to a capturing or leading node: depth first,
    // post-order.
    std::unordered_set<Node*> seen;
    std::vector<std::pair<Node*, size_t>> stack;
    for (const Tensor& root : roots) {
        Node* const start = gradient_edge(root).node.get();
        if (start != nullptr && seen.insert(start).second) stack.emplace_back(start, 0);
        // One root wholly before the next, so that a node that has been seen has been judged.
        while (!stack.empty()) {
            auto& [node, next] = stack.back();
            if (next < node->edges.size()) {
                Node* const target = node->edges[next++].node.get();
                if (target != nullptr && seen.insert(target).second) stack.emplace_back(target, 0);
                continue;
            }
            for (const Edge& edge : node->edges) {
                if (selection.wants(edge.node.get())) selection.leading.insert(node);
            }
            stack.pop_back();
        }
    }
}

Waiting* Backward::find(Node* node) {
    constexpr size_t few = 8;
    if (heap_.size() <= few) {
        for (const auto& waiting : heap_) {
            if (waiting->node.get() == node) return waiting.get();
        }
        return nullptr;
    }
    if (!index_) {
        index_.emplace();
        for (const auto& waiting : heap_) index_->emplace(waiting->node.get(), waiting.get());
    }
    const auto found = index_->find(node);
    return found == index_->end() ? nullptr : found->second;
}

void Backward::add(const Edge& edge, Tensor gradient) {
    Node* const node = edge.node.get();
    Waiting* waiting = find(node);
    if (waiting == nullptr) {
        std::unique_ptr<Waiting> fresh;
        if (spare_.empty()) {
            fresh = std::make_unique<Waiting>();
        } else {
            fresh = std::move(spare_.back());
            spare_.pop_back();
        }
        waiting = fresh.get();
        waiting->sequence = node->sequence;
        waiting->node = edge.node;
        waiting->gradients.resize(node->outputs.size());
        heap_.push_back(std::move(fresh));
        std::push_heap(heap_.begin(), heap_.end(), older);
        if (index_) index_->emplace(node, waiting);
    }
    Tensor& sum = waiting->gradients[edge.index];
    if (!sum.defined()) {
        sum = std::move(gradient);
    } else {
        sum = autograd_operators.add(sum, gradient);
    }
}

void Backward::run() {
    while (!heap_.empty()) {
        std::pop_heap(heap_.begin(), heap_.end(), older);
        std::unique_ptr<Waiting> waiting = std::move(heap_.back());
        heap_.pop_back();
        if (index_) index_->erase(waiting->node.get());
        run_node(*waiting);
        waiting->node = nullptr;
        waiting->gradients.clear();
        spare_.push_back(std::move(waiting));
    }
}

void Backward::run_node(Waiting& waiting) {
    Node& node = *waiting.node;
    run_before_hooks(waiting);
    if (selection_) {
        const bool captured = selection_->capturing.contains(&node);
        if (captured) capture(waiting);
        const bool accumulates = options_.accumulate && captured && node.variable() != nullptr;
        if (!accumulates && !selection_->leading.contains(&node)) return;
    }
    bool any = false;
    for (const Tensor& gradient : waiting.gradients) any = any || gradient.defined();
    if (!any) return;
    const Gradients results = call(waiting);
    propagate(node, results);
}

void Backward::run_before_hooks(Waiting& waiting) {
    Node& node = *waiting.node;
    if (PyObject* const leaf = node.variable(); leaf != nullptr) {
        const Tensor tensor = Tensor::borrow(leaf);
        if (variable(tensor)->hooks.empty() || !waiting.gradients[0].defined()) return;
        const std::vector<NodeHooks::Entry> hooks = variable(tensor)->hooks;
        for (const NodeHooks::Entry& hook : hooks) call_hook(hook.callable, waiting.gradients[0]);
        return;
    }
    if (!node.hooks) return;
    for (auto& [index, entries] : node.hooks->tensor) {
        if (!waiting.gradients[index].defined()) continue;
        const std::vector<NodeHooks::Entry> hooks = entries;
        for (const NodeHooks::Entry& hook : hooks) call_hook(hook.callable, waiting.gradients[index]);
    }
    const std::vector<NodeHooks::Entry> before = node.hooks->before;
    for (const NodeHooks::Entry& hook : before) {
        PyObject* const arguments = to_tuple(waiting.gradients);
        PyObject* const result = PyObject_CallOneArg(hook.callable, arguments);
        Py_DECREF(arguments);
        if (result == nullptr) throw PythonError();
        replace_gradients(result, waiting.gradients);
        Py_DECREF(result);
    }
    for (const auto& [index, reference] : node.hooks->retained) {
        const Object object = Object::check(PyObject_CallNoArgs(reference));  // the tensor, or None
        if (object.get() == Py_None || !waiting.gradients[index].defined()) continue;
        const Tensor tensor = Tensor::borrow(object.get());
        Tensor& grad = make_variable(tensor).grad;
        grad = grad.defined() ? autograd_operators.add(grad, waiting.gradients[index])
                              : waiting.gradients[index];
    }
}

void Backward::capture(Waiting& waiting) {
    for (size_t i = 0; i < selection_->edges.size(); ++i) {
        const Edge& edge = selection_->edges[i];
        if (edge.node == waiting.node) selection_->captured[i] = waiting.gradients[edge.index];
    }
}

void warn_of_traceback(const Node& node) {
    if (node.traceback == nullptr) return;
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyObject* const separator = PyUnicode_FromString("");
    PyObject* const text = separator == nullptr ? nullptr : PyUnicode_Join(separator, node.traceback);
    const char* const lines = text == nullptr ? nullptr : PyUnicode_AsUTF8(text);
    if (lines != nullptr) {
        PyErr_WarnFormat(PyExc_UserWarning, 1,
                         "Error detected in %s. Traceback of forward call that caused the error:\n%s",
                         node.name().c_str(), lines);
    }
    Py_XDECREF(text);
    Py_XDECREF(separator);
    PyErr_Restore(type, value, trace);
}

Gradients Backward::call(Waiting& waiting) {
    Node& node = *waiting.node;
    const Executing scope(&node);
    const bool has_after_hooks = node.hooks && !node.hooks->after.empty();
    const Gradients incoming = has_after_hooks ? waiting.gradients : Gradients();
    try {
        Gradients results = node.apply(std::move(waiting.gradients));
        if (!options_.retain_graph) node.release_saved();
        if (has_after_hooks) {
            const std::vector<NodeHooks::Entry> after = node.hooks->after;
            for (const NodeHooks::Entry& hook : after) {
                PyObject* const inputs = to_tuple(results);
                PyObject* const outputs = to_tuple(incoming);
                PyObject* const result =
                    PyObject_CallFunctionObjArgs(hook.callable, inputs, outputs, nullptr);
                Py_DECREF(inputs);
                Py_DECREF(outputs);
                if (result == nullptr) throw PythonError();
                replace_gradients(result, results);
                Py_DECREF(result);
            }
        }
        if (autograd_mode.anomaly && autograd_mode.anomaly_check_nan) check_nan(node, results);
        return results;
    } catch (...) {
        if (autograd_mode.anomaly) warn_of_traceback(node);
        throw;
    }
}

void Backward::check_nan(const Node& node, const Gradients& gradients) const {
    for (size_t i = 0; i < gradients.size(); ++i) {
        check(!gradients[i].defined() || !autograd_operators.has_nan(gradients[i]), "Function '", node.name(),
              "' returned nan values in its ", i, "th output.");
    }
}

void Backward::propagate(Node& node, const Gradients& gradients) {
    for (size_t i = 0; i < gradients.size() && i < node.edges.size(); ++i) {
        const Edge& edge = node.edges[i];
        if (!edge.is_valid() || !gradients[i].defined()) continue;
        if (selection_ && !selection_->wants(edge.node.get())) continue;
        add(edge, fit(gradients[i], edge, node, i));
    }
}

// Brings a gradient into the shape and type of what it is the gradient of.
Tensor Backward::fit(Tensor gradient, const Edge& edge, const Node& from, size_t position) const {
    const OutputInfo& wanted = edge.node->outputs[edge.index];
    if (gradient.sizes() != wanted.sizes) {
        check(can_broadcast_to(wanted.sizes, gradient.sizes()), "Function ", from.name(),
              " returned an invalid gradient at index ", position, " - got ", to_string(gradient.sizes()),
              " but expected shape compatible with ", to_string(wanted.sizes));
        gradient = autograd_operators.sum_to_size(gradient, wanted.sizes);
    }
    // What is real has the real part of a complex gradient: the other part is no direction that it can take.
    if (is_complex(gradient.dtype()) && !is_complex(wanted.dtype))
        gradient = autograd_operators.real(gradient);
    if (gradient.dtype() != wanted.dtype) gradient = autograd_operators.to_dtype(gradient, wanted.dtype);
    return gradient;
}

TensorList Backward::take_results(TensorSpan inputs) {
    if (!selection_) return {};
    TensorList& captured = selection_->captured;
    if (!options_.accumulate) {
        for (size_t i = 0; i < captured.size(); ++i) {
            check(captured[i].defined() || options_.allow_unused,
                  "One of the differentiated Tensors appears to not have been used in the graph. Set "
                  "allow_unused=True if this is the desired behavior.");
        }
        return std::move(captured);
    }
    for (size_t i = 0; i < captured.size(); ++i) {
        if (!captured[i].defined() || selection_->edges[i].node->variable() != nullptr) continue;
        Tensor& grad = make_variable(inputs[i]).grad;
        grad = grad.defined() ? autograd_operators.add(grad, captured[i]) : captured[i];
    }
    return {};
}

// The gradient to start from: what was given, checked, or one for a single element.
Tensor root_gradient(const Tensor& root, const Tensor& given) {
    check(requires_grad(root), "element 0 of tensors does not require grad and does not have a grad_fn");
    if (!given.defined()) {
        check(root.numel() == 1, "grad can be implicitly created only for scalar outputs");
        check(is_floating(root.dtype()),
              "grad can be implicitly created only for real scalar outputs but got torch.",
              info(root.dtype()).name);
        return autograd_operators.ones_like(root);
    }
    check(given.sizes() == root.sizes(), "Mismatch in shape: grad_output[0] has a shape of torch.Size(",
          to_string(given.sizes()), ") and output[0] has a shape of torch.Size(", to_string(root.sizes()),
          ").");
    check(is_complex(given.dtype()) == is_complex(root.dtype()),
          "For complex Tensors, both grad_output and output are required to have the same dtype. Mismatch in "
          "dtype: "
          "grad_output[0] has a dtype of torch.",
          info(given.dtype()).name, " and output[0] has a dtype of torch.", info(root.dtype()).name, ".");
    return given.dtype() == root.dtype() ? given : autograd_operators.to_dtype(given, root.dtype());
}

}  // namespace

Node* executing_node() {
    return executing;
}

TensorList run_backward(TensorSpan roots, TensorSpan gradients, TensorSpan inputs,
                        const BackwardOptions& options) {
    std::vector<Tensor> starts;
    for (size_t i = 0; i < roots.size(); ++i) {
        starts.push_back(root_gradient(roots[i], i < gradients.size() ? gradients[i] : Tensor()));
    }
    const GradientsEnabled recording(options.create_graph);
    Backward backward(options);
    if (!inputs.empty()) backward.select_inputs(roots, inputs);
    for (size_t i = 0; i < roots.size(); ++i) backward.add(gradient_edge(roots[i]), std::move(starts[i]));
    backward.run();
    return backward.take_results(inputs);
}

}  // namespace rl
