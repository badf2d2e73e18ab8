// Element types: their sizes, names and categories, C++ counterparts and promotion.
#pragma once

#include <complex>
#include <cstdint>
#include <string_view>

#include "core/half.h"

namespace rl {

// Ordered by category; within the integers, signed types by width.
enum class DType : uint8_t {
    boolean,
    uint8,
    int8,
    int16,
    int32,
    int64,
    float16,
    bfloat16,
    float32,
    float64,
    complex64,
    complex128,
};
inline constexpr int dtype_count = 12;

using complex64 = std::complex<float>;
using complex128 = std::complex<double>;

struct DTypeInfo {
    std::string_view name;         // "float32", as in rushlight.float32
    std::string_view scalar_name;  // "Float", as PyTorch's error messages write it
    std::string_view class_name;   // "FloatTensor", as Tensor.type() writes it
    int size;                      // bytes per element
};
const DTypeInfo& info(DType dtype);
inline int item_size(DType dtype) {
    constexpr int sizes[dtype_count] = {1, 1, 1, 2, 4, 8, 2, 2, 4, 8, 8, 16};
    return sizes[static_cast<int>(dtype)];
}

inline bool is_boolean(DType dtype) {
    return dtype == DType::boolean;
}
inline bool is_complex(DType dtype) {
    return dtype >= DType::complex64;
}
inline bool is_floating(DType dtype) {
    return dtype >= DType::float16 && dtype <= DType::float64;
}
inline bool is_integral(DType dtype, bool include_bool = false) {
    return dtype <= DType::int64 && (include_bool || dtype != DType::boolean);
}
inline bool is_reduced_floating(DType dtype) {
    return dtype == DType::float16 || dtype == DType::bfloat16;
}
inline bool is_differentiable(DType dtype) {
    return dtype >= DType::float16;
}

// float for complex64, double for complex128, the type itself otherwise; and the reverse.
DType to_real(DType dtype);
DType to_complex(DType dtype);

// The type that two tensors of equal standing give together (PyTorch's promotion table).
DType promote(DType a, DType b);

// Whether a result of type `from` may be written into a tensor of type `to` (categories may only widen).
bool can_cast(DType from, DType to);
// Throws Error with PyTorch's wording where a result of one type cannot be stored as the other.
void check_can_cast(DType result, DType target);

DType default_dtype();
DType default_complex_dtype();
void set_default_dtype(DType dtype);

template <class T>
struct dtype_of_type;
template <>
struct dtype_of_type<bool> {
    static constexpr DType value = DType::boolean;
};
template <>
struct dtype_of_type<uint8_t> {
    static constexpr DType value = DType::uint8;
};
template <>
struct dtype_of_type<int8_t> {
    static constexpr DType value = DType::int8;
};
template <>
struct dtype_of_type<int16_t> {
    static constexpr DType value = DType::int16;
};
template <>
struct dtype_of_type<int32_t> {
    static constexpr DType value = DType::int32;
};
template <>
struct dtype_of_type<int64_t> {
    static constexpr DType value = DType::int64;
};
template <>
struct dtype_of_type<Half> {
    static constexpr DType value = DType::float16;
};
template <>
struct dtype_of_type<BFloat16> {
    static constexpr DType value = DType::bfloat16;
};
template <>
struct dtype_of_type<float> {
    static constexpr DType value = DType::float32;
};
template <>
struct dtype_of_type<double> {
    static constexpr DType value = DType::float64;
};
template <>
struct dtype_of_type<complex64> {
    static constexpr DType value = DType::complex64;
};
template <>
struct dtype_of_type<complex128> {
    static constexpr DType value = DType::complex128;
};
template <class T>
inline constexpr DType dtype_of = dtype_of_type<T>::value;

// The second dispatch: calls visit with TypeTag<T> for the C++ type T of dtype.
template <class T>
struct TypeTag {
    using type = T;
};
template <class Visit>
decltype(auto) visit_dtype(DType dtype, Visit&& visit) {
    switch (dtype) {
        case DType::boolean:
            return visit(TypeTag<bool>{});
        case DType::uint8:
            return visit(TypeTag<uint8_t>{});
        case DType::int8:
            return visit(TypeTag<int8_t>{});
        case DType::int16:
            return visit(TypeTag<int16_t>{});
        case DType::int32:
            return visit(TypeTag<int32_t>{});
        case DType::int64:
            return visit(TypeTag<int64_t>{});
        case DType::float16:
            return visit(TypeTag<Half>{});
        case DType::bfloat16:
            return visit(TypeTag<BFloat16>{});
        case DType::float32:
            return visit(TypeTag<float>{});
        case DType::float64:
            return visit(TypeTag<double>{});
        case DType::complex64:
            return visit(TypeTag<complex64>{});
        case DType::complex128:
            break;
    }
    return visit(TypeTag<complex128>{});
}

}  // namespace rl
