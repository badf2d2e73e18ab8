// Bags of embeddings: a few vectors of columns at a time stay in registers through all uses of a bag.
#include "kernels/embedding_bag.h"

#include <algorithm>
#include <vector>

#include "core/threads.h"
#include "kernels/cpu/half_lines.h"

namespace rl::kernels::RUSHLIGHT_ISA {
namespace {

constexpr int64_t parallel_grain = 16384;  // elements worth handing to another thread
constexpr int64_t ahead = 8;               // uses between asking for a row and reading it

template <class S>
class Bags {
    using T = Compute<S>;
    static constexpr int64_t size = Vec<T>::size;

  public:
    explicit Bags(const BagProblem& p)
        : p_(p), table_(static_cast<const S*>(p.table)), scales_(static_cast<const S*>(p.scales)) {}

    void forward(S* out, int64_t* places) const {
        for_each_bag([&](int64_t bag) {
            S* const row = out + bag * p_.width;
            if (p_.mode == BagMode::max) return maxima(bag, row, places + bag * p_.width);
            const Vec<T> share(this->share(bag));
            over_columns([&](int64_t j, int64_t columns, auto vectors) {
                const int64_t n = std::min(size, columns);
                Vec<T> sum[vectors] = {};
                for (int64_t i = p_.starts[bag]; i < p_.starts[bag + 1]; ++i) {
                    if (p_.indices[i] == p_.padding) continue;
                    prefetch(i, p_.starts[bag + 1], j, columns);
                    const S* const source = table_ + p_.indices[i] * p_.width + j;
                    const Vec<T> scale(scale_of(i));
                    for (int64_t v = 0; v < vectors; ++v)
                        sum[v] = fma(load_lanes(source, v * size, n), scale, sum[v]);
                }
                for (int64_t v = 0; v < vectors; ++v) store_lanes(sum[v] * share, row, j + v * size, n);
            });
        });
    }

    // The first use of a row sums the gradients of all, which a chain joins in their order.
    void table_gradient(const S* gradient, const int64_t* places, bool by_frequency, S* target) const {
        if (p_.mode == BagMode::max) return maxima_gradient(gradient, places, target);
        const int64_t uses = p_.starts[p_.bags];
        std::vector<int64_t> first(static_cast<size_t>(p_.rows), -1), next(static_cast<size_t>(uses), -1),
            owner(static_cast<size_t>(uses));
        std::vector<T> shares(static_cast<size_t>(p_.bags));
        for (int64_t bag = p_.bags - 1; bag >= 0; --bag) {
            shares[static_cast<size_t>(bag)] = share(bag);
            for (int64_t i = p_.starts[bag + 1] - 1; i >= p_.starts[bag]; --i) {
                int64_t& head = first[static_cast<size_t>(p_.indices[i])];
                next[static_cast<size_t>(i)] = head;
                owner[static_cast<size_t>(i)] = bag;
                head = i;
            }
        }
        parallel_for(0, uses, std::max<int64_t>(1, parallel_grain / p_.width),
                     [&](int64_t begin, int64_t end) {
                         for (int64_t i = begin; i < end; ++i) {
                             const int64_t index = p_.indices[i];
                             if (first[static_cast<size_t>(index)] != i || index == p_.padding) continue;
                             add_chain(i, gradient, next.data(), owner.data(), shares.data(), by_frequency,
                                       target + index * p_.width);
                         }
                     });
    }

    void scale_gradient(const S* gradient, S* target) const {
        for_each_bag([&](int64_t bag) {
            const S* const g = gradient + bag * p_.width;
            for (int64_t i = p_.starts[bag]; i < p_.starts[bag + 1]; ++i) {
                Vec<T> sum(T(0));
                const S* const source = table_ + p_.indices[i] * p_.width;
                for (int64_t j = 0; p_.indices[i] != p_.padding && j < p_.width; j += size) {
                    const int64_t n = std::min(size, p_.width - j);
                    sum = fma(load_lanes(source, j, n), load_lanes(g, j, n), sum);
                }
                target[i] = convert<S>(sum_lanes(sum));
            }
        });
    }

  private:
    template <class Body>
    void for_each_bag(Body&& body) const {
        const int64_t uses = p_.starts[p_.bags] / std::max<int64_t>(1, p_.bags) + 1;
        parallel_for(0, p_.bags, std::max<int64_t>(1, parallel_grain / (uses * p_.width + 1)),
                     [&](int64_t first, int64_t last) {
                         for (; first < last; ++first) body(first);
                     });
    }

    // Results are stored, not added to, so that the last strip may overlap the one before it.
    template <class Body>
    void over_columns(Body&& body) const {
        constexpr int64_t strip = 4 * size;
        const int64_t whole = p_.width < strip ? p_.width : p_.width / strip * strip;
        for_each_strip<T, 8, 4, 1>(0, whole, body);
        if (whole < p_.width) body(p_.width - strip, strip, std::integral_constant<int, 4>{});
    }

    T scale_of(int64_t use) const { return scales_ == nullptr ? T(1) : static_cast<T>(scales_[use]); }

    // What the sum of a bag is multiplied by.
    T share(int64_t bag) const {
        if (p_.mode != BagMode::mean) return 1;
        const int64_t *const first = p_.indices + p_.starts[bag], *const last =
                                                                      p_.indices + p_.starts[bag + 1];
        const int64_t count = last - first - (p_.padding < 0 ? 0 : std::count(first, last, p_.padding));
        return T(1) / static_cast<T>(std::max<int64_t>(1, count));
    }

    void prefetch(int64_t use, int64_t end, int64_t column, int64_t columns) const {
        if (use + ahead >= end) return;
        const S* const row = table_ + p_.indices[use + ahead] * p_.width + column;
        for (int64_t j = 0; j < columns; j += 64 / static_cast<int64_t>(sizeof(S)))
            __builtin_prefetch(row + j);
    }

    // The first of equal elements, and a NaN where it is the first element.
    void maxima(int64_t bag, S* row, int64_t* places) const {
        over_columns([&](int64_t j, int64_t columns, auto vectors) {
            using Integer = IntegerOf<T>;
            const int64_t n = std::min(size, columns);
            Vec<T> best[vectors] = {};
            Vec<Integer> use[vectors];
            for (int64_t v = 0; v < vectors; ++v) use[v] = Vec<Integer>(Integer(-1));
            for (int64_t i = p_.starts[bag]; i < p_.starts[bag + 1]; ++i) {
                if (p_.indices[i] == p_.padding) continue;
                const S* const source = table_ + p_.indices[i] * p_.width + j;
                const Vec<Integer> here(static_cast<Integer>(i - p_.starts[bag]));
                for (int64_t v = 0; v < vectors; ++v) {
                    const Vec<T> value = load_lanes(source, v * size, n);
                    const auto better = (value > best[v]) | (use[v] < Vec<Integer>(Integer(0)));
                    best[v] = select(better, value, best[v]);
                    use[v] = select(better, here, use[v]);
                }
            }
            for (int64_t v = 0; v < vectors; ++v) {
                store_lanes(best[v], row, j + v * size, n);
                for (int lane = 0; lane < n; ++lane) {
                    const int64_t found = use[v][lane];
                    places[j + v * size + lane] = found < 0 ? -1 : p_.indices[p_.starts[bag] + found];
                }
            }
        });
    }

    void maxima_gradient(const S* gradient, const int64_t* places, S* target) const {
        const int64_t columns = std::max<int64_t>(16, parallel_grain / std::max<int64_t>(1, p_.bags));
        parallel_for(0, p_.width, columns, [&](int64_t first, int64_t last) {
            for (int64_t bag = 0; bag < p_.bags; ++bag)
                for (int64_t j = first; j < last; ++j) {
                    const int64_t at = bag * p_.width + j;
                    if (places[at] < 0) continue;
                    S& sum = target[places[at] * p_.width + j];
                    sum = convert<S>(static_cast<T>(sum) + static_cast<T>(gradient[at]));
                }
        });
    }

    // The sum over a row's uses, of which `use` is the first.
    void add_chain(int64_t use, const S* gradient, const int64_t* next, const int64_t* owner, const T* shares,
                   bool by_frequency, S* target) const {
        int64_t uses = 0;
        for (int64_t i = use; by_frequency && i >= 0; i = next[i]) ++uses;
        const Vec<T> frequency(static_cast<T>(std::max<int64_t>(1, uses)));
        over_columns([&](int64_t j, int64_t columns, auto vectors) {
            const int64_t n = std::min(size, columns);
            Vec<T> sum[vectors] = {};
            for (int64_t i = use; i >= 0; i = next[i]) {
                const S* const source = gradient + owner[i] * p_.width + j;
                const Vec<T> scale(shares[owner[i]] * scale_of(i));
                for (int64_t v = 0; v < vectors; ++v)
                    sum[v] = fma(load_lanes(source, v * size, n), scale, sum[v]);
            }
            for (int64_t v = 0; v < vectors; ++v)
                store_lanes(by_frequency ? sum[v] / frequency : sum[v], target, j + v * size, n);
        });
    }

    const BagProblem& p_;
    const S* table_;
    const S* scales_;
};

void forward(const BagProblem& p, void* out, int64_t* places) {
    visit_floating(p.dtype, [&]<class S>(TypeTag<S>) { Bags<S>(p).forward(static_cast<S*>(out), places); });
}
void table_gradient(const BagProblem& p, const void* gradient, const int64_t* places, bool by_frequency,
                    void* target) {
    visit_floating(p.dtype, [&]<class S>(TypeTag<S>) {
        Bags<S>(p).table_gradient(static_cast<const S*>(gradient), places, by_frequency,
                                  static_cast<S*>(target));
    });
}
void scale_gradient(const BagProblem& p, const void* gradient, void* target) {
    visit_floating(p.dtype, [&]<class S>(TypeTag<S>) {
        Bags<S>(p).scale_gradient(static_cast<const S*>(gradient), static_cast<S*>(target));
    });
}

}  // namespace

extern const EmbeddingBagKernels embedding_bag_table;
const EmbeddingBagKernels embedding_bag_table = {forward, table_gradient, scale_gradient};

}  // namespace rl::kernels::RUSHLIGHT_ISA
