// The keyword arguments that all operators making new tensors share.
#pragma once

#include <optional>

#include "ops/pointwise.h"
#include "ops/registry.h"

// They end a schema and, in this order, a C++ function: dtype, layout, device, pin_memory, requires_grad.
#define RUSHLIGHT_FACTORY_SCHEMA \
    "ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, bool requires_grad=False"

namespace rl::ops {

struct Factory {
    std::optional<DType> dtype;
    std::optional<Device> device;
    std::optional<bool> pin_memory;
    bool requires_grad = false;
    Destination destination = {};

    // What to make: as asked, else as `out` is, else as given here.
    TensorOptions options(DType default_type = default_dtype(), Device default_device = {}) const {
        check(!pin_memory.value_or(false),
              "pin_memory=True requires a CUDA or other accelerator backend; no pinned memory allocator is available on "
              "this system.");
        const bool has_out = destination.kind == Destination::Kind::out;
        if (has_out) {
            default_type = destination.tensor.dtype();
            default_device = destination.tensor.device();
            check(!dtype || *dtype == default_type, "dtype ", info(dtype.value_or(default_type)).scalar_name,
                  " does not match dtype of out parameter (", info(default_type).scalar_name, ")");
        }
        return {dtype.value_or(default_type), device.value_or(default_device)};
    }

    // The new tensor, or `out` with its values.
    Tensor finish(const Tensor& result) const {
        if (destination.kind == Destination::Kind::out) {
            prepare_out(destination.tensor, result.sizes(), result.dtype());
            copy_data(destination.tensor, result);
            destination.tensor.bump_version();
            return destination.tensor;
        }
        if (requires_grad) set_requires_grad(result, true);
        return result;
    }
};

}  // namespace rl::ops
