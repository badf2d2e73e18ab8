// Convolutions of float64 and int64.
#include "kernels/cpu/convolution_run.h"

namespace rl::kernels::RUSHLIGHT_ISA {

extern const ConvolutionFunctions convolution_double;
const ConvolutionFunctions convolution_double = convolution_functions<double>;

extern const ConvolutionFunctions convolution_integer;
const ConvolutionFunctions convolution_integer = convolution_functions<int64_t>;

}  // namespace rl::kernels::RUSHLIGHT_ISA
