// Chooses the instruction set's softmax kernels.
#include "kernels/softmax.h"

#include "kernels/dispatch.h"

namespace rl::kernels {

RUSHLIGHT_DECLARE_TABLES(SoftmaxKernels, softmax_table)

const SoftmaxKernels& softmax_kernels() {
    static const SoftmaxKernels& table = RUSHLIGHT_SELECT(softmax_table);
    return table;
}

}  // namespace rl::kernels
