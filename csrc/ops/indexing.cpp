// Advanced indexing, slices by index, flat positions and masks: reading and writing where index tensors
// point.
#include "ops/indexing.h"

#include <algorithm>
#include <bit>
#include <optional>

#include "autograd/record.h"
#include "core/gil.h"
#include "kernels/index.h"
#include "ops/arithmetic.h"
#include "ops/comparison.h"
#include "ops/conversion.h"
#include "ops/creation.h"
#include "ops/reduction.h"
#include "ops/selection.h"
#include "ops/shape_ops.h"
#include "ops/views.h"

namespace rl::ops {
namespace {

using kernels::Combine;
using kernels::index_kernels;
using kernels::IndexDim;

// The first value of a contiguous index that lies outside [low, high).
std::optional<int64_t> out_of_range(const Tensor& index, int64_t low, int64_t high) {
    if (index.is_meta()) return std::nullopt;
    const int64_t* const values = index.data<int64_t>();
    const int64_t position = index_kernels().find_out_of_range(values, index.numel(), low, high);
    return position < 0 ? std::nullopt : std::optional(values[position]);
}

// Where in memory the indices of a dimension point to, or how much further than `offsets` already says.
void place_points(const Tensor& index, int64_t size, int64_t stride, bool add, const Tensor& offsets) {
    if (index.is_meta()) return;
    index_kernels().place_points(index.data<int64_t>(), index.numel(), size, stride, add,
                                 offsets.data<int64_t>());
}

Tensor empty_offsets(int64_t count, Device device) {
    return empty(Dims{count}, {DType::int64, device});
}

// A contiguous copy off the graph.
Tensor copy_of(const Tensor& self, DType dtype) {
    const Tensor result = empty(self.sizes(), {dtype, self.device()});
    if (!result.is_meta()) copy_data(result, self);
    return result;
}
Tensor copy_of(const Tensor& self) {
    return copy_of(self, self.dtype());
}
Tensor in_dtype(const Tensor& self, DType dtype) {
    return self.dtype() == dtype ? self : copy_of(self, dtype);
}

// The type in which values that meet at a place are summed: the 16-bit types would lose the small ones.
DType accumulation_dtype(const Tensor& self, Combine combine) {
    return combine == Combine::add && is_reduced_floating(self.dtype()) ? DType::float32 : self.dtype();
}

// Which dimensions of a table points stand for, and which run beside them.
struct Points {
    Tensor index;        // int64, contiguous, in [-size, size)
    int64_t size = 0;    // of the dimension that it indexes
    int64_t stride = 1;  // of the table along it
    InlineVector<IndexDim, 5> before, after;
    int64_t values_stride = 1;

    // Parts the dimensions of `table` that are not indexed into those before and after the points, for
    // contiguous values, or for one value that stands for all; joins neighbours after them.
    void lay_out(const Tensor& table, uint64_t indexed, int64_t first_after, bool one_value = false) {
        int64_t stride = one_value ? 0 : 1;
        for (int64_t i = table.dim() - 1; i >= 0; --i) {
            if (i == first_after - 1) {
                values_stride = stride;
                stride *= index.numel();
            }
            if ((indexed >> i & 1) != 0) continue;
            const IndexDim dim{table.sizes()[i], table.strides()[i], stride};
            stride *= dim.size;
            auto& list = i < first_after ? before : after;
            if (i >= first_after && !list.empty() && dim.table_stride == list[0].table_stride * list[0].size)
                list[0].size *= dim.size;
            else
                list.insert(0, dim);
        }
        if (first_after <= 0) values_stride = stride;
    }

    // Reads values from the table, or writes them into it.
    void run(const Tensor& table, const Tensor& values, std::optional<Combine> combine) const {
        if (table.is_meta() || values.numel() == 0) return;
        const kernels::PointsArguments arguments{
            .dtype = table.dtype(),
            .table = table.raw_data(),
            .values = values.raw_data(),
            .index = index.data<int64_t>(),
            .size = size,
            .stride = stride,
            .count = index.numel(),
            .values_stride = values_stride,
            .before = before.data(),
            .before_rank = static_cast<int>(before.size()),
            .after = after.data(),
            .after_rank = static_cast<int>(after.size()),
        };
        const GilRelease released(values.numel());
        if (combine.has_value())
            index_kernels().write_points(arguments, *combine == Combine::add);
        else
            index_kernels().read_points(arguments);
    }
};

// --- Slices by a one-dimensional index.

int64_t size_along(const Tensor& self, int64_t dim) {
    return self.dim() == 0 ? 1 : self.sizes()[dim];
}

Dims with_size(const Tensor& self, int64_t dim, int64_t size) {
    Dims sizes = self.sizes();
    if (!sizes.empty()) sizes[dim] = size;
    return sizes;
}

// Points along one dimension, by an index known to be in range.
Points slices_of(const Tensor& table, int64_t dim, const Tensor& index, bool one_value = false) {
    Points points;
    points.index = index;
    points.size = size_along(table, dim);
    points.stride = table.dim() == 0 ? 0 : table.strides()[dim];
    points.lay_out(table, uint64_t{1} << dim, dim + 1, one_value);
    return points;
}

// The elements of a vector; false where an index is out of range, which is found out as they are read.
bool read_elements(const Tensor& table, const Tensor& index, const Tensor& result) {
    if (table.is_meta()) return true;
    const IndexDim along{index.numel(), table.strides()[0], 1};
    const kernels::GatherArguments arguments{
        .dtype = table.dtype(),
        .table = table.raw_data(),
        .values = result.raw_data(),
        .index = index.data<int64_t>(),
        .table_size = table.sizes()[0],
        .dims = &along,
        .rank = 1,
        .dim = 0,
    };
    const GilRelease released(index.numel());
    return index_kernels().gather(arguments);
}

bool is_index_type(const Tensor& index) {
    return index.dtype() == DType::int64 || index.dtype() == DType::int32;
}

// The index as the kernels read it; throws Kind where it reaches outside [low, size).
template <class Kind>
Tensor checked_index(const char* prefix, const Tensor& self, int64_t dim, const Tensor& index,
                     bool from_end) {
    const Tensor values = contiguous_data(index, DType::int64);
    const int64_t size = size_along(self, dim);
    if (const auto bad = out_of_range(values, from_end ? -size : 0, size))
        raise<Kind>(prefix, "index ", *bad, " is out of bounds for dimension ", dim, " with size ", size);
    return values;
}

// A copy of self, combined with slices.
Tensor combine_slices(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& slices,
                      Combine combine) {
    const Tensor result = copy_of(self, accumulation_dtype(self, combine));
    slices_of(result, dim, index).run(result, contiguous_data(slices, result.dtype()), combine);
    return in_dtype(result, self.dtype());
}

Tensor check_vector_index(const char* name, const Tensor& index) {
    check<IndexError>(
        index.dim() <= 1, name, "(): Index is supposed to be a vector, but got dim: ", index.dim(),
        " with type: ", info(index.dtype()).scalar_name, " and size: ", to_string(index.sizes()));
    check(is_index_type(index), name,
          "(): Expected dtype int32/int64 for index but got: ", info(index.dtype()).scalar_name);
    return index;
}

void check_add_source(const char* name, const Tensor& self, int64_t dim, const Tensor& index,
                      const Tensor& source) {
    check_vector_index(name, index);
    check(self.dtype() == source.dtype(), name, "(): self (", info(self.dtype()).scalar_name,
          ") and source (", info(source.dtype()).scalar_name, ") must have the same scalar type");
    check(dim == 0 || dim < source.dim(), name, "(): Indexing dim ", dim,
          " is out of bounds of the source tensor with dim ", source.dim());
    const int64_t count = size_along(source, dim);
    check(index.numel() == count, name, "(): Number of indices (", index.numel(),
          ") should be equal to source.size(dim): (", count, "), for dim: ", dim);
    check(source.dim() == 0 || self.dim() == 0 || with_size(self, dim, 0) == with_size(source, dim, 0),
          "source tensor shape must match self tensor shape, excluding the specified dimension. Got "
          "self.shape = ",
          to_string(self.sizes()), " source.shape = ", to_string(source.sizes()));
}

Tensor fill_slices(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& value) {
    const Tensor result = copy_of(self);
    slices_of(result, dim, index, true).run(result, to(detach(value), self.dtype()), Combine::assign);
    return record("IndexFillBackward0", {self, value}, result, [&] {
        return [index = Saved(index), dim](const Tensor& grad, const Needs& needs) -> Gradients {
            const Tensor positions = index.get();
            return {needs[0] ? fill_slices(grad, dim, positions, zeros({}, options_of(grad))) : Tensor(),
                    needs[1] ? sum(grad * fill_slices(zeros_like(grad), dim, positions,
                                                      scalar_tensor(1, grad.dtype(), grad.device())))
                             : Tensor()};
        };
    });
}

Tensor index_fill(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& value) {
    dim = wrap_dim(dim, self.dim());
    check<IndexError>(index.dtype() == DType::int64, "index_fill_(): Expected dtype int64 for index.");
    check<IndexError>(index.dim() <= 1, "Index has to be a vector/scalar");
    check(value.dim() == 0, "index_fill_ only supports a 0-dimensional value tensor, but got tensor with ",
          value.dim(), " dimension(s).");
    check(!is_complex(value.dtype()) || is_complex(self.dtype()),
          "index_fill_(): Converting complex Scalar to non-complex type is not supported");
    return fill_slices(self, dim, checked_index<IndexError>("", self, dim, index, true), value);
}

Tensor index_fill_number(const Tensor& self, int64_t dim, const Tensor& index, const Scalar& value) {
    check(!value.is_complex() || is_complex(self.dtype()),
          "index_fill_(): Converting complex Scalar to non-complex type is not supported");
    return index_fill(self, dim, index, scalar_tensor(value, self.dtype(), self.device()));
}

// --- Advanced indexing.

// The coordinates that a mask selects, one index a dimension of the mask.
void push_mask(const Tensor& self, const Tensor& mask, TensorList& result) {
    const int64_t first = static_cast<int64_t>(result.size());
    for (int64_t i = 0; i < mask.dim(); ++i)
        check<IndexError>(first + i < self.dim() && mask.sizes()[i] == self.sizes()[first + i],
                          "The shape of the mask ", to_string(mask.sizes()), " at index ", i,
                          " does not match the shape of the indexed tensor ", to_string(self.sizes()),
                          " at index ", first + i);
    const Tensor coordinates = nonzero(mask);
    for (int64_t i = 0; i < mask.dim(); ++i) result.push_back(contiguous_data(select(coordinates, 1, i)));
}

TensorList plain_indices(const Tensor& self, const TensorList& indices) {
    TensorList result;
    for (const Tensor& item : indices) {
        if (!item.defined()) {
            result.push_back(item);
        } else if (item.dtype() == DType::boolean || item.dtype() == DType::uint8) {
            push_mask(self, item, result);
        } else {
            check<IndexError>(is_index_type(item),
                              "tensors used as indices must be long, int, byte or bool tensors");
            result.push_back(contiguous_data(item, DType::int64));
        }
    }
    check<IndexError>(static_cast<int64_t>(result.size()) <= self.dim(),
                      "too many indices for tensor of dimension ", self.dim());
    return result;
}

// Index tensors resolved against a table: where the points are, and the shape of what they select.
class Selection {
  public:
    Selection(const Tensor& table, const TensorList& indices) {
        const Dims shape = common_shape(indices);
        const auto defined = [](const Tensor& item) { return item.defined(); };
        const bool one = std::count_if(indices.begin(), indices.end(), defined) == 1;
        if (!one) points_.index = empty_offsets(count_elements(shape), table.device());
        uint64_t indexed = 0;
        int64_t first = -1, last = -1;
        for (size_t i = 0; i < indices.size(); ++i) {
            if (!indices[i].defined()) continue;
            const int number = std::popcount(indexed);
            check_range(table, static_cast<int64_t>(i), number, indices[i], count_elements(shape));
            if (one)
                take_over(table, static_cast<int64_t>(i), indices[i]);
            else
                add(table, static_cast<int64_t>(i), number, indices[i], shape);
            indexed |= uint64_t{1} << i;
            if (first < 0) first = static_cast<int64_t>(i);
            last = static_cast<int64_t>(i);
        }
        if (indexed == 0 && !table.is_meta()) points_.index.data<int64_t>()[0] = 0;
        const bool adjacent = std::popcount(indexed) == last - first + 1;
        points_.lay_out(table, indexed, adjacent ? last + 1 : 0);
        for (int64_t i = 0; i < table.dim(); ++i)
            if ((indexed >> i & 1) == 0) sizes_.push_back(table.sizes()[i]);
        for (size_t i = 0; i < shape.size(); ++i) sizes_.insert((adjacent ? first : 0) + i, shape[i]);
    }
    const Dims& sizes() const { return sizes_; }
    const Points& points() const { return points_; }

  private:
    static Dims common_shape(const TensorList& indices) {
        Dims shape;
        std::string shapes;
        bool fits = true;
        for (const Tensor& item : indices) {
            if (!item.defined()) continue;
            shapes += message(shapes.empty() ? "" : ", ", to_string(item.sizes()));
            for (size_t i = 0; i < std::min(shape.size(), item.sizes().size()); ++i) {
                const int64_t a = shape[shape.size() - 1 - i], b = item.sizes()[item.sizes().size() - 1 - i];
                fits = fits && (a == b || a == 1 || b == 1);
            }
            if (fits) shape = broadcast(shape, item.sizes());
        }
        check<IndexError>(
            fits, "shape mismatch: indexing tensors could not be broadcast together with shapes ", shapes);
        return shape;
    }
    // `number` counts the index tensors before this one; error messages go by it.
    static void check_range(const Tensor& table, int64_t dim, int number, const Tensor& item,
                            int64_t points) {
        const int64_t size = table.sizes()[dim];
        if (const auto bad = out_of_range(item, -size, size); bad && points > 0)
            raise<IndexError>("index ", *bad, " is out of bounds for dimension ", number, " with size ",
                              size);
    }
    // The only index serves as it is.
    void take_over(const Tensor& table, int64_t dim, const Tensor& item) {
        points_.index = item;
        points_.size = table.sizes()[dim];
        points_.stride = table.strides()[dim];
    }
    // One of several: together they become places in the table.
    void add(const Tensor& table, int64_t dim, int number, const Tensor& item, const Dims& shape) {
        const Tensor full = item.sizes() == shape ? item : contiguous_data(expand(item, shape));
        place_points(full, table.sizes()[dim], table.strides()[dim], number > 0, points_.index);
    }

    Points points_;
    Dims sizes_;
};

using SavedList = std::vector<Saved>;

SavedList save_all(const TensorList& tensors) {
    SavedList saved;
    for (const Tensor& tensor : tensors) saved.push_back(tensor.defined() ? Saved(tensor) : Saved());
    return saved;
}
TensorList get_all(const SavedList& saved) {
    TensorList tensors;
    for (const Saved& item : saved) tensors.push_back(item.defined() ? item.get() : Tensor());
    return tensors;
}

// `values` as the selection's shape, contiguous.
Tensor values_for(const Selection& selection, const Tensor& target, const Tensor& values) {
    check(target.dtype() == values.dtype(),
          "Index put requires the source and destination dtypes match, got ",
          info(target.dtype()).scalar_name, " for the destination and ", info(values.dtype()).scalar_name,
          " for the source.");
    check(can_broadcast_to(values.sizes(), selection.sizes()), "shape mismatch: value tensor of shape ",
          to_string(values.sizes()), " cannot be broadcast to indexing result of shape ",
          to_string(selection.sizes()));
    return contiguous_data(expand(detach(values), selection.sizes()));
}

void put_data(const Tensor& target, const TensorList& indices, const Tensor& values, bool accumulate) {
    const Selection selection(target, indices);
    selection.points().run(target, values_for(selection, target, values),
                           accumulate ? Combine::add : Combine::assign);
}

Tensor put(const Tensor& self, const TensorList& indices, const Tensor& values, bool accumulate) {
    const Tensor wide = copy_of(self, accumulation_dtype(self, accumulate ? Combine::add : Combine::assign));
    put_data(wide, indices, in_dtype(values, wide.dtype()), accumulate);
    const Tensor result = in_dtype(wide, self.dtype());
    return record("IndexPutBackward0", {self, values}, result, [&] {
        return
            [indices = save_all(indices), accumulate](const Tensor& grad, const Needs& needs) -> Gradients {
                const TensorList positions = get_all(indices);
                Tensor self_grad;
                if (needs[0])
                    self_grad = accumulate ? grad : put(grad, positions, zeros({}, options_of(grad)), false);
                return {self_grad, needs[1] ? index(grad, positions) : Tensor()};
            };
    });
}

// Whether the only index is a mask of the whole tensor.
bool is_whole_mask(const Tensor& self, const TensorList& indices) {
    return indices.size() == 1 && indices[0].defined() && indices[0].dtype() == DType::boolean &&
           indices[0].sizes() == self.sizes();
}

// Whether one value is to be written wherever a mask of the whole tensor is true.
bool fills_mask(const Tensor& self, const TensorList& indices, const Tensor& values, bool accumulate) {
    return is_whole_mask(self, indices) && values.numel() == 1 && values.dtype() == self.dtype() &&
           !accumulate;
}

// --- Flat positions and masks.

Tensor flat(const Tensor& self) {
    return reshape(self, Dims{self.numel()});
}

Tensor flat_positions(const Tensor& self, const Tensor& index) {
    const Tensor positions = contiguous_data(index, DType::int64);
    check<IndexError>(self.numel() > 0 || index.numel() == 0, "take(): tried to take from an empty tensor");
    if (const auto bad = out_of_range(positions, -self.numel(), self.numel()))
        raise<IndexError>("out of range: tried to access index ", *bad, " on a tensor of ", self.numel(),
                          " elements.");
    return positions;
}

Tensor put_flat(const Tensor& self, const Tensor& positions, const Tensor& source, bool accumulate) {
    return reshape(put(flat(self), {flat(positions)}, flat(source), accumulate), self.sizes());
}

Tensor put_at(const Tensor& self, const Tensor& index, const Tensor& source, bool accumulate) {
    check(index.dtype() == DType::int64, "put_(): Expected a long tensor for index, but got ",
          info(index.dtype()).scalar_name);
    check(self.dtype() == source.dtype(),
          "put_(): self and source expected to have the same dtype, but got self.dtype = ",
          info(self.dtype()).scalar_name, " and source.dtype = ", info(source.dtype()).scalar_name);
    check<IndexError>(
        source.numel() == index.numel(),
        "put_(): Expected source and index to have the same number of elements, but got source.numel() = ",
        source.numel(), ", index.numel() = ", index.numel());
    return put_flat(self, flat_positions(self, index), source, accumulate);
}

// The elements of a tensor that are not zero: how many, and how they fall to the pieces of a selection.
struct Chosen {
    explicit Chosen(const Tensor& self) {
        check(!self.is_meta(),
              "nonzero: the shape of the result depends on values, which meta tensors have none of");
        input = contiguous_data(self);
        starts = empty(Dims{kernels::selection_pieces(input.numel())}, {DType::int64});
        const GilRelease released(input.numel());
        count = index_kernels().count_nonzero(input.dtype(), input.raw_data(), input.numel(),
                                              starts.data<int64_t>());
    }
    Tensor input, starts;
    int64_t count;
};

// Positions of the elements that are not zero, in order, in the flattened tensor.
Tensor nonzero_positions(const Tensor& self) {
    const Chosen chosen(self);
    const Tensor positions = empty(Dims{chosen.count}, {DType::int64});
    const GilRelease released(self.numel());
    index_kernels().nonzero(self.dtype(), chosen.input.raw_data(), self.numel(),
                            chosen.starts.data<int64_t>(), chosen.count, positions.data<int64_t>());
    return positions;
}

// Elements of a tensor where a boolean mask of its shape is true, off the graph.
Tensor masked_elements(const Tensor& self, const Tensor& mask) {
    const Chosen chosen(mask);
    const Tensor table = contiguous_data(self);
    const Tensor result = empty(Dims{chosen.count}, options_of(self));
    const GilRelease released(self.numel());
    index_kernels().masked_select(self.dtype(), table.raw_data(), chosen.input.data<bool>(), self.numel(),
                                  chosen.starts.data<int64_t>(), chosen.count, result.raw_data());
    return result;
}

void check_enough(const Tensor& source, int64_t chosen) {
    check(source.numel() >= chosen, "Number of elements of source < number of ones in mask");
}

// masked_scatter of tensors of one shape, off the graph.
Tensor scatter_masked(const Tensor& self, const Tensor& mask, const Tensor& source) {
    const Chosen chosen(mask);
    check_enough(source, chosen.count);
    const Tensor result = copy_of(self), values = contiguous_data(source);
    const GilRelease released(self.numel());
    index_kernels().masked_scatter(self.dtype(), values.raw_data(), chosen.input.data<bool>(), self.numel(),
                                   chosen.starts.data<int64_t>(), chosen.count, result.raw_data());
    return result;
}

Tensor masked_scatter(const Tensor& self, const Tensor& mask, const Tensor& source) {
    check(mask.dtype() == DType::boolean,
          "masked_scatter_ only supports boolean masks, but got mask with dtype ",
          info(mask.dtype()).scalar_name);
    check(self.dtype() == source.dtype(),
          "masked_scatter: expected self and source to have same dtypes but got",
          info(self.dtype()).scalar_name, " and ", info(source.dtype()).scalar_name);
    const Dims sizes = broadcast(self.sizes(), mask.sizes());
    if (self.is_meta()) return empty(sizes, options_of(self));
    if (!gradients_wanted({self, source}))
        return scatter_masked(expand(self, sizes), expand(mask, sizes), source);
    const Tensor positions = nonzero_positions(expand(mask, sizes));
    check_enough(source, positions.numel());
    return put_flat(expand(self, sizes), positions, narrow(flat(source), 0, 0, positions.numel()), false);
}

TensorList nonzero_by_dim(const Tensor& self) {
    const Tensor coordinates = nonzero(self.dim() == 0 ? reshape(self, Dims{1}) : self);
    TensorList result;
    for (int64_t i = 0; i < coordinates.sizes()[1]; ++i) result.push_back(select(coordinates, 1, i));
    return result;
}

}  // namespace

Tensor index_select(const Tensor& self, int64_t dim, const Tensor& index) {
    dim = wrap_dim(dim, self.dim());
    check<IndexError>(index.dim() <= 1, "index_select(): Index is supposed to be a vector");
    check(is_index_type(index), "index_select(): Expected dtype int32 or int64 for index");
    const Tensor positions = contiguous_data(index, DType::int64);
    const Tensor result = empty(with_size(self, dim, positions.numel()), options_of(self));
    const bool vector = self.dim() == 1;
    const bool inside =
        vector ? read_elements(self, positions, result) : !out_of_range(positions, 0, size_along(self, dim));
    check<IndexError>(inside, "index out of range in self");
    if (!vector) slices_of(self, dim, positions).run(self, result, std::nullopt);
    return record("IndexSelectBackward0", {self}, result, [&] {
        return [positions = Saved(positions), sizes = self.sizes(), dim](const Tensor& grad) -> Gradients {
            return {index_add_to_zeros(sizes, dim, positions.get(), grad)};
        };
    });
}

Tensor index_add(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& source,
                 const Scalar& alpha) {
    dim = wrap_dim(dim, self.dim());
    check_add_source("index_add_", self, dim, index, source);
    const Tensor positions = checked_index<Error>("", self, dim, index, false);
    if (!alpha.equals(1)) return index_add(self, dim, positions, source * alpha);
    const Tensor result = combine_slices(self, dim, positions, source, Combine::add);
    return record("IndexAddBackward0", {self, source}, result, [&] {
        return [positions = Saved(positions), shape = source.sizes(), dim](const Tensor& grad,
                                                                           const Needs& needs) -> Gradients {
            return {grad, needs[1] ? reshape(index_select(grad, dim, positions.get()), shape) : Tensor()};
        };
    });
}

Tensor index_add_to_zeros(IntSpan sizes, int64_t dim, const Tensor& index, const Tensor& source) {
    const Tensor result = zeros(sizes, options_of(source));
    if (gradients_wanted({source}) || is_reduced_floating(source.dtype()))
        return index_add(result, dim, index, source);
    slices_of(result, dim, index).run(result, contiguous_data(source), Combine::add);
    return result;
}

Tensor index_copy(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& source) {
    dim = wrap_dim(dim, self.dim());
    check<IndexError>(index.dim() <= 1, "index_copy_(): Index should have dimension 1 or 0 (got ",
                      index.dim(), ")");
    check(index.dtype() == DType::int64, "index_copy_(): Expected a long tensor for index, but got ",
          info(index.dtype()).scalar_name);
    check(self.dtype() == source.dtype(),
          "index_copy_(): self and source expected to have the same dtype, but got (self) ",
          info(self.dtype()).scalar_name, " and (source) ", info(source.dtype()).scalar_name);
    const int64_t count = size_along(source, dim);
    check<IndexError>(index.numel() == count, "index_copy_(): Number of indices (", index.numel(),
                      ") should be equal to source.size(dim) (", count, ")");
    for (int64_t i = 0; i < std::min(self.dim(), source.dim()); ++i)
        check(
            i == dim || self.sizes()[i] == source.sizes()[i],
            "index_copy_(): Source/destination tensor must have same slice shapes. Destination slice shape: ",
            self.sizes()[i], " at dimension ", dim, " and source slice shape: ", source.sizes()[i],
            " at dimension ", dim, ".");
    const Tensor positions = checked_index<IndexError>("index_copy_(): ", self, dim, index, false);
    const Tensor result = combine_slices(self, dim, positions, source, Combine::assign);
    return record("IndexCopyBackward0", {self, source}, result, [&] {
        return [positions = Saved(positions), shape = source.sizes(), dim](const Tensor& grad,
                                                                           const Needs& needs) -> Gradients {
            const Tensor index = positions.get();
            return {needs[0] ? fill_slices(grad, dim, index, zeros({}, options_of(grad))) : Tensor(),
                    needs[1] ? reshape(index_select(grad, dim, index), shape) : Tensor()};
        };
    });
}

Tensor take(const Tensor& self, const Tensor& index) {
    check(index.dtype() == DType::int64, "take(): Expected a long tensor for index, but got ",
          info(index.dtype()).scalar_name);
    const Tensor positions = flat_positions(self, index);
    return reshape(ops::index(flat(self), {flat(positions)}), index.sizes());
}

Tensor masked_select(const Tensor& self, const Tensor& mask) {
    check(mask.dtype() == DType::boolean, "masked_select: expected BoolTensor for mask");
    const Dims sizes = broadcast(self.sizes(), mask.sizes());
    if (!gradients_wanted({self})) return masked_elements(expand(self, sizes), expand(mask, sizes));
    return take(expand(self, sizes), nonzero_positions(expand(mask, sizes)));
}

Tensor nonzero(const Tensor& self) {
    const Tensor positions = nonzero_positions(self);
    if (self.dim() == 1) return reshape(positions, Dims{positions.numel(), 1});
    const Tensor result = empty(Dims{self.dim(), positions.numel()}, {DType::int64});
    if (result.numel() > 0)
        index_kernels().unravel(positions.data<int64_t>(), positions.numel(), self.sizes().data(),
                                static_cast<int>(self.dim()), result.data<int64_t>());
    return transpose(result, 0, 1);
}

Tensor index(const Tensor& self, const TensorList& indices) {
    if (is_whole_mask(self, indices) && !self.is_meta() && !gradients_wanted({self}))
        return masked_elements(self, indices[0]);
    const TensorList positions = plain_indices(self, indices);
    const Selection selection(self, positions);
    const Tensor result = empty(selection.sizes(), options_of(self));
    selection.points().run(self, result, std::nullopt);
    return record("IndexBackward0", {self}, result, [&] {
        return [positions = save_all(positions), sizes = self.sizes()](const Tensor& grad) -> Gradients {
            const TensorList places = get_all(positions);
            const Tensor result = zeros(sizes, options_of(grad));
            if (gradients_wanted({grad}) || is_reduced_floating(grad.dtype()))
                return {put(result, places, grad, true)};
            put_data(result, places, grad, true);
            return {result};
        };
    });
}

Tensor index_put(const Tensor& self, const TensorList& indices, const Tensor& values, bool accumulate) {
    return put(self, plain_indices(self, indices), values, accumulate);
}

Tensor index_put_(const Tensor& self, const TensorList& indices, const Tensor& values, bool accumulate) {
    if (gradients_wanted({self, values}))
        return write_in_place(self, [&](const Tensor& original) {
            return put(original, plain_indices(self, indices), values, accumulate);
        });
    check_writable(self, false);
    if (fills_mask(self, indices, values, accumulate)) {
        copy_data(self, where(indices[0], values, self));
        self.bump_version();
        return self;
    }
    const bool shared = values->storage.get() == self->storage.get();
    put_data(self, plain_indices(self, indices), shared ? copy_of(values) : values, accumulate);
    self.bump_version();
    return self;
}

namespace {

const Register index_op{
    "index(Tensor self, Tensor?[] indices) -> Tensor",
    index,
    {.variants = 0,
     .doc = R"(self[indices]: one index tensor for each dimension in order, None for a whole dimension.

Integer indices broadcast together; bool and uint8 ones are masks. Raises IndexError out of range.

    >>> rushlight.arange(6).view(2, 3)[rushlight.tensor([1, 0]), rushlight.tensor([2, 0])]
    tensor([5, 0])
)"}};
const Register index_put_op{
    "index_put(Tensor self, Tensor?[] indices, Tensor values, bool accumulate=False) -> Tensor",
    index_put,
    {.doc = R"(A copy of self with values at the indexed places, or added to them.

    >>> rushlight.zeros(3).index_put((rushlight.tensor([0, 0]),), rushlight.tensor([1., 2.]), accumulate=True)
    tensor([3., 0., 0.])
)"}};
const Register index_put_in_place_op{
    "index_put_(Tensor(a!) self, Tensor?[] indices, Tensor values, bool accumulate=False) -> Tensor(a!)",
    index_put_,
    {.doc = R"(Writes values at the indexed places, or adds them. See index_put.)"}};
const Register index_select_op{
    "index_select(Tensor self, int dim, Tensor index) -> Tensor",
    index_select,
    {.variants = function | method | out,
     .doc = R"(The slices of a dimension that a vector of int32 or int64 indices names.

Raises IndexError out of range.

    >>> rushlight.arange(6).view(2, 3).index_select(1, rushlight.tensor([2, 0]))
    tensor([[2, 0],
            [5, 3]])
)"}};
const Register index_add_op{
    "index_add(Tensor self, int dim, Tensor index, Tensor source, *, Scalar alpha=1) -> Tensor",
    index_add,
    {.variants = function | method | in_place | out,
     .doc = R"(Adds alpha times the slices of source to the indexed slices, in order.

Raises RuntimeError out of range.

    >>> rushlight.zeros(3).index_add(0, rushlight.tensor([1, 1]), rushlight.tensor([2., 3.]))
    tensor([0., 5., 0.])
)"}};
const Register index_copy_op{
    "index_copy(Tensor self, int dim, Tensor index, Tensor source) -> Tensor",
    index_copy,
    {.variants = function | method | in_place | out, .doc = R"(Replaces the indexed slices by those of source.

    >>> rushlight.zeros(3).index_copy(0, rushlight.tensor([1]), rushlight.tensor([2.]))
    tensor([0., 2., 0.])
)"}};
const Register index_fill_op{
    "index_fill.int_Tensor(Tensor self, int dim, Tensor index, Tensor value) -> Tensor",
    index_fill,
    {.variants = function | method | in_place,
     .doc = R"(Fills the indexed slices with one value, a number or a zero-dim tensor.

    >>> rushlight.zeros(3).index_fill(0, rushlight.tensor([0, 2]), 1)
    tensor([1., 0., 1.])
)"}};
const Register index_fill_number_op{
    "index_fill.int_Scalar(Tensor self, int dim, Tensor index, Scalar value) -> Tensor",
    index_fill_number,
    {.variants = function | method | in_place}};
const Register take_op{
    "take(Tensor self, Tensor index) -> Tensor",
    take,
    {.variants = function | method | out,
     .doc = R"(Elements by their position in the flattened tensor; the result has the index's shape.

Raises IndexError out of range.

    >>> rushlight.tensor([[1, 2], [3, 4]]).take(rushlight.tensor([0, 3]))
    tensor([1, 4])
)"}};
const Register put_op{"put(Tensor self, Tensor index, Tensor source, bool accumulate=False) -> Tensor",
                      put_at,
                      {.variants = function | method | in_place,
                       .doc = R"(Writes source at positions of the flattened tensor, or adds it.

    >>> rushlight.zeros(2, 2).put(rushlight.tensor([3]), rushlight.tensor([1.]))
    tensor([[0., 0.],
            [0., 1.]])
)"}};
const Register masked_select_op{
    "masked_select(Tensor self, Tensor mask) -> Tensor",
    masked_select,
    {.variants = function | method | out,
     .doc = R"(The elements where a bool mask is true, as a vector; self and mask broadcast together.

    >>> rushlight.tensor([1, 2, 3]).masked_select(rushlight.tensor([True, False, True]))
    tensor([1, 3])
)"}};
const Register masked_scatter_op{
    "masked_scatter(Tensor self, Tensor mask, Tensor source) -> Tensor",
    masked_scatter,
    {.variants = function | method | in_place,
     .doc = R"(Elements of source, in order, where a bool mask is true; self elsewhere.

Raises RuntimeError where source has too few elements.

    >>> rushlight.zeros(3).masked_scatter(rushlight.tensor([True, False, True]), rushlight.tensor([1., 2.]))
    tensor([1., 0., 2.])
)"}};
const Register nonzero_op{
    "nonzero(Tensor self) -> Tensor",
    nonzero,
    {.variants = method | out,
     .doc = R"(Coordinates of the elements that are not zero, one row each, in order, as int64.

    >>> rushlight.tensor([[0, 1], [2, 0]]).nonzero()
    tensor([[0, 1],
            [1, 0]])
)",
     .differentiable = false}};
const Register argwhere_op{
    "argwhere(Tensor self) -> Tensor",
    nonzero,
    {.doc = R"(Coordinates of the elements that are not zero. See nonzero.)", .differentiable = false}};
const Register nonzero_by_dim_op{
    "nonzero_numpy(Tensor self) -> Tensor[]",
    nonzero_by_dim,
    {.variants = method,
     .doc = R"(Coordinates of the elements that are not zero, one vector a dimension.)",
     .differentiable = false}};

}  // namespace
}  // namespace rl::ops
