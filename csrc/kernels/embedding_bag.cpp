// Chooses the instruction set's kernels of bags of embeddings.
#include "kernels/embedding_bag.h"

#include "kernels/dispatch.h"

namespace rl::kernels {

RUSHLIGHT_DECLARE_TABLES(EmbeddingBagKernels, embedding_bag_table)

const EmbeddingBagKernels& embedding_bag_kernels() {
    static const EmbeddingBagKernels& table = RUSHLIGHT_SELECT(embedding_bag_table);
    return table;
}

}  // namespace rl::kernels
