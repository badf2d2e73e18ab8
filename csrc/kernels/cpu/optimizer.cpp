// Optimizer loops: one pass over parameter, gradient and state, which the compiler vectorizes.
#include "kernels/optimizer.h"

#include <cmath>
#include <type_traits>

namespace rl::kernels::RUSHLIGHT_ISA {
namespace {

// Calls body with std::true_type or std::false_type, so that loops are compiled for each choice.
template <class Body>
void choose(bool condition, Body&& body) {
    if (condition)
        body(std::true_type{});
    else
        body(std::false_type{});
}

template <class Body>
void choose_float(DType dtype, Body&& body) {
    if (dtype == DType::float64)
        body(double{});
    else
        body(float{});
}

// The gradient as it counts: uphill turned downhill, with weight decay.
template <class T, class Decays>
T downhill(T gradient, T parameter, T sign, T decay, Decays) {
    const T turned = sign * gradient;
    return Decays::value ? turned + decay * parameter : turned;
}

template <class T, class Decays>
void descend_plainly(const DescentStep& step, int64_t count, T* __restrict parameter,
                     const T* __restrict gradient, Decays decays) {
    const T rate = static_cast<T>(step.rate), decay = static_cast<T>(step.weight_decay);
    const T sign = step.maximize ? T(-1) : T(1);
    for (int64_t i = 0; i < count; ++i)
        parameter[i] -= rate * downhill(gradient[i], parameter[i], sign, decay, decays);
}

template <class T, class Decays, class Nesterov, class First>
void descend_with_momentum(const DescentStep& step, int64_t count, T* __restrict parameter,
                           const T* __restrict gradient, T* __restrict velocity, Decays decays, Nesterov,
                           First) {
    const T rate = static_cast<T>(step.rate), decay = static_cast<T>(step.weight_decay);
    const T sign = step.maximize ? T(-1) : T(1);
    const T momentum = static_cast<T>(step.momentum), share = static_cast<T>(1 - step.dampening);
    for (int64_t i = 0; i < count; ++i) {
        const T slope = downhill(gradient[i], parameter[i], sign, decay, decays);
        const T speed = First::value ? slope : momentum * velocity[i] + share * slope;
        velocity[i] = speed;
        parameter[i] -= rate * (Nesterov::value ? slope + momentum * speed : speed);
    }
}

void descend(const DescentStep& step, DType dtype, int64_t count, void* parameter, const void* gradient,
             void* velocity) {
    choose_float(dtype, [&](auto zero) {
        using T = decltype(zero);
        T* const p = static_cast<T*>(parameter);
        const T* const g = static_cast<const T*>(gradient);
        T* const v = static_cast<T*>(velocity);
        choose(step.weight_decay != 0, [&](auto decays) {
            if (v == nullptr) return descend_plainly(step, count, p, g, decays);
            choose(step.nesterov, [&](auto nesterov) {
                choose(step.first, [&](auto first) {
                    descend_with_momentum(step, count, p, g, v, decays, nesterov, first);
                });
            });
        });
    });
}

template <class T, class Decays, class Greatest>
void adam_loop(const AdamStep& step, int64_t count, T* __restrict parameter, const T* __restrict gradient,
               T* __restrict mean, T* __restrict square, T* __restrict greatest, Decays decays, Greatest) {
    const T sign = step.maximize ? T(-1) : T(1), decay = static_cast<T>(step.weight_decay);
    const T shrinking = step.decoupled ? static_cast<T>(1 - step.rate * step.weight_decay) : T(1);
    const T share1 = static_cast<T>(1 - step.beta1), share2 = static_cast<T>(1 - step.beta2);
    const T beta2 = static_cast<T>(step.beta2), eps = static_cast<T>(step.eps);
    const T rate = static_cast<T>(step.rate / step.correction1);
    const T root = static_cast<T>(std::sqrt(step.correction2));
    for (int64_t i = 0; i < count; ++i) {
        const T slope = downhill(gradient[i], parameter[i], sign, decay, decays);
        const T first = mean[i] + share1 * (slope - mean[i]);
        const T second = beta2 * square[i] + share2 * slope * slope;
        mean[i] = first;
        square[i] = second;
        T scale = second;
        if constexpr (Greatest::value) {
            scale = second > greatest[i] ? second : greatest[i];
            greatest[i] = scale;
        }
        parameter[i] = shrinking * parameter[i] - rate * first / (std::sqrt(scale) / root + eps);
    }
}

void adam(const AdamStep& step, DType dtype, int64_t count, void* parameter, const void* gradient, void* mean,
          void* square, void* greatest) {
    choose_float(dtype, [&](auto zero) {
        using T = decltype(zero);
        choose(step.weight_decay != 0 && !step.decoupled, [&](auto decays) {
            choose(greatest != nullptr, [&](auto has_greatest) {
                adam_loop(step, count, static_cast<T*>(parameter), static_cast<const T*>(gradient),
                          static_cast<T*>(mean), static_cast<T*>(square), static_cast<T*>(greatest), decays,
                          has_greatest);
            });
        });
    });
}

}  // namespace

extern const OptimizerKernels optimizer_table;
const OptimizerKernels optimizer_table = {descend, adam};

}  // namespace rl::kernels::RUSHLIGHT_ISA
