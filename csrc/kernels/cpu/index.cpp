// Indexing loops. Copies know only the size of an element; combinations know its type.
#include "kernels/index.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>

#include "core/scratch.h"
#include "core/threads.h"
#include "kernels/cpu/convert.h"
#include "kernels/cpu/short_lines.h"

namespace rl::kernels::RUSHLIGHT_ISA {
namespace {

constexpr int64_t parallel_grain = 16384;  // elements worth handing to another thread

// Whether all indices lie in [low, low + range).
bool are_inside(const int64_t* index, int64_t count, int64_t low, uint64_t range) {
    uint64_t outside = 0;
    for (int64_t i = 0; i < count; ++i)
        outside |= static_cast<uint64_t>(index[i]) - static_cast<uint64_t>(low) >= range;
    return outside == 0;
}

int64_t find_out_of_range(const int64_t* index, int64_t count, int64_t low, int64_t high) {
    const uint64_t range = static_cast<uint64_t>(high) - static_cast<uint64_t>(low);
    std::atomic<bool> found{false};
    parallel_for(0, count, parallel_grain, [&](int64_t first, int64_t last) {
        if (!are_inside(index + first, last - first, low, range))
            found.store(true, std::memory_order_relaxed);
    });
    if (!found.load(std::memory_order_relaxed)) return -1;
    return std::find_if(index, index + count, [=](int64_t i) { return !are_inside(&i, 1, low, range); }) -
           index;
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
    static constexpr bool copies = true;
    template <class T>
    static void apply(T& table, T& value) {
        value = table;
    }
};
struct Assign {
    static constexpr bool copies = true;
    template <class T>
    static void apply(T& table, T& value) {
        table = value;
    }
};
template <class Op>
struct Combined {  // in the compute type, rounded at each step
    static constexpr bool copies = false;
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
// Whether an extremum is the table's element already; one that is not a number stays.
struct Maximum {
    template <class C>
    static bool stays(C table, C value) {
        return (table > value) | (table != table);
    }
};
struct Minimum {
    template <class C>
    static bool stays(C table, C value) {
        return (table < value) | (table != table);
    }
};
// One of the two elements, without a branch, which could not be foretold. Complex numbers have no order.
template <class Op>
struct Chosen {
    static constexpr bool copies = false;
    template <class T>
    static void apply(T& table, T& value) {
        if constexpr (!is_complex_type<T>) {
            using Bits =
                std::conditional_t<sizeof(T) == 8, uint64_t,
                                   std::conditional_t<sizeof(T) == 4, uint32_t,
                                                      std::conditional_t<sizeof(T) == 2, uint16_t, uint8_t>>>;
            const auto mask = static_cast<Bits>(
                -static_cast<Bits>(Op::stays(convert<Compute<T>>(table), convert<Compute<T>>(value))));
            const auto old = std::bit_cast<Bits>(table), other = std::bit_cast<Bits>(value);
            table = std::bit_cast<T>(static_cast<Bits>(other ^ ((old ^ other) & mask)));
        }
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

// The dimensions of a gather as loops: those of size one left out, neighbours joined. Along the indexed
// dimension the table's stride is 0, and the index moves by `index_stride`.
struct GatherLoops {
    explicit GatherLoops(const GatherArguments& a) : index_stride(a.dims[a.dim].table_stride) {
        for (int i = 0; i < a.rank; ++i) {
            IndexDim dim = a.dims[i];
            if (i == a.dim) dim.table_stride = 0;
            if (dim.size == 1) continue;
            last_is_indexed = i == a.dim;
            has_indexed |= last_is_indexed;
            if (rank > 0 && joins(dims[rank - 1], dim))
                dims[rank - 1] = {dims[rank - 1].size * dim.size, dim.table_stride, dim.values_stride};
            else
                dims[rank++] = dim;
        }
        if (rank == 0) dims[rank++] = {1, 0, 0};
    }
    static bool joins(const IndexDim& outer, const IndexDim& inner) {
        return outer.table_stride == inner.table_stride * inner.size &&
               outer.values_stride == inner.values_stride * inner.size;
    }
    // Whether elements of different rows have different places in the table.
    bool rows_are_apart() const { return last_is_indexed || !has_indexed; }
    const IndexDim& row() const { return dims[rank - 1]; }

    IndexDim dims[max_index_rank];
    int rank = 0;
    int64_t index_stride;
    bool has_indexed = false, last_is_indexed = false;
};

// Calls visit(position, its offsets) for the positions [first, last) of dimensions.
template <class Visit>
void for_offsets(const IndexDim* dims, int rank, int64_t first, int64_t last, Visit visit) {
    const IndexDim inner = rank > 0 ? dims[rank - 1] : IndexDim{1, 0, 0};
    while (first < last) {
        const int64_t end = std::min(last, first - first % inner.size + inner.size);
        for (Offsets offsets = Offsets::at(dims, rank, first); first < end; ++first) {
            visit(first, offsets);
            offsets.table += inner.table_stride;
            offsets.values += inner.values_stride;
        }
    }
}

// The part of the next row that is read after this one, which is too far away to be foretold.
void prefetch_next(const int64_t* index, int64_t count) {
    for (int64_t i = 0; i < count; i += 8) __builtin_prefetch(index + i);
}

// Columns of a table: those of its rows, or a copy of them.
template <class T>
struct Columns {
    T* first;
    int64_t stride;  // from one index to the next
};

// One row's elements, or a part of them, where both sides are contiguous.
template <class T, class Op>
inline void gather_contiguous(T* table, T* values, const int64_t* index, int64_t count) {
#pragma GCC unroll 8
    for (int64_t j = 0; j < count; ++j) Op::template apply<T>(table[index[j]], values[j]);
}

template <class T, class Op>
[[gnu::noinline]] void gather_row(T* table, T* values, const int64_t* index, int64_t count, int64_t stride,
                                  int64_t step, int64_t values_stride) {
    if (values_stride == 1 && step == 0 && stride == 1) {
        gather_contiguous<T, Op>(table, values, index, count);
    } else if (values_stride == 1 && step == 1) {
        for (int64_t j = 0; j < count; ++j) Op::template apply<T>(table[j + index[j] * stride], values[j]);
    } else {
        for (int64_t j = 0; j < count; ++j)
            Op::template apply<T>(table[j * step + index[j] * stride], values[j * values_stride]);
    }
}

constexpr int64_t gather_block = 1024;  // indices that are still in the cache after they were checked

// Whole rows [first, last) of a few elements each, as many as a block holds at a time. False, and the block
// left out, where an index is out of range.
template <class T, class Op>
[[gnu::noinline]] bool gather_short_rows(const GatherArguments& a, const GatherLoops& loops, T* columns,
                                         int64_t first, int64_t last) {
    const IndexDim row = loops.row();
    const bool contiguous = row.values_stride == 1 && row.table_stride == 0 && loops.index_stride == 1;
    bool inside = true;
    for (int64_t number; first < last; first += number) {
        number = std::min(gather_block / row.size, last - first);
        if (!are_inside(a.index + first * row.size, number * row.size, 0,
                        static_cast<uint64_t>(a.table_size))) {
            inside = false;
            continue;
        }
        for_offsets(loops.dims, loops.rank - 1, first, first + number, [&](int64_t i, Offsets at) {
            T* const table = columns + at.table;
            T* const values = static_cast<T*>(a.values) + at.values;
            const int64_t* const index = a.index + i * row.size;
            if (contiguous)
                gather_contiguous<T, Op>(table, values, index, row.size);
            else
                gather_row<T, Op>(table, values, index, row.size, loops.index_stride, row.table_stride,
                                  row.values_stride);
        });
    }
    return inside;
}

// Columns [begin, end) of rows [first, last), a block at a time. False, and the block left out, where an
// index is out of range.
template <class T, class Op>
[[gnu::noinline]] bool gather_rows(const GatherArguments& a, const GatherLoops& loops, Columns<T> columns,
                                   int64_t first, int64_t last, int64_t begin, int64_t end) {
    const IndexDim& row = loops.row();
    const int64_t width = end - begin;
    bool inside = true;
    for_offsets(loops.dims, loops.rank - 1, first, last, [&](int64_t i, Offsets at) {
        T* const table = columns.first + at.table;
        T* const values = static_cast<T*>(a.values) + at.values + begin * row.values_stride;
        const int64_t* const index = a.index + i * row.size + begin;
        for (int64_t start = 0; start < width; start += gather_block) {
            const int64_t count = std::min(gather_block, width - start);
            if (i + 1 < last && width < row.size) prefetch_next(index + start + row.size, count);
            if (are_inside(index + start, count, 0, static_cast<uint64_t>(a.table_size)))
                gather_row<T, Op>(table + start * row.table_stride, values + start * row.values_stride,
                                  index + start, count, columns.stride, row.table_stride, row.values_stride);
            else
                inside = false;
        }
    });
    return inside;
}

constexpr int64_t conflicting_bytes = 2048;  // rows that lie multiples of this apart meet in few cache sets
constexpr int64_t cached_bytes = 1 << 18;    // of a table's columns that are worked on together

// Whether columns of the table had better be copied: its rows would push each other out of the caches, and
// enough of them are met.
bool rows_conflict(const GatherArguments& a, const GatherLoops& loops, bool writes) {
    const int64_t bytes = static_cast<int64_t>(item_size(a.dtype)), rows = loops.dims[0].size;
    return loops.rank == 2 && loops.has_indexed && !loops.last_is_indexed && loops.row().table_stride == 1 &&
           (writes || bytes <= 4) && loops.row().size >= 256 &&
           loops.index_stride * bytes % conflicting_bytes == 0 && rows >= 64 && 2 * rows >= a.table_size &&
           a.table_size * bytes <= cached_bytes / 16;
}

// Columns [begin, end) of all rows, in a copy of them.
template <class T, class Op>
bool gather_copied(const GatherArguments& a, const GatherLoops& loops, int64_t begin, int64_t end) {
    const int64_t width = end - begin, stride = loops.index_stride;
    const auto bytes = static_cast<size_t>(width) * sizeof(T);
    T* const table = static_cast<T*>(a.table) + begin;
    T* const copy = scratch_array<T>(ScratchUse::local, static_cast<size_t>(a.table_size * width));
    for (int64_t i = 0; i < a.table_size; ++i) std::memcpy(copy + i * width, table + i * stride, bytes);
    const bool inside = gather_rows<T, Op>(a, loops, {copy, width}, 0, loops.dims[0].size, begin, end);
    if constexpr (!std::is_same_v<Op, Read>)
        for (int64_t i = 0; i < a.table_size; ++i) std::memcpy(table + i * stride, copy + i * width, bytes);
    return inside;
}

// Rows that may meet in the table are cut by columns; elements of a column keep their order.
template <class T, class Op>
bool run_gather(const GatherArguments& a, bool writes) {
    const GatherLoops loops(a);
    const int64_t row = loops.row().size, step = loops.row().table_stride;
    const int64_t rows = element_count(loops.dims, loops.rank - 1);
    if (row == 0 || rows == 0) return true;
    std::atomic<bool> inside{true};
    const auto note = [&](bool piece) {
        if (!piece) inside.store(false, std::memory_order_relaxed);
    };
    const auto columns_from = [&](int64_t begin) {
        return Columns<T>{static_cast<T*>(a.table) + begin * step, loops.index_stride};
    };
    const bool copies = rows_conflict(a, loops, writes);
    if (rows > 1 && !copies && (!writes || loops.rows_are_apart())) {
        constexpr int64_t few = 64;  // elements of a row that is short
        parallel_for(0, rows, std::max<int64_t>(1, parallel_grain / row), [&](int64_t first, int64_t last) {
            note(row <= few ? gather_short_rows<T, Op>(a, loops, columns_from(0).first, first, last)
                            : gather_rows<T, Op>(a, loops, columns_from(0), first, last, 0, row));
        });
        return inside.load(std::memory_order_relaxed);
    }
    int64_t width = row;
    if (rows * row >= parallel_grain && (rows > 1 || !writes)) width = std::max<int64_t>(64, (row + 7) / 8);
    if (rows > 1 && a.table_size > 0)
        width = std::min(
            width, std::max<int64_t>(64, cached_bytes / static_cast<int64_t>(sizeof(T)) / a.table_size));
    parallel_for(0, row, width, [&](int64_t begin, int64_t end) {
        note(copies ? gather_copied<T, Op>(a, loops, begin, end)
                    : gather_rows<T, Op>(a, loops, columns_from(begin), 0, rows, begin, end));
    });
    return inside.load(std::memory_order_relaxed);
}

bool gather(const GatherArguments& a) {
    bool inside = true;
    visit_size(a.dtype, [&](auto tag) { inside = run_gather<typename decltype(tag)::type, Read>(a, false); });
    return inside;
}

template <class Op>
bool scatter_typed(const GatherArguments& a) {
    bool inside = true;
    visit_dtype(a.dtype, [&](auto tag) { inside = run_gather<typename decltype(tag)::type, Op>(a, true); });
    return inside;
}

bool scatter_assigned(const GatherArguments& a) {
    bool inside = true;
    visit_size(a.dtype,
               [&](auto tag) { inside = run_gather<typename decltype(tag)::type, Assign>(a, true); });
    return inside;
}

bool scatter(const GatherArguments& a, Combine combine) {
    switch (combine) {
        case Combine::assign:
            return scatter_assigned(a);
        case Combine::add:
            return scatter_typed<Combined<Add>>(a);
        case Combine::multiply:
            return scatter_typed<Combined<Multiply>>(a);
        case Combine::maximum:
            return scatter_typed<Chosen<Maximum>>(a);
        case Combine::minimum:
            return scatter_typed<Chosen<Minimum>>(a);
    }
    return true;
}

// --- One index a slice.

// A line of its own.
[[gnu::noinline]] void copy_line(void* to, const void* from, int64_t bytes) {
    copy_lines([=](int64_t) { return static_cast<char*>(to); },
               [=](int64_t) { return static_cast<const char*>(from); }, bytes, 1);
}

template <class T, class Op>
void run_line(T* __restrict table, T* __restrict values, int64_t count, int64_t table_stride,
              int64_t values_stride) {
    if (table_stride == 1 && values_stride == 1) {
        if constexpr (std::is_same_v<Op, Read>)
            copy_line(values, table, count * static_cast<int64_t>(sizeof(T)));
        else if constexpr (Op::copies)
            copy_line(table, values, count * static_cast<int64_t>(sizeof(T)));
        else
            for (int64_t i = 0; i < count; ++i) Op::template apply<T>(table[i], values[i]);
    } else if (std::is_same_v<Op, Assign> && table_stride == 1 && values_stride == 0) {
        std::fill_n(table, count, *values);
    } else {
        for (int64_t i = 0; i < count; ++i)
            Op::template apply<T>(table[i * table_stride], values[i * values_stride]);
    }
}

// Where indices point to.
struct Place {
    explicit Place(const PointsArguments& a) : index(a.index), size(a.size), stride(a.stride) {}
    int64_t operator()(int64_t p) const { return (index[p] + (size & (index[p] >> 63))) * stride; }
    const int64_t* index;
    int64_t size, stride;
};

// Single elements of the points [first, last).
template <class T, class Op, class Where>
void run_elements(T* table, T* values, int64_t values_stride, int64_t first, int64_t last, Where place) {
    if (values_stride == 1) {
#pragma GCC unroll 8
        for (int64_t p = first; p < last; ++p) Op::template apply<T>(table[place(p)], values[p]);
    } else {
        for (int64_t p = first; p < last; ++p)
            Op::template apply<T>(table[place(p)], values[p * values_stride]);
    }
}

// Single elements of all points, for each of the positions [first, last) before them.
template <class T, class Op>
[[gnu::noinline]] void run_all_elements(const PointsArguments& a, int64_t first, int64_t last) {
    constexpr int64_t most = 1024;  // places that are worth keeping
    const Place place(a);
    int64_t places[most];
    const bool few = a.count <= most && last - first > 1;
    for (int64_t p = 0; few && p < a.count; ++p) places[p] = place(p);
    for_offsets(a.before, a.before_rank, first, last, [&](int64_t, Offsets at) {
        T* const table = static_cast<T*>(a.table) + at.table;
        T* const values = static_cast<T*>(a.values) + at.values;
        if (few)
            run_elements<T, Op>(table, values, a.values_stride, 0, a.count,
                                [&](int64_t p) { return places[p]; });
        else
            run_elements<T, Op>(table, values, a.values_stride, 0, a.count, place);
    });
}

// Contiguous lines of the points [first, last), in a table and values of elements of so many bytes.
template <class Op>
[[gnu::noinline]] void copy_points(const PointsArguments& a, int64_t size, void* table, void* values,
                                   int64_t first, int64_t last, int64_t bytes) {
    const Place place(a);
    const auto in_table = [=](int64_t i) { return static_cast<char*>(table) + place(first + i) * size; };
    const auto in_values = [=, step = a.values_stride * size](int64_t i) {
        return static_cast<char*>(values) + (first + i) * step;
    };
    if constexpr (std::is_same_v<Op, Read>)
        copy_lines(in_values, in_table, bytes, last - first);
    else
        copy_lines(in_table, in_values, bytes, last - first);
}

// The slices of the points [first, last) of one `before`, restricted to [begin, end) of the fastest
// dimension.
template <class T, class Op>
[[gnu::noinline]] void run_points(const PointsArguments& a, Offsets base, int64_t first, int64_t last,
                                  int64_t begin, int64_t end) {
    T* const table = static_cast<T*>(a.table) + base.table;
    T* const values = static_cast<T*>(a.values) + base.values;
    const Place place(a);
    if (a.after_rank == 0) return run_elements<T, Op>(table, values, a.values_stride, first, last, place);
    const IndexDim& line = a.after[a.after_rank - 1];
    const int64_t lines = element_count(a.after, a.after_rank - 1);
    if constexpr (Op::copies) {
        constexpr int64_t size = sizeof(T);
        if (lines == 1 && line.table_stride == 1 && line.values_stride == 1)
            return copy_points<Op>(a, size, table + begin, values + begin, first, last, (end - begin) * size);
    }
    for (int64_t p = first; p < last; ++p)
        for (int64_t i = 0; i < lines; ++i) {
            Offsets offsets{place(p) + begin * line.table_stride,
                            p * a.values_stride + begin * line.values_stride};
            if (lines > 1) {
                const Offsets more = Offsets::at(a.after, a.after_rank - 1, i);
                offsets = {offsets.table + more.table, offsets.values + more.values};
            }
            run_line<T, Op>(table + offsets.table, values + offsets.values, end - begin, line.table_stride,
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
        if (a.after_rank == 0 && outer > 1 && a.count <= parallel_grain)
            return parallel_for(
                0, outer, parallel_grain / std::max<int64_t>(1, a.count),
                [&](int64_t first, int64_t last) { run_all_elements<T, Read>(a, first, last); });
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

// Parts of a table along its indexed dimension: a thread that filled or copied one meets it again.
struct TableParts {
    explicit TableParts(const PointsArguments& a) : size(a.size), rows((a.size + number - 1) / number) {}
    // Whether slices are long, and the points, of which a few are looked at, fall to all parts alike.
    bool suit(const PointsArguments& a, int64_t slice) const {
        constexpr int64_t samples = 64;
        if (element_count(a.before, a.before_rank) > 1 || size < samples || a.count < samples || slice < 64)
            return false;
        int64_t met[number] = {};
        for (int64_t k = 0; k < samples; ++k) ++met[row(a.index[k * a.count / samples]) / rows];
        return *std::max_element(met, met + number) <= samples / 4;
    }
    int64_t row(int64_t index) const { return index < 0 ? index + size : index; }

    static constexpr int64_t number = 8;
    int64_t size, rows;
};

// Parts are cut across rows of the table, or across `before` and the fastest dimension: no two of them write
// to one place.
template <class T, class Op>
void write_all_points(const PointsArguments& a) {
    const int64_t outer = element_count(a.before, a.before_rank);
    const int64_t line = line_size(a);
    const int64_t work = a.count * element_count(a.after, a.after_rank);
    if (work == 0) return;
    const TableParts parts(a);
    if (work >= parallel_grain && parts.suit(a, work / a.count))
        return parallel_for(0, a.size, parts.rows, [&](int64_t first, int64_t last) {
            for (int64_t p = 0; p < a.count; ++p) {
                const int64_t row = parts.row(a.index[p]);
                if (first <= row && row < last) run_points<T, Op>(a, {}, p, p + 1, 0, line);
            }
        });
    const int64_t segment =
        outer >= 8 || work < parallel_grain
            ? line
            : std::max({int64_t{64}, (line + 7) / 8, std::min(int64_t{256}, (line + 1) / 2)});
    const int64_t segments = (line + segment - 1) / segment;
    const int64_t grain = std::max<int64_t>(1, parallel_grain * segments / work);
    parallel_for(0, outer * segments, grain, [&](int64_t first, int64_t last) {
        if (a.after_rank == 0) return run_all_elements<T, Op>(a, first, last);
        for (; first < last; ++first) {
            const int64_t begin = first % segments * segment;
            run_points<T, Op>(a, Offsets::at(a.before, a.before_rank, first / segments), 0, a.count, begin,
                              std::min(line, begin + segment));
        }
    });
}

void write_points(const PointsArguments& a, bool add) {
    if (add)
        visit_dtype(a.dtype,
                    [&](auto tag) { write_all_points<typename decltype(tag)::type, Combined<Add>>(a); });
    else
        visit_size(a.dtype, [&](auto tag) { write_all_points<typename decltype(tag)::type, Assign>(a); });
}

void place_points(const int64_t* index, int64_t count, int64_t size, int64_t stride, bool add,
                  int64_t* offsets) {
    parallel_for(0, count, parallel_grain, [=](int64_t first, int64_t last) {
        const auto offset = [=](int64_t i) { return (index[i] < 0 ? index[i] + size : index[i]) * stride; };
        if (add)
            for (int64_t i = first; i < last; ++i) offsets[i] += offset(i);
        else
            for (int64_t i = first; i < last; ++i) offsets[i] = offset(i);
    });
}

// --- Masks.

int64_t count_nonzero(DType dtype, const void* in, int64_t count, int64_t* starts) {
    visit_dtype(dtype, [&]<class T>(TypeTag<T>) {
        const T* const x = static_cast<const T*>(in);
        parallel_for(0, count, selection_piece, [=](int64_t first, int64_t last) {
            int64_t found = 0;
            for (int64_t begin = first; begin < last; begin += 128) {
                uint8_t few = 0;  // of at most 128
                for (int64_t i = begin; i < std::min(last, begin + 128); ++i) few += convert<bool>(x[i]);
                found += few;
            }
            starts[first / selection_piece] = found;
        });
    });
    int64_t all = 0;
    for (int64_t piece = 0; piece < selection_pieces(count); ++piece) {
        const int64_t found = starts[piece];
        starts[piece] = all;
        all += found;
    }
    return all;
}

// Calls put(place, i) for the places from 0 on of the elements i that are not zero. Within a run of elements
// without a branch, which could not be foretold: a place that is not taken is put again.
template <class T, class Put>
void for_each_nonzero(const T* x, int64_t count, const int64_t* starts, int64_t all, Put put) {
    parallel_for(0, count, selection_piece, [=](int64_t first, int64_t last) {
        const int64_t piece = first / selection_piece;
        const int64_t end = last == count ? all : starts[piece + 1];
        int64_t place = starts[piece];
        for (int64_t i = first; place < end; ++i) {
            put(place, i);
            place += convert<bool>(x[i]);
        }
    });
}

void nonzero(DType dtype, const void* in, int64_t count, const int64_t* starts, int64_t all,
             int64_t* positions) {
    visit_dtype(dtype, [&]<class T>(TypeTag<T>) {
        for_each_nonzero(static_cast<const T*>(in), count, starts, all,
                         [=](int64_t place, int64_t i) { positions[place] = i; });
    });
}

void masked_select(DType dtype, const void* in, const bool* mask, int64_t count, const int64_t* starts,
                   int64_t all, void* selected) {
    visit_size(dtype, [&]<class T>(TypeTag<T>) {
        for_each_nonzero(mask, count, starts, all, [=](int64_t place, int64_t i) {
            static_cast<T*>(selected)[place] = static_cast<const T*>(in)[i];
        });
    });
}

void masked_scatter(DType dtype, const void* source, const bool* mask, int64_t count, const int64_t* starts,
                    int64_t all, void* out) {
    visit_size(dtype, [&]<class T>(TypeTag<T>) {
        T* const x = static_cast<T*>(out);
        for_each_nonzero(mask, count, starts, all, [=](int64_t place, int64_t i) {
            const T* const from[] = {x + i, static_cast<const T*>(source) + place};
            x[i] = *from[mask[i]];
        });
    });
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

void count_indices(const int64_t* index, int64_t count, int64_t bins, int64_t* counts) {
    constexpr int64_t tables = 4, most = 1 << 14;  // so that equal neighbours need not wait for each other
    if (bins > most || count < 4 * bins) {
        for (int64_t i = 0; i < count; ++i) ++counts[index[i]];
        return;
    }
    int64_t* const table = scratch_array<int64_t>(ScratchUse::local, tables * bins);
    std::fill_n(table, tables * bins, 0);
    int64_t i = 0;
    for (; i + tables <= count; i += tables)
        for (int64_t k = 0; k < tables; ++k) ++table[k * bins + index[i + k]];
    for (; i < count; ++i) ++table[index[i]];
    for (int64_t bin = 0; bin < bins; ++bin)
        for (int64_t k = 0; k < tables; ++k) counts[bin] += table[k * bins + bin];
}

}  // namespace

extern const IndexKernels index_table;
const IndexKernels index_table = {
    find_out_of_range, gather,  scatter,       read_points,    write_points, place_points,
    count_nonzero,     nonzero, masked_select, masked_scatter, unravel,      count_indices,
};

}  // namespace rl::kernels::RUSHLIGHT_ISA
