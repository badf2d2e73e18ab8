// Steps of optimizers, vector by vector.
#include "kernels/optimizer.h"

#include <cmath>

#include "kernels/simd/vec.h"

namespace rl::kernels::RUSHLIGHT_ISA {
namespace {

// Runs body(index, lanes) over [0, count) in vectors, the last of fewer lanes.
template <int size, class Body>
void for_each_vector(int64_t count, Body&& body) {
    for (int64_t i = 0; i < count; i += size) body(i, count - i < size ? count - i : size);
}

template <class T>
Vec<T> load(const T* source, int64_t lanes) {
    return lanes == Vec<T>::size ? Vec<T>::load(source) : Vec<T>::load(source, lanes);
}
template <class T>
void store(Vec<T> value, T* target, int64_t lanes) {
    if (lanes == Vec<T>::size)
        value.store(target);
    else
        value.store(target, lanes);
}

template <class T>
void sgd(int64_t count, T* parameter, const T* gradient, T* velocity, const SgdStep& step) {
    using V = Vec<T>;
    const V rate(static_cast<T>(-step.lr)), decay(static_cast<T>(step.weight_decay));
    const V momentum(static_cast<T>(step.momentum)), share(static_cast<T>(1 - step.dampening));
    for_each_vector<V::size>(count, [&](int64_t i, int64_t lanes) {
        const V x = load(parameter + i, lanes);
        V g = load(gradient + i, lanes);
        if (step.maximize) g = -g;
        if (step.weight_decay != 0) g = g + decay * x;
        if (velocity != nullptr) {
            const V v = step.first ? g : load(velocity + i, lanes) * momentum + share * g;
            store(v, velocity + i, lanes);
            g = step.nesterov ? g + momentum * v : v;
        }
        store(x + rate * g, parameter + i, lanes);
    });
}

// Kingma and Ba, 2014; decoupled weight decay by Loshchilov and Hutter, 2017; amsgrad by Reddi et al., 2018.
template <class T>
void adam(int64_t count, T* parameter, const T* gradient, T* average, T* square, T* largest_square,
          const AdamStep& step) {
    using V = Vec<T>;
    const double correction1 = 1 - std::pow(step.beta1, step.step),
                 correction2 = 1 - std::pow(step.beta2, step.step);
    const V rate(static_cast<T>(-step.lr / correction1)), root(static_cast<T>(std::sqrt(correction2)));
    const V keep(static_cast<T>(1 - step.lr * step.weight_decay)), decay(static_cast<T>(step.weight_decay));
    const V weight1(static_cast<T>(1 - step.beta1)), weight2(static_cast<T>(1 - step.beta2));
    const V beta1(static_cast<T>(step.beta1)), beta2(static_cast<T>(step.beta2)),
        eps(static_cast<T>(step.eps));
    const bool small = step.beta1 > 0.5;  // which end lerp starts from
    for_each_vector<V::size>(count, [&](int64_t i, int64_t lanes) {
        V x = load(parameter + i, lanes);
        V g = load(gradient + i, lanes);
        if (step.maximize) g = -g;
        if (step.weight_decay != 0) {
            if (step.decoupled)
                x = x * keep;
            else
                g = g + decay * x;
        }
        const V before = load(average + i, lanes);
        const V m = small ? before + weight1 * (g - before) : g - (g - before) * beta1;
        V v = load(square + i, lanes) * beta2 + weight2 * g * g;
        store(m, average + i, lanes);
        store(v, square + i, lanes);
        if (largest_square != nullptr) {
            v = maximum(load(largest_square + i, lanes), v);
            store(v, largest_square + i, lanes);
        }
        store(x + rate * m / (sqrt(v) / root + eps), parameter + i, lanes);
    });
}

}  // namespace

extern const OptimizerKernels optimizer_table;
const OptimizerKernels optimizer_table = {sgd<float>, sgd<double>, adam<float>, adam<double>};

}  // namespace rl::kernels::RUSHLIGHT_ISA
