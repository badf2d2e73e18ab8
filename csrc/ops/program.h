// Programs of pointwise instructions over rows of tensors: one pass over memory for a chain of operators.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "core/tensor.h"
#include "kernels/pointwise.h"

namespace rl::ops {

// A chain of pointwise operators on tensors of one shape. Register k is the k-th tensor of a row; each line
// defines the next register, from a number or by a pointwise function of registers before it. All lines
// compute in the type that a row's tensors promote to (float32 for half types), but for the booleans that
// comparisons give.
class BlockProgram {
  public:
    struct Line {
        bool is_constant;
        kernels::Pointwise op;
        uint8_t inputs[3];
        double values[3];  // the constant, or the parameters of the function
    };
    // The tensor of a row that a register is written to.
    struct Output {
        int tensor;
        uint8_t read_from;
    };

    // Throws ValueError where a line reads a register that is not defined before it, an output names no
    // register, two outputs name one tensor, or there are too many of anything.
    BlockProgram(int n_inputs, std::vector<Line> lines, std::vector<Output> outputs);

    // The number of tensors in a row: the inputs and, after them, tensors that are only written.
    int row_length() const { return row_length_; }

    // Runs over rows laid end to end, in place and off the graph; versions are bumped. Tensors that are
    // neither read nor written may be anything. Throws Error where the tensors of a row differ in shape or
    // device, where a result cannot be cast to the tensor it is written to, and where memory overlaps so that
    // the order of writing would matter; NotImplemented where a function does not exist for the type. Nothing
    // is written then.
    void run(TensorSpan rows);

  private:
    class Batch;

    const kernels::CompiledProgram& compiled(kernels::Compute compute);
    bool is_written(int tensor) const { return (written_ >> tensor & 1) != 0; }

    int n_inputs_;
    int row_length_;
    std::vector<Line> lines_;
    std::vector<bool> needed_;  // by line
    std::vector<Output> outputs_;
    uint64_t read_ = 0;  // masks of tensors
    uint64_t written_ = 0;
    std::unique_ptr<kernels::CompiledProgram> compiled_[kernels::compute_count];
};

// Joins lines that one function computes, such as a product with a number and a sum, in place of the later
// one; the earlier one is then often not needed. Tells for each line whether it is.
std::vector<bool> combine(int n_inputs, std::vector<BlockProgram::Line>& lines,
                          std::span<const BlockProgram::Output> outputs);

// The function that a program's line calls by a name, such as "addcmul"; throws ValueError for an unknown
// one.
kernels::Pointwise block_function_named(std::string_view name);

}  // namespace rl::ops
