// Convolutions in one to three dimensions over contiguous memory laid out (batch, channel, depth, height,
// width).
#pragma once

#include <cstdint>

#include "core/dtype.h"
#include "core/kept_forms.h"
#include "kernels/dispatch.h"

namespace rl::kernels {

// Sizes of a (grouped, strided, padded, dilated) convolution of input to output; missing leading dimensions
// are 1. Padding is added on both sides. The weight is (out_channels, in_channels / groups, kernel...).
// Supported: the floating-point and complex types and int64; the half types where arrays_type says so.
struct ConvolutionShape {
    DType dtype = DType::float32;
    int64_t batch = 0, groups = 1, in_channels = 0, out_channels = 0;
    int64_t input[3] = {1, 1, 1};
    int64_t output[3] = {1, 1, 1};
    int64_t kernel[3] = {1, 1, 1};
    int64_t stride[3] = {1, 1, 1};
    int64_t padding[3] = {0, 0, 0};
    int64_t dilation[3] = {1, 1, 1};
    bool minimal_filtering = true;      // Winograd's, where it suits
    KeptForms* weight_forms = nullptr;  // where packed weights that do not change may be kept
};

// Whether the kernel is of size one, without stride or padding.
bool is_pointwise(const ConvolutionShape& shape);

// The type to hand arrays over in: the shape's, but float32 for a half type unless a plain matrix product, or
// one in all for the weight's gradient, does the work.
DType arrays_type(const ConvolutionShape& shape);
DType weight_gradient_arrays_type(const ConvolutionShape& shape);

// `bias` has out_channels elements, or is null.
void convolution_forward(const ConvolutionShape& shape, const void* input, const void* weight,
                         const void* bias, void* output);

// The gradient of the input; with a bias (in_channels elements, or null) also the transposed convolution.
void convolution_input_gradient(const ConvolutionShape& shape, const void* grad_output, const void* weight,
                                const void* bias, void* grad_input);

void convolution_weight_gradient(const ConvolutionShape& shape, const void* input, const void* grad_output,
                                 void* grad_weight);

// For one element type each; `bias` is unused by the weight gradient.
struct ConvolutionFunctions {
    void (*forward)(const ConvolutionShape&, const void* input, const void* weight, const void* bias,
                    void* output);
    void (*input_gradient)(const ConvolutionShape&, const void* grad_output, const void* weight,
                           const void* bias, void* grad_input);
    void (*weight_gradient)(const ConvolutionShape&, const void* input, const void* grad_output,
                            void* grad_weight);
};
struct ConvolutionKernels {
    const ConvolutionFunctions& (*functions)(DType);
};
const ConvolutionKernels& convolution_kernels();

}  // namespace rl::kernels
