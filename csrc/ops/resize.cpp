// Operators that give a tensor another size or memory in place.
#include "autograd/record.h"
#include "ops/registry.h"

namespace rl::ops {
namespace {

Tensor resize_(const Tensor& self, const Dims& size, std::optional<MemoryFormat> memory_format) {
    check(!requires_grad(self), "cannot resize variables that require grad");
    for (const int64_t length : size) {
        check(length >= 0, "Trying to create tensor with negative dimension ", length, ": ", to_string(size));
    }
    resize_in_place(self, size);
    if (memory_format && *memory_format != MemoryFormat::contiguous &&
        *memory_format != MemoryFormat::preserve) {
        self->strides = strides_for(size, *memory_format);
        refresh_geometry(self.impl());
    }
    return self;
}

Tensor resize_as_(const Tensor& self, const Tensor& the_template, std::optional<MemoryFormat> memory_format) {
    return resize_(self, the_template.sizes(), memory_format);
}

const Register resize_op{
    "resize_(Tensor(a!) self, int[] size, *, MemoryFormat? memory_format=None) -> Tensor(a!)",
    resize_,
    {.variants = method,
     .doc = "Gives the tensor another size in place, contiguous; elements that fit stay, new ones "
            "are not cleared.\n\nRaises RuntimeError for a tensor that requires grad, and when its "
            "memory is lent to a NumPy array.\n\n"
            ">>> rushlight.arange(4).resize_(2, 2)\ntensor([[0, 1],\n        [2, 3]])\n",
     .differentiable = false}};
const Register resize_as_op{
    "resize_as_(Tensor(a!) self, Tensor the_template, *, MemoryFormat? memory_format=None) -> Tensor(a!)",
    resize_as_,
    {.variants = function | method,
     .doc = "Gives the tensor the size of another, as by resize_.",
     .differentiable = false}};

}  // namespace
}  // namespace rl::ops
