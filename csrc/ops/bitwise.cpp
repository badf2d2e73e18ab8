// Bitwise operators and shifts, and the integers' greatest common divisor and least common multiple.
#include "ops/bitwise.h"

#include "ops/gradients.h"

namespace rl::ops {

const PointwiseOperator bitwise_and{
    {.schema = "bitwise_and(Tensor|Scalar self, Tensor|Scalar other) -> Tensor",
     .kernel = Pointwise::bitwise_and,
     .variants = all_variants,
     .doc = "Bitwise and; of booleans, logical and.\n\n"
            ">>> torch.bitwise_and(torch.tensor([6, 5]), 3)\n"
            "tensor([2, 1])"}};
const PointwiseOperator bitwise_or{{.schema = "bitwise_or(Tensor|Scalar self, Tensor|Scalar other) -> Tensor",
                                    .kernel = Pointwise::bitwise_or,
                                    .variants = all_variants,
                                    .doc = "Bitwise or; of booleans, logical or.\n\n"
                                           ">>> torch.bitwise_or(torch.tensor([6, 5]), 3)\n"
                                           "tensor([7, 7])"}};
const PointwiseOperator bitwise_xor{
    {.schema = "bitwise_xor(Tensor|Scalar self, Tensor|Scalar other) -> Tensor",
     .kernel = Pointwise::bitwise_xor,
     .variants = all_variants,
     .doc = "Bitwise exclusive or; of booleans, logical.\n\n"
            ">>> torch.bitwise_xor(torch.tensor([6, 5]), 3)\n"
            "tensor([5, 6])"}};
const PointwiseOperator bitwise_not{{.schema = "bitwise_not(Tensor self) -> Tensor",
                                     .kernel = Pointwise::bitwise_not,
                                     .variants = all_variants,
                                     .doc = "Every bit inverted; of booleans, logical not.\n\n"
                                            ">>> torch.bitwise_not(torch.tensor([0, 1]))\n"
                                            "tensor([-1, -2])"}};

namespace {

const PointwiseRule left_shift_rule{.schema = "lshift", .kernel = Pointwise::bitwise_left_shift};
Tensor left_shift(const Tensor& self, const Tensor& other, const Destination& destination) {
    return pointwise(left_shift_rule, {self, other}, {}, destination);
}
const Register left_shift_op{"bitwise_left_shift(Tensor|Scalar self, Tensor|Scalar other) -> Tensor",
                             left_shift,
                             {.variants = all_variants,
                              .doc = "Integers shifted left by a number of bits.\n\n"
                                     ">>> torch.bitwise_left_shift(torch.tensor([1, 2]), 3)\n"
                                     "tensor([ 8, 16])"}};
const PointwiseRule right_shift_rule{.schema = "rshift", .kernel = Pointwise::bitwise_right_shift};
Tensor right_shift(const Tensor& self, const Tensor& other, const Destination& destination) {
    return pointwise(right_shift_rule, {self, other}, {}, destination);
}
const Register right_shift_op{"bitwise_right_shift(Tensor|Scalar self, Tensor|Scalar other) -> Tensor",
                              right_shift,
                              {.variants = all_variants,
                               .doc = "Integers shifted right by a number of bits; the sign stays.\n\n"
                                      ">>> torch.bitwise_right_shift(torch.tensor([8, -8]), 1)\n"
                                      "tensor([ 4, -4])"}};

// Python's reflected operators.
const Register rand_method{"__rand__(Tensor self, Tensor|Scalar other) -> Tensor",
                           +[](const Tensor& self, const Tensor& other) { return bitwise_and(other, self); },
                           {.variants = method, .doc = "``other & self``."}};
const Register ror_method{"__ror__(Tensor self, Tensor|Scalar other) -> Tensor",
                          +[](const Tensor& self, const Tensor& other) { return bitwise_or(other, self); },
                          {.variants = method, .doc = "``other | self``."}};
const Register rxor_method{"__rxor__(Tensor self, Tensor|Scalar other) -> Tensor",
                           +[](const Tensor& self, const Tensor& other) { return bitwise_xor(other, self); },
                           {.variants = method, .doc = "``other ^ self``."}};
const Register rlshift_method{
    "__rlshift__(Tensor self, Tensor|Scalar other) -> Tensor",
    +[](const Tensor& self, const Tensor& other) { return left_shift(other, self, {}); },
    {.variants = method, .doc = "``other << self``."}};
const Register rrshift_method{
    "__rrshift__(Tensor self, Tensor|Scalar other) -> Tensor",
    +[](const Tensor& self, const Tensor& other) { return right_shift(other, self, {}); },
    {.variants = method, .doc = "``other >> self``."}};

const PointwiseOperator gcd{{.schema = "gcd(Tensor self, Tensor other) -> Tensor",
                             .kernel = Pointwise::gcd,
                             .variants = all_variants,
                             .doc = "The greatest common divisor of integers (Euclid).\n\n"
                                    ">>> torch.gcd(torch.tensor([12, 7]), torch.tensor([18, 21]))\n"
                                    "tensor([6, 7])"}};
const PointwiseOperator lcm{{.schema = "lcm(Tensor self, Tensor other) -> Tensor",
                             .kernel = Pointwise::lcm,
                             .variants = all_variants,
                             .doc = "The least common multiple of integers.\n\n"
                                    ">>> torch.lcm(torch.tensor([4, 3]), torch.tensor([6, 5]))\n"
                                    "tensor([12, 15])"}};

}  // namespace
}  // namespace rl::ops
