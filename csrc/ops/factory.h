// The keyword arguments that all operators making new tensors share.
#pragma once

#include <optional>

#include "ops/pointwise.h"
#include "ops/registry.h"

// They end a schema and, in this order, a C++ function: dtype, layout, device, pin_memory, requires_grad.
#define RUSHLIGHT_FACTORY_SCHEMA                                                                     \
    "ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, bool " \
    "requires_grad=False"

namespace rl::ops {

struct Factory {
    std::optional<DType> dtype;
    std::optional<Device> device;
    std::optional<bool> pin_memory;
    bool requires_grad = false;
    Destination destination = {};

    // What to make: as asked, else as `out` is, else as given here.
    TensorOptions options(DType type = default_dtype(), Device place = default_device()) const {
        check(!pin_memory.value_or(false),
              "pin_memory=True requires a CUDA or other accelerator backend; no pinned memory allocator is "
              "available on "
              "this system.");
        const bool has_out = destination.kind == Destination::Kind::out;
        if (has_out) {
            type = destination.tensor.dtype();
            place = destination.tensor.device();
            check(!dtype || *dtype == type, "dtype ", info(dtype.value_or(type)).scalar_name,
                  " does not match dtype of out parameter (", info(type).scalar_name, ")");
        }
        return {dtype.value_or(type), device.value_or(place)};
    }

    // The new tensor, or `out` with its values.
    Tensor finish(const Tensor& result) const {
        if (destination.kind == Destination::Kind::out) {
            prepare_out(destination.tensor, result.sizes(), result.dtype());
            copy_data(destination.tensor, result);
            destination.tensor.bump_version();
            return destination.tensor;
        }
        if (requires_grad) {
            check(is_differentiable(result.dtype()),
                  "Only Tensors of floating point and complex dtype can require gradients");
            set_requires_grad(result, true);
        }
        return result;
    }
};

}  // namespace rl::ops
