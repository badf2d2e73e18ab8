// Matrix products over raw memory: C = activation(alpha * A·B + beta * D), with any strides, in a batch.
#pragma once

#include <cstdint>

#include "core/dtype.h"
#include "core/kept_forms.h"
#include "kernels/dispatch.h"

namespace rl::kernels {

// A scalar factor, read in the way that suits the element type.
struct Factor {
    double real = 1;
    double imag = 0;
    int64_t integer = 1;
};

// A matrix's (or a batch dimension's) strides, in elements; 0 broadcasts.
struct BatchDim {
    int64_t size = 1;
    int64_t a = 0, b = 0, c = 0, addend = 0;
};
inline constexpr int gemm_batch_rank = 8;

// What becomes of the elements of a product of float32 or float64 once they are summed.
enum class Activation : uint8_t { none, relu, gelu };

// The addend D (null when absent) may be C itself, or a bias with a stride of 0. Where it is absent nothing
// of C is read, so C may be uninitialized; k == 0 then gives zeros. C overlaps neither A nor B nor itself.
struct GemmProblem {
    DType dtype = DType::float32;
    int64_t m = 0, n = 0, k = 0;
    const void* a = nullptr;
    int64_t a_row = 0, a_column = 0;
    const void* b = nullptr;
    int64_t b_row = 0, b_column = 0;
    void* c = nullptr;
    int64_t c_row = 0, c_column = 0;
    const void* addend = nullptr;
    int64_t addend_row = 0, addend_column = 0;
    Factor alpha, beta;
    Activation activation = Activation::none;
    KeptForms* a_forms = nullptr;  // where packed panels of an operand that does not change may be kept
    KeptForms* b_forms = nullptr;
    int batch_rank = 0;
    BatchDim batch[gemm_batch_rank];
};

// 16-bit floats accumulate in float and round once; integers wrap; bool is a product of 0/1 stored as "not
// zero". The result has the same bits for any number of threads.
void gemm(const GemmProblem& problem);

// C = A·B for one product of bytes, A of the problem's dtype (int8 or uint8), B int8 and C int32, without
// factors or addend; sums wrap.
void gemm_widened(const GemmProblem& problem);

struct GemmKernels {
    void (*reduced)(const GemmProblem&);  // float16, bfloat16
    void (*single)(const GemmProblem&);   // float32
    void (*twofold)(const GemmProblem&);  // float64
    void (*integer)(const GemmProblem&);
    void (*complex)(const GemmProblem&);
    void (*widened)(const GemmProblem&);
};
const GemmKernels& gemm_kernels();

}  // namespace rl::kernels
