// The instruction sets that kernels are compiled for, and which of them this process uses.
#pragma once

namespace rl {

enum class Isa { baseline, avx2, avx512 };

// The best instruction set of this machine, or the one that the environment variable RUSHLIGHT_ISA names
// ("baseline", "avx2", "avx512") where the machine has it; throws Error for an unknown or absent one.
// Decided once.
Isa current_isa();

const char* isa_name(Isa isa);

}  // namespace rl
