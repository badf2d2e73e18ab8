// Largest elements of windows.
#include "kernels/pool.h"

#include <algorithm>
#include <limits>

#include "core/threads.h"
#include "kernels/cpu/convolution_patches.h"

namespace rl::kernels::RUSHLIGHT_ISA {
namespace {

template <class T>
constexpr T lowest() {
    if constexpr (std::is_floating_point_v<T>)
        return -std::numeric_limits<T>::infinity();
    else
        return std::numeric_limits<T>::lowest();
}

template <class S>
using Compared = std::conditional_t<std::is_same_v<S, Half> || std::is_same_v<S, BFloat16>, float, S>;

template <class S>
void pool_window(const AxisWindows* w, const S* plane, size_t z, size_t y, size_t x, S* output,
                 int64_t* index) {
    using T = Compared<S>;
    T best = lowest<T>();
    int64_t place = -1;
    for (int64_t i = w[0].first[z]; i < w[0].last[z]; i += w[0].step) {
        for (int64_t j = w[1].first[y]; j < w[1].last[y]; j += w[1].step) {
            const int64_t row = (i * w[1].input + j) * w[2].input;
            for (int64_t k = w[2].first[x]; k < w[2].last[x]; k += w[2].step) {
                const T value = static_cast<T>(plane[row + k]);
                if (value > best || value != value || place < 0) {
                    best = value;
                    place = row + k;
                }
            }
        }
    }
    *output = static_cast<S>(best);
    if (index != nullptr) *index = std::max<int64_t>(place, 0);
}

// A vector of neighbouring windows, none of them clipped in the last dimension, `stride` (1 or 2) apart.
template <class T, int stride>
void pool_windows(const AxisWindows* w, const T* plane, size_t z, size_t y, int64_t x, int64_t count,
                  T* output, int64_t* indices) {
    using Index = IntegerOf<T>;
    const int64_t corner =
        (w[0].first[z] * w[1].input + w[1].first[y]) * w[2].input + w[2].origin + x * stride;
    const auto steps = Vec<Index>(constant_vector<Index>([](int lane) { return lane * stride; }));
    Vec<T> best(lowest<T>());
    Vec<Index> place = steps + Vec<Index>(static_cast<Index>(corner));
    for (int64_t i = w[0].first[z]; i < w[0].last[z]; i += w[0].step) {
        for (int64_t j = w[1].first[y]; j < w[1].last[y]; j += w[1].step) {
            const int64_t row = (i * w[1].input + j) * w[2].input + w[2].origin + x * stride;
            for (int64_t k = row; k < row + w[2].width; k += w[2].step) {
                const Vec<T> value = load_every<T, stride>(plane + k, count);
                const auto better = (value > best) | (value != value);
                best = select(better, value, best);
                place = select(better, steps + Vec<Index>(static_cast<Index>(k)), place);
            }
        }
    }
    best.store(output, count);
    if (indices == nullptr) return;
    for (int64_t lane = 0; lane < count; ++lane) indices[lane] = place.native[lane];
}

// One line of outputs: the unclipped windows as vectors, the rest one by one.
template <class S>
void pool_line(const AxisWindows* w, const S* plane, size_t z, size_t y, S* output, int64_t* indices) {
    const auto& axis = w[2];
    int64_t begin = 0, end = 0;
    if constexpr (std::is_floating_point_v<S>) {
        const bool filled = w[0].first[z] < w[0].last[z] && w[1].first[y] < w[1].last[y];
        const bool narrow = w[0].input * w[1].input * axis.input <= std::numeric_limits<int32_t>::max();
        if (filled && narrow && (axis.stride == 1 || axis.stride == 2)) {
            begin = std::min(axis.output(), ceil_divide(std::max<int64_t>(0, -axis.origin), axis.stride));
            const int64_t room = axis.input - axis.origin - axis.width;
            end = std::clamp<int64_t>(room < 0 ? 0 : room / axis.stride + 1, begin, axis.output());
        }
        for (int64_t x = begin; x < end; x += lanes<S>) {
            const int64_t count = std::min<int64_t>(lanes<S>, end - x);
            int64_t* place = indices != nullptr ? indices + x : nullptr;
            if (axis.stride == 1)
                pool_windows<S, 1>(w, plane, z, y, x, count, output + x, place);
            else
                pool_windows<S, 2>(w, plane, z, y, x, count, output + x, place);
        }
    }
    for (int64_t x = 0; x < axis.output(); ++x) {
        if (x == begin) x = end;
        if (x < axis.output())
            pool_window(w, plane, z, y, static_cast<size_t>(x), output + x,
                        indices != nullptr ? indices + x : nullptr);
    }
}

template <class S>
void pool_all(int64_t planes, const AxisWindows* windows, const S* input, S* output, int64_t* indices) {
    const int64_t size = windows[0].input * windows[1].input * windows[2].input;
    const int64_t lines = windows[0].output() * windows[1].output(), length = windows[2].output();
    const int64_t chunk = std::max<int64_t>(1, 16384 / std::max<int64_t>(1, size));
    parallel_for(0, planes, chunk, [&](int64_t begin, int64_t end) {
        for (int64_t line = begin * lines; line < end * lines; ++line) {
            const int64_t y = line % lines % windows[1].output(), z = line % lines / windows[1].output();
            pool_line(windows, input + line / lines * size, static_cast<size_t>(z), static_cast<size_t>(y),
                      output + line * length, indices != nullptr ? indices + line * length : nullptr);
        }
    });
}

template <class S>
void scatter_planes(int64_t planes, int64_t count, int64_t size, const S* grad, const int64_t* indices,
                    S* grad_input) {
    const int64_t chunk = std::max<int64_t>(1, 16384 / std::max<int64_t>(1, size));
    parallel_for(0, planes, chunk, [&](int64_t begin, int64_t end) {
        std::fill(grad_input + begin * size, grad_input + end * size, S{});
        for (int64_t p = begin; p < end; ++p) {
            S* plane = grad_input + p * size;
            for (int64_t i = p * count; i < (p + 1) * count; ++i) {
                S& sum = plane[indices[i]];
                sum = static_cast<S>(static_cast<Compared<S>>(sum) + static_cast<Compared<S>>(grad[i]));
            }
        }
    });
}

template <class Body>
void visit_pooled(DType dtype, Body&& body) {
    visit_dtype(dtype, [&](auto tag) {
        using S = typename decltype(tag)::type;
        if constexpr (!is_complex_type<S> && !std::is_same_v<S, bool>) body(S{});
    });
}

void run_max_pool(DType dtype, int64_t planes, const AxisWindows* windows, const void* input, void* output,
                  int64_t* indices) {
    visit_pooled(dtype, [&](auto zero) {
        using S = decltype(zero);
        pool_all(planes, windows, static_cast<const S*>(input), static_cast<S*>(output), indices);
    });
}

void run_max_pool_gradient(DType dtype, int64_t planes, int64_t count, int64_t size, const void* grad,
                           const int64_t* indices, void* grad_input) {
    visit_pooled(dtype, [&](auto zero) {
        using S = decltype(zero);
        scatter_planes(planes, count, size, static_cast<const S*>(grad), indices,
                       static_cast<S*>(grad_input));
    });
}

}  // namespace

extern const PoolKernels pool_table;
const PoolKernels pool_table = {&run_max_pool, &run_max_pool_gradient};

}  // namespace rl::kernels::RUSHLIGHT_ISA
