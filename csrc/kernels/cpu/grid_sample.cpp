// Sampling at grids: for some points at a time the elements that each reads, its taps, and their weights,
// which then serve all channels.
#include "kernels/grid_sample.h"

#include <algorithm>

#include "core/scratch.h"
#include "core/threads.h"
#include "kernels/cpu/half_lines.h"

namespace rl::kernels::RUSHLIGHT_ISA {
namespace {

constexpr int64_t block = 128;  // points worked on together
constexpr int most_taps = 16;

// The elements at `offsets` from x on; zero where an offset is negative.
template <class S, class T = Compute<S>>
Vec<T> gather(const S* x, Vec<IntegerOf<T>> offsets) {
#if defined(__AVX512F__)
    const __m512i at = std::bit_cast<__m512i>(offsets.native);
    if constexpr (std::is_same_v<S, float>) {
        const __mmask16 inside = _mm512_cmpge_epi32_mask(at, _mm512_setzero_si512());
        return _mm512_mask_i32gather_ps(_mm512_setzero_ps(), inside, at, x, 4);
    } else if constexpr (std::is_same_v<S, double>) {
        const __mmask8 inside = _mm512_cmpge_epi64_mask(at, _mm512_setzero_si512());
        return _mm512_mask_i64gather_pd(_mm512_setzero_pd(), inside, at, x, 8);
    }
#elif defined(__AVX2__)
    const __m256i at = std::bit_cast<__m256i>(offsets.native);
    if constexpr (std::is_same_v<S, float>) {
        const __m256i inside = _mm256_cmpgt_epi32(at, _mm256_set1_epi32(-1));
        return _mm256_mask_i32gather_ps(_mm256_setzero_ps(), x, at, _mm256_castsi256_ps(inside), 4);
    } else if constexpr (std::is_same_v<S, double>) {
        const __m256i inside = _mm256_cmpgt_epi64(at, _mm256_set1_epi64x(-1));
        return _mm256_mask_i64gather_pd(_mm256_setzero_pd(), x, at, _mm256_castsi256_pd(inside), 8);
    }
#endif
    T lanes[Vec<T>::size];
    for (int lane = 0; lane < Vec<T>::size; ++lane)
        lanes[lane] = offsets[lane] < 0 ? T(0) : static_cast<T>(x[offsets[lane]]);
    return Vec<T>::load(lanes);
}

// One dimension of the image, and how coordinates become places in it.
template <class T>
struct Axis {
    using Integer = IntegerOf<T>;
    GridMode mode;
    GridPadding padding;
    bool align_corners;
    int64_t size, stride;

    // A place, and its derivative by the coordinate.
    struct Place {
        Vec<T> at, slope;
    };

    Place place(Vec<T> coordinate) const {
        const T extent = static_cast<T>(align_corners ? size - 1 : size);
        Place result{(coordinate + Vec<T>(T(1))) * Vec<T>(extent / 2), Vec<T>(extent / 2)};
        if (!align_corners) result.at = result.at - Vec<T>(T(0.5));
        return mode == GridMode::bicubic ? result : inside(result);
    }

    Place inside(Place p) const {
        if (padding == GridPadding::zeros) return p;
        if (padding == GridPadding::reflection) p = reflected(p);
        const Vec<T> zero(T(0)), last(static_cast<T>(size - 1));
        return {clamp(p.at, T(0), static_cast<T>(size - 1)),
                select((p.at > zero) & (p.at < last), p.slope, zero)};
    }

    // Mirrored at the edges, which are the outer elements' centres or, where corners are not aligned, their
    // outer sides.
    Place reflected(Place p) const {
        const Vec<T> low(align_corners ? T(0) : T(-0.5)), zero(T(0));
        const Vec<T> span(static_cast<T>(align_corners ? size - 1 : size));
        if (align_corners && size == 1) return {p.at - p.at, zero};
        const Vec<T> distance = abs(p.at - low), flips = floor(distance / span);
        const Vec<T> rest = distance - flips * span;
        const auto even = flips == floor(flips * Vec<T>(T(0.5))) * Vec<T>(T(2));
        const Vec<T> along = select(p.at < low, -p.slope, p.slope);
        return {select(even, rest, span - rest) + low, select(even, along, -along)};
    }

    // Offsets of places that are whole numbers, negative outside of the image.
    Vec<Integer> offsets(Vec<T> at) const {
        const auto exists = (at >= Vec<T>(T(0))) & (at <= Vec<T>(static_cast<T>(size - 1)));
        const Vec<Integer> index = convert_lanes<Integer>(select(exists, at, Vec<T>(T(0))));
        return select(exists, index * Vec<Integer>(static_cast<Integer>(stride)), Vec<Integer>(Integer(-1)));
    }
};

// The derivative of Keys' cubic convolution (Keys, 1981) of parameter -3/4, and itself.
template <class T>
Vec<T> cubic(Vec<T> distance) {
    const Vec<T> a(T(-0.75)), x = abs(distance), one(T(1)), two(T(2));
    const Vec<T> near = fma(fma(a + two, x, -(a + two + one)) * x, x, one);
    const Vec<T> far = a * (x * (x * (x - Vec<T>(T(5))) + Vec<T>(T(8))) - Vec<T>(T(4)));
    return select(x <= one, near, select(x < two, far, Vec<T>(T(0))));
}
template <class T>
Vec<T> cubic_slope(Vec<T> distance) {
    const Vec<T> a(T(-0.75)), x = abs(distance), one(T(1)), two(T(2)), three(T(3));
    const Vec<T> near = ((a + two) * three * x - (a + three) * two) * x;
    const Vec<T> far = a * (x * (three * x - Vec<T>(T(10))) + Vec<T>(T(8)));
    const Vec<T> slope = select(x <= one, near, select(x < two, far, Vec<T>(T(0))));
    return select(distance < Vec<T>(T(0)), -slope, slope);
}

// What some points read along one dimension: in each line of arrays one tap.
template <class T>
struct AxisTaps {
    IntegerOf<T> offset[4][block];
    T weight[4][block], slope[4][block];  // and the weight's derivative by the coordinate

    template <bool Sloped>
    void set(int tap, int64_t i, Vec<IntegerOf<T>> offsets, Vec<T> weights, Vec<T> slopes) {
        offsets.store(offset[tap] + i);
        weights.store(weight[tap] + i);
        if constexpr (Sloped) slopes.store(slope[tap] + i);
    }

    // Of coordinates in whole vectors; the slopes only where they are wanted.
    template <bool Sloped>
    void find(const Axis<T>& axis, const T* coordinates, int64_t count) {
        const Vec<T> zero(T(0)), one(T(1));
        for (int64_t i = 0; i < count; i += Vec<T>::size) {
            const auto [at, slope] = axis.place(Vec<T>::load(coordinates + i));
            if (axis.mode == GridMode::nearest) {
                set<Sloped>(0, i, axis.offsets(round(at)), one, zero);
                continue;
            }
            const Vec<T> low = floor(at), part = at - low;
            if (axis.mode == GridMode::bilinear) {
                set<Sloped>(0, i, axis.offsets(low), one - part, -slope);
                set<Sloped>(1, i, axis.offsets(low + one), part, slope);
                continue;
            }
            for (int tap = 0; tap < 4; ++tap) {
                const Vec<T> step(static_cast<T>(tap - 1)), distance = part - step;
                set<Sloped>(tap, i, axis.offsets(trunc(axis.inside({low + step, zero}).at)), cubic(distance),
                            cubic_slope(distance) * slope);
            }
        }
    }
};

// The taps of some points in all dimensions.
template <class T>
struct Taps {
    using Integer = IntegerOf<T>;
    AxisTaps<T> axes[3];
    Integer offset[most_taps][block];
    T weight[most_taps][block];
    bool inside[most_taps];  // whether all points read an element of the image
};

template <class S>
class Sampler {
    using T = Compute<S>;
    using Integer = IntegerOf<T>;
    static constexpr int64_t width = Vec<T>::size;

  public:
    explicit Sampler(const GridProblem& p) : p_(p) {
        each_ = p.mode == GridMode::nearest ? 1 : p.mode == GridMode::bilinear ? 2 : 4;
        for (int d = p.rank - 1; d >= 0; --d) {
            axes_[d] = {p.mode, p.padding, p.align_corners, p.sizes[d], image_};
            image_ *= p.sizes[d];
            taps_ *= each_;
        }
        for (int k = 0; k < taps_; ++k)
            for (int d = p.rank - 1, rest = k; d >= 0; --d, rest /= each_) tap_of_[k][d] = rest % each_;
    }

    void forward(S* out) const {
        const S* const input = static_cast<const S*>(p_.input);
        over_blocks<false>(p_.channels, [&](int64_t n, int64_t first, int64_t count, int64_t channel,
                                            int64_t end, Taps<T>& taps) {
            static_cast<void>(count);
            for (int64_t c = channel; c < end; ++c) {
                const S* const image = input + (n * p_.channels + c) * image_;
                S* const target = out + (n * p_.channels + c) * p_.points + first;
                with_taps([&](auto number) { sample<number>(image, count, taps, target); });
            }
        });
    }

    // Whoever has a channel adds all points' gradients to it, in order.
    void input_gradient(const S* gradient, T* target) const {
        const int64_t together = std::max<int64_t>(1, std::min<int64_t>(8, p_.channels)),
                      pieces = (p_.channels + together - 1) / together;
        parallel_for(0, p_.batch * pieces, 1, [&](int64_t begin, int64_t end) {
            Taps<T>& taps = scratch_taps();
            for (int64_t task = begin; task < end; ++task) {
                const int64_t n = task / pieces, channel = task % pieces * together,
                              last = std::min(p_.channels, channel + together);
                for (int64_t first = 0; first < p_.points; first += block) {
                    const int64_t count = find<false>(n, first, taps);
                    for (int64_t c = channel; c < last; ++c)
                        scatter(gradient + (n * p_.channels + c) * p_.points + first, count, taps,
                                target + (n * p_.channels + c) * image_);
                }
            }
        });
    }

    void grid_gradient(const S* gradient, S* target) const {
        over_blocks<true>(
            p_.channels, [&](int64_t n, int64_t first, int64_t count, int64_t, int64_t, Taps<T>& taps) {
                for (int64_t i = 0; i < count; i += width)
                    with_taps([&](auto number) {
                        slopes<number>(n, first + i, i, std::min(width, count - i), gradient, taps, target);
                    });
            });
    }

  private:
    static Taps<T>& scratch_taps() { return *scratch_array<Taps<T>>(ScratchUse::local, 1); }

    // Calls body with the number of taps as a constant.
    template <class Body>
    void with_taps(Body&& body) const {
        if (taps_ == 1) return body(std::integral_constant<int, 1>{});
        if (taps_ == 4) return body(std::integral_constant<int, 4>{});
        if (taps_ == 8) return body(std::integral_constant<int, 8>{});
        body(std::integral_constant<int, 16>{});
    }

    template <int Number>
    static void sample(const S* image, int64_t count, const Taps<T>& taps, S* target) {
        for (int64_t i = 0; i < count; i += width) {
            Vec<T> sum(T(0));
            for (int k = 0; k < Number; ++k)
                sum = fma(gather(image, Vec<Integer>::load(taps.offset[k] + i)),
                          Vec<T>::load(taps.weight[k] + i), sum);
            store_lanes(sum, target, i, std::min(width, count - i));
        }
    }

    // The gradient by the coordinates of `count` points from `point` on, which are in lanes from `i` on.
    template <int Number>
    void slopes(int64_t n, int64_t point, int64_t i, int64_t count, const S* gradient, const Taps<T>& taps,
                S* target) const {
        const S* const input = static_cast<const S*>(p_.input);
        Vec<T> sums[Number] = {};  // what each tap's weight adds to the loss
        for (int64_t c = 0; c < p_.channels; ++c) {
            const int64_t plane = n * p_.channels + c;
            const Vec<T> g = load_lanes(gradient + plane * p_.points + point, 0, count);
            for (int k = 0; k < Number; ++k)
                sums[k] =
                    fma(gather(input + plane * image_, Vec<Integer>::load(taps.offset[k] + i)), g, sums[k]);
        }
        for (int d = 0; d < p_.rank; ++d) {
            Vec<T> slope(T(0));
            for (int k = 0; k < Number; ++k) slope = fma(sums[k], weight_slope(taps, k, d, i), slope);
            S* const row = target + (n * p_.points + point) * p_.rank + p_.rank - 1 - d;
            for (int lane = 0; lane < count; ++lane) row[lane * p_.rank] = convert<S>(slope[lane]);
        }
    }

    // Calls body(image, first point, points, first channel, last channel, taps) for all blocks of points.
    template <bool Sloped, class Body>
    void over_blocks(int64_t channels, Body&& body) const {
        const int64_t blocks = (p_.points + block - 1) / block;
        parallel_for(0, p_.batch * blocks, std::max<int64_t>(1, 16 / (1 + taps_ * channels / 16)),
                     [&](int64_t begin, int64_t end) {
                         Taps<T>& taps = scratch_taps();
                         for (int64_t task = begin; task < end; ++task) {
                             const int64_t n = task / blocks, first = task % blocks * block;
                             const int64_t count = find<Sloped>(n, first, taps);
                             body(n, first, count, int64_t{0}, channels, taps);
                         }
                     });
    }

    // The taps of a block of points, and how many there are; the last vector is filled up with points beyond.
    template <bool Sloped>
    int64_t find(int64_t n, int64_t first, Taps<T>& taps) const {
        const int64_t count = std::min(block, p_.points - first);
        const S* const grid = static_cast<const S*>(p_.grid) + (n * p_.points + first) * p_.rank;
        T coordinates[block];
        for (int d = 0; d < p_.rank; ++d) {
            for (int64_t i = 0; i < count; ++i)
                coordinates[i] = static_cast<T>(grid[i * p_.rank + p_.rank - 1 - d]);
            const int64_t whole = (count + width - 1) / width * width;
            std::fill(coordinates + count, coordinates + whole, T(0));
            taps.axes[d].template find<Sloped>(axes_[d], coordinates, whole);
        }
        for (int k = 0; k < taps_; ++k) {
            Vec<Integer> outside(Integer(0));
            for (int64_t i = 0; i < count; i += width) {
                Vec<Integer> offset(Integer(0)), least(Integer(0));
                Vec<T> weight(T(1));
                for (int d = 0; d < p_.rank; ++d) {
                    const AxisTaps<T>& axis = taps.axes[d];
                    const Vec<Integer> along = Vec<Integer>::load(axis.offset[tap_of_[k][d]] + i);
                    offset += along;
                    least = least | along;
                    weight = weight * Vec<T>::load(axis.weight[tap_of_[k][d]] + i);
                }
                select(least < Vec<Integer>(Integer(0)), Vec<Integer>(Integer(-1)), offset)
                    .store(taps.offset[k] + i);
                weight.store(taps.weight[k] + i);
                outside = outside | least;
            }
            taps.inside[k] = !any(outside < Vec<Integer>(Integer(0)));
        }
        return count;
    }

    // The derivative of a tap's weight by the coordinate of dimension d.
    Vec<T> weight_slope(const Taps<T>& taps, int k, int d, int64_t i) const {
        Vec<T> result(T(1));
        for (int other = 0; other < p_.rank; ++other) {
            const AxisTaps<T>& axis = taps.axes[other];
            const auto& of = other == d ? axis.slope : axis.weight;
            result = result * Vec<T>::load(of[tap_of_[k][other]] + i);
        }
        return result;
    }

    void scatter(const S* gradient, int64_t count, const Taps<T>& taps, T* target) const {
        T product[block];
        for (int k = 0; k < taps_; ++k) {
            const Integer* const offset = taps.offset[k];
            for (int64_t i = 0; i < count; i += width)
                (load_lanes(gradient, i, std::min(width, count - i)) * Vec<T>::load(taps.weight[k] + i))
                    .store(product + i);
            if (taps.inside[k])
                for (int64_t i = 0; i < count; ++i) target[offset[i]] += product[i];
            else
                for (int64_t i = 0; i < count; ++i)
                    if (offset[i] >= 0) target[offset[i]] += product[i];
        }
    }

    const GridProblem& p_;
    int each_, taps_ = 1;
    int64_t image_ = 1;
    int tap_of_[most_taps][3] = {};  // which of a dimension's taps is part of a tap
    Axis<T> axes_[3];
};

void forward(const GridProblem& p, void* out) {
    visit_floating(p.dtype, [&]<class S>(TypeTag<S>) { Sampler<S>(p).forward(static_cast<S*>(out)); });
}
void input_gradient(const GridProblem& p, const void* gradient, void* target) {
    visit_floating(p.dtype, [&]<class S>(TypeTag<S>) {
        Sampler<S>(p).input_gradient(static_cast<const S*>(gradient), static_cast<Compute<S>*>(target));
    });
}
void grid_gradient(const GridProblem& p, const void* gradient, void* target) {
    visit_floating(p.dtype, [&]<class S>(TypeTag<S>) {
        Sampler<S>(p).grid_gradient(static_cast<const S*>(gradient), static_cast<S*>(target));
    });
}

template <class T>
void run_affine(int rank, int64_t batch, const int64_t* sizes, const void* const* centres, const T* theta,
                T* out) {
    const int64_t rows = rank == 3 ? sizes[0] * sizes[1] : sizes[0], line = sizes[rank - 1];
    const auto centre = [&](int d) { return static_cast<const T*>(centres[d]); };
    parallel_for(0, batch * rows, std::max<int64_t>(1, 8192 / std::max<int64_t>(1, line)),
                 [&](int64_t begin, int64_t end) {
                     for (int64_t task = begin; task < end; ++task) {
                         const int64_t row = task % rows;
                         const T* const map = theta + task / rows * rank * (rank + 1);
                         T* const target = out + task * line * rank;
                         const T y = centre(rank - 2)[row % sizes[rank - 2]];
                         for (int i = 0; i < rank; ++i) {
                             const T* const of = map + i * (rank + 1);
                             T rest = of[rank] + of[1] * y;
                             if (rank == 3) rest += of[2] * centre(0)[row / sizes[1]];
                             for (int64_t w = 0; w < line; ++w)
                                 target[w * rank + i] = of[0] * centre(rank - 1)[w] + rest;
                         }
                     }
                 });
}

void affine(DType dtype, int rank, int64_t batch, const int64_t* sizes, const void* const* centres,
            const void* theta, void* out) {
    visit_float(dtype, [&]<class T>(T) {
        run_affine(rank, batch, sizes, centres, static_cast<const T*>(theta), static_cast<T*>(out));
    });
}

}  // namespace

extern const GridSampleKernels grid_sample_table;
const GridSampleKernels grid_sample_table = {forward, input_gradient, grid_gradient, affine};

}  // namespace rl::kernels::RUSHLIGHT_ISA
