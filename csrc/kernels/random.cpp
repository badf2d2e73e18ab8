// Chooses the instruction set of the random kernels.
#include "kernels/random.h"

#include "kernels/dispatch.h"

namespace rl::kernels {

RUSHLIGHT_DECLARE_TABLES(RandomKernels, random_table)

const RandomKernels& random_kernels() {
    static const RandomKernels& table = RUSHLIGHT_SELECT(random_table);
    return table;
}

}  // namespace rl::kernels
