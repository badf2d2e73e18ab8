// Pointwise work: programs of scalar functions run block by block over strided operands of any dtype.
//
// A scalar function exists for the compute types it makes sense for. Operands of other types are converted on
// loading and storing, a block of some hundred elements at a time, so intermediates never leave the L1 cache.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "core/dtype.h"

namespace rl::kernels {

// Every scalar function. Parameters that a function reads are in brackets: v0 is value[0] (for integer
// compute types integer[0]), i0 is integer[0] whatever the type.
enum class Pointwise : uint16_t {
    // arithmetic, one input
    neg,
    abs,
    sign,
    sgn,
    square,
    reciprocal,
    sqrt,
    rsqrt,
    conj_physical,
    pow_scalar /*v0*/,
    affine /*v0 * a + v1*/,
    scaled_sqrt /*v0 * sqrt(a) + v1*/,
    // arithmetic, two inputs
    add,
    sub,
    mul,
    div,
    add_scaled /*a + v0 * b*/,
    scaled_sum /*v1 * a + v0 * b*/,
    lerp_scalar /*a, b, weight v0*/,
    floor_divide,
    trunc_divide,
    remainder,
    fmod,
    pow,
    maximum,
    minimum,
    fmax,
    fmin,
    gcd,
    lcm,
    bitwise_and,
    bitwise_or,
    bitwise_xor,
    bitwise_left_shift,
    bitwise_right_shift,
    // arithmetic, three inputs
    where /*boolean, a, b*/,
    clamp /*x, low, high*/,
    lerp /*a, b, weight*/,
    addcmul /*a + v0 * b * c*/,
    scaled_addcmul /*v1 * a + v0 * b * c*/,
    addcdiv /*a + v0 * b / c*/,
    addcdiv_sqrt /*a + v0 * b / (v1 * sqrt(c) + v2)*/,
    bitwise_not,
    // comparison and logic: results are boolean
    eq,
    ne,
    lt,
    le,
    gt,
    ge,
    logical_and,
    logical_or,
    logical_xor,
    logical_not,
    isnan,
    isinf,
    isfinite,
    isposinf,
    isneginf,
    signbit,
    // elementary, one input
    exp,
    exp2,
    expm1,
    log,
    log2,
    log10,
    log1p,
    sin,
    cos,
    tan,
    asin,
    acos,
    atan,
    sinh,
    cosh,
    tanh,
    asinh,
    acosh,
    atanh,
    ceil,
    floor,
    round,
    round_decimals /*i0*/,
    trunc,
    frac,
    deg2rad,
    rad2deg,
    sinc,
    angle,
    nan_to_num /*v0 for nan, v1 for inf, v2 for -inf*/,
    clamp_scalar /*v0 low, v1 high; bits of i2: 1 has low, 2 has high*/,
    // elementary, two inputs
    atan2,
    hypot,
    copysign,
    nextafter /*i0: low bits of the mantissa that the dtype drops*/,
    heaviside,
    logaddexp,
    logaddexp2,
    xlogy,
    xlog1py,
    complex /*real parts, imaginary parts*/,
    polar /*modulus, angle*/,
    // special
    lgamma,
    digamma,
    polygamma /*i0*/,
    erf,
    erfc,
    erfinv,
    erfcx,
    i0,
    i0e,
    i1,
    i1e,
    ndtr,
    ndtri,
    log_ndtr,
    entr,
    logit /*v0 eps, below 0 for none*/,
    igamma,
    igammac,
    zeta,
    bessel_j0,
    bessel_j1,
    bessel_y0,
    bessel_y1,
    modified_bessel_i0,
    modified_bessel_i1,
    modified_bessel_k0,
    modified_bessel_k1,
    scaled_modified_bessel_k0,
    scaled_modified_bessel_k1,
    spherical_bessel_j0,
    // activations
    sigmoid,
    relu,
    leaky_relu /*v0*/,
    elu /*v0 alpha, v1 scale, v2 input_scale*/,
    celu /*v0*/,
    gelu,
    gelu_tanh,
    silu,
    mish,
    softplus /*v0 beta, v1 threshold*/,
    hardsigmoid,
    hardswish,
    hardshrink /*v0*/,
    softshrink /*v0*/,
    log_sigmoid,
    threshold /*v0 threshold, v1 value*/,
    prelu /*x, weight*/,
    // gradients of activations, (gradient, input or output)
    sigmoid_backward /*y*/,
    tanh_backward /*y*/,
    threshold_backward /*x; v0*/,
    leaky_relu_backward /*x; v0*/,
    elu_backward /*x; as elu*/,
    gelu_backward /*x*/,
    gelu_tanh_backward /*x*/,
    silu_backward /*x*/,
    mish_backward /*x*/,
    softplus_backward /*x; as softplus*/,
    hardsigmoid_backward /*x*/,
    hardswish_backward /*x*/,
    hardtanh_backward /*x; v0 low, v1 high*/,
    hardshrink_backward /*x; v0*/,
    log_sigmoid_backward /*x*/,
    // losses, (input, target)
    squared_difference,
    huber /*v1 d^2 where |d| < v0, v2 (|d| - v0 / 2) elsewhere, for their difference d*/,
    // gradients of losses, (gradient, input, target)
    difference_backward /*v0 d between -v1 and v1*/,
    count,
};

// The types that functions compute in.
enum class Compute : uint8_t {
    boolean,
    uint8,
    int8,
    int16,
    int32,
    int64,
    float32,
    float64,
    complex64,
    complex128
};
inline constexpr int compute_count = 10;

// The type that values of dtype are computed in: their own, float32 for the half types.
inline Compute compute_type(DType dtype) {
    constexpr Compute table[dtype_count] = {Compute::boolean, Compute::uint8,     Compute::int8,
                                            Compute::int16,   Compute::int32,     Compute::int64,
                                            Compute::float32, Compute::float32,   Compute::float32,
                                            Compute::float64, Compute::complex64, Compute::complex128};
    return table[static_cast<int>(dtype)];
}
inline DType dtype_of_compute(Compute compute) {
    constexpr DType table[compute_count] = {
        DType::boolean, DType::uint8,   DType::int8,    DType::int16,     DType::int32,
        DType::int64,   DType::float32, DType::float64, DType::complex64, DType::complex128};
    return table[static_cast<int>(compute)];
}

// The number of inputs that a function takes, 1 to 3.
int input_count(Pointwise op);

// Whether a function exists for inputs of a compute type.
bool supports(Pointwise op, Compute compute);

// The compute type of the result on inputs of a compute type: boolean for comparisons, real for abs and angle
// of complex, complex for `complex` and `polar`, otherwise the inputs'.
Compute result_compute(Pointwise op, Compute compute);

// The compute type of one input: that of the instruction, except the boolean first input of `where`.
inline Compute input_compute(Pointwise op, Compute compute, int index) {
    return op == Pointwise::where && index == 0 ? Compute::boolean : compute;
}

// Scalar attributes of an instruction; the comments at Pointwise say which a function reads.
struct Parameters {
    complex128 value[3] = {};
    int64_t integer[3] = {};
};
inline constexpr Parameters no_parameters{};

// Memory of an array. Strides are in elements, of any sign and size; 0 broadcasts.
struct Operand {
    void* data;
    DType dtype;
    const int64_t* strides;
};

// registers[output] = op(registers[inputs[0]], ...), computed in `compute`.
struct Instruction {
    Pointwise op;
    Compute compute;
    uint8_t inputs[3];
    uint8_t output;
    Parameters parameters;
};

// A register that holds one number throughout.
struct Constant {
    uint8_t target;
    Compute type;
    complex128 value;
};

inline constexpr int max_operands = 16;
inline constexpr int max_registers = 64;
inline constexpr int max_instructions = 64;

// A straight-line program. Registers 0 .. inputs.size() - 1 are the inputs, each loaded as the compute type
// given for it; a constant or an instruction writes a register that nothing else writes, before it is read;
// outputs are stored from the registers named, which may be inputs.
struct Program {
    std::span<const Instruction> instructions;
    std::span<const Compute> inputs;
    std::span<const Constant> constants;
    std::span<const uint8_t> outputs;
};

struct Job;

// A program made ready to be run many times: functions looked up, memory of the registers shared out.
class CompiledProgram {
  public:
    explicit CompiledProgram(const Program& program);
    ~CompiledProgram();
    CompiledProgram(CompiledProgram&&) noexcept;

  private:
    struct Parts;
    std::unique_ptr<const Parts> parts_;
    friend bool run(std::span<const Job> jobs);
};

// A program on arrays of the given sizes: operands are the outputs, then the inputs. Outputs must not overlap
// themselves or each other, and may share memory with an input only exactly (same address, strides and item
// size). ndim is at most 64.
struct Job {
    const CompiledProgram* program;
    int ndim;
    const int64_t* sizes;
    const Operand* operands;
};

// Runs all jobs, cut into pieces as if their arrays lay end to end: many small ones cost as little as a large
// one. Outputs of one job must not overlap operands of another, unless there is one job or few elements in
// all
// (`runs_in_order`). Returns false when an integer was divided by zero (the elements concerned are then 0).
bool run(std::span<const Job> jobs);

// Whether so few elements are worked on by one thread, one job after the other.
bool runs_in_order(int64_t elements);

// Runs one instruction, likewise.
bool run_one(Pointwise op, Compute compute, const Parameters& parameters, int ndim, const int64_t* sizes,
             const Operand& output, const Operand* inputs, int n_inputs);

// output[...] = input[...] converted to the output's dtype as C++ converts (float to integer truncates; out
// of range, and from NaN, as x86 does); complex to real drops the imaginary part; anything nonzero is true.
void convert(int ndim, const int64_t* sizes, const Operand& output, const Operand& input);

// Contiguous conversion of count elements.
void convert_contiguous(int64_t count, void* output, DType output_dtype, const void* input,
                        DType input_dtype);

// output[...] = the one element of `dtype` at value, converted.
void fill(int ndim, const int64_t* sizes, const Operand& output, const void* value, DType dtype);

}  // namespace rl::kernels
