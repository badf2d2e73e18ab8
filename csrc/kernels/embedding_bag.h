// Bags of embeddings: rows of a table that are summed, averaged or of which the greatest elements are taken.
#pragma once

#include <cstdint>

#include "core/dtype.h"

namespace rl::kernels {

enum class BagMode : uint8_t { sum, mean, max };

// Bag b has the uses from starts[b] to starts[b + 1], in increasing order, of which use i is of row
// indices[i], in range; those of row `padding` are left out. Arrays are contiguous.
struct BagProblem {
    DType dtype;  // of table, scales, results and their gradients; computed in as float where of 16 bits
    BagMode mode;
    const void* table;  // [rows, width]
    int64_t rows, width;
    const int64_t* indices;
    const int64_t* starts;  // [bags + 1]
    int64_t bags;
    int64_t padding;     // -1 for none
    const void* scales;  // what each use is multiplied by, for sums; null for ones
};

struct EmbeddingBagKernels {
    // out [bags, width]; for maxima `places` [bags, width] are the rows that they come from, -1 in empty
    // bags.
    void (*forward)(const BagProblem&, void* out, int64_t* places);
    // The rows of the table's gradient [rows, width], zeros before, that are used; `by_frequency` divides
    // each by the number of its uses.
    void (*table_gradient)(const BagProblem&, const void* gradient, const int64_t* places, bool by_frequency,
                           void* table_gradient);
    // One number for each use: the product of its row with its bag's gradient.
    void (*scale_gradient)(const BagProblem&, const void* gradient, void* scale_gradient);
};
const EmbeddingBagKernels& embedding_bag_kernels();

}  // namespace rl::kernels
