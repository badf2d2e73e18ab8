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

// Where the runs of equal rows of a matrix begin, among rows as they lie or in an order.
struct Starts {
    Tensor flags;   // of each place
    Tensor pieces;  // as a selection by flags needs them
    int64_t runs;
};

Starts find_starts(const Tensor& rows, const Tensor& order) {
    const int64_t count = rows.sizes()[0];
    const Tensor flags = empty(Dims{count}, {DType::boolean});
    const Tensor pieces = empty(Dims{kernels::selection_pieces(count)}, {DType::int64});
    const GilRelease released(rows.numel());
    sort_kernels().row_starts(rows.dtype(), rows.raw_data(), count, rows.sizes()[1],
                              static_cast<const int64_t*>(data_or_null(order)), flags.data<bool>());
    const int64_t runs =
        index_kernels().count_nonzero(DType::boolean, flags.raw_data(), count, pieces.data<int64_t>());
    return {flags, pieces, runs};
}

// The place that each run begins at.
Tensor first_places(const Starts& starts) {
    const Tensor places = empty(Dims{starts.runs}, {DType::int64});
    index_kernels().nonzero(DType::boolean, starts.flags.raw_data(), starts.flags.numel(),
                            starts.pieces.data<int64_t>(), starts.runs, places.data<int64_t>());
    return places;
}

// The values at those places.
Tensor first_values(const Tensor& flat, const Starts& starts) {
    const Tensor values = empty(Dims{starts.runs}, options_of(flat));
    index_kernels().masked_select(flat.dtype(), flat.raw_data(), starts.flags.data<bool>(), flat.numel(),
                                  starts.pieces.data<int64_t>(), starts.runs, values.raw_data());
    return values;
}

// The rows in each run.
Tensor run_lengths(const Starts& starts, const Tensor& places) {
    const Tensor lengths = empty(Dims{starts.runs}, {DType::int64});
    const int64_t* const first = places.data<int64_t>();
    int64_t* const length = lengths.data<int64_t>();
    for (int64_t run = 0; run < starts.runs; ++run)
        length[run] = (run + 1 < starts.runs ? first[run + 1] : starts.flags.numel()) - first[run];
    return lengths;
}

// The run that each row is in; place i of the order, where there is one, is row order[i].
Tensor run_numbers(const Starts& starts, const Tensor& order) {
    const auto* const place = static_cast<const int64_t*>(data_or_null(order));
    const int64_t count = starts.flags.numel();
    const Tensor numbers = empty(Dims{count}, {DType::int64});
    const bool* const start = starts.flags.data<bool>();
    int64_t* const number = numbers.data<int64_t>();
    for (int64_t i = 0, run = -1; i < count; ++i) number[place == nullptr ? i : place[i]] = run += start[i];
    return numbers;
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
    const Tensor order = sorted ? order_of_rows(rows) : Tensor();
    const Starts starts = find_starts(rows, order);
    const Tensor places = first_places(starts), nothing = empty(Dims{0}, {DType::int64});
    const Tensor firsts = order.defined() ? index_select(order, 0, places) : places;
    return {index_select(self, dim, firsts), wanted.inverse ? run_numbers(starts, order) : nothing,
            wanted.counts ? run_lengths(starts, places) : nothing};
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
    const bool as_they_lie = ordered || !order.defined();
    const Starts starts = find_starts(rows, as_they_lie ? Tensor() : order);
    const Tensor nothing = empty(Dims{0}, {DType::int64});
    const Tensor places = wanted.counts || !as_they_lie ? first_places(starts) : Tensor();
    return {as_they_lie ? first_values(contiguous_data(flat), starts)
                        : index_select(flat, 0, index_select(order, 0, places)),
            wanted.inverse ? reshape(run_numbers(starts, order), self.sizes()) : nothing,
            wanted.counts ? run_lengths(starts, places) : nothing};
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
