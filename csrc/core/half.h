// The 16-bit floating-point types: storage formats, computed with as float.
#pragma once

#include <bit>
#include <cstdint>

namespace rl {

// IEEE 754 binary16; conversions round to nearest, ties to even.
struct Half {
    uint16_t bits;
    Half() = default;
    constexpr explicit Half(float value) : bits(from_float(value)) {}
    constexpr explicit operator float() const { return to_float(bits); }

    static constexpr uint16_t from_float(float value) {
        const uint32_t word = std::bit_cast<uint32_t>(value);
        const uint32_t sign = (word >> 16) & 0x8000u;
        const uint32_t magnitude = word & 0x7fffffffu;
        if (magnitude > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7e00u);
        if (magnitude >= 0x47800000u) return static_cast<uint16_t>(sign | 0x7c00u);
        if (magnitude < 0x38800000u) {  // subnormal in half: let float addition do the rounding
            const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
            return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3f000000u));
        }
        const uint32_t rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u);
        return static_cast<uint16_t>(sign | ((rounded - 0x38000000u) >> 13));
    }

    static constexpr float to_float(uint16_t bits) {
        const uint32_t sign = (bits & 0x8000u) << 16;
        const uint32_t exponent = (bits >> 10) & 0x1fu;
        const uint32_t mantissa = bits & 0x3ffu;
        if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000u | (mantissa << 13));
        if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
        const float subnormal = static_cast<float>(mantissa) * 0x1p-24f;
        return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(subnormal));
    }
};

// The upper half of binary32; conversions round to nearest, ties to even.
struct BFloat16 {
    uint16_t bits;
    BFloat16() = default;
    constexpr explicit BFloat16(float value) : bits(from_float(value)) {}
    constexpr explicit operator float() const { return std::bit_cast<float>(uint32_t{bits} << 16); }

    static constexpr uint16_t from_float(float value) {
        const uint32_t word = std::bit_cast<uint32_t>(value);
        if ((word & 0x7fffffffu) > 0x7f800000u) return 0x7fc0u;
        return static_cast<uint16_t>((word + 0x7fffu + ((word >> 16) & 1u)) >> 16);
    }
};

}  // namespace rl
