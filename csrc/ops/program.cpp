// Programs of pointwise instructions over rows of tensors: checks of programs and of rows, and the call of
// the kernel.
#include "ops/program.h"

#include <algorithm>
#include <array>
#include <bit>

#include "autograd/record.h"
#include "core/gil.h"
#include "ops/pointwise.h"

namespace rl::ops {

using kernels::Compute;

namespace {

constexpr std::pair<std::string_view, Pointwise> names[] = {
    {"abs", Pointwise::abs},
    {"add", Pointwise::add},
    {"add_scaled", Pointwise::add_scaled},
    {"addcdiv", Pointwise::addcdiv},
    {"addcdiv_sqrt", Pointwise::addcdiv_sqrt},
    {"addcmul", Pointwise::addcmul},
    {"affine", Pointwise::affine},
    {"clamp", Pointwise::clamp},
    {"div", Pointwise::div},
    {"eq", Pointwise::eq},
    {"exp", Pointwise::exp},
    {"ge", Pointwise::ge},
    {"gt", Pointwise::gt},
    {"le", Pointwise::le},
    {"lerp", Pointwise::lerp},
    {"lerp_scalar", Pointwise::lerp_scalar},
    {"log", Pointwise::log},
    {"logical_and", Pointwise::logical_and},
    {"logical_not", Pointwise::logical_not},
    {"logical_or", Pointwise::logical_or},
    {"lt", Pointwise::lt},
    {"maximum", Pointwise::maximum},
    {"minimum", Pointwise::minimum},
    {"mul", Pointwise::mul},
    {"ne", Pointwise::ne},
    {"neg", Pointwise::neg},
    {"pow", Pointwise::pow},
    {"reciprocal", Pointwise::reciprocal},
    {"rsqrt", Pointwise::rsqrt},
    {"scaled_addcmul", Pointwise::scaled_addcmul},
    {"scaled_sqrt", Pointwise::scaled_sqrt},
    {"scaled_sum", Pointwise::scaled_sum},
    {"sign", Pointwise::sign},
    {"sqrt", Pointwise::sqrt},
    {"square", Pointwise::square},
    {"sub", Pointwise::sub},
    {"tanh", Pointwise::tanh},
    {"where", Pointwise::where},
};

std::string_view name_of(Pointwise op) {
    for (const auto& [name, known] : names)
        if (known == op) return name;
    return "?";
}

// The bytes that a tensor's elements lie between.
struct Extent {
    const char* begin;
    const char* end;
    bool meets(const Extent& other) const { return begin < other.end && other.begin < end; }
};
Extent extent(const kernels::Operand& operand, IntSpan sizes) {
    const char* const first = static_cast<const char*>(operand.data);
    return {first, first + storage_extent(sizes, {operand.strides, sizes.size()}) * item_size(operand.dtype)};
}
Extent extent(const Tensor& tensor) {
    return extent({tensor.raw_data(), tensor.dtype(), tensor.strides().data()}, tensor.sizes());
}

bool same_elements(const Tensor& a, const Tensor& b) {
    return a.offset() == b.offset() && a.strides() == b.strides() &&
           item_size(a.dtype()) == item_size(b.dtype());
}

}  // namespace

Pointwise block_function_named(std::string_view name) {
    const auto found =
        std::lower_bound(std::begin(names), std::end(names), name,
                         [](const auto& entry, std::string_view key) { return entry.first < key; });
    check<ValueError>(found != std::end(names) && found->first == name, "no pointwise function '", name,
                      "' for programs");
    return found->second;
}

BlockProgram::BlockProgram(int n_inputs, std::vector<Line> lines, std::vector<Output> outputs)
    : n_inputs_(n_inputs), row_length_(n_inputs), lines_(std::move(lines)), outputs_(std::move(outputs)) {
    const size_t n_registers = static_cast<size_t>(n_inputs) + lines_.size();
    check<ValueError>(
        n_inputs >= 0 && n_registers <= kernels::max_registers && lines_.size() <= kernels::max_instructions,
        "a program has room for ", kernels::max_registers, " registers, not ", n_registers);
    const auto note_read = [&](int number, size_t defined) {
        check<ValueError>(static_cast<size_t>(number) < defined, "register ", number,
                          " is read before it is defined");
        if (number < n_inputs) read_ |= uint64_t{1} << number;
    };
    for (size_t k = 0; k < lines_.size(); ++k) {
        if (lines_[k].is_constant) continue;
        for (int i = 0; i < kernels::input_count(lines_[k].op); ++i)
            note_read(lines_[k].inputs[i], static_cast<size_t>(n_inputs) + k);
    }
    for (const Output& output : outputs_) {
        note_read(output.read_from, n_registers);
        check<ValueError>(output.tensor >= 0 && output.tensor < kernels::max_operands, "no tensor ",
                          output.tensor, " to write to");
        check<ValueError>(!is_written(output.tensor), "tensor ", output.tensor, " is written twice");
        written_ |= uint64_t{1} << output.tensor;
        row_length_ = std::max(row_length_, output.tensor + 1);
    }
    needed_ = combine(n_inputs, lines_, outputs_);
    const int n_operands = static_cast<int>(outputs_.size()) + std::popcount(read_);
    check<ValueError>(n_operands > 0 && n_operands <= kernels::max_operands, "a program has room for 1 to ",
                      kernels::max_operands, " tensors written and read, not ", n_operands);
}

const kernels::CompiledProgram& BlockProgram::compiled(Compute compute) {
    std::unique_ptr<kernels::CompiledProgram>& slot = compiled_[static_cast<int>(compute)];
    if (slot) return *slot;
    // The kernel's registers begin with the tensors that are read.
    std::array<uint8_t, kernels::max_registers> number{};
    std::array<Compute, kernels::max_registers> types;
    types.fill(compute);
    uint8_t n_registers = 0;
    for (int i = 0; i < n_inputs_; ++i)
        if ((read_ >> i & 1) != 0) number[i] = n_registers++;
    const std::vector<Compute> inputs(n_registers, compute);
    std::vector<kernels::Constant> constants;
    std::vector<kernels::Instruction> instructions;
    for (size_t k = 0; k < lines_.size(); ++k) {
        if (!needed_[k]) continue;
        const Line& line = lines_[k];
        const size_t target = n_inputs_ + k;
        number[target] = n_registers++;
        if (line.is_constant) {
            constants.push_back({number[target], compute, line.values[0]});
            continue;
        }
        const int count = kernels::input_count(line.op);
        const Compute computed = types[line.inputs[count - 1]];
        check<NotImplemented>(kernels::supports(line.op, computed), "\"", name_of(line.op),
                              "\" not implemented for '",
                              info(kernels::dtype_of_compute(computed)).scalar_name, "'");
        kernels::Instruction instruction{line.op, computed, {0, 0, 0}, number[target], {}};
        for (int i = 0; i < count; ++i) {
            const Compute given = types[line.inputs[i]],
                          expected = kernels::input_compute(line.op, computed, i);
            check<TypeError>(given == expected, name_of(line.op), ": expected ",
                             info(kernels::dtype_of_compute(expected)).scalar_name, " but got ",
                             info(kernels::dtype_of_compute(given)).scalar_name);
            instruction.inputs[i] = number[line.inputs[i]];
        }
        instruction.parameters = parameters_of({line.values[0], line.values[1], line.values[2]});
        instructions.push_back(instruction);
        types[target] = kernels::result_compute(line.op, computed);
    }
    std::vector<uint8_t> outputs;
    for (const Output& output : outputs_) {
        check(types[output.read_from] == compute,
              "result type Bool can't be cast to the desired output type ",
              info(kernels::dtype_of_compute(compute)).scalar_name);
        outputs.push_back(number[output.read_from]);
    }
    slot = std::make_unique<kernels::CompiledProgram>(
        kernels::Program{instructions, inputs, constants, outputs});
    return *slot;
}

// The rows of one call: checked, then run together.
class BlockProgram::Batch {
  public:
    Batch(BlockProgram& program, TensorSpan rows) : program_(program) {
        const size_t length = program.row_length(), count = rows.size() / length;
        operands_.reserve(count * (program.outputs_.size() + std::popcount(program.read_)));
        jobs_.reserve(count);
        for (size_t r = 0; r < count; ++r) add(rows.subspan(r * length, length));
    }

    void run() const {
        bool defined = true;
        {
            const GilRelease released(elements_);
            if (kernels::runs_in_order(elements_) || !overlap())
                defined = kernels::run(jobs_);
            else
                for (const kernels::Job& job : jobs_) defined &= kernels::run({&job, 1});
        }
        check(defined, "ZeroDivisionError");
    }

  private:
    void add(TensorSpan row) {
        const uint64_t used = program_.read_ | program_.written_;
        const Tensor& first = row[std::countr_zero(used)];
        DType common = first.dtype();
        bool contiguous = true;
        for (size_t t = 0; t < row.size(); ++t) {
            if ((used >> t & 1) == 0) continue;
            const Tensor& tensor = row[t];
            check(tensor.sizes() == first.sizes(), "expected tensors of the shape ", to_string(first.sizes()),
                  ", but got one of shape ", to_string(tensor.sizes()));
            check(tensor.device().type == first.device().type,
                  "Expected all tensors to be on the same device, but found at least two devices, ",
                  to_string(first.device()), " and ", to_string(tensor.device()), "!");
            if (tensor.dtype() != common) common = promote(common, tensor.dtype());
            contiguous &= tensor.is_contiguous();
        }
        const kernels::CompiledProgram& compiled = program_.compiled(kernels::compute_type(common));
        for (const Output& output : program_.outputs_) {
            const Tensor& target = row[output.tensor];
            check_writable(target, false);
            check_can_cast(common, target.dtype());
        }
        if (first.is_meta()) return;
        const size_t begin = operands_.size();
        for (const Output& output : program_.outputs_) add_operand(row[output.tensor]);
        for (size_t t = 0; t < row.size(); ++t) {
            if ((used >> t & 1) == 0) continue;
            const bool apart = is_apart(row, static_cast<int>(t));
            if ((program_.read_ >> t & 1) == 0) continue;
            const Tensor tensor = apart ? row[t] : copied(row[t]);
            contiguous &= tensor.is_contiguous();
            add_operand(tensor);
        }
        elements_ += first.numel();
        const kernels::Operand* const operands = operands_.data() + begin;
        if (!contiguous)
            return jobs_.push_back(
                {&compiled, static_cast<int>(first.dim()), first.sizes().data(), operands});
        // However many dimensions: one line.
        for (size_t k = begin; k < operands_.size(); ++k) operands_[k].strides = &one;
        jobs_.push_back({&compiled, 1, &first->numel, operands});
    }

    void add_operand(const Tensor& tensor) {
        operands_.push_back({tensor.raw_data(), tensor.dtype(), tensor.strides().data()});
    }

    // Whether writing others of the row changes no element of a tensor but in its own place. Throws Error
    // where it is written itself.
    bool is_apart(TensorSpan row, int index) const {
        for (const Output& output : program_.outputs_) {
            const Tensor &target = row[output.tensor], &tensor = row[index];
            if (target->storage.get() != tensor->storage.get() || output.tensor == index) continue;
            if (!extent(target).meets(extent(tensor))) continue;
            check(!program_.is_written(index),
                  "unsupported operation: some elements of the input tensor and the written-to tensor refer "
                  "to a "
                  "single memory location. Please clone() the tensor before performing the operation.");
            if (!same_elements(target, tensor)) return false;
        }
        return true;
    }

    Tensor copied(const Tensor& tensor) {
        copies_.push_back(empty_like(tensor));
        copy_data(copies_.back(), tensor);
        return copies_.back();
    }

    // Whether memory of one job meets memory of another, so that they must run one after the other.
    bool overlap() const {
        std::vector<std::pair<Extent, const kernels::Job*>> parts;
        const size_t n_operands = program_.outputs_.size() + std::popcount(program_.read_);
        for (const kernels::Job& job : jobs_)
            for (size_t k = 0; k < n_operands; ++k)
                parts.emplace_back(extent(job.operands[k], {job.sizes, static_cast<size_t>(job.ndim)}), &job);
        std::sort(parts.begin(), parts.end(),
                  [](const auto& a, const auto& b) { return a.first.begin < b.first.begin; });
        size_t last = 0;  // the part that reaches furthest
        for (size_t k = 1; k < parts.size(); ++k) {
            if (parts[k].second != parts[last].second && parts[k].first.meets(parts[last].first)) return true;
            if (parts[k].first.end > parts[last].first.end) last = k;
        }
        return false;
    }

    static constexpr int64_t one = 1;

    BlockProgram& program_;
    std::vector<kernels::Operand> operands_;
    std::vector<kernels::Job> jobs_;
    TensorList copies_;
    int64_t elements_ = 0;
};

void BlockProgram::run(TensorSpan rows) {
    check(rows.size() % row_length_ == 0, "expected rows of ", row_length_, " tensors");
    Batch(*this, rows).run();
    for (size_t i = 0; i < rows.size(); ++i)
        if (is_written(static_cast<int>(i % row_length_))) rows[i].bump_version();
}

}  // namespace rl::ops
