// Sorting and selection along a dimension: sort, topk, kthvalue, median, mode, and search in sorted lines.
#include "ops/sort.h"

#include <array>
#include <limits>

#include "autograd/record.h"
#include "core/gil.h"
#include "kernels/sort.h"
#include "ops/arithmetic.h"
#include "ops/comparison.h"
#include "ops/conversion.h"
#include "ops/creation.h"
#include "ops/indexing.h"
#include "ops/reduction.h"
#include "ops/selection.h"
#include "ops/views.h"

namespace rl::ops {
namespace {

using kernels::sort_kernels;
using TensorPair = std::tuple<Tensor, Tensor>;

// A tensor as contiguous lines along one dimension, and the way back.
struct Lines {
    Lines(const Tensor& self, int64_t dim)
        : dim(dim), scalar(self.dim() == 0), last(!scalar && dim == self.dim() - 1) {
        const GradientsEnabled off(false);
        const Tensor lines = last     ? self
                             : scalar ? reshape(detach(self), Dims{1})
                                      : transpose(detach(self), dim, -1);
        shape = lines.sizes();
        size = shape.back();
        count = size == 0 ? 0 : lines.numel() / size;
        check(size <= int64_t{1} << 32 || item_size(self.dtype()) == 8,
              "sorting lines of more than 2^32 elements needs a type of 64 bits");
        values = lines.is_meta() ? lines : contiguous_data(lines);
    }
    Dims with_last(int64_t length) const {
        Dims result = shape;
        result.back() = length;
        return result;
    }
    // Contiguous, with the lines along the dimension they came from.
    Tensor restore(const Tensor& result) const {
        if (last) return result;
        const GradientsEnabled off(false);
        if (scalar) return reshape(result, Dims{});
        return contiguous(transpose(result, dim, -1));
    }
    int64_t dim;
    bool scalar, last;
    Dims shape;
    int64_t size, count;
    Tensor values;
};

struct Order {
    int64_t count;  // how many of each line are wanted
    bool descending = false;
    bool sorted = true;
};

Tensor workspace_for(const Lines& lines) {
    return empty(Dims{sort_kernels().workspace_bytes(lines.values.dtype(), lines.size)}, {DType::uint8});
}

// The wanted values of each line and their positions, both contiguous lines.
TensorPair order_lines(const Lines& lines, const Order& order) {
    const Tensor values = empty(lines.with_last(order.count), options_of(lines.values));
    const Tensor indices = empty(lines.with_last(order.count), {DType::int64, values.device()});
    if (!values.is_meta() && values.numel() > 0) {
        const Tensor workspace = workspace_for(lines);
        const GilRelease released(lines.values.numel());
        sort_kernels().sort({
            .dtype = values.dtype(),
            .in = lines.values.raw_data(),
            .lines = lines.count,
            .size = lines.size,
            .count = order.count,
            .descending = order.descending,
            .sorted = order.sorted,
            .workspace = workspace.raw_data(),
            .values = values.raw_data(),
            .indices = indices.data<int64_t>(),
        });
    }
    return {values, indices};
}

// The wanted values of each line and their positions, off the graph.
TensorPair run_order(const Tensor& self, int64_t dim, const Order& order) {
    const Lines lines(self, dim);
    const auto [values, indices] = order_lines(lines, order);
    return {lines.restore(values), lines.restore(indices)};
}

// Puts values that were picked from `self` at `indices` along `dim` on the graph.
TensorPair record_picked(const char* node, const Tensor& self, int64_t dim, bool keepdim,
                         const TensorPair& picked) {
    const auto& [values, indices] = picked;
    record(node, {self}, TensorSpan(&values, 1), [&] {
        return
            [indices = Saved(indices), sizes = self.sizes(), dim, keepdim](const Tensor& grad) -> Gradients {
                return {scatter_into_zeros(grad, dim, indices.get(), sizes, keepdim)};
            };
    });
    return picked;
}

void check_sortable(const Tensor& self) {
    check(!is_complex(self.dtype()), " Sort does not support complex dtypes on CPU");
}

int64_t size_along(const Tensor& self, int64_t dim) {
    return self.dim() == 0 ? 1 : self.sizes()[dim];
}

TensorPair sort_stable(const Tensor& self, std::optional<bool> /*stable*/, int64_t dim, bool descending) {
    return sort(self, dim, descending);
}
Tensor argsort_stable(const Tensor& self, bool /*stable*/, int64_t dim, bool descending) {
    return argsort(self, dim, descending);
}
Tensor msort(const Tensor& self) {
    return std::get<0>(sort(self, 0));
}

void check_line(const char* name, const Tensor& self, int64_t dim) {
    check<NotImplemented>(!is_complex(self.dtype()), "\"", name, "\" not implemented for '",
                          info(self.dtype()).scalar_name, "'");
    check<IndexError>(size_along(self, dim) > 0, name, "(): Expected reduction dim ", dim,
                      " to have non-zero size.");
}

// One value a line, as a dimension of size one or none.
TensorPair drop_dim(const TensorPair& picked, int64_t dim, bool keepdim) {
    if (keepdim || std::get<0>(picked).dim() == 0) return picked;
    const GradientsEnabled off(false);
    return {squeeze(std::get<0>(picked), dim), squeeze(std::get<1>(picked), dim)};
}

// One value of each line and its position, off the graph.
TensorPair run_selection(const Tensor& self, int64_t dim, bool keepdim, kernels::Selection which,
                         int64_t k = 0) {
    const Lines lines(self, dim);
    const Tensor values = empty(lines.with_last(1), options_of(self));
    const Tensor indices = empty(lines.with_last(1), {DType::int64, self.device()});
    if (!values.is_meta() && values.numel() > 0) {
        const Tensor workspace = workspace_for(lines);
        const GilRelease released(self.numel());
        sort_kernels().select_one(self.dtype(), lines.values.raw_data(), lines.count, lines.size, which, k,
                                  workspace.raw_data(), values.raw_data(), indices.data<int64_t>());
    }
    return drop_dim({lines.restore(values), lines.restore(indices)}, dim, keepdim);
}

TensorPair kthvalue(const Tensor& self, int64_t k, int64_t dim, bool keepdim) {
    dim = wrap_dim(dim, self.dim());
    check_line("kthvalue", self, dim);
    check(k >= 1 && k <= size_along(self, dim), "kthvalue(): selected number k out of range for dimension ",
          dim);
    return record_picked("KthvalueBackward0", self, dim, keepdim,
                         run_selection(self, dim, keepdim, kernels::Selection::kth, k - 1));
}

// The lower of the middle values. A NaN is the median of its line, unless it is to be left out.
TensorPair run_median(const Tensor& self, int64_t dim, bool keepdim, bool skip_nan) {
    return run_selection(self, dim, keepdim,
                         skip_nan ? kernels::Selection::nan_median : kernels::Selection::median);
}

TensorPair median_along(const char* name, const char* node, const Tensor& self, int64_t dim, bool keepdim,
                        bool skip_nan) {
    dim = wrap_dim(dim, self.dim());
    check_line(name, self, dim);
    return record_picked(node, self, dim, keepdim, run_median(self, dim, keepdim, skip_nan));
}
TensorPair median_dim(const Tensor& self, int64_t dim, bool keepdim) {
    return median_along("median", "MedianBackward1", self, dim, keepdim, false);
}
TensorPair nanmedian_dim(const Tensor& self, int64_t dim, bool keepdim) {
    return median_along("nanmedian", "NanmedianBackward1", self, dim, keepdim, true);
}

Tensor median_of_all(const char* name, const char* node, const Tensor& self, bool skip_nan) {
    check<NotImplemented>(!is_complex(self.dtype()), "\"", name, "\" not implemented for '",
                          info(self.dtype()).scalar_name, "'");
    if (self.numel() == 0) {
        const bool floating = is_floating(self.dtype());
        return full({},
                    floating ? Scalar(std::numeric_limits<double>::quiet_NaN())
                             : Scalar(std::numeric_limits<int64_t>::min()),
                    options_of(self));
    }
    const Tensor flat = reshape(self, Dims{self.numel()});
    return std::get<0>(record_picked(node, flat, 0, false, run_median(flat, 0, false, skip_nan)));
}
Tensor median(const Tensor& self) {
    return median_of_all("median", "MedianBackward0", self, false);
}
Tensor nanmedian(const Tensor& self) {
    return median_of_all("nanmedian", "NanmedianBackward0", self, true);
}

TensorPair mode(const Tensor& self, int64_t dim, bool keepdim) {
    dim = wrap_dim(dim, self.dim());
    check_line("mode", self, dim);
    const Lines lines(self, dim);
    const Tensor values = empty(lines.with_last(1), options_of(self));
    const Tensor indices = empty(lines.with_last(1), {DType::int64, self.device()});
    if (!values.is_meta() && values.numel() > 0) {
        const auto [sorted, order] = order_lines(lines, {.count = lines.size});
        const GilRelease released(self.numel());
        sort_kernels().mode(self.dtype(), sorted.raw_data(), order.data<int64_t>(), lines.count, lines.size,
                            values.raw_data(), indices.data<int64_t>());
    }
    const TensorPair picked = drop_dim({lines.restore(values), lines.restore(indices)}, dim, keepdim);
    return record_picked("ModeBackward0", self, dim, keepdim, picked);
}

// --- Search.

bool searches_right(const char* name, bool right, const std::optional<std::string>& side) {
    if (!side.has_value()) return right;
    check(*side == "left" || *side == "right", name, "(): side can only be 'left' or 'right' but got ",
          *side);
    check(!right || *side == "right", name, "(): side and right can't be set to opposites, got side of ",
          *side, " while right was True");
    return *side == "right";
}

Tensor search(const Tensor& sequence, const Tensor& values, const Tensor& sorter, bool right,
              bool out_int32) {
    const Tensor result = empty(values.sizes(), {DType::int64, values.device()});
    if (!result.is_meta() && result.numel() > 0) {
        const DType dtype =
            sequence.dtype() == values.dtype() ? values.dtype() : result_type(std::array{sequence, values});
        const Tensor lines = contiguous_data(sequence, dtype), wanted = contiguous_data(values, dtype);
        const Tensor order = sorter.defined() ? contiguous_data(sorter) : Tensor();
        const bool one_line = sequence.dim() <= 1;
        const int64_t count = one_line || values.dim() == 0 ? values.numel() : values.sizes().back();
        const GilRelease released(values.numel());
        sort_kernels().search(dtype, lines.raw_data(), order.defined() ? order.data<int64_t>() : nullptr,
                              sequence.dim() == 0 ? 1 : sequence.sizes().back(), one_line, wanted.raw_data(),
                              one_line ? 1 : values.numel() / count, count, right, result.data<int64_t>());
    }
    return out_int32 ? to(result, DType::int32) : result;
}

Tensor searchsorted(const Tensor& sequence, const Tensor& self, bool out_int32, bool right,
                    const std::optional<std::string>& side, const Tensor& sorter) {
    constexpr auto name = "torch.searchsorted";
    check(sequence.dim() > 0, name,
          "(): input value can be a scalar only when boundaries tensor dimension is 1");
    bool fits = sequence.dim() == 1 || sequence.dim() == self.dim();
    for (int64_t i = 0; fits && sequence.dim() > 1 && i + 1 < self.dim(); ++i)
        fits = sequence.sizes()[i] == self.sizes()[i];
    check(fits, name,
          "(): boundaries tensor should be 1 dimension or the first N-1 dimensions of boundaries tensor and ",
          "input value tensor must match, but we got boundaries tensor ", to_string(sequence.sizes()),
          " and input value tensor ", to_string(self.sizes()));
    if (sorter.defined()) {
        check(sorter.sizes() == sequence.sizes(), name,
              "(): boundary and sorter must have the same size, but got ", "boundary tensor ",
              to_string(sequence.sizes()), "and got sorter tensor ", to_string(sorter.sizes()));
        check(sorter.dtype() == DType::int64, name,
              "(): sorter must be a tensor of long dtype but got dtype ", info(sorter.dtype()).scalar_name);
        const Tensor positions = contiguous_data(sorter);
        for (int64_t i = 0; i < positions.numel(); ++i)
            check(static_cast<uint64_t>(positions.data<int64_t>()[i]) <
                      static_cast<uint64_t>(sequence.sizes().back()),
                  name, "(): sorter index out of range");
    }
    return search(sequence, self, sorter, searches_right(name, right, side), out_int32);
}
Tensor searchsorted_number(const Tensor& sequence, const Scalar& self, bool out_int32, bool right,
                           const std::optional<std::string>& side, const Tensor& sorter) {
    return searchsorted(sequence, wrap_number(self), out_int32, right, side, sorter);
}

}  // namespace

TensorPair sort(const Tensor& self, int64_t dim, bool descending) {
    check_sortable(self);
    dim = wrap_dim(dim, self.dim());
    const Order order{.count = size_along(self, dim), .descending = descending};
    return record_picked("SortBackward0", self, dim, true, run_order(self, dim, order));
}

Tensor argsort(const Tensor& self, int64_t dim, bool descending) {
    return std::get<1>(sort(detach(self), dim, descending));
}

TensorPair topk(const Tensor& self, int64_t k, int64_t dim, bool largest, bool sorted) {
    check<NotImplemented>(!is_complex(self.dtype()), "\"topk_cpu\" not implemented for '",
                          info(self.dtype()).scalar_name, "'");
    dim = wrap_dim(dim, self.dim());
    check(k >= 0 && k <= size_along(self, dim), "selected index k out of range");
    return record_picked("TopkBackward0", self, dim, true,
                         run_order(self, dim, {.count = k, .descending = largest, .sorted = sorted}));
}

namespace {

const Register sort_op{
    "sort(Tensor self, int dim=-1, bool descending=False) -> (Tensor values, Tensor indices)",
    sort,
    {.variants = function | method | out,
     .doc = R"(Values in order along a dimension, and the positions they came from.

Always stable: equal values keep their order. NaN counts as the largest. Raises RuntimeError for complex input.

    >>> rushlight.tensor([3., 1., 2.]).sort().indices
    tensor([1, 2, 0])
)",
     .dtypes = "real"}};
const Register sort_stable_op{
    "sort.stable(Tensor self, *, bool? stable, int dim=-1, bool descending=False) -> (Tensor values, Tensor "
    "indices)",
    sort_stable,
    {.variants = function | method | out}};
const Register argsort_op{"argsort(Tensor self, int dim=-1, bool descending=False) -> Tensor",
                          argsort,
                          {.doc = R"(Positions that put a dimension in order. See sort.

    >>> rushlight.tensor([3., 1., 2.]).argsort()
    tensor([1, 2, 0])
)",
                           .differentiable = false,
                           .dtypes = "real"}};
const Register argsort_stable_op{
    "argsort.stable(Tensor self, *, bool stable, int dim=-1, bool descending=False) -> Tensor",
    argsort_stable,
    {.differentiable = false}};
const Register msort_op{"msort(Tensor self) -> Tensor",
                        msort,
                        {.variants = function | method | out,
                         .doc = R"(Values in order along the first dimension. See sort.

    >>> rushlight.tensor([3, 1, 2]).msort()
    tensor([1, 2, 3])
)",
                         .dtypes = "real"}};
const Register topk_op{
    "topk(Tensor self, int k, int dim=-1, bool largest=True, bool sorted=True) -> (Tensor values, Tensor "
    "indices)",
    topk,
    {.variants = function | method | out,
     .doc = R"(The k largest or smallest values along a dimension, and their positions.

Raises RuntimeError where k is more than the size.

    >>> rushlight.tensor([3., 1., 2.]).topk(2).values
    tensor([3., 2.])
)",
     .dtypes = "real"}};
const Register kthvalue_op{
    "kthvalue(Tensor self, int k, int dim=-1, bool keepdim=False) -> (Tensor values, Tensor indices)",
    kthvalue,
    {.variants = function | method | out,
     .doc = R"(The k-th smallest value along a dimension, counted from 1, and its position.

    >>> rushlight.tensor([3., 1., 2.]).kthvalue(2).values
    tensor(2.)
)",
     .dtypes = "real"}};
const Register median_op{"median(Tensor self) -> Tensor",
                         median,
                         {.doc = R"(The lower of the middle values, of all elements or along a dimension.

median(self, dim, keepdim=False) is a named tuple (values, indices). A NaN is the median of what it is in.

    >>> rushlight.tensor([3., 1., 2., 4.]).median()
    tensor(2.)
)",
                          .dtypes = "real"}};
const Register median_dim_op{
    "median.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)",
    median_dim,
    {.variants = function | method | out}};
const Register nanmedian_op{"nanmedian(Tensor self) -> Tensor",
                            nanmedian,
                            {.doc = R"(The median of the values that are not NaN. See median.

    >>> rushlight.tensor([3., float('nan'), 1.]).nanmedian()
    tensor(1.)
)",
                             .dtypes = "real"}};
const Register nanmedian_dim_op{
    "nanmedian.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)",
    nanmedian_dim,
    {.variants = function | method | out}};
const Register mode_op{
    "mode(Tensor self, int dim=-1, bool keepdim=False) -> (Tensor values, Tensor indices)",
    mode,
    {.variants = function | method | out,
     .doc = R"(The most frequent value along a dimension, the least of equals, and its last position.

    >>> rushlight.tensor([3, 1, 1, 2]).mode().values
    tensor(1)
)",
     .dtypes = "real"}};

const Register searchsorted_op{
    "searchsorted.Tensor(Tensor sorted_sequence, Tensor self, *, bool out_int32=False, bool right=False, "
    "str? side=None, Tensor? sorter=None) -> Tensor",
    searchsorted,
    {.variants = function | out,
     .doc = R"(Where each value would go in a sorted sequence (one, or one a line) to keep it sorted.

Before equal values, or after them where right=True or side="right". Results are int64, or int32.

    >>> rushlight.searchsorted(rushlight.tensor([1, 3, 5]), rushlight.tensor([3, 6]))
    tensor([1, 3])
)",
     .differentiable = false,
     .dtypes = "real"}};
const Register searchsorted_number_op{
    "searchsorted.Scalar(Tensor sorted_sequence, Scalar self, *, bool out_int32=False, bool right=False, "
    "str? side=None, Tensor? sorter=None) -> Tensor",
    searchsorted_number,
    {.variants = function | out, .differentiable = false}};

}  // namespace
}  // namespace rl::ops
