// Steps of optimizers over all parameters of a group: gradient descent, Adam and AdamW.
#include "kernels/optimizer.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/gil.h"
#include "core/threads.h"
#include "ops/pointwise.h"
#include "ops/registry.h"

namespace rl::ops {
namespace {

constexpr int64_t piece_size = 1 << 14;  // elements worth handing to another thread

void check_lists(const TensorList& parameters, std::initializer_list<const TensorList*> others) {
    for (const TensorList* list : others) {
        check(list->size() == parameters.size(), "Tensor lists must have the same number of tensors, got ",
              parameters.size(), " and ", list->size());
        for (size_t i = 0; i < parameters.size(); ++i)
            check((*list)[i].sizes() == parameters[i].sizes(),
                  "Tensors in the lists must have the same sizes, got ", to_string(parameters[i].sizes()),
                  " and ", to_string((*list)[i].sizes()));
    }
    for (const Tensor& parameter : parameters)
        check(is_floating(parameter.dtype()), "fused steps are for floating-point tensors, got ",
              info(parameter.dtype()).scalar_name);
}

// One tensor's memory as kernels take it: contiguous, of the type that the step computes in.
class Working {
  public:
    Working(const Tensor& tensor, DType dtype) : tensor_(tensor), copy_(contiguous_data(tensor, dtype)) {}
    char* data() const { return static_cast<char*>(copy_.raw_data()); }
    // Brings what was computed in a copy back, and counts the change.
    void finish() const {
        if (!copy_.is_same(tensor_) && copy_.raw_data() != tensor_.raw_data()) copy_data(tensor_, copy_);
        tensor_.bump_version();
    }

  private:
    Tensor tensor_, copy_;
};

// The tensors of one parameter: itself, then its state, which are written, and its gradient.
struct Entry {
    std::vector<Working> written;
    Tensor gradient;
    DType dtype;
    int64_t count;
};

std::vector<Entry> entries_of(const TensorList& parameters, const TensorList& gradients,
                              std::initializer_list<const TensorList*> states) {
    std::vector<Entry> entries;
    entries.reserve(parameters.size());
    for (size_t i = 0; i < parameters.size(); ++i) {
        const Tensor& parameter = parameters[i];
        if (parameter.is_meta() || parameter.numel() == 0) continue;
        const DType dtype = parameter.dtype() == DType::float64 ? DType::float64 : DType::float32;
        Entry entry{{}, contiguous_data(gradients[i], dtype), dtype, parameter.numel()};
        entry.written.emplace_back(parameter, dtype);
        for (const TensorList* state : states) entry.written.emplace_back((*state)[i], dtype);
        entries.push_back(std::move(entry));
    }
    return entries;
}

// Calls body(index of the entry, first element, count) for pieces of all entries, on all threads.
template <class Body>
void for_each_piece(const std::vector<Entry>& entries, Body&& body) {
    struct Piece {
        size_t entry;
        int64_t first, count;
    };
    std::vector<Piece> pieces;
    int64_t total = 0;
    for (size_t i = 0; i < entries.size(); ++i) {
        total += entries[i].count;
        for (int64_t first = 0; first < entries[i].count; first += piece_size)
            pieces.push_back({i, first, std::min(piece_size, entries[i].count - first)});
    }
    const auto count = static_cast<int64_t>(pieces.size());
    const GilRelease released(total);
    parallel_for(0, count, total < 2 * piece_size ? std::max<int64_t>(1, count) : 1,
                 [&](int64_t begin, int64_t end) {
                     for (; begin < end; ++begin) {
                         const Piece& piece = pieces[static_cast<size_t>(begin)];
                         body(piece.entry, piece.first, piece.count);
                     }
                 });
}

void finish(const std::vector<Entry>& entries) {
    for (const Entry& entry : entries)
        for (const Working& written : entry.written) written.finish();
}

void fused_sgd_(const TensorList& parameters, const TensorList& gradients, const TensorList& velocities,
                double weight_decay, double momentum, double rate, double dampening, bool nesterov,
                bool maximize, bool is_first_step) {
    const bool moves = !velocities.empty();
    const TensorList* const states = moves ? &velocities : &gradients;
    check_lists(parameters, {&gradients, states});
    const std::vector<Entry> entries =
        moves ? entries_of(parameters, gradients, {&velocities}) : entries_of(parameters, gradients, {});
    const kernels::DescentStep step{rate,     momentum, dampening,    weight_decay,
                                    nesterov, maximize, is_first_step};
    for_each_piece(entries, [&](size_t index, int64_t first, int64_t count) {
        const Entry& entry = entries[index];
        const int64_t offset = first * item_size(entry.dtype);
        kernels::optimizer_kernels().descend(step, entry.dtype, count, entry.written[0].data() + offset,
                                             static_cast<const char*>(entry.gradient.raw_data()) + offset,
                                             moves ? entry.written[1].data() + offset : nullptr);
    });
    finish(entries);
}

template <bool Decoupled>
void fused_adam_(const TensorList& parameters, const TensorList& gradients, const TensorList& means,
                 const TensorList& squares, const TensorList& greatest, const TensorList& counts, double rate,
                 double beta1, double beta2, double weight_decay, double eps, bool amsgrad, bool maximize) {
    check_lists(parameters, {&gradients, &means, &squares, amsgrad ? &greatest : &squares});
    check(counts.size() == parameters.size(), "Tensor lists must have the same number of tensors, got ",
          parameters.size(), " and ", counts.size());
    const std::vector<Entry> entries = amsgrad
                                           ? entries_of(parameters, gradients, {&means, &squares, &greatest})
                                           : entries_of(parameters, gradients, {&means, &squares});
    std::vector<kernels::AdamStep> steps;
    steps.reserve(entries.size());
    for (size_t i = 0; i < parameters.size(); ++i) {
        if (parameters[i].is_meta() || parameters[i].numel() == 0) continue;
        const double count = counts[i].item().to_double();
        steps.push_back({rate, beta1, beta2, weight_decay, eps, Decoupled, maximize,
                         1 - std::pow(beta1, count), 1 - std::pow(beta2, count)});
    }
    for_each_piece(entries, [&](size_t index, int64_t first, int64_t count) {
        const Entry& entry = entries[index];
        const int64_t offset = first * item_size(entry.dtype);
        kernels::optimizer_kernels().adam(steps[index], entry.dtype, count, entry.written[0].data() + offset,
                                          static_cast<const char*>(entry.gradient.raw_data()) + offset,
                                          entry.written[1].data() + offset, entry.written[2].data() + offset,
                                          amsgrad ? entry.written[3].data() + offset : nullptr);
    });
    finish(entries);
}

constexpr OperatorOptions steps(const char* doc) {
    return {.variants = 0, .doc = doc, .differentiable = false, .dtypes = "floating"};
}

const Register fused_sgd_op{
    "_fused_sgd_(Tensor[] self, Tensor[] grads, Tensor[] momentum_buffer_list, *, float weight_decay, "
    "float momentum, float lr, float dampening, bool nesterov, bool maximize, bool is_first_step) -> ()",
    fused_sgd_, steps(R"(
One step of stochastic gradient descent on all parameters: see `rushlight.optim.SGD`. The list of velocities is empty
without momentum. Raises RuntimeError where lists or sizes differ.
)")};
const Register fused_adam_op{
    "_fused_adam_(Tensor[] self, Tensor[] grads, Tensor[] exp_avgs, Tensor[] exp_avg_sqs, "
    "Tensor[] max_exp_avg_sqs, Tensor[] state_steps, *, float lr, float beta1, float beta2, float "
    "weight_decay, "
    "float eps, bool amsgrad, bool maximize) -> ()",
    fused_adam_<false>, steps(R"(
One step of Adam on all parameters: see `rushlight.optim.Adam`. The counts of steps have been raised before. Raises
RuntimeError where lists or sizes differ.
)")};
const Register fused_adamw_op{
    "_fused_adamw_(Tensor[] self, Tensor[] grads, Tensor[] exp_avgs, Tensor[] exp_avg_sqs, "
    "Tensor[] max_exp_avg_sqs, Tensor[] state_steps, *, float lr, float beta1, float beta2, float "
    "weight_decay, "
    "float eps, bool amsgrad, bool maximize) -> ()",
    fused_adam_<true>, steps("`_fused_adam_` with weight decay decoupled from the gradient.")};

}  // namespace
}  // namespace rl::ops
