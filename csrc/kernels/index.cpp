// Chooses the instruction set's indexing kernels.
#include "kernels/index.h"

#include "kernels/dispatch.h"

namespace rl::kernels {

RUSHLIGHT_DECLARE_TABLES(IndexKernels, index_table)

const IndexKernels& index_kernels() {
    static const IndexKernels& table = RUSHLIGHT_SELECT(index_table);
    return table;
}

}  // namespace rl::kernels
