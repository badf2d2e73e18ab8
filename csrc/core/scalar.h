// One number of any category, as Python gives it: bool, int, float or complex.
#pragma once

#include <cstdint>

#include "core/dtype.h"

namespace rl {

class Scalar {
  public:
    enum class Kind : uint8_t { boolean, integer, floating, complex };

    Scalar() : Scalar(int64_t{0}) {}
    Scalar(bool value) : kind_(Kind::boolean), integer_(value) {}
    Scalar(int value) : kind_(Kind::integer), integer_(value) {}
    Scalar(int64_t value) : kind_(Kind::integer), integer_(value) {}
    Scalar(double value) : kind_(Kind::floating), real_(value) {}
    Scalar(complex128 value) : kind_(Kind::complex), real_(value.real()), imaginary_(value.imag()) {}

    Kind kind() const { return kind_; }
    bool is_boolean() const { return kind_ == Kind::boolean; }
    bool is_integral() const { return kind_ <= Kind::integer; }
    bool is_floating() const { return kind_ == Kind::floating; }
    bool is_complex() const { return kind_ == Kind::complex; }

    // Conversions; an integer from a float truncates, a real number from a complex one takes the real part.
    int64_t to_int() const { return is_integral() ? integer_ : static_cast<int64_t>(real_); }
    double to_double() const { return is_integral() ? static_cast<double>(integer_) : real_; }
    complex128 to_complex() const { return {to_double(), imaginary_}; }
    bool to_bool() const { return is_integral() ? integer_ != 0 : real_ != 0 || imaginary_ != 0; }
    bool equals(double value) const { return !is_complex() && to_double() == value; }

    // The type of a tensor made of this number alone.
    DType natural_dtype() const {
        switch (kind_) {
            case Kind::boolean:
                return DType::boolean;
            case Kind::integer:
                return DType::int64;
            case Kind::floating:
                return default_dtype();
            case Kind::complex:
                break;
        }
        return default_complex_dtype();
    }
    Scalar operator-() const;

  private:
    Kind kind_;
    int64_t integer_ = 0;
    double real_ = 0;
    double imaginary_ = 0;
};

}  // namespace rl
