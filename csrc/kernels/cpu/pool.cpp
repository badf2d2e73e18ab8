// Largest elements of windows.
#include "kernels/pool.h"

#include <algorithm>
#include <limits>

#include "core/threads.h"
#include "kernels/cpu/gemm_tile.h"

namespace rl::kernels::RUSHLIGHT_ISA {
namespace {

template <class T>
constexpr T lowest() {
    if constexpr (std::is_floating_point_v<T>)
        return -std::numeric_limits<T>::infinity();
    else
        return std::numeric_limits<T>::lowest();
}

template <class S, class T>
void pool_window(const AxisWindows* w, const S* plane, size_t z, size_t y, size_t x, S* output,
                 int64_t* index) {
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
    *index = std::max<int64_t>(place, 0);
}

template <class S>
void pool_plane(const AxisWindows* w, const S* input, S* output, int64_t* indices) {
    using T = std::conditional_t<std::is_same_v<S, Half> || std::is_same_v<S, BFloat16>, float, S>;
    for (size_t z = 0; z < w[0].first.size(); ++z)
        for (size_t y = 0; y < w[1].first.size(); ++y)
            for (size_t x = 0; x < w[2].first.size(); ++x)
                pool_window<S, T>(w, input, z, y, x, output++, indices++);
}

template <class S>
void pool_all(int64_t planes, const AxisWindows* windows, const S* input, S* output, int64_t* indices) {
    const int64_t size = windows[0].input * windows[1].input * windows[2].input;
    const int64_t count = windows[0].output() * windows[1].output() * windows[2].output();
    parallel_for(0, planes, std::max<int64_t>(1, 16384 / std::max<int64_t>(1, size)),
                 [&](int64_t begin, int64_t end) {
                     for (int64_t p = begin; p < end; ++p)
                         pool_plane(windows, input + p * size, output + p * count, indices + p * count);
                 });
}

void run_max_pool(DType dtype, int64_t planes, const AxisWindows* windows, const void* input, void* output,
                  int64_t* indices) {
    visit_dtype(dtype, [&](auto tag) {
        using S = typename decltype(tag)::type;
        if constexpr (!is_complex_type<S> && !std::is_same_v<S, bool>)
            pool_all(planes, windows, static_cast<const S*>(input), static_cast<S*>(output), indices);
    });
}

}  // namespace

extern const PoolKernels pool_table;
const PoolKernels pool_table = {&run_max_pool};

}  // namespace rl::kernels::RUSHLIGHT_ISA
