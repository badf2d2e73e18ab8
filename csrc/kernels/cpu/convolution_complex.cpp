// Convolutions of complex types.
#include "kernels/cpu/convolution_run.h"

namespace rl::kernels::RUSHLIGHT_ISA {

extern const ConvolutionFunctions convolution_complex64;
const ConvolutionFunctions convolution_complex64 = convolution_functions<complex64>;

extern const ConvolutionFunctions convolution_complex128;
const ConvolutionFunctions convolution_complex128 = convolution_functions<complex128>;

}  // namespace rl::kernels::RUSHLIGHT_ISA
