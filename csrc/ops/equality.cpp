// Whether two tensors are the same in shape and values.
#include "ops/comparison.h"
#include "ops/reduction.h"
#include "ops/registry.h"

namespace rl::ops {
namespace {

bool equal(const Tensor& self, const Tensor& other) {
    check(self.device().type == other.device().type,
          "Cannot compare two tensors on different devices. Got: ", to_string(self.device()), " and ",
          to_string(other.device()));
    check<NotImplemented>(!self.is_meta(), "Cannot compare meta tensors: they have no values");
    if (self.sizes() != other.sizes()) return false;
    if (self.numel() == 0) return true;
    const GradientsEnabled disabled(false);
    return all(eq(self, other)).item().to_bool();
}

const Register equal_operator{
    "equal(Tensor self, Tensor other) -> bool",
    equal,
    {.doc = "Whether both tensors have the same shape and values; NaN equals nothing.\n\n"
            ">>> import rushlight as torch\n"
            ">>> torch.equal(torch.tensor([1, 2]), torch.tensor([1, 2]))\n"
            "True",
     .differentiable = false}};

}  // namespace
}  // namespace rl::ops
