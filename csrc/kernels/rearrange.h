// Elements moved about without arithmetic.
#pragma once

#include <cstdint>

namespace rl::kernels {

// For each of `count` contiguous matrices: the elements on and below (or, `upper`, above) a diagonal, zeros
// elsewhere. Elements of `item` bytes; output and input may be the same memory.
void triangle(void* output, const void* input, int64_t item, int64_t count, int64_t rows, int64_t columns,
              int64_t diagonal, bool upper);

}  // namespace rl::kernels
