// Sequences, rounded at each place where PyTorch's vectorized loops round.
#include "kernels/sequence.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "core/threads.h"

namespace rl::kernels {
namespace {

template <class T>
constexpr bool is_reduced = std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>;
template <class T>
constexpr bool is_complex_type = std::is_same_v<T, complex64> || std::is_same_v<T, complex128>;

template <class T>
T from_double(double value) {
    if constexpr (is_reduced<T>) {
        return T(static_cast<float>(value));
    } else {
        return static_cast<T>(value);
    }
}
template <class T>
double to_double(T value) {
    if constexpr (is_reduced<T>) {
        return static_cast<float>(value);
    } else {
        return static_cast<double>(value);
    }
}
template <class T>
T from_scalar(const Scalar& value) {
    if constexpr (is_complex_type<T>) {
        return T(value.to_complex());
    } else if constexpr (std::is_integral_v<T>) {
        return static_cast<T>(value.to_int());
    } else {
        return from_double<T>(value.to_double());
    }
}

template <class Visit>
void visit_numbers(DType dtype, Visit visit) {
    visit_dtype(dtype, [&](auto tag) {
        if constexpr (!std::is_same_v<typename decltype(tag)::type, bool>) visit(tag);
    });
}

template <class T>
void arange_integers(T* output, int64_t count, int64_t start, int64_t step) {
    for (int64_t i = 0; i < count; ++i) output[i] = static_cast<T>(start + i * step);
}

// PyTorch rounds the first element of each 32-byte register, and counts from there; what does not fill two
// registers is computed one by one.
template <class T, class Number>
void arange_floats(T* output, int64_t count, Number start, Number step) {
    constexpr int64_t lanes = 32 / sizeof(T);
    const int64_t in_registers = count / (2 * lanes) * (2 * lanes);
    const auto at = [=](int64_t i) {
        return from_double<T>(std::fma(double{step}, static_cast<double>(i), double{start}));
    };
    parallel_for(0, in_registers / lanes, 1024, [=](int64_t begin, int64_t end) {
        for (int64_t block = begin; block < end; ++block) {
            const double base = to_double(at(block * lanes));
            T* const target = output + block * lanes;
            for (int64_t lane = 0; lane < lanes; ++lane) {
                // In double, a sum rounded twice differs from PyTorch's; rounded to a narrower type it does
                // not.
                const auto moved = static_cast<double>(lane);
                target[lane] = from_double<T>(std::is_same_v<T, double> ? std::fma(double{step}, moved, base)
                                                                        : double{step} * moved + base);
            }
        }
    });
    for (int64_t i = in_registers; i < count; ++i) output[i] = at(i);
}

// start + step * i, or counted back from the end in the second half.
template <class T>
T spaced(T start, T end, T step, int64_t i, int64_t count) {
    const bool forward = i < count / 2;
    const int64_t steps = forward ? i : count - 1 - i;
    if constexpr (is_complex_type<T>) {
        using Real = typename T::value_type;
        return forward ? start + step * T(static_cast<Real>(steps))
                       : end - step * T(static_cast<Real>(steps));
    } else if constexpr (is_reduced<T>) {
        const double moved = to_double(from_double<T>(to_double(step) * to_double(from_double<T>(steps))));
        return from_double<T>(forward ? to_double(start) + moved : to_double(end) - moved);
    } else {
        return forward ? std::fma(step, static_cast<T>(steps), start)
                       : std::fma(-step, static_cast<T>(steps), end);
    }
}

template <class T>
T step_between(T start, T end, int64_t count) {
    if constexpr (is_reduced<T>) {
        const double range = to_double(from_double<T>(to_double(end) - to_double(start)));
        return from_double<T>(range / to_double(from_double<T>(static_cast<double>(count - 1))));
    } else {
        return (end - start) / from_double<T>(static_cast<double>(count - 1));
    }
}

// Calls put(i, value) with evenly spaced values in T, or in double for integers.
template <class T, class Put>
void for_spaced(int64_t count, const Scalar& start, const Scalar& end, Put put) {
    using Compute = std::conditional_t<std::is_integral_v<T>, double, T>;
    const auto first = Compute(from_scalar<T>(start)), last = Compute(from_scalar<T>(end));
    if (count == 1) return put(0, first);
    const Compute step = step_between<Compute>(first, last, count);
    for (int64_t i = 0; i < count; ++i) put(i, spaced<Compute>(first, last, step, i, count));
}

}  // namespace

void arange(DType dtype, void* output, int64_t count, const Scalar& start, const Scalar& step) {
    visit_numbers(dtype, [&]<class T>(TypeTag<T>) {
        T* const out = static_cast<T*>(output);
        if constexpr (std::is_integral_v<T>) {
            arange_integers(out, count, start.to_int(), step.to_int());
        } else if constexpr (is_reduced<T>) {
            arange_floats(out, count, static_cast<float>(start.to_double()),
                          static_cast<float>(step.to_double()));
        } else if constexpr (std::is_floating_point_v<T>) {
            arange_floats(out, count, start.to_double(), step.to_double());
        }
    });
}

void linspace(DType dtype, void* output, int64_t count, const Scalar& start, const Scalar& end) {
    visit_numbers(dtype, [&]<class T>(TypeTag<T>) {
        T* const out = static_cast<T*>(output);
        for_spaced<T>(count, start, end, [out](int64_t i, auto value) { out[i] = static_cast<T>(value); });
    });
}

void logspace(DType dtype, void* output, int64_t count, const Scalar& start, const Scalar& end, double base) {
    visit_numbers(dtype, [&]<class T>(TypeTag<T>) {
        T* const out = static_cast<T*>(output);
        if constexpr (!is_complex_type<T>) {
            if (count == 1) {
                *out = from_double<T>(std::pow(base, start.to_double()));
                return;
            }
        }
        // Of the exponents of half types, only the first and the last are rounded to them.
        using Spaced = std::conditional_t<is_reduced<T>, float, T>;
        Scalar first = start, last = end;
        if constexpr (is_reduced<T>) {
            first = to_double(from_scalar<T>(start));
            last = to_double(from_scalar<T>(end));
        }
        for_spaced<Spaced>(count, first, last, [out, base](int64_t i, auto value) {
            if constexpr (is_complex_type<T>) {
                out[i] = std::pow(T(static_cast<typename T::value_type>(base)), value);
            } else {
                out[i] = from_double<T>(std::pow(base, to_double(value)));
            }
        });
    });
}

namespace {

// The columns [first, last) of a row that belong to a triangle.
struct Columns {
    int64_t first, last;
};
Columns columns_of(int64_t row, int64_t columns, int64_t diagonal, bool upper) {
    const int64_t edge = std::clamp<int64_t>(row + diagonal + (upper ? 0 : 1), 0, columns);
    return upper ? Columns{edge, columns} : Columns{0, edge};
}

}  // namespace

int64_t count_triangle(int64_t rows, int64_t columns, int64_t diagonal, bool upper) {
    int64_t count = 0;
    for (int64_t row = 0; row < rows; ++row) {
        const Columns range = columns_of(row, columns, diagonal, upper);
        count += range.last - range.first;
    }
    return count;
}

void triangle_indices(DType dtype, void* output, int64_t rows, int64_t columns, int64_t diagonal,
                      bool upper) {
    const int64_t count = count_triangle(rows, columns, diagonal, upper);
    visit_numbers(dtype, [&]<class T>(TypeTag<T>) {
        if constexpr (std::is_integral_v<T>) {
            T* const out = static_cast<T*>(output);
            int64_t at = 0;
            for (int64_t row = 0; row < rows; ++row) {
                const Columns range = columns_of(row, columns, diagonal, upper);
                for (int64_t column = range.first; column < range.last; ++column, ++at) {
                    out[at] = static_cast<T>(row);
                    out[count + at] = static_cast<T>(column);
                }
            }
        }
    });
}

}  // namespace rl::kernels
