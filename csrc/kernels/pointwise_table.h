// The tables behind the pointwise kernels: a block function per scalar function and compute type.
#pragma once

#include "kernels/pointwise.h"

namespace rl::kernels {

// Computes `count` results from contiguous inputs; the output may be one of the inputs. An input whose bit is
// set in `constants` is one element for all, of the compute type; of functions of one input none is. Returns
// false when an integer was divided by zero.
using BlockFunction = bool (*)(void* output, const void* const* inputs, int64_t count,
                               const Parameters& parameters, unsigned constants);

// Converts `count` contiguous values.
using ConvertFunction = void (*)(void* output, const void* input, int64_t count);

struct PointwiseTable {
    BlockFunction blocks[static_cast<int>(Pointwise::count)][compute_count];
    // Those of float32 that load and store float16 and bfloat16 themselves, where there are such.
    BlockFunction halves[static_cast<int>(Pointwise::count)][2];
    ConvertFunction converts[dtype_count][dtype_count];  // [to][from]
};

// The families of one instruction set; each adds its functions to a table.
struct PointwiseFamilies {
    using Add = void (*)(PointwiseTable& table);
    Add families[7];
};

const PointwiseTable& pointwise_table();

}  // namespace rl::kernels
