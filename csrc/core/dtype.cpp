// Element types: the tables behind core/dtype.h.
#include "core/dtype.h"

#include <array>

#include "core/error.h"
#include "core/scalar.h"

namespace rl {
namespace {

constexpr std::array<DTypeInfo, dtype_count> infos = {{
    {"bool", "Bool", "BoolTensor", 1},
    {"uint8", "Byte", "ByteTensor", 1},
    {"int8", "Char", "CharTensor", 1},
    {"int16", "Short", "ShortTensor", 2},
    {"int32", "Int", "IntTensor", 4},
    {"int64", "Long", "LongTensor", 8},
    {"float16", "Half", "HalfTensor", 2},
    {"bfloat16", "BFloat16", "BFloat16Tensor", 2},
    {"float32", "Float", "FloatTensor", 4},
    {"float64", "Double", "DoubleTensor", 8},
    {"complex64", "ComplexFloat", "ComplexFloatTensor", 8},
    {"complex128", "ComplexDouble", "ComplexDoubleTensor", 16},
}};

DType default_floating = DType::float32;

}  // namespace

const DTypeInfo& info(DType dtype) {
    return infos[static_cast<size_t>(dtype)];
}

DType to_real(DType dtype) {
    if (dtype == DType::complex64) return DType::float32;
    if (dtype == DType::complex128) return DType::float64;
    return dtype;
}

DType to_complex(DType dtype) {
    if (dtype == DType::float64 || dtype == DType::complex128) return DType::complex128;
    if (is_floating(dtype) || dtype == DType::complex64) return DType::complex64;
    return default_complex_dtype();
}

DType promote(DType a, DType b) {
    if (a == b) return a;
    if (a > b) std::swap(a, b);
    if (is_complex(b)) return a == DType::float64 ? DType::complex128 : b;
    if (a == DType::float16 && b == DType::bfloat16) return DType::float32;
    if (a == DType::uint8 && b == DType::int8) return DType::int16;
    return b;
}

void check_can_cast(DType result, DType target) {
    if (can_cast(result, target)) return;
    raise("result type ", info(result).scalar_name, " can't be cast to the desired output type ",
          info(target).scalar_name);
}

bool can_cast(DType from, DType to) {
    if (is_complex(from) && !is_complex(to)) return false;
    if (is_floating(from) && is_integral(to, true)) return false;
    return from == DType::boolean || to != DType::boolean;
}

DType default_dtype() {
    return default_floating;
}
DType default_complex_dtype() {
    return default_floating == DType::float64 ? DType::complex128 : DType::complex64;
}
void set_default_dtype(DType dtype) {
    default_floating = dtype;
}

Scalar Scalar::operator-() const {
    switch (kind_) {
        case Kind::boolean:
        case Kind::integer:
            return Scalar(static_cast<int64_t>(0 - static_cast<uint64_t>(integer_)));
        case Kind::floating:
            return Scalar(-real_);
        case Kind::complex:
            break;
    }
    return Scalar(-to_complex());
}

}  // namespace rl
