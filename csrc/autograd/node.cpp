// Nodes, their lifetime, and what tensors know of the graph.
#include "autograd/node.h"

#include <mutex>

#include "autograd/operators.h"
#include "core/error.h"
#include "core/gil.h"
#include "core/mode.h"

namespace rl {

AutogradOperators autograd_operators;

namespace {

uint64_t next_sequence = 1;
int64_t next_hook = 1;

// The traceback of the Python code that is running, for anomaly mode.
PyObject* current_traceback() {
    PyObject* const module = PyImport_ImportModule("traceback");
    if (module == nullptr) throw PythonError();
    PyObject* const lines = PyObject_CallMethod(module, "format_stack", nullptr);
    Py_DECREF(module);
    if (lines == nullptr) throw PythonError();
    return lines;
}

// Holds a mutex whose holders may release the GIL meanwhile: it is not waited for with the GIL, which they
// would wait for in turn.
class GilAwareLock {
  public:
    explicit GilAwareLock(std::mutex& mutex) : lock_(mutex, std::try_to_lock) {
        if (lock_) return;
        PyThreadState* const state = PyEval_SaveThread();
        lock_.lock();
        detail::restore_thread(state);
    }

  private:
    std::unique_lock<std::mutex> lock_;
};

// Accumulates what arrives into the gradient of a leaf.
class AccumulateGrad final : public Node {
  public:
    explicit AccumulateGrad(const Tensor& tensor) : tensor_(tensor) {
        sequence = 0;  // runs when all that flows into the leaf has come together
        outputs.push_back({tensor.sizes(), tensor.dtype(), tensor.device()});
    }
    ~AccumulateGrad() override { rl::variable(tensor_)->accumulator = nullptr; }
    std::string name() const override { return "AccumulateGrad"; }
    PyObject* variable() const override { return tensor_.object(); }

    Gradients apply(Gradients gradients) override {
        if (gradients[0].defined()) {
            {
                const GilAwareLock alone(mutex_);  // other threads' graphs may lead to the same leaf
                accumulate(std::move(gradients[0]));
            }
            run_post_hooks();
        }
        return {};
    }

  private:
    void accumulate(Tensor gradient) const {
        Tensor& grad = rl::variable(tensor_)->grad;
        if (grad.defined()) {
            if (autograd_mode.gradients) {
                grad = autograd_operators.add(grad, gradient);
            } else {
                autograd_operators.add_in_place(grad, gradient);
            }
            return;
        }
        const bool sole_owner = Py_REFCNT(gradient.object()) == 1 && gradient->storage->references == 1 &&
                                Py_TYPE(gradient.object()) == &tensor_type;
        if (autograd_mode.gradients) {
            grad = sole_owner ? gradient : autograd_operators.clone(gradient);
        } else if (sole_owner && gradient.strides() == tensor_.strides()) {
            grad = requires_grad(gradient) ? detach(gradient) : std::move(gradient);
        } else {
            const Tensor own =
                tensor_.is_contiguous() ? empty(gradient.sizes(), options_of(gradient)) : empty_like(tensor_);
            autograd_operators.copy_data(own, gradient);
            grad = own;
        }
    }

    void run_post_hooks() const {
        const std::vector<NodeHooks::Entry> hooks = rl::variable(tensor_)->post_accumulate_hooks;
        for (const NodeHooks::Entry& hook : hooks) {
            PyObject* const result = PyObject_CallOneArg(hook.callable, tensor_.object());
            if (result == nullptr) throw PythonError();
            Py_DECREF(result);
        }
    }

    Tensor tensor_;
    std::mutex mutex_;
};

}  // namespace

Node::Node() : sequence(next_sequence++) {
    if (autograd_mode.anomaly) traceback = current_traceback();
}

Node::~Node() {
    Py_XDECREF(traceback);
}

void Node::destroy(Node* node) {
    static std::vector<Node*>& waiting = *new std::vector<Node*>();
    static bool draining = false;
    waiting.push_back(node);
    if (draining) return;
    draining = true;
    while (!waiting.empty()) {
        Node* const next = waiting.back();
        waiting.pop_back();
        delete next;
    }
    draining = false;
}

NodeHooks& Node::make_hooks() {
    if (!hooks) hooks = std::make_unique<NodeHooks>();
    return *hooks;
}

NodeHooks::~NodeHooks() {
    clear_hooks(before);
    clear_hooks(after);
    for (auto& [index, entries] : tensor) clear_hooks(entries);
    for (auto& [index, reference] : retained) Py_DECREF(reference);
}

Variable::~Variable() {
    clear_hooks(hooks);
    clear_hooks(post_accumulate_hooks);
}

int64_t add_hook(std::vector<NodeHooks::Entry>& hooks, PyObject* callable) {
    Py_INCREF(callable);
    hooks.push_back({next_hook, callable});
    return next_hook++;
}

void remove_hook(std::vector<NodeHooks::Entry>& hooks, int64_t id) {
    for (size_t i = 0; i < hooks.size(); ++i) {
        if (hooks[i].id != id) continue;
        PyObject* const callable = hooks[i].callable;
        hooks.erase(hooks.begin() + static_cast<ptrdiff_t>(i));
        Py_DECREF(callable);
        return;
    }
}

void clear_hooks(std::vector<NodeHooks::Entry>& hooks) {
    const std::vector<NodeHooks::Entry> dropped = std::exchange(hooks, {});
    for (const NodeHooks::Entry& hook : dropped) Py_DECREF(hook.callable);
}

Variable& make_variable(const Tensor& tensor) {
    if (!tensor->autograd) tensor->autograd = std::make_unique<Variable>();
    return *variable(tensor);
}

namespace {

Tensor base_of(const Tensor& view) {
    return Tensor::borrow(reinterpret_cast<PyObject*>(view->base));
}

}  // namespace

bool detail::has_stale_history(const Tensor& view) {
    return view->view_kind == ViewKind::differentiable && view->view_version != view.version() &&
           is_differentiable(view.dtype()) && requires_grad(base_of(view)) &&
           view.dtype() == view->base->dtype;
}

Ref<Node> grad_fn(const Tensor& tensor) {
    if (tensor->base != nullptr && detail::has_stale_history(tensor)) {
        const GradientsEnabled enabled(true);
        const Tensor fresh =
            autograd_operators.as_strided(base_of(tensor), tensor.sizes(), tensor.strides(), tensor.offset());
        set_history(tensor, variable(fresh)->grad_fn, variable(fresh)->output_index);
    }
    const Variable* const state = variable(tensor);
    return state == nullptr ? nullptr : state->grad_fn;
}

bool is_leaf(const Tensor& tensor) {
    return !grad_fn(tensor);
}

Edge gradient_edge(const Tensor& tensor) {
    if (Ref<Node> node = grad_fn(tensor)) return {std::move(node), variable(tensor)->output_index};
    Variable* const state = variable(tensor);
    if (state == nullptr || !state->requires_grad) return {};
    if (state->accumulator != nullptr) return {Ref<Node>(state->accumulator), 0};
    Ref<Node> node(new AccumulateGrad(tensor));
    state->accumulator = node.get();
    return {std::move(node), 0};
}

void set_history(const Tensor& tensor, Ref<Node> node, uint32_t output_index) {
    Variable& state = make_variable(tensor);
    state.grad_fn = std::move(node);
    state.output_index = output_index;
    tensor->view_version = tensor.version();
}

void attach_output(const Ref<Node>& node, const Tensor& output) {
    const auto index = static_cast<uint32_t>(node->outputs.size());
    node->outputs.push_back({output.sizes(), output.dtype(), output.device()});
    if (is_differentiable(output.dtype())) set_history(output, node, index);
}

void raise_released() {
    raise(
        "Trying to backward through the graph a second time (or directly access saved tensors after they "
        "have "
        "already been freed). Saved intermediate values of the graph are freed when you call .backward() or "
        "autograd.grad(). Specify retain_graph=True if you need to backward through the graph a second time "
        "or if you need to access saved tensors after calling backward.");
}

void set_requires_grad(const Tensor& tensor, bool wanted) {
    if (!wanted && (variable(tensor) == nullptr || !requires_grad(tensor))) return;
    check(is_leaf(tensor), "you can only change requires_grad flags of leaf variables.",
          wanted ? ""
                 : " If you want to use a computed variable in a subgraph that doesn't require "
                   "differentiation use var_no_grad = var.detach().");
    check(!wanted || is_differentiable(tensor.dtype()),
          "only Tensors of floating point and complex dtype can require gradients");
    check(!wanted || !tensor->inference || autograd_mode.inference,
          "Setting requires_grad=True on inference tensor outside InferenceMode is not allowed.");
    make_variable(tensor).requires_grad = wanted;
}

void retain_grad(const Tensor& tensor) {
    check(requires_grad(tensor), "can't retain_grad on Tensor that has requires_grad=False");
    const Ref<Node> node = grad_fn(tensor);
    if (!node || variable(tensor)->retains_grad) return;
    PyObject* const reference = PyWeakref_NewRef(tensor.object(), nullptr);
    if (reference == nullptr) throw PythonError();
    node->make_hooks().retained.emplace_back(variable(tensor)->output_index, reference);
    variable(tensor)->retains_grad = true;
}

Tensor detach(const Tensor& tensor) {
    Tensor result = alias(tensor);
    result->inference = tensor->inference;
    return result;
}

}  // namespace rl
