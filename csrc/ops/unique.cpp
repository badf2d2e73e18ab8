// Distinct values and their counts: unique, unique_consecutive, bincount.
#include <algorithm>

#include "core/gil.h"
#include "kernels/sort.h"
#include "ops/conversion.h"
#include "ops/creation.h"
#include "ops/indexing.h"
#include "ops/pointwise.h"
#include "ops/reduction.h"
#include "ops/views.h"

namespace rl::ops {
namespace {

using kernels::sort_kernels;
using TensorTriple = std::tuple<Tensor, Tensor, Tensor>;

// Rows of a contiguous matrix, parted into runs of equal ones in the given order (or as they come).
struct Runs {
    Tensor firsts;   // the row that each run begins with
    Tensor inverse;  // the run that each row is in
    Tensor counts;   // rows in each run
};

Runs find_runs(const Tensor& rows, const Tensor& order) {
    const int64_t count = rows.sizes()[0];
    const Tensor starts = empty(Dims{count}, {DType::boolean});
    const int64_t* const position = order.defined() ? order.data<int64_t>() : nullptr;
    sort_kernels().row_starts(rows.dtype(), rows.raw_data(), count, rows.sizes()[1], position,
                              starts.data<bool>());
    const int64_t runs = std::count(starts.data<bool>(), starts.data<bool>() + count, true);
    const Runs result{empty(Dims{runs}, {DType::int64}), empty(Dims{count}, {DType::int64}),
                      empty(Dims{runs}, {DType::int64})};
    std::fill_n(result.counts.data<int64_t>(), runs, 0);
    int64_t run = -1;
    for (int64_t i = 0; i < count; ++i) {
        const int64_t row = position == nullptr ? i : position[i];
        if (starts.data<bool>()[i]) result.firsts.data<int64_t>()[++run] = row;
        result.inverse.data<int64_t>()[row] = run;
        ++result.counts.data<int64_t>()[run];
    }
    return result;
}

// The positions of rows in order of their values.
Tensor order_of_rows(const Tensor& rows) {
    const int64_t count = rows.sizes()[0], width = rows.sizes()[1];
    const Tensor order = empty(Dims{count}, {DType::int64});
    const GilRelease released(rows.numel());
    if (width == 1)
        sort_kernels().order(rows.dtype(), rows.raw_data(), 1, count, count, false, true,
                             order.data<int64_t>());
    else
        sort_kernels().order_rows(rows.dtype(), rows.raw_data(), count, width, order.data<int64_t>());
    return order;
}

Tensor real_rows(const Tensor& matrix) {
    const Tensor rows = contiguous_data(matrix);
    return is_complex(rows.dtype()) ? reshape(view_as_real(rows), Dims{rows.sizes()[0], 2 * rows.sizes()[1]})
                                    : rows;
}

void check_values(const Tensor& self) {
    check(!self.is_meta(),
          "unique: the shape of the result depends on values, which meta tensors have none of");
}

// Distinct slices along a dimension.
TensorTriple unique_slices(const Tensor& plain, int64_t dim, bool sorted) {
    const GradientsEnabled off(false);
    const Tensor self = detach(plain);
    check_values(self);
    dim = wrap_dim(dim, self.dim());
    const int64_t count = self.size(dim);
    check(count > 0 || self.numel() == 0, "unique: empty dimension");
    const Tensor moved = movedim(self, {dim}, {0});
    const Tensor rows = real_rows(reshape(moved, Dims{count, count == 0 ? 0 : self.numel() / count}));
    const Runs runs = find_runs(rows, sorted ? order_of_rows(rows) : Tensor());
    return {index_select(self, dim, runs.firsts), runs.inverse, runs.counts};
}

TensorTriple unique_elements(const Tensor& plain, bool sorted) {
    const GradientsEnabled off(false);
    const Tensor self = detach(plain);
    check_values(self);
    const Tensor flat = reshape(self, Dims{self.numel()});
    const Tensor rows = real_rows(reshape(self, Dims{self.numel(), 1}));
    const Runs runs = find_runs(rows, sorted ? order_of_rows(rows) : Tensor());
    return {index_select(flat, 0, runs.firsts), reshape(runs.inverse, self.sizes()), runs.counts};
}

TensorTriple keep_wanted(const TensorTriple& all, bool inverse, bool counts) {
    const Tensor nothing = empty(Dims{0}, {DType::int64});
    return {std::get<0>(all), inverse ? std::get<1>(all) : nothing, counts ? std::get<2>(all) : nothing};
}

TensorTriple unique2(const Tensor& self, bool /*sorted*/, bool return_inverse, bool return_counts) {
    return keep_wanted(unique_elements(self, true), return_inverse, return_counts);
}
TensorTriple unique_dim(const Tensor& self, int64_t dim, bool /*sorted*/, bool return_inverse,
                        bool return_counts) {
    return keep_wanted(unique_slices(self, dim, true), return_inverse, return_counts);
}
TensorTriple unique_consecutive(const Tensor& self, bool return_inverse, bool return_counts,
                                std::optional<int64_t> dim) {
    return keep_wanted(dim.has_value() ? unique_slices(self, *dim, false) : unique_elements(self, false),
                       return_inverse, return_counts);
}

// --- Counts.

Tensor bincount(const Tensor& self, const Tensor& weights, int64_t minlength) {
    check<NotImplemented>(is_integral(self.dtype()), "\"bincount_cpu\" not implemented for '",
                          info(self.dtype()).scalar_name, "'");
    check(minlength >= 0, "minlength should be >= 0");
    if (self.dim() == 1 && self.numel() == 0) return zeros(Dims{minlength}, {DType::int64});
    check(self.dim() == 1 && amin(self).item().to_int() >= 0,
          "bincount only supports 1-d non-negative integral inputs.");
    check(!weights.defined() || (weights.dim() == 1 && weights.numel() == self.numel()),
          "weights should be 1-d and have the same length as input");
    const int64_t bins = std::max(minlength, amax(self).item().to_int() + 1);
    const GradientsEnabled off(false);
    const Tensor index = to(self, DType::int64);
    if (!weights.defined()) return index_add(zeros(Dims{bins}, {DType::int64}), 0, index, ones_like(index));
    const DType dtype = weights.dtype() == DType::float32 ? DType::float32 : DType::float64;
    return index_add(zeros(Dims{bins}, {dtype}), 0, index, to(weights, dtype));
}

const Register unique2_op{
    "_unique2(Tensor self, bool sorted=True, bool return_inverse=False, bool return_counts=False) -> "
    "(Tensor, Tensor, Tensor)",
    unique2,
    {.variants = 0,
     .doc =
         R"(Distinct values in order, the position of each element's value among them, and how often each occurs.)",
     .differentiable = false}};
const Register unique_dim_op{
    "unique_dim(Tensor self, int dim, bool sorted=True, bool return_inverse=False, bool return_counts=False) "
    "-> "
    "(Tensor, Tensor, Tensor)",
    unique_dim,
    {.variants = 0,
     .doc = R"(Distinct slices along a dimension, in lexical order. See _unique2.)",
     .differentiable = false}};
const Register unique_consecutive_op{
    "_unique_consecutive(Tensor self, bool return_inverse=False, bool return_counts=False, int? dim=None) -> "
    "(Tensor, Tensor, Tensor)",
    unique_consecutive,
    {.variants = 0,
     .doc = R"(The first of each run of equal elements or slices. See _unique2.)",
     .differentiable = false}};
const Register bincount_op{
    "bincount(Tensor self, Tensor? weights=None, int minlength=0) -> Tensor",
    bincount,
    {.doc =
         R"(How often each non-negative integer occurs in a vector, or the sum of the weights of its occurrences.

    >>> rushlight.bincount(rushlight.tensor([0, 2, 2]))
    tensor([1, 0, 2])
)",
     .differentiable = false,
     .dtypes = "integers"}};

}  // namespace
}  // namespace rl::ops
