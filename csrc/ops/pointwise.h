// Pointwise operators: one rule each (scalar function, promotion, gradient) and one engine for all of them.
//
//     const PointwiseOperator exp{{
//         .schema = "exp(Tensor self) -> Tensor",
//         .kernel = Pointwise::exp,
//         .promotion = Promotion::to_float,
//         .node = "ExpBackward0",
//         .gradients = {{{uses_result, [](const Tensor& grad, const PointwiseSaved& saved) {
//             return grad * conj(saved.result());
//         }}}},
//         .doc = "..."}};
//
// registers exp, exp_ and exp(out=), as functions and methods; in C++ `exp(tensor)` calls it.
#pragma once

#include <array>

#include "autograd/record.h"
#include "kernels/pointwise.h"
#include "ops/registry.h"

namespace rl::ops {

using kernels::Parameters;
using kernels::Pointwise;

// How the result's type follows from those of the inputs, after they have been promoted together.
enum class Promotion : uint8_t {
    same,      // the common type
    to_float,  // integers and bool become the default dtype
    to_real,   // to_float is not applied; complex becomes real (abs)
    boolean,   // a truth value (comparisons)
};

// What a gradient reads of the forward pass. Gradients that read nothing save nothing.
enum Uses : uint8_t { uses_nothing = 0, uses_first = 1, uses_second = 2, uses_third = 4, uses_result = 8 };

class PointwiseSaved {
  public:
    Tensor first() const { return inputs[0].get(); }
    Tensor second() const { return inputs[1].get(); }
    Tensor third() const { return inputs[2].get(); }
    Tensor result() const { return output.get(); }

    std::array<Saved, 3> inputs;
    Saved output;
    Parameters parameters;
    // Common dtype of the inputs after promotion.
    DType dtype = DType::float32;
};

// The gradient of one input: broadcast shape and promoted type are reduced to the input's by the engine.
struct InputGradient {
    unsigned uses = uses_nothing;
    Tensor (*compute)(const Tensor& grad, const PointwiseSaved& saved) = nullptr;  // null: not differentiable
};

struct PointwiseRule {
    const char*
        schema;  // "name(Tensor self[, Tensor|Scalar other])": only tensors, see `pointwise` for attributes
    Pointwise kernel;
    Promotion promotion = Promotion::same;
    const char* node = "";
    std::array<InputGradient, 3> gradients = {};
    unsigned variants = function | method | in_place | out;
    const char* doc = "";
};

// Runs a rule: promotion, broadcasting, memory, kernel, graph. For operators with attributes or several
// forms, write a C++ function that ends in this call, and register that.
Tensor pointwise(const PointwiseRule& rule, TensorSpan inputs, const Parameters& parameters = {},
                 const Destination& destination = {});
inline Tensor pointwise(const PointwiseRule& rule, std::initializer_list<Tensor> inputs,
                        const Parameters& parameters = {}, const Destination& destination = {}) {
    return pointwise(rule, TensorSpan(inputs.begin(), inputs.size()), parameters, destination);
}

// Attributes from Python numbers: value[i] and integer[i] of the i-th.
Parameters parameters_of(std::initializer_list<Scalar> values);

// A rule, callable on its inputs: tensors or numbers.
class PointwiseFunction {
  public:
    explicit PointwiseFunction(const PointwiseRule& rule) : rule_(rule) {}
    template <class... T>
    Tensor operator()(const T&... inputs) const {
        return pointwise(rule_, {input(inputs)...});
    }
    const PointwiseRule& rule() const { return rule_; }

  private:
    static const Tensor& input(const Tensor& tensor) { return tensor; }
    static Tensor input(const Scalar& number) { return wrap_number(number); }

    PointwiseRule rule_;
};

// The same, registered as an operator.
class PointwiseOperator : public PointwiseFunction {
  public:
    explicit PointwiseOperator(const PointwiseRule& rule,
                               std::source_location where = std::source_location::current());
    // Another name of the same operator.
    PointwiseOperator(const char* schema, const PointwiseOperator& original,
                      std::source_location where = std::source_location::current());
};

// Throws Error with PyTorch's wording where writing `target` would change elements of `input` that are still
// to be read: both are dense, share memory, and are not the same element by element.
void check_overlap(const Tensor& input, const Tensor& target);

// Writes `source`, broadcast and converted, into the memory of `target`; knows nothing of gradients.
void copy_data(const Tensor& target, const Tensor& source);
// Sets every element of the memory of `target`; knows nothing of gradients.
void fill_data(const Tensor& target, const Scalar& value);
// A contiguous tensor of the same values off the graph: `self` itself if it is contiguous already.
Tensor contiguous_data(const Tensor& self);
// The same with a given type.
Tensor contiguous_data(const Tensor& self, DType dtype);

// Checks an out= tensor against a result and gives it the result's shape; throws with PyTorch's wording.
void prepare_out(const Tensor& out, IntSpan sizes, DType result_dtype);

}  // namespace rl::ops
