// Arithmetic on shapes.
#include "core/shape.h"

#include <algorithm>
#include <numeric>

#include "core/error.h"

namespace rl {

int64_t count_elements(IntSpan sizes) {
    check(static_cast<int64_t>(sizes.size()) <= max_dims, "only tensors with up to ", max_dims,
          " dims are supported");
    int64_t count = 1;
    bool overflow = false;
    bool empty = false;
    for (const int64_t size : sizes) {
        check(size >= 0, "Trying to create tensor with negative dimension ", size, ": ", to_string(sizes));
        empty = empty || size == 0;
        overflow = __builtin_mul_overflow(count, size, &count) || overflow;
    }
    if (empty) return 0;
    check(!overflow, "numel: integer multiplication overflow");
    return count;
}

int64_t storage_extent(IntSpan sizes, IntSpan strides) {
    if (count_elements(sizes) == 0) return 0;
    int64_t reach = 1;
    for (size_t d = 0; d < sizes.size(); ++d) {
        int64_t step = 0;
        check(!__builtin_mul_overflow(sizes[d] - 1, strides[d], &step) &&
                  !__builtin_add_overflow(reach, step, &reach),
              "Storage size calculation overflowed with sizes=", to_string(sizes),
              " and strides=", to_string(strides));
    }
    return reach;
}

void set_contiguous_strides(IntSpan sizes, Dims& strides) {
    strides.resize(sizes.size());
    int64_t stride = 1;
    for (size_t d = sizes.size(); d-- > 0;) {
        strides[d] = stride;
        stride *= std::max<int64_t>(sizes[d], 1);
    }
}
Dims contiguous_strides(IntSpan sizes) {
    Dims strides;
    set_contiguous_strides(sizes, strides);
    return strides;
}

namespace {

Dims strides_in_order(IntSpan sizes, IntSpan innermost_first) {
    Dims strides(sizes.size());
    int64_t stride = 1;
    for (const int64_t d : innermost_first) {
        strides[d] = stride;
        stride *= std::max<int64_t>(sizes[d], 1);
    }
    return strides;
}

}  // namespace

Dims strides_for(IntSpan sizes, MemoryFormat format) {
    if (format == MemoryFormat::channels_last) {
        check(sizes.size() == 4, "required rank 4 tensor to use channels_last format");
        return strides_in_order(sizes, Dims{1, 3, 2, 0});
    }
    if (format == MemoryFormat::channels_last_3d) {
        check(sizes.size() == 5, "required rank 5 tensor to use channels_last_3d format");
        return strides_in_order(sizes, Dims{1, 4, 3, 2, 0});
    }
    return contiguous_strides(sizes);
}

bool is_contiguous(IntSpan sizes, IntSpan strides) {
    int64_t expected = 1;
    bool contiguous = true;
    for (size_t d = sizes.size(); d-- > 0;) {
        if (sizes[d] == 0) return true;
        if (sizes[d] != 1 && strides[d] != expected) contiguous = false;
        expected *= sizes[d];
    }
    return contiguous;
}

bool is_channels_last(IntSpan sizes, IntSpan strides) {
    if (sizes.size() != 4 && sizes.size() != 5) return false;
    const Dims expected =
        strides_for(sizes, sizes.size() == 4 ? MemoryFormat::channels_last : MemoryFormat::channels_last_3d);
    for (size_t d = 0; d < sizes.size(); ++d) {
        if (sizes[d] != 1 && strides[d] != expected[d]) return false;
    }
    return true;
}

bool is_dense(IntSpan sizes, IntSpan strides) {
    Dims order;
    for (size_t d = 0; d < sizes.size(); ++d) {
        if (sizes[d] == 0) return true;
        if (sizes[d] != 1) order.push_back(static_cast<int64_t>(d));
    }
    std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return strides[a] < strides[b]; });
    int64_t expected = 1;
    for (const int64_t d : order) {
        if (strides[d] != expected) return false;
        expected *= sizes[d];
    }
    return true;
}

bool may_overlap_itself(IntSpan sizes, IntSpan strides) {
    Dims order;
    for (size_t d = 0; d < sizes.size(); ++d) {
        if (sizes[d] == 0) return false;
        if (sizes[d] != 1) order.push_back(static_cast<int64_t>(d));
    }
    std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return strides[a] < strides[b]; });
    int64_t reach = 0;
    for (const int64_t d : order) {
        if (strides[d] <= reach) return true;
        reach += strides[d] * (sizes[d] - 1);
    }
    return false;
}

Dims strides_like(IntSpan sizes, IntSpan strides) {
    if (is_contiguous(sizes, strides)) return contiguous_strides(sizes);
    Dims order;
    for (size_t d = sizes.size(); d-- > 0;) order.push_back(static_cast<int64_t>(d));
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
        if (sizes[a] == 1 || sizes[b] == 1 || strides[a] == 0 || strides[b] == 0) return false;
        return strides[a] < strides[b];
    });
    return strides_in_order(sizes, order);
}

Dims broadcast(IntSpan a, IntSpan b) {
    const IntSpan& longer = a.size() >= b.size() ? a : b;
    const IntSpan& shorter = a.size() >= b.size() ? b : a;
    Dims sizes(longer);
    const size_t lead = longer.size() - shorter.size();
    for (size_t d = 0; d < shorter.size(); ++d) {
        const int64_t wide = sizes[lead + d];
        const int64_t other = shorter[d];
        if (wide == other || other == 1) continue;
        if (wide != 1) {
            raise("The size of tensor a (", a[a.size() - shorter.size() + d],
                  ") must match the size of tensor b (", b[b.size() - shorter.size() + d],
                  ") at non-singleton dimension ", lead + d);
        }
        sizes[lead + d] = other;
    }
    return sizes;
}

void check_keeps_shape(IntSpan written, IntSpan result) {
    if (std::equal(written.begin(), written.end(), result.begin(), result.end())) return;
    raise("output with shape ", to_string(written), " doesn't match the broadcast shape ", to_string(result));
}

bool can_broadcast_to(IntSpan from, IntSpan to) {
    if (from.size() > to.size()) return false;
    const size_t lead = to.size() - from.size();
    for (size_t d = 0; d < from.size(); ++d) {
        if (from[d] != 1 && from[d] != to[lead + d]) return false;
    }
    return true;
}

Dims broadcast_strides(IntSpan from_sizes, IntSpan from_strides, IntSpan sizes) {
    Dims strides(sizes.size(), 0);
    const size_t lead = sizes.size() - from_sizes.size();
    for (size_t d = 0; d < from_sizes.size(); ++d) {
        strides[lead + d] = from_sizes[d] == 1 && sizes[lead + d] != 1 ? 0 : from_strides[d];
    }
    return strides;
}

int64_t wrap_dim(int64_t dim, int64_t ndim) {
    const int64_t extent = std::max<int64_t>(ndim, 1);
    check<IndexError>(dim >= -extent && dim < extent, "Dimension out of range (expected to be in range of [",
                      -extent, ", ", extent - 1, "], but got ", dim, ")");
    return dim < 0 ? dim + extent : dim;
}

uint64_t dim_mask(IntSpan dims, int64_t ndim, bool empty_means_all) {
    if (dims.empty() && empty_means_all) return ndim == max_dims ? ~uint64_t{0} : (uint64_t{1} << ndim) - 1;
    uint64_t mask = 0;
    for (const int64_t dim : dims) {
        const uint64_t bit = uint64_t{1} << wrap_dim(dim, ndim);
        check((mask & bit) == 0, "dim ", wrap_dim(dim, ndim), " appears multiple times in the list of dims");
        mask |= bit;
    }
    return ndim == 0 ? 0 : mask;
}

Dims infer_size(IntSpan shape, int64_t numel) {
    Dims sizes(shape);
    int64_t known = 1;
    std::optional<size_t> inferred;
    bool overflow = false;
    for (size_t d = 0; d < shape.size(); ++d) {
        if (shape[d] == -1) {
            check(!inferred, "only one dimension can be inferred");
            inferred = d;
        } else {
            check(shape[d] >= 0, "invalid shape dimension ", shape[d], " at index ", d, " of shape ",
                  to_string(shape));
            overflow = __builtin_mul_overflow(known, shape[d], &known) || overflow;
        }
    }
    const bool fits =
        !overflow && (inferred ? (known != 0 ? numel % known == 0 : numel == 0) : known == numel);
    check(fits, "shape '", to_string(shape), "' is invalid for input of size ", numel);
    if (inferred) {
        check(known != 0, "cannot reshape tensor of 0 elements into shape ", to_string(shape),
              " because the unspecified dimension size -1 can be any value and is ambiguous");
        sizes[*inferred] = numel / known;
    }
    return sizes;
}

std::optional<Dims> view_strides(IntSpan old_sizes, IntSpan old_strides, IntSpan shape) {
    const bool empty = std::find(old_sizes.begin(), old_sizes.end(), 0) != old_sizes.end();
    if (empty) {
        if (std::equal(old_sizes.begin(), old_sizes.end(), shape.begin(), shape.end()))
            return Dims(old_strides);
        return contiguous_strides(shape);
    }
    if (old_sizes.empty()) return contiguous_strides(shape);
    Dims strides(shape.size(), 1);
    int64_t target = static_cast<int64_t>(shape.size()) - 1;
    // Runs of old dimensions that lie as one in memory, innermost first, are cut into new dimensions.
    for (int64_t d = static_cast<int64_t>(old_sizes.size()) - 1; d >= 0;) {
        const int64_t base = old_strides[d];
        int64_t run = old_sizes[d];
        for (; d > 0 && (old_sizes[d - 1] == 1 || old_strides[d - 1] == run * base); --d)
            run *= old_sizes[d - 1];
        --d;
        int64_t covered = 1;
        while (target >= 0 && (covered < run || shape[target] == 1)) {
            strides[target] = covered * base;
            covered *= shape[target];
            --target;
        }
        if (covered != run) return std::nullopt;
    }
    while (target >= 0 && shape[target] == 1) --target;  // of a zero-dim tensor
    return target < 0 ? std::optional<Dims>(strides) : std::nullopt;
}

std::ostream& operator<<(std::ostream& out, ShapeText text) {
    out << '[';
    for (size_t i = 0; i < text.values.size(); ++i) out << (i > 0 ? ", " : "") << text.values[i];
    return out << ']';
}

ShapeText::operator std::string() const {
    return message(*this);
}

}  // namespace rl
