// Recording operations, saving tensors for gradients, and writing in place.
#include "autograd/record.h"

#include "autograd/operators.h"

namespace rl {
namespace detail {
namespace {

[[gnu::tls_model("initial-exec")]] thread_local Recording* current_recording = nullptr;

}  // namespace

Recording::Recording(Node* node) : node_(node), previous_(std::exchange(current_recording, this)) {}
Recording::~Recording() {
    current_recording = previous_;
}
Node* Recording::node() {
    return current_recording == nullptr ? nullptr : current_recording->node_;
}
void Recording::count_saved() {
    if (current_recording != nullptr) ++current_recording->saved_;
}

void add_input_edges(Node& node, TensorSpan inputs) {
    for (const Tensor& input : inputs) {
        node.edges.push_back(input.defined() && is_differentiable(input.dtype()) ? gradient_edge(input)
                                                                                 : Edge{});
    }
}

}  // namespace detail

Saved::Saved(const Tensor& tensor) {
    if (!tensor.defined()) return;
    check(!tensor->inference || autograd_mode.inference,
          "Inference tensors cannot be saved for backward. Please do not use Tensors created in inference "
          "mode in "
          "computation tracked by autograd. To work around this, you can make a clone to get a normal tensor "
          "and "
          "use it in autograd, or use `torch.no_grad()` instead of `torch.inference_mode()`.");
    detail::Recording::count_saved();
    tensor_ = tensor;
    node_ = grad_fn(tensor);
    leaf_ = !node_;
    if (node_) output_index_ = variable(tensor)->output_index;
    if (node_ &&
        node_.get() == detail::Recording::node()) {  // its own output: a counted reference would be a cycle
        own_node_ = node_.get();
        node_ = nullptr;
        tensor_ = alias(tensor);
    }
    if (tensor->overwritten) {
        const GradientsEnabled disabled(false);
        tensor_ = autograd_operators.clone(tensor);
        if (leaf_ && requires_grad(tensor)) leaf_ = false;
    }
    version_ = tensor_.version();
}

Tensor Saved::get() const {
    if (!tensor_.defined()) return tensor_;
    if (tensor_.version() != version_) {
        const Node* const maker = own_node_ != nullptr ? own_node_ : node_.get();
        const std::string origin =
            maker == nullptr ? "" : message(", which is output ", output_index_, " of ", maker->name(), ",");
        raise(
            "one of the variables needed for gradient computation has been modified by an inplace operation: "
            "[",
            describe(tensor_), "]", origin, " is at version ", tensor_.version(), "; expected version ",
            version_, " instead. Hint: ",
            autograd_mode.anomaly
                ? "the backtrace further above shows the operation that failed to compute its gradient. The "
                  "variable in question was changed in there or anywhere later. Good luck!"
                : "enable anomaly detection to find the operation that failed to compute its gradient, with "
                  "torch.autograd.set_detect_anomaly(True).");
    }
    if (own_node_ == nullptr) {
        if (leaf_) return tensor_;
        const Variable* const state = variable(tensor_);
        if (state != nullptr && state->grad_fn == node_) return tensor_;
    }
    Tensor result = alias(tensor_);
    Ref<Node> node = own_node_ != nullptr ? Ref<Node>(own_node_) : node_;
    if (node) set_history(result, std::move(node), output_index_);
    return result;
}

void mark_view(const Tensor& self, const Tensor& view, ViewKind kind) {
    view->inference = self->inference;
    if (self->inference) return;
    TensorImpl* const base = self->base != nullptr ? self->base : self.impl();
    Py_INCREF(reinterpret_cast<PyObject*>(base));
    view->base = base;
    view->view_kind = autograd_mode.gradients ? kind : ViewKind::no_grad;
    if (self->view_kind > ViewKind::differentiable) view->view_kind = self->view_kind;
    view->view_version = self.version();
}

void check_writable(const Tensor& self, bool wanted) {
    check(self.is_contiguous() || !may_overlap_itself(self.sizes(), self.strides()),
          "unsupported operation: more than one element of the written-to tensor refers to a single memory "
          "location. "
          "Please clone() the tensor before performing the operation.");
    check(!self->inference || autograd_mode.inference,
          "Inplace update to inference tensor outside InferenceMode is not allowed.You can make a clone to "
          "get a "
          "normal tensor before doing inplace update.See https://github.com/pytorch/rfcs/pull/17 for more "
          "details.");
    if (!autograd_mode.gradients) return;
    const bool has_history = requires_grad(self);
    if (has_history && is_leaf(self)) {
        raise(self->base != nullptr && self->view_kind == ViewKind::differentiable
                  ? "a view of a leaf Variable"
                  : "a leaf Variable",
              " that requires grad is being used in an in-place operation.");
    }
    if (self->base == nullptr) return;
    const Tensor base = Tensor::borrow(reinterpret_cast<PyObject*>(self->base));
    if (!wanted && !has_history && !requires_grad(base)) return;
    if (self->view_kind == ViewKind::multiple_output) {
        const std::string maker = has_history ? grad_fn(self)->name() : "Unbind";
        raise("Output ", has_history ? variable(self)->output_index : 0, " of ",
              maker.substr(0, maker.find("Backward")),
              " is a view and is being modified inplace. This view is the output of a function that returns "
              "multiple "
              "views. Such functions do not allow the output views to be modified inplace. You should "
              "replace the "
              "inplace operation by an out-of-place one.");
    }
    check(self->view_kind != ViewKind::no_grad,
          "A view was created in no_grad mode and is being modified inplace with grad mode enabled. Given "
          "that this "
          "use case is ambiguous and error-prone, it is forbidden. You can clarify your code by moving both "
          "the view "
          "and the inplace either both inside the no_grad block (if you don't want the inplace to be "
          "tracked) or both "
          "outside (if you want the inplace to be tracked).");
    check(!requires_grad(base) || !is_leaf(base),
          "a view of a leaf Variable that requires grad is being used in an in-place operation.");
}

Tensor before_write(const Tensor& self) {
    Tensor original = alias(self);
    if (const Edge edge = gradient_edge(self); edge.is_valid()) set_history(original, edge.node, edge.index);
    original->overwritten = true;
    return original;
}

namespace {

// Gradient of a write through a view: what flows to the base minus the part written, and that part to the
// result.
class CopySlices final : public Node {
  public:
    CopySlices(const Tensor& base, const Tensor& view, const Tensor& result)
        : sizes_(view.sizes()),
          strides_(view.strides()),
          base_strides_(base.strides()),
          offset_(view.offset() - base.offset()) {
        edges.push_back(gradient_edge(base));
        edges.push_back(gradient_edge(result));
    }
    std::string name() const override { return "CopySlices"; }
    Gradients apply(Gradients gradients) override {
        if (!gradients[0].defined()) return {Tensor(), Tensor()};
        const Tensor whole = autograd_operators.clone_strided(gradients[0], base_strides_);
        const Tensor written = autograd_operators.as_strided(whole, sizes_, strides_, offset_);
        const Tensor to_result = autograd_operators.clone(written);
        autograd_operators.zero_in_place(written);
        return {whole, to_result};
    }

  private:
    Dims sizes_, strides_, base_strides_;
    int64_t offset_;
};

}  // namespace

void rebase_history(const Tensor& self, const Tensor& result) {
    if (self->base == nullptr || self->view_kind != ViewKind::differentiable) {
        if (const Edge edge = gradient_edge(result); edge.is_valid()) {
            set_history(self, edge.node, edge.index);
        } else if (Variable* const state = variable(self); state != nullptr && state->grad_fn) {
            state->grad_fn = nullptr;
        }
        return;
    }
    const Tensor base = Tensor::borrow(reinterpret_cast<PyObject*>(self->base));
    if (!requires_grad(result) && !requires_grad(base)) return;
    const Ref<Node> node(new CopySlices(base, self, result));
    attach_output(node, base);
    self->view_version = self.version() - 1;  // its own history follows the base's when next asked for
}

Tensor write_in_place(const Tensor& self, const std::function<Tensor(const Tensor&)>& compute) {
    const bool tracked = autograd_mode.gradients && requires_grad(self);
    check_writable(self, tracked);
    Tensor result = compute(autograd_mode.gradients ? before_write(self) : self);
    check_keeps_shape(self.sizes(), result.sizes());
    check_can_cast(result.dtype(), self.dtype());
    const bool recorded = autograd_mode.gradients && (tracked || requires_grad(result));
    if (recorded) {
        check_writable(self, true);
        if (result.dtype() != self.dtype()) result = autograd_operators.to_dtype(result, self.dtype());
    }
    if (!self.is_meta()) autograd_operators.copy_data(self, result);
    self.bump_version();
    if (recorded) rebase_history(self, result);
    return self;
}

}  // namespace rl
