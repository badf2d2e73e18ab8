// Padding with a constant.
#include "ops/padding.h"

#include <algorithm>
#include <cstdlib>

#include "autograd/record.h"
#include "core/gil.h"
#include "ops/pointwise.h"
#include "ops/registry.h"

namespace rl::ops {

Tensor constant_pad_nd(const Tensor& self, const Dims& pad, const Scalar& value) {
    const size_t rank = self.sizes().size();
    check(pad.size() % 2 == 0, "Length of pad must be even but instead it equals ", pad.size());
    check(pad.size() <= 2 * rank,
          "Length of pad should be no more than twice the number of dimensions of the input. ",
          "Pad length is ", pad.size(), "while the input has ", rank, "dimensions.");
    Dims sizes = self.sizes(), inner = self.sizes(), source_strides = self.strides();
    int64_t source_offset = self.offset(), target_offset = 0;
    for (size_t i = 0; i < pad.size() / 2; ++i) {
        const size_t d = rank - 1 - i;
        const int64_t before = pad[2 * i], after = pad[2 * i + 1];
        constexpr int64_t limit = int64_t{1} << 60;
        check(std::max(std::abs(before), std::abs(after)) <= limit, "integer out of range");
        sizes[d] += before + after;
        check(sizes[d] >= 0, "The input size ", self.sizes()[d], ", plus negative padding ", before, " and ",
              after, " resulted in a negative output size, which is invalid. Check dimension ", d,
              " of your input.");
        inner[d] =
            std::max<int64_t>(0, inner[d] + std::min<int64_t>(before, 0) + std::min<int64_t>(after, 0));
        source_offset += std::max<int64_t>(-before, 0) * self.strides()[d];
    }
    const Tensor result = empty(sizes, options_of(self));
    for (size_t i = 0; i < pad.size() / 2; ++i)
        target_offset += std::max<int64_t>(pad[2 * i], 0) * result.strides()[rank - 1 - i];
    if (!result.is_meta() && result.numel() > 0) {
        fill_data(result, value);
        if (count_elements(inner) > 0)
            copy_data(alias(result, inner, result.strides(), target_offset),
                      alias(self, inner, source_strides, source_offset));
    }
    return record("ConstantPadNdBackward0", {self}, result, [&] {
        Dims back;
        for (const int64_t amount : pad) back.push_back(-amount);
        return [back](const Tensor& grad) -> Gradients { return {constant_pad_nd(grad, back)}; };
    });
}

namespace {

const Register constant_pad_operator{
    "constant_pad_nd(Tensor self, int[] pad, Scalar value=0) -> Tensor",
    constant_pad_nd,
    {.variants = function,
     .doc = "Adds `value` before and after the last dimensions: pad = (before, after) of the last, then of "
            "the one "
            "before it, and so on. A negative number takes away.\n\n"
            "Raises RuntimeError for an odd number of amounts, too many, or a negative size.\n\n"
            ">>> rushlight.constant_pad_nd(rushlight.ones(2), [1, 0])\ntensor([0., 1., 1.])"}};

}  // namespace

}  // namespace rl::ops
