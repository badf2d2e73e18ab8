// The engine of pointwise operators: promotion, broadcasting, memory, kernel, graph.
#include "ops/pointwise.h"

#include <algorithm>
#include <cstring>

#include "core/gil.h"

namespace rl::ops {
namespace {

using kernels::Compute;

class PointwiseNode final : public Node {
  public:
    explicit PointwiseNode(const PointwiseRule& rule) : rule_(rule) {}
    std::string name() const override { return rule_.node; }

    void save(TensorSpan inputs, const Tensor& result, const Parameters& parameters, DType dtype,
              unsigned uses) {
        const detail::Recording recording(this);
        for (size_t i = 0; i < inputs.size(); ++i) {
            if ((uses & (1u << i)) != 0) saved_.inputs[i] = Saved(inputs[i]);
        }
        if ((uses & uses_result) != 0) saved_.output = Saved(result);
        saved_.parameters = parameters;
        saved_.dtype = dtype;
        saves_ = recording.saved() > 0;
    }

    Gradients apply(Gradients gradients) override {
        if (released_) raise_released();
        Gradients results;
        for (size_t i = 0; i < edges.size(); ++i) {
            const InputGradient& gradient = rule_.gradients[i];
            results.push_back(edges[i].is_valid() && gradient.compute != nullptr
                                  ? gradient.compute(gradients[0], saved_)
                                  : Tensor());
        }
        return results;
    }

    void release_saved() override {
        if (!saves_) return;
        released_ = true;
        saved_.inputs = {};
        saved_.output = {};
    }

  private:
    const PointwiseRule& rule_;
    PointwiseSaved saved_;
    bool saves_ = false;
    bool released_ = false;
};

DType common_dtype(const PointwiseRule& rule, TensorSpan inputs) {
    const size_t first = rule.kernel == Pointwise::where ? 1 : 0;
    DType dtype = inputs[first].dtype();
    bool uniform = !inputs[first].is_wrapped_number();
    for (size_t i = first + 1; i < inputs.size(); ++i) {
        uniform = uniform && inputs[i].dtype() == dtype && !inputs[i].is_wrapped_number();
    }
    if (!uniform) dtype = result_type(inputs.subspan(first));
    if (rule.promotion == Promotion::to_float && is_integral(dtype, true)) dtype = default_dtype();
    return dtype;
}

DType result_dtype(const PointwiseRule& rule, DType common) {
    switch (rule.promotion) {
        case Promotion::boolean:
            return DType::boolean;
        case Promotion::to_real:
            return to_real(common);
        default:
            break;
    }
    const Compute compute = kernels::compute_type(common);
    const Compute result = kernels::result_compute(rule.kernel, compute);
    if (result == compute) return common;
    return kernels::dtype_of_compute(result);
}

std::string_view rule_name(const PointwiseRule& rule) {
    const std::string_view schema = rule.schema;
    return schema.substr(0, schema.find_first_of(".("));
}

Device common_device(const PointwiseRule& rule, TensorSpan inputs) {
    const Tensor* chosen = &inputs[0];
    for (const Tensor& input : inputs) {
        if (chosen->is_wrapped_number() || (chosen->dim() == 0 && input.dim() > 0)) chosen = &input;
    }
    for (const Tensor& input : inputs) {
        if (input.device().type == chosen->device().type || input.dim() == 0) continue;
        raise("Expected all tensors to be on the same device, but found at least two devices, ",
              to_string(chosen->device()), " and ", to_string(input.device()),
              "! (when checking argument in method wrapper_CPU_", rule_name(rule), ")");
    }
    return chosen->device();
}

Dims common_sizes(TensorSpan inputs) {
    Dims sizes = inputs[0].sizes();
    for (size_t i = 1; i < inputs.size(); ++i) {
        if (inputs[i].sizes() != sizes) sizes = broadcast(sizes, inputs[i].sizes());
    }
    return sizes;
}

// New memory for a result: contiguous, or in the order of dimensions of the first input that has all of them.
Tensor allocate_result(TensorSpan inputs, const Dims& sizes, DType dtype, Device device) {
    for (const Tensor& input : inputs) {
        if (input.sizes() != sizes) continue;
        if (input.is_contiguous()) break;
        return empty_strided(sizes, strides_like(sizes, input.strides()), {dtype, device});
    }
    return empty(sizes, {dtype, device});
}

bool same_geometry(const Tensor& a, const Tensor& b) {
    return a.offset() == b.offset() && a.sizes() == b.sizes() && a.strides() == b.strides() &&
           item_size(a.dtype()) == item_size(b.dtype());
}

bool shares_elsewhere(const Tensor& input, const Tensor& target) {
    return input->storage.get() == target->storage.get() && !same_geometry(input, target);
}

// An input that shares memory with the target in a way that is hard to follow is read from a copy.
Tensor separate(const Tensor& input, const Tensor& target) {
    check_overlap(input, target);
    const Tensor copy = empty_like(input);
    copy_data(copy, input);
    copy->wrapped_number = input.is_wrapped_number();
    return copy;
}

// Whether storing in a type changes what was computed: an out= tensor of a wider type must not skip that.
bool rounds_or_wraps(DType dtype) {
    return item_size(dtype) < 4 && dtype != DType::boolean;
}

// `result` is the type that the rule gives for `common`; the target may be of another.
void run_kernel(const PointwiseRule& rule, TensorSpan inputs, DType common, DType result,
                const Parameters& parameters, const Tensor& target) {
    const Compute compute = kernels::compute_type(common);
    if (!kernels::supports(rule.kernel, compute)) {
        raise<NotImplemented>("\"", rule_name(rule), "_cpu\" not implemented for '", info(common).scalar_name,
                              "'");
    }
    if (target.is_meta() || target.numel() == 0) return;
    if (result != target.dtype() && rounds_or_wraps(result)) {
        const Tensor staged = empty(target.sizes(), {result, target.device()});
        run_kernel(rule, inputs, common, result, parameters, staged);
        return copy_data(target, staged);
    }
    std::array<Dims, 3> strides;
    std::array<kernels::Operand, 3> operands;
    std::array<Tensor, 3> separated;
    for (size_t i = 0; i < inputs.size(); ++i) {
        const bool apart = !shares_elsewhere(inputs[i], target);
        if (!apart) separated[i] = separate(inputs[i], target);
        const Tensor& input = apart ? inputs[i] : separated[i];
        const bool same_shape = input.sizes() == target.sizes();
        if (!same_shape) strides[i] = broadcast_strides(input.sizes(), input.strides(), target.sizes());
        operands[i] = {input.raw_data(), input.dtype(),
                       same_shape ? input.strides().data() : strides[i].data()};
    }
    const kernels::Operand output{target.raw_data(), target.dtype(), target.strides().data()};
    bool fine;
    {
        const GilRelease released(target.numel());
        fine =
            kernels::run_one(rule.kernel, compute, parameters, static_cast<int>(target.dim()),
                             target.sizes().data(), output, operands.data(), static_cast<int>(inputs.size()));
    }
    check(fine, "ZeroDivisionError");
}

unsigned needed_uses(const PointwiseRule& rule, TensorSpan inputs) {
    unsigned uses = 0;
    for (size_t i = 0; i < inputs.size(); ++i) {
        if (requires_grad(inputs[i])) uses |= rule.gradients[i].uses;
    }
    return uses;
}

void record_pointwise(const PointwiseRule& rule, TensorSpan inputs, const Tensor& result,
                      const Parameters& parameters, DType common) {
    auto* const pointwise = new PointwiseNode(rule);
    const Ref<Node> node(pointwise);
    detail::add_input_edges(*pointwise, inputs);
    attach_output(node, result);
    pointwise->save(inputs, result, parameters, common, needed_uses(rule, inputs));
}

bool differentiable(const PointwiseRule& rule, DType result) {
    return rule.gradients[0].compute != nullptr || rule.gradients[1].compute != nullptr ||
                   rule.gradients[2].compute != nullptr
               ? is_differentiable(result)
               : false;
}

Tensor pointwise_in_place(const PointwiseRule& rule, TensorSpan inputs, const Parameters& parameters,
                          const Tensor& self, const Dims& sizes, DType common, DType result) {
    const bool wanted = differentiable(rule, self.dtype()) && gradients_wanted(inputs);
    check_writable(self, wanted);
    check_keeps_shape(self.sizes(), sizes);
    check_can_cast(result, self.dtype());
    TensorList recorded;
    if (wanted) {
        recorded.assign(inputs.begin(), inputs.end());
        const unsigned uses = needed_uses(rule, inputs);
        for (size_t i = 0; i < recorded.size(); ++i) {
            if (!recorded[i].is_same(self)) continue;
            const Edge edge = gradient_edge(self);
            recorded[i] = alias(self);
            if ((uses & (1u << i)) != 0) {
                recorded[i] = empty_like(self);
                copy_data(recorded[i], self);
            }
            if (edge.is_valid()) set_history(recorded[i], edge.node, edge.index);
        }
    }
    run_kernel(rule, inputs, common, result, parameters, self);
    self.bump_version();
    if (wanted) {
        const Tensor written = alias(self);
        record_pointwise(rule, recorded, written, parameters, common);
        rebase_history(self, written);
    }
    return self;
}

}  // namespace

void check_overlap(const Tensor& input, const Tensor& target) {
    if (input->storage.get() != target->storage.get()) return;
    if (!is_dense(input.sizes(), input.strides()) || !is_dense(target.sizes(), target.strides())) return;
    const int64_t first = input.offset() * item_size(input.dtype()),
                  begin = target.offset() * item_size(target.dtype());
    const int64_t last = first + input.numel() * item_size(input.dtype());
    const int64_t end = begin + target.numel() * item_size(target.dtype());
    const bool apart = last <= begin || end <= first || first == last || begin == end;
    const bool same = first == begin && last == end && input.strides() == target.strides();
    check(apart || same,
          "unsupported operation: some elements of the input tensor and the written-to tensor refer to a "
          "single memory "
          "location. Please clone() the tensor before performing the operation.");
}

void prepare_out(const Tensor& out, IntSpan sizes, DType result) {
    check_can_cast(result, out.dtype());
    check(
        !autograd_mode.gradients || !requires_grad(out),
        "out=... arguments don't support automatic differentiation, but one of the arguments requires grad.");
    if (out.sizes() == Dims(sizes)) {
        check_writable(out, false);
        return;
    }
    if (out.numel() != 0 &&
        PyErr_WarnFormat(
            PyExc_UserWarning, 1,
            "An output with one or more elements was resized since it had shape %s, which does not match "
            "the required output shape %s. This behavior is deprecated, and in a future PyTorch release "
            "outputs will not be resized unless they have zero elements. You can explicitly reuse an out "
            "tensor t by resizing it, inplace, to zero elements with t.resize_(0).",
            std::string(to_string(out.sizes())).c_str(), std::string(to_string(sizes)).c_str()) != 0) {
        throw PythonError();
    }
    resize_in_place(out, sizes);
}

Tensor pointwise(const PointwiseRule& rule, TensorSpan inputs, const Parameters& parameters,
                 const Destination& destination) {
    const DType common = common_dtype(rule, inputs);
    const DType result = result_dtype(rule, common);
    const Device device = common_device(rule, inputs);
    const Dims sizes = common_sizes(inputs);
    if (destination.kind == Destination::Kind::in_place) {
        return pointwise_in_place(rule, inputs, parameters, destination.tensor, sizes, common, result);
    }
    if (destination.kind == Destination::Kind::out) {
        check(!gradients_wanted(inputs), rule_name(rule),
              "(): functions with out=... arguments don't support automatic differentiation, but one of the "
              "arguments "
              "requires grad.");
        const Tensor& out = destination.tensor;
        TensorList separated(inputs.begin(), inputs.end());
        if (out.sizes() != sizes) {
            for (Tensor& input : separated) {
                if (input->storage.get() == out->storage.get()) input = alias(input);
            }
        }
        prepare_out(out, sizes, result);
        run_kernel(rule, separated, common, result, parameters, out);
        out.bump_version();
        return out;
    }
    Tensor output = allocate_result(inputs, sizes, result, device);
    run_kernel(rule, inputs, common, result, parameters, output);
    if (differentiable(rule, result) && gradients_wanted(inputs)) {
        record_pointwise(rule, inputs, output, parameters, common);
    }
    return output;
}

Parameters parameters_of(std::initializer_list<Scalar> values) {
    Parameters parameters;
    size_t i = 0;
    for (const Scalar& value : values) {
        parameters.value[i] = value.to_complex();
        parameters.integer[i] = value.to_int();
        ++i;
    }
    return parameters;
}

namespace {

PyObject* invoke_rule(const void* target, PyObject* const* arguments, const Destination& destination) {
    const PointwiseRule& rule = *static_cast<const PointwiseRule*>(target);
    std::array<Tensor, 3> inputs;
    const int count = kernels::input_count(rule.kernel);
    for (int i = 0; i < count; ++i) inputs[i] = from_python<Tensor>(arguments[i]);
    return to_python(pointwise(rule, TensorSpan(inputs.data(), count), Parameters(), destination));
}

}  // namespace

PointwiseOperator::PointwiseOperator(const PointwiseRule& given, std::source_location where)
    : PointwiseFunction(given) {
    const OperatorOptions options{.variants = rule().variants,
                                  .doc = rule().doc,
                                  .differentiable = rule().gradients[0].compute != nullptr};
    Register::add(rule().schema, &rule(), &invoke_rule, true, kernels::input_count(rule().kernel), options,
                  where);
}

namespace {

PointwiseRule renamed(PointwiseRule rule, const char* schema) {
    rule.schema = schema;
    return rule;
}

}  // namespace

PointwiseOperator::PointwiseOperator(const char* schema, const PointwiseOperator& original,
                                     std::source_location where)
    : PointwiseOperator(renamed(original.rule(), schema), where) {}

void copy_data(const Tensor& target, const Tensor& source) {
    check(can_broadcast_to(source.sizes(), target.sizes()), "The size of tensor a (",
          to_string(target.sizes()), ") must match the size of tensor b (", to_string(source.sizes()), ")");
    if (target.is_meta() || source.is_meta() || target.numel() == 0) return;
    const GilRelease released(target.numel());
    if (source.is_contiguous() && target.is_contiguous() && source.numel() == target.numel()) {
        return kernels::convert_contiguous(target.numel(), target.raw_data(), target.dtype(),
                                           source.raw_data(), source.dtype());
    }
    const Dims strides = broadcast_strides(source.sizes(), source.strides(), target.sizes());
    const kernels::Operand output{target.raw_data(), target.dtype(), target.strides().data()};
    const kernels::Operand input{source.raw_data(), source.dtype(), strides.data()};
    kernels::convert(static_cast<int>(target.dim()), target.sizes().data(), output, input);
}

void fill_data(const Tensor& target, const Scalar& value) {
    if (target.is_meta() || target.numel() == 0) return;
    std::array<char, 16> element;
    write_scalar(element.data(), target.dtype(), value);
    const int64_t item = item_size(target.dtype());
    const bool zero =
        std::all_of(element.begin(), element.begin() + item, [](char byte) { return byte == 0; });
    constexpr int64_t few = 4096;
    if (zero && target.is_contiguous() && target.numel() <= few) {
        std::memset(target.raw_data(), 0, static_cast<size_t>(target.numel() * item));
        return;
    }
    const kernels::Operand output{target.raw_data(), target.dtype(), target.strides().data()};
    const GilRelease released(target.numel());
    kernels::fill(static_cast<int>(target.dim()), target.sizes().data(), output, element.data(),
                  target.dtype());
}

Tensor contiguous_data(const Tensor& self) {
    return contiguous_data(self, self.dtype());
}

Tensor contiguous_data(const Tensor& self, DType dtype) {
    if (self.is_contiguous() && self.dtype() == dtype) return self;
    const Tensor result = empty(self.sizes(), {dtype, self.device()});
    copy_data(result, self);
    return result;
}

}  // namespace rl::ops
