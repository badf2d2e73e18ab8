// Running reductions. Single precision accumulates in double, as the reductions' wide lanes cannot be had
// here.
#include "kernels/scan.h"

#include <algorithm>
#include <cmath>

#include "core/threads.h"
#include "kernels/cpu/convert.h"

namespace rl::kernels::RUSHLIGHT_ISA {
namespace {

constexpr int64_t tile_size = 64;  // neighbouring lines scanned together
constexpr int64_t parallel_grain = 16384;

template <class T>
using Accumulator =
    std::conditional_t<std::is_same_v<T, float>, double,
                       std::conditional_t<std::is_same_v<T, complex64>, complex128, Compute<T>>>;

struct Sum {
    template <class C>
    static C start() {
        return C(0);
    }
    template <class C>
    static C next(C total, C x) {
        return add(total, x);
    }
};
struct Product {
    template <class C>
    static C start() {
        return C(1);
    }
    template <class C>
    static C next(C total, C x) {
        return multiply(total, x);
    }
};
struct LogSumExp {
    template <class C>
    static C start() {
        return C(-INFINITY);
    }
    template <class C>
    static C next(C total, C x) {
        if constexpr (is_complex_type<C>) {
            if (std::isinf(total.real()) && total.real() < 0) return x;
            const bool first = total.real() >= x.real();
            const C high = first ? total : x, low = first ? x : total;
            return high + std::log(C(1) + std::exp(low - high));
        } else {
            if (std::isnan(total) || std::isnan(x)) return total + x;
            const C high = std::max(total, x), low = std::min(total, x);
            return std::isinf(high) ? high : high + std::log1p(std::exp(low - high));
        }
    }
};

// Calls body(offset of the first element, width) for every tile of neighbouring lines.
template <class Body>
void for_each_tile(const ScanShape& shape, Body&& body) {
    if (shape.outer == 0 || shape.size == 0 || shape.inner == 0) return;
    const int64_t tiles = (shape.inner + tile_size - 1) / tile_size;
    const int64_t grain =
        std::max<int64_t>(1, parallel_grain / (shape.size * std::min(shape.inner, tile_size)));
    parallel_for(0, shape.outer * tiles, grain, [&](int64_t first, int64_t last) {
        for (; first < last; ++first) {
            const int64_t column = first % tiles * tile_size;
            body(first / tiles * shape.size * shape.inner + column,
                 std::min(tile_size, shape.inner - column));
        }
    });
}

// `Width` neighbouring lines of the last dimension at once: each is a chain of dependent steps.
template <class T, class Op, int Width>
void scan_together(const T* in, T* out, int64_t size) {
    using C = Accumulator<T>;
    C total[Width];
    std::fill_n(total, Width, Op::template start<C>());
    for (int64_t i = 0; i < size; ++i)
        for (int j = 0; j < Width; ++j) {
            total[j] = Op::template next<C>(total[j], convert<C>(in[j * size + i]));
            out[j * size + i] = convert<T>(total[j]);
        }
}

template <class T, class Op>
void scan_lines(const T* in, T* out, const ScanShape& shape) {
    constexpr int64_t together = 4;
    const int64_t grain = together * std::max<int64_t>(1, parallel_grain / (together * shape.size));
    parallel_for(0, shape.outer, grain, [&](int64_t first, int64_t last) {
        for (; first + together <= last; first += together)
            scan_together<T, Op, together>(in + first * shape.size, out + first * shape.size, shape.size);
        for (; first < last; ++first)
            scan_together<T, Op, 1>(in + first * shape.size, out + first * shape.size, shape.size);
    });
}

template <class T, class Op>
void run_scan(const T* in, T* out, const ScanShape& shape) {
    using C = Accumulator<T>;
    if (shape.inner == 1 && shape.size > 0) return scan_lines<T, Op>(in, out, shape);
    for_each_tile(shape, [&](int64_t offset, int64_t width) {
        C total[tile_size];
        std::fill_n(total, width, Op::template start<C>());
        for (int64_t i = 0; i < shape.size; ++i, offset += shape.inner)
            for (int64_t j = 0; j < width; ++j) {
                total[j] = Op::template next<C>(total[j], convert<C>(in[offset + j]));
                out[offset + j] = convert<T>(total[j]);
            }
    });
}

void scan(Scan kind, DType dtype, const void* in, void* out, const ScanShape& shape) {
    visit_dtype(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        const T* x = static_cast<const T*>(in);
        T* y = static_cast<T*>(out);
        if (kind == Scan::sum)
            run_scan<T, Sum>(x, y, shape);
        else if (kind == Scan::product)
            run_scan<T, Product>(x, y, shape);
        else if constexpr (!std::is_integral_v<T>)
            run_scan<T, LogSumExp>(x, y, shape);
    });
}

template <class T, bool Max>
void run_extreme(const T* in, T* values, int64_t* indices, const ScanShape& shape) {
    using C = Compute<T>;
    for_each_tile(shape, [&](int64_t offset, int64_t width) {
        C best[tile_size];
        int64_t where[tile_size] = {};
        for (int64_t j = 0; j < width; ++j) best[j] = convert<C>(in[offset + j]);
        for (int64_t i = 0; i < shape.size; ++i, offset += shape.inner)
            for (int64_t j = 0; j < width; ++j) {
                const C x = convert<C>(in[offset + j]);
                const bool better = x != x || (best[j] == best[j] && (Max ? x >= best[j] : x <= best[j]));
                if (better) best[j] = x, where[j] = i;
                values[offset + j] = convert<T>(best[j]);
                indices[offset + j] = where[j];
            }
    });
}

void scan_extreme(bool maximum, DType dtype, const void* in, void* values, int64_t* indices,
                  const ScanShape& shape) {
    visit_dtype(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        if constexpr (!is_complex_type<T>) {
            const auto run = maximum ? run_extreme<T, true> : run_extreme<T, false>;
            run(static_cast<const T*>(in), static_cast<T*>(values), indices, shape);
        }
    });
}

}  // namespace

extern const ScanKernels scan_table;
const ScanKernels scan_table = {scan, scan_extreme};

}  // namespace rl::kernels::RUSHLIGHT_ISA
