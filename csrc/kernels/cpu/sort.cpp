// Ordering loops. Values of up to 32 bits become unsigned keys that order as the values do, joined with their
// positions into one 64-bit word: the words are all different, so that any sort of them is stable.
#include "kernels/sort.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <numeric>

#include "core/threads.h"
#include "kernels/cpu/convert.h"

namespace rl::kernels::RUSHLIGHT_ISA {
namespace {

constexpr int64_t parallel_grain = 4096;  // elements worth handing to another thread

// Orders as the value does: -0 equals 0, and NaN is greatest.
template <class T>
auto sort_key(T value) {
    if constexpr (is_half_type<T>) {
        return sort_key(static_cast<float>(value));
    } else if constexpr (std::is_floating_point_v<T>) {
        using Key = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
        constexpr Key sign = Key(1) << (8 * sizeof(T) - 1);
        if (value != value) return std::numeric_limits<Key>::max();
        const Key bits = std::bit_cast<Key>(value + T(0));
        return (bits & sign) != 0 ? Key(~bits) : Key(bits | sign);
    } else if constexpr (sizeof(T) == 8) {
        return static_cast<uint64_t>(value) ^ (uint64_t{1} << 63);
    } else {
        return static_cast<uint32_t>(static_cast<int64_t>(value) + (int64_t{1} << 31));
    }
}

template <class Iterator, class Less>
void select(Iterator begin, int64_t size, int64_t count, bool sorted, Less less) {
    if (count < size) std::nth_element(begin, begin + count, begin + size, less);
    if (sorted) std::sort(begin, begin + count, less);
}

template <class T>
void order_line(const T* x, int64_t size, int64_t count, bool descending, bool sorted, int64_t* order) {
    using Key = decltype(sort_key(x[0]));
    const Key flip = descending ? std::numeric_limits<Key>::max() : 0;
    if (sizeof(Key) == 4 && size <= std::numeric_limits<uint32_t>::max()) {
        uint64_t* words = reinterpret_cast<uint64_t*>(order);
        for (int64_t i = 0; i < size; ++i)
            words[i] = uint64_t{sort_key(x[i]) ^ flip} << 32 | static_cast<uint64_t>(i);
        select(words, size, count, sorted, std::less<uint64_t>());
        for (int64_t i = 0; i < size; ++i) words[i] &= std::numeric_limits<uint32_t>::max();
        return;
    }
    std::iota(order, order + size, int64_t{0});
    select(order, size, count, sorted, [&](int64_t a, int64_t b) {
        const Key first = sort_key(x[a]) ^ flip, second = sort_key(x[b]) ^ flip;
        return first < second || (first == second && a < b);
    });
}

// Calls body(line) in parallel where the lines are worth it.
template <class Body>
void for_each_line(int64_t lines, int64_t size, Body&& body) {
    parallel_for(0, lines, std::max<int64_t>(1, parallel_grain / std::max<int64_t>(1, size)),
                 [&](int64_t first, int64_t last) {
                     for (; first < last; ++first) body(first);
                 });
}

template <class Visit>
void visit_real(DType dtype, Visit&& visit) {
    visit_dtype(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        if constexpr (!is_complex_type<T>) visit(tag);
    });
}

void order(DType dtype, const void* in, int64_t lines, int64_t size, int64_t count, bool descending,
           bool sorted, int64_t* order) {
    visit_real(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        for_each_line(lines, size, [&](int64_t line) {
            order_line(static_cast<const T*>(in) + line * size, size, count, descending, sorted,
                       order + line * size);
        });
    });
}

void take_ordered(DType dtype, const void* in, int64_t lines, int64_t size, int64_t count,
                  const int64_t* order, void* values, int64_t* indices) {
    visit_real(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        for_each_line(lines, count, [&](int64_t line) {
            const T* x = static_cast<const T*>(in) + line * size;
            const int64_t* position = order + line * size;
            T* value = static_cast<T*>(values) + line * count;
            for (int64_t i = 0; i < count; ++i) value[i] = x[position[i]];
            if (indices != nullptr) std::copy_n(position, count, indices + line * count);
        });
    });
}

template <class T>
int64_t mode_line(const T* x, int64_t size, const int64_t* order) {
    int64_t best_end = 0, best_length = 0, begin = 0;
    for (int64_t i = 1; i <= size; ++i) {
        if (i < size && sort_key(x[order[i]]) == sort_key(x[order[begin]])) continue;
        if (i - begin > best_length) best_length = i - begin, best_end = i - 1;
        begin = i;
    }
    return order[best_end];
}

void mode(DType dtype, const void* in, int64_t lines, int64_t size, const int64_t* order, void* values,
          int64_t* indices) {
    visit_real(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        for_each_line(lines, size, [&](int64_t line) {
            const T* x = static_cast<const T*>(in) + line * size;
            indices[line] = mode_line(x, size, order + line * size);
            static_cast<T*>(values)[line] = x[indices[line]];
        });
    });
}

template <class T>
int64_t search_line(const T* line, const int64_t* sorter, int64_t size, T value, bool right) {
    const auto key = sort_key(value);
    int64_t low = 0, high = size;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        const auto other = sort_key(line[sorter == nullptr ? middle : sorter[middle]]);
        if (right ? other <= key : other < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void search(DType dtype, const void* sorted_lines, const int64_t* sorter, int64_t size, bool one_line,
            const void* values, int64_t lines, int64_t count, bool right, int64_t* positions) {
    visit_real(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        parallel_for(0, lines * count, parallel_grain, [&](int64_t first, int64_t last) {
            for (; first < last; ++first) {
                const int64_t offset = one_line ? 0 : first / count * size;
                positions[first] = search_line(static_cast<const T*>(sorted_lines) + offset,
                                               sorter == nullptr ? nullptr : sorter + offset, size,
                                               static_cast<const T*>(values)[first], right);
            }
        });
    });
}

void row_starts(DType dtype, const void* in, int64_t rows, int64_t width, const int64_t* order,
                bool* starts) {
    visit_real(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        const auto row = [&](int64_t i) {
            return static_cast<const T*>(in) + (order == nullptr ? i : order[i]) * width;
        };
        for (int64_t i = 0; i < rows; ++i)
            starts[i] = i == 0 || !std::equal(row(i), row(i) + width, row(i - 1), [](T a, T b) {
                            return convert<Compute<T>>(a) == convert<Compute<T>>(b);
                        });
    });
}

void order_rows(DType dtype, const void* in, int64_t rows, int64_t width, int64_t* order) {
    std::iota(order, order + rows, int64_t{0});
    visit_real(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        const T* x = static_cast<const T*>(in);
        std::sort(order, order + rows, [&](int64_t a, int64_t b) {
            for (int64_t j = 0; j < width; ++j) {
                const auto first = sort_key(x[a * width + j]), second = sort_key(x[b * width + j]);
                if (first != second) return first < second;
            }
            return a < b;
        });
    });
}

}  // namespace

extern const SortKernels sort_table;
const SortKernels sort_table = {order, take_ordered, mode, search, row_starts, order_rows};

}  // namespace rl::kernels::RUSHLIGHT_ISA
