// Chooses the instruction set's normalization kernels.
#include "kernels/normalization.h"

#include "kernels/dispatch.h"

namespace rl::kernels {

RUSHLIGHT_DECLARE_TABLES(NormalizationKernels, normalization_table)

const NormalizationKernels& normalization_kernels() {
    static const NormalizationKernels& table = RUSHLIGHT_SELECT(normalization_table);
    return table;
}

}  // namespace rl::kernels
