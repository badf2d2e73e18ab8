// Activations of neural networks, their gradients and the losses of one element.
#include "kernels/cpu/pointwise_block.h"
#include "kernels/simd/activation.h"

namespace rl::kernels::RUSHLIGHT_ISA {
namespace {

template <class V>
V gelu_slope_at(V x) {
    const V a = min(abs(x), normal_bound<typename V::Element>()), zero = constant<V>(0);
    const V density =
        exp(constant<V>(-0.5) * x * x) * constant<V>(std::numbers::inv_sqrtpi / std::numbers::sqrt2);
    const V below = a * density - normal_tail(a);  // the slope, less 1 for x > 0, but for its sign
    return select(x < zero, -below, select(x == x, constant<V>(1) + below, x));
}

// The tanh approximation of gelu: x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) (Hendrycks and Gimpel, 2016).
inline constexpr double gelu_slope = 2 * std::numbers::inv_sqrtpi / std::numbers::sqrt2;
template <class V>
V gelu_tanh_inner(V x) {
    return constant<V>(gelu_slope) * fma(constant<V>(0.044715) * x * x, x, x);
}

// e^x, bounded so that its fourth power is finite, for mish: tanh(log(1 + w)) = n / (n + 2) with n = w (w +
// 2).
template <class V>
V bounded_exp(V x) {
    return exp(min(x, constant<V>(20)));
}

template <class V>
V softplus(V x, const Values<V>& p) {
    const V scaled = x * p.v0;
    return select(scaled > p.v1, x, log1p_exp(scaled) / p.v0);
}

// x + 3 between 0 and 6, and 1/6: the hard sigmoid's two factors.
template <class V>
V to_six(V x) {
    const V y = x + constant<V>(3), zero = constant<V>(0), six = constant<V>(6);
    return select(y < zero, zero, select(y > six, six, y));
}
template <class V>
V sixth(V) {
    return constant<V>(1.0 / 6);
}

void add_rectifiers(PointwiseTable& table) {
    // NaN passes through all of these.
    vectors<1>(table, Pointwise::relu, RealNumbers{}, [](auto x) { return relu(x); });
    vectors<1>(table, Pointwise::leaky_relu, Reals{},
               [](auto x, const auto& p) { return select(x > constant<decltype(x)>(0), x, x * p.v0); });
    vectors<1>(table, Pointwise::hardsigmoid, Reals{}, [](auto x) { return to_six(x) * sixth(x); });
    vectors<1>(table, Pointwise::hardswish, Reals{}, [](auto x) { return x * to_six(x) * sixth(x); });
    vectors<1>(table, Pointwise::hardshrink, Reals{}, [](auto x, const auto& p) {
        return select((x >= -p.v0) & (x <= p.v0), constant<decltype(x)>(0), x);
    });
    vectors<1>(table, Pointwise::softshrink, Reals{}, [](auto x, const auto& p) {
        using V = decltype(x);
        const V inside = select(x == x, constant<V>(0), x);
        return select(x > p.v0, x - p.v0, select(x < -p.v0, x + p.v0, inside));
    });
    vectors<1>(table, Pointwise::threshold, RealNumbers{},
               [](auto x, const auto& p) { return select(x <= p.v0, p.v1, x); });
    vectors<2>(table, Pointwise::prelu, Reals{},
               [](auto x, auto weight) { return select(x > constant<decltype(x)>(0), x, weight * x); });
}

void add_smooth(PointwiseTable& table) {
    vectors<1>(table, Pointwise::sigmoid, Reals{}, [](auto x) { return sigmoid(x); });
    vectors<1>(table, Pointwise::elu, Reals{}, [](auto x, const auto& p) {
        const auto positive = x >= constant<decltype(x)>(0);
        if (!any(~positive)) return x * p.v1;
        return select(positive, x * p.v1, expm1(x * p.v2) * p.v0 * p.v1);
    });
    vectors<1>(table, Pointwise::celu, Reals{}, [](auto x, const auto& p) {
        const auto positive = x >= constant<decltype(x)>(0);
        if (!any(~positive)) return x;
        return select(positive, x, expm1(x / p.v0) * p.v0);
    });
    vectors<1>(table, Pointwise::gelu, Reals{}, [](auto x) { return gelu(x); });
    const auto rough_gelu = [](Vec<float> x) {
        const Vec<float> a = min(abs(x), constant<Vec<float>>(14));
        return max(constant<Vec<float>>(0), x) - a * rough_normal_tail(a);
    };
    table.halves[static_cast<int>(Pointwise::gelu)][1] =
        vector_block<1, float, BFloat16, decltype(rough_gelu)>;
    vectors<1>(table, Pointwise::gelu_tanh, Reals{}, [](auto x) {
        using V = decltype(x);
        return x / (constant<V>(1) + exp(constant<V>(-2) * gelu_tanh_inner(x)));
    });
    vectors<1>(table, Pointwise::silu, Reals{},
               [](auto x) { return x / (constant<decltype(x)>(1) + exp(-x)); });
    vectors<1>(table, Pointwise::mish, Reals{}, [](auto x) {
        using V = decltype(x);
        const V w = bounded_exp(x), n = w * (w + constant<V>(2));
        return x * (n / (n + constant<V>(2)));
    });
    vectors<1>(table, Pointwise::softplus, Reals{}, [](auto x, const auto& p) { return softplus(x, p); });
    vectors<1>(table, Pointwise::log_sigmoid, Reals{},
               [](auto x) { return select(x == x, -log1p_exp(-x), x); });
}

void add_rectifier_gradients(PointwiseTable& table) {
    vectors<2>(table, Pointwise::threshold_backward, RealNumbers{},
               [](auto g, auto x, const auto& p) { return select(x <= p.v0, constant<decltype(g)>(0), g); });
    vectors<2>(table, Pointwise::leaky_relu_backward, Reals{}, [](auto g, auto x, const auto& p) {
        return select(x > constant<decltype(x)>(0), g, g * p.v0);
    });
    vectors<2>(table, Pointwise::hardsigmoid_backward, Reals{}, [](auto g, auto x) {
        using V = decltype(x);
        return select((x > constant<V>(-3)) & (x < constant<V>(3)), g * sixth(x), constant<V>(0));
    });
    vectors<2>(table, Pointwise::hardswish_backward, Reals{}, [](auto g, auto x) {
        using V = decltype(x);
        const V inside = select(x < constant<V>(3), g * (x / constant<V>(3) + constant<V>(0.5)), g);
        return select(x <= constant<V>(-3), constant<V>(0), inside);
    });
    vectors<2>(table, Pointwise::hardtanh_backward, Reals{}, [](auto g, auto x, const auto& p) {
        return select((x <= p.v0) | (x >= p.v1), constant<decltype(g)>(0), g);
    });
    vectors<2>(table, Pointwise::hardshrink_backward, Reals{}, [](auto g, auto x, const auto& p) {
        return select((x >= -p.v0) & (x <= p.v0), constant<decltype(g)>(0), g);
    });
}

void add_smooth_gradients(PointwiseTable& table) {
    vectors<2>(table, Pointwise::sigmoid_backward, Reals{},
               [](auto g, auto y) { return g * (constant<decltype(y)>(1) - y) * y; });
    vectors<2>(table, Pointwise::tanh_backward, Reals{},
               [](auto g, auto y) { return g * (constant<decltype(y)>(1) - y * y); });
    vectors<2>(table, Pointwise::elu_backward, Reals{}, [](auto g, auto x, const auto& p) {
        return select(x <= constant<decltype(x)>(0), g * p.v2 * p.v0 * p.v1 * exp(x * p.v2), g * p.v1);
    });
    vectors<2>(table, Pointwise::gelu_backward, Reals{}, [](auto g, auto x) { return g * gelu_slope_at(x); });
    vectors<2>(table, Pointwise::gelu_tanh_backward, Reals{}, [](auto g, auto x) {
        using V = decltype(x);
        // With s = (1 + tanh) / 2: s + x s'.
        const V s = sigmoid(constant<V>(2) * gelu_tanh_inner(x));
        const V slope = constant<V>(2 * gelu_slope) * fma(constant<V>(3 * 0.044715) * x, x, constant<V>(1));
        const V bend = select(s == constant<V>(1), constant<V>(0), x * slope * (constant<V>(1) - s));
        return g * s * (constant<V>(1) + bend);
    });
    vectors<2>(table, Pointwise::silu_backward, Reals{}, [](auto g, auto x) {
        using V = decltype(x);
        const V s = sigmoid(x);
        return g * s * (constant<V>(1) + x * (constant<V>(1) - s));
    });
    vectors<2>(table, Pointwise::mish_backward, Reals{}, [](auto g, auto x) {
        using V = decltype(x);
        const V one = constant<V>(1), two = constant<V>(2);
        const V w = bounded_exp(x), n = w * (w + two), scale = one / (n + two);
        return g * scale * (n + constant<V>(4) * x * w * (one + w) * scale);
    });
    vectors<2>(table, Pointwise::softplus_backward, Reals{}, [](auto g, auto x, const auto& p) {
        const auto scaled = x * p.v0;
        return select(scaled > p.v1, g, g * sigmoid(scaled));
    });
    vectors<2>(table, Pointwise::log_sigmoid_backward, Reals{},
               [](auto g, auto x) { return g * sigmoid(-x); });
}

void add_losses(PointwiseTable& table) {
    vectors<2>(table, Pointwise::squared_difference, Reals{},
               [](auto x, auto y) { return (x - y) * (x - y); });
    vectors<2>(table, Pointwise::huber, Reals{}, [](auto x, auto y, const auto& p) {
        const auto d = x - y, distance = abs(d);
        return select(distance < p.v0, d * d * p.v1, (distance - constant<decltype(x)>(0.5) * p.v0) * p.v2);
    });
    vectors<3>(table, Pointwise::difference_backward, Reals{}, [](auto g, auto x, auto y, const auto& p) {
        const auto slope = (x - y) * p.v0;
        return g * select(slope > p.v1, p.v1, select(slope < -p.v1, -p.v1, slope));
    });
}

}  // namespace

void add_activation(PointwiseTable& table) {
    add_rectifiers(table);
    add_smooth(table);
    add_rectifier_gradients(table);
    add_smooth_gradients(table);
    add_losses(table);
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
