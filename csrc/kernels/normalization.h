// Normalization: of rows (layer, group, instance and RMS norm) and of channels (batch norm).
#pragma once

#include "core/dtype.h"

namespace rl::kernels {

// Contiguous [rows, channels, inner]; each row is normalized over channels and inner together. Row r holds
// the channels from (r % groups) * channels on, which is where its weights and biases are.
struct RowShape {
    int64_t rows;
    int64_t groups;
    int64_t channels;
    int64_t inner;
};

// Contiguous [samples, outer, channels, inner]; each channel of each sample is on its own.
struct ChannelShape {
    int64_t samples;
    int64_t outer;
    int64_t channels;
    int64_t inner;
};

// Contiguous. `dtype` is that of the elements: input, output and their gradients; weights, statistics and
// their gradients are float64 for float64 and float32 for all others.
struct NormalizationKernels {
    // out = (in - mean) * rstd * weight + bias; weight and bias may be null. mean and rstd have an element a
    // row; a null mean stands for zero (RMS norm).
    void (*rows)(DType dtype, const void* in, const void* weight, const void* bias, double epsilon, void* out,
                 void* mean, void* rstd, const RowShape& shape);
    // The gradients of in, weight and bias, each of which may be null: the last two are sums over rows of
    // gradient * (in - mean) * rstd and of gradient, by channel.
    void (*rows_backward)(DType dtype, const void* gradient, const void* in, const void* mean,
                          const void* rstd, const void* weight, void* in_gradient, void* weight_gradient,
                          void* bias_gradient, const RowShape& shape);

    // out = a[c] * x + b[c] * y + shift[c] on each channel c; y and b may be null. What channels have is
    // [samples, channels], here and below.
    void (*channels)(DType dtype, const void* x, const void* a, const void* y, const void* b,
                     const void* shift, void* out, const ChannelShape& shape);
    // Sums over each channel of gradient and of gradient * (in - mean[c]).
    void (*channel_sums)(DType dtype, const void* gradient, const void* in, const void* mean, void* sums,
                         void* products, const ChannelShape& shape);
    // The mean and the biased variance of each channel.
    void (*channel_moments)(DType dtype, const void* in, void* mean, void* variance,
                            const ChannelShape& shape);
};
const NormalizationKernels& normalization_kernels();

}  // namespace rl::kernels
