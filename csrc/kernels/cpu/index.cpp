// Indexing loops. Copies know only the size of an element; combinations know its type.
#include "kernels/index.h"

#include <algorithm>
#include <cstring>

#include "core/threads.h"
#include "kernels/cpu/convert.h"

namespace rl::kernels::RUSHLIGHT_ISA {
namespace {

constexpr int64_t parallel_grain = 16384;  // elements worth handing to another thread

int64_t find_out_of_range(const int64_t* index, int64_t count, int64_t low, int64_t high) {
    const uint64_t range = static_cast<uint64_t>(high) - static_cast<uint64_t>(low);
    constexpr int64_t block = 512;
    for (int64_t begin = 0; begin < count; begin += block) {
        const int64_t end = std::min(count, begin + block);
        uint64_t bad = 0;
        for (int64_t i = begin; i < end; ++i)
            bad |= static_cast<uint64_t>(index[i]) - static_cast<uint64_t>(low) >= range;
        if (!bad) continue;
        for (int64_t i = begin; i < end; ++i)
            if (static_cast<uint64_t>(index[i]) - static_cast<uint64_t>(low) >= range) return i;
    }
    return -1;
}

// Calls visit with a type of the same size, for copies.
template <class Visit>
void visit_size(DType dtype, Visit&& visit) {
    switch (item_size(dtype)) {
        case 1:
            return visit(TypeTag<uint8_t>{});
        case 2:
            return visit(TypeTag<uint16_t>{});
        case 4:
            return visit(TypeTag<uint32_t>{});
        case 8:
            return visit(TypeTag<uint64_t>{});
        default:
            return visit(TypeTag<complex128>{});
    }
}

struct Read {  // table to values
    template <class T>
    static void apply(T& table, T& value) {
        value = table;
    }
};
struct Assign {
    template <class T>
    static void apply(T& table, T& value) {
        table = value;
    }
};
template <class Op>
struct Combined {  // in the compute type, rounded at each step
    template <class T>
    static void apply(T& table, T& value) {
        using C = std::conditional_t<std::is_integral_v<T>, int64_t, Compute<T>>;
        table = convert<T>(Op::template combine<C>(convert<C>(table), convert<C>(value)));
    }
};
struct Add {
    template <class C>
    static C combine(C a, C b) {
        return add(a, b);
    }
};
struct Multiply {
    template <class C>
    static C combine(C a, C b) {
        return multiply(a, b);
    }
};
struct Maximum {
    template <class C>
    static C combine(C a, C b) {
        if constexpr (is_complex_type<C>)
            return a;
        else
            return (b > a) | (b != b) ? b : a;
    }
};
struct Minimum {
    template <class C>
    static C combine(C a, C b) {
        if constexpr (is_complex_type<C>)
            return a;
        else
            return (b < a) | (b != b) ? b : a;
    }
};

int64_t element_count(const IndexDim* dims, int rank) {
    int64_t count = 1;
    for (int i = 0; i < rank; ++i) count *= dims[i].size;
    return count;
}

struct Offsets {
    int64_t table = 0, values = 0;
    // Of position `linear` in the first `rank` dimensions.
    static Offsets at(const IndexDim* dims, int rank, int64_t linear) {
        Offsets result;
        for (int i = rank - 1; i >= 0; --i) {
            const int64_t index = linear % dims[i].size;
            linear /= dims[i].size;
            result.table += index * dims[i].table_stride;
            result.values += index * dims[i].values_stride;
        }
        return result;
    }
};

// --- One index an element.

template <class T, class Op>
void gather_rows(const GatherArguments& a, int64_t first, int64_t last) {
    T* table = static_cast<T*>(a.table);
    T* values = static_cast<T*>(a.values);
    const IndexDim& row = a.dims[a.rank - 1];
    const int64_t stride = a.dims[a.dim].table_stride;
    const int64_t step = a.dim == a.rank - 1 ? 0 : row.table_stride;
    for (; first < last; ++first) {
        Offsets offsets = Offsets::at(a.dims, a.rank - 1, first);
        if (a.dim != a.rank - 1) {  // the index takes the place of this coordinate
            int64_t inner = 1;
            for (int i = a.dim + 1; i < a.rank - 1; ++i) inner *= a.dims[i].size;
            offsets.table -= first / inner % a.dims[a.dim].size * stride;
        }
        const int64_t* index = a.index + first * row.size;
        for (int64_t j = 0; j < row.size; ++j)
            Op::template apply<T>(table[offsets.table + j * step + index[j] * stride],
                                  values[offsets.values + j * row.values_stride]);
    }
}

template <class T, class Op>
void run_gather(const GatherArguments& a, bool parallel) {
    const int64_t row = a.dims[a.rank - 1].size;
    if (row == 0) return;
    const int64_t rows = element_count(a.dims, a.rank - 1);
    const int64_t grain = parallel ? std::max<int64_t>(1, parallel_grain / row) : std::max<int64_t>(1, rows);
    parallel_for(0, rows, grain, [&](int64_t first, int64_t last) { gather_rows<T, Op>(a, first, last); });
}

void gather(const GatherArguments& a) {
    visit_size(a.dtype, [&](auto tag) { run_gather<typename decltype(tag)::type, Read>(a, true); });
}

template <class Op>
void scatter_combined(const GatherArguments& a, bool parallel) {
    visit_dtype(a.dtype,
                [&](auto tag) { run_gather<typename decltype(tag)::type, Combined<Op>>(a, parallel); });
}

void scatter(const GatherArguments& a, Combine combine) {
    const bool parallel = a.dim == a.rank - 1;  // then no two rows write to one place
    switch (combine) {
        case Combine::assign:
            return visit_size(
                a.dtype, [&](auto tag) { run_gather<typename decltype(tag)::type, Assign>(a, parallel); });
        case Combine::add:
            return scatter_combined<Add>(a, parallel);
        case Combine::multiply:
            return scatter_combined<Multiply>(a, parallel);
        case Combine::maximum:
            return scatter_combined<Maximum>(a, parallel);
        case Combine::minimum:
            return scatter_combined<Minimum>(a, parallel);
    }
}

// --- One index a slice.

template <class T, class Op>
void run_line(T* __restrict table, T* __restrict values, int64_t begin, int64_t end, int64_t table_stride,
              int64_t values_stride) {
    if (table_stride == 1 && values_stride == 1)
        for (int64_t i = begin; i < end; ++i) Op::template apply<T>(table[i], values[i]);
    else
        for (int64_t i = begin; i < end; ++i)
            Op::template apply<T>(table[i * table_stride], values[i * values_stride]);
}

// The slices of the points [first, last) of one `before`, restricted to [begin, end) of the fastest
// dimension.
template <class T, class Op>
void run_points(const PointsArguments& a, Offsets base, int64_t first, int64_t last, int64_t begin,
                int64_t end) {
    T* table = static_cast<T*>(a.table) + base.table;
    T* values = static_cast<T*>(a.values) + base.values;
    if (a.after_rank == 0) {
        for (int64_t p = first; p < last; ++p)
            Op::template apply<T>(table[a.offsets[p]], values[p * a.values_stride]);
        return;
    }
    const IndexDim& line = a.after[a.after_rank - 1];
    const int64_t lines = element_count(a.after, a.after_rank - 1);
    for (int64_t p = first; p < last; ++p)
        for (int64_t i = 0; i < lines; ++i) {
            const Offsets offsets = Offsets::at(a.after, a.after_rank - 1, i);
            run_line<T, Op>(table + a.offsets[p] + offsets.table,
                            values + p * a.values_stride + offsets.values, begin, end, line.table_stride,
                            line.values_stride);
        }
}

int64_t line_size(const PointsArguments& a) {
    return a.after_rank == 0 ? 1 : a.after[a.after_rank - 1].size;
}

void read_points(const PointsArguments& a) {
    const int64_t outer = element_count(a.before, a.before_rank);
    const int64_t slice = element_count(a.after, a.after_rank);
    if (slice == 0) return;
    visit_size(a.dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        parallel_for(0, outer * a.count, std::max<int64_t>(1, parallel_grain / slice),
                     [&](int64_t first, int64_t last) {
                         while (first < last) {
                             const int64_t before = first / a.count, point = first % a.count;
                             const int64_t stop = std::min(a.count, point + last - first);
                             run_points<T, Read>(a, Offsets::at(a.before, a.before_rank, before), point, stop,
                                                 0, line_size(a));
                             first += stop - point;
                         }
                     });
    });
}

// Parts are cut across `before` and across the fastest dimension, so that no two parts write to one place.
template <class T, class Op>
void write_all_points(const PointsArguments& a) {
    const int64_t outer = element_count(a.before, a.before_rank);
    const int64_t line = line_size(a);
    const int64_t work = a.count * element_count(a.after, a.after_rank);
    if (work == 0) return;
    const int64_t segment =
        outer >= 8 || work < parallel_grain ? line : std::max<int64_t>(64, (line + 7) / 8);
    const int64_t segments = (line + segment - 1) / segment;
    const int64_t grain = std::max<int64_t>(1, parallel_grain * segments / work);
    parallel_for(0, outer * segments, grain, [&](int64_t first, int64_t last) {
        for (; first < last; ++first) {
            const int64_t begin = first % segments * segment;
            run_points<T, Op>(a, Offsets::at(a.before, a.before_rank, first / segments), 0, a.count, begin,
                              std::min(line, begin + segment));
        }
    });
}

template <class Op>
void write_combined(const PointsArguments& a) {
    visit_dtype(a.dtype, [&](auto tag) { write_all_points<typename decltype(tag)::type, Combined<Op>>(a); });
}

void write_points(const PointsArguments& a, Combine combine) {
    switch (combine) {
        case Combine::assign:
            return visit_size(a.dtype,
                              [&](auto tag) { write_all_points<typename decltype(tag)::type, Assign>(a); });
        case Combine::add:
            return write_combined<Add>(a);
        case Combine::multiply:
            return write_combined<Multiply>(a);
        case Combine::maximum:
            return write_combined<Maximum>(a);
        case Combine::minimum:
            return write_combined<Minimum>(a);
    }
}

void add_offsets(const int64_t* index, int64_t count, int64_t size, int64_t stride, int64_t* offsets) {
    for (int64_t i = 0; i < count; ++i) offsets[i] += (index[i] < 0 ? index[i] + size : index[i]) * stride;
}

// --- Masks.

int64_t nonzero(DType dtype, const void* in, int64_t count, int64_t* positions) {
    int64_t found = 0;
    visit_dtype(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        const T* x = static_cast<const T*>(in);
        for (int64_t i = 0; i < count; ++i)  // without a branch, which could not be foretold
            positions[found] = i, found += convert<bool>(x[i]);
    });
    return found;
}

// Positions mostly share all coordinates but the last with the one before.
void unravel(const int64_t* positions, int64_t count, const int64_t* sizes, int rank, int64_t* coordinates) {
    if (rank == 0) return;
    const int64_t line = sizes[rank - 1];
    int64_t* const last = coordinates + (rank - 1) * count;
    int64_t start = -line;
    for (int64_t i = 0; i < count; ++i) {
        if (static_cast<uint64_t>(positions[i] - start) < static_cast<uint64_t>(line)) {
            for (int k = 0; k + 1 < rank; ++k) coordinates[k * count + i] = coordinates[k * count + i - 1];
        } else {
            start = positions[i] / line * line;
            int64_t rest = positions[i] / line;
            for (int k = rank - 2; k >= 0; --k) {
                coordinates[k * count + i] = rest % sizes[k];
                rest /= sizes[k];
            }
        }
        last[i] = positions[i] - start;
    }
}

}  // namespace

extern const IndexKernels index_table;
const IndexKernels index_table = {
    find_out_of_range, gather, scatter, read_points, write_points, add_offsets, nonzero, unravel,
};

}  // namespace rl::kernels::RUSHLIGHT_ISA
