// Padding with a constant, and with elements of the tensor itself.
#include "ops/padding.h"

#include <algorithm>
#include <cstdlib>

#include "autograd/record.h"
#include "core/gil.h"
#include "ops/pointwise.h"
#include "ops/registry.h"
#include "ops/resample.h"

namespace rl::ops {

Tensor constant_pad_nd(const Tensor& self, const Dims& pad, const Scalar& value) {
    const size_t rank = self.sizes().size();
    check(pad.size() % 2 == 0, "Length of pad must be even but instead it equals ", pad.size());
    check(pad.size() <= 2 * rank,
          "Length of pad should be no more than twice the number of dimensions of the input. ",
          "Pad length is ", pad.size(), "while the input has ", rank, "dimensions.");
    Dims sizes = self.sizes(), inner = self.sizes(), source_strides = self.strides();
    int64_t source_offset = self.offset(), target_offset = 0;
    for (size_t i = 0; i < pad.size() / 2; ++i) {
        const size_t d = rank - 1 - i;
        const int64_t before = pad[2 * i], after = pad[2 * i + 1];
        constexpr int64_t limit = int64_t{1} << 60;
        check(std::max(std::abs(before), std::abs(after)) <= limit, "integer out of range");
        sizes[d] += before + after;
        check(sizes[d] >= 0, "The input size ", self.sizes()[d], ", plus negative padding ", before, " and ",
              after, " resulted in a negative output size, which is invalid. Check dimension ", d,
              " of your input.");
        inner[d] =
            std::max<int64_t>(0, inner[d] + std::min<int64_t>(before, 0) + std::min<int64_t>(after, 0));
        source_offset += std::max<int64_t>(-before, 0) * self.strides()[d];
    }
    const Tensor result = empty(sizes, options_of(self));
    for (size_t i = 0; i < pad.size() / 2; ++i)
        target_offset += std::max<int64_t>(pad[2 * i], 0) * result.strides()[rank - 1 - i];
    if (!result.is_meta() && result.numel() > 0) {
        fill_data(result, value);
        if (count_elements(inner) > 0)
            copy_data(alias(result, inner, result.strides(), target_offset),
                      alias(self, inner, source_strides, source_offset));
    }
    return record("ConstantPadNdBackward0", {self}, result, [&] {
        Dims back;
        for (const int64_t amount : pad) back.push_back(-amount);
        return [back](const Tensor& grad) -> Gradients { return {constant_pad_nd(grad, back)}; };
    });
}

namespace {

using kernels::AxisMap;

// How many elements are added (or, if negative, taken away) at the ends of dimension `dim` from the last.
struct Sides {
    int64_t before, after;
};
Sides sides_of(const Dims& pad, size_t dim) {
    return dim < pad.size() / 2 ? Sides{pad[2 * dim], pad[2 * dim + 1]} : Sides{0, 0};
}

// Where the element is found that stands at a position in or outside of a dimension. What is taken away is
// not there to be wrapped around to.
int64_t source_of(const std::string& mode, int64_t position, int64_t size, Sides sides) {
    if (mode == "replicate") return std::clamp<int64_t>(position, 0, std::max<int64_t>(0, size - 1));
    if (mode == "reflect") return size - 1 - std::abs(size - 1 - std::abs(position));
    const int64_t first = std::max<int64_t>(-sides.before, 0),
                  end = size - std::max<int64_t>(-sides.after, 0);
    const int64_t period = std::max<int64_t>(1, end - first), turned = (position - first) % period;
    return first + (turned < 0 ? turned + period : turned);
}

void check_sides(const Tensor& self, int64_t dim, Sides sides, const std::string& mode) {
    const int64_t size = self.size(dim), most = std::max(sides.before, sides.after);
    constexpr int64_t limit = int64_t{1} << 60;
    check(most <= limit && std::min(sides.before, sides.after) >= -limit, "integer out of range");
    if (mode == "reflect")
        check(most < size,
              "Argument #4: Padding size should be less than the corresponding input dimension, but got: "
              "padding (",
              sides.before, ", ", sides.after, ") at dimension ", dim, " of input ", to_string(self.sizes()));
    if (mode == "circular") check(most <= size, "Padding value causes wrapping around more than once.");
    Dims sizes = self.sizes();
    sizes[static_cast<size_t>(dim)] += sides.before + sides.after;
    check(size + sides.before + sides.after >= 0, "Trying to create tensor with negative dimension ",
          size + sides.before + sides.after, ": ", to_string(sizes));
    check(size > 0 || sizes[static_cast<size_t>(dim)] == 0, "Expected non-zero size of dimension ", dim,
          " of input ", to_string(self.sizes()));
}

AxisMap padding_map(const Tensor& self, int64_t dim, Sides sides, const std::string& mode) {
    const int64_t size = self.size(dim), output = size + sides.before + sides.after;
    AxisMap map{size, output, {0}, {}, {}, {}};
    for (int64_t i = 0; i < output; ++i) {
        map.index.push_back(source_of(mode, i - sides.before, size, sides));
        check(map.index.back() >= 0 && map.index.back() < size,
              "Padding value causes wrapping around more than once.");
        map.first.push_back(i + 1);
    }
    return map;
}

// Copies `self` into the middle of `result`, and from there to the sides, from the last dimension to the
// first.
void copy_with_sides(const Tensor& result, const Tensor& self, const Dims& pad, const AxisMaps& maps) {
    const Dims& strides = result.strides();
    const size_t rank = strides.size();
    int64_t offset = 0;
    for (size_t i = 0; i < pad.size() / 2; ++i) offset += sides_of(pad, i).before * strides[rank - 1 - i];
    Dims sizes = self.sizes();
    copy_data(alias(result, sizes, strides, offset), self);
    for (size_t i = 0; i < pad.size() / 2; ++i) {
        const size_t d = rank - 1 - i;
        const auto [before, after] = sides_of(pad, i);
        const std::vector<int64_t>& index = maps[2 - i].index;
        offset -= before * strides[d];
        const int64_t size = sizes[d], whole = size + before + after;
        for (const auto& [begin, end] : {std::pair{int64_t{0}, before}, std::pair{before + size, whole}}) {
            for (int64_t first = begin, last; first < end; first = last) {
                const auto source = [&](int64_t i) { return index[static_cast<size_t>(i)]; };
                const int64_t step = first + 1 < end ? source(first + 1) - source(first) : 1;
                last = first + 1;
                while (last < end && source(last) - source(last - 1) == step) ++last;
                sizes[d] = last - first;
                Dims source_strides = strides;
                source_strides[d] *= step;
                copy_data(
                    alias(result, sizes, strides, offset + first * strides[d]),
                    alias(result, sizes, source_strides, offset + (before + source(first)) * strides[d]));
            }
        }
        sizes[d] = whole;
    }
}

// Reads elements of the tensor beyond its ends: `mode` is reflect, replicate or circular.
Tensor pad_from_inside(const Tensor& self, const Dims& pad, const std::string& mode) {
    const auto spatial = static_cast<int64_t>(pad.size() / 2);
    check(pad.size() % 2 == 0 && spatial >= 1 && spatial <= 3 && spatial <= self.dim(),
          "Expected padding of one to three dimensions, got ", pad.size(), " amounts for ", self.dim(),
          " dimensions");
    for (int64_t i = 0; i < spatial; ++i)
        check_sides(self, self.dim() - 1 - i, sides_of(pad, static_cast<size_t>(i)), mode);
    Dims sizes = self.sizes(), last;
    for (size_t i = 0; i < pad.size() / 2; ++i)
        sizes[sizes.size() - 1 - i] += sides_of(pad, i).before + sides_of(pad, i).after;
    const Tensor result = empty(sizes, options_of(self));
    AxisMaps maps = identity_maps(self, spatial);
    for (int64_t i = 0; i < spatial; ++i)
        maps[static_cast<size_t>(2 - i)] =
            padding_map(self, self.dim() - 1 - i, sides_of(pad, static_cast<size_t>(i)), mode);
    const char* const node = mode == "reflect"     ? "ReflectionPadBackward0"
                             : mode == "replicate" ? "ReplicationPadBackward0"
                                                   : "CircularPadBackward0";
    if (std::any_of(pad.begin(), pad.end(), [](int64_t amount) { return amount < 0; }))
        return resample(node, self, spatial, std::move(maps));
    if (!result.is_meta() && result.numel() > 0) copy_with_sides(result, self, pad, maps);
    return record(node, {self}, result, [&] {
        return [node, spatial, maps = std::move(maps)](const Tensor& grad) -> Gradients {
            return {resample(node, grad, spatial,
                             {maps[0].transposed(), maps[1].transposed(), maps[2].transposed()})};
        };
    });
}

const Register pad_from_inside_operator{
    "pad_from_inside(Tensor self, int[] pad, str mode) -> Tensor",
    pad_from_inside,
    {.variants = 0,
     .doc =
         "Extends the last one to three dimensions with their own elements: `mode` is reflect, replicate or "
         "circular, `pad` as in constant_pad_nd. What nn.functional.pad does.\n\n"
         "Raises RuntimeError where more is added than there is to reflect or to wrap around to.\n\n"
         ">>> rushlight._C.pad_from_inside(rushlight.tensor([[1., 2., 3.]]), [1, 0], \"reflect\")\n"
         "tensor([[2., 1., 2., 3.]])",
     .dtypes = "all"}};

const Register constant_pad_operator{
    "constant_pad_nd(Tensor self, int[] pad, Scalar value=0) -> Tensor",
    constant_pad_nd,
    {.variants = function,
     .doc = "Adds `value` before and after the last dimensions: pad = (before, after) of the last, then of "
            "the one "
            "before it, and so on. A negative number takes away.\n\n"
            "Raises RuntimeError for an odd number of amounts, too many, or a negative size.\n\n"
            ">>> rushlight.constant_pad_nd(rushlight.ones(2), [1, 0])\ntensor([0., 1., 1.])"}};

}  // namespace

}  // namespace rl::ops
