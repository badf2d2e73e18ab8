// Distinct values and their counts: unique, unique_consecutive, bincount.
#include <limits>
#include <tuple>

#include "core/gil.h"
#include "kernels/index.h"
#include "kernels/sort.h"
#include "ops/conversion.h"
#include "ops/creation.h"
#include "ops/indexing.h"
#include "ops/pointwise.h"
#include "ops/reduction.h"
#include "ops/sort.h"
#include "ops/views.h"

namespace rl::ops {
namespace {

using kernels::index_kernels;
using kernels::sort_kernels;
using TensorTriple = std::tuple<Tensor, Tensor, Tensor>;

// What is asked for beside the distinct values.
struct Wanted {
    bool inverse, counts;
};

// Rows of a contiguous matrix, parted into runs of equal ones.
struct Runs {
    Tensor firsts;   // the row that each run begins with
    Tensor inverse;  // the run that each row is in
    Tensor counts;   // rows in each run
};

// Rows as they come in the given order, or in their own; position `i` of the order is row i where `gathered`.
Runs find_runs(const Tensor& rows, const Tensor& order, bool gathered, Wanted wanted) {
    const int64_t count = rows.sizes()[0];
    const Tensor starts = empty(Dims{count}, {DType::boolean});
    const int64_t* const position = order.defined() ? order.data<int64_t>() : nullptr;
    bool* const start = starts.data<bool>();
    sort_kernels().row_starts(rows.dtype(), rows.raw_data(), count, rows.sizes()[1],
                              gathered ? nullptr : position, start);
    const Tensor pieces = empty(Dims{kernels::selection_pieces(count)}, {DType::int64});
    const int64_t runs = index_kernels().count_nonzero(DType::boolean, start, count, pieces.data<int64_t>());
    const Runs result{empty(Dims{runs}, {DType::int64}),
                      empty(Dims{wanted.inverse ? count : 0}, {DType::int64}),
                      empty(Dims{wanted.counts ? runs : 0}, {DType::int64})};
    int64_t* const first = result.firsts.data<int64_t>();
    index_kernels().nonzero(DType::boolean, start, count, pieces.data<int64_t>(), runs, first);
    if (wanted.counts) {
        int64_t* const counts = result.counts.data<int64_t>();
        for (int64_t run = 0; run < runs; ++run)
            counts[run] = (run + 1 < runs ? first[run + 1] : count) - first[run];
    }
    if (wanted.inverse) {
        int64_t* const inverse = result.inverse.data<int64_t>();
        for (int64_t i = 0, run = -1; i < count; ++i)
            inverse[position == nullptr ? i : position[i]] = run += start[i];
    }
    if (position != nullptr && !gathered)
        for (int64_t run = 0; run < runs; ++run) first[run] = position[first[run]];
    return result;
}

// The positions of rows in order of their values.
Tensor order_of_rows(const Tensor& rows) {
    const Tensor order = empty(Dims{rows.sizes()[0]}, {DType::int64});
    const GilRelease released(rows.numel());
    sort_kernels().order_rows(rows.dtype(), rows.raw_data(), rows.sizes()[0], rows.sizes()[1],
                              order.data<int64_t>());
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
TensorTriple unique_slices(const Tensor& plain, int64_t dim, bool sorted, Wanted wanted) {
    const GradientsEnabled off(false);
    const Tensor self = detach(plain);
    check_values(self);
    dim = wrap_dim(dim, self.dim());
    const int64_t count = self.size(dim);
    check(count > 0 || self.numel() == 0, "unique: empty dimension");
    const Tensor moved = movedim(self, {dim}, {0});
    const Tensor rows = real_rows(reshape(moved, Dims{count, count == 0 ? 0 : self.numel() / count}));
    const Runs runs = find_runs(rows, sorted ? order_of_rows(rows) : Tensor(), false, wanted);
    return {index_select(self, dim, runs.firsts), runs.inverse, runs.counts};
}

TensorTriple unique_elements(const Tensor& plain, bool sorted, Wanted wanted) {
    const GradientsEnabled off(false);
    const Tensor self = detach(plain);
    check_values(self);
    Tensor flat = reshape(self, Dims{self.numel()}), order;
    const bool ordered = sorted && !is_complex(self.dtype());
    if (ordered) std::tie(flat, order) = sort(flat);
    const Tensor rows = real_rows(reshape(flat, Dims{self.numel(), 1}));
    if (sorted && !ordered) order = order_of_rows(rows);
    const Runs runs = find_runs(rows, order, ordered, wanted);
    return {index_select(flat, 0, runs.firsts),
            wanted.inverse ? reshape(runs.inverse, self.sizes()) : runs.inverse, runs.counts};
}

TensorTriple unique2(const Tensor& self, bool /*sorted*/, bool return_inverse, bool return_counts) {
    return unique_elements(self, true, {return_inverse, return_counts});
}
TensorTriple unique_dim(const Tensor& self, int64_t dim, bool /*sorted*/, bool return_inverse,
                        bool return_counts) {
    return unique_slices(self, dim, true, {return_inverse, return_counts});
}
TensorTriple unique_consecutive(const Tensor& self, bool return_inverse, bool return_counts,
                                std::optional<int64_t> dim) {
    const Wanted wanted{return_inverse, return_counts};
    return dim.has_value() ? unique_slices(self, *dim, false, wanted) : unique_elements(self, false, wanted);
}

// --- Counts.

Tensor bincount(const Tensor& self, const Tensor& weights, int64_t minlength) {
    check<NotImplemented>(is_integral(self.dtype()), "\"bincount_cpu\" not implemented for '",
                          info(self.dtype()).scalar_name, "'");
    check(minlength >= 0, "minlength should be >= 0");
    if (self.dim() == 1 && self.numel() == 0) return zeros(Dims{minlength}, {DType::int64});
    const GradientsEnabled off(false);
    const Tensor index = self.dim() == 1 ? contiguous_data(self, DType::int64) : Tensor();
    check(index.defined() && index_kernels().find_out_of_range(index.data<int64_t>(), index.numel(), 0,
                                                               std::numeric_limits<int64_t>::max()) < 0,
          "bincount only supports 1-d non-negative integral inputs.");
    check(!weights.defined() || (weights.dim() == 1 && weights.numel() == self.numel()),
          "weights should be 1-d and have the same length as input");
    const int64_t bins = std::max(minlength, amax(self).item().to_int() + 1);
    if (weights.defined()) {
        const DType dtype = weights.dtype() == DType::float32 ? DType::float32 : DType::float64;
        return index_add_to_zeros(Dims{bins}, 0, index, to(weights, dtype));
    }
    const Tensor counts = zeros(Dims{bins}, {DType::int64});
    const GilRelease released(index.numel());
    index_kernels().count_indices(index.data<int64_t>(), index.numel(), bins, counts.data<int64_t>());
    return counts;
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
