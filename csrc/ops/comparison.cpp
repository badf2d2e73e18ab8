// Comparisons, logic and classification, and the larger and smaller of two.
#include "ops/comparison.h"

#include "ops/arithmetic.h"
#include "ops/gradients.h"
#include "ops/selection.h"
#include "ops/views.h"

namespace rl::ops {

// Comparisons

const PointwiseOperator eq{{.schema = "eq(Tensor self, Tensor|Scalar other) -> Tensor",
                            .kernel = Pointwise::eq,
                            .promotion = Promotion::boolean,
                            .variants = all_variants,
                            .doc = "Whether elements are equal, broadcast together.\n\n"
                                   ">>> torch.eq(torch.tensor([1, 2]), torch.tensor([1, 3]))\n"
                                   "tensor([ True, False])"}};
const PointwiseOperator ne{{.schema = "ne(Tensor self, Tensor|Scalar other) -> Tensor",
                            .kernel = Pointwise::ne,
                            .promotion = Promotion::boolean,
                            .variants = all_variants,
                            .doc = "Whether elements differ, broadcast together.\n\n"
                                   ">>> torch.ne(torch.tensor([1, 2]), 1)\n"
                                   "tensor([False,  True])"}};
const PointwiseOperator lt{{.schema = "lt(Tensor self, Tensor|Scalar other) -> Tensor",
                            .kernel = Pointwise::lt,
                            .promotion = Promotion::boolean,
                            .variants = all_variants,
                            .doc = "Whether ``input < other``. NotImplementedError for complex numbers.\n\n"
                                   ">>> torch.lt(torch.tensor([1, 2]), 2)\n"
                                   "tensor([ True, False])"}};
const PointwiseOperator le{{.schema = "le(Tensor self, Tensor|Scalar other) -> Tensor",
                            .kernel = Pointwise::le,
                            .promotion = Promotion::boolean,
                            .variants = all_variants,
                            .doc = "Whether ``input <= other``. NotImplementedError for complex numbers.\n\n"
                                   ">>> torch.le(torch.tensor([1, 2]), 1)\n"
                                   "tensor([ True, False])"}};
const PointwiseOperator gt{{.schema = "gt(Tensor self, Tensor|Scalar other) -> Tensor",
                            .kernel = Pointwise::gt,
                            .promotion = Promotion::boolean,
                            .variants = all_variants,
                            .doc = "Whether ``input > other``. NotImplementedError for complex numbers.\n\n"
                                   ">>> torch.gt(torch.tensor([1, 2]), 1)\n"
                                   "tensor([False,  True])"}};
const PointwiseOperator ge{{.schema = "ge(Tensor self, Tensor|Scalar other) -> Tensor",
                            .kernel = Pointwise::ge,
                            .promotion = Promotion::boolean,
                            .variants = all_variants,
                            .doc = "Whether ``input >= other``. NotImplementedError for complex numbers.\n\n"
                                   ">>> torch.ge(torch.tensor([1, 2]), 2)\n"
                                   "tensor([False,  True])"}};

namespace {

const PointwiseOperator not_equal{"not_equal(Tensor self, Tensor|Scalar other) -> Tensor", ne};
const PointwiseOperator less{"less(Tensor self, Tensor|Scalar other) -> Tensor", lt};
const PointwiseOperator less_equal{"less_equal(Tensor self, Tensor|Scalar other) -> Tensor", le};
const PointwiseOperator greater{"greater(Tensor self, Tensor|Scalar other) -> Tensor", gt};
const PointwiseOperator greater_equal{"greater_equal(Tensor self, Tensor|Scalar other) -> Tensor", ge};

}  // namespace

// Logic

const PointwiseOperator logical_and{{.schema = "logical_and(Tensor self, Tensor other) -> Tensor",
                                     .kernel = Pointwise::logical_and,
                                     .promotion = Promotion::boolean,
                                     .variants = all_variants,
                                     .doc =
                                         "Whether both elements are nonzero.\n\n"
                                         ">>> torch.logical_and(torch.tensor([1, 0]), torch.tensor([2, 3]))\n"
                                         "tensor([ True, False])"}};
const PointwiseOperator logical_or{{.schema = "logical_or(Tensor self, Tensor other) -> Tensor",
                                    .kernel = Pointwise::logical_or,
                                    .promotion = Promotion::boolean,
                                    .variants = all_variants,
                                    .doc =
                                        "Whether either element is nonzero.\n\n"
                                        ">>> torch.logical_or(torch.tensor([1, 0]), torch.tensor([0, 0]))\n"
                                        "tensor([ True, False])"}};
const PointwiseOperator logical_xor{{.schema = "logical_xor(Tensor self, Tensor other) -> Tensor",
                                     .kernel = Pointwise::logical_xor,
                                     .promotion = Promotion::boolean,
                                     .variants = all_variants,
                                     .doc =
                                         "Whether exactly one element is nonzero.\n\n"
                                         ">>> torch.logical_xor(torch.tensor([1, 0]), torch.tensor([1, 1]))\n"
                                         "tensor([False,  True])"}};
const PointwiseOperator logical_not{{.schema = "logical_not(Tensor self) -> Tensor",
                                     .kernel = Pointwise::logical_not,
                                     .promotion = Promotion::boolean,
                                     .variants = all_variants,
                                     .doc = "Whether each element is zero.\n\n"
                                            ">>> torch.logical_not(torch.tensor([0.0, 1.5]))\n"
                                            "tensor([ True, False])"}};

// Classification

const PointwiseOperator isnan{{.schema = "isnan(Tensor self) -> Tensor",
                               .kernel = Pointwise::isnan,
                               .promotion = Promotion::boolean,
                               .variants = function | method,
                               .doc = "Whether each element is NaN; of a complex number, either part.\n\n"
                                      ">>> torch.isnan(torch.tensor([1.0, float('nan')]))\n"
                                      "tensor([False,  True])"}};
const PointwiseOperator isinf{{.schema = "isinf(Tensor self) -> Tensor",
                               .kernel = Pointwise::isinf,
                               .promotion = Promotion::boolean,
                               .variants = function | method,
                               .doc =
                                   "Whether each element is infinite; of a complex number, either part.\n\n"
                                   ">>> torch.isinf(torch.tensor([1.0, float('-inf')]))\n"
                                   "tensor([False,  True])"}};
const PointwiseOperator isfinite{{.schema = "isfinite(Tensor self) -> Tensor",
                                  .kernel = Pointwise::isfinite,
                                  .promotion = Promotion::boolean,
                                  .variants = function | method,
                                  .doc = "Whether each element is neither NaN nor infinite.\n\n"
                                         ">>> torch.isfinite(torch.tensor([1.0, float('inf')]))\n"
                                         "tensor([ True, False])"}};

namespace {

const PointwiseRule isposinf_rule{
    .schema = "isposinf", .kernel = Pointwise::isposinf, .promotion = Promotion::boolean};
const PointwiseRule isneginf_rule{
    .schema = "isneginf", .kernel = Pointwise::isneginf, .promotion = Promotion::boolean};
const PointwiseRule signbit_rule{
    .schema = "signbit", .kernel = Pointwise::signbit, .promotion = Promotion::boolean};

Tensor isposinf(const Tensor& self, const Destination& destination) {
    check(!is_complex(self.dtype()), "isposinf does not support complex inputs.");
    return pointwise(isposinf_rule, {self}, {}, destination);
}
Tensor isneginf(const Tensor& self, const Destination& destination) {
    check(!is_complex(self.dtype()), "isneginf does not support complex inputs.");
    return pointwise(isneginf_rule, {self}, {}, destination);
}
Tensor signbit(const Tensor& self, const Destination& destination) {
    check<NotImplemented>(!is_complex(self.dtype()), "signbit is not implemented for complex tensors.");
    return pointwise(signbit_rule, {self}, {}, destination);
}
Tensor isreal(const Tensor& self) {
    if (is_complex(self.dtype())) return eq(imag(self), Scalar(0));
    const Tensor result = empty_like(self, DType::boolean);
    fill_data(result, true);
    return result;
}

const Register isposinf_op{
    "isposinf(Tensor self) -> Tensor",
    isposinf,
    {.variants = function | method | out,
     .doc = "Whether each element is positive infinity. RuntimeError for complex numbers.\n\n"
            ">>> torch.isposinf(torch.tensor([float('inf'), float('-inf')]))\n"
            "tensor([ True, False])",
     .differentiable = false}};
const Register isneginf_op{
    "isneginf(Tensor self) -> Tensor",
    isneginf,
    {.variants = function | method | out,
     .doc = "Whether each element is negative infinity. RuntimeError for complex numbers.\n\n"
            ">>> torch.isneginf(torch.tensor([float('inf'), float('-inf')]))\n"
            "tensor([False,  True])",
     .differentiable = false}};
const Register signbit_op{"signbit(Tensor self) -> Tensor",
                          signbit,
                          {.variants = function | method | out,
                           .doc = "Whether the sign of each element is minus, also of a zero or NaN.\n\n"
                                  ">>> torch.signbit(torch.tensor([-0.0, 1.0]))\n"
                                  "tensor([ True, False])",
                           .differentiable = false}};
const Register isreal_op{"isreal(Tensor self) -> Tensor",
                         isreal,
                         {.doc = "Whether each element has a zero imaginary part.\n\n"
                                 ">>> torch.isreal(torch.tensor([1 + 0j, 1j]))\n"
                                 "tensor([ True, False])",
                          .differentiable = false}};

// The larger and smaller of two: ties share the gradient of maximum and minimum.

constexpr unsigned uses_both = uses_first | uses_second;

Tensor shared(const Tensor& grad, const Tensor& wins, const Tensor& ties) {
    return where(wins, grad, where(ties, grad / Scalar(2), Scalar(0.0)));
}

}  // namespace

const PointwiseOperator maximum{{.schema = "maximum(Tensor self, Tensor other) -> Tensor",
                                 .kernel = Pointwise::maximum,
                                 .node = "MaximumBackward0",
                                 .gradients = {{{uses_both,
                                                 [](const Tensor& grad, const PointwiseSaved& saved) {
                                                     const Tensor a = saved.first(), b = saved.second();
                                                     return shared(grad, gt(a, b), eq(a, b));
                                                 }},
                                                {uses_both,
                                                 [](const Tensor& grad, const PointwiseSaved& saved) {
                                                     const Tensor a = saved.first(), b = saved.second();
                                                     return shared(grad, gt(b, a), eq(a, b));
                                                 }}}},
                                 .variants = function | method | out,
                                 .doc = "The larger of two elements, NaN where either is.\n\n"
                                        ">>> torch.maximum(torch.tensor([1, 4]), torch.tensor([3, 2]))\n"
                                        "tensor([3, 4])"}};
const PointwiseOperator minimum{{.schema = "minimum(Tensor self, Tensor other) -> Tensor",
                                 .kernel = Pointwise::minimum,
                                 .node = "MinimumBackward0",
                                 .gradients = {{{uses_both,
                                                 [](const Tensor& grad, const PointwiseSaved& saved) {
                                                     const Tensor a = saved.first(), b = saved.second();
                                                     return shared(grad, lt(a, b), eq(a, b));
                                                 }},
                                                {uses_both,
                                                 [](const Tensor& grad, const PointwiseSaved& saved) {
                                                     const Tensor a = saved.first(), b = saved.second();
                                                     return shared(grad, lt(b, a), eq(a, b));
                                                 }}}},
                                 .variants = function | method | out,
                                 .doc = "The smaller of two elements, NaN where either is.\n\n"
                                        ">>> torch.minimum(torch.tensor([1, 4]), torch.tensor([3, 2]))\n"
                                        "tensor([1, 2])"}};
const PointwiseOperator fmax{
    {.schema = "fmax(Tensor self, Tensor other) -> Tensor",
     .kernel = Pointwise::fmax,
     .node = "FmaxBackward0",
     .gradients = {{{uses_both,
                     [](const Tensor& grad, const PointwiseSaved& saved) {
                         const Tensor a = saved.first(), b = saved.second();
                         return where(logical_or(ge(a, b), isnan(b)), grad, Scalar(0.0));
                     }},
                    {uses_both,
                     [](const Tensor& grad, const PointwiseSaved& saved) {
                         const Tensor a = saved.first(), b = saved.second();
                         return where(logical_or(ge(a, b), isnan(b)), Scalar(0.0), grad);
                     }}}},
     .variants = function | method | out,
     .doc = "The larger of two elements, NaN only where both are.\n\n"
            ">>> torch.fmax(torch.tensor([1.0, float('nan')]), torch.tensor([3.0, 2.0]))\n"
            "tensor([3., 2.])"}};
const PointwiseOperator fmin{
    {.schema = "fmin(Tensor self, Tensor other) -> Tensor",
     .kernel = Pointwise::fmin,
     .node = "FminBackward0",
     .gradients = {{{uses_both,
                     [](const Tensor& grad, const PointwiseSaved& saved) {
                         const Tensor a = saved.first(), b = saved.second();
                         return where(logical_or(le(a, b), isnan(b)), grad, Scalar(0.0));
                     }},
                    {uses_both,
                     [](const Tensor& grad, const PointwiseSaved& saved) {
                         const Tensor a = saved.first(), b = saved.second();
                         return where(logical_or(le(a, b), isnan(b)), Scalar(0.0), grad);
                     }}}},
     .variants = function | method | out,
     .doc = "The smaller of two elements, NaN only where both are.\n\n"
            ">>> torch.fmin(torch.tensor([1.0, float('nan')]), torch.tensor([3.0, 2.0]))\n"
            "tensor([1., 2.])"}};

}  // namespace rl::ops
