// Recurrent layers: the choice of instruction set.
#include "kernels/recurrent.h"

namespace rl::kernels {

RUSHLIGHT_DECLARE_TABLES(RecurrentKernels, recurrent_table)

const RecurrentKernels& recurrent_kernels() {
    static const RecurrentKernels& table = RUSHLIGHT_SELECT(recurrent_table);
    return table;
}

}  // namespace rl::kernels
