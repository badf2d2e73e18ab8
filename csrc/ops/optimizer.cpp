// Fused steps of optimizers: one call updates a list of parameters in place, off the graph.
#include "kernels/optimizer.h"

#include "core/gil.h"
#include "ops/pointwise.h"
#include "ops/registry.h"

namespace rl::ops {
namespace {

// The arrays of one parameter, all in the parameter's order of memory: those that are not are worked on as
// copies and written back.
class Aligned {
  public:
    explicit Aligned(const Tensor& parameter) : parameter_(parameter) {
        check(is_floating(parameter.dtype()), "fused optimizers need floating-point parameters, got ",
              info(parameter.dtype()).scalar_name);
        check(!is_dense(parameter.sizes(), parameter.strides())
                  ? !may_overlap_itself(parameter.sizes(), parameter.strides())
                  : true,
              "unsupported operation: some elements of the parameter share memory");
    }
    void* add(const Tensor& tensor, bool written) {
        check(tensor.sizes() == parameter_.sizes(), "expected the state of a parameter of shape ",
              to_string(parameter_.sizes()), " to have that shape, but got ", to_string(tensor.sizes()));
        const bool fits = tensor.dtype() == parameter_.dtype() && tensor.strides() == order();
        Tensor used = tensor;
        if (!fits) {
            used = empty_strided(tensor.sizes(), order(), options_of(parameter_));
            copy_data(used, tensor);
            if (written) copies_.emplace_back(tensor, used);
        }
        if (written) tensor.bump_version();
        kept_.push_back(used);
        return used.raw_data();
    }
    void write_back() const {
        for (const auto& [tensor, copy] : copies_) copy_data(tensor, copy);
    }

  private:
    Dims order() const {
        return is_dense(parameter_.sizes(), parameter_.strides()) ? parameter_.strides()
                                                                  : contiguous_strides(parameter_.sizes());
    }

    const Tensor& parameter_;
    TensorList kept_;
    std::vector<std::pair<Tensor, Tensor>> copies_;
};

void check_lengths(const TensorList& self, std::initializer_list<const TensorList*> others) {
    for (const TensorList* const other : others) {
        check(other->size() == self.size(), "expected lists of one length, got ", self.size(), " and ",
              other->size());
    }
}

void fused_sgd(const TensorList& self, const TensorList& grads, const TensorList& momentum_buffer_list,
               double weight_decay, double momentum, double lr, double dampening, bool nesterov,
               bool maximize, bool is_first_step) {
    check_lengths(self, {&grads});
    if (momentum != 0) check_lengths(self, {&momentum_buffer_list});
    const kernels::SgdStep step{lr, momentum, dampening, weight_decay, nesterov, maximize, is_first_step};
    for (size_t i = 0; i < self.size(); ++i) {
        Aligned arrays(self[i]);
        void* const parameter = arrays.add(self[i], true);
        const void* const gradient = arrays.add(grads[i], false);
        void* const velocity = momentum != 0 ? arrays.add(momentum_buffer_list[i], true) : nullptr;
        if (!self[i].is_meta()) {
            const GilRelease released(self[i].numel());
            kernels::sgd_step(self[i].dtype(), self[i].numel(), parameter, gradient, velocity, step);
        }
        arrays.write_back();
    }
}

template <bool decoupled>
void fused_adam(const TensorList& self, const TensorList& grads, const TensorList& exp_avgs,
                const TensorList& exp_avg_sqs, const TensorList& max_exp_avg_sqs,
                const TensorList& state_steps, double lr, double beta1, double beta2, double weight_decay,
                double eps, bool amsgrad, bool maximize) {
    check_lengths(self, {&grads, &exp_avgs, &exp_avg_sqs, &state_steps});
    if (amsgrad) check_lengths(self, {&max_exp_avg_sqs});
    for (size_t i = 0; i < self.size(); ++i) {
        const kernels::AdamStep step{lr,           beta1,   beta2,
                                     weight_decay, eps,     state_steps[i].item().to_double(),
                                     decoupled,    amsgrad, maximize};
        Aligned arrays(self[i]);
        void* const parameter = arrays.add(self[i], true);
        const void* const gradient = arrays.add(grads[i], false);
        void* const average = arrays.add(exp_avgs[i], true);
        void* const square = arrays.add(exp_avg_sqs[i], true);
        void* const largest = amsgrad ? arrays.add(max_exp_avg_sqs[i], true) : nullptr;
        if (!self[i].is_meta()) {
            const GilRelease released(self[i].numel());
            kernels::adam_step(self[i].dtype(), self[i].numel(), parameter, gradient, average, square,
                               largest, step);
        }
        arrays.write_back();
    }
}

constexpr OperatorOptions step_options{
    .variants = 0,
    .doc = "One step of an optimizer over a list of parameters, in place; `rushlight.optim` calls it.",
    .differentiable = false,
    .dtypes = "floating"};
const Register fused_sgd_op{
    "_fused_sgd_(Tensor(a!)[] self, Tensor[] grads, Tensor[] momentum_buffer_list, *, float weight_decay, "
    "float "
    "momentum, float lr, float dampening, bool nesterov, bool maximize, bool is_first_step) -> ()",
    fused_sgd, step_options};
const Register fused_adam_op{
    "_fused_adam_(Tensor(a!)[] self, Tensor[] grads, Tensor[] exp_avgs, Tensor[] exp_avg_sqs, Tensor[] "
    "max_exp_avg_sqs, Tensor[] state_steps, *, float lr, float beta1, float beta2, float weight_decay, float "
    "eps, bool "
    "amsgrad, bool maximize) -> ()",
    fused_adam<false>, step_options};
const Register fused_adamw_op{
    "_fused_adamw_(Tensor(a!)[] self, Tensor[] grads, Tensor[] exp_avgs, Tensor[] exp_avg_sqs, Tensor[] "
    "max_exp_avg_sqs, Tensor[] state_steps, *, float lr, float beta1, float beta2, float weight_decay, float "
    "eps, bool "
    "amsgrad, bool maximize) -> ()",
    fused_adam<true>, step_options};

}  // namespace
}  // namespace rl::ops
