// Runs pointwise programs: orders and joins dimensions, cuts the work, loads blocks, computes, stores.
#include "kernels/pointwise.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>

#include "core/threads.h"
#include "kernels/dispatch.h"
#include "kernels/pointwise_table.h"
#include "kernels/rearrange.h"

namespace rl::kernels {

RUSHLIGHT_DECLARE_TABLES(PointwiseFamilies, pointwise_families)

const PointwiseTable& pointwise_table() {
    static const PointwiseTable table = [] {
        PointwiseTable result = {};
        for (const auto add : RUSHLIGHT_SELECT(pointwise_families).families) add(result);
        return result;
    }();
    return table;
}

namespace {

constexpr int max_dims = 64;
constexpr int64_t block_size = 512;       // elements staged at a time
constexpr int64_t parallel_size = 32768;  // elements that are worth a thread
constexpr int64_t min_row = 64;           // rows shorter than this are gathered into blocks
constexpr int64_t register_bytes = block_size * 16;

BlockFunction block_function(Pointwise op, Compute compute) {
    return pointwise_table().blocks[static_cast<int>(op)][static_cast<int>(compute)];
}
ConvertFunction convert_function(DType to, DType from) {
    return pointwise_table().converts[static_cast<int>(to)][static_cast<int>(from)];
}

// An array inside a loop: its address and strides in the loop's order of dimensions.
struct Array {
    char* data;
    DType dtype;
    int size;  // bytes per element
    int64_t strides[max_dims];
    bool linear;  // elements lie in memory in the order of the loop
};

// The nest of loops over several arrays, innermost dimension last, joined wherever all arrays allow.
struct Loop {
    int ndim;
    int64_t sizes[max_dims];
    int64_t numel;
    int n_arrays;
    Array arrays[max_operands];

    Loop(int dims, const int64_t* lengths, const Operand* operands, int count)
        : ndim(0), numel(1), n_arrays(count) {
        int order[max_dims];
        for (int d = 0; d < dims; ++d) {
            numel *= lengths[d];
            if (lengths[d] != 1) order[ndim++] = d;
        }
        sort_by_strides(order, operands);
        for (int d = 0; d < ndim; ++d) sizes[d] = lengths[order[d]];
        for (int k = 0; k < count; ++k) {
            Array& array = arrays[k];
            array.data = static_cast<char*>(operands[k].data);
            array.dtype = operands[k].dtype;
            array.size = item_size(array.dtype);
            for (int d = 0; d < ndim; ++d) array.strides[d] = operands[k].strides[order[d]];
        }
        join();
        if (ndim == 0) {
            ndim = 1;
            sizes[0] = 1;
            for (int k = 0; k < count; ++k) arrays[k].strides[0] = 0;
        }
        for (int k = 0; k < count; ++k) arrays[k].linear = is_linear(arrays[k]);
    }

  private:
    // Large strides outside, as the first array (the output) has them; the next arrays decide ties.
    void sort_by_strides(int* order, const Operand* operands) const {
        const auto outside = [&](int a, int b) {
            for (int k = 0; k < n_arrays; ++k) {
                const int64_t left = std::abs(operands[k].strides[a]),
                              right = std::abs(operands[k].strides[b]);
                if (left != right && left != 0 && right != 0) return left > right;
            }
            return false;
        };
        // Insertion sort: the order is partial, and nearly always there already.
        for (int i = 1; i < ndim; ++i)
            for (int j = i; j > 0 && outside(order[j], order[j - 1]); --j) std::swap(order[j], order[j - 1]);
    }

    void join() {
        int last = 0;
        for (int d = 1; d < ndim; ++d) {
            bool joins = true;
            for (int k = 0; k < n_arrays && joins; ++k)
                joins = arrays[k].strides[last] == arrays[k].strides[d] * sizes[d];
            if (joins) {
                sizes[last] *= sizes[d];
            } else {
                sizes[++last] = sizes[d];
            }
            for (int k = 0; k < n_arrays; ++k) arrays[k].strides[last] = arrays[k].strides[d];
        }
        if (ndim > 0) ndim = last + 1;
    }

    bool is_linear(const Array& array) const {
        int64_t expected = 1;
        for (int d = ndim - 1; d >= 0; --d) {
            if (array.strides[d] != expected && sizes[d] != 1) return false;
            expected *= sizes[d];
        }
        return true;
    }
};

// A place in a loop: the index of every dimension.
struct Position {
    int64_t index[max_dims];

    Position(const Loop& loop, int64_t linear) {
        for (int d = loop.ndim - 1; d >= 0; --d) {
            index[d] = linear % loop.sizes[d];
            linear /= loop.sizes[d];
        }
    }
    int64_t left_in_row(const Loop& loop) const { return loop.sizes[loop.ndim - 1] - index[loop.ndim - 1]; }
    // Steps over `count` elements, not beyond the end of the row.
    void advance(const Loop& loop, int64_t count) {
        int d = loop.ndim - 1;
        index[d] += count;
        for (; d > 0 && index[d] == loop.sizes[d]; --d) {
            index[d] = 0;
            ++index[d - 1];
        }
    }
    char* address(const Loop& loop, const Array& array) const {
        int64_t offset = 0;
        for (int d = 0; d < loop.ndim; ++d) offset += index[d] * array.strides[d];
        return array.data + offset * array.size;
    }
};

// Moves `count` elements of an array's type between places that are strides of elements apart.
void move(const Array& array, char* to, int64_t to_stride, const char* from, int64_t from_stride,
          int64_t count) {
    const int size = array.size;
    rearrange_kernels().move[std::countr_zero(static_cast<unsigned>(size))](to, to_stride * size, from,
                                                                            from_stride * size, count);
}

// Collects `count` elements of an array from a position on into contiguous memory, and the reverse.
void gather(const Loop& loop, const Array& array, Position position, int64_t count, char* target) {
    const int64_t stride = array.strides[loop.ndim - 1];
    while (count > 0) {
        const int64_t part = std::min(count, position.left_in_row(loop));
        move(array, target, 1, position.address(loop, array), stride, part);
        target += part * array.size;
        count -= part;
        position.advance(loop, part);
    }
}
void scatter(const Loop& loop, const Array& array, Position position, int64_t count, const char* source) {
    const int64_t stride = array.strides[loop.ndim - 1];
    while (count > 0) {
        const int64_t part = std::min(count, position.left_in_row(loop));
        move(array, position.address(loop, array), stride, source, 1, part);
        source += part * array.size;
        count -= part;
        position.advance(loop, part);
    }
}

// Whether `count` elements from a position on lie one after the other.
bool is_dense(const Loop& loop, const Array& array, const Position& position, int64_t count) {
    return array.linear || (array.strides[loop.ndim - 1] == 1 && count <= position.left_in_row(loop));
}
// Whether they are all the same element.
bool is_constant(const Loop& loop, const Array& array, const Position& position, int64_t count) {
    return array.strides[loop.ndim - 1] == 0 && count <= position.left_in_row(loop);
}

// One value `count` times, by doubling.
void repeat(char* target, int size, int64_t count) {
    const int64_t bytes = count * size;
    for (int64_t done = size; done < bytes; done *= 2)
        std::memcpy(target + done, target, static_cast<size_t>(std::min(done, bytes - done)));
}

// The memory of one register and what it holds from block to block.
struct Register {
    const char* data = nullptr;      // what the instructions read
    const char* constant = nullptr;  // address of the one element that fills `buffer`, or null
    int64_t filled = 0;
    char* buffer = nullptr;
};

// What a program needs to run over one loop; shared by the threads.
struct Plan {
    const Program& program;
    const Loop& loop;
    BlockFunction functions[max_instructions];
    Compute types[max_registers];
    bool direct_output;  // the last instruction may write its result in place

    Plan(const Program& work, const Loop& nest) : program(work), loop(nest) {
        for (int i = 0; i < work.n_inputs; ++i) types[i] = work.input_types[i];
        for (int k = 0; k < work.n_instructions; ++k) {
            const Instruction& instruction = work.instructions[k];
            functions[k] = block_function(instruction.op, instruction.compute);
            types[instruction.output] = result_compute(instruction.op, instruction.compute);
        }
        direct_output = work.n_outputs == 1 && work.n_instructions > 0 &&
                        work.instructions[work.n_instructions - 1].output == work.output_registers[0];
    }
};

// Runs a plan over part of its loop, on one thread.
class Worker {
  public:
    Worker(const Plan& plan, char* memory) : plan_(plan), loop_(plan.loop), memory_(memory) {}

    bool run(int64_t begin, int64_t end) {
        Position position(loop_, begin);
        const bool whole_rows = loop_.sizes[loop_.ndim - 1] >= min_row;
        bool defined = true;
        while (begin < end) {
            int64_t count = std::min(end - begin, block_size);
            if (whole_rows) count = std::min(count, position.left_in_row(loop_));
            defined &= run_block(position, count);
            begin += count;
            if (begin < end) {
                if (whole_rows)
                    position.advance(loop_, count);
                else
                    position = Position(loop_, begin);
            }
        }
        return defined;
    }

  private:
    char* buffer(Register& target) {
        if (target.buffer == nullptr) target.buffer = memory_ + register_bytes * used_buffers_++;
        return target.buffer;
    }

    void load(const Position& position, int64_t count, const Array& array, Compute type, Register& target) {
        const DType wanted = dtype_of_compute(type);
        if (is_constant(loop_, array, position, count))
            return load_constant(position, count, array, wanted, target);
        const bool dense = is_dense(loop_, array, position, count);
        const char* source = dense ? position.address(loop_, array) : nullptr;
        const bool as_it_is = array.dtype == wanted;
        if (dense && as_it_is) {
            target.data = source;
            return;
        }
        target.constant = nullptr;
        target.data = buffer(target);
        if (!dense) {
            char* const staged = as_it_is ? target.buffer : staging();
            gather(loop_, array, position, count, staged);
            source = staged;
        }
        if (!as_it_is) convert_function(wanted, array.dtype)(target.buffer, source, count);
    }

    void load_constant(const Position& position, int64_t count, const Array& array, DType wanted,
                       Register& target) {
        const char* const source = position.address(loop_, array);
        target.data = buffer(target);
        if (target.constant == source && target.filled >= count) return;
        convert_function(wanted, array.dtype)(target.buffer, source, 1);
        repeat(target.buffer, item_size(wanted), count);
        target.constant = source;
        target.filled = count;
    }

    bool run_block(const Position& position, int64_t count) {
        const Program& program = plan_.program;
        for (int i = 0; i < program.n_inputs; ++i)
            load(position, count, loop_.arrays[program.n_outputs + i], plan_.types[i], registers_[i]);
        bool defined = true;
        bool stored = false;
        for (int k = 0; k < program.n_instructions; ++k) {
            const Instruction& instruction = program.instructions[k];
            Register& target = registers_[instruction.output];
            char* result = nullptr;
            if (plan_.direct_output && k + 1 == program.n_instructions)
                result = output_address(position, count);
            stored = result != nullptr;
            const void* inputs[3] = {registers_[instruction.inputs[0]].data,
                                     registers_[instruction.inputs[1]].data,
                                     registers_[instruction.inputs[2]].data};
            if (!stored) {
                target.constant = nullptr;
                target.data = result = buffer(target);
            }
            defined &= plan_.functions[k](result, inputs, count, instruction.parameters);
        }
        if (!stored) store(position, count);
        return defined;
    }

    // Where the only output's elements may be written at once, or null.
    char* output_address(const Position& position, int64_t count) const {
        const Array& array = loop_.arrays[0];
        const DType type = dtype_of_compute(plan_.types[plan_.program.output_registers[0]]);
        if (array.dtype != type || !is_dense(loop_, array, position, count)) return nullptr;
        return position.address(loop_, array);
    }

    void store(const Position& position, int64_t count) {
        for (int i = 0; i < plan_.program.n_outputs; ++i) {
            const Array& array = loop_.arrays[i];
            const int source_register = plan_.program.output_registers[i];
            const char* source = registers_[source_register].data;
            const DType type = dtype_of_compute(plan_.types[source_register]);
            if (is_dense(loop_, array, position, count)) {
                convert_function(array.dtype, type)(position.address(loop_, array), source, count);
                continue;
            }
            if (array.dtype != type) {
                convert_function(array.dtype, type)(staging(), source, count);
                source = staging();
            }
            scatter(loop_, array, position, count, source);
        }
    }

    char* staging() { return memory_ + register_bytes * max_registers; }

    const Plan& plan_;
    const Loop& loop_;
    char* memory_;
    int used_buffers_ = 0;
    Register registers_[max_registers];
};

bool run_loop(const Program& program, const Loop& loop) {
    if (loop.numel == 0) return true;
    const Plan plan(program, loop);
    std::atomic<bool> defined{true};
    parallel_for(0, loop.numel, parallel_size, [&](int64_t begin, int64_t end) {
        alignas(64) char memory[register_bytes * (max_registers + 1)];
        if (!Worker(plan, memory).run(begin, end)) defined = false;
    });
    return defined;
}

bool is_contiguous(int ndim, const int64_t* sizes, const int64_t* strides) {
    int64_t expected = 1;
    for (int d = ndim - 1; d >= 0; --d) {
        if (strides[d] != expected && sizes[d] != 1) return false;
        expected *= sizes[d];
    }
    return true;
}

bool run_block_parallel(BlockFunction block, const Parameters& parameters, int64_t count, char* output,
                        int output_size, const void* const* inputs, const int* input_sizes, int n_inputs) {
    if (count <= parallel_size) return block(output, inputs, count, parameters);
    std::atomic<bool> defined{true};
    parallel_for(0, count, parallel_size, [&](int64_t begin, int64_t end) {
        const void* parts[3];
        for (int i = 0; i < n_inputs; ++i)
            parts[i] = static_cast<const char*>(inputs[i]) + begin * input_sizes[i];
        if (!block(output + begin * output_size, parts, end - begin, parameters)) defined = false;
    });
    return defined;
}

void copy_bytes(char* to, const char* from, int64_t bytes) {
    parallel_for(0, bytes, parallel_size * 4, [&](int64_t begin, int64_t end) {
        std::memcpy(to + begin, from + begin, static_cast<size_t>(end - begin));
    });
}

// The offsets of both arrays of a copy, in elements, at an index into the dimensions before the last, but
// `skipped`.
struct Offsets {
    int64_t out = 0, in = 0;

    Offsets(const Loop& loop, int64_t index, int skipped) {
        for (int d = loop.ndim - 2; d >= 0; --d) {
            if (d == skipped) continue;
            out += index % loop.sizes[d] * loop.arrays[0].strides[d];
            in += index % loop.sizes[d] * loop.arrays[1].strides[d];
            index /= loop.sizes[d];
        }
    }
};

// Copies elements of one type with the innermost dimension far apart in the input but near along dimension
// `near`, in bands of rows of the input.
void copy_transposed(const Loop& loop, int near) {
    constexpr int64_t band = 64;
    const int inner = loop.ndim - 1;
    const Array &out = loop.arrays[0], &in = loop.arrays[1];
    const auto transpose = rearrange_kernels().transpose[std::countr_zero(static_cast<unsigned>(in.size))];
    const int64_t rows = loop.sizes[inner], columns = loop.sizes[near];
    const int64_t bands = (rows + band - 1) / band, outer = loop.numel / (rows * columns);
    const int64_t chunk = std::max<int64_t>(1, parallel_size / (std::min(band, rows) * columns));
    parallel_for(0, outer * bands, chunk, [&](int64_t begin, int64_t end) {
        for (int64_t item = begin; item < end; ++item) {
            const Offsets at(loop, item / bands, near);
            const int64_t row = item % bands * band;
            transpose(out.data + (at.out + row) * out.size, out.strides[near] * out.size,
                      in.data + (at.in + row * in.strides[inner]) * in.size, in.strides[inner] * in.size,
                      std::min(band, rows - row), columns);
        }
    });
}

// Copies elements of one type row by row.
void copy_rows(const Loop& loop) {
    const Array &out = loop.arrays[0], &in = loop.arrays[1];
    const int inner = loop.ndim - 1;
    parallel_for(0, loop.numel, parallel_size, [&](int64_t begin, int64_t end) {
        Position position(loop, begin);
        while (begin < end) {
            const int64_t count = std::min(end - begin, position.left_in_row(loop));
            move(in, position.address(loop, out), out.strides[inner], position.address(loop, in),
                 in.strides[inner], count);
            begin += count;
            if (begin < end) position.advance(loop, count);
        }
    });
}

// Rows of at most this many elements are copied column by column, unless they are contiguous.
constexpr int64_t short_row = 16;

// The same for short rows, many at a time.
void copy_short_rows(const Loop& loop) {
    constexpr int64_t most_rows = 512;
    const Array &out = loop.arrays[0], &in = loop.arrays[1];
    const int inner = loop.ndim - 1, middle = inner - 1;
    const int64_t width = loop.sizes[inner], height = loop.sizes[middle], rows = loop.numel / width;
    const bool contiguous = in.strides[inner] == 1 && out.strides[inner] == 1;
    parallel_for(0, rows, std::max<int64_t>(1, parallel_size / width), [&](int64_t begin, int64_t end) {
        for (int64_t count; begin < end; begin += count) {
            count = std::min({end - begin, height - begin % height, most_rows});
            const Offsets at(loop, begin, inner);
            char* const to = out.data + at.out * out.size;
            const char* const from = in.data + at.in * in.size;
            if (contiguous) {
                rearrange_kernels().lines(to, out.strides[middle] * out.size, from,
                                          in.strides[middle] * in.size, width * in.size, count);
                continue;
            }
            for (int64_t column = 0; column < width; ++column)
                move(in, to + column * out.strides[inner] * out.size, out.strides[middle],
                     from + column * in.strides[inner] * in.size, in.strides[middle], count);
        }
    });
}

void copy_same_type(const Loop& loop) {
    const Array &out = loop.arrays[0], &in = loop.arrays[1];
    if (out.linear && in.linear) return copy_bytes(out.data, in.data, loop.numel * in.size);
    const int inner = loop.ndim - 1;
    if (in.strides[inner] > 1 && out.strides[inner] == 1 && loop.sizes[inner] >= 8) {
        for (int d = 0; d < inner; ++d)
            if (in.strides[d] == 1 && loop.sizes[d] >= 8) return copy_transposed(loop, d);
    }
    const bool contiguous = in.strides[inner] == 1 && out.strides[inner] == 1;
    if (inner > 0 && loop.sizes[inner] <= (contiguous ? block_size : short_row) &&
        loop.sizes[inner - 1] >= short_row)
        return copy_short_rows(loop);
    copy_rows(loop);
}

}  // namespace

int input_count(Pointwise op) {
    if (op < Pointwise::add) return 1;
    if (op < Pointwise::where) return 2;
    if (op < Pointwise::bitwise_not) return 3;
    if (op == Pointwise::bitwise_not) return 1;
    if (op < Pointwise::logical_not) return 2;
    if (op < Pointwise::atan2) return 1;
    if (op < Pointwise::lgamma) return 2;
    switch (op) {
        case Pointwise::igamma:
        case Pointwise::igammac:
        case Pointwise::zeta:
        case Pointwise::prelu:
            return 2;
        default:
            return op < Pointwise::sigmoid_backward ? 1 : 2;
    }
}

bool supports(Pointwise op, Compute compute) {
    return block_function(op, compute) != nullptr;
}

Compute result_compute(Pointwise op, Compute compute) {
    if (op >= Pointwise::eq && op <= Pointwise::signbit) return Compute::boolean;
    const bool is_double = compute == Compute::float64 || compute == Compute::complex128;
    if (op == Pointwise::complex || op == Pointwise::polar)
        return is_double ? Compute::complex128 : Compute::complex64;
    if ((op == Pointwise::abs || op == Pointwise::angle) && compute >= Compute::complex64)
        return is_double ? Compute::float64 : Compute::float32;
    return compute;
}

bool run(const Program& program, int ndim, const int64_t* sizes, const Operand* operands) {
    return run_loop(program, Loop(ndim, sizes, operands, program.n_outputs + program.n_inputs));
}

bool run_one(Pointwise op, Compute compute, const Parameters& parameters, int ndim, const int64_t* sizes,
             const Operand& output, const Operand* inputs, int n_inputs) {
    int64_t count = 1;
    for (int d = 0; d < ndim; ++d) count *= sizes[d];
    if (count == 0) return true;
    bool plain = output.dtype == dtype_of_compute(result_compute(op, compute));
    for (int i = 0; i < n_inputs && plain; ++i)
        plain = inputs[i].dtype == dtype_of_compute(input_compute(op, compute, i));
    if (plain && count > 1) {
        plain = is_contiguous(ndim, sizes, output.strides);
        for (int i = 0; i < n_inputs && plain; ++i) plain = is_contiguous(ndim, sizes, inputs[i].strides);
    }
    if (plain) {
        const void* data[3];
        int input_sizes[3];
        for (int i = 0; i < n_inputs; ++i) {
            data[i] = inputs[i].data;
            input_sizes[i] = item_size(inputs[i].dtype);
        }
        return run_block_parallel(block_function(op, compute), parameters, count,
                                  static_cast<char*>(output.data), item_size(output.dtype), data, input_sizes,
                                  n_inputs);
    }
    Instruction instruction{op, compute, {0, 1, 2}, static_cast<uint8_t>(n_inputs), parameters};
    for (int i = n_inputs; i < 3; ++i) instruction.inputs[i] = 0;
    Compute types[3];
    Operand operands[4] = {output};
    for (int i = 0; i < n_inputs; ++i) {
        types[i] = input_compute(op, compute, i);
        operands[i + 1] = inputs[i];
    }
    const Program program{&instruction, 1, n_inputs, types, 1, &instruction.output};
    return run_loop(program, Loop(ndim, sizes, operands, n_inputs + 1));
}

void convert_contiguous(int64_t count, void* output, DType output_dtype, const void* input,
                        DType input_dtype) {
    char* const to = static_cast<char*>(output);
    const char* const from = static_cast<const char*>(input);
    if (output_dtype == input_dtype) return copy_bytes(to, from, count * item_size(input_dtype));
    const ConvertFunction convert = convert_function(output_dtype, input_dtype);
    const int to_size = item_size(output_dtype), from_size = item_size(input_dtype);
    parallel_for(0, count, parallel_size, [&](int64_t begin, int64_t end) {
        convert(to + begin * to_size, from + begin * from_size, end - begin);
    });
}

void convert(int ndim, const int64_t* sizes, const Operand& output, const Operand& input) {
    const Operand operands[2] = {output, input};
    const Loop loop(ndim, sizes, operands, 2);
    if (loop.numel == 0) return;
    const Array &out = loop.arrays[0], &in = loop.arrays[1];
    if (out.linear && in.linear)
        return convert_contiguous(loop.numel, out.data, out.dtype, in.data, in.dtype);
    if (out.dtype == in.dtype) return copy_same_type(loop);
    const ConvertFunction change = convert_function(out.dtype, in.dtype);
    parallel_for(0, loop.numel, parallel_size, [&](int64_t begin, int64_t end) {
        alignas(64) char gathered[register_bytes], converted[register_bytes];
        while (begin < end) {
            const Position position(loop, begin);
            const int64_t count = std::min(end - begin, block_size);
            const bool dense_in = is_dense(loop, in, position, count),
                       dense_out = is_dense(loop, out, position, count);
            if (!dense_in) gather(loop, in, position, count, gathered);
            change(dense_out ? position.address(loop, out) : converted,
                   dense_in ? position.address(loop, in) : gathered, count);
            if (!dense_out) scatter(loop, out, position, count, converted);
            begin += count;
        }
    });
}

void fill(int ndim, const int64_t* sizes, const Operand& output, const void* value, DType dtype) {
    alignas(16) char element[16];
    convert_function(output.dtype, dtype)(element, value, 1);
    const int64_t strides[max_dims] = {};
    const Operand operands[2] = {output, {element, output.dtype, strides}};
    const Loop loop(ndim, sizes, operands, 2);
    if (loop.numel == 0) return;
    const Array& out = loop.arrays[0];
    if (!out.linear) return copy_rows(loop);
    parallel_for(0, loop.numel, parallel_size, [&](int64_t begin, int64_t end) {
        move(out, out.data + begin * out.size, 1, element, 0, end - begin);
    });
}

}  // namespace rl::kernels
