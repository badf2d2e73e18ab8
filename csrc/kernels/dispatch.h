// How a kernel family, compiled once per instruction set, is reached at run time.
//
// A family `f` declares in kernels/f.h a struct FKernels of function pointers and `const FKernels&
// f_kernels();`. kernels/cpu/f.cpp (compiled per instruction set, in namespace rl::kernels::RUSHLIGHT_ISA)
// defines one `extern const FKernels f_table`; kernels/f.cpp (compiled once) names the tables and selects
// one:
//
//     RUSHLIGHT_DECLARE_TABLES(FKernels, f_table)
//     const FKernels& f_kernels() { static const FKernels& table = RUSHLIGHT_SELECT(f_table); return table; }
//
// Code in kernels/cpu must keep every function and type of its own in its instruction set's namespace (or an
// anonymous one): two definitions of one inline function compiled for different processors must never meet.
#pragma once

#include "core/isa.h"

#if defined(__x86_64__)
#define RUSHLIGHT_DECLARE_TABLES(Type, table) \
    namespace baseline {                      \
    extern const Type table;                  \
    }                                         \
    namespace avx2 {                          \
    extern const Type table;                  \
    }                                         \
    namespace avx512 {                        \
    extern const Type table;                  \
    }
#define RUSHLIGHT_SELECT(table) ::rl::kernels::select_table(baseline::table, avx2::table, avx512::table)
#else
#define RUSHLIGHT_DECLARE_TABLES(Type, table) \
    namespace baseline {                      \
    extern const Type table;                  \
    }
#define RUSHLIGHT_SELECT(table) ::rl::kernels::select_table(baseline::table, baseline::table, baseline::table)
#endif

namespace rl::kernels {

template <class Table>
const Table& select_table(const Table& baseline, const Table& avx2, const Table& avx512) {
    switch (current_isa()) {
        case Isa::avx512:
            return avx512;
        case Isa::avx2:
            return avx2;
        case Isa::baseline:
            break;
    }
    return baseline;
}

}  // namespace rl::kernels
