// Ordering loops: each line as items (sort_items.h) into the algorithm that suits its length.
#include "kernels/sort.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <numeric>

#include "core/scratch.h"
#include "core/threads.h"
#include "kernels/cpu/sort_algorithms.h"

namespace rl::kernels::RUSHLIGHT_ISA {
namespace {

constexpr int64_t parallel_grain = 4096;  // elements worth handing to another thread
constexpr int64_t long_line = 1 << 18;    // from here on threads share a line

template <class Visit>
void visit_real(DType dtype, Visit&& visit) {
    visit_dtype(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        if constexpr (!is_complex_type<T>) visit(tag);
    });
}

int64_t workspace_bytes(DType dtype, int64_t size) {
    if (size < long_line) return 0;
    return 2 * size * static_cast<int64_t>(item_size(dtype) == 8 ? sizeof(Pair) : sizeof(Word));
}

// Calls body(line) in parallel where the lines are worth it; long lines follow one another.
template <class Body>
void for_each_line(int64_t lines, int64_t size, Body&& body) {
    if (size >= long_line) {
        for (int64_t line = 0; line < lines; ++line) body(line);
        return;
    }
    parallel_for(0, lines, std::max<int64_t>(1, parallel_grain / std::max<int64_t>(1, size)),
                 [&](int64_t first, int64_t last) {
                     for (; first < last; ++first) body(first);
                 });
}

// Room for two items, or two keys, an element of one line.
template <class Element>
Element* room_for(void* workspace, int64_t size) {
    return size >= long_line ? static_cast<Element*>(workspace)
                             : scratch_array<Element>(ScratchUse::local, 2 * size);
}

template <class T>
void make_items(const T* x, int64_t size, Key<T> flip, Item<T>* items) {
    parallel_for(0, size, radix_piece, [=](int64_t first, int64_t last) {
        for (int64_t i = first; i < last; ++i) items[i] = make_item<T>(sort_key(x[i]) ^ flip, i);
    });
}

// A key of a line, and how many are less.
template <class T>
struct Ranked {
    Key<T> key;
    int64_t below = 0;
};

// The key at a rank, found in `keys`, which has room for those of the line.
template <class T>
Ranked<T> find_rank(const T* x, int64_t size, Key<T> flip, int64_t rank, Key<T>* keys) {
    parallel_for(0, size, radix_piece, [=](int64_t first, int64_t last) {
        for (int64_t i = first; i < last; ++i) keys[i] = sort_key(x[i]) ^ flip;
    });
    Ranked<T> result{select_key(keys, size, rank)};
    for (int64_t i = 0; i < size; ++i) result.below += (sort_key(x[i]) ^ flip) < result.key;
    return result;
}

// Items [first, last) as the values they stand for and their positions.
template <class T>
void take_items(const Item<T>* items, int64_t first, int64_t last, const T* x, Key<T> flip, T* values,
                int64_t* indices) {
    bool told = true;
    for (int64_t i = first; i < last; ++i) {
        const Key<T> key = static_cast<Key<T>>(items[i].key()) ^ flip;
        values[i] = value_of_key<T>(key);
        indices[i] = items[i].position();
        told &= tells_value<T>(key);
    }
    if (told) return;
    for (int64_t i = first; i < last; ++i)
        if (!tells_value<T>(static_cast<Key<T>>(items[i].key()) ^ flip)) values[i] = x[indices[i]];
}

constexpr int64_t scan_block = 32;  // keys that one comparison passes over
constexpr int64_t few = 16;         // values that are kept in order while others are looked at

// Calls visit(i, key) for the keys of [first, size) in order, but for blocks of which none is less than
// `worst`, which visit may change.
template <class T, class Visit>
void scan_keys(const T* x, int64_t first, int64_t size, Key<T> flip, const Key<T>& worst, Visit visit) {
    int64_t i = first;
    for (; i + scan_block <= size; i += scan_block) {
        Key<T> keys[scan_block], least = worst;
        for (int64_t k = 0; k < scan_block; ++k) keys[k] = sort_key(x[i + k]) ^ flip;
        for (int64_t k = 0; k < scan_block; ++k) least = std::min(least, keys[k]);
        if (least == worst) continue;
        for (int64_t k = 0; k < scan_block; ++k) visit(i + k, keys[k]);
    }
    for (; i < size; ++i) visit(i, sort_key(x[i]) ^ flip);
}

// The `count` least of a line into items, in order.
template <class T>
void keep_few(const T* x, int64_t size, int64_t count, Key<T> flip, Item<T>* items) {
    const auto insert = [=](int64_t end, const Item<T>& item) {  // into the items before `end`
        for (; end > 0 && item < items[end - 1]; --end) items[end] = items[end - 1];
        items[end] = item;
    };
    for (int64_t i = 0; i < count; ++i) insert(i, make_item<T>(sort_key(x[i]) ^ flip, i));
    auto worst = static_cast<Key<T>>(items[count - 1].key());
    scan_keys(x, count, size, flip, worst, [&](int64_t i, Key<T> key) {
        if (key >= worst) return;
        insert(count - 1, make_item<T>(key, i));
        worst = static_cast<Key<T>>(items[count - 1].key());
    });
}

// The same of more, in no order: candidates are gathered while they beat the worst of the best so far.
template <class T>
void keep_least(const T* x, int64_t size, int64_t count, Key<T> flip, Item<T>* items) {
    const int64_t room = std::min(size, 2 * count);
    for (int64_t i = 0; i < room; ++i) items[i] = make_item<T>(sort_key(x[i]) ^ flip, i);
    int64_t kept = room;
    const auto reduce = [&] {
        std::nth_element(items, items + count - 1, items + kept);
        kept = count;
        return static_cast<Key<T>>(items[count - 1].key());
    };
    Key<T> worst = reduce();
    scan_keys(x, room, size, flip, worst, [&](int64_t i, Key<T> key) {
        if (key >= worst) return;
        items[kept++] = make_item<T>(key, i);
        if (kept == 2 * count) worst = reduce();
    });
    reduce();
}

// The items of the `count` first values of a line, in order where `sorted`. A counting sort is given them in
// the order of their positions, which a scan does not keep.
template <class T>
const Item<T>* first_items(const T* x, int64_t size, int64_t count, Key<T> flip, bool sorted,
                           Item<T>* items) {
    if (count == size) {
        make_items(x, size, flip, items);
    } else if (count < radix_least && count * 8 <= size && size >= 256) {
        (count <= few ? keep_few<T> : keep_least<T>)(x, size, count, flip, items);
    } else {
        const Ranked<T> last = find_rank(x, size, flip, count - 1, reinterpret_cast<Key<T>*>(items + size));
        int64_t kept = 0, equals = count - last.below;
        for (int64_t i = 0; kept < count; ++i) {
            const Key<T> key = sort_key(x[i]) ^ flip;
            items[kept] = make_item<T>(key, i);
            kept += (key < last.key) | ((key == last.key) & (equals > 0));
            equals -= key == last.key;
        }
    }
    return sorted ? sort_items(items, items + size, count) : items;
}

// The lines [first, last), at most network_lanes, as items side by side. Rows are made one after the other,
// then turned; the last line stands in for those there are not.
template <class T>
void load_group(const T* x, int64_t first, int64_t last, int64_t size, Key<T> flip, uint64_t* rows,
                int64_t* items) {
    constexpr int64_t width = ItemLanes<T>::width;
    for (int64_t lane = 0; lane < network_lanes; ++lane) {
        const T* const line = x + std::min(first + lane, last - 1) * size;
        for (int64_t i = 0; i < size; ++i)
            rows[lane * size + i] = make_item<T>(sort_key(line[i]) ^ flip, i).bits ^ turned;
    }
    for (int64_t i = 0; i < size; ++i) {
        for (int64_t lane = 0; lane < network_lanes; ++lane)
            items[i * width + lane] = static_cast<int64_t>(rows[lane * size + i]);
        if (width > network_lanes) Lanes(i).store(items + i * width + network_lanes);
    }
}

// Sorts up to network_lanes lines at once, then calls take(line, item, room), where item(i) is the i-th of
// the line and `room` is for as many.
template <class T, class Take>
void sort_group(const T* x, int64_t first, int64_t last, int64_t size, Key<T> flip, Take&& take) {
    const int64_t room = size * std::max<int64_t>(network_lanes, sizeof(Item<T>) / sizeof(int64_t));
    int64_t* const items = scratch_array<int64_t>(ScratchUse::local, size * ItemLanes<T>::width + room);
    int64_t* const rows = items + size * ItemLanes<T>::width;
    load_group(x, first, last, size, flip, reinterpret_cast<uint64_t*>(rows), items);
    sort_network<ItemLanes<T>>(items, size);
    for (int64_t line = first; line < last; ++line)
        take(
            line, [=](int64_t i) { return get_lane<T>(items, i, line - first); },
            reinterpret_cast<Item<T>*>(rows));
}

template <class T>
bool fits_network(int64_t lines, int64_t size) {
    const int64_t most = network_most * (sizeof(T) == 8 ? 1 : 2) / 2;
    return size <= (lines >= network_lanes ? most : 2 * lines >= network_lanes ? most / 4 : 0);
}

template <class T, class Take>
void sort_groups(const T* x, int64_t lines, int64_t size, Key<T> flip, Take&& take) {
    const int64_t groups = (lines + network_lanes - 1) / network_lanes;
    const int64_t grain = std::max<int64_t>(1, parallel_grain / (size * network_lanes));
    parallel_for(0, groups, grain, [&](int64_t begin, int64_t end) {
        for (int64_t first = begin * network_lanes; first < std::min(lines, end * network_lanes);
             first += network_lanes)
            sort_group(x, first, std::min(lines, first + network_lanes), size, flip, take);
    });
}

template <class T>
void sort_as(const SortArguments& a) {
    const T* const in = static_cast<const T*>(a.in);
    T* const values = static_cast<T*>(a.values);
    const Key<T> flip = a.descending ? largest_key<T> : 0;
    if (fits_network<T>(a.lines, a.size) && (a.size <= 64 || a.count * 4 > a.size)) {
        sort_groups(in, a.lines, a.size, flip, [&](int64_t line, auto item, Item<T>* room) {
            for (int64_t i = 0; i < a.count; ++i) room[i] = item(i);
            take_items(room, 0, a.count, in + line * a.size, flip, values + line * a.count,
                       a.indices + line * a.count);
        });
        return;
    }
    for_each_line(a.lines, a.size, [&](int64_t line) {
        const T* const x = in + line * a.size;
        const Item<T>* const items =
            first_items(x, a.size, a.count, flip, a.sorted, room_for<Item<T>>(a.workspace, a.size));
        parallel_for(0, a.count, radix_piece, [&](int64_t first, int64_t last) {
            take_items(items, first, last, x, flip, values + line * a.count, a.indices + line * a.count);
        });
    });
}

void sort(const SortArguments& a) {
    visit_real(a.dtype, [&]<class T>(TypeTag<T>) { sort_as<T>(a); });
}

// The position of the element with a key that has `before` such before it.
template <class T>
int64_t find_equal(const T* x, int64_t size, Key<T> key, int64_t before) {
    constexpr int64_t block = 256;
    for (int64_t first = 0;; first += block) {
        int64_t equals = 0;
        for (int64_t i = first; i < std::min(size, first + block); ++i) equals += sort_key(x[i]) == key;
        if (equals <= before) {
            before -= equals;
            continue;
        }
        for (int64_t i = first;; ++i)
            if (sort_key(x[i]) == key && before-- == 0) return i;
    }
}

template <class T>
int64_t rank_of(const T* x, int64_t size, Selection which, int64_t k) {
    if (which == Selection::kth) return k;
    int64_t nans = 0;
    if constexpr (is_real_floating_type<T>)
        for (int64_t i = 0; i < size; ++i) nans += is_nan(x[i]);
    if (nans > 0 && (which == Selection::median || nans == size)) return size - nans;
    return (size - nans - 1) / 2;
}

void select_one(DType dtype, const void* in, int64_t lines, int64_t size, Selection which, int64_t k,
                void* workspace, void* values, int64_t* indices) {
    visit_real(dtype, [&]<class T>(TypeTag<T>) {
        const auto finish = [&](int64_t line, int64_t position) {
            indices[line] = position;
            static_cast<T*>(values)[line] = static_cast<const T*>(in)[line * size + position];
        };
        const T* const all = static_cast<const T*>(in);
        if (fits_network<T>(lines, size)) {
            sort_groups(all, lines, size, Key<T>(0), [&](int64_t line, auto item, Item<T>*) {
                finish(line, item(rank_of(all + line * size, size, which, k)).position());
            });
            return;
        }
        for_each_line(lines, size, [&](int64_t line) {
            const T* const x = all + line * size;
            const int64_t rank = rank_of(x, size, which, k);
            const Ranked<T> found = find_rank(x, size, Key<T>(0), rank, room_for<Key<T>>(workspace, size));
            finish(line, find_equal(x, size, found.key, rank - found.below));
        });
    });
}

// The last place of the longest run of equal values in a sorted line, the first of such runs.
template <class T>
int64_t longest_run(const T* x, int64_t size) {
    int64_t best_end = 0, best_length = 0, begin = 0;
    for (int64_t i = 1; i <= size; ++i) {
        if (i < size && sort_key(x[i]) == sort_key(x[begin])) continue;
        if (i - begin > best_length) best_length = i - begin, best_end = i - 1;
        begin = i;
    }
    return best_end;
}

void mode(DType dtype, const void* sorted, const int64_t* order, int64_t lines, int64_t size, void* values,
          int64_t* indices) {
    visit_real(dtype, [&]<class T>(TypeTag<T>) {
        for_each_line(lines, size, [&](int64_t line) {
            const T* const x = static_cast<const T*>(sorted) + line * size;
            const int64_t place = longest_run(x, size);
            indices[line] = order[line * size + place];
            static_cast<T*>(values)[line] = x[place];
        });
    });
}

// --- Search.

// The number of the ascending keys key_at(0 ... size - 1) below each of `wanted` (or below or equal), without
// a branch: few keys are all counted; in many, all searches take the same steps.
template <bool Right, class KeyType, class KeyAt>
void search_keys(KeyAt key_at, int64_t size, const KeyType* wanted, int64_t count, int64_t* positions) {
    constexpr int64_t few = 64;
    const auto before = [](KeyType key, KeyType other) { return Right ? key <= other : key < other; };
    std::fill_n(positions, count, 0);
    if (size <= few) {
        for (int64_t k = 0; k < size; ++k) {
            const KeyType key = key_at(k);
            for (int64_t i = 0; i < count; ++i) positions[i] += before(key, wanted[i]);
        }
        return;
    }
    int64_t left = size;
    for (; left > 1; left -= left / 2) {
        const int64_t half = left / 2;
        for (int64_t i = 0; i < count; ++i)
            positions[i] += half & -static_cast<int64_t>(before(key_at(positions[i] + half - 1), wanted[i]));
    }
    for (int64_t i = 0; i < count; ++i) positions[i] += before(key_at(positions[i]), wanted[i]);
}

// Searches of one line, whose keys are key_at(0 ... size - 1).
template <class T, class KeyAt>
void search_line(KeyAt key_at, int64_t size, const T* values, int64_t count, bool right, int64_t* positions) {
    constexpr int64_t block = 64;
    for (int64_t first = 0; first < count; first += block) {
        const int64_t length = std::min(block, count - first);
        Key<T> wanted[block];
        for (int64_t i = 0; i < length; ++i) wanted[i] = sort_key(values[first + i]);
        if (right)
            search_keys<true>(key_at, size, wanted, length, positions + first);
        else
            search_keys<false>(key_at, size, wanted, length, positions + first);
    }
}

void search(DType dtype, const void* sorted_lines, const int64_t* sorter, int64_t size, bool one_line,
            const void* values, int64_t lines, int64_t count, bool right, int64_t* positions) {
    const bool many = count * 4 >= size && size <= long_line;
    visit_real(dtype, [&]<class T>(TypeTag<T>) {
        const auto run = [&](int64_t line, int64_t first, int64_t last) {
            const int64_t offset = one_line ? 0 : line * size;
            const T* const x = static_cast<const T*>(sorted_lines) + offset;
            const int64_t* const order = sorter == nullptr ? nullptr : sorter + offset;
            const T* const value = static_cast<const T*>(values) + line * count;
            int64_t* const found = positions + line * count;
            const auto key_of = [=](int64_t i) { return sort_key(x[order == nullptr ? i : order[i]]); };
            if (many) {
                Key<T>* const keys = scratch_array<Key<T>>(ScratchUse::local, size);
                for (int64_t i = 0; i < size; ++i) keys[i] = key_of(i);
                const auto key_at = [=](int64_t i) { return keys[i]; };
                search_line(key_at, size, value + first, last - first, right, found + first);
            } else {
                search_line(key_of, size, value + first, last - first, right, found + first);
            }
        };
        if (lines > 1) {
            for_each_line(lines, std::min(count, long_line - 1), [&](int64_t line) { run(line, 0, count); });
        } else {
            const int64_t grain = std::max(parallel_grain, many ? 4 * size : 0);
            parallel_for(0, count, grain, [&](int64_t first, int64_t last) { run(0, first, last); });
        }
    });
}

// --- Rows.

void row_starts(DType dtype, const void* in, int64_t rows, int64_t width, const int64_t* order,
                bool* starts) {
    visit_real(dtype, [&]<class T>(TypeTag<T>) {
        if (width == 1 && order == nullptr)
            return parallel_for(0, rows, parallel_grain, [=](int64_t first, int64_t last) {
                const T* const x = static_cast<const T*>(in);
                for (int64_t i = std::max<int64_t>(1, first); i < last; ++i)
                    starts[i] = !(convert<Compute<T>>(x[i]) == convert<Compute<T>>(x[i - 1]));
                if (first == 0) starts[0] = true;
            });
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
const SortKernels sort_table = {workspace_bytes, sort, select_one, mode, search, row_starts, order_rows};

}  // namespace rl::kernels::RUSHLIGHT_ISA
