// Largest elements of windows.
#include "kernels/pool.h"

#include <algorithm>
#include <limits>

#include "core/threads.h"
#include "kernels/cpu/convolution_patches.h"
#include "kernels/cpu/partial_vectors.h"
#include "kernels/simd/half.h"

namespace rl::kernels::RUSHLIGHT_ISA {
namespace {

template <class T>
constexpr T lowest() {
    if constexpr (std::is_floating_point_v<T>)
        return -std::numeric_limits<T>::infinity();
    else
        return std::numeric_limits<T>::lowest();
}

template <class S>
using Compared = std::conditional_t<std::is_same_v<S, Half> || std::is_same_v<S, BFloat16>, float, S>;

template <class S>
void pool_window(const AxisWindows* w, const S* plane, size_t z, size_t y, size_t x, S* output,
                 int64_t* index) {
    using T = Compared<S>;
    T best = lowest<T>();
    int64_t place = -1;
    for (int64_t i = w[0].first[z]; i < w[0].last[z]; i += w[0].step) {
        for (int64_t j = w[1].first[y]; j < w[1].last[y]; j += w[1].step) {
            const int64_t row = (i * w[1].input + j) * w[2].input;
            for (int64_t k = w[2].first[x]; k < w[2].last[x]; k += w[2].step) {
                const T value = static_cast<T>(plane[row + k]);
                if (value > best || value != value || place < 0) {
                    best = value;
                    place = row + k;
                }
            }
        }
    }
    *output = static_cast<S>(best);
    if (index != nullptr) *index = std::max<int64_t>(place, 0);
}

// Elements `stride` apart, `count` of them; a stride of 1 to 4 may be known where this is compiled.
template <class T, int known>
Vec<T> load_strided(const T* source, int64_t stride, int64_t count) {
    if constexpr (known > 0) {
        return load_every<T, known>(source, count);
    } else {
        Vector<T> values{};
#pragma GCC unroll 16
        for (int lane = 0; lane < lanes<T>; ++lane)
            values[lane] = source[std::min<int64_t>(lane, count - 1) * stride];
        return values;
    }
}

// The largest elements so far, lane by lane, and where they are.
template <class T, bool indexed>
struct Best {
    using Index = IntegerOf<T>;
    Vec<T> value;
    Vec<Index> place;

    void take(Vec<T> other, Vec<Index> where) {
        const auto better = (other > value) | (other != other);
        value = select(better, other, value);
        if constexpr (indexed) place = select(better, where, place);
    }
    void store_places(int64_t* indices, int64_t count) const {
        alignas(vector_bytes) Index places[lanes<T>];
        place.store(places);
        for (int64_t lane = 0; lane < count; ++lane) indices[lane] = places[lane];
    }
};

// Windows [begin, end) of a line, none of them clipped in the last dimension, a vector at a time.
template <class T, int known_stride>
void pool_windows(const AxisWindows* w, const T* plane, size_t z, size_t y, Range windows, T* output,
                  int64_t* indices) {
    using Index = IntegerOf<T>;
    const int64_t stride = w[2].stride, width = w[2].width, step = w[2].step, pitch = w[2].input;
    const int64_t first_slice = w[0].first[z], last_slice = w[0].last[z];
    const int64_t first_row = w[1].first[y], last_row = w[1].last[y];
    const auto lane = Vec<Index>(constant_vector<Index>([](int j) { return j; }));
    const Vec<Index> steps = lane * Vec<Index>(static_cast<Index>(stride));
    for (int64_t x = windows.first; x < windows.first + windows.count; x += lanes<T>) {
        const int64_t count = std::min<int64_t>(lanes<T>, windows.first + windows.count - x);
        const int64_t start = w[2].origin + x * stride;
        const int64_t corner = (first_slice * w[1].input + first_row) * pitch + start;
        Best<T, true> best{Vec<T>(lowest<T>()), steps + Vec<Index>(static_cast<Index>(corner))};
        for (int64_t i = first_slice; i < last_slice; i += w[0].step) {
            for (int64_t j = first_row; j < last_row; j += w[1].step) {
                const int64_t row = (i * w[1].input + j) * pitch + start;
                for (int64_t k = row; k < row + width; k += step)
                    best.take(load_strided<T, known_stride>(plane + k, stride, count),
                              steps + Vec<Index>(static_cast<Index>(k)));
            }
        }
        best.value.store(output + x, count);
        best.store_places(indices + x, count);
    }
}

template <class T>
using PoolWindows = void (*)(const AxisWindows*, const T*, size_t, size_t, Range, T*, int64_t*);
template <class T>
PoolWindows<T> pool_windows_function(int64_t stride) {
    if (stride == 1) return &pool_windows<T, 1>;
    if (stride == 2) return &pool_windows<T, 2>;
    return &pool_windows<T, 0>;
}

// One line of values alone: the rows of its windows are joined first, whole lines at a time, into `joined`,
// around whose `input` elements padding has been laid.
template <class T>
void join_rows(const AxisWindows* w, const T* plane, size_t z, size_t y, T* joined) {
    const int64_t pitch = w[2].input;
    for (int64_t x = 0; x < pitch; x += lanes<T>) {
        const int64_t count = std::min<int64_t>(lanes<T>, pitch - x);
        Vec<T> best(lowest<T>());
        for (int64_t i = w[0].first[z]; i < w[0].last[z]; i += w[0].step)
            for (int64_t j = w[1].first[y]; j < w[1].last[y]; j += w[1].step)
                best = maximum(Vec<T>::load(plane + (i * w[1].input + j) * pitch + x, count), best);
        best.store(joined + x, count);
    }
}
template <class T, int known_stride>
void join_known_columns(const AxisWindows& w, const T* joined, Range windows, T* output) {
    const auto join = [&](int64_t x, auto count) {
        const T* source = joined + w.origin + x * w.stride;
        for (int64_t part = 0; part < w.stride; ++part) prefetch_ahead<0>(source + part * lanes<T>, 2048);
        prefetch_ahead<1>(output + x, 1024);
        Vec<T> best(lowest<T>());
        for (int64_t k = 0; k < w.width; k += w.step)
            best = maximum(load_strided<T, known_stride>(source + k, w.stride, count), best);
        best.store(output + x, count);
    };
    const int64_t end = windows.first + windows.count;
    int64_t x = windows.first;
    for (; x + lanes<T> <= end; x += lanes<T>) join(x, std::integral_constant<int64_t, lanes<T>>());
    if (x < end) join(x, end - x);
}
// The largest elements of some windows of a line.
template <class T>
void join_columns(const AxisWindows& w, const T* joined, Range windows, T* output) {
    if (w.stride == 1) return join_known_columns<T, 1>(w, joined, windows, output);
    if (w.stride == 2) return join_known_columns<T, 2>(w, joined, windows, output);
    if (w.stride == 3) return join_known_columns<T, 3>(w, joined, windows, output);
    if constexpr (lanes<T> >= 4)
        if (w.stride == 4) return join_known_columns<T, 4>(w, joined, windows, output);
    join_known_columns<T, 0>(w, joined, windows, output);
}

// The windows of a line that are not clipped.
Range whole_windows(const AxisWindows& w) {
    const int64_t first = std::min(w.output(), ceil_divide(std::max<int64_t>(0, -w.origin), w.stride));
    const int64_t room = w.input - w.origin - w.width;
    return {first, std::clamp<int64_t>(room < 0 ? 0 : room / w.stride + 1, first, w.output()) - first};
}

template <class T>
void pool_values(const AxisWindows* w, const T* plane, size_t z, size_t y, T* joined, T* output) {
    const auto& axis = w[2];
    if (w[0].last[z] - w[0].first[z] != 1 || w[1].last[y] - w[1].first[y] != 1) {
        join_rows(w, plane, z, y, joined);
        return join_columns<T>(axis, joined, {0, axis.output()}, output);
    }
    const Range whole = whole_windows(axis);
    join_columns(axis, plane + (w[0].first[z] * w[1].input + w[1].first[y]) * axis.input, whole, output);
    for (int64_t x = 0; x < axis.output(); ++x) {
        if (x == whole.first) x += whole.count;
        if (x < axis.output()) pool_window<T>(w, plane, z, y, static_cast<size_t>(x), output + x, nullptr);
    }
}

// Memory for join_rows with padding as far as any window reaches; null where windows are not equally spaced.
template <class T>
T* padded_line(const AxisWindows& w) {
    if (w.stride <= 0) return nullptr;
    const int64_t before = std::max<int64_t>(0, -w.origin);
    const int64_t reach = w.origin + (w.output() - 1) * w.stride + w.width;
    const int64_t count = before + std::max(reach, w.input);
    T* line = scratch_array<T>(ScratchUse::vector, static_cast<size_t>(count));
    std::fill_n(line, count, lowest<T>());
    return line + before;
}

// The window that is a whole plane of at least a vector; its last vector may take elements again, which
// changes nothing.
template <class T>
void pool_whole(const T* plane, int64_t size, T* output, int64_t* index) {
    using Index = IntegerOf<T>;
    const auto lane = Vec<Index>(constant_vector<Index>([](int j) { return j; }));
    Best<T, true> best{Vec<T>(lowest<T>()), lane};
    for (int64_t i = 0; i < size; i += lanes<T>) {
        const int64_t place = std::min<int64_t>(i, size - lanes<T>);
        best.take(Vec<T>::load(plane + place), lane + Vec<Index>(static_cast<Index>(place)));
    }
    T value = best.value[0];
    Index place = best.place[0];
    for (int j = 1; j < lanes<T>; ++j) {
        const T other = best.value[j];
        const Index where = best.place[j];
        const bool odd = value != value, other_odd = other != other;
        const bool further = odd == other_odd && (odd ? where > place : other == value && where < place);
        if (other > value || (other_odd && !odd) || further) {
            value = other;
            place = where;
        }
    }
    *output = value;
    if (index != nullptr) *index = place;
}

bool is_whole(const AxisWindows& w) {
    return w.output() == 1 && w.first[0] == 0 && w.last[0] == w.input && w.step == 1;
}

// One line of outputs: the unclipped windows as vectors, the rest one by one.
template <class T>
void pool_line(const AxisWindows* w, const T* plane, size_t z, size_t y, T* output, int64_t* indices) {
    const auto& axis = w[2];
    int64_t begin = 0, end = 0;
    if constexpr (std::is_floating_point_v<T>) {
        const bool filled = w[0].first[z] < w[0].last[z] && w[1].first[y] < w[1].last[y];
        const bool narrow = w[0].input * w[1].input * axis.input <= std::numeric_limits<int32_t>::max();
        if (indices != nullptr && filled && narrow && axis.stride > 0) {
            const Range whole = whole_windows(axis);
            begin = whole.first;
            end = begin + whole.count;
        }
        if (begin < end)
            pool_windows_function<T>(axis.stride)(w, plane, z, y, {begin, end - begin}, output, indices);
    }
    for (int64_t x = 0; x < axis.output(); ++x) {
        if (x == begin) x = end;
        if (x < axis.output())
            pool_window(w, plane, z, y, static_cast<size_t>(x), output + x,
                        indices != nullptr ? indices + x : nullptr);
    }
}

// A plane in the type that it is compared in.
template <class S>
const Compared<S>* compared_plane(const S* plane, int64_t size) {
    if constexpr (std::is_same_v<S, Compared<S>>) {
        return plane;
    } else {
        float* wide = scratch_array<float>(ScratchUse::local, static_cast<size_t>(size));
        widen(plane, wide, size);
        return wide;
    }
}

template <class S>
void pool_planes(int64_t planes, const AxisWindows* windows, const S* input, S* output, int64_t* indices) {
    using T = Compared<S>;
    const int64_t size = windows[0].input * windows[1].input * windows[2].input;
    const int64_t rows = windows[1].output(), lines = windows[0].output() * rows,
                  length = windows[2].output();
    const int64_t chunk = std::max<int64_t>(1, 16384 / std::max<int64_t>(1, size));
    const bool whole = is_whole(windows[0]) && is_whole(windows[1]) && is_whole(windows[2]) &&
                       size >= lanes<T> && size <= std::numeric_limits<int32_t>::max();
    parallel_for(0, planes, chunk, [&](int64_t begin, int64_t end) {
        T* joined = nullptr;
        if constexpr (std::is_floating_point_v<T>)
            if (indices == nullptr) joined = padded_line<T>(windows[2]);
        const auto pool = [&](const T* plane, size_t z, size_t y, T* target, int64_t* where) {
            if constexpr (std::is_floating_point_v<T>)
                if (joined != nullptr) return pool_values(windows, plane, z, y, joined, target);
            pool_line(windows, plane, z, y, target, where);
        };
        T* wide = nullptr;
        if constexpr (!std::is_same_v<S, T>)
            wide = scratch_array<T>(ScratchUse::staging, static_cast<size_t>(length));
        for (int64_t p = begin; p < end; ++p) {
            const T* plane = compared_plane(input + p * size, size);
            if constexpr (std::is_floating_point_v<T>) {
                if (whole) {
                    T value;
                    pool_whole(plane, size, &value, indices != nullptr ? indices + p : nullptr);
                    output[p] = static_cast<S>(value);
                    continue;
                }
            }
            for (int64_t line = 0; line < lines; ++line) {
                const size_t z = static_cast<size_t>(line / rows), y = static_cast<size_t>(line % rows);
                const int64_t place = (p * lines + line) * length;
                int64_t* where = indices != nullptr ? indices + place : nullptr;
                if constexpr (std::is_same_v<S, T>) {
                    pool(plane, z, y, output + place, where);
                } else {
                    pool(plane, z, y, wide, where);
                    narrow(wide, output + place, length);
                }
            }
        }
    });
}

// Some vectors of channels of one window of (depth, height, width, inner), of which the last has `count`.
template <class S, int vectors, bool indexed>
void pool_channels(const AxisWindows* w, const S* plane, size_t z, size_t y, size_t x, int64_t inner,
                   int64_t count, S* output, int64_t* indices) {
    using T = Compared<S>;
    using Index = IntegerOf<T>;
    constexpr int width = lanes<T>;
    const bool empty =
        w[0].first[z] >= w[0].last[z] || w[1].first[y] >= w[1].last[y] || w[2].first[x] >= w[2].last[x];
    const int64_t corner = (w[0].first[z] * w[1].input + w[1].first[y]) * w[2].input + w[2].first[x];
    Best<T, indexed> best[vectors];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v)
        best[v] = {Vec<T>(lowest<T>()), Vec<Index>(static_cast<Index>(empty ? 0 : corner))};
    for (int64_t i = w[0].first[z]; i < w[0].last[z]; i += w[0].step) {
        for (int64_t j = w[1].first[y]; j < w[1].last[y]; j += w[1].step) {
            const int64_t row = (i * w[1].input + j) * w[2].input;
            for (int64_t k = row + w[2].first[x]; k < row + w[2].last[x]; k += w[2].step) {
                const Vec<Index> place(static_cast<Index>(k));
#pragma GCC unroll 4
                for (int v = 0; v < vectors; ++v) {
                    const S* run = plane + k * inner + v * width;
                    best[v].take(v + 1 < vectors ? load_converted(run) : load_some(run, count), place);
                }
            }
        }
    }
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) {
        const int64_t here = v + 1 < vectors ? width : count;
        store_some(output + v * width, best[v].value.native, here);
        if constexpr (indexed) best[v].store_places(indices + v * width, here);
    }
}

template <class S, bool indexed>
void pool_all_channels(const AxisWindows* w, const S* plane, size_t z, size_t y, size_t x, int64_t inner,
                       S* output, int64_t* indices) {
    constexpr int64_t width = lanes<Compared<S>>, at_once = 4;
    int64_t c = 0;
    for (; c + at_once * width <= inner; c += at_once * width)
        pool_channels<S, at_once, indexed>(w, plane + c, z, y, x, inner, width, output + c,
                                           indexed ? indices + c : nullptr);
    for (; c < inner; c += width)
        pool_channels<S, 1, indexed>(w, plane + c, z, y, x, inner, std::min(width, inner - c), output + c,
                                     indexed ? indices + c : nullptr);
}

template <class S>
void pool_inner(int64_t planes, int64_t inner, const AxisWindows* windows, const S* input, S* output,
                int64_t* indices) {
    const int64_t size = windows[0].input * windows[1].input * windows[2].input * inner;
    const int64_t rows = windows[1].output(), lines = windows[0].output() * rows,
                  columns = windows[2].output();
    const int64_t work = std::max<int64_t>(1, size / lines + columns * inner);
    parallel_for(0, planes * lines, std::max<int64_t>(1, 16384 / work), [&](int64_t begin, int64_t end) {
        for (int64_t line = begin; line < end; ++line) {
            const size_t z = static_cast<size_t>(line % lines / rows), y = static_cast<size_t>(line % rows);
            for (int64_t x = 0; x < columns; ++x) {
                const int64_t place = (line * columns + x) * inner;
                const S* plane = input + line / lines * size;
                const size_t column = static_cast<size_t>(x);
                if (indices != nullptr)
                    pool_all_channels<S, true>(windows, plane, z, y, column, inner, output + place,
                                               indices + place);
                else
                    pool_all_channels<S, false>(windows, plane, z, y, column, inner, output + place, nullptr);
            }
        }
    });
}

// Every plane's sums are made while it is in the first cache.
template <class S>
void scatter_planes(int64_t planes, int64_t count, int64_t size, const S* grad, const int64_t* indices,
                    S* grad_input) {
    using T = Compared<S>;
    constexpr bool rounded = !std::is_same_v<S, T>;
    const bool sparse = rounded && count * 8 <= size;  // so few sums are rounded one by one
    const int64_t chunk = std::max<int64_t>(1, 16384 / std::max<int64_t>(1, size));
    parallel_for(0, planes, chunk, [&](int64_t begin, int64_t end) {
        T* sums = nullptr;
        if constexpr (rounded) sums = scratch_array<T>(ScratchUse::local, static_cast<size_t>(size));
        if (sparse) {
            std::fill_n(sums, size, T{});
            std::fill(grad_input + begin * size, grad_input + end * size, S{});
        }
        for (int64_t p = begin; p < end; ++p) {
            const int64_t* where = indices + p * count;
            S* plane = grad_input + p * size;
            if constexpr (!rounded) sums = plane;
            if (!sparse) std::fill_n(sums, size, T{});
            for (int64_t i = 0; i < count; ++i) sums[where[i]] += static_cast<T>(grad[p * count + i]);
            if constexpr (rounded) {
                if (!sparse) {
                    narrow(sums, plane, size);
                    continue;
                }
                for (int64_t i = 0; i < count; ++i) plane[where[i]] = static_cast<S>(sums[where[i]]);
                for (int64_t i = 0; i < count; ++i) sums[where[i]] = T{};
            }
        }
    });
}

template <class S>
void scatter_inner(int64_t planes, int64_t inner, int64_t count, int64_t size, const S* grad,
                   const int64_t* indices, S* grad_input) {
    using T = Compared<S>;
    parallel_for(0, planes, 1, [&](int64_t begin, int64_t end) {
        std::fill(grad_input + begin * size * inner, grad_input + end * size * inner, S{});
        for (int64_t i = begin * count; i < end * count; ++i) {
            S* plane = grad_input + i / count * size * inner;
            for (int64_t c = 0; c < inner; ++c) {
                S& sum = plane[indices[i * inner + c] * inner + c];
                sum = static_cast<S>(static_cast<T>(sum) + static_cast<T>(grad[i * inner + c]));
            }
        }
    });
}

template <class Body>
void visit_pooled(DType dtype, Body&& body) {
    visit_dtype(dtype, [&](auto tag) {
        using S = typename decltype(tag)::type;
        if constexpr (!is_complex_type<S> && !std::is_same_v<S, bool>) body(S{});
    });
}

void run_max_pool(DType dtype, int64_t planes, int64_t inner, const AxisWindows* windows, const void* input,
                  void* output, int64_t* indices) {
    visit_pooled(dtype, [&](auto zero) {
        using S = decltype(zero);
        const S* source = static_cast<const S*>(input);
        if constexpr (std::is_floating_point_v<Compared<S>>) {
            if (inner > 1)
                return pool_inner(planes, inner, windows, source, static_cast<S*>(output), indices);
        }
        pool_planes(planes, windows, source, static_cast<S*>(output), indices);
    });
}

void run_max_pool_gradient(DType dtype, int64_t planes, int64_t inner, int64_t count, int64_t size,
                           const void* grad, const int64_t* indices, void* grad_input) {
    visit_pooled(dtype, [&](auto zero) {
        using S = decltype(zero);
        const S* source = static_cast<const S*>(grad);
        S* target = static_cast<S*>(grad_input);
        if (inner > 1)
            scatter_inner(planes, inner, count, size, source, indices, target);
        else
            scatter_planes(planes, count, size, source, indices, target);
    });
}

}  // namespace

extern const PoolKernels pool_table;
const PoolKernels pool_table = {&run_max_pool, &run_max_pool_gradient};

}  // namespace rl::kernels::RUSHLIGHT_ISA
