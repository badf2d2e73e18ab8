// Comparisons, logic and classification: results are boolean.
#include "kernels/cpu/pointwise_block.h"
#include "kernels/cpu/scalar.h"

namespace rl::kernels::RUSHLIGHT_ISA {
namespace {

template <class T>
bool is_infinite(T x) {
    if constexpr (is_complex_number<T>)
        return is_infinite(x.real()) || is_infinite(x.imag());
    else
        return std::abs(x) == std::numeric_limits<T>::infinity();
}

}  // namespace

void add_comparison(PointwiseTable& table) {
    scalars<2>(table, Pointwise::eq, All{}, [](auto a, auto b) { return a == b; });
    scalars<2>(table, Pointwise::ne, All{}, [](auto a, auto b) { return a != b; });
    scalars<2>(table, Pointwise::lt, BoolAndReals{}, [](auto a, auto b) { return a < b; });
    scalars<2>(table, Pointwise::le, BoolAndReals{}, [](auto a, auto b) { return a <= b; });
    scalars<2>(table, Pointwise::gt, BoolAndReals{}, [](auto a, auto b) { return a > b; });
    scalars<2>(table, Pointwise::ge, BoolAndReals{}, [](auto a, auto b) { return a >= b; });
    scalars<2>(table, Pointwise::logical_and, All{}, [](auto a, auto b) {
        return static_cast<bool>((a != decltype(a)(0)) & (b != decltype(b)(0)));
    });
    scalars<2>(table, Pointwise::logical_or, All{}, [](auto a, auto b) {
        return static_cast<bool>((a != decltype(a)(0)) | (b != decltype(b)(0)));
    });
    scalars<2>(table, Pointwise::logical_xor, All{},
               [](auto a, auto b) { return (a != decltype(a)(0)) != (b != decltype(b)(0)); });
    scalars<1>(table, Pointwise::logical_not, All{}, [](auto x) { return x == decltype(x)(0); });
    scalars<1>(table, Pointwise::isnan, BoolAndIntegers{}, [](auto) { return false; });
    scalars<1>(table, Pointwise::isnan, Fields{}, [](auto x) { return is_nan(x); });
    scalars<1>(table, Pointwise::isinf, BoolAndIntegers{}, [](auto) { return false; });
    scalars<1>(table, Pointwise::isinf, Fields{}, [](auto x) { return is_infinite(x); });
    scalars<1>(table, Pointwise::isfinite, BoolAndIntegers{}, [](auto) { return true; });
    scalars<1>(table, Pointwise::isfinite, Fields{},
               [](auto x) { return static_cast<bool>(!is_nan(x) & !is_infinite(x)); });
    scalars<1>(table, Pointwise::isposinf, BoolAndIntegers{}, [](auto) { return false; });
    scalars<1>(table, Pointwise::isposinf, Reals{},
               [](auto x) { return x == std::numeric_limits<decltype(x)>::infinity(); });
    scalars<1>(table, Pointwise::isneginf, BoolAndIntegers{}, [](auto) { return false; });
    scalars<1>(table, Pointwise::isneginf, Reals{},
               [](auto x) { return x == -std::numeric_limits<decltype(x)>::infinity(); });
    scalars<1>(table, Pointwise::signbit, Types<bool>{}, [](bool) { return false; });
    scalars<1>(table, Pointwise::signbit, Integers{},
               [](auto x) { return std::is_signed_v<decltype(x)> && x < decltype(x)(0); });
    scalars<1>(table, Pointwise::signbit, Reals{}, [](auto x) { return static_cast<bool>(std::signbit(x)); });
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
