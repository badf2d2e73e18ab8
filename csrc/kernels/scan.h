// Running reductions along one dimension: cumsum, cumprod, cummax, cummin, logcumsumexp.
#pragma once

#include "core/dtype.h"

namespace rl::kernels {

enum class Scan : uint8_t { sum, product, logsumexp };

// Arrays are contiguous [outer, size, inner]; the scan runs along `size`. Input and output have one type, or
// integers become int64.
struct ScanShape {
    int64_t outer;
    int64_t size;
    int64_t inner;
};

struct ScanKernels {
    void (*scan)(Scan scan, DType in_dtype, DType dtype, const void* in, void* out, const ScanShape& shape);
    // The extreme so far and its position, the last of equals; a NaN stays.
    void (*scan_extreme)(bool maximum, DType dtype, const void* in, void* values, int64_t* indices,
                         const ScanShape& shape);
};
const ScanKernels& scan_kernels();

}  // namespace rl::kernels
