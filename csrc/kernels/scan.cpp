// Chooses the instruction set's running reductions.
#include "kernels/scan.h"

#include "kernels/dispatch.h"

namespace rl::kernels {

RUSHLIGHT_DECLARE_TABLES(ScanKernels, scan_table)

const ScanKernels& scan_kernels() {
    static const ScanKernels& table = RUSHLIGHT_SELECT(scan_table);
    return table;
}

}  // namespace rl::kernels
