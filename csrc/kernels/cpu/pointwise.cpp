// The families of pointwise functions of one instruction set.
#include "kernels/cpu/pointwise_block.h"

namespace rl::kernels::RUSHLIGHT_ISA {

extern const PointwiseFamilies pointwise_families;
const PointwiseFamilies pointwise_families = {
    {add_arithmetic, add_comparison, add_elementary, add_complex, add_special, add_activation, add_convert}};

}  // namespace rl::kernels::RUSHLIGHT_ISA
