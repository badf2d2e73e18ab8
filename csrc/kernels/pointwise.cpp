// Runs pointwise programs: orders and joins dimensions, cuts the work, loads blocks, computes, stores.
#include "kernels/pointwise.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>
#include <optional>
#include <vector>

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
constexpr int64_t block_size = 1024;         // elements staged at a time
constexpr int64_t parallel_size = 32768;     // elements that are worth a thread
constexpr int64_t parallel_bytes = 1 << 19;  // bytes that are, where moving them is all there is to do
constexpr int64_t stream_bytes = 32 << 20;   // results as large as the caches go past them
constexpr int64_t fill_bytes = 128 << 20;    // what nothing is read for does later, but for zeros
constexpr int64_t min_row = 64;              // rows shorter than this are gathered into blocks
constexpr int64_t min_row_bytes = 512;       // and those shorter than this where types need no conversion
constexpr int64_t short_period_row =
    4096;  // bytes of rows up to which inputs that repeat are laid out in blocks
constexpr int64_t register_bytes = 4096;  // of the widest elements a block has fewer

BlockFunction block_function(Pointwise op, Compute compute) {
    return pointwise_table().blocks[static_cast<int>(op)][static_cast<int>(compute)];
}
ConvertFunction convert_function(DType to, DType from) {
    return pointwise_table().converts[static_cast<int>(to)][static_cast<int>(from)];
}

// Whether a function takes no longer than its memory does.
bool is_light(Pointwise op) {
    switch (op) {
        case Pointwise::pow_scalar:
        case Pointwise::pow:
        case Pointwise::floor_divide:
        case Pointwise::trunc_divide:
        case Pointwise::remainder:
        case Pointwise::fmod:
        case Pointwise::gcd:
        case Pointwise::lcm:
        case Pointwise::round_decimals:
            return false;
        default:
            return op < Pointwise::exp || (op >= Pointwise::ceil && op <= Pointwise::rad2deg) ||
                   op == Pointwise::nan_to_num || op == Pointwise::clamp_scalar || op == Pointwise::relu ||
                   op == Pointwise::leaky_relu ||
                   (op >= Pointwise::hardsigmoid && op <= Pointwise::softshrink) ||
                   op == Pointwise::threshold || op == Pointwise::prelu ||
                   op == Pointwise::threshold_backward || op == Pointwise::leaky_relu_backward ||
                   op >= Pointwise::squared_difference;
    }
}

// The elements of a piece of memory-bound work, of so many bytes each.
int64_t light_piece(int64_t bytes) {
    return std::max(parallel_size, (parallel_bytes / bytes + 63) / 64 * 64);
}

// Whether contiguous results are written past the caches; what is read from the same place is in them.
bool goes_past_caches(const void* target, int64_t bytes) {
    return bytes >= stream_bytes && reinterpret_cast<uintptr_t>(target) % 64 == 0;
}

// Writes items first to last of `size` bytes past the caches, by blocks that make(block, first, count)
// computes.
template <class Make>
void stream_blocks(char* target, int size, int64_t first, int64_t last, Make&& make) {
    alignas(64) char block[4096];
    const int64_t most = static_cast<int64_t>(sizeof block) / size;
    const RearrangeKernels& kernels = rearrange_kernels();
    for (int64_t count; first < last; first += count) {
        count = std::min(most, last - first);
        make(block, first, count);
        kernels.stream(target + first * size, block, count * size);
    }
    kernels.finish_streams();
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
    // Steps over `count` elements, not beyond the end of the row, or over so many whole rows, not beyond the
    // end of the dimension before.
    void advance(const Loop& loop, int64_t count, int64_t rows = 1) {
        int d = loop.ndim - 1;
        index[d] += count;
        for (; d > 0 && index[d] == loop.sizes[d]; --d, rows = 1) {
            index[d] = 0;
            index[d - 1] += rows;
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

// Where rows of elements lie; strides count elements.
template <class Byte>
struct Rows {
    Byte* data;
    int64_t stride, element_stride;
};
// Moves `count` rows of `width` elements of an array's type.
void move_rows(const Array& array, Rows<char> to, Rows<const char> from, int64_t width, int64_t count) {
    const RearrangeKernels& kernels = rearrange_kernels();
    const int size = array.size;
    const bool packs = to.element_stride == 1;
    if (packs && from.element_stride == 1) {
        kernels.lines(to.data, to.stride * size, from.data, from.stride * size, width * size, count);
    } else if (packs && from.element_stride == 0 && to.stride == width) {
        kernels.spread[std::countr_zero(static_cast<unsigned>(size))](to.data, from.data, from.stride * size,
                                                                      width, count);
    } else if (packs && from.element_stride == -1) {
        kernels.reverse[std::countr_zero(static_cast<unsigned>(size))](to.data, to.stride * size, from.data,
                                                                       from.stride * size, width, count);
    } else if (count > width) {
        for (int64_t column = 0; column < width; ++column)
            move(array, to.data + column * to.element_stride * size, to.stride,
                 from.data + column * from.element_stride * size, from.stride, count);
    } else {
        for (int64_t row = 0; row < count; ++row)
            move(array, to.data + row * to.stride * size, to.element_stride,
                 from.data + row * from.stride * size, from.element_stride, width);
    }
}

// Calls visit(position, elements before it, elements, rows) for parts of `count` elements from a position on:
// rows that are equally far apart, the first and the last of all perhaps not whole.
template <class Visit>
void for_rows(const Loop& loop, Position position, int64_t count, Visit&& visit) {
    const int inner = loop.ndim - 1;
    const int64_t width = loop.sizes[inner];
    for (int64_t done = 0; done < count;) {
        const int64_t part = std::min(count - done, position.left_in_row(loop));
        const int64_t rows =
            part < width || inner == 0
                ? 1
                : std::min((count - done) / width, loop.sizes[inner - 1] - position.index[inner - 1]);
        visit(position, done, part, rows);
        done += part * rows;
        position.advance(loop, part, rows);
    }
}

// Collects `count` elements of an array from a position on into contiguous memory, and the reverse.
void gather(const Loop& loop, const Array& array, const Position& position, int64_t count, char* target) {
    const int inner = loop.ndim - 1;
    const int64_t step = array.strides[inner], row_step = inner > 0 ? array.strides[inner - 1] : 0;
    for_rows(loop, position, count, [&](const Position& at, int64_t done, int64_t width, int64_t rows) {
        move_rows(array, {target + done * array.size, width, 1}, {at.address(loop, array), row_step, step},
                  width, rows);
    });
}
void scatter(const Loop& loop, const Array& array, const Position& position, int64_t count,
             const char* source) {
    const int inner = loop.ndim - 1;
    const int64_t step = array.strides[inner], row_step = inner > 0 ? array.strides[inner - 1] : 0;
    for_rows(loop, position, count, [&](const Position& at, int64_t done, int64_t width, int64_t rows) {
        move_rows(array, {at.address(loop, array), row_step, step}, {source + done * array.size, width, 1},
                  width, rows);
    });
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

// What a worker needs to know of a program beyond its text. Arrays are filled as far as the program is long.
struct Plan {
    const Program program;
    BlockFunction functions[max_instructions];
    uint8_t slots[max_instructions];      // where results go that do not go to an output at once
    int8_t outputs[max_instructions];     // the output that is this result, or -1
    uint64_t later_inputs[max_operands];  // inputs read after an output was computed, as masks
    Compute output_types[max_operands];
    uint64_t copied_inputs = 0;  // inputs that are outputs as they are
    int n_slots = 0;             // of results and constants
    int64_t block;               // elements of a block
    int64_t slot_bytes;

    explicit Plan(const Program& work) : program(work) {
        int64_t widest = 1;
        Compute types[max_registers];
        const auto note = [&](int target, Compute type) {
            types[target] = type;
            widest = std::max<int64_t>(widest, item_size(dtype_of_compute(type)));
        };
        for (size_t i = 0; i < program.inputs.size(); ++i) note(static_cast<int>(i), program.inputs[i]);
        for (const Constant& constant : program.constants) note(constant.target, constant.type);
        for (size_t k = 0; k < program.instructions.size(); ++k) {
            const Instruction& instruction = program.instructions[k];
            functions[k] = block_function(instruction.op, instruction.compute);
            note(instruction.output, result_compute(instruction.op, instruction.compute));
        }
        for (size_t o = 0; o < program.outputs.size(); ++o) {
            output_types[o] = types[program.outputs[o]];
            if (program.outputs[o] < program.inputs.size())
                copied_inputs |= uint64_t{1} << program.outputs[o];
        }
        block = std::min(block_size, register_bytes / widest);
        slot_bytes = block * widest;
        find_outputs();
        share_slots();
    }

  private:
    // Calls visit(register) for what an instruction reads.
    template <class Visit>
    static void for_inputs(const Instruction& instruction, Visit&& visit) {
        for (int i = 0; i < input_count(instruction.op); ++i) visit(instruction.inputs[i]);
    }

    void find_outputs() {
        uint64_t later = copied_inputs;
        for (size_t k = program.instructions.size(); k-- > 0;) {
            outputs[k] = -1;
            for (size_t o = 0; o < program.outputs.size(); ++o) {
                if (program.outputs[o] != program.instructions[k].output) continue;
                outputs[k] = static_cast<int8_t>(o);
                later_inputs[o] = later;
            }
            for_inputs(program.instructions[k], [&](int read) {
                if (read < static_cast<int>(program.inputs.size())) later |= uint64_t{1} << read;
            });
        }
    }

    // A result takes the slot that was last given up, which is likeliest to be in the L1 cache.
    void share_slots() {
        const int n_instructions = static_cast<int>(program.instructions.size());
        n_slots = static_cast<int>(program.constants.size());
        int last_read[max_registers], slot_of[max_registers];
        std::fill_n(last_read, max_registers, -1);
        std::fill_n(slot_of, max_registers, -1);
        for (int k = 0; k < n_instructions; ++k)
            for_inputs(program.instructions[k], [&](int read) { last_read[read] = k; });
        for (const uint8_t output : program.outputs) last_read[output] = n_instructions;
        uint8_t unused[max_registers];
        int n_unused = 0;
        for (int k = 0; k < n_instructions; ++k) {
            slots[k] = n_unused > 0 ? unused[--n_unused] : static_cast<uint8_t>(n_slots++);
            slot_of[program.instructions[k].output] = slots[k];
            for_inputs(program.instructions[k], [&](int read) {
                if (last_read[read] != k || slot_of[read] < 0) return;
                unused[n_unused++] = static_cast<uint8_t>(slot_of[read]);
                slot_of[read] = -1;
            });
        }
    }
};

// Room for the slots of any plan and for elements on their way from or to another type.
struct WorkerMemory {
    alignas(64) char slots[register_bytes * (max_registers + max_operands)];
    alignas(64) char staging[block_size * 16];
};

// Runs a plan over parts of loops, on one thread.
class Worker {
  public:
    Worker(const Plan& plan, WorkerMemory& memory) : plan_(plan), memory_(memory) {}

    bool run(const Loop& loop, int64_t begin, int64_t end) {
        fill_constants(std::min(end - begin, plan_.block));
        set_loop(loop);
        Position position(loop, begin);
        const bool whole_rows = loop.sizes[loop.ndim - 1] >= min_row;
        bool defined = true;
        while (begin < end) {
            int64_t count = std::min(end - begin, plan_.block);
            if (whole_rows) count = std::min(count, position.left_in_row(loop));
            load_inputs(position, count);
            defined &= compute(position, count);
            store_outputs(position, count);
            begin += count;
            if (begin < end) {
                if (whole_rows)
                    position.advance(loop, count);
                else
                    position = Position(loop, begin);
            }
        }
        return defined;
    }

  private:
    int n_outputs() const { return static_cast<int>(plan_.program.outputs.size()); }
    int n_inputs() const { return static_cast<int>(plan_.program.inputs.size()); }
    char* slot(int index) { return memory_.slots + plan_.slot_bytes * index; }
    // Inputs that are not read in place have slots of their own, after those of results.
    char* input_slot(int input) { return slot(plan_.n_slots + input); }
    char* staging() { return memory_.staging; }

    void fill_constants(int64_t count) {
        if (count <= filled_) return;
        filled_ = count;
        int index = 0;
        for (const Constant& constant : plan_.program.constants) {
            const DType type = dtype_of_compute(constant.type);
            char* const target = slot(index++);
            convert_function(type, DType::complex128)(target, &constant.value, 1);
            repeat(target, item_size(type), count);
            registers_[constant.target] = target;
        }
    }

    void set_loop(const Loop& loop) {
        loop_ = &loop;
        for (int i = 0; i < n_inputs(); ++i) repeated_[i] = nullptr;
        for (int o = 0; o < n_outputs(); ++o) {
            direct_[o] = loop.arrays[o].dtype == dtype_of_compute(plan_.output_types[o]);
            // An output must not be written while the input in the same memory is still to be read.
            for (int i = 0; i < n_inputs() && direct_[o]; ++i)
                direct_[o] = (plan_.later_inputs[o] >> i & 1) == 0 || input(i).data != loop.arrays[o].data;
        }
    }
    const Array& input(int index) const { return loop_->arrays[n_outputs() + index]; }

    void load_inputs(const Position& position, int64_t count) {
        for (int i = 0; i < n_inputs(); ++i) registers_[i] = load(i, position, count);
    }

    const char* load(int index, const Position& position, int64_t count) {
        const Array& array = input(index);
        const DType wanted = dtype_of_compute(plan_.program.inputs[index]);
        const bool as_it_is = array.dtype == wanted && (plan_.copied_inputs >> index & 1) == 0;
        const bool dense = is_dense(*loop_, array, position, count);
        const char* source = dense ? position.address(*loop_, array) : nullptr;
        if (dense && as_it_is) return source;
        char* const target = input_slot(index);
        if (is_constant(*loop_, array, position, count)) {
            load_repeated(index, position.address(*loop_, array), wanted, count);
            return target;
        }
        if (!dense) {
            char* const gathered = array.dtype == wanted ? target : staging();
            gather(*loop_, array, position, count, gathered);
            if (gathered == target) return target;
            source = gathered;
        }
        convert_function(wanted, array.dtype)(target, source, count);
        return target;
    }

    void load_repeated(int index, const char* source, DType wanted, int64_t count) {
        if (repeated_[index] == source && repeated_count_[index] >= count) return;
        char* const target = input_slot(index);
        convert_function(wanted, input(index).dtype)(target, source, 1);
        repeat(target, item_size(wanted), count);
        repeated_[index] = source;
        repeated_count_[index] = count;
    }

    bool compute(const Position& position, int64_t count) {
        bool defined = true;
        int k = 0;
        for (const Instruction& instruction : plan_.program.instructions) {
            const int output = plan_.outputs[k];
            char* result = output >= 0 ? output_address(output, position, count) : nullptr;
            if (result == nullptr) result = slot(plan_.slots[k]);
            const void* inputs[3] = {registers_[instruction.inputs[0]], registers_[instruction.inputs[1]],
                                     registers_[instruction.inputs[2]]};
            defined &= plan_.functions[k](result, inputs, count, instruction.parameters, 0);
            registers_[instruction.output] = result;
            ++k;
        }
        return defined;
    }

    // Where an output's elements may be written at once, or null.
    char* output_address(int output, const Position& position, int64_t count) const {
        const Array& array = loop_->arrays[output];
        if (!direct_[output] || !is_dense(*loop_, array, position, count)) return nullptr;
        return position.address(*loop_, array);
    }

    void store_outputs(const Position& position, int64_t count) {
        for (int o = 0; o < n_outputs(); ++o) {
            const Array& array = loop_->arrays[o];
            const char* source = registers_[plan_.program.outputs[o]];
            const DType type = dtype_of_compute(plan_.output_types[o]);
            if (is_dense(*loop_, array, position, count)) {
                char* const target = position.address(*loop_, array);
                if (target != source) convert_function(array.dtype, type)(target, source, count);
                continue;
            }
            if (array.dtype != type) {
                convert_function(array.dtype, type)(staging(), source, count);
                source = staging();
            }
            scatter(*loop_, array, position, count, source);
        }
    }

    const Plan& plan_;
    WorkerMemory& memory_;
    const Loop* loop_ = nullptr;
    int64_t filled_ = 0;  // elements of every constant's slot
    const char* registers_[max_registers] = {};
    const char* repeated_[max_operands];  // addresses of the elements that fill the slots of inputs
    int64_t repeated_count_[max_operands];
    bool direct_[max_operands];
};

bool run_loop(const Plan& plan, const Loop& loop) {
    if (loop.numel == 0) return true;
    std::atomic<bool> defined{true};
    parallel_for(0, loop.numel, parallel_size, [&](int64_t begin, int64_t end) {
        WorkerMemory memory;
        if (!Worker(plan, memory).run(loop, begin, end)) defined = false;
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

// One function over arrays whose rows it takes as they lie in memory.
class RowFunction {
  public:
    BlockFunction block;
    const Parameters& parameters;
    bool light;
    DType output;     // as the function stores it
    DType inputs[3];  // as it loads them
    DType constants[3];
    int n_inputs;

    // The function of a program of one instruction; it loads and stores a half type itself where it can.
    RowFunction(Pointwise op, Compute compute, const Parameters& given, const Operand& target, int count)
        : block(block_function(op, compute)),
          parameters(given),
          light(is_light(op)),
          output(dtype_of_compute(result_compute(op, compute))),
          n_inputs(count) {
        for (int i = 0; i < count; ++i)
            inputs[i] = constants[i] = dtype_of_compute(input_compute(op, compute, i));
        const bool is_half = target.dtype == DType::float16 || target.dtype == DType::bfloat16;
        if (!is_half || compute != Compute::float32) return;
        const BlockFunction half =
            pointwise_table().halves[static_cast<int>(op)][target.dtype == DType::bfloat16 ? 1 : 0];
        if (half == nullptr) return;
        block = half;
        output = target.dtype;
        std::fill_n(inputs, count, target.dtype);
    }

    // Whether all arrays are contiguous and of the types that the function takes.
    bool takes_whole(int ndim, const int64_t* sizes, const Operand& target, const Operand* sources,
                     int64_t numel) const {
        bool whole = target.dtype == output && (numel == 1 || is_contiguous(ndim, sizes, target.strides));
        for (int i = 0; i < n_inputs && whole; ++i)
            whole = sources[i].dtype == inputs[i] &&
                    (numel == 1 || is_contiguous(ndim, sizes, sources[i].strides));
        return whole;
    }
    bool run_whole(const Operand& target, const Operand* sources, int64_t numel) const {
        const auto compute = [&](void* result, int64_t first, int64_t count) {
            const void* data[3];
            for (int i = 0; i < n_inputs; ++i)
                data[i] = static_cast<const char*>(sources[i].data) + first * item_size(sources[i].dtype);
            return block(result, data, count, parameters, 0);
        };
        if (numel <= parallel_size) return compute(target.data, 0, numel);
        bool streams = goes_past_caches(target.data, numel * item_size(target.dtype));
        for (int i = 0; i < n_inputs; ++i) streams = streams && sources[i].data != target.data;
        char* const results = static_cast<char*>(target.data);
        const int size = item_size(target.dtype);
        std::atomic<bool> defined{true};
        parallel_for(0, numel, piece(target, sources), [&](int64_t begin, int64_t end) {
            bool fine = true;
            if (streams)
                stream_blocks(results, size, begin, end, [&](void* result, int64_t first, int64_t count) {
                    fine &= compute(result, first, count);
                });
            else
                fine = compute(results + begin * size, begin, end - begin);
            if (!fine) defined = false;
        });
        return defined;
    }
    // How many elements are worth a thread; numbers that are constant along the rows take no memory.
    int64_t piece(const Operand& target, const Operand* sources) const {
        if (!light) return parallel_size;
        int64_t bytes = item_size(target.dtype);
        for (int i = 0; i < n_inputs; ++i) bytes += item_size(sources[i].dtype);
        return light_piece(bytes);
    }
    int64_t piece(const Loop& loop) const {
        if (!light) return parallel_size;
        int64_t bytes = 0;
        for (int k = 0; k <= n_inputs; ++k)
            if (loop.arrays[k].strides[loop.ndim - 1] != 0) bytes += loop.arrays[k].size;
        return light_piece(bytes);
    }

    // Runs one of the following over all of a loop, on all threads.
    bool run_pieces(const Loop& loop, bool (RowFunction::*run)(const Loop&, int64_t, int64_t) const) const {
        std::atomic<bool> defined{true};
        parallel_for(0, loop.numel, piece(loop), [&](int64_t begin, int64_t end) {
            if (!(this->*run)(loop, begin, end)) defined = false;
        });
        return defined;
    }

    // Whether it can go along the rows of a loop: each input contiguous there, or one element.
    bool takes_rows(const Loop& loop) const {
        const int inner = loop.ndim - 1;
        const Array& out = loop.arrays[0];
        bool rows = out.dtype == output && out.strides[inner] == 1 &&
                    (loop.ndim == 1 || loop.sizes[inner] >= min_row);
        for (int i = 0; i < n_inputs && rows; ++i) rows = takes_row(loop, i);
        return rows;
    }

    bool run_rows(const Loop& loop, int64_t begin, int64_t end) const {
        bool defined = true;
        for_rows(loop, Position(loop, begin), end - begin,
                 [&](const Position& at, int64_t, int64_t width, int64_t rows) {
                     char* places[4] = {};
                     for (int k = 0; k <= n_inputs; ++k) places[k] = at.address(loop, loop.arrays[k]);
                     while (true) {
                         const void* data[3] = {places[1], places[2], places[3]};
                         defined &= run_row(loop, places[0], data, width);
                         if (--rows == 0) return;
                         for (int k = 0; k <= n_inputs; ++k)
                             places[k] += loop.arrays[k].strides[loop.ndim - 2] * loop.arrays[k].size;
                     }
                 });
        return defined;
    }

    // Whether it can fill the output block by block, from inputs that lie in the loop's order or repeat after
    // so few elements that their repetitions fit beside it.
    bool takes_periods(const Loop& loop) const {
        bool takes = takes_blocks(loop);
        for (int i = 0; i < n_inputs && takes; ++i) {
            const Array& array = loop.arrays[i + 1];
            takes = array.linear || period(loop, array) * array.size <= register_bytes;
        }
        return takes;
    }
    bool run_periods(const Loop& loop, int64_t begin, int64_t end) const {
        alignas(64) char repeated[3][2 * register_bytes];
        int64_t periods[3], most = end - begin;
        for (int i = 0; i < n_inputs; ++i) {
            const Array& array = loop.arrays[i + 1];
            if (array.linear) continue;
            const int64_t length = periods[i] = period(loop, array), bytes = length * array.size;
            const int64_t times =
                std::min<int64_t>(sizeof repeated[i] / bytes, (most + length - 1) / length + 1);
            gather(loop, array, Position(loop, 0), length, repeated[i]);
            repeat(repeated[i], static_cast<int>(bytes), times);
            most = std::min(most, (times - 1) * length);
        }
        bool defined = true;
        for (int64_t count; begin < end; begin += count) {
            count = std::min(end - begin, most);
            const void* data[3];
            for (int i = 0; i < n_inputs; ++i) {
                const Array& array = loop.arrays[i + 1];
                data[i] = array.linear ? array.data + begin * array.size
                                       : repeated[i] + begin % periods[i] * array.size;
            }
            char* const target = loop.arrays[0].data + begin * loop.arrays[0].size;
            defined &= block(target, data, count, parameters, 0);
        }
        return defined;
    }

    // Whether it can fill the output block by block, from inputs that are collected where they do not lie in
    // the loop's order.
    bool takes_blocks(const Loop& loop) const {
        bool takes = loop.arrays[0].linear && loop.arrays[0].dtype == output;
        for (int i = 0; i < n_inputs && takes; ++i) takes = loop.arrays[i + 1].dtype == inputs[i];
        return takes;
    }
    bool run_blocks(const Loop& loop, int64_t begin, int64_t end) const {
        alignas(64) char collected[3][register_bytes];
        int64_t most = block_size;
        for (int i = 0; i < n_inputs; ++i)
            most = std::min(most, register_bytes / static_cast<int64_t>(loop.arrays[i + 1].size));
        bool defined = true;
        for (int64_t count; begin < end; begin += count) {
            count = std::min(end - begin, most);
            const Position position(loop, begin);
            const void* data[3];
            for (int i = 0; i < n_inputs; ++i) {
                const Array& array = loop.arrays[i + 1];
                const bool dense = is_dense(loop, array, position, count);
                if (!dense) gather(loop, array, position, count, collected[i]);
                data[i] = dense ? position.address(loop, array) : collected[i];
            }
            defined &= block(position.address(loop, loop.arrays[0]), data, count, parameters, 0);
        }
        return defined;
    }

    // A dimension along which inputs lie that are far apart along the rows, or -1 if the rows cannot be
    // gathered by turning tiles.
    int turned_dimension(const Loop& loop) const {
        const int inner = loop.ndim - 1;
        const Array& out = loop.arrays[0];
        if (loop.ndim == 1 || out.dtype != output || out.strides[inner] != 1) return -1;
        for (int near = 0; near < inner; ++near) {
            bool turns = loop.sizes[near] >= 8 && loop.sizes[inner] >= 8, all_rows = true;
            for (int i = 0; i < n_inputs && turns; ++i) {
                turns = takes_row(loop, i) || is_turned(loop, i, near);
                all_rows = all_rows && takes_row(loop, i);
            }
            if (turns && !all_rows) return near;
        }
        return -1;
    }

    // The tiles of one band of rows along dimension `near`, which starts at `row`, at a place of the other
    // dimensions that `index` counts.
    bool run_tiles(const Loop& loop, int near, int64_t index, int64_t row) const {
        const int inner = loop.ndim - 1;
        int64_t offsets[4] = {};
        for (int d = inner - 1; d >= 0; --d) {
            const int64_t at = d == near ? row : index % loop.sizes[d];
            if (d != near) index /= loop.sizes[d];
            for (int k = 0; k <= n_inputs; ++k) offsets[k] += at * loop.arrays[k].strides[d];
        }
        alignas(64) char turned[3][tile * tile * 8];
        bool defined = true;
        const int64_t rows = std::min(tile, loop.sizes[near] - row);
        for (int64_t column = 0; column < loop.sizes[inner]; column += tile) {
            const int64_t columns = std::min(tile, loop.sizes[inner] - column);
            const auto address = [&](int k, int64_t line) {
                const Array& array = loop.arrays[k];
                return array.data +
                       (offsets[k] + line * array.strides[near] + column * array.strides[inner]) * array.size;
            };
            for (int i = 0; i < n_inputs; ++i) {
                const Array& array = loop.arrays[i + 1];
                if (takes_row(loop, i)) continue;
                rearrange_kernels().transpose[std::countr_zero(static_cast<unsigned>(array.size))](
                    turned[i], tile * array.size, address(i + 1, 0), array.strides[inner] * array.size,
                    columns, rows);
            }
            for (int64_t line = 0; line < rows; ++line) {
                const void* data[3];
                for (int i = 0; i < n_inputs; ++i)
                    data[i] = takes_row(loop, i) ? address(i + 1, line)
                                                 : turned[i] + line * tile * loop.arrays[i + 1].size;
                defined &= run_row(loop, address(0, line), data, columns);
            }
        }
        return defined;
    }
    bool run_turned(const Loop& loop, int near) const {
        const int64_t bands = (loop.sizes[near] + tile - 1) / tile;
        const int64_t band = std::min(tile, loop.sizes[near]) * loop.sizes[loop.ndim - 1];
        const int64_t outer = loop.numel / (loop.sizes[near] * loop.sizes[loop.ndim - 1]);
        std::atomic<bool> defined{true};
        parallel_for(0, outer * bands, std::max<int64_t>(1, parallel_size / band),
                     [&](int64_t begin, int64_t end) {
                         for (int64_t item = begin; item < end; ++item)
                             if (!run_tiles(loop, near, item / bands, item % bands * tile)) defined = false;
                     });
        return defined;
    }

  private:
    static constexpr int64_t tile = 64;

    // After how many elements an input comes again from its beginning.
    static int64_t period(const Loop& loop, const Array& array) {
        int64_t elements = loop.numel;
        for (int d = 0; d < loop.ndim && array.strides[d] == 0; ++d) elements /= loop.sizes[d];
        return elements;
    }

    bool takes_row(const Loop& loop, int input) const {
        const Array& array = loop.arrays[input + 1];
        const int64_t stride = array.strides[loop.ndim - 1];
        return (stride == 1 && array.dtype == inputs[input]) || (stride == 0 && n_inputs > 1);
    }
    bool is_turned(const Loop& loop, int input, int near) const {
        const Array& array = loop.arrays[input + 1];
        return array.strides[near] == 1 && array.dtype == inputs[input] && array.size <= 8;
    }

    // One row or part of one, from the inputs' places; an input that is one element there becomes a constant.
    bool run_row(const Loop& loop, char* target, const void** data, int64_t count) const {
        alignas(16) char elements[3][16];
        unsigned repeated = 0;
        for (int i = 0; i < n_inputs; ++i) {
            const Array& array = loop.arrays[i + 1];
            if (array.strides[loop.ndim - 1] != 0) continue;
            repeated |= 1u << i;
            if (array.dtype == constants[i]) continue;
            convert_function(constants[i], array.dtype)(elements[i], data[i], 1);
            data[i] = elements[i];
        }
        return block(target, data, count, parameters, repeated);
    }
};

void copy_bytes(char* to, const char* from, int64_t bytes) {
    const bool streams = goes_past_caches(to, bytes) && to != from;
    parallel_for(0, bytes, light_piece(2), [&](int64_t begin, int64_t end) {
        if (!streams) {
            std::memcpy(to + begin, from + begin, static_cast<size_t>(end - begin));
            return;
        }
        rearrange_kernels().stream(to + begin, from + begin, end - begin);
        rearrange_kernels().finish_streams();
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
        for_rows(loop, Position(loop, begin), end - begin,
                 [&](const Position& at, int64_t, int64_t width, int64_t rows) {
                     const int64_t out_row = inner > 0 ? out.strides[inner - 1] : 0,
                                   in_row = inner > 0 ? in.strides[inner - 1] : 0;
                     move_rows(in, {at.address(loop, out), out_row, out.strides[inner]},
                               {at.address(loop, in), in_row, in.strides[inner]}, width, rows);
                 });
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
    parallel_for(0, rows, std::max<int64_t>(1, parallel_size / width), [&](int64_t begin, int64_t end) {
        for (int64_t count; begin < end; begin += count) {
            count = std::min({end - begin, height - begin % height, most_rows});
            const Offsets at(loop, begin, inner);
            move_rows(in, {out.data + at.out * out.size, out.strides[middle], out.strides[inner]},
                      {in.data + at.in * in.size, in.strides[middle], in.strides[inner]}, width, count);
        }
    });
}

// Copies matrices of few elements, many at a time: every element of all of them at once.
void copy_small_matrices(const Loop& loop) {
    constexpr int64_t most = 512;
    const Array &out = loop.arrays[0], &in = loop.arrays[1];
    const int inner = loop.ndim - 1, middle = inner - 1, outer = middle - 1;
    const int64_t width = loop.sizes[inner], height = loop.sizes[middle], many = loop.sizes[outer];
    const int64_t matrices = loop.numel / (width * height);
    parallel_for(0, matrices, parallel_size / (width * height), [&](int64_t begin, int64_t end) {
        for (int64_t count; begin < end; begin += count) {
            count = std::min({end - begin, many - begin % many, most});
            const Position at(loop, begin * width * height);
            char* const to = at.address(loop, out);
            const char* const from = at.address(loop, in);
            for (int64_t row = 0; row < height; ++row)
                for (int64_t column = 0; column < width; ++column)
                    move(in, to + (row * out.strides[middle] + column * out.strides[inner]) * out.size,
                         out.strides[outer],
                         from + (row * in.strides[middle] + column * in.strides[inner]) * in.size,
                         in.strides[outer], count);
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
    if (inner > 1 && !contiguous && loop.sizes[inner] < short_row && loop.sizes[inner - 1] < short_row &&
        loop.sizes[inner - 2] >= short_row)
        return copy_small_matrices(loop);
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
        case Pointwise::difference_backward:
            return 3;
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

// The program's own copy of its text, and the plan made of it.
struct CompiledProgram::Parts {
    std::vector<Instruction> instructions;
    std::vector<Compute> inputs;
    std::vector<Constant> constants;
    std::vector<uint8_t> outputs;
    Plan plan;

    explicit Parts(const Program& program)
        : instructions(program.instructions.begin(), program.instructions.end()),
          inputs(program.inputs.begin(), program.inputs.end()),
          constants(program.constants.begin(), program.constants.end()),
          outputs(program.outputs.begin(), program.outputs.end()),
          plan({instructions, inputs, constants, outputs}) {}
};

CompiledProgram::CompiledProgram(const Program& program) : parts_(std::make_unique<const Parts>(program)) {}
CompiledProgram::~CompiledProgram() = default;
CompiledProgram::CompiledProgram(CompiledProgram&&) noexcept = default;

bool runs_in_order(int64_t elements) {
    return elements <= parallel_size;
}

bool run(std::span<const Job> jobs) {
    std::vector<int64_t> starts{0};  // of each job among the elements of all
    starts.reserve(jobs.size() + 1);
    for (const Job& job : jobs) {
        int64_t numel = 1;
        for (int d = 0; d < job.ndim; ++d) numel *= job.sizes[d];
        starts.push_back(starts.back() + numel);
    }
    std::atomic<bool> defined{true};
    parallel_for(0, starts.back(), parallel_size, [&](int64_t begin, int64_t end) {
        WorkerMemory memory;
        std::optional<Worker> worker;
        const Plan* planned = nullptr;
        size_t k = std::upper_bound(starts.begin(), starts.end(), begin) - starts.begin() - 1;
        for (; k < jobs.size() && starts[k] < end; ++k) {
            if (starts[k] == starts[k + 1]) continue;
            const Plan& plan = jobs[k].program->parts_->plan;
            if (&plan != planned) worker.emplace(plan, memory);
            planned = &plan;
            const Loop loop(jobs[k].ndim, jobs[k].sizes, jobs[k].operands,
                            static_cast<int>(plan.program.outputs.size() + plan.program.inputs.size()));
            const int64_t first = std::max(begin, starts[k]), last = std::min(end, starts[k + 1]);
            if (!worker->run(loop, first - starts[k], last - starts[k])) defined = false;
        }
    });
    return defined;
}

bool run_one(Pointwise op, Compute compute, const Parameters& parameters, int ndim, const int64_t* sizes,
             const Operand& output, const Operand* inputs, int n_inputs) {
    int64_t count = 1;
    for (int d = 0; d < ndim; ++d) count *= sizes[d];
    if (count == 0) return true;
    const RowFunction function(op, compute, parameters, output, n_inputs);
    if (function.takes_whole(ndim, sizes, output, inputs, count))
        return function.run_whole(output, inputs, count);
    Operand operands[4] = {output};
    std::copy_n(inputs, n_inputs, operands + 1);
    const Loop loop(ndim, sizes, operands, n_inputs + 1);
    const int64_t row_bytes = loop.sizes[loop.ndim - 1] * loop.arrays[0].size;
    if (loop.ndim > 1 && row_bytes < short_period_row && function.takes_periods(loop))
        return function.run_pieces(loop, &RowFunction::run_periods);
    const bool has_short_rows = loop.ndim > 1 && row_bytes < min_row_bytes;
    if (function.takes_rows(loop) && !(has_short_rows && function.takes_blocks(loop)))
        return function.run_pieces(loop, &RowFunction::run_rows);
    if (const int near = function.turned_dimension(loop); near >= 0) return function.run_turned(loop, near);
    if (function.takes_blocks(loop)) return function.run_pieces(loop, &RowFunction::run_blocks);
    Instruction instruction{op, compute, {0, 1, 2}, static_cast<uint8_t>(n_inputs), parameters};
    for (int i = n_inputs; i < 3; ++i) instruction.inputs[i] = 0;
    Compute types[3];
    for (int i = 0; i < n_inputs; ++i) types[i] = input_compute(op, compute, i);
    const Program program{
        {&instruction, 1}, {types, static_cast<size_t>(n_inputs)}, {}, {&instruction.output, 1}};
    return run_loop(Plan(program), loop);
}

void convert_contiguous(int64_t count, void* output, DType output_dtype, const void* input,
                        DType input_dtype) {
    char* const to = static_cast<char*>(output);
    const char* const from = static_cast<const char*>(input);
    if (output_dtype == input_dtype) return copy_bytes(to, from, count * item_size(input_dtype));
    const ConvertFunction convert = convert_function(output_dtype, input_dtype);
    const int to_size = item_size(output_dtype), from_size = item_size(input_dtype);
    const bool streams = goes_past_caches(to, count * to_size) && to != from;
    parallel_for(0, count, light_piece(to_size + from_size), [&](int64_t begin, int64_t end) {
        const auto part = [&](void* result, int64_t first, int64_t length) {
            convert(result, from + first * from_size, length);
        };
        if (streams)
            stream_blocks(to, to_size, begin, end, part);
        else
            part(to + begin * to_size, begin, end - begin);
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
        alignas(64) char gathered[block_size * 16], converted[block_size * 16];
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
    const int64_t bytes = loop.numel * out.size;
    const bool zero = std::all_of(element, element + out.size, [](char byte) { return byte == 0; });
    const bool streams = goes_past_caches(out.data, bytes) && (zero || bytes >= fill_bytes);
    parallel_for(0, loop.numel, light_piece(out.size), [&](int64_t begin, int64_t end) {
        const auto part = [&](char* result, int64_t, int64_t count) {
            move(out, result, 1, element, 0, count);
        };
        if (streams)
            stream_blocks(out.data, out.size, begin, end, part);
        else
            part(out.data + begin * out.size, begin, end - begin);
    });
}

}  // namespace rl::kernels
