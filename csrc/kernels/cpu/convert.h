// Conversions between element types, and the type in which each is computed with. For kernels/cpu alone.
#pragma once

#include <complex>
#include <type_traits>

#include "core/dtype.h"

namespace rl::kernels::RUSHLIGHT_ISA {

template <class T>
inline constexpr bool is_half_type = std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>;
template <class T>
inline constexpr bool is_complex_type = std::is_same_v<T, complex64> || std::is_same_v<T, complex128>;
template <class T>
inline constexpr bool is_real_floating_type = is_half_type<T> || std::is_floating_point_v<T>;

// float for the 16-bit types, int64 for the integers and bool, the type itself otherwise.
template <class T>
using Compute =
    std::conditional_t<is_half_type<T>, float, std::conditional_t<std::is_integral_v<T>, int64_t, T>>;

template <class To, class From>
inline To convert(From value) {
    if constexpr (std::is_same_v<To, From>) {
        return value;
    } else if constexpr (is_half_type<From>) {
        return convert<To>(static_cast<float>(value));
    } else if constexpr (std::is_same_v<To, bool>) {
        return value != From(0);
    } else if constexpr (is_half_type<To>) {
        return To(convert<float>(value));
    } else if constexpr (is_complex_type<From>) {
        if constexpr (is_complex_type<To>)
            return To(value);
        else
            return convert<To>(value.real());
    } else if constexpr (is_complex_type<To>) {
        return To(static_cast<typename To::value_type>(value));
    } else {
        return static_cast<To>(value);
    }
}

// Sums and products; those of integers wrap around.
template <class T>
T add(T a, T b) {
    if constexpr (std::is_same_v<T, int64_t>)
        return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
    else
        return a + b;
}
template <class T>
T multiply(T a, T b) {
    if constexpr (std::is_same_v<T, int64_t>)
        return static_cast<T>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
    else
        return a * b;
}

// As visit_dtype, over the types that real floating-point kernels take.
template <class Visit>
decltype(auto) visit_floating(DType dtype, Visit&& visit) {
    switch (dtype) {
        case DType::float16:
            return visit(TypeTag<Half>{});
        case DType::bfloat16:
            return visit(TypeTag<BFloat16>{});
        case DType::float64:
            return visit(TypeTag<double>{});
        default:
            return visit(TypeTag<float>{});
    }
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
