// Steps of optimizers: work cut into pieces for the threads, half types staged as float.
#include "kernels/optimizer.h"

#include <algorithm>

#include "core/threads.h"
#include "kernels/dispatch.h"
#include "kernels/pointwise.h"

namespace rl::kernels {

RUSHLIGHT_DECLARE_TABLES(OptimizerKernels, optimizer_table)

namespace {

const OptimizerKernels& optimizer_kernels() {
    static const OptimizerKernels& table = RUSHLIGHT_SELECT(optimizer_table);
    return table;
}

constexpr int64_t piece = 32768;
constexpr int64_t block = 512;
constexpr int max_arrays = 5;

// Calls step(count, arrays) on blocks of the arrays converted to float; all but the second (the gradient) are
// written back. Absent arrays are null.
template <class Step>
void staged(DType dtype, int64_t count, void* const (&arrays)[max_arrays], Step&& step) {
    const int size = item_size(dtype);
    parallel_for(0, count, piece, [&](int64_t begin, int64_t end) {
        alignas(64) float buffers[max_arrays][block];
        for (; begin < end; begin += block) {
            const int64_t part = std::min(block, end - begin);
            float* staged_arrays[max_arrays];
            for (int k = 0; k < max_arrays; ++k) {
                staged_arrays[k] = arrays[k] == nullptr ? nullptr : buffers[k];
                if (arrays[k] == nullptr) continue;
                convert_contiguous(part, buffers[k], DType::float32,
                                   static_cast<char*>(arrays[k]) + begin * size, dtype);
            }
            step(part, staged_arrays);
            for (int k = 0; k < max_arrays; ++k) {
                if (arrays[k] == nullptr || k == 1) continue;
                convert_contiguous(part, static_cast<char*>(arrays[k]) + begin * size, dtype, buffers[k],
                                   DType::float32);
            }
        }
    });
}

// Calls step(count, arrays) on pieces of the arrays as they are.
template <class T, class Step>
void direct(int64_t count, void* const (&arrays)[max_arrays], Step&& step) {
    parallel_for(0, count, piece, [&](int64_t begin, int64_t end) {
        T* parts[max_arrays];
        for (int k = 0; k < max_arrays; ++k)
            parts[k] = arrays[k] == nullptr ? nullptr : static_cast<T*>(arrays[k]) + begin;
        step(end - begin, parts);
    });
}

template <class Step, class DoubleStep>
void run(DType dtype, int64_t count, void* const (&arrays)[max_arrays], Step&& in_float,
         DoubleStep&& in_double) {
    if (dtype == DType::float32)
        direct<float>(count, arrays, in_float);
    else if (dtype == DType::float64)
        direct<double>(count, arrays, in_double);
    else
        staged(dtype, count, arrays, in_float);
}

}  // namespace

void sgd_step(DType dtype, int64_t count, void* parameter, const void* gradient, void* velocity,
              const SgdStep& step) {
    const OptimizerKernels& kernels = optimizer_kernels();
    void* const arrays[max_arrays] = {parameter, const_cast<void*>(gradient), velocity, nullptr, nullptr};
    run(
        dtype, count, arrays,
        [&](int64_t n, float* const* a) { kernels.sgd_float(n, a[0], a[1], a[2], step); },
        [&](int64_t n, double* const* a) { kernels.sgd_double(n, a[0], a[1], a[2], step); });
}

void adam_step(DType dtype, int64_t count, void* parameter, const void* gradient, void* average, void* square,
               void* largest_square, const AdamStep& step) {
    const OptimizerKernels& kernels = optimizer_kernels();
    void* const arrays[max_arrays] = {parameter, const_cast<void*>(gradient), average, square,
                                      largest_square};
    run(
        dtype, count, arrays,
        [&](int64_t n, float* const* a) { kernels.adam_float(n, a[0], a[1], a[2], a[3], a[4], step); },
        [&](int64_t n, double* const* a) { kernels.adam_double(n, a[0], a[1], a[2], a[3], a[4], step); });
}

}  // namespace rl::kernels
