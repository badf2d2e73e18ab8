// Separable linear maps: their transposes, and the choice of instruction set.
#include "kernels/resample.h"

namespace rl::kernels {

RUSHLIGHT_DECLARE_TABLES(ResampleKernels, resample_table)

const ResampleKernels& resample_kernels() {
    static const ResampleKernels& table = RUSHLIGHT_SELECT(resample_table);
    return table;
}

void resample(DType dtype, int64_t planes, int64_t inner, const AxisMap (&maps)[3], int64_t divisor,
              const void* input, void* output) {
    resample_kernels().resample(dtype, planes, inner, maps, divisor, input, output);
}

AxisMap AxisMap::transposed() const {
    AxisMap result;
    result.input = output;
    result.output = input;
    result.first.assign(static_cast<size_t>(input) + 1, 0);
    for (const int64_t source : index) ++result.first[static_cast<size_t>(source) + 1];
    for (size_t i = 1; i < result.first.size(); ++i) result.first[i] += result.first[i - 1];
    std::vector<int64_t> next(result.first.begin(), result.first.end() - 1);
    result.index.resize(index.size());
    const bool weighted = !weight.empty() || !divisor.empty();
    if (weighted) result.weight.resize(index.size());
    for (size_t target = 0; target < static_cast<size_t>(output); ++target) {
        for (size_t j = static_cast<size_t>(first[target]); j < static_cast<size_t>(first[target + 1]); ++j) {
            const auto place = static_cast<size_t>(next[static_cast<size_t>(index[j])]++);
            result.index[place] = static_cast<int64_t>(target);
            if (!weighted) continue;
            const double scale = divisor.empty() ? 1.0 : 1.0 / static_cast<double>(divisor[target]);
            result.weight[place] = (weight.empty() ? 1.0 : weight[j]) * scale;
        }
    }
    return result;
}

bool AxisMap::takes_all() const {
    if (output != 1 || !weight.empty() || static_cast<int64_t>(index.size()) != input) return false;
    for (int64_t i = 0; i < input; ++i)
        if (index[static_cast<size_t>(i)] != i) return false;
    return true;
}

}  // namespace rl::kernels
