// Chooses the instruction set's optimizer kernels.
#include "kernels/optimizer.h"

#include "kernels/dispatch.h"

namespace rl::kernels {

RUSHLIGHT_DECLARE_TABLES(OptimizerKernels, optimizer_table)

const OptimizerKernels& optimizer_kernels() {
    static const OptimizerKernels& table = RUSHLIGHT_SELECT(optimizer_table);
    return table;
}

}  // namespace rl::kernels
