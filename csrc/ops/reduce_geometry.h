// From a tensor and a set of dimensions to what the reduction kernels take.
#pragma once

#include "core/gil.h"
#include "core/tensor.h"
#include "kernels/reduce.h"

namespace rl::ops {

// The dimensions as a mask; none given: all.
inline uint64_t mask_of(const Tensor& self, const std::optional<Dims>& dim) {
    return dim_mask(dim.has_value() ? IntSpan(*dim) : IntSpan(), self.dim());
}

inline Dims dims_in(uint64_t mask, int64_t ndim) {
    Dims dims;
    for (int64_t i = 0; i < ndim; ++i)
        if ((mask >> i & 1) != 0) dims.push_back(i);
    return dims;
}

// The shape left when the dimensions in `mask` are reduced.
inline Dims reduced_sizes(IntSpan sizes, uint64_t mask, bool keepdim) {
    Dims result;
    for (size_t i = 0; i < sizes.size(); ++i) {
        if ((mask >> i & 1) == 0)
            result.push_back(sizes[i]);
        else if (keepdim)
            result.push_back(1);
    }
    return result;
}

inline int64_t reduced_count(IntSpan sizes, uint64_t mask) {
    int64_t count = 1;
    for (size_t i = 0; i < sizes.size(); ++i)
        if ((mask >> i & 1) != 0) count *= sizes[i];
    return count;
}

// The dimensions of `self`, parted; results are contiguous.
struct ReductionGeometry {
    ReductionGeometry(const Tensor& self, uint64_t mask) {
        const Dims out_strides = contiguous_strides(reduced_sizes(self.sizes(), mask, true));
        for (int64_t i = 0; i < self.dim(); ++i) {
            if ((mask >> i & 1) != 0)
                reduced.push_back({self.sizes()[i], self.strides()[i], 0});
            else
                kept.push_back({self.sizes()[i], self.strides()[i], out_strides[i]});
        }
    }
    InlineVector<kernels::ReduceDim, 5> kept;
    InlineVector<kernels::ReduceDim, 5> reduced;
};

struct ReductionFinish {
    double power = 1;
    double divisor = 1;
    double root = 1;
};

// A reduction of `self` over the dimensions in `mask`, off the graph.
inline Tensor run_reduction(kernels::Reduction reduction, const Tensor& self, uint64_t mask, bool keepdim,
                            DType dtype, const ReductionFinish& finish = {}) {
    const Tensor result = empty(reduced_sizes(self.sizes(), mask, keepdim), {dtype, self.device()});
    if (result.is_meta() || result.numel() == 0) return result;
    const ReductionGeometry geometry(self, mask);
    const kernels::ReduceArguments arguments{
        .reduction = reduction,
        .in_dtype = self.dtype(),
        .out_dtype = dtype,
        .in = self.raw_data(),
        .out = result.raw_data(),
        .kept = geometry.kept.data(),
        .kept_rank = static_cast<int>(geometry.kept.size()),
        .reduced = geometry.reduced.data(),
        .reduced_rank = static_cast<int>(geometry.reduced.size()),
        .power = finish.power,
        .divisor = finish.divisor,
        .root = finish.root,
    };
    const GilRelease released(self.numel());
    kernels::reduce(arguments);
    return result;
}

}  // namespace rl::ops
