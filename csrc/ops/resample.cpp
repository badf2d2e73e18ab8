// Separable linear maps of the last dimensions: the gradient of each is its transpose.
#include "ops/resample.h"

#include "autograd/record.h"
#include "core/gil.h"
#include "ops/pointwise.h"

namespace rl::ops {

AxisMaps identity_maps(const Tensor& self, int64_t spatial) {
    AxisMaps maps;
    for (int64_t d = 0; d < spatial; ++d) {
        kernels::AxisMap& map = maps[static_cast<size_t>(3 - spatial + d)];
        map.input = map.output = self.size(d - spatial);
    }
    return maps;
}

void check_memory(const Tensor& self, const Dims& last) {
    Dims sizes = self.sizes();
    for (size_t d = 0; d < last.size(); ++d) sizes[sizes.size() - last.size() + d] = last[d];
    empty(sizes, {self.dtype(), {}});
}

Tensor resample(const char* node, const Tensor& self, int64_t spatial, AxisMaps maps, int64_t divisor) {
    const size_t outer = self.sizes().size() - static_cast<size_t>(spatial);
    Dims sizes(self.sizes().begin(), self.sizes().begin() + static_cast<std::ptrdiff_t>(outer));
    const int64_t planes = count_elements(sizes);
    for (int64_t d = 3 - spatial; d < 3; ++d) sizes.push_back(maps[static_cast<size_t>(d)].output);
    const Tensor result = empty(sizes, options_of(self));
    if (!result.is_meta() && result.numel() > 0) {
        const Tensor source = contiguous_data(self);
        const kernels::AxisMap axes[3] = {maps[0], maps[1], maps[2]};
        const GilRelease released(result.numel() + source.numel());
        kernels::resample(self.dtype(), planes, axes, divisor, source.raw_data(), result.raw_data());
    }
    return record(node, {self}, result, [&] {
        return [node, spatial, maps = std::move(maps), divisor](const Tensor& grad) -> Gradients {
            return {resample(node, grad, spatial,
                             {maps[0].transposed(), maps[1].transposed(), maps[2].transposed()}, divisor)};
        };
    });
}

}  // namespace rl::ops
