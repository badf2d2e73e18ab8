// Sequences and index lists: arithmetic progressions, evenly and logarithmically spaced numbers, triangles.
#pragma once

#include <cstdint>

#include "core/dtype.h"
#include "core/scalar.h"

namespace rl::kernels {

// start + i * step for i from 0 on; every type but bool and complex.
void arange(DType dtype, void* output, int64_t count, const Scalar& start, const Scalar& step);

// `count` numbers from start to end, both included, counted from the nearer of the two; every type but bool.
void linspace(DType dtype, void* output, int64_t count, const Scalar& start, const Scalar& end);
// base to the power of these.
void logspace(DType dtype, void* output, int64_t count, const Scalar& start, const Scalar& end, double base);

// Of a sequence of `count` elements those in [begin, end), the first of them at output. The ends of spaced
// numbers are such as the type holds.
struct SequenceKernels {
    void (*arange_integers)(DType dtype, void* output, int64_t begin, int64_t end, int64_t start,
                            int64_t step);
    void (*arange)(DType dtype, void* output, int64_t begin, int64_t end, int64_t count, double start,
                   double step);
    void (*spaced)(DType dtype, void* output, int64_t begin, int64_t end, int64_t count, complex128 first,
                   complex128 last);
};

// Rows, then columns, of the elements on and below (tril) or above (triu) a diagonal; int32 and int64.
int64_t count_triangle(int64_t rows, int64_t columns, int64_t diagonal, bool upper);
void triangle_indices(DType dtype, void* output, int64_t rows, int64_t columns, int64_t diagonal, bool upper);

}  // namespace rl::kernels
