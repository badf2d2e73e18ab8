// Ordering loops. Values of up to 32 bits become unsigned keys that order as the values do, joined with their
// positions into one 64-bit word: the words are all different, so that any sort of them is stable.
#include "kernels/sort.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <numeric>

#include "core/scratch.h"
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

constexpr int64_t radix_least = 256;     // items from which counting beats comparing
constexpr int64_t radix_most = 1 << 22;  // items whose scratch a thread may keep

struct Keyed {
    uint64_t key;
    int64_t position;
};

// Sorts by `key(item)`'s bytes from `first_shift` up, least significant first; items that agree keep their
// order. `spare` has room for as many. Ends in `items`.
template <class Item, class Key>
void radix_sort(Item* items, Item* spare, int64_t count, int first_shift, Key&& key) {
    Item* from = items;
    for (int shift = first_shift; shift < 64; shift += 8) {
        int64_t starts[257] = {};
        for (int64_t i = 0; i < count; ++i) ++starts[(key(from[i]) >> shift & 255) + 1];
        if (std::find(starts + 1, starts + 257, count) != starts + 257)
            continue;  // one digit: already in order
        for (int digit = 0; digit < 256; ++digit) starts[digit + 1] += starts[digit];
        for (int64_t i = 0; i < count; ++i) spare[starts[key(from[i]) >> shift & 255]++] = from[i];
        std::swap(from, spare);
    }
    if (from != items) std::copy_n(from, count, items);
}

// The `count` least of `size` items that `make(i)` gives, into items[0, count), in no order: candidates are
// gathered while they beat the worst of the best so far.
template <class Item, class Make, class Less>
void keep_least(Item* items, int64_t size, int64_t count, Make&& make, Less less) {
    const int64_t room = std::min(size, 2 * count + 64);
    int64_t filled = 0;
    for (; filled < room; ++filled) items[filled] = make(filled);
    std::nth_element(items, items + count - 1, items + filled, less);
    Item worst = items[count - 1];
    int64_t kept = count;
    for (int64_t i = room; i < size; ++i) {
        const Item item = make(i);
        if (!less(item, worst)) continue;
        items[kept++] = item;
        if (kept < room) continue;
        std::nth_element(items, items + count - 1, items + kept, less);
        worst = items[count - 1], kept = count;
    }
    std::nth_element(items, items + count - 1, items + kept, less);
}

template <class T>
void order_line(const T* x, int64_t size, int64_t count, bool descending, bool sorted, int64_t* order) {
    using Key = decltype(sort_key(x[0]));
    const Key flip = descending ? std::numeric_limits<Key>::max() : 0;
    if (sizeof(Key) == 4 && size <= std::numeric_limits<uint32_t>::max()) {
        uint64_t* words = reinterpret_cast<uint64_t*>(order);
        const auto word = [&](int64_t i) {
            return uint64_t{sort_key(x[i]) ^ flip} << 32 | static_cast<uint64_t>(i);
        };
        int64_t used = size;
        if (count > 0 && count * 8 < size && sorted) {
            keep_least(words, size, count, word, std::less<uint64_t>());
            std::sort(words, words + count);
            used = count;
        } else {
            for (int64_t i = 0; i < size; ++i) words[i] = word(i);
            if (sorted && count == size && size >= radix_least && size <= radix_most)
                radix_sort(words, scratch_array<uint64_t>(ScratchUse::local, size), size, 32,
                           [](uint64_t item) { return item; });
            else
                select(words, size, count, sorted, std::less<uint64_t>());
        }
        for (int64_t i = 0; i < used; ++i) words[i] &= std::numeric_limits<uint32_t>::max();
        return;
    }
    if (sizeof(Key) == 8 && sorted && count == size && size >= radix_least && size <= radix_most) {
        Keyed* const items = scratch_array<Keyed>(ScratchUse::local, 2 * size);
        for (int64_t i = 0; i < size; ++i) items[i] = {static_cast<uint64_t>(sort_key(x[i]) ^ flip), i};
        radix_sort(items, items + size, size, 0, [](const Keyed& item) { return item.key; });
        for (int64_t i = 0; i < size; ++i) order[i] = items[i].position;
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

template <class T>
int64_t rank_of(const T* x, int64_t size, Selection which, int64_t k) {
    if (which == Selection::kth) return k;
    int64_t nans = 0;
    if constexpr (is_real_floating_type<T>)
        for (int64_t i = 0; i < size; ++i) nans += convert<Compute<T>>(x[i]) != convert<Compute<T>>(x[i]);
    if (nans > 0 && (which == Selection::median || nans == size)) return size - nans;
    return (size - nans - 1) / 2;
}

void select_one(DType dtype, const void* in, int64_t lines, int64_t size, Selection which, int64_t k,
                int64_t* order, void* values, int64_t* indices) {
    visit_real(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        for_each_line(lines, size, [&](int64_t line) {
            const T* x = static_cast<const T*>(in) + line * size;
            const int64_t rank = rank_of(x, size, which, k);
            order_line(x, size, rank, false, false, order + line * size);
            indices[line] = order[line * size + rank];
            static_cast<T*>(values)[line] = x[indices[line]];
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
const SortKernels sort_table = {order, select_one, take_ordered, mode, search, row_starts, order_rows};

}  // namespace rl::kernels::RUSHLIGHT_ISA
