// How an operator puts itself on the graph.
//
//     Tensor exp(const Tensor& self) {
//         Tensor result = ...;
//         return record("ExpBackward0", {self}, result, [&] {
//             return [result = Saved(result)](const Tensor& grad) -> Gradients {
//                 return {grad * conj(result.get())};
//             };
//         });
//     }
//
// The outer lambda runs only when a gradient is wanted. The inner one is the gradient, written with
// differentiable operators so that second derivatives come free. It gives one gradient for each input
// (undefined for none); these may still have the broadcast shape or the promoted type, which the engine
// reduces to the input's. It may take a second argument, `const Needs& needs`, to leave out what is not asked
// for, and for several outputs takes `const Gradients&` in place of one gradient.
#pragma once

#include <functional>
#include <optional>
#include <utility>

#include "autograd/node.h"
#include "core/error.h"
#include "core/mode.h"

namespace rl {

// A tensor kept for the gradient: notices in-place changes since, and keeps its place on the graph.
class Saved {
  public:
    Saved() = default;
    explicit Saved(const Tensor& tensor);
    // The tensor as it was saved. Throws Error with PyTorch's wording when it was changed in place.
    Tensor get() const;
    bool defined() const { return tensor_.defined(); }

  private:
    Tensor tensor_;
    Ref<Node> node_;            // its grad_fn at that time
    Node* own_node_ = nullptr;  // when it is an output of the very node that saves it
    uint32_t output_index_ = 0;
    uint32_t version_ = 0;
    bool leaf_ = false;
};

// Which inputs of the executing node want a gradient.
class Needs {
  public:
    explicit Needs(const Node& node) : node_(node) {}
    bool operator[](size_t input) const { return node_.needs_input_gradient(input); }

  private:
    const Node& node_;
};

namespace detail {

// Marks the node being recorded, and counts what it saves.
class Recording {
  public:
    explicit Recording(Node* node);
    ~Recording();
    static Node* node();
    static void count_saved();
    int saved() const { return saved_; }

  private:
    Node* node_;
    Recording* previous_;
    int saved_ = 0;
};

template <class Backward>
class FunctionNode final : public Node {
  public:
    explicit FunctionNode(const char* name) : name_(name) {}
    ~FunctionNode() override = default;

    std::string name() const override { return name_; }

    template <class Make>
    void save(Make&& make) {
        Recording recording(this);
        backward_.emplace(make());
        saves_ = recording.saved() > 0;
    }

    Gradients apply(Gradients gradients) override {
        if (!backward_.has_value()) raise_released();
        if constexpr (std::is_invocable_v<Backward&, const Tensor&, const Needs&>) {
            return (*backward_)(gradients[0], Needs(*this));
        } else if constexpr (std::is_invocable_v<Backward&, const Tensor&>) {
            return (*backward_)(gradients[0]);
        } else if constexpr (std::is_invocable_v<Backward&, const Gradients&, const Needs&>) {
            return (*backward_)(gradients, Needs(*this));
        } else {
            return (*backward_)(gradients);
        }
    }

    void release_saved() override {
        if (saves_) backward_.reset();
    }

  private:
    const char* name_;
    bool saves_ = false;
    std::optional<Backward> backward_;
};

void add_input_edges(Node& node, TensorSpan inputs);

}  // namespace detail

inline bool gradients_wanted(TensorSpan inputs) {
    if (!autograd_mode.gradients) return false;
    for (const Tensor& input : inputs) {
        if (input.defined() && requires_grad(input)) return true;
    }
    return false;
}
inline bool gradients_wanted(std::initializer_list<Tensor> inputs) {
    return gradients_wanted(TensorSpan(inputs.begin(), inputs.size()));
}

// Puts outputs on the graph as results of an operation on `inputs`; see the head of this file.
template <class Make>
void record(const char* name, TensorSpan inputs, TensorSpan outputs, Make&& make) {
    if (!gradients_wanted(inputs)) return;
    using Backward = decltype(make());
    auto* const function = new detail::FunctionNode<Backward>(name);
    const Ref<Node> node(function);
    detail::add_input_edges(*function, inputs);
    for (const Tensor& output : outputs) attach_output(node, output);
    function->save(make);
}
template <class Make>
Tensor record(const char* name, TensorSpan inputs, Tensor output, Make&& make) {
    if (is_differentiable(output.dtype())) {
        record(name, inputs, TensorSpan(&output, 1), std::forward<Make>(make));
    }
    return output;
}
template <class Make>
Tensor record(const char* name, std::initializer_list<Tensor> inputs, Tensor output, Make&& make) {
    return record(name, TensorSpan(inputs.begin(), inputs.size()), std::move(output),
                  std::forward<Make>(make));
}
template <class Make>
void record(const char* name, std::initializer_list<Tensor> inputs, TensorSpan outputs, Make&& make) {
    record(name, TensorSpan(inputs.begin(), inputs.size()), outputs, std::forward<Make>(make));
}

// Makes `view`, an alias of the memory of `self`, a view of it: in-place writes to either reach the other's
// history. `kind` is for operators that give several views in one call.
void mark_view(const Tensor& self, const Tensor& view, ViewKind kind = ViewKind::differentiable);

template <class Make>
Tensor record_view(const char* name, const Tensor& self, Tensor view, Make&& make) {
    mark_view(self, view);
    return record(name, TensorSpan(&self, 1), std::move(view), std::forward<Make>(make));
}

// Writing in place. `check_writable` throws with PyTorch's wording where `self` must not be written (a leaf
// that requires grad, an expanded tensor, ...); `wanted` says that the operation will be recorded.
void check_writable(const Tensor& self, bool wanted);
// `self` as it is before the write, for recording: shares its memory and its place on the graph; if a
// gradient saves it, the values are copied.
Tensor before_write(const Tensor& self);
// After the write: `self` has the history of `result` (and its base, if `self` is a view, accordingly).
void rebase_history(const Tensor& self, const Tensor& result);

// In-place form of any operator: `self` takes the values and the history of compute(self as it was).
// Throws Error when the result has another shape or cannot be cast to the type of `self`.
Tensor write_in_place(const Tensor& self, const std::function<Tensor(const Tensor&)>& compute);

}  // namespace rl
