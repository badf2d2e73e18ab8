// Recurrent layers: the weight is packed once; whoever takes a block of the batch takes it through all steps,
// each a product with the last state and one pass over the gates.
#include "kernels/recurrent.h"

#include <algorithm>

#include "core/threads.h"
#include "kernels/cpu/lines.h"
#include "kernels/cpu/recurrent_weight.h"
#include "kernels/simd/math.h"

namespace rl::kernels::RUSHLIGHT_ISA {
namespace {

// What one sequence of the batch has at one step, each a row of blocks of `hidden` numbers.
template <class T>
struct StepRows {
    const T* projected;
    const T* bias;  // of GRU, null for none
    const T* hidden_before;
    const T* cell_before;
    T* kept;  // holds the state's projections, and then what the gradient reads
    T* cell;
    T* output;
};
template <class T>
struct StepGradients {
    const T* output;      // of this step's output, null for zero
    T* hidden;            // of the state after, replaced by what reaches the state before past the weight
    bool hidden_arrived;  // else `hidden` holds nothing yet
    T* cell;              // of the cell after, replaced by that of the cell before
    T* projected;
    T* recurrent;
};

// Calls body(load, store) for each vector of `count` numbers.
template <class T, class Body>
void each_vector(int64_t count, Body&& body) {
    for (int64_t i = 0; i < count; i += Vec<T>::size) {
        const int64_t here = std::min<int64_t>(Vec<T>::size, count - i);
        body([=](const T* x) { return load_lanes(x, i, here); },
             [=](Vec<T> value, T* y) { store_lanes(value, y, i, here); });
    }
}

template <class T, class Load>
Vec<T> arriving(const StepGradients<T>& g, Load load) {
    const Vec<T> own = g.output == nullptr ? Vec<T>(T(0)) : load(g.output);
    return g.hidden_arrived ? own + load(g.hidden) : own;
}

// The passes over gates are flattened, for a call of exp would spill every vector.

template <class T>
struct Lstm {
    [[gnu::flatten]] static void forward(int64_t n, const StepRows<T>& row) {
        const T* const p = row.projected;
        T* const k = row.kept;
        each_vector<T>(n, [&](auto load, auto store) {
            const auto gate = [&](int64_t block) { return load(p + block * n) + load(k + block * n); };
            const Vec<T> input = sigmoid(gate(0)), forget = sigmoid(gate(1)), candidate = tanh(gate(2)),
                         output = sigmoid(gate(3));
            const Vec<T> cell = fma(forget, load(row.cell_before), input * candidate);
            store(input, k);
            store(forget, k + n);
            store(candidate, k + 2 * n);
            store(output, k + 3 * n);
            store(cell, row.cell);
            store(output * tanh(cell), row.output);
        });
    }
    [[gnu::flatten]] static void backward(int64_t n, const StepRows<T>& row, const StepGradients<T>& g) {
        const T* const k = row.kept;
        const Vec<T> one(T(1));
        each_vector<T>(n, [&](auto load, auto store) {
            const Vec<T> input = load(k), forget = load(k + n), candidate = load(k + 2 * n),
                         output = load(k + 3 * n), squashed = tanh(load(row.cell));
            const Vec<T> hidden = arriving(g, load);
            const Vec<T> cell = fma(hidden * output, one - squashed * squashed, load(g.cell));
            store(cell * candidate * input * (one - input), g.projected);
            store(cell * load(row.cell_before) * forget * (one - forget), g.projected + n);
            store(cell * input * (one - candidate * candidate), g.projected + 2 * n);
            store(hidden * squashed * output * (one - output), g.projected + 3 * n);
            store(cell * forget, g.cell);
        });
    }
};

template <class T>
struct Gru {
    [[gnu::flatten]] static void forward(int64_t n, const StepRows<T>& row) {
        const T *const p = row.projected, *const bias = row.bias;
        T* const k = row.kept;
        each_vector<T>(n, [&](auto load, auto store) {
            const auto recurrent = [&](int64_t block) {
                const Vec<T> product = load(k + block * n);
                return bias == nullptr ? product : product + load(bias + block * n);
            };
            const Vec<T> reset = sigmoid(load(p) + recurrent(0)),
                         update = sigmoid(load(p + n) + recurrent(1)), inner = recurrent(2);
            const Vec<T> candidate = tanh(fma(reset, inner, load(p + 2 * n)));
            store(reset, k);
            store(update, k + n);
            store(inner, k + 2 * n);
            store(candidate, k + 3 * n);
            store(fma(update, load(row.hidden_before) - candidate, candidate), row.output);
        });
    }
    [[gnu::flatten]] static void backward(int64_t n, const StepRows<T>& row, const StepGradients<T>& g) {
        const T* const k = row.kept;
        const Vec<T> one(T(1));
        each_vector<T>(n, [&](auto load, auto store) {
            const Vec<T> reset = load(k), update = load(k + n), inner = load(k + 2 * n),
                         candidate = load(k + 3 * n);
            const Vec<T> hidden = arriving(g, load);
            const Vec<T> d_update = hidden * (load(row.hidden_before) - candidate) * update * (one - update);
            const Vec<T> d_candidate = hidden * (one - update) * (one - candidate * candidate);
            const Vec<T> d_reset = d_candidate * inner * reset * (one - reset);
            store(d_reset, g.projected);
            store(d_update, g.projected + n);
            store(d_candidate, g.projected + 2 * n);
            store(d_reset, g.recurrent);
            store(d_update, g.recurrent + n);
            store(d_candidate * reset, g.recurrent + 2 * n);
            store(hidden * update, g.hidden);
        });
    }
};

template <class T, bool relu>
struct Plain {
    [[gnu::flatten]] static void forward(int64_t n, const StepRows<T>& row) {
        const Vec<T> zero(T(0));
        each_vector<T>(n, [&](auto load, auto store) {
            const Vec<T> sum = load(row.projected) + load(row.output);
            if constexpr (relu)
                store(select(sum <= zero, zero, sum), row.output);
            else
                store(tanh(sum), row.output);
        });
    }
    [[gnu::flatten]] static void backward(int64_t n, const StepRows<T>& row, const StepGradients<T>& g) {
        const Vec<T> zero(T(0)), one(T(1));
        each_vector<T>(n, [&](auto load, auto store) {
            const Vec<T> hidden = arriving(g, load), output = load(row.output);
            if constexpr (relu)
                store(select(output > zero, hidden, zero), g.projected);
            else
                store(hidden * (one - output * output), g.projected);
        });
    }
};

template <class T, class Cell>
class Layer {
  public:
    Layer(const RecurrentProblem& p, const RecurrentRecord& r)
        : p_(p),
          gates_(gate_count(p.cell) * p.hidden),
          kept_width_(kept_count(p.cell) * p.hidden),
          output_(static_cast<T*>(r.output)),
          kept_(static_cast<T*>(r.kept)),
          cells_(static_cast<T*>(r.cells)),
          every_step_(r.every_step) {}

    void forward() {
        weight_ = {static_cast<const T*>(p_.weight), 1, p_.state, p_.state, gates_, p_.narrow};
        over_blocks([&](int64_t first, int64_t rows) { forward_block(first, rows); });
    }
    void backward(const RecurrentGradients& g) {
        weight_ = {static_cast<const T*>(p_.weight), p_.state, 1, gates_, p_.state, p_.narrow};
        over_blocks([&](int64_t first, int64_t rows) { backward_block(g, first, rows); });
    }

  private:
    // Blocks of nearly equal size: a tile's rows, or more where the weight outgrows the second cache.
    template <class Body>
    void over_blocks(Body&& body) const {
        const int64_t most = gates_ * p_.state * static_cast<int64_t>(sizeof(T)) > (int64_t{1} << 20)
                                 ? 4 * tile_rows<T>
                                 : tile_rows<T>;
        const int64_t blocks = (p_.batch + most - 1) / most;
        parallel_for(0, blocks, 1, [&](int64_t begin, int64_t end) {
            for (int64_t b = begin; b < end; ++b) {
                const int64_t first = b * p_.batch / blocks;
                body(first, (b + 1) * p_.batch / blocks - first);
            }
        });
    }

    // The step at place `s` of the order, and the sequence `i` of the batch in arrays of all steps.
    int64_t row_of(int64_t s, int64_t i) const { return (p_.reverse ? p_.steps - 1 - s : s) * p_.batch + i; }

    StepRows<T> step_rows(int64_t s, int64_t i) const {
        const int64_t row = row_of(s, i), before = s == 0 ? 0 : row_of(s - 1, i);
        StepRows<T> rows{};
        rows.projected = static_cast<const T*>(p_.projected) + row * gates_;
        rows.bias = static_cast<const T*>(p_.bias);
        rows.output = output_ + row * p_.hidden;
        rows.hidden_before =
            s == 0 ? static_cast<const T*>(p_.first_hidden) + i * p_.state : output_ + before * p_.hidden;
        if (kept_ != nullptr) rows.kept = kept_ + (every_step_ ? row : i) * kept_width_;
        if (cells_ == nullptr) return rows;
        rows.cell = cells_ + (every_step_ ? row : i) * p_.hidden;
        rows.cell_before = s == 0 ? static_cast<const T*>(p_.first_cell) + i * p_.hidden
                                  : cells_ + (every_step_ ? before : i) * p_.hidden;
        return rows;
    }

    void forward_block(int64_t first, int64_t rows) const {
        for (int64_t s = 0; s < p_.steps; ++s) {
            const StepRows<T> top = step_rows(s, first);
            if (kept_ != nullptr)
                weight_.multiply(rows, top.hidden_before, top.kept, kept_width_, false);
            else
                weight_.multiply(rows, top.hidden_before, top.output, p_.hidden, false);
            for (int64_t r = 0; r < rows; ++r) Cell::forward(p_.hidden, step_rows(s, first + r));
        }
    }

    void backward_block(const RecurrentGradients& g, int64_t first, int64_t rows) const {
        T* const hidden = static_cast<T*>(g.first_hidden) + first * p_.state;
        T* const cell = static_cast<T*>(g.first_cell) + (cells_ == nullptr ? 0 : first * p_.hidden);
        if (cells_ != nullptr && g.last_cell == nullptr)
            std::fill_n(cell, rows * p_.hidden, T(0));
        else if (cells_ != nullptr)
            std::copy_n(static_cast<const T*>(g.last_cell) + first * p_.hidden, rows * p_.hidden, cell);
        constexpr bool carries = std::is_same_v<Cell, Gru<T>>;
        for (int64_t s = p_.steps - 1; s >= 0; --s) {
            const int64_t top = row_of(s, first);
            for (int64_t r = 0; r < rows; ++r) {
                const int64_t row = top + r;
                const StepGradients<T> gradients{
                    g.output == nullptr ? nullptr : static_cast<const T*>(g.output) + row * p_.hidden,
                    hidden + r * p_.state,
                    s + 1 < p_.steps,
                    cells_ == nullptr ? nullptr : cell + r * p_.hidden,
                    static_cast<T*>(g.projected) + row * gates_,
                    static_cast<T*>(g.recurrent) + row * gates_};
                Cell::backward(p_.hidden, step_rows(s, first + r), gradients);
            }
            weight_.multiply(rows, static_cast<const T*>(g.recurrent) + top * gates_, hidden, p_.state,
                             carries);
        }
    }

    const RecurrentProblem& p_;
    int64_t gates_, kept_width_;
    T* output_;
    T* kept_;
    T* cells_;
    bool every_step_;
    PackedWeight<T> weight_;
};

template <class T, class Visit>
void visit_cell(RecurrentCell cell, Visit&& visit) {
    switch (cell) {
        case RecurrentCell::plain_tanh:
            return visit(Plain<T, false>{});
        case RecurrentCell::plain_relu:
            return visit(Plain<T, true>{});
        case RecurrentCell::lstm:
            return visit(Lstm<T>{});
        case RecurrentCell::gru:
            return visit(Gru<T>{});
    }
}

void forward(const RecurrentProblem& p, const RecurrentRecord& r) {
    visit_float(p.dtype, [&]<class T>(T) {
        visit_cell<T>(p.cell, [&]<class Cell>(Cell) { Layer<T, Cell>(p, r).forward(); });
    });
}
void backward(const RecurrentProblem& p, const RecurrentRecord& r, const RecurrentGradients& g) {
    visit_float(p.dtype, [&]<class T>(T) {
        visit_cell<T>(p.cell, [&]<class Cell>(Cell) { Layer<T, Cell>(p, r).backward(g); });
    });
}

}  // namespace

extern const RecurrentKernels recurrent_table;
const RecurrentKernels recurrent_table = {&forward, &backward};

}  // namespace rl::kernels::RUSHLIGHT_ISA
