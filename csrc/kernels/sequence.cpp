// Sequences in pieces, each computed by the instruction set's loops; index lists of triangles.
#include "kernels/sequence.h"

#include <algorithm>
#include <cmath>

#include "core/threads.h"
#include "kernels/dispatch.h"

namespace rl::kernels {

RUSHLIGHT_DECLARE_TABLES(SequenceKernels, sequence_table)

namespace {

const SequenceKernels& sequence_kernels() {
    static const SequenceKernels& table = RUSHLIGHT_SELECT(sequence_table);
    return table;
}

constexpr int64_t piece = 1 << 14;  // elements, a multiple of what PyTorch's registers hold

template <class T>
constexpr bool is_reduced = std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>;

template <class T>
T from_double(double value) {
    if constexpr (is_reduced<T>) {
        return T(static_cast<float>(value));
    } else {
        return static_cast<T>(value);
    }
}

// The number as an element of the type holds it.
complex128 rounded(DType dtype, const Scalar& value) {
    complex128 result;
    visit_dtype(dtype, [&]<class T>(TypeTag<T>) {
        if constexpr (std::is_same_v<T, complex64> || std::is_same_v<T, complex128>) {
            result = complex128(T(value.to_complex()));
        } else if constexpr (std::is_integral_v<T>) {
            result = static_cast<double>(static_cast<T>(value.to_int()));
        } else if constexpr (is_reduced<T>) {
            result = static_cast<float>(T(static_cast<float>(value.to_double())));
        } else {
            result = static_cast<T>(value.to_double());
        }
    });
    return result;
}

}  // namespace

void arange(DType dtype, void* output, int64_t count, const Scalar& start, const Scalar& step) {
    const int64_t item = item_size(dtype);
    parallel_for(0, count, piece, [&](int64_t begin, int64_t end) {
        char* const out = static_cast<char*>(output) + begin * item;
        if (is_floating(dtype))
            sequence_kernels().arange(dtype, out, begin, end, count, start.to_double(), step.to_double());
        else
            sequence_kernels().arange_integers(dtype, out, begin, end, start.to_int(), step.to_int());
    });
}

void linspace(DType dtype, void* output, int64_t count, const Scalar& start, const Scalar& end) {
    const complex128 first = rounded(dtype, start), last = rounded(dtype, end);
    const int64_t item = item_size(dtype);
    parallel_for(0, count, piece, [&](int64_t begin, int64_t stop) {
        sequence_kernels().spaced(dtype, static_cast<char*>(output) + begin * item, begin, stop, count, first,
                                  last);
    });
}

namespace {

// Of the exponents of half types, only the first and the last are rounded to them.
template <class T>
void powers(DType dtype, T* output, int64_t count, const Scalar& start, const Scalar& end, double base) {
    using Exponent = std::conditional_t<is_reduced<T>, float, T>;
    const complex128 first = rounded(dtype, start), last = rounded(dtype, end);
    parallel_for(0, count, 1024, [&](int64_t begin, int64_t stop) {
        Exponent exponents[1024];
        sequence_kernels().spaced(dtype_of<Exponent>, exponents, begin, stop, count, first, last);
        for (int64_t i = begin; i < stop; ++i) {
            const Exponent exponent = exponents[i - begin];
            if constexpr (std::is_same_v<T, complex64> || std::is_same_v<T, complex128>) {
                output[i] = std::pow(T(static_cast<typename T::value_type>(base)), exponent);
            } else {
                output[i] = from_double<T>(std::pow(base, static_cast<double>(exponent)));
            }
        }
    });
}

}  // namespace

void logspace(DType dtype, void* output, int64_t count, const Scalar& start, const Scalar& end, double base) {
    visit_dtype(dtype, [&]<class T>(TypeTag<T>) {
        T* const out = static_cast<T*>(output);
        if constexpr (std::is_same_v<T, bool>) return;
        if constexpr (!std::is_same_v<T, complex64> && !std::is_same_v<T, complex128>) {
            if (count == 1) {
                *out = from_double<T>(std::pow(base, start.to_double()));
                return;
            }
        }
        powers(dtype, out, count, start, end, base);
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
    visit_dtype(dtype, [&]<class T>(TypeTag<T>) {
        if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
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
