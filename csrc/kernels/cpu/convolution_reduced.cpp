// Convolutions of 16-bit floating-point types, summed in float.
#include "kernels/cpu/convolution_run.h"

namespace rl::kernels::RUSHLIGHT_ISA {

extern const ConvolutionFunctions convolution_half;
const ConvolutionFunctions convolution_half = convolution_functions<Half>;

extern const ConvolutionFunctions convolution_bfloat16;
const ConvolutionFunctions convolution_bfloat16 = convolution_functions<BFloat16>;

}  // namespace rl::kernels::RUSHLIGHT_ISA
