// Gather and scatter: one index for every element, along one dimension.
#include "autograd/record.h"
#include "core/gil.h"
#include "kernels/index.h"
#include "ops/arithmetic.h"
#include "ops/comparison.h"
#include "ops/conversion.h"
#include "ops/creation.h"
#include "ops/indexing.h"
#include "ops/selection.h"
#include "ops/shape_ops.h"
#include "ops/views.h"

namespace rl::ops {
namespace {

using kernels::Combine;
using kernels::index_kernels;

Tensor at_least_one_dim(const Tensor& self) {
    return self.dim() == 0 ? alias(self, Dims{1}, Dims{1}, self.offset()) : self;
}

void check_index(const char* name, const Tensor& index) {
    check(index.numel() == 0 || index.dtype() == DType::int64 || index.dtype() == DType::int32, name,
          "(): Expected dtype int32/int64 for index");
}

// The index as the kernels read it.
Tensor plain_index(const Tensor& index) {
    return contiguous_data(index, DType::int64);
}

[[noreturn]] void raise_out_of_range(const Tensor& index, int64_t dim, int64_t size) {
    const int64_t* const values = index.data<int64_t>();
    const int64_t bad = index_kernels().find_out_of_range(values, index.numel(), 0, size);
    raise("index ", values[bad], " is out of bounds for dimension ", dim, " with size ", size);
}

// Moves elements between a table and values at the index's positions. `values` must be as large as the index
// or larger; only the index's part takes part. Throws where the index reaches outside the table.
void run(const Tensor& plain_table, int64_t dim, const Tensor& plain_positions, const Tensor& plain_values,
         std::optional<Combine> combine) {
    if (plain_table.is_meta() || plain_positions.numel() == 0) return;
    const Tensor table = at_least_one_dim(plain_table), index = at_least_one_dim(plain_positions);
    const Tensor values = at_least_one_dim(plain_values);
    InlineVector<kernels::IndexDim, 5> dims;
    for (int64_t i = 0; i < index.dim(); ++i)
        dims.push_back({index.sizes()[i], table.strides()[i], values.strides()[i]});
    const kernels::GatherArguments arguments{
        .dtype = table.dtype(),
        .table = table.raw_data(),
        .values = values.raw_data(),
        .index = index.data<int64_t>(),
        .table_size = table.sizes()[dim],
        .dims = dims.data(),
        .rank = static_cast<int>(dims.size()),
        .dim = static_cast<int>(dim),
    };
    bool inside;
    {
        const GilRelease released(index.numel());
        inside = combine.has_value() ? index_kernels().scatter(arguments, *combine)
                                     : index_kernels().gather(arguments);
    }
    if (!inside) raise_out_of_range(index, dim, table.sizes()[dim]);
}

bool no_larger(const Tensor& index, const Tensor& other, int64_t except) {
    for (int64_t i = 0; i < index.dim(); ++i)
        if (i != except && i < other.dim() && index.sizes()[i] > other.sizes()[i]) return false;
    return true;
}

void check_scatter(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src) {
    check_index("scatter", index);
    if (src.defined())
        check(self.dtype() == src.dtype(), "scatter(): Expected self.dtype to be equal to src.dtype");
    if (index.numel() == 0) return;
    const auto rank = [](const Tensor& t) { return std::max<int64_t>(1, t.dim()); };
    check(rank(index) == rank(self), "Index tensor must have the same number of dimensions as self tensor");
    check(!src.defined() || rank(index) == rank(src),
          "Index tensor must have the same number of dimensions as src tensor");
    const bool fits = no_larger(index, self, dim) && (!src.defined() || no_larger(index, src, -1));
    if (fits) return;
    check(!src.defined(), "Expected index ", to_string(index.sizes()), " to be no larger than self ",
          to_string(self.sizes()), " apart from dimension ", dim, " and to be no larger size than src ",
          src.defined() ? to_string(src.sizes()) : ShapeText{});
    raise("Expected index ", to_string(index.sizes()), " to be no larger than self ", to_string(self.sizes()),
          " apart from dimension ", dim);
}

Tensor scattered(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src, Combine combine) {
    // The 16-bit types would lose small values that meet large ones.
    const bool widen = combine == Combine::add && is_reduced_floating(self.dtype());
    const Tensor result = empty(self.sizes(), {widen ? DType::float32 : self.dtype(), self.device()});
    if (result.is_meta()) return empty(self.sizes(), options_of(self));
    copy_data(result, self);
    run(result, dim, index, widen ? contiguous_data(src, DType::float32) : src, combine);
    return widen ? contiguous_data(result, self.dtype()) : result;
}

// A number as values of the index's shape, without memory for each.
Tensor spread_to(const Tensor& number, const Tensor& index) {
    return alias(number, index.sizes(), Dims(index.sizes().size(), 0), number.offset());
}
Tensor spread(const Tensor& self, const Tensor& index, const Scalar& value) {
    return spread_to(scalar_tensor(value, self.dtype(), self.device()), index);
}

// The gradient of values scattered from a larger tensor: gathered, with zeros where the index did not reach.
Tensor gather_into(const Tensor& grad, int64_t dim, const Tensor& index, IntSpan sizes) {
    const Tensor part = gather(grad, dim, index);
    if (part.sizes() == Dims(sizes)) return part;
    Tensor result = part;
    for (int64_t i = 0; i < part.dim(); ++i) {
        Dims rest = result.sizes();
        rest[i] = sizes[i] - rest[i];
        if (rest[i] > 0) result = cat({result, zeros(rest, options_of(grad))}, i);
    }
    return result;
}

Tensor zeroed_at(const Tensor& grad, int64_t dim, const Tensor& index);

Tensor scatter_number(const Tensor& self, int64_t dim, const Tensor& index, const Scalar& value) {
    dim = wrap_dim(dim, self.dim());
    check_scatter(self, dim, index, {});
    const Tensor positions = plain_index(index);
    const Tensor result = scattered(self, dim, positions, spread(self, positions, value), Combine::assign);
    return record("ScatterBackward1", {self}, result, [&] {
        return [positions = Saved(positions), dim](const Tensor& grad) -> Gradients {
            return {zeroed_at(grad, dim, positions.get())};
        };
    });
}

Tensor zeroed_at(const Tensor& grad, int64_t dim, const Tensor& index) {
    return scatter_number(grad, dim, index, 0);
}

Tensor filled_at(const Tensor& self, int64_t dim, const Tensor& index, const Scalar& value) {
    return scatter_number(self, dim, index, value);
}

// --- Reductions.

// The part of src that the index reaches.
Tensor reached(const Tensor& src, const Tensor& index) {
    Tensor part = src;
    for (int64_t i = 0; i < std::min(index.dim(), src.dim()); ++i)
        if (part.sizes()[i] != index.sizes()[i]) part = narrow(part, i, 0, index.sizes()[i]);
    return part;
}

// A divisor that leaves alone what is not there to be divided by.
Tensor nonzero_or_one(const Tensor& self) {
    return where(eq(self, wrap_number(0)), wrap_number(1), self);
}

Tensor combine_at(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src,
                  const std::string& reduce, bool include_self);

// The gradient of a product of values that meet at a place: exact for zeros.
Tensor product_gradient(const Tensor& grad, const Tensor& value, const Tensor& product,
                        const Tensor& without_zeros, const Tensor& zeros_met) {
    const Tensor zero = wrap_number(0), one = wrap_number(1);
    const Tensor is_zero = eq(value, zero);
    const Tensor plain = where(is_zero, zero, product / where(is_zero, one, value));
    return grad * where(is_zero, where(eq(zeros_met, one), without_zeros, zero), plain);
}

struct ReduceContext {
    int64_t dim;
    std::string reduce;
    bool include_self;
    Tensor at(const Tensor& t, const Tensor& index) const { return gather(t, dim, index); }
};

Gradients product_gradients(const ReduceContext& c, const Tensor& grad, const Tensor& self, const Tensor& src,
                            const Tensor& index) {
    const Tensor zero = wrap_number(0), one = wrap_number(1);
    const Tensor start = c.include_self ? self : filled_at(self, c.dim, index, 1);
    const Tensor y = combine_at(start, c.dim, index, src, "prod", true);
    const Tensor without = combine_at(where(eq(start, zero), one, start), c.dim, index,
                                      where(eq(src, zero), one, src), "prod", true);
    const Tensor zeros_met =
        scatter_add(to(eq(start, zero), grad.dtype()), c.dim, index, to(eq(src, zero), grad.dtype()));
    const Tensor kept = c.include_self ? grad : zeroed_at(grad, c.dim, index);
    return {product_gradient(kept, start, y, without, zeros_met),
            product_gradient(c.at(grad, index), src, c.at(y, index), c.at(without, index),
                             c.at(zeros_met, index))};
}

Gradients mean_gradients(const ReduceContext& c, const Tensor& grad, const Tensor& self, const Tensor& src,
                         const Tensor& index) {
    const Tensor start = c.include_self ? ones_like(self) : zeroed_at(ones_like(self), c.dim, index);
    const Tensor share = grad / nonzero_or_one(scatter_add(start, c.dim, index, ones_like(src)));
    return {c.include_self ? share : zeroed_at(share, c.dim, index), c.at(share, index)};
}

Gradients extreme_gradients(const ReduceContext& c, const Tensor& grad, const Tensor& self, const Tensor& src,
                            const Tensor& result, const Tensor& index) {
    const Tensor src_chosen = to(eq(src, c.at(result, index)), grad.dtype());
    Tensor self_chosen = to(eq(self, result), grad.dtype());
    if (!c.include_self) self_chosen = zeroed_at(self_chosen, c.dim, index);
    const Tensor share = grad / nonzero_or_one(scatter_add(self_chosen, c.dim, index, src_chosen));
    return {share * self_chosen, c.at(share, index) * src_chosen};
}

Tensor reduce_data(const Tensor& self, const ReduceContext& c, const Tensor& index, const Tensor& src) {
    const bool extreme = c.reduce == "amax" || c.reduce == "amin";
    Tensor start = self;
    if (!c.include_self)
        start = extreme ? scattered(self, c.dim, index, src, Combine::assign)
                        : scattered(self, c.dim, index, spread(self, index, c.reduce == "prod" ? 1 : 0),
                                    Combine::assign);
    const Combine combine = c.reduce == "prod"   ? Combine::multiply
                            : c.reduce == "amax" ? Combine::maximum
                            : c.reduce == "amin" ? Combine::minimum
                                                 : Combine::add;
    const Tensor total = scattered(start, c.dim, index, src, combine);
    if (c.reduce != "mean") return total;
    const GradientsEnabled off(false);
    const Tensor ones = ones_like(self);
    const Tensor counted =
        c.include_self ? ones : scattered(ones, c.dim, index, spread(self, index, 0), Combine::assign);
    const Tensor counts =
        nonzero_or_one(scattered(counted, c.dim, index, spread(self, index, 1), Combine::add));
    return is_integral(self.dtype(), true) ? floor_divide(total, counts) : total / counts;
}

Tensor combine_at(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src,
                  const std::string& reduce, bool include_self) {
    const ReduceContext context{dim, reduce, include_self};
    const Tensor result = reduce_data(self, context, index, src);
    const bool extreme = reduce == "amax" || reduce == "amin";
    return record("ScatterReduceBackward0", {self, src}, result, [&] {
        return [self = reduce == "sum" ? Saved() : Saved(self), src = reduce == "sum" ? Saved() : Saved(src),
                index = Saved(index), result = extreme ? Saved(result) : Saved(),
                context](const Tensor& grad) -> Gradients {
            const Tensor positions = index.get();
            if (context.reduce == "sum")
                return {context.include_self ? grad : zeroed_at(grad, context.dim, positions),
                        context.at(grad, positions)};
            if (context.reduce == "prod")
                return product_gradients(context, grad, self.get(), src.get(), positions);
            if (context.reduce == "mean")
                return mean_gradients(context, grad, self.get(), src.get(), positions);
            return extreme_gradients(context, grad, self.get(), src.get(), result.get(), positions);
        };
    });
}

Tensor scatter_reduce(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src,
                      const std::string& reduce, bool include_self) {
    dim = wrap_dim(dim, self.dim());
    check(reduce == "sum" || reduce == "prod" || reduce == "mean" || reduce == "amax" || reduce == "amin",
          "reduce argument must be either sum, prod, mean, amax or amin, got ", reduce);
    check_scatter(self, dim, index, src);
    if (index.numel() == 0) return clone(self);
    return combine_at(self, dim, plain_index(index), reached(src, index), reduce, include_self);
}

// As scatter_reduce, with one index for each slice of source.
Tensor index_reduce(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& source,
                    const std::string& reduce, bool include_self) {
    dim = wrap_dim(dim, self.dim());
    check(reduce == "prod" || reduce == "mean" || reduce == "amax" || reduce == "amin",
          "index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got ", reduce, ".");
    check<IndexError>(index.dim() <= 1,
                      "index_reduce_(): Index is supposed to be a vector, but got dim: ", index.dim());
    check_index("index_reduce", index);
    check(self.dtype() == source.dtype(),
          "index_reduce_(): self and source expected to have the same dtype, but got (self) ",
          info(self.dtype()).scalar_name, " and (source) ", info(source.dtype()).scalar_name);
    const int64_t count = source.dim() == 0 ? 1 : source.size(dim);
    check(index.numel() == count, "index_reduce_(): Number of indices (", index.numel(),
          ") should be equal to source.size(dim): (", count, "), for dim: ", dim);
    if (source.numel() == 0) return clone(self);
    Dims column(source.sizes().size(), 1);
    if (!column.empty()) column[dim] = count;
    const Tensor positions = expand(reshape(index, column), source.sizes());
    return scatter_reduce(self, dim, positions, source, reduce, include_self);
}

// The older spelling: "add" or "multiply", which only reads.
Combine older_reduction(const std::string& reduce) {
    check(reduce == "add" || reduce == "multiply", "reduce argument must be either add or multiply.");
    return reduce == "add" ? Combine::add : Combine::multiply;
}
void check_no_gradient(const Tensor& self, const Tensor& src) {
    check(!gradients_wanted({self, src}),
          "the derivative for 'scatter' with a reduction is not implemented; use ",
          "scatter_add or scatter_reduce");
}
Tensor scatter_src_reduce(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src,
                          const std::string& reduce) {
    dim = wrap_dim(dim, self.dim());
    const Combine combine = older_reduction(reduce);
    check_scatter(self, dim, index, src);
    check_no_gradient(self, src);
    return scattered(self, dim, plain_index(index), src, combine);
}
Tensor scatter_number_reduce(const Tensor& self, int64_t dim, const Tensor& index, const Scalar& value,
                             const std::string& reduce) {
    dim = wrap_dim(dim, self.dim());
    const Combine combine = older_reduction(reduce);
    check_scatter(self, dim, index, {});
    check_no_gradient(self, {});
    const Tensor positions = plain_index(index);
    return scattered(self, dim, positions, spread(self, positions, value), combine);
}

// In place: straight into self's memory where no gradient is wanted and sums need no wider type, else by way
// of `compute`, which gives a copy.
template <class Compute>
Tensor scatter_into(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src, bool number,
                    Combine combine, Compute compute) {
    const bool widened = combine == Combine::add && is_reduced_floating(self.dtype());
    if (gradients_wanted({self, src}) || widened || src->storage.get() == self->storage.get() ||
        self.is_meta())
        return write_in_place(self, compute);
    dim = wrap_dim(dim, self.dim());
    check_scatter(self, dim, index, number ? Tensor() : src);
    check_writable(self, false);
    const Tensor positions = plain_index(index);
    run(self, dim, positions, number ? spread_to(src, positions) : src, combine);
    self.bump_version();
    return self;
}
Tensor scatter_(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src) {
    return scatter_into(self, dim, index, src, false, Combine::assign,
                        [&](const Tensor& original) { return scatter(original, dim, index, src); });
}
Tensor scatter_number_(const Tensor& self, int64_t dim, const Tensor& index, const Scalar& value) {
    return scatter_into(self, dim, index, scalar_tensor(value, self.dtype(), self.device()), true,
                        Combine::assign,
                        [&](const Tensor& original) { return scatter_number(original, dim, index, value); });
}
Tensor scatter_add_(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src) {
    return scatter_into(self, dim, index, src, false, Combine::add,
                        [&](const Tensor& original) { return scatter_add(original, dim, index, src); });
}

Tensor gather_op_function(const Tensor& self, int64_t dim, const Tensor& index, bool /*sparse_grad*/) {
    return gather(self, dim, index);
}

void check_gather(const Tensor& self, int64_t dim, const Tensor& index) {
    check_index("gather", index);
    if (index.numel() == 0) return;
    check(std::max<int64_t>(1, index.dim()) == std::max<int64_t>(1, self.dim()),
          "Index tensor must have the same number of dimensions as input tensor");
    for (int64_t i = 0; i < std::min(self.dim(), index.dim()); ++i)
        check(i == dim || index.sizes()[i] <= self.sizes()[i], "Size does not match at dimension ", i,
              " expected index ", to_string(index.sizes()), " to be no larger than self ",
              to_string(self.sizes()), " apart from dimension ", dim);
}

Tensor take_along_dim(const Tensor& self, const Tensor& indices, std::optional<int64_t> dim) {
    check(indices.dtype() == DType::int64, "torch.take_along_dim(): dtype of indices should be Long but got ",
          info(indices.dtype()).scalar_name);
    if (!dim.has_value())
        return gather(reshape(self, Dims{self.numel()}), 0, reshape(indices, Dims{indices.numel()}));
    check(self.dim() == indices.dim(),
          "torch.take_along_dim(): input and indices should have the same number of dimensions, but got ",
          self.dim(), " dimensions for input, and ", indices.dim(), " dimensions for indices");
    const int64_t wrapped = wrap_dim(*dim, self.dim());
    Dims self_sizes = self.sizes(), index_sizes = indices.sizes();
    self_sizes[wrapped] = index_sizes[wrapped] = 1;
    Dims shape = broadcast(self_sizes, index_sizes);
    shape[wrapped] = self.sizes()[wrapped];
    const Tensor table = expand(self, shape);
    const int64_t size = shape[wrapped];
    shape[wrapped] = indices.sizes()[wrapped];
    const Tensor from_start = where(lt(indices, wrap_number(0)), indices + Scalar(size), indices);
    return gather(table, wrapped, expand(from_start, shape));
}

}  // namespace

Tensor gather(const Tensor& self, int64_t dim, const Tensor& index) {
    dim = wrap_dim(dim, self.dim());
    check_gather(self, dim, index);
    const Tensor positions = plain_index(index);
    const Tensor result = empty(index.sizes(), options_of(self));
    run(self, dim, positions, result, std::nullopt);
    return record("GatherBackward0", {self}, result, [&] {
        return [positions = Saved(positions), sizes = self.sizes(), dim](const Tensor& grad) -> Gradients {
            const Tensor result = zeros(sizes, options_of(grad)), index = positions.get();
            if (gradients_wanted({grad}) || is_reduced_floating(grad.dtype()))
                return {scatter_add(result, dim, index, grad)};
            run(result, dim, index, grad, Combine::add);
            return {result};
        };
    });
}

Tensor scatter(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src) {
    dim = wrap_dim(dim, self.dim());
    check_scatter(self, dim, index, src);
    const Tensor positions = plain_index(index);
    const Tensor result = scattered(self, dim, positions, src, Combine::assign);
    return record("ScatterBackward0", {self, src}, result, [&] {
        return [positions = Saved(positions), sizes = src.sizes(), dim](const Tensor& grad,
                                                                        const Needs& needs) -> Gradients {
            const Tensor index = positions.get();
            return {needs[0] ? zeroed_at(grad, dim, index) : Tensor(),
                    needs[1] ? gather_into(grad, dim, index, sizes) : Tensor()};
        };
    });
}

Tensor scatter_add(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src) {
    dim = wrap_dim(dim, self.dim());
    check_scatter(self, dim, index, src);
    const Tensor positions = plain_index(index);
    const Tensor result = scattered(self, dim, positions, src, Combine::add);
    return record("ScatterAddBackward0", {self, src}, result, [&] {
        return [positions = Saved(positions), sizes = src.sizes(), dim](const Tensor& grad,
                                                                        const Needs& needs) -> Gradients {
            return {grad, needs[1] ? gather_into(grad, dim, positions.get(), sizes) : Tensor()};
        };
    });
}

Tensor scatter_into_zeros(const Tensor& values, int64_t dim, const Tensor& index, IntSpan sizes,
                          bool keepdim) {
    if (sizes.empty()) return values;
    const Tensor at = keepdim ? index : unsqueeze(index, dim),
                 from = keepdim ? values : unsqueeze(values, dim);
    const Tensor result = zeros(sizes, options_of(values));
    if (gradients_wanted({values})) return scatter(result, dim, at, from);
    run(result, dim, contiguous_data(at), from, Combine::assign);
    return result;
}

namespace {

const Register gather_op{
    "gather(Tensor self, int dim, Tensor index, *, bool sparse_grad=False) -> Tensor",
    gather_op_function,
    {.variants = function | method | out,
     .doc =
         R"(Elements of self at the index's coordinates, with coordinate `dim` replaced by the index's value.

index (int32 or int64) has as many dimensions as self and is no larger except along dim; the result has its shape. Raises
RuntimeError out of range.

    >>> rushlight.tensor([[1, 2], [3, 4]]).gather(1, rushlight.tensor([[1], [0]]))
    tensor([[2],
            [3]])
)"}};
const Register take_along_dim_op{"take_along_dim(Tensor self, Tensor indices, int? dim=None) -> Tensor",
                                 take_along_dim,
                                 {.variants = function | method | out,
                                  .doc = R"(As gather, with self and indices broadcast together but for `dim`.

    >>> x = rushlight.tensor([[3, 1], [2, 4]])
    >>> rushlight.take_along_dim(x, x.argsort(dim=1), dim=1)
    tensor([[1, 3],
            [2, 4]])
)"}};

const Register scatter_reduce_older_op{
    "scatter.reduce(Tensor self, int dim, Tensor index, Tensor src, *, str reduce) -> Tensor",
    scatter_src_reduce,
    {.variants = function | method | in_place | out,
     .doc =
         R"(A copy of self with the elements of src at the index's coordinates, `dim` replaced by the index's value.

src is a tensor or a number; reduce="add" or "multiply" combines instead of replacing, without a gradient. Raises RuntimeError
out of range.

    >>> rushlight.zeros(2, 2).scatter(1, rushlight.tensor([[1], [0]]), 5.)
    tensor([[0., 5.],
            [5., 0.]])
)"}};
const Register scatter_value_reduce_op{
    "scatter.value_reduce(Tensor self, int dim, Tensor index, Scalar value, *, str reduce) -> Tensor",
    scatter_number_reduce,
    {.variants = function | method | in_place | out}};
const Register scatter_op{"scatter.src(Tensor self, int dim, Tensor index, Tensor src) -> Tensor",
                          scatter,
                          {.variants = function | method | out}};
const Register scatter_value_op{"scatter.value(Tensor self, int dim, Tensor index, Scalar value) -> Tensor",
                                scatter_number,
                                {.variants = function | method | out}};
const Register scatter_in_place_op{
    "scatter_.src(Tensor(a!) self, int dim, Tensor index, Tensor src) -> Tensor(a!)",
    scatter_,
    {.variants = method, .doc = "scatter in place."}};
const Register scatter_value_in_place_op{
    "scatter_.value(Tensor(a!) self, int dim, Tensor index, Scalar value) -> Tensor(a!)",
    scatter_number_,
    {.variants = method, .doc = "scatter in place."}};
const Register scatter_add_op{
    "scatter_add(Tensor self, int dim, Tensor index, Tensor src) -> Tensor",
    scatter_add,
    {.variants = function | method | out,
     .doc = R"(As scatter, adding: elements of src that meet at one place are summed, in order.

    >>> rushlight.zeros(3).scatter_add(0, rushlight.tensor([0, 0, 2]), rushlight.ones(3))
    tensor([2., 0., 1.])
)"}};
const Register scatter_add_in_place_op{
    "scatter_add_(Tensor(a!) self, int dim, Tensor index, Tensor src) -> Tensor(a!)",
    scatter_add_,
    {.variants = method, .doc = "scatter_add in place."}};
const Register scatter_reduce_op{
    "scatter_reduce.two(Tensor self, int dim, Tensor index, Tensor src, str reduce, *, bool "
    "include_self=True) -> Tensor",
    scatter_reduce,
    {.variants = function | method | in_place | out,
     .doc = R"(As scatter, combining the values that meet: "sum", "prod", "mean", "amax" or "amin".

include_self=False leaves out the old value of every place that is written to. Gradients are exact where factors are zero.

    >>> rushlight.ones(2).scatter_reduce(0, rushlight.tensor([0, 0]), rushlight.tensor([2., 5.]), 'amax')
    tensor([5., 1.])
)"}};

const Register index_reduce_op{
    "index_reduce(Tensor self, int dim, Tensor index, Tensor source, str reduce, *, bool include_self=True) "
    "-> Tensor",
    index_reduce,
    {.variants = function | method | in_place | out,
     .doc = R"(Combines the slices of source with the indexed slices: "prod", "mean", "amax" or "amin".

    >>> rushlight.ones(2).index_reduce(0, rushlight.tensor([0, 0]), rushlight.tensor([2., 3.]), 'prod')
    tensor([6., 1.])
)"}};

}  // namespace
}  // namespace rl::ops
