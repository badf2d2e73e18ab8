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
        : n_inputs_(n_inputs), lines_(lines), outputs_(outputs), uses_(n_inputs + lines.size()) {
        for (const Line& line : lines_) count_uses(line, 1);
        for (const BlockProgram::Output& output : outputs_) ++uses_[output.read_from];
    }

    std::vector<bool> run() {
        for (Line& line : lines_) {
            if (line.is_constant) continue;
            count_uses(line, -1);
            absorb_number(line);
            absorb_line(line);
            count_uses(line, 1);
        }
        std::vector<bool> needed(lines_.size());
        for (size_t k = lines_.size(); k-- > 0;) {
            needed[k] = uses_[n_inputs_ + k] > 0;
            if (!needed[k]) count_uses(lines_[k], -1);
        }
        return needed;
    }

  private:
    void count_uses(const Line& line, int change) {
        if (line.is_constant) return;
        for (int i = 0; i < kernels::input_count(line.op); ++i) uses_[line.inputs[i]] += change;
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

    static void become_affine(Line& line, int input, double factor, double term) {
        line = {false, Pointwise::affine, {static_cast<uint8_t>(input)}, {factor, term}};
    }

    // Arithmetic with a number.
    void absorb_number(Line& line) const {
        const int a = line.inputs[0], b = line.inputs[1];
        if (line.op == Pointwise::neg) return become_affine(line, a, -1, nothing);
        if (line.op == Pointwise::lerp) {
            if (const double* const weight = number_in(line.inputs[2]))
                line = {false, Pointwise::lerp_scalar, {line.inputs[0], line.inputs[1]}, {*weight, 0}};
            return;
        }
        if (kernels::input_count(line.op) != 2) return;
        const double *const left = number_in(a), *const right = number_in(b);
        if ((left == nullptr) == (right == nullptr)) return;
        const int other = left == nullptr ? a : b;
        const double value = left == nullptr ? *right : *left;
        if (line.op == Pointwise::mul) become_affine(line, other, value, nothing);
        if (line.op == Pointwise::add) become_affine(line, other, 1, value);
        if (line.op == Pointwise::sub && right != nullptr) become_affine(line, other, 1, -value);
        if (line.op == Pointwise::sub && left != nullptr) become_affine(line, other, -1, value);
        // A quotient by a number whose reciprocal every type can hold.
        if (line.op == Pointwise::div && right != nullptr && std::abs(std::log2(std::abs(value))) < 100)
            become_affine(line, other, 1 / value, nothing);
    }

    // What inputs are computed from.
    void absorb_line(Line& line) const {
        if (line.op == Pointwise::affine) absorb_chain(line);
        if (line.op == Pointwise::add || line.op == Pointwise::sub) absorb_term(line);
        if (line.op == Pointwise::add_scaled && !absorb_quotient(line))
            absorb_product(line, Pointwise::scaled_sum);
        if (line.op == Pointwise::addcmul) absorb_product(line, Pointwise::scaled_addcmul);
        if (line.op == Pointwise::addcdiv) absorb_divisor(line);
    }

    // factor * x + term of such an x, or of a square root.
    void absorb_chain(Line& line) const {
        const double factor = line.values[0], term = line.values[1];
        if (const Line* const inner = sole(line.inputs[0], Pointwise::affine))
            become_affine(line, inner->inputs[0], inner->values[0] * factor,
                          inner->values[1] * factor + term);
        else if (const Line* const root = sole(line.inputs[0], Pointwise::sqrt))
            line = {false, Pointwise::scaled_sqrt, {root->inputs[0]}, {factor, term}};
        else if (const Line* const scaled = sole(line.inputs[0], Pointwise::scaled_sqrt))
            line = {false,
                    Pointwise::scaled_sqrt,
                    {scaled->inputs[0]},
                    {scaled->values[0] * factor, scaled->values[1] * factor + term}};
    }

    // A sum whose second term is a product with a number, or a quotient.
    void absorb_term(Line& line) const {
        const double sign = line.op == Pointwise::add ? 1 : -1;
        if (const Line* const product = sole_product(line.inputs[1]))
            line = {false,
                    Pointwise::add_scaled,
                    {line.inputs[0], product->inputs[0]},
                    {sign * product->values[0]}};
        else if (sole(line.inputs[1], Pointwise::div) != nullptr)
            line = {false, Pointwise::add_scaled, {line.inputs[0], line.inputs[1]}, {sign}};
    }

    // A scaled second term that is a quotient.
    bool absorb_quotient(Line& line) const {
        const Line* const quotient = sole(line.inputs[1], Pointwise::div);
        if (quotient == nullptr) return false;
        line = {false,
                Pointwise::addcdiv,
                {line.inputs[0], quotient->inputs[0], quotient->inputs[1]},
                {line.values[0]}};
        return true;
    }

    // A first input that is a product with a number, by a function that multiplies itself.
    void absorb_product(Line& line, Pointwise scaled) const {
        const Line* const product = sole_product(line.inputs[0]);
        if (product == nullptr) return;
        line.op = scaled;
        line.inputs[0] = product->inputs[0];
        line.values[1] = product->values[0];
    }

    // A dividend that is a product with a number, and a divisor that is a square root.
    void absorb_divisor(Line& line) const {
        if (const Line* const product = sole_product(line.inputs[1])) {
            line.inputs[1] = product->inputs[0];
            line.values[0] *= product->values[0];
        }
        if (const Line* const root = sole(line.inputs[2], Pointwise::scaled_sqrt)) {
            line.op = Pointwise::addcdiv_sqrt;
            line.inputs[2] = root->inputs[0];
            line.values[1] = root->values[0];
            line.values[2] = root->values[1];
        }
    }

    const int n_inputs_;
    std::vector<Line>& lines_;
    const std::span<const BlockProgram::Output> outputs_;
    std::vector<int> uses_;  // of registers, without those by the line being looked at
};

}  // namespace

std::vector<bool> combine(int n_inputs, std::vector<Line>& lines,
                          std::span<const BlockProgram::Output> outputs) {
    return Combiner(n_inputs, lines, outputs).run();
}

}  // namespace rl::ops
