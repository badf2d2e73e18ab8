// The way through the dimensions of a reduction: cursors, sources of elements, cuts. For kernels/cpu alone.
#pragma once

#include <algorithm>
#include <cstdlib>

#include "kernels/cpu/reduce_elements.h"
#include "kernels/reduce.h"

namespace rl::kernels::RUSHLIGHT_ISA {

constexpr int64_t block_size = 1024;       // elements of one output converted at a time
constexpr int64_t direct_size = 8192;      // elements of one output read in place at a time
constexpr int64_t parallel_grain = 32768;  // elements worth handing to another thread
constexpr int max_pieces = 64;             // parts that one output's input is cut into

// Neighbouring outputs reduced together: what fills a page.
template <class C>
inline constexpr int64_t tile_size = 4096 / static_cast<int64_t>(sizeof(C));

// A position in a list of dimensions, the last the fastest.
class Cursor {
  public:
    Cursor(const ReduceDim* dims, int rank, int64_t linear) : dims_(dims), last_(rank - 1) {
        for (int i = last_; i >= 0; --i) {
            index_[i] = linear == 0 ? 0 : linear % dims[i].size;
            if (linear == 0) continue;
            linear /= dims[i].size;
            in += index_[i] * dims[i].in_stride;
            out += index_[i] * dims[i].out_stride;
        }
    }
    int64_t run() const { return dims_[last_].size - index_[last_]; }  // left in the fastest dimension
    void advance(int64_t count) {                                      // at most run()
        move(last_, count);
        for (int i = last_; i > 0 && index_[i] == dims_[i].size; --i) {
            move(i, -dims_[i].size);
            move(i - 1, 1);
        }
    }
    int64_t in = 0;
    int64_t out = 0;

  private:
    void move(int i, int64_t count) {
        index_[i] += count;
        in += count * dims_[i].in_stride;
        out += count * dims_[i].out_stride;
    }
    const ReduceDim* dims_;
    int last_;
    int64_t index_[max_reduce_rank];
};

inline int64_t element_count(const ReduceDim* dims, int rank) {
    int64_t count = 1;
    for (int i = 0; i < rank; ++i) count *= dims[i].size;
    return count;
}

// Elements as C: loaded into a buffer, or, where there are loops for what is in memory, combined as they are
// read.
template <class C>
struct Source {
    const void* base;
    int element_size;
    double power;
    void (*load)(const void*, int64_t offset, int64_t stride, int64_t count, double power, C*);
    C (*total)(const void*, int64_t offset, int64_t stride, int64_t count) = nullptr;
    void (*lines)(const void*, int64_t offset, int64_t stride, int64_t lines, int64_t count, C*) = nullptr;
    void (*rows)(const void*, int64_t offset, int64_t stride, int64_t rows, int64_t width, C*, bool begin,
                 int64_t ahead) = nullptr;

    bool fused() const { return total != nullptr; }
    const C* read(int64_t offset, int64_t stride, int64_t count, C* buffer) const {
        load(base, offset, stride, count, power, buffer);
        return buffer;
    }
    // `count` elements along several dimensions from the cursor, which moves on.
    const C* read(int64_t offset, Cursor& cursor, int64_t stride, int64_t count, C* buffer) const {
        for (int64_t filled = 0; filled < count;) {
            const int64_t run = std::min(cursor.run(), count - filled);
            load(base, offset + cursor.in, stride, run, power, buffer + filled);
            cursor.advance(run);
            filled += run;
        }
        return buffer;
    }
    void prefetch_run(int64_t offset) const {
        for (int64_t byte = 0; byte < prefetch_bytes; byte += 64)
            prefetch(base, offset * element_size + byte);
    }
};

template <class R>
void load_mapped(const void* base, int64_t offset, int64_t stride, int64_t count, double power,
                 typename R::Element* out) {
    const auto* const x = static_cast<const typename R::Memory*>(base) + offset;
    int64_t i = 0;
    if constexpr (R::vectorized)
        if (stride == 1)
            for (; i + Vec<typename R::Element>::size <= count; i += Vec<typename R::Element>::size)
                R::vector(x + i).store(out + i);
    if (stride == 1)
        for (; i < count; ++i) out[i] = R::one(x[i], power);
    else
        for (; i < count; ++i) out[i] = R::one(x[i * stride], power);
}

// Elements that are loaded first.
template <class S, class C, class Map>
Source<C> loaded_source(const void* base, double power = 1) {
    return {base, sizeof(S), power, load_mapped<Reader<S, C, Map>>};
}

// Elements that are combined as they are read.
template <class R, class Op>
Source<typename R::Element> fused_source(const void* base) {
    return {base,
            sizeof(typename R::Memory),
            1,
            load_mapped<R>,
            total_of<R, Op>,
            line_totals<R, Op>,
            row_totals<R, Op>};
}

template <class C>
[[gnu::noinline]] void store(DType dtype, void* out, int64_t offset, int64_t stride, const C* values,
                             int64_t count) {
    const auto write = [&](auto* y) {
        using S = std::remove_pointer_t<decltype(y)>;
        for (int64_t i = 0; i < count; ++i) y[i * stride] = convert<S>(values[i]);
    };
    if constexpr (std::is_same_v<C, int64_t>)
        visit_dtype(dtype,
                    [&](auto tag) { write(static_cast<typename decltype(tag)::type*>(out) + offset); });
    else if constexpr (std::is_floating_point_v<C>)
        visit_floating(dtype,
                       [&](auto tag) { write(static_cast<typename decltype(tag)::type*>(out) + offset); });
    else if constexpr (std::is_same_v<C, int32_t>)
        return dtype == DType::int8    ? write(static_cast<int8_t*>(out) + offset)
               : dtype == DType::int16 ? write(static_cast<int16_t*>(out) + offset)
                                       : write(static_cast<C*>(out) + offset);
    else
        write(static_cast<C*>(out) + offset);  // such results have the type they are computed in
}

// Whether neighbouring outputs are better reduced side by side than one after the other.
inline bool side_by_side(const ReduceDim* kept, int kept_rank, const ReduceDim* reduced, int reduced_rank) {
    const ReduceDim& tile = kept[kept_rank - 1];
    if (tile.size < 8) return false;
    if (std::abs(tile.in_stride) < std::abs(reduced[reduced_rank - 1].in_stride)) return true;
    return reduced[reduced_rank - 1].size == 1;
}

// How `count` elements of one output are cut: by their number alone, into multiples of `unit`.
struct Pieces {
    Pieces(int64_t count, int64_t grain, int64_t unit) {
        size = std::max(grain, (count + max_pieces - 1) / max_pieces);
        size = (size + unit - 1) / unit * unit;
        number = (count + size - 1) / size;
    }
    int64_t size;
    int64_t number;
};

// The other kernels of the table.
void moments(const MomentsArguments& arguments);
void arg_reduce(const ArgReduceArguments& arguments);

}  // namespace rl::kernels::RUSHLIGHT_ISA
