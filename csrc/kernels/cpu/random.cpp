// Random kernels: raw words of the Mersenne Twister in batches, then the transformation of each distribution.
//
// Words are made in order, one batch ahead of the loop that turns them, in parallel pieces, into numbers.
#include "kernels/random.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numbers>
#include <type_traits>
#include <utility>

#include "core/scratch.h"
#include "core/threads.h"
#include "kernels/simd/math.h"

namespace rl::kernels::RUSHLIGHT_ISA {
namespace {

constexpr int64_t piece_items = 4096;
constexpr int64_t batch_items = 16 * piece_items;
constexpr uint64_t mask_of_53_bits = (uint64_t{1} << 53) - 1;
constexpr int group = 16;  // normal draws that are transformed together

// The next `count` words before tempering.
void take_words(Mt19937& engine, uint32_t* words, int64_t count) {
    while (count > 0) {
        if (engine.left == 1) {
            mt19937_twist(engine.words);
            engine.left = Mt19937::size + 1;
            engine.next = 0;
        }
        const int64_t taken = std::min<int64_t>(count, engine.left - 1);
        std::memcpy(words, engine.words + engine.next, static_cast<size_t>(taken) * sizeof(uint32_t));
        engine.next += static_cast<uint32_t>(taken);
        engine.left -= static_cast<int32_t>(taken);
        words += taken;
        count -= taken;
    }
}

// Calls transform(words, first, items) for pieces of [0, count), with Words tempered words an item. The first
// piece of each parallel loop makes the words of the next batch.
template <int Words, class Transform>
void draw(Generator& generator, int64_t count, Transform transform) {
    const int64_t room = std::min(count, batch_items) * Words;
    uint32_t* batch = scratch_array<uint32_t>(ScratchUse::local, 2 * room);
    uint32_t* next = batch + room;
    take_words(generator.engine(), batch, room);
    for (int64_t first = 0; first < count; first += batch_items) {
        const int64_t items = std::min(batch_items, count - first);
        const int64_t ahead = std::min(batch_items, count - first - items);
        const auto piece = [&](int64_t begin, int64_t end) {
            if (begin < 0) return take_words(generator.engine(), next, ahead * Words);
            uint32_t* const words = batch + begin * Words;
            for (int64_t i = 0; i < (end - begin) * Words; ++i) words[i] = mt19937_temper(words[i]);
            transform(words, first + begin, end - begin);
        };
        parallel_for(ahead > 0 ? -piece_items : 0, items, piece_items, piece);
        std::swap(batch, next);
    }
}

// Item i of tempered words as 64 bits, of which the first word is the upper half.
uint64_t bits64(const uint32_t* words, int64_t i) {
    return static_cast<uint64_t>(words[2 * i]) << 32 | words[2 * i + 1];
}
// Item i as a uniform number in [0, 1): 24 bits of one word, or 53 bits of two.
template <class Compute>
Compute unit(const uint32_t* words, int64_t i) {
    if constexpr (std::is_same_v<Compute, float>) {
        return static_cast<float>(static_cast<int32_t>(words[i] & 0xffffffu)) * 0x1p-24f;
    } else {
        return static_cast<double>(static_cast<int64_t>(bits64(words, i) & mask_of_53_bits)) * 0x1p-53;
    }
}
template <class Compute>
constexpr int words_per_unit = sizeof(Compute) / sizeof(uint32_t);

template <class T>
constexpr bool is_reduced = std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>;

// double for double, otherwise float.
template <class T>
using ComputeOf = std::conditional_t<std::is_same_v<T, double>, double, float>;

template <class T, class From>
T to(From value) {
    if constexpr (is_reduced<T>) {
        return T(static_cast<float>(value));
    } else if constexpr (std::is_same_v<T, bool>) {
        return value != From(0);
    } else {
        return static_cast<T>(value);
    }
}
template <class T>
auto number(T value) {
    if constexpr (is_reduced<T>) {
        return static_cast<float>(value);
    } else {
        return value;
    }
}

template <class Visit>
void visit_floating(DType dtype, Visit visit) {
    visit_dtype(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        if constexpr (std::is_floating_point_v<T> || is_reduced<T>) visit(tag);
    });
}
template <class Visit>
void visit_real(DType dtype, Visit visit) {
    visit_dtype(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        if constexpr (std::is_arithmetic_v<T> || is_reduced<T>) visit(tag);
    });
}

void uniform(Generator& generator, DType dtype, void* output, int64_t count, double from, double to_) {
    visit_floating(dtype, [&]<class T>(TypeTag<T>) {
        using Compute = ComputeOf<T>;
        const auto low = static_cast<Compute>(from), high = static_cast<Compute>(to_);
        const auto excluded = number(to<T>(high));
        const T instead = to<T>(low);
        const double base = low, range = high - low;
        T* const out = static_cast<T*>(output);
        draw<words_per_unit<Compute>>(generator, count,
                                      [=](const uint32_t* words, int64_t first, int64_t items) {
                                          for (int64_t i = 0; i < items; ++i) {
                                              const double drawn = unit<Compute>(words, i) * range + base;
                                              const T value = to<T>(static_cast<Compute>(drawn));
                                              out[first + i] = number(value) == excluded ? instead : value;
                                          }
                                      });
    });
}

template <class T>
struct CosineSine {
    Vec<T> cosine, sine;
};
CosineSine<double> cosine_sine(Vec<double> x) {
    const SineCosine reduced = sine_cosine(x);
    return {in_quadrant(reduced, reduced.n + Vec<double>(1.0)), in_quadrant(reduced, reduced.n)};
}
CosineSine<float> cosine_sine(Vec<float> x) {
    const DoublePair halves = widen(x);
    const CosineSine<double> low = cosine_sine(halves.low), high = cosine_sine(halves.high);
    return {narrow({low.cosine, high.cosine}), narrow({low.sine, high.sine})};
}

// In float32, to the bit what PyTorch computes with AVX2: the polynomials of the Cephes library (Moshier,
// 1989) for logarithm, sine and cosine, with these multiply-adds fused.

// Of positive, normal numbers: x = 2^exponent * m with m in [sqrt(1/2), sqrt(2)), and a polynomial in m - 1.
Vec<float> cephes_log(Vec<float> x) {
    const Vec<int32_t> bits = reinterpret<int32_t>(x);
    const Vec<float> half_to_one =
        reinterpret<float>((bits & Vec<int32_t>(0x007fffff)) | Vec<int32_t>(0x3f000000));
    const auto small = half_to_one < Vec<float>(std::numbers::sqrt2_v<float> / 2);
    const Vec<float> exponent = convert_lanes<float>((bits >> 23) - Vec<int32_t>(126) + small);
    const Vec<float> m = select(small, half_to_one + half_to_one, half_to_one) - Vec<float>(1.0f);
    const Vec<float> square = m * m;
    const Vec<float> series = m * polynomial(m, {3.3333331174e-1f, -2.4999993993e-1f, 2.0000714765e-1f,
                                                 -1.6668057665e-1f, 1.4249322787e-1f, -1.2420140846e-1f,
                                                 1.1676998740e-1f, -1.1514610310e-1f, 7.0376836292e-2f});
    const Vec<float> tail = fma(series, square, exponent * Vec<float>(-2.12194440e-4f));
    return fma(exponent, Vec<float>(0.693359375f), m + fma(square, Vec<float>(-0.5f), tail));
}

// Of angles from 0 to 2 pi: reduced by the multiple of pi / 4 that leaves at most pi / 4.
CosineSine<float> cephes_cosine_sine(Vec<float> x) {
    const Vec<int32_t> octant =
        (convert_lanes<int32_t>(x * Vec<float>(4 / std::numbers::pi_v<float>)) + Vec<int32_t>(1)) &
        Vec<int32_t>(~1);
    const Vec<float> multiple = convert_lanes<float>(octant);
    x = fma(multiple, Vec<float>(-0.78515625f), x);
    x = fma(multiple, Vec<float>(-2.4187564849853515625e-4f), x);
    x = fma(multiple, Vec<float>(-3.77489497744594108e-8f), x);
    const Vec<float> square = x * x;
    const Vec<float> even = fma(square * polynomial(square, {4.166664568298827e-2f, -1.388731625493765e-3f,
                                                             2.443315711809948e-5f}),
                                square, square * Vec<float>(-0.5f)) +
                            Vec<float>(1.0f);
    const Vec<float> odd =
        fma(square * polynomial(square, {-1.6666654611e-1f, 8.3321608736e-3f, -1.9515295891e-4f}), x, x);
    const auto straight = (octant & Vec<int32_t>(2)) == Vec<int32_t>(0);
    const auto negated = [](Vec<float> value, Vec<int32_t> when) {
        return reinterpret<float>(reinterpret<int32_t>(value) ^ ((when & Vec<int32_t>(4)) << 29));
    };
    return {negated(select(straight, even, odd), octant + Vec<int32_t>(2)),
            negated(select(straight, odd, even), octant)};
}

// Box and Muller (1958) on groups of sixteen uniform numbers: the first eight give radii, the others angles.
void transform_pairs(Vec<float>& first, Vec<float>& second, Vec<float> mean, Vec<float> std) {
    const Vec<float> radius = sqrt(Vec<float>(-2.0f) * cephes_log(Vec<float>(1.0f) - first));
    const auto direction = cephes_cosine_sine(Vec<float>(2 * std::numbers::pi_v<float>) * second);
    first = fma(radius * direction.cosine, std, mean);
    second = fma(radius * direction.sine, std, mean);
}
// The lower halves of two vectors, or their upper halves, as one.
template <int Half>
Vec<float> join_halves(Vec<float> a, Vec<float> b) {
    constexpr int half = Vec<float>::size / 2;
    return [&]<int... Lane>(std::integer_sequence<int, Lane...>) {
        return Vec<float>(__builtin_shufflevector(
            a.native, b.native, (Lane < half ? Lane + Half * half : Lane + half + Half * half)...));
    }(std::make_integer_sequence<int, 2 * half>());
}
void transform_block(const uint32_t* words, float* output, Vec<float> mean, Vec<float> std) {
    constexpr int size = Vec<float>::size;
    const auto load = [&](int at) {
        const Vec<int32_t> bits = Vec<int32_t>::load(reinterpret_cast<const int32_t*>(words) + at);
        return convert_lanes<float>(bits & Vec<int32_t>(0xffffff)) * Vec<float>(0x1p-24f);
    };
    if constexpr (size == group) {
        const Vec<float> low = load(0), high = load(group);
        Vec<float> first = join_halves<0>(low, high), second = join_halves<1>(low, high);
        transform_pairs(first, second, mean, std);
        join_halves<0>(first, second).store(output);
        join_halves<1>(first, second).store(output + group);
    } else {
        for (int lane = 0; lane < group / 2; lane += size) {
            Vec<float> first = load(lane), second = load(group / 2 + lane);
            transform_pairs(first, second, mean, std);
            first.store(output + lane);
            second.store(output + group / 2 + lane);
        }
    }
}
void transform_groups(const uint32_t* words, float* output, int64_t items, float mean, float std) {
    constexpr int64_t block = std::max(group, 2 * Vec<float>::size);
    int64_t i = 0;
    for (; i + block <= items; i += block) transform_block(words + i, output + i, mean, std);
    if (i == items) return;
    uint32_t last[block] = {};
    float numbers[block];
    std::copy_n(words + i, items - i, last);
    transform_block(last, numbers, mean, std);
    std::copy_n(numbers, items - i, output + i);
}

// The same in double, and in half types by way of float.
template <class T, class Compute>
void transform_groups(const uint32_t* words, T* output, int64_t items, Compute mean, Compute std) {
    constexpr int64_t half = group / 2;
    alignas(64) Compute first[piece_items / 2] = {}, second[piece_items / 2] = {};
    for (int64_t pair = 0; pair < items / 2; ++pair) {
        const int64_t source = pair / half * group + pair % half;
        first[pair] = Compute(1) - unit<Compute>(words, source);
        second[pair] = unit<Compute>(words, source + half);
    }
    for (int64_t pair = 0; pair < items / 2; pair += Vec<Compute>::size) {
        const auto scale = Vec<Compute>(std), shift = Vec<Compute>(mean);
        const auto radius = sqrt(Vec<Compute>(Compute(-2)) * log(Vec<Compute>::load(first + pair)));
        const auto angle =
            Vec<Compute>(Compute(2) * std::numbers::pi_v<Compute>) * Vec<Compute>::load(second + pair);
        const auto direction = cosine_sine(angle);
        (radius * direction.cosine * scale + shift).store(first + pair);
        (radius * direction.sine * scale + shift).store(second + pair);
    }
    for (int64_t pair = 0; pair < items / 2; ++pair) {
        const int64_t target = pair / half * group + pair % half;
        output[target] = to<T>(first[pair]);
        output[target + half] = to<T>(second[pair]);
    }
}

void normal_blocked(Generator& generator, DType dtype, void* output, int64_t count, double mean, double std) {
    visit_floating(dtype, [&]<class T>(TypeTag<T>) {
        using Compute = ComputeOf<T>;
        constexpr int words_each = words_per_unit<Compute>;
        const auto fill = [&](T* out, int64_t items) {
            draw<words_each>(generator, items, [=](const uint32_t* words, int64_t first, int64_t piece) {
                transform_groups(words, out + first, piece, static_cast<Compute>(mean),
                                 static_cast<Compute>(std));
            });
        };
        T* const out = static_cast<T*>(output);
        const int64_t rest = count % group;
        fill(out, count - rest);
        if (rest == 0) return;
        // The last sixteen are drawn anew; half types have not drawn the incomplete group before.
        if constexpr (!is_reduced<T>) {
            uint32_t passed[group * words_each];
            take_words(generator.engine(), passed, rest * words_each);
        }
        fill(out + count - group, group);
    });
}

void normal_serial(Generator& generator, DType dtype, void* output, int64_t count, double mean, double std) {
    visit_floating(dtype, [&]<class T>(TypeTag<T>) {
        T* const out = static_cast<T*>(output);
        for (int64_t i = 0; i < count; ++i) out[i] = to<T>(generator.normal() * std + mean);
    });
}

// words[i] = words[i] % divisor(i), for divisors from 2 on that keep the quotient within 31 bits.
template <class Divisor>
void take_remainders(uint32_t* words, int64_t count, Divisor divisor) {
    for (int64_t i = 0; i < count; ++i) {
        const uint32_t by = divisor(i);
        const auto quotient =
            static_cast<int32_t>(static_cast<double>(words[i]) / by);  // exact once truncated
        words[i] -= static_cast<uint32_t>(quotient) * by;
    }
}

// base + bits % range, from one word or from two an item.
template <int Words, class T>
void fill_integers(Generator& generator, T* out, int64_t count, uint64_t range, int64_t base) {
    draw<Words>(generator, count, [=](uint32_t* words, int64_t first, int64_t items) {
        const auto result = [=](uint64_t drawn) {
            return to<T>(static_cast<int64_t>(drawn + static_cast<uint64_t>(base)));
        };
        if constexpr (Words == 1) {
            const auto divisor = static_cast<uint32_t>(range);
            if (divisor == 1) std::fill_n(words, items, 0);
            if (divisor > 1) take_remainders(words, items, [=](int64_t) { return divisor; });
            for (int64_t i = 0; i < items; ++i) out[first + i] = result(words[i]);
        } else {
            for (int64_t i = 0; i < items; ++i)
                out[first + i] = result(range == 0 ? bits64(words, i) : bits64(words, i) % range);
        }
    });
}

void integers(Generator& generator, DType dtype, void* output, int64_t count, uint64_t range, int64_t base) {
    constexpr uint64_t one_word_limit = uint64_t{1} << 28;
    visit_real(dtype, [&]<class T>(TypeTag<T>) {
        T* const out = static_cast<T*>(output);
        if (range != 0 && range < one_word_limit) {
            fill_integers<1>(generator, out, count, range, base);
        } else {
            fill_integers<2>(generator, out, count, range, base);
        }
    });
}

// One more than the largest whole number up to which all are held exactly.
template <class T>
constexpr uint64_t exact_integers() {
    if constexpr (std::is_same_v<T, Half>) {
        return (1u << 11) + 1;
    } else if constexpr (std::is_same_v<T, BFloat16>) {
        return (1u << 8) + 1;
    } else if constexpr (std::is_floating_point_v<T>) {
        return (uint64_t{1} << std::numeric_limits<T>::digits) + 1;
    } else {
        return static_cast<uint64_t>(std::numeric_limits<T>::max()) + 1;
    }
}

void integers_all(Generator& generator, DType dtype, void* output, int64_t count) {
    visit_real(dtype, [&]<class T>(TypeTag<T>) {
        fill_integers<sizeof(T) == 8 ? 2 : 1>(generator, static_cast<T*>(output), count, exact_integers<T>(),
                                              0);
    });
}

void bernoulli(Generator& generator, DType dtype, void* output, int64_t count, double p) {
    const auto below = static_cast<uint64_t>(std::ceil(p * 0x1p53));
    visit_real(dtype, [&]<class T>(TypeTag<T>) {
        T* const out = static_cast<T*>(output);
        draw<2>(generator, count, [=](const uint32_t* words, int64_t first, int64_t items) {
            for (int64_t i = 0; i < items; ++i)
                out[first + i] = to<T>(static_cast<int>((bits64(words, i) & mask_of_53_bits) < below));
        });
    });
}

void bernoulli_each(Generator& generator, DType dtype, void* output, int64_t count, const void* p,
                    DType p_dtype) {
    visit_real(dtype, [&]<class T>(TypeTag<T>) {
        visit_floating(p_dtype, [&]<class P>(TypeTag<P>) {
            using Compute = ComputeOf<P>;
            T* const out = static_cast<T*>(output);
            const P* const chance = static_cast<const P*>(p);
            draw<words_per_unit<Compute>>(
                generator, count, [=](const uint32_t* words, int64_t first, int64_t items) {
                    for (int64_t i = 0; i < items; ++i) {
                        const bool hit = unit<Compute>(words, i) < number(chance[first + i]);
                        out[first + i] = to<T>(static_cast<int>(hit));
                    }
                });
        });
    });
}

// f of uniform doubles.
template <class T, class F>
void fill_from_uniform(Generator& generator, T* out, int64_t count, F f) {
    draw<2>(generator, count, [=](const uint32_t* words, int64_t first, int64_t items) {
        alignas(64) double values[piece_items] = {};
        for (int64_t i = 0; i < items; ++i) values[i] = unit<double>(words, i);
        for (int64_t i = 0; i < items; i += Vec<double>::size)
            f(Vec<double>::load(values + i)).store(values + i);
        for (int64_t i = 0; i < items; ++i) out[first + i] = to<T>(values[i]);
    });
}

void exponential(Generator& generator, DType dtype, void* output, int64_t count, double lambda) {
    const double scale = -1.0 / lambda;
    visit_floating(dtype, [&]<class T>(TypeTag<T>) {
        fill_from_uniform(generator, static_cast<T*>(output), count,
                          [=](Vec<double> u) { return Vec<double>(scale) * log1p(-u); });
    });
}

void cauchy(Generator& generator, DType dtype, void* output, int64_t count, double median, double sigma) {
    visit_floating(dtype, [&]<class T>(TypeTag<T>) {
        fill_from_uniform(generator, static_cast<T*>(output), count, [=](Vec<double> u) {
            const Vec<double> angle = Vec<double>(std::numbers::pi) * (u - Vec<double>(0.5));
            return Vec<double>(median) + Vec<double>(sigma) * tan(angle);
        });
    });
}

void log_normal(Generator& generator, DType dtype, void* output, int64_t count, double mean, double std) {
    visit_floating(dtype, [&]<class T>(TypeTag<T>) {
        T* const out = static_cast<T*>(output);
        for (int64_t i = 0; i < count; ++i) out[i] = to<T>(std::exp(generator.normal() * std + mean));
    });
}

void geometric(Generator& generator, DType dtype, void* output, int64_t count, double p) {
    const double log_of_failure = std::log1p(-p);
    visit_real(dtype, [&]<class T>(TypeTag<T>) {
        fill_from_uniform(generator, static_cast<T*>(output), count,
                          [=](Vec<double> u) { return ceil(log(u) / Vec<double>(log_of_failure)); });
    });
}

// Multiplies uniform numbers until they fall below exp(-rate) (Knuth, 1969).
double poisson_by_products(Generator& generator, double rate) {
    const double limit = std::exp(-rate);
    double arrivals = 0.0;
    for (double product = generator.uniform(); product > limit; product *= generator.uniform())
        arrivals += 1.0;
    return arrivals;
}

// Transformed rejection with squeeze, algorithm PTRS of Hörmann (1993).
double poisson_by_rejection(Generator& generator, double rate) {
    const double b = 0.931 + 2.53 * std::sqrt(rate);
    const double a = -0.059 + 0.02483 * b;
    const double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
    const double accepted = 0.9277 - 3.6224 / (b - 2.0);
    for (;;) {
        const double u = generator.uniform() - 0.5;
        const double v = generator.uniform();
        const double us = 0.5 - std::fabs(u);
        const double k = std::floor((2.0 * a / us + b) * u + rate + 0.43);
        if (us >= 0.07 && v <= accepted) return k;
        if (k < 0.0 || (us < 0.013 && v > us)) continue;
        const double proposed = std::log(v) + std::log(inverse_alpha) - std::log(a / (us * us) + b);
        if (proposed <= -rate + k * std::log(rate) - std::lgamma(k + 1.0)) return k;
    }
}

void poisson(Generator& generator, DType dtype, void* output, int64_t count, const void* rates) {
    visit_floating(dtype, [&]<class T>(TypeTag<T>) {
        T* const out = static_cast<T*>(output);
        for (int64_t i = 0; i < count; ++i) {
            const double rate = number(static_cast<const T*>(rates)[i]);
            const double drawn = rate == 0.0   ? 0.0
                                 : rate < 10.0 ? poisson_by_products(generator, rate)
                                               : poisson_by_rejection(generator, rate);
            out[i] = to<T>(drawn);
        }
    });
}

void rrelu(Generator& generator, DType dtype, void* output, void* noise, const void* input, int64_t count,
           double lower, double upper) {
    visit_floating(dtype, [&]<class T>(TypeTag<T>) {
        T* const out = static_cast<T*>(output);
        T* const factor = static_cast<T*>(noise);
        const T* const in = static_cast<const T*>(input);
        const double from = static_cast<ComputeOf<T>>(lower), range = static_cast<ComputeOf<T>>(upper) - from;
        for (int64_t i = 0; i < count; ++i) {
            const bool positive = number(in[i]) > 0;
            factor[i] = to<T>(positive ? 1.0 : generator.uniform() * range + from);
            out[i] = positive ? in[i] : to<T>(number(in[i]) * number(factor[i]));
        }
    });
}

// Fisher and Yates' shuffle of [first, first + steps), with `left` elements from `first` on. A step's place
// is fetched into the cache some steps ahead.
template <class T>
void shuffle(T* first, const uint32_t* offsets, int64_t steps) {
    constexpr int64_t ahead = 16;
    for (int64_t i = 0; i < steps; ++i) {
        const int64_t later = std::min(i + ahead, steps - 1);
        __builtin_prefetch(first + later + offsets[later], 1);
        std::swap(first[i], first[i + offsets[i]]);
    }
}

void permutation(Generator& generator, DType dtype, void* output, int64_t count) {
    constexpr int64_t one_word_limit = std::numeric_limits<uint32_t>::max() / 20;
    visit_real(dtype, [&]<class T>(TypeTag<T>) {
        T* const out = static_cast<T*>(output);
        for (int64_t i = 0; i < count; ++i) out[i] = to<T>(i);
        const int64_t steps = count < one_word_limit ? count - 1 : 0;
        uint32_t words[piece_items];
        for (int64_t first = 0; first < steps; first += piece_items) {
            const int64_t items = std::min(piece_items, steps - first);
            take_words(generator.engine(), words, items);
            for (int64_t i = 0; i < items; ++i) words[i] = mt19937_temper(words[i]);
            take_remainders(words, items,
                            [=](int64_t i) { return static_cast<uint32_t>(count - first - i); });
            shuffle(out + first, words, items);
        }
        for (int64_t i = steps; i + 1 < count; ++i)
            std::swap(out[i],
                      out[i + static_cast<int64_t>(generator.random64() % static_cast<uint64_t>(count - i))]);
    });
}

void multinomial(Generator& generator, DType dtype, const void* weights, int64_t rows, int64_t categories,
                 int64_t* output, int64_t samples, void* cumulative) {
    visit_floating(dtype, [&]<class T>(TypeTag<T>) {
        using Compute = ComputeOf<T>;
        Compute* const bounds = static_cast<Compute*>(cumulative);
        for (int64_t row = 0; row < rows; ++row) {
            const T* const weight = static_cast<const T*>(weights) + row * categories;
            Compute sum = 0;
            for (int64_t k = 0; k < categories; ++k) bounds[k] = sum += static_cast<Compute>(weight[k]);
            for (int64_t k = 0; k < categories; ++k) bounds[k] /= sum;
            bounds[categories - 1] = 1;
            for (int64_t i = 0; i < samples; ++i) {
                const double drawn = generator.uniform();
                output[row * samples + i] =
                    std::lower_bound(bounds, bounds + categories, drawn,
                                     [](Compute bound, double value) { return bound < value; }) -
                    bounds;
            }
        }
    });
}

}  // namespace

extern const RandomKernels random_table;
const RandomKernels random_table{
    uniform, normal_blocked, normal_serial, integers, integers_all, bernoulli,   bernoulli_each, exponential,
    cauchy,  log_normal,     geometric,     poisson,  rrelu,        permutation, multinomial,
};

}  // namespace rl::kernels::RUSHLIGHT_ISA
