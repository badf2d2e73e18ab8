// Reductions over any set of dimensions of a strided array: sums, products, extrema, norms, moments,
// arguments.
#pragma once

#include "core/dtype.h"

namespace rl::kernels {

enum class Reduction : uint8_t {
    sum,
    nansum,  // NaN counts as zero
    product,
    minimum,
    maximum,
    any,
    all,
    count_nonzero,
    sum_abs,
    sum_squares,  // of absolute values
    sum_powers,   // of absolute values, to `power`
    max_abs,
    min_abs,
};

// One dimension; strides count elements.
struct ReduceDim {
    int64_t size;
    int64_t in_stride;
    int64_t out_stride;  // of kept dimensions
};
inline constexpr int max_reduce_rank = 64;  // as many dimensions as a tensor may have

struct ReduceArguments {
    Reduction reduction;
    DType in_dtype;
    DType out_dtype;
    const void* in;
    void* out;
    const ReduceDim* kept;
    int kept_rank;
    const ReduceDim* reduced;
    int reduced_rank;
    double power = 1;    // of sum_powers
    double divisor = 1;  // results are divided by it (mean)
    double root = 1;     // then raised to 1 / root (norms)
};

// Mean and variance of real floating-point input, computed in double.
struct MomentsArguments {
    DType dtype;  // of input and outputs
    const void* in;
    void* variance;
    void* mean;  // may be null; laid out as variance is
    const ReduceDim* kept;
    int kept_rank;
    const ReduceDim* reduced;
    int reduced_rank;
    double correction;  // variance divides by max(0, count - correction)
};

// The first position of the extreme value along one dimension; a NaN is more extreme than any number.
struct ArgReduceArguments {
    bool maximum;
    DType dtype;  // real
    const void* in;
    void* values;  // may be null; of dtype
    int64_t* indices;
    const ReduceDim* kept;
    int kept_rank;
    int64_t size;  // of the reduced dimension, at least 1
    int64_t stride;
};

struct ReduceKernels {
    void (*reduce)(const ReduceArguments&);
    void (*moments)(const MomentsArguments&);
    void (*arg_reduce)(const ArgReduceArguments&);
};
const ReduceKernels& reduce_kernels();

// The table's kernels take at least one kept and one reduced dimension. These put the dimensions in order of
// memory, join those that can be joined, and call the kernels above. The results do not depend on the number
// of threads.
void reduce(ReduceArguments arguments);
void moments(MomentsArguments arguments);
void arg_reduce(ArgReduceArguments arguments);

}  // namespace rl::kernels
