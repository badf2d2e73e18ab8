// Arithmetic progressions and evenly spaced numbers, rounded at each place where PyTorch's vectorized loops
// round.
#include "kernels/sequence.h"

#include <algorithm>

#include "kernels/cpu/convert.h"
#include "kernels/cpu/scalar.h"

namespace rl::kernels::RUSHLIGHT_ISA {
namespace {

float fused(float a, float b, float c) {
    return __builtin_fmaf(a, b, c);
}
double fused(double a, double b, double c) {
    return __builtin_fma(a, b, c);
}

void arange_integers(DType dtype, void* output, int64_t begin, int64_t end, int64_t start, int64_t step) {
    visit_dtype(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
            using Unsigned = std::make_unsigned_t<T>;
            const auto by = static_cast<Unsigned>(step);
            auto value = static_cast<Unsigned>(add(start, multiply(begin, step)));
            T* const out = static_cast<T*>(output);
            for (int64_t i = 0; i < end - begin; ++i, value += by) out[i] = static_cast<T>(value);
        }
    });
}

// PyTorch rounds the first element of each 32-byte register, and counts from there; what does not fill two
// registers is computed one by one.
template <class T, class Number>
void arange_floats(T* out, int64_t begin, int64_t end, int64_t count, Number start, Number step) {
    constexpr int64_t lanes = 32 / sizeof(T);
    const int64_t in_registers = count / (2 * lanes) * (2 * lanes);
    const auto at = [=](int64_t i) {
        return convert<T>(fused(double{step}, static_cast<double>(i), double{start}));
    };
    int64_t i = begin;
    for (; i < std::min(end, in_registers); i += lanes, out += lanes) {
        const auto base = convert<double>(at(i));
        for (int64_t lane = 0; lane < lanes; ++lane)
            out[lane] = convert<T>(fused(double{step}, static_cast<double>(lane), base));
    }
    for (; i < end; ++i) *out++ = at(i);
}

void arange(DType dtype, void* output, int64_t begin, int64_t end, int64_t count, double start, double step) {
    visit_floating(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        using Number = std::conditional_t<is_half_type<T>, float, double>;
        arange_floats(static_cast<T*>(output), begin, end, count, static_cast<Number>(start),
                      static_cast<Number>(step));
    });
}

// from + step * i, rounded as PyTorch's type rounds.
template <class T, class C>
C moved_by(C from, C step, int64_t i) {
    if constexpr (is_complex_type<T>) {
        return from + wrapping_mul(step, C(static_cast<typename C::value_type>(i)));
    } else if constexpr (is_half_type<T>) {
        return from + convert<float>(T(step * convert<float>(T(static_cast<float>(i)))));
    } else {
        return fused(step, static_cast<C>(i), from);
    }
}

// The elements [begin, end) of `count` from first to last, each counted from the nearer of the two.
template <class T, class C>
void spaced_line(T* out, int64_t begin, int64_t end, int64_t count, C first, C last) {
    C step = first;
    if constexpr (is_half_type<T>)
        step = convert<float>(
            T(convert<float>(T(last - first)) / convert<float>(T(static_cast<float>(count - 1)))));
    else
        step = (last - first) / convert<C>(static_cast<double>(count - 1));
    const int64_t half = std::clamp(count / 2, begin, end);
    for (int64_t i = begin; i < half; ++i) *out++ = convert<T>(moved_by<T>(first, step, i));
    for (int64_t i = half; i < end; ++i) *out++ = convert<T>(moved_by<T>(last, -step, count - 1 - i));
}

void spaced(DType dtype, void* output, int64_t begin, int64_t end, int64_t count, complex128 first,
            complex128 last) {
    visit_dtype(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        using C = std::conditional_t<std::is_integral_v<T>, double, Compute<T>>;
        T* const out = static_cast<T*>(output);
        if constexpr (std::is_same_v<T, bool>) {
            return;
        } else if (count == 1) {
            *out = convert<T>(convert<C>(first));
        } else {
            spaced_line(out, begin, end, count, convert<C>(first), convert<C>(last));
        }
    });
}

}  // namespace

extern const SequenceKernels sequence_table;
const SequenceKernels sequence_table = {arange_integers, arange, spaced};

}  // namespace rl::kernels::RUSHLIGHT_ISA
