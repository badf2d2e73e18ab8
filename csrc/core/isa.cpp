// Which instruction set's kernels this process runs.
#include "core/isa.h"

#include <cstdlib>
#include <string_view>

#include "core/error.h"

namespace rl {
namespace {

bool machine_has(Isa isa) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                      __builtin_cpu_supports("f16c") && __builtin_cpu_supports("bmi") &&
                      __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
    if (isa == Isa::avx2) return avx2;
    if (isa == Isa::avx512) {
        return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
    }
#endif
    return isa == Isa::baseline;
}

Isa choose_isa() {
    constexpr Isa best_first[] = {Isa::avx512, Isa::avx2, Isa::baseline};
    const char* wanted = std::getenv("RUSHLIGHT_ISA");
    const bool any = wanted == nullptr || *wanted == '\0';
    for (const Isa isa : best_first) {
        if (!any && std::string_view(wanted) != isa_name(isa)) continue;
        if (machine_has(isa)) return isa;
        check(any, "RUSHLIGHT_ISA=", wanted, ": this machine does not have that instruction set");
    }
    raise("RUSHLIGHT_ISA=", wanted, ": unknown instruction set, expected one of baseline, avx2, avx512");
}

}  // namespace

Isa current_isa() {
    static const Isa isa = choose_isa();
    return isa;
}

const char* isa_name(Isa isa) {
    switch (isa) {
        case Isa::avx512:
            return "avx512";
        case Isa::avx2:
            return "avx2";
        case Isa::baseline:
            break;
    }
    return "baseline";
}

}  // namespace rl
