// Einstein summation and tensordot, by way of batched matrix products.
#include <algorithm>
#include <cctype>

#include "ops/arithmetic.h"
#include "ops/matmul.h"
#include "ops/reduction.h"
#include "ops/registry.h"
#include "ops/views.h"

namespace rl::ops {
namespace {

constexpr int ellipsis = 52;  // labels 0 to 51 are the letters

int label_of(char letter) {
    if (letter >= 'A' && letter <= 'Z') return letter - 'A';
    return letter >= 'a' && letter <= 'z' ? letter - 'a' + 26 : -1;
}
char letter_of(int label) {
    return static_cast<char>(label < 26 ? 'A' + label : 'a' + label - 26);
}

struct Equation {
    std::vector<std::vector<int>> inputs{{}};
    std::vector<int> output;
    bool explicit_output = false;
};

// Reads an ellipsis at `position`, which is left on its last dot.
void read_ellipsis(const std::string& text, size_t& position, std::vector<int>& labels,
                   const std::string& owner) {
    check(std::find(labels.begin(), labels.end(), ellipsis) == labels.end(), "einsum(): found '.' for ",
          owner,
          owner == "output" ? " but an ellipsis (...) was already found"
                            : " for which an ellipsis was already found");
    check(text.compare(position, 3, "...") == 0, "einsum(): found '.' for ", owner,
          " that is not part of any ellipsis");
    labels.push_back(ellipsis);
    position += 2;
}

Equation parse(const std::string& text) {
    Equation equation;
    const size_t arrow = text.find("->");
    const size_t end = arrow == std::string::npos ? text.size() : arrow;
    for (size_t i = 0; i < end; ++i) {
        std::vector<int>& labels = equation.inputs.back();
        if (text[i] == ' ') continue;
        if (text[i] == '.') {
            read_ellipsis(text, i, labels, "operand " + std::to_string(equation.inputs.size() - 1));
        } else if (text[i] == ',') {
            equation.inputs.emplace_back();
        } else {
            check(label_of(text[i]) >= 0, "einsum(): invalid subscript given at index ", i,
                  " in the equation string, subscripts must be in [a-zA-Z]");
            labels.push_back(label_of(text[i]));
        }
    }
    if (arrow == std::string::npos) return equation;
    equation.explicit_output = true;
    for (size_t i = arrow + 2; i < text.size(); ++i) {
        if (text[i] == ' ') continue;
        if (text[i] == '.') {
            read_ellipsis(text, i, equation.output, "output");
        } else {
            check(label_of(text[i]) >= 0, "einsum(): invalid subscript given at index ", i,
                  " in the equation string, subscripts must be in [a-zA-Z]");
            equation.output.push_back(label_of(text[i]));
        }
    }
    return equation;
}

// Every label's place among the dimensions that all operands are brought to: output first, then what is
// summed.
struct Plan {
    int place[ellipsis + 1];
    int64_t ellipsis_rank = 0;
    size_t output_rank = 0, rank = 0;
};

int64_t ellipsis_rank_of(const Equation& equation, const TensorList& operands) {
    int64_t widest = 0;
    for (size_t i = 0; i < operands.size(); ++i) {
        const auto& labels = equation.inputs[i];
        const bool open = std::find(labels.begin(), labels.end(), ellipsis) != labels.end();
        const int64_t count = static_cast<int64_t>(labels.size()) - open, rank = operands[i].dim();
        check(open ? count <= rank : count == rank, "einsum(): the number of subscripts in the equation (",
              count,
              open ? ") is more than the number of dimensions ("
                   : ") does not match the number of dimensions (",
              rank, ") for operand ", i, open ? "" : " and no ellipsis was given");
        if (open) widest = std::max(widest, rank - count);
    }
    return widest;
}

void place_label(Plan& plan, int label) {
    plan.place[label] = static_cast<int>(plan.rank);
    plan.rank += label == ellipsis ? static_cast<size_t>(plan.ellipsis_rank) : 1;
}

Plan make_plan(const Equation& equation, const TensorList& operands) {
    Plan plan;
    std::fill_n(plan.place, ellipsis + 1, -1);
    plan.ellipsis_rank = ellipsis_rank_of(equation, operands);
    int count[ellipsis + 1] = {};
    for (const auto& labels : equation.inputs)
        for (const int label : labels) ++count[label];
    if (equation.explicit_output) {
        for (const int label : equation.output) {
            check(label == ellipsis || count[label] > 0, "einsum(): output subscript ",
                  letter_of(label % ellipsis), " does not appear in the equation for any input operand");
            check(plan.place[label] < 0, "einsum(): output subscript ", letter_of(label % ellipsis),
                  " appears more than once in the output");
            place_label(plan, label);
        }
    } else {
        if (count[ellipsis] > 0) place_label(plan, ellipsis);
        for (int label = 0; label < ellipsis; ++label)
            if (count[label] == 1) place_label(plan, label);
    }
    plan.output_rank = plan.rank;
    for (int label = 0; label <= ellipsis; ++label)
        if (count[label] > 0 && plan.place[label] < 0) place_label(plan, label);
    return plan;
}

// An operand with repeated labels reduced to diagonals and its dimensions where the plan has them.
Tensor arrange(Tensor operand, std::vector<int> labels, const Plan& plan, size_t number) {
    std::vector<int64_t> places;  // of each dimension in turn
    const int64_t open_rank = operand.dim() - static_cast<int64_t>(labels.size()) + 1;
    for (const int label : labels) {
        if (label != ellipsis) {
            places.push_back(plan.place[label]);
            continue;
        }
        for (int64_t d = 0; d < open_rank; ++d)
            places.push_back(plan.place[ellipsis] + plan.ellipsis_rank - open_rank + d);
    }
    for (size_t first = 0; first < places.size(); ++first) {
        for (size_t next = first + 1; next < places.size();) {
            if (places[next] != places[first]) {
                ++next;
                continue;
            }
            const int64_t a = operand.size(static_cast<int64_t>(first)),
                          b = operand.size(static_cast<int64_t>(next));
            check(a == b, "einsum(): subscript is repeated for operand ", number,
                  " but the sizes don't match, ", b, " != ", a);
            operand = movedim(diagonal(operand, 0, static_cast<int64_t>(first), static_cast<int64_t>(next)),
                              {-1}, {static_cast<int64_t>(first)});
            places.erase(places.begin() + static_cast<std::ptrdiff_t>(next));
        }
    }
    Dims order(plan.rank, -1);
    for (size_t d = 0; d < places.size(); ++d)
        order[static_cast<size_t>(places[d])] = static_cast<int64_t>(d);
    int64_t extra = operand.dim();
    for (int64_t& source : order) {
        if (source >= 0) continue;
        operand = unsqueeze(operand, extra);
        source = extra++;
    }
    return permute(operand, order);
}

int64_t product_of(const Tensor& tensor, const Dims& dims) {
    int64_t product = 1;
    for (const int64_t d : dims) product *= tensor.size(d);
    return product;
}

Dims concatenate(const Dims& a, const Dims& b, const Dims& c) {
    Dims all = a;
    for (const int64_t d : b) all.push_back(d);
    for (const int64_t d : c) all.push_back(d);
    return all;
}

// The product of two operands of equal rank, summed over `dims`, which stay with size one.
Tensor contract(Tensor left, Tensor right, const std::vector<bool>& summed) {
    Dims batch, left_only, right_only, inner, left_sum, right_sum;
    for (int64_t d = 0; d < left.dim(); ++d) {
        const bool in_left = left.size(d) != 1, in_right = right.size(d) != 1;
        if (summed[static_cast<size_t>(d)]) {
            if (in_left == in_right)
                inner.push_back(d);
            else
                (in_left ? left_sum : right_sum).push_back(d);
            if (in_left != in_right) left_only.push_back(d);
        } else {
            (in_left == in_right ? batch : in_left ? left_only : right_only).push_back(d);
        }
    }
    if (!left_sum.empty()) left = sum(left, left_sum, true);
    if (!right_sum.empty()) right = sum(right, right_sum, true);
    const bool outer = !left_only.empty() && !right_only.empty() && left.dtype() == right.dtype() &&
                       left.dtype() != DType::boolean;
    if (inner.empty() && left_sum.empty() && right_sum.empty() && !outer) return left * right;
    const int64_t b = product_of(left, batch), rows = product_of(left, left_only),
                  depth = product_of(left, inner), columns = product_of(right, right_only);
    const Dims left_order = concatenate(concatenate(batch, left_only, {}), inner, right_only);
    const Dims right_order = concatenate(concatenate(batch, inner, {}), right_only, left_only);
    const Tensor product = bmm(reshape(permute(left, left_order), {b, rows, depth}),
                               reshape(permute(right, right_order), {b, depth, columns}));
    const Dims order = concatenate(concatenate(batch, left_only, {}), right_only, inner);
    Dims sizes, back(order.size(), 0);
    for (size_t i = 0; i < order.size(); ++i) {
        const int64_t d = order[i];
        const bool contracted = std::find(inner.begin(), inner.end(), d) != inner.end();
        sizes.push_back(contracted ? 1 : left.size(d) != 1 ? left.size(d) : right.size(d));
        back[static_cast<size_t>(d)] = static_cast<int64_t>(i);
    }
    return permute(view(product, sizes), back);
}

void check_sizes(const TensorList& arranged, const Equation& equation, const Plan& plan) {
    for (size_t d = 0; d < plan.rank; ++d) {
        int64_t seen = 1;
        for (size_t i = 0; i < arranged.size(); ++i) {
            const int64_t size = arranged[i].sizes()[d];
            if (size == 1) continue;
            int found = ellipsis;
            for (const int label : equation.inputs[i])
                if (label != ellipsis && plan.place[label] == static_cast<int>(d)) found = label;
            const std::string name = found == ellipsis ? "..." : std::string(1, letter_of(found));
            check(seen == 1 || seen == size, "einsum(): subscript ", name, " has size ", size,
                  " for operand ", i, " which does not broadcast with previously seen size ", seen);
            seen = size;
        }
    }
}

}  // namespace

Tensor einsum(const std::string& text, const TensorList& operands) {
    check(!operands.empty(), "einsum(): must provide at least one operand");
    const Equation equation = parse(text);
    check(equation.inputs.size() >= operands.size(),
          "einsum(): more operands were provided than specified in the equation");
    check(equation.inputs.size() <= operands.size(),
          "einsum(): fewer operands were provided than specified in the equation");
    const Plan plan = make_plan(equation, operands);
    TensorList arranged;
    for (size_t i = 0; i < operands.size(); ++i)
        arranged.push_back(arrange(operands[i], equation.inputs[i], plan, i));
    check_sizes(arranged, equation, plan);

    // A summed dimension goes with the last operand that has it.
    std::vector<size_t> last(plan.rank, 0);
    for (size_t i = 0; i < arranged.size(); ++i)
        for (size_t d = 0; d < plan.rank; ++d)
            if (arranged[i].sizes()[d] != 1) last[d] = i;
    Tensor result = arranged[0];
    Dims alone;
    for (size_t d = plan.output_rank; d < plan.rank; ++d)
        if (last[d] == 0) alone.push_back(static_cast<int64_t>(d));
    if (!alone.empty()) result = sum(result, alone, true);
    for (size_t i = 1; i < arranged.size(); ++i) {
        std::vector<bool> summed(plan.rank, false);
        for (size_t d = plan.output_rank; d < plan.rank; ++d) summed[d] = last[d] == i;
        result = contract(result, arranged[i], summed);
    }
    Dims sizes(result.sizes().begin(),
               result.sizes().begin() + static_cast<std::ptrdiff_t>(plan.output_rank));
    return reshape(result, sizes);
}

Tensor tensordot(const Tensor& self, const Tensor& other, const Dims& dims_self, const Dims& dims_other) {
    check(dims_self.size() == dims_other.size(), "both dimension lists should have same length");
    check(self.dtype() == other.dtype(), "both inputs should have same dtype");
    Dims left_free, right_free, left_sum, right_sum, sizes;
    Tensor first = self, second = other;
    for (size_t i = 0; i < dims_self.size(); ++i) {
        const int64_t a = self.size(dims_self[i]), b = other.size(dims_other[i]);
        if (b == 1)
            first = sum(first, Dims{dims_self[i]}, true);
        else if (a == 1)
            second = sum(second, Dims{dims_other[i]}, true);
        check(a == b || a == 1 || b == 1, "contracted dimensions need to match, but first has size ", a,
              " in dim ", dims_self[i], " and second has size ", b, " in dim ", dims_other[i]);
        left_sum.push_back(wrap_dim(dims_self[i], self.dim()));
        right_sum.push_back(wrap_dim(dims_other[i], other.dim()));
    }
    const auto free_dims = [&](const Tensor& tensor, const Dims& summed, Dims& free) {
        const uint64_t mask = dim_mask(summed, tensor.dim(), false);
        for (int64_t d = 0; d < tensor.dim(); ++d) {
            if (mask >> d & 1) continue;
            free.push_back(d);
            sizes.push_back(tensor.size(d));
        }
    };
    free_dims(first, left_sum, left_free);
    free_dims(second, right_sum, right_free);
    const int64_t depth = product_of(first, left_sum);
    const Tensor left =
        reshape(permute(first, concatenate(left_free, left_sum, {})), {product_of(first, left_free), depth});
    const Tensor right = reshape(permute(second, concatenate(right_sum, right_free, {})),
                                 {depth, product_of(second, right_free)});
    return reshape(mm(left, right), sizes);
}

namespace {

Tensor einsum_along_path(const std::string& equation, const TensorList& operands,
                         const std::optional<Dims>&) {
    return einsum(equation, operands);
}

const Register einsum_operator{
    "einsum(str equation, Tensor[] tensors, *, int[]? path=None) -> Tensor",
    einsum_along_path,
    {.variants = 0,
     .doc = "Sums products of operands' elements along the dimensions that the equation names.\n\n"
            "Raises RuntimeError for a malformed equation and for sizes that do not fit.\n\n"
            ">>> rushlight.einsum('ij,jk->ik', rushlight.ones(2, 3), rushlight.ones(3, 4)).shape\n"
            "torch.Size([2, 4])",
     .dtypes = "all but bool"}};
const Register tensordot_operator{
    "tensordot(Tensor self, Tensor other, int[] dims_self, int[] dims_other) -> Tensor",
    tensordot,
    {.variants = 0,
     .doc = "Sums products of two tensors' elements over pairs of dimensions.\n\n"
            "Raises RuntimeError where the sizes of a pair differ.\n\n"
            ">>> rushlight.tensordot(rushlight.ones(2, 3), rushlight.ones(3, 4), 1).shape\n"
            "torch.Size([2, 4])",
     .dtypes = "all but bool"}};

}  // namespace

}  // namespace rl::ops
