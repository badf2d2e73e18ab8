// Convolutions of float32, and the table of all of them.
#include "kernels/cpu/convolution_run.h"

namespace rl::kernels::RUSHLIGHT_ISA {

extern const ConvolutionFunctions convolution_double, convolution_integer, convolution_complex64,
    convolution_complex128;

namespace {

const ConvolutionFunctions& functions(DType dtype) {
    switch (dtype) {
        case DType::float64:
            return convolution_double;
        case DType::int64:
            return convolution_integer;
        case DType::complex64:
            return convolution_complex64;
        case DType::complex128:
            return convolution_complex128;
        default:
            return convolution_functions<float>;
    }
}

}  // namespace

extern const ConvolutionKernels convolution_table;
const ConvolutionKernels convolution_table = {&functions};

}  // namespace rl::kernels::RUSHLIGHT_ISA
