// Chooses the instruction set's ordering kernels.
#include "kernels/sort.h"

#include "kernels/dispatch.h"

namespace rl::kernels {

RUSHLIGHT_DECLARE_TABLES(SortKernels, sort_table)

const SortKernels& sort_kernels() {
    static const SortKernels& table = RUSHLIGHT_SELECT(sort_table);
    return table;
}

}  // namespace rl::kernels
