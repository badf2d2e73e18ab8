// Separable linear maps of the last dimensions: the gradient of each is its transpose.
#include "ops/resample.h"

#include "autograd/record.h"
#include "core/gil.h"
#include "ops/arithmetic.h"
#include "ops/pointwise.h"
#include "ops/views.h"

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

PlaneLayout::PlaneLayout(const Tensor& self, int64_t spatial, DType dtype) {
    channels_last = is_floating(dtype) && self.dim() == spatial + 2 && !self.is_contiguous() &&
                    is_channels_last(self.sizes(), self.strides());
    planes = inner = 1;
    for (int64_t d = 0; d < self.dim() - spatial; ++d)
        (channels_last && d == 1 ? inner : planes) *= self.size(d);
}

Tensor PlaneLayout::arranged(const Tensor& self) const {
    if (!channels_last) return contiguous_data(self);
    if (is_channels_last(self.sizes(), self.strides())) return self;
    const Tensor copy = empty(self.sizes(), options_of(self));
    copy_data(copy, self);
    return copy;
}

Tensor PlaneLayout::empty(const Dims& sizes, TensorOptions options) const {
    if (!channels_last) return rl::empty(sizes, options);
    const bool plane = sizes.size() == 4;
    return empty_strided(
        sizes, strides_for(sizes, plane ? MemoryFormat::channels_last : MemoryFormat::channels_last_3d),
        options);
}

Tensor resample(const char* node, const Tensor& self, int64_t spatial, AxisMaps maps, int64_t divisor) {
    const PlaneLayout layout(self, spatial, self.dtype());
    Dims sizes(self.sizes().begin(), self.sizes().end() - spatial);
    for (int64_t d = 3 - spatial; d < 3; ++d) sizes.push_back(maps[static_cast<size_t>(d)].output);
    const Tensor result = layout.empty(sizes, options_of(self));
    if (!result.is_meta() && result.numel() > 0) {
        const Tensor source = layout.arranged(self);
        const kernels::AxisMap axes[3] = {maps[0], maps[1], maps[2]};
        const GilRelease released(result.numel() + source.numel());
        kernels::resample(self.dtype(), layout.planes, layout.inner, axes, divisor, source.raw_data(),
                          result.raw_data());
    }
    return record(node, {self}, result, [&] {
        return [node, spatial, maps = std::move(maps), divisor,
                sizes = self.sizes()](const Tensor& grad) -> Gradients {
            if (maps[0].takes_all() && maps[1].takes_all() && maps[2].takes_all()) {
                int64_t whole = divisor;
                for (const kernels::AxisMap& map : maps) whole *= map.divisor_at(0);
                return {expand(grad / Scalar(whole), sizes)};
            }
            return {resample(node, grad, spatial,
                             {maps[0].transposed(), maps[1].transposed(), maps[2].transposed()}, divisor)};
        };
    });
}

}  // namespace rl::ops
