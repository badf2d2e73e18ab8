// Floating-point numbers taken apart: frexp.
#include <cmath>

#include "autograd/operators.h"
#include "autograd/record.h"
#include "ops/arithmetic.h"
#include "ops/elementary.h"
#include "ops/registry.h"

namespace rl::ops {
namespace {

template <class T>
void split(const T* numbers, T* mantissas, int32_t* exponents, int64_t count) {
    using Wide = std::conditional_t<std::is_same_v<T, double>, double, float>;
    for (int64_t i = 0; i < count; ++i) {
        const auto number = static_cast<Wide>(numbers[i]);
        int exponent = 0;
        const Wide mantissa = std::frexp(number, &exponent);
        mantissas[i] = T(mantissa);
        exponents[i] = std::isfinite(number) ? exponent : 0;
    }
}

std::tuple<Tensor, Tensor> frexp(const Tensor& self) {
    check(is_floating(self.dtype()), "torch.frexp() only supports floating-point dtypes");
    const Tensor mantissa = empty_like(self);
    const Tensor exponent = empty_like(self, DType::int32);
    if (!self.is_meta() && self.numel() > 0) {
        autograd_operators.copy_data(mantissa, self);
        visit_dtype(self.dtype(), [&](auto tag) {
            using T = typename decltype(tag)::type;
            if constexpr (std::is_floating_point_v<T> || std::is_same_v<T, Half> ||
                          std::is_same_v<T, BFloat16>) {
                split(mantissa.data<T>(), mantissa.data<T>(), exponent.data<int32_t>(), self.numel());
            }
        });
    }
    const Tensor result = record("FrexpBackward0", {self}, mantissa, [&] {
        return [exponent = Saved(exponent)](const Tensor& grad) -> Gradients {
            return {grad / exp2(autograd_operators.to_dtype(exponent.get(), grad.dtype()))};
        };
    });
    return {result, exponent};
}

const Register frexp_op{"frexp.Tensor(Tensor self) -> (Tensor mantissa, Tensor exponent)",
                        frexp,
                        {.variants = function | method | out,
                         .doc = R"(
The numbers as mantissa · 2^exponent, with the mantissa in [0.5, 1) and int32 exponents.

Raises RuntimeError for integers and complex numbers.

>>> torch.frexp(torch.tensor([6.])).mantissa
tensor([0.7500])
)",
                         .dtypes = "floating"}};

}  // namespace
}  // namespace rl::ops
