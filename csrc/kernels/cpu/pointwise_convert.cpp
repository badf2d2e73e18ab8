// Conversion of contiguous values between every two dtypes.
#include "kernels/cpu/pointwise_block.h"
#include "kernels/simd/half.h"

namespace rl::kernels::RUSHLIGHT_ISA {
namespace {

template <class T>
inline constexpr bool is_half = std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>;
// Small integers convert from floating point through int32, so that values out of range wrap as on x86.
template <class To, class From>
To convert_value(From x) {
    if constexpr (is_half<From>) {
        return convert_value<To>(static_cast<float>(x));
    } else if constexpr (std::is_same_v<To, bool>) {
        return x != From(0);
    } else if constexpr (is_complex_number<To>) {
        using R = typename To::value_type;
        if constexpr (is_complex_number<From>)
            return To(static_cast<R>(x.real()), static_cast<R>(x.imag()));
        else
            return To(convert_value<R>(x), R(0));
    } else if constexpr (is_complex_number<From>) {
        return convert_value<To>(x.real());
    } else if constexpr (is_half<To>) {
        return To(static_cast<float>(x));
    } else if constexpr (std::is_floating_point_v<From> && sizeof(To) < 4) {
        return static_cast<To>(static_cast<int32_t>(x));
    } else {
        return static_cast<To>(x);
    }
}

template <class To, class From>
void convert_each(To* out, const Stored<From>* in, int64_t count) {
#pragma GCC ivdep
    for (int64_t i = 0; i < count; ++i) {
        if constexpr (std::is_same_v<From, bool>)
            out[i] = convert_value<To>(std::min<uint8_t>(in[i], 1));
        else
            out[i] = convert_value<To>(in[i]);
    }
}

// Between a half type and another than float: those convert in runs.
template <class To, class From>
void convert_through_float(To* out, const Stored<From>* in, int64_t count) {
    constexpr int64_t length = 256;
    float run[length];
    for (int64_t i = 0; i < count; i += length) {
        const int64_t part = std::min(length, count - i);
        if constexpr (is_half<To>) {
            convert_each<float, From>(run, in + i, part);
            narrow(run, out + i, part);
        } else {
            widen(in + i, run, part);
            convert_each<To, float>(out + i, run, part);
        }
    }
}

template <class To, class From>
void convert_block(void* output, const void* input, int64_t count) {
    auto* out = static_cast<To*>(output);
    const auto* in = static_cast<const Stored<From>*>(input);
    if constexpr (is_half<From> && std::is_same_v<To, float>) return widen(in, out, count);
    if constexpr (is_half<To> && std::is_same_v<From, float>) return narrow(in, out, count);
    if constexpr (is_half<To> != is_half<From>) return convert_through_float<To, From>(out, in, count);
    convert_each<To, From>(out, in, count);
}

template <class To>
void add_conversions_to(PointwiseTable& table) {
    for (int from = 0; from < dtype_count; ++from) {
        const auto dtype = static_cast<DType>(from);
        table.converts[static_cast<int>(dtype_of<To>)][from] = visit_dtype(
            dtype,
            [](auto tag) -> ConvertFunction { return convert_block<To, typename decltype(tag)::type>; });
    }
}

}  // namespace

void add_convert(PointwiseTable& table) {
    for (int to = 0; to < dtype_count; ++to)
        visit_dtype(static_cast<DType>(to),
                    [&](auto tag) { add_conversions_to<typename decltype(tag)::type>(table); });
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
