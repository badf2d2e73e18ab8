// Convolutions: the choice of kernel. A kernel of size one without stride or padding is a plain matrix
// product.
#include "kernels/convolution.h"

#include <algorithm>

#include "kernels/gemm.h"

namespace rl::kernels {

RUSHLIGHT_DECLARE_TABLES(ConvolutionKernels, convolution_table)

const ConvolutionKernels& convolution_kernels() {
    static const ConvolutionKernels& table = RUSHLIGHT_SELECT(convolution_table);
    return table;
}

namespace {

int64_t volume(const int64_t (&sizes)[3]) {
    return sizes[0] * sizes[1] * sizes[2];
}

// Whether one product takes the planes of all images, of at most so many positions, together.
bool joins_planes(const ConvolutionShape& s, int64_t most_positions) {
    const int64_t positions = volume(s.output), channels = std::min(s.in_channels, s.out_channels) / s.groups;
    const bool fits = s.dtype == DType::float32 || s.dtype == DType::float64;
    return fits && s.batch > 1 && channels >= 8 && positions > 1 && positions <= most_positions;
}
// Of a gradient of the weight, whose sums would be added up too often for each image's positions alone.
constexpr int64_t most_joined = 1024, most_joined_lines = 128;

bool is_plain_product(const ConvolutionShape& s) {
    return is_pointwise(s) && !joins_planes(s, most_joined);
}

// Per image and group: rows of channels times positions. Images of one position are columns themselves.
GemmProblem pointwise_problem(const ConvolutionShape& s, int64_t rows, int64_t depth) {
    const int64_t positions = volume(s.output);
    GemmProblem p;
    p.dtype = s.dtype;
    p.m = rows / s.groups;
    p.k = depth / s.groups;
    p.batch_rank = 1;
    p.batch[0] = {s.groups, p.m * p.k, p.k * positions, p.m * positions, p.m};
    p.addend_row = 1;
    p.b_row = p.c_row = positions;
    if (positions == 1) {
        p.n = s.batch;
        p.b_column = depth;
        p.c_column = rows;
        return p;
    }
    p.n = positions;
    p.b_column = p.c_column = 1;
    p.batch[p.batch_rank++] = {s.batch, 0, depth * positions, rows * positions, 0};
    return p;
}

void pointwise_weight_gradient(const ConvolutionShape& s, const void* input, const void* grad_output,
                               void* grad_weight) {
    const int64_t positions = volume(s.output), item = item_size(s.dtype);
    GemmProblem p;
    p.dtype = s.dtype;
    p.m = s.out_channels / s.groups;
    p.n = s.in_channels / s.groups;
    p.c_row = p.addend_row = p.n;
    p.c_column = p.addend_column = 1;
    p.c = grad_weight;
    p.batch_rank = 1;
    p.batch[0] = {s.groups, p.m * positions, p.n * positions, p.m * p.n, p.m * p.n};
    p.a = grad_output;
    p.b = input;
    p.a_row = p.b_column = positions;
    if (positions == 1 || s.batch == 0) {
        p.k = s.batch;
        p.a_column = s.out_channels;
        p.b_row = s.in_channels;
        return gemm(p);
    }
    p.k = positions;
    p.a_column = p.b_row = 1;
    for (int64_t image = 0; image < s.batch; ++image) {
        p.a = static_cast<const char*>(grad_output) + image * s.out_channels * positions * item;
        p.b = static_cast<const char*>(input) + image * s.in_channels * positions * item;
        p.addend = image == 0 ? nullptr : grad_weight;
        gemm(p);
    }
}

}  // namespace

bool is_pointwise(const ConvolutionShape& s) {
    for (int d = 0; d < 3; ++d)
        if (s.kernel[d] != 1 || s.stride[d] != 1 || s.padding[d] != 0) return false;
    return true;
}

DType arrays_type(const ConvolutionShape& shape) {
    return is_reduced_floating(shape.dtype) && !is_pointwise(shape) ? DType::float32 : shape.dtype;
}
DType weight_gradient_arrays_type(const ConvolutionShape& shape) {
    return is_reduced_floating(shape.dtype) && shape.batch > 1 ? DType::float32 : arrays_type(shape);
}

void convolution_forward(const ConvolutionShape& shape, const void* input, const void* weight,
                         const void* bias, void* output) {
    if (!is_plain_product(shape))
        return convolution_kernels().functions(shape.dtype).forward(shape, input, weight, bias, output);
    GemmProblem p = pointwise_problem(shape, shape.out_channels, shape.in_channels);
    p.a = weight;
    p.a_forms = shape.weight_forms;
    p.a_row = p.k;
    p.a_column = 1;
    p.b = input;
    p.c = output;
    p.addend = bias;
    gemm(p);
}

void convolution_input_gradient(const ConvolutionShape& shape, const void* grad_output, const void* weight,
                                const void* bias, void* grad_input) {
    if (!is_plain_product(shape)) {
        const ConvolutionFunctions& functions = convolution_kernels().functions(shape.dtype);
        return functions.input_gradient(shape, grad_output, weight, bias, grad_input);
    }
    GemmProblem p = pointwise_problem(shape, shape.in_channels, shape.out_channels);
    p.a = weight;
    p.a_row = 1;
    p.a_column = p.m;
    p.b = grad_output;
    p.c = grad_input;
    p.addend = bias;
    gemm(p);
}

void convolution_weight_gradient(const ConvolutionShape& shape, const void* input, const void* grad_output,
                                 void* grad_weight) {
    if (is_pointwise(shape) && !joins_planes(shape, most_joined_lines))
        return pointwise_weight_gradient(shape, input, grad_output, grad_weight);
    convolution_kernels().functions(shape.dtype).weight_gradient(shape, input, grad_output, grad_weight);
}

}  // namespace rl::kernels
