// Random filling: distributions drawn into contiguous memory, number for number as PyTorch draws on a CPU.
//
// Every function draws elements in order from the generator, which the caller has locked, and leaves it where
// one draw after the other would have.
#pragma once

#include <cstdint>

#include "core/dtype.h"
#include "core/generator.h"

namespace rl::kernels {

struct RandomKernels {
    // Uniform over [from, to); floating types.
    void (*uniform)(Generator& generator, DType dtype, void* output, int64_t count, double from, double to);

    // Normal; floating types. The blocked stream transforms sixteen draws at a time and exists from sixteen
    // elements on; the other one is that of Generator::normal.
    void (*normal_blocked)(Generator& generator, DType dtype, void* output, int64_t count, double mean,
                           double std);
    void (*normal_serial)(Generator& generator, DType dtype, void* output, int64_t count, double mean,
                          double std);

    // base + a whole number below range, or any 64 bits where range is 0; every type but complex.
    void (*integers)(Generator& generator, DType dtype, void* output, int64_t count, uint64_t range,
                     int64_t base);
    // The same over all whole numbers from 0 on that the type holds exactly.
    void (*integers_all)(Generator& generator, DType dtype, void* output, int64_t count);

    // 1 with probability p, else 0; every type but complex. Then with a probability for each element, of a
    // floating type.
    void (*bernoulli)(Generator& generator, DType dtype, void* output, int64_t count, double p);
    void (*bernoulli_each)(Generator& generator, DType dtype, void* output, int64_t count, const void* p,
                           DType p_dtype);

    // Continuous distributions of floating types, and the number of trials to the first success.
    void (*exponential)(Generator& generator, DType dtype, void* output, int64_t count, double lambda);
    void (*cauchy)(Generator& generator, DType dtype, void* output, int64_t count, double median,
                   double sigma);
    void (*log_normal)(Generator& generator, DType dtype, void* output, int64_t count, double mean,
                       double std);
    void (*geometric)(Generator& generator, DType dtype, void* output, int64_t count, double p);

    // Poisson with a rate for each element; output and rates have the same floating type.
    void (*poisson)(Generator& generator, DType dtype, void* output, int64_t count, const void* rates);

    // noise is uniform over [lower, upper) where the input is not positive, else 1; output = input * noise.
    // All of the same floating type.
    void (*rrelu)(Generator& generator, DType dtype, void* output, void* noise, const void* input,
                  int64_t count, double lower, double upper);

    // 0 .. count - 1 in random order; every type but bool and complex.
    void (*permutation)(Generator& generator, DType dtype, void* output, int64_t count);

    // For each of `rows` rows of `categories` weights (a floating type), `samples` category numbers drawn
    // with replacement. `cumulative` is working memory for `categories` doubles.
    void (*multinomial)(Generator& generator, DType dtype, const void* weights, int64_t rows,
                        int64_t categories, int64_t* output, int64_t samples, void* cumulative);
};

const RandomKernels& random_kernels();

}  // namespace rl::kernels
