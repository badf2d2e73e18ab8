// Chooses the instruction set's kernels of sampling at grids.
#include "kernels/grid_sample.h"

#include "kernels/dispatch.h"

namespace rl::kernels {

RUSHLIGHT_DECLARE_TABLES(GridSampleKernels, grid_sample_table)

const GridSampleKernels& grid_sample_kernels() {
    static const GridSampleKernels& table = RUSHLIGHT_SELECT(grid_sample_table);
    return table;
}

}  // namespace rl::kernels
