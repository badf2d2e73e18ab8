// Joining lines of programs: numbers become parameters of functions, and chains of cheap functions become
// one.
#include <cmath>

#include "ops/program.h"

namespace rl::ops {
namespace {

using kernels::Pointwise;
using Line = BlockProgram::Line;

// x + -0.0 is x, zeros and their signs included.
constexpr double nothing = -0.0;

class Combiner {
  public:
    Combiner(int n_inputs, std::vector<Line>& lines, std::span<const BlockProgram::Output> outputs)
        : n_inputs_(n_inputs), lines_(lines), uses_(n_inputs + lines.size()), needed_(lines.size(), true) {
        for (const Line& line : lines_) count_uses(line, 1);
        for (const BlockProgram::Output& output : outputs) ++uses_[output.read_from];
    }

    std::vector<bool> run() {
        for (Line& line : lines_)
            while (absorb(line)) {
            }
        for (size_t k = lines_.size(); k-- > 0;) drop_unused(n_inputs_ + static_cast<int>(k));
        return needed_;
    }

  private:
    void count_uses(const Line& line, int change) {
        if (line.is_constant) return;
        for (int i = 0; i < kernels::input_count(line.op); ++i) uses_[line.inputs[i]] += change;
    }

    // Gives up the line of a register that nothing reads, and then those that it alone read.
    void drop_unused(int number) {
        if (number < n_inputs_ || uses_[number] > 0 || !needed_[number - n_inputs_]) return;
        needed_[number - n_inputs_] = false;
        const Line& line = lines_[number - n_inputs_];
        if (line.is_constant) return;
        count_uses(line, -1);
        for (int i = 0; i < kernels::input_count(line.op); ++i) drop_unused(line.inputs[i]);
    }

    // Takes one thing that a line reads into the line itself, if there is one.
    bool absorb(Line& line) {
        if (line.is_constant) return false;
        const Line before = line;
        count_uses(before, -1);
        const bool changed = absorb_number(line) || absorb_line(line);
        count_uses(line, 1);
        if (changed)
            for (int i = 0; i < kernels::input_count(before.op); ++i) drop_unused(before.inputs[i]);
        return changed;
    }

    const Line* line_of(int number) const {
        return number < n_inputs_ ? nullptr : &lines_[number - n_inputs_];
    }
    // The number that a register holds, or null.
    const double* number_in(int number) const {
        const Line* const line = line_of(number);
        return line != nullptr && line->is_constant ? &line->values[0] : nullptr;
    }
    // The line of a register if it is of a function and nothing else reads it, or null.
    const Line* sole(int number, Pointwise op) const {
        const Line* const line = line_of(number);
        return line != nullptr && !line->is_constant && line->op == op && uses_[number] == 0 ? line : nullptr;
    }
    // The same for a product with a number.
    const Line* sole_product(int number) const {
        const Line* const line = sole(number, Pointwise::affine);
        return line != nullptr && line->values[1] == 0 ? line : nullptr;
    }

    static bool become(Line& line, const Line& other) {
        line = other;
        return true;
    }
    static bool become_affine(Line& line, uint8_t input, double factor, double term) {
        return become(line, {false, Pointwise::affine, {input}, {factor, term}});
    }

    // Arithmetic with a number.
    bool absorb_number(Line& line) const {
        const uint8_t a = line.inputs[0], b = line.inputs[1];
        if (line.op == Pointwise::neg) return become_affine(line, a, -1, nothing);
        if (line.op == Pointwise::lerp) {
            const double* const weight = number_in(line.inputs[2]);
            return weight != nullptr && become(line, {false, Pointwise::lerp_scalar, {a, b}, {*weight}});
        }
        if (kernels::input_count(line.op) != 2) return false;
        const double *const left = number_in(a), *const right = number_in(b);
        if ((left == nullptr) == (right == nullptr)) return false;
        const uint8_t other = left == nullptr ? a : b;
        const double value = left == nullptr ? *right : *left;
        if (line.op == Pointwise::mul) return become_affine(line, other, value, nothing);
        if (line.op == Pointwise::add) return become_affine(line, other, 1, value);
        if (line.op == Pointwise::sub)
            return right != nullptr ? become_affine(line, other, 1, -value)
                                    : become_affine(line, other, -1, value);
        // A quotient by a number whose reciprocal every type can hold.
        return line.op == Pointwise::div && right != nullptr && std::abs(std::log2(std::abs(value))) < 100 &&
               become_affine(line, other, 1 / value, nothing);
    }

    // What an input is computed from.
    bool absorb_line(Line& line) const {
        switch (line.op) {
            case Pointwise::affine:
                return absorb_chain(line);
            case Pointwise::add:
            case Pointwise::sub:
                return absorb_term(line);
            case Pointwise::add_scaled:
                return absorb_quotient(line) || absorb_product(line, Pointwise::scaled_sum);
            case Pointwise::addcmul:
                return absorb_product(line, Pointwise::scaled_addcmul);
            case Pointwise::addcdiv:
                return absorb_dividend(line) || absorb_divisor(line);
            default:
                return false;
        }
    }

    // factor * x + term of such an x, or of a square root.
    bool absorb_chain(Line& line) const {
        const double factor = line.values[0], term = line.values[1];
        if (const Line* const root = sole(line.inputs[0], Pointwise::sqrt))
            return become(line, {false, Pointwise::scaled_sqrt, {root->inputs[0]}, {factor, term}});
        const Line* inner = sole(line.inputs[0], Pointwise::affine);
        if (inner == nullptr) inner = sole(line.inputs[0], Pointwise::scaled_sqrt);
        return inner != nullptr &&
               become(line, {false,
                             inner->op,
                             {inner->inputs[0]},
                             {inner->values[0] * factor, inner->values[1] * factor + term}});
    }

    // A sum whose second term is a product with a number, or a quotient.
    bool absorb_term(Line& line) const {
        const double sign = line.op == Pointwise::add ? 1 : -1;
        if (const Line* const product = sole_product(line.inputs[1]))
            return become(line, {false,
                                 Pointwise::add_scaled,
                                 {line.inputs[0], product->inputs[0]},
                                 {sign * product->values[0]}});
        return sole(line.inputs[1], Pointwise::div) != nullptr &&
               become(line, {false, Pointwise::add_scaled, {line.inputs[0], line.inputs[1]}, {sign}});
    }

    // A scaled second term that is a quotient.
    bool absorb_quotient(Line& line) const {
        const Line* const quotient = sole(line.inputs[1], Pointwise::div);
        return quotient != nullptr &&
               become(line, {false,
                             Pointwise::addcdiv,
                             {line.inputs[0], quotient->inputs[0], quotient->inputs[1]},
                             {line.values[0]}});
    }

    // A first input that is a product with a number, by a function that multiplies itself.
    bool absorb_product(Line& line, Pointwise scaled) const {
        const Line* const product = sole_product(line.inputs[0]);
        if (product == nullptr) return false;
        line.op = scaled;
        line.inputs[0] = product->inputs[0];
        line.values[1] = product->values[0];
        return true;
    }

    // A dividend that is a product with a number.
    bool absorb_dividend(Line& line) const {
        const Line* const product = sole_product(line.inputs[1]);
        if (product == nullptr) return false;
        line.inputs[1] = product->inputs[0];
        line.values[0] *= product->values[0];
        return true;
    }

    // A divisor that is a square root.
    bool absorb_divisor(Line& line) const {
        const Line* const root = sole(line.inputs[2], Pointwise::scaled_sqrt);
        return root != nullptr && become(line, {false,
                                                Pointwise::addcdiv_sqrt,
                                                {line.inputs[0], line.inputs[1], root->inputs[0]},
                                                {line.values[0], root->values[0], root->values[1]}});
    }

    const int n_inputs_;
    std::vector<Line>& lines_;
    std::vector<int> uses_;  // of registers, without those by the line being looked at
    std::vector<bool> needed_;
};

}  // namespace

std::vector<bool> combine(int n_inputs, std::vector<Line>& lines,
                          std::span<const BlockProgram::Output> outputs) {
    return Combiner(n_inputs, lines, outputs).run();
}

}  // namespace rl::ops
