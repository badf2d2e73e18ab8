// Sampling of images and volumes at the points of a grid.
#pragma once

#include <cstdint>

#include "core/dtype.h"

namespace rl::kernels {

enum class GridMode : uint8_t { bilinear, nearest, bicubic };
enum class GridPadding : uint8_t { zeros, border, reflection };

// All arrays are contiguous, and of one type, computed in as float where of 16 bits. An image's elements can
// be counted in 31 bits.
struct GridProblem {
    DType dtype;
    GridMode mode;
    GridPadding padding;
    bool align_corners;
    int rank;  // 2 or 3
    int64_t batch, channels;
    int64_t sizes[3];   // of an image, from the first dimension to the last
    int64_t points;     // of one image's grid
    const void* input;  // [batch, channels, sizes...]
    const void* grid;   // [batch, points, rank], coordinates from the last dimension to the first
};

struct GridSampleKernels {
    // out [batch, channels, points].
    void (*forward)(const GridProblem&, void* out);
    // Adds to the input's gradient, in the type computed in.
    void (*input_gradient)(const GridProblem&, const void* gradient, void* input_gradient);
    void (*grid_gradient)(const GridProblem&, const void* gradient, void* grid_gradient);
    // out [batch, points..., rank]: the points of a grid of `sizes`, whose coordinates along dimension d
    // are centres[d], mapped by theta [batch, rank, rank + 1]. float32 or float64.
    void (*affine)(DType dtype, int rank, int64_t batch, const int64_t* sizes, const void* const* centres,
                   const void* theta, void* out);
};
const GridSampleKernels& grid_sample_kernels();

}  // namespace rl::kernels
