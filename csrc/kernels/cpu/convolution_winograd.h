// Winograd's minimal filtering of 3x3 kernels, and of 4x4 ones of stride 2. Input, weight and output are
// transformed so that, at each point of a grid, tiles of outputs are a matrix product over the channels
// (Lavin and Gray, "Fast algorithms for convolutional neural networks"). With stride 1, F(4x4, 3x3) takes a
// quarter of the multiplications. With stride 2 a kernel is a kernel of two taps over the even elements and
// one of a single tap over the odd ones: F(2, 2) for the former takes 25 of 36 multiplications, and twice two
// taps 36 of 64.
//
// Planes of three-dimensional inputs that the taps of the depth see are channels of their own. A dilated
// kernel filters each of the planes that every so many rows and columns make.
//
// The interpolation points of F(4, 3) are 0, ±5/8, ±3/2 and infinity: with them errors stay within a few
// times those of the plain sum, where the customary 0, ±1, ±2 lose another digit. Those of F(2, 2), 0, 1 and
// infinity, lose nothing.
#pragma once

#include "kernels/cpu/convolution_patches.h"

namespace rl::kernels::RUSHLIGHT_ISA::winograd {

inline constexpr float p = 0.625f, q = 1.5f, p2 = p * p, q2 = q * q;

using V = Vector<float>;
inline constexpr int width = lanes<float>;

// A way to filter: one-dimensional transforms, each applied to the columns and then to the rows of a tile.
// Tiles of `out_edge` outputs along a side look at inputs that begin `in_step` apart.

// Of stride 1.
struct Dense {
    static constexpr int64_t taps = 3, in_step = 4, out_edge = 4, points = 36;

    struct InputTransform {
        static constexpr int from = 6, to = 6;
        static void apply(const V (&d)[from], V (&t)[to]) {
            const V even_p = d[4] - q2 * d[2], odd_p = p * (d[3] - q2 * d[1]);
            const V even_q = d[4] - p2 * d[2], odd_q = q * (d[3] - p2 * d[1]);
            t[0] = p2 * q2 * d[0] - (p2 + q2) * d[2] + d[4];
            t[1] = even_p + odd_p;
            t[2] = even_p - odd_p;
            t[3] = even_q + odd_q;
            t[4] = even_q - odd_q;
            t[5] = p2 * q2 * d[1] - (p2 + q2) * d[3] + d[5];
        }
    };
    struct WeightTransform {
        static constexpr int from = 3, to = 6;
        static constexpr float at_zero = 1 / (p2 * q2), at_p = 1 / (2 * p2 * (p2 - q2)),
                               at_q = 1 / (2 * q2 * (q2 - p2));
        static void apply(const V (&g)[from], V (&u)[to]) {
            const V even_p = at_p * (g[0] + p2 * g[2]), odd_p = at_p * p * g[1];
            const V even_q = at_q * (g[0] + q2 * g[2]), odd_q = at_q * q * g[1];
            u[0] = at_zero * g[0];
            u[1] = even_p + odd_p;
            u[2] = even_p - odd_p;
            u[3] = even_q + odd_q;
            u[4] = even_q - odd_q;
            u[5] = g[2];
        }
    };
    struct OutputTransform {
        static constexpr int from = 6, to = 4;
        static void apply(const V (&m)[from], V (&y)[to]) {
            const V sum_p = m[1] + m[2], sum_q = m[3] + m[4];
            const V difference_p = p * (m[1] - m[2]), difference_q = q * (m[3] - m[4]);
            y[0] = m[0] + sum_p + sum_q;
            y[1] = difference_p + difference_q;
            y[2] = p2 * sum_p + q2 * sum_q;
            y[3] = p2 * difference_p + q2 * difference_q + m[5];
        }
    };
    // The transposes of the transforms of output and weight, for the weight's gradient.
    struct GradientTransform {
        static constexpr int from = 4, to = 6;
        static void apply(const V (&y)[from], V (&m)[to]) {
            const V even_p = y[0] + p2 * y[2], odd_p = p * (y[1] + p2 * y[3]);
            const V even_q = y[0] + q2 * y[2], odd_q = q * (y[1] + q2 * y[3]);
            m[0] = y[0];
            m[1] = even_p + odd_p;
            m[2] = even_p - odd_p;
            m[3] = even_q + odd_q;
            m[4] = even_q - odd_q;
            m[5] = y[3];
        }
    };
    struct WeightGradientTransform {
        static constexpr int from = 6, to = 3;
        static void apply(const V (&u)[from], V (&g)[to]) {
            const V sum_p = WeightTransform::at_p * (u[1] + u[2]),
                    sum_q = WeightTransform::at_q * (u[3] + u[4]);
            g[0] = WeightTransform::at_zero * u[0] + sum_p + sum_q;
            g[1] = WeightTransform::at_p * p * (u[1] - u[2]) + WeightTransform::at_q * q * (u[3] - u[4]);
            g[2] = p2 * sum_p + q2 * sum_q + u[5];
        }
    };
};

// F(2, 2): two outputs of two taps, from which the forms of stride 2 are made. Elements, taps and outputs
// that a stride sets apart come one by one, what lies at the points side by side.
struct TwoTaps {
    static void input(V d0, V d1, V d2, V* t) {
        t[0] = d0 - d1;
        t[1] = d1;
        t[2] = d2 - d1;
    }
    static void weight(V g0, V g1, V* u) {
        u[0] = g0;
        u[1] = g0 + g1;
        u[2] = g1;
    }
    static void output(const V* m, V& y0, V& y1) {
        y0 = m[0] + m[1];
        y1 = m[1] + m[2];
    }
    // The transposes of the transforms of output and weight.
    static void gradient(V y0, V y1, V* m) { weight(y0, y1, m); }
    static void weight_gradient(const V* u, V& g0, V& g1) { output(u, g0, g1); }
};

// Of stride 2: two taps over the even elements, one over the odd ones.
struct Strided {
    static constexpr int64_t taps = 3, in_step = 4, out_edge = 2, points = 25;

    struct InputTransform {
        static constexpr int from = 5, to = 5;
        static void apply(const V (&d)[from], V (&t)[to]) {
            TwoTaps::input(d[0], d[2], d[4], t);
            t[3] = d[1];
            t[4] = d[3];
        }
    };
    struct WeightTransform {
        static constexpr int from = 3, to = 5;
        static void apply(const V (&g)[from], V (&u)[to]) {
            TwoTaps::weight(g[0], g[2], u);
            u[3] = u[4] = g[1];
        }
    };
    struct OutputTransform {
        static constexpr int from = 5, to = 2;
        static void apply(const V (&m)[from], V (&y)[to]) {
            TwoTaps::output(m, y[0], y[1]);
            y[0] += m[3];
            y[1] += m[4];
        }
    };
    struct GradientTransform {
        static constexpr int from = 2, to = 5;
        static void apply(const V (&y)[from], V (&m)[to]) {
            TwoTaps::gradient(y[0], y[1], m);
            m[3] = y[0];
            m[4] = y[1];
        }
    };
    struct WeightGradientTransform {
        static constexpr int from = 5, to = 3;
        static void apply(const V (&u)[from], V (&g)[to]) {
            TwoTaps::weight_gradient(u, g[0], g[2]);
            g[1] = u[3] + u[4];
        }
    };
};

// The input's gradient of stride 2 with an odd padding, from the flipped weight.
struct StridedGradient {
    static constexpr int64_t taps = 3, in_step = 2, out_edge = 4, points = 25;

    struct InputTransform {
        static constexpr int from = 3, to = 5;
        static void apply(const V (&d)[from], V (&t)[to]) {
            TwoTaps::input(d[0], d[1], d[2], t);
            t[3] = d[0];
            t[4] = d[1];
        }
    };
    using WeightTransform = Strided::WeightTransform;
    struct OutputTransform {
        static constexpr int from = 5, to = 4;
        static void apply(const V (&m)[from], V (&y)[to]) {
            TwoTaps::output(m, y[1], y[3]);
            y[0] = m[3];
            y[2] = m[4];
        }
    };
};

// Of stride 2 with four taps: two over the even elements, two over the odd ones.
struct StridedEven {
    static constexpr int64_t taps = 4, in_step = 4, out_edge = 2, points = 36;

    struct InputTransform {
        static constexpr int from = 6, to = 6;
        static void apply(const V (&d)[from], V (&t)[to]) {
            TwoTaps::input(d[0], d[2], d[4], t);
            TwoTaps::input(d[1], d[3], d[5], t + 3);
        }
    };
    struct WeightTransform {
        static constexpr int from = 4, to = 6;
        static void apply(const V (&g)[from], V (&u)[to]) {
            TwoTaps::weight(g[0], g[2], u);
            TwoTaps::weight(g[1], g[3], u + 3);
        }
    };
    struct OutputTransform {
        static constexpr int from = 6, to = 2;
        static void apply(const V (&m)[from], V (&y)[to]) {
            V odd[to];
            TwoTaps::output(m, y[0], y[1]);
            TwoTaps::output(m + 3, odd[0], odd[1]);
            for (int i = 0; i < to; ++i) y[i] += odd[i];
        }
    };
    struct GradientTransform {
        static constexpr int from = 2, to = 6;
        static void apply(const V (&y)[from], V (&m)[to]) {
            TwoTaps::gradient(y[0], y[1], m);
            TwoTaps::gradient(y[0], y[1], m + 3);
        }
    };
    struct WeightGradientTransform {
        static constexpr int from = 6, to = 4;
        static void apply(const V (&u)[from], V (&g)[to]) {
            TwoTaps::weight_gradient(u, g[0], g[2]);
            TwoTaps::weight_gradient(u + 3, g[1], g[3]);
        }
    };
};

// The input's gradient of stride 2 with four taps and an odd padding, from the flipped weight.
struct StridedEvenGradient {
    static constexpr int64_t taps = 4, in_step = 2, out_edge = 4, points = 36;

    struct InputTransform {
        static constexpr int from = 4, to = 6;
        static void apply(const V (&d)[from], V (&t)[to]) {
            TwoTaps::input(d[0], d[1], d[2], t);
            TwoTaps::input(d[1], d[2], d[3], t + 3);
        }
    };
    using WeightTransform = StridedEven::WeightTransform;
    struct OutputTransform {
        static constexpr int from = 6, to = 4;
        static void apply(const V (&m)[from], V (&y)[to]) {
            TwoTaps::output(m, y[0], y[2]);
            TwoTaps::output(m + 3, y[1], y[3]);
        }
    };
};

// put(i, j, value) for each element of the transformed tile whose elements are get(i, j).
template <class Transform, class Get, class Put>
[[gnu::always_inline]] inline void transform_tile(Get get, Put put) {
    constexpr int from = Transform::from, to = Transform::to;
    V half[to][from];
#pragma GCC unroll 6
    for (int j = 0; j < from; ++j) {
        V column[from], result[to];
        for (int i = 0; i < from; ++i) column[i] = get(i, j);
        Transform::apply(column, result);
        for (int i = 0; i < to; ++i) half[i][j] = result[i];
    }
#pragma GCC unroll 6
    for (int i = 0; i < to; ++i) {
        V result[to];
        Transform::apply(half[i], result);
        for (int j = 0; j < to; ++j) put(i, j, result[j]);
    }
}

// A convolution of `channels` to `rows` channels; as channels count all that the taps of the depth see.
struct Problem {
    int64_t batch, channels, rows;
    int64_t input[3], output[3], padding[3], dilation;  // that of the plane
    int64_t depth_taps, depth_step, depth_dilation;

    int64_t planes() const { return batch * output[0]; }
};

inline Problem forward_problem(const ConvolutionShape& s) {
    return {s.batch,
            s.in_channels * s.kernel[0],
            s.out_channels,
            {s.input[0], s.input[1], s.input[2]},
            {s.output[0], s.output[1], s.output[2]},
            {s.padding[0], s.padding[1], s.padding[2]},
            s.dilation[1],
            s.kernel[0],
            s.stride[0],
            s.dilation[0]};
}
// Before the first element of the output's gradient that the input's first looks at.
inline int64_t gradient_padding(const ConvolutionShape& s, int d) {
    return s.stride[d] == 1 ? s.dilation[d] * (s.kernel[d] - 1) - s.padding[d]
                            : (s.kernel[d] / 2 * 2 - 1 - s.padding[d]) / 2;
}
inline Problem gradient_problem(const ConvolutionShape& s) {
    return {s.batch,
            s.out_channels * s.kernel[0],
            s.in_channels,
            {s.output[0], s.output[1], s.output[2]},
            {s.input[0], s.input[1], s.input[2]},
            {gradient_padding(s, 0), gradient_padding(s, 1), gradient_padding(s, 2)},
            s.dilation[1],
            s.kernel[0],
            1,
            s.dilation[0]};
}

// What the transforms of a weight cost at each point, in multiplications.
inline constexpr int64_t weight_cost = 8;

// Whether a convolution is of this kind, and the multiplications saved are worth more than the transforms.
template <class Form>
bool suits(const ConvolutionShape& s, const Problem& problem, int64_t stride) {
    constexpr bool gradient =
        std::is_same_v<Form, StridedGradient> || std::is_same_v<Form, StridedEvenGradient>;
    if (!s.minimal_filtering || s.groups != 1 || s.dilation[1] != s.dilation[2]) return false;
    for (int d = 1; d < 3; ++d) {
        if (s.kernel[d] != Form::taps || s.stride[d] != stride) return false;
        if (stride > 1 && s.dilation[d] != 1) return false;
        if (gradient && s.padding[d] % 2 == 0) return false;
    }
    constexpr int64_t tile_cost = 16 * Form::points;  // of a channel's transforms
    constexpr int64_t plan_cost = int64_t{1} << 19;   // of where everything lies
    const int64_t tiles = problem.planes() * ceil_divide(problem.output[1], Form::out_edge) *
                          ceil_divide(problem.output[2], Form::out_edge);
    const int64_t pairs = problem.channels * problem.rows;
    const int64_t filtered = plan_cost + Form::points * ceil_divide(tiles, width) * width * pairs +
                             weight_cost * Form::points * pairs +
                             tile_cost * tiles * (problem.channels + problem.rows);
    const int64_t plain = Form::taps * Form::taps * s.batch * volume(s.output) * pairs;
    return filtered < plain + (gradient ? plain / 8 : 0);  // whose phases do not fill their tiles
}

// Planes, or rows of tiles of one plane, that are taken at a time: of every `dilation`-th row and column,
// from the phase on.
struct Part {
    int64_t first_image, images, first_row, rows, across;
    int64_t phase[2];
    int64_t tiles() const { return images * rows * across; }
    int64_t blocks() const { return ceil_divide(tiles(), width); }
};

// How many rows (d = 1) or columns (d = 2) of the output are of a phase.
inline int64_t phase_size(const Problem& s, int d, int64_t phase) {
    return ceil_divide(s.output[d] - phase, s.dilation);
}

// Cuts the batch into parts of about `tiles` tiles.
template <class Form>
std::vector<Part> parts_of(const Problem& s, int64_t tiles) {
    std::vector<Part> parts;
    for (int64_t index = 0; index < s.dilation * s.dilation; ++index) {
        const int64_t phase[2] = {index / s.dilation, index % s.dilation};
        const int64_t high = ceil_divide(phase_size(s, 1, phase[0]), Form::out_edge),
                      across = ceil_divide(phase_size(s, 2, phase[1]), Form::out_edge);
        if (high <= 0 || across <= 0) continue;
        const int64_t bands = std::min(high, ceil_divide(high * across, tiles));
        const int64_t groups =
            bands > 1 ? s.planes() : ceil_divide(s.planes(), std::max<int64_t>(1, tiles / (high * across)));
        for (int64_t group = 0; group < groups; ++group) {
            const Range images = piece(s.planes(), groups, group);
            for (int64_t band = 0; band < bands; ++band) {
                const Range rows = piece(high, bands, band);
                parts.push_back(
                    {images.first, images.count, rows.first, rows.count, across, {phase[0], phase[1]}});
            }
        }
    }
    return parts;
}

// So many that the weights, read once for each part, are not the larger burden, within some megabytes; and
// parts for two processors, if that leaves enough in each.
template <class Form>
int64_t tiles_at_once(const Problem& s) {
    const int64_t all =
        s.planes() * ceil_divide(s.output[1], Form::out_edge) * ceil_divide(s.output[2], Form::out_edge);
    return std::min(std::clamp<int64_t>((int64_t{1} << 22) / (Form::points * s.channels), 32, 256),
                    std::max<int64_t>(64, ceil_divide(all, 2)));
}

// Where the planes of a problem's source lie: plane i is seen by tap k % taps of the depth of plane i /
// out_depth.
struct PlaneSource {
    const float* data;
    int64_t channels, size[3];
    int64_t padding[2], dilation;
    int64_t depth_taps = 1, depth_step = 1, depth_dilation = 1, depth_padding = 0, out_depth = size[0];

    // Null outside of the depth.
    const float* plane(int64_t image, int64_t channel) const {
        const int64_t z =
            image % out_depth * depth_step + channel % depth_taps * depth_dilation - depth_padding;
        if (z < 0 || z >= size[0]) return nullptr;
        const int64_t volume = image / out_depth * (channels / depth_taps) + channel / depth_taps;
        return data + (volume * size[0] + z) * size[1] * size[2];
    }
};

inline PlaneSource input_source(const Problem& s, const float* input) {
    return {input,
            s.channels,
            {s.input[0], s.input[1], s.input[2]},
            {s.padding[1], s.padding[2]},
            s.dilation,
            s.depth_taps,
            s.depth_step,
            s.depth_dilation,
            s.padding[0],
            s.output[0]};
}
inline PlaneSource output_source(const Problem& s, const float* grad_output) {
    return {grad_output, s.rows, {s.output[0], s.output[1], s.output[2]}, {0, 0}, s.dilation};
}

// The elements of a plane that the tiles of a part look at.
inline Sampling tile_sampling(const Part& part, int64_t edge, int64_t step, const PlaneSource& source) {
    const int64_t apart = step * source.dilation;
    Sampling sampling{
        {1, part.rows, part.across},
        {0, part.phase[0] + part.first_row * apart - source.padding[0], part.phase[1] - source.padding[1]},
        {1, apart, apart},
        {{0}, {}, {}},
        part.across % width != 0};
    for (int64_t tap = 0; tap < edge; ++tap)
        for (int d = 1; d < 3; ++d) sampling.taps[d].push_back(tap * source.dilation);
    return sampling;
}

// Transforms a vector of tiles, whose elements fetch(offset of the tap) gives.
template <class Transform, class Fetch>
inline void transform_block(const std::vector<int64_t>& tap_offset, float* target, int64_t pitch,
                            Fetch&& fetch) {
    transform_tile<Transform>(
        [&](int i, int j) { return fetch(tap_offset[static_cast<size_t>(i * Transform::from + j)]); },
        [=](int i, int j, V value) { store_vector(target + (i * Transform::to + j) * pitch, value); });
}

// Transforms every tile of a part of images; place(block, channel) is where the vector of point 0 of a block
// of tiles goes, and the other points follow `pitch` apart. A channel's box is read while it is in the first
// cache.
template <class Transform, class Place>
void transform_images(const PlaneSource& source, const Part& part, int64_t step, int64_t pitch,
                      Place&& place) {
    const int64_t channels_at_once = source.depth_taps * ceil_divide(8, source.depth_taps);
    const Sampling sampling = tile_sampling(part, Transform::from, step, source);
    const Box box = sampling.box();
    const std::vector<RowCopies> copies = copies_into(box, {1, source.size[1], source.size[2]});
    const Patches<float> patches = lay_out_patches<float>(sampling, box, 1);
    std::vector<PositionBlock<float>> blocks;
    for (int64_t block = 0; block < part.blocks(); ++block)
        blocks.push_back(patches.block(block * width, part.tiles() - block * width));
    const Range needed = source_range(copies);
    const auto plane_of = [&](int64_t c, int64_t image) { return source.plane(part.first_image + image, c); };
    const int64_t count = part.images * patches.image_stride;
    parallel_for(0, source.channels, channels_at_once, [&](int64_t begin, int64_t end) {
        float* staged =
            scratch_array<float>(ScratchUse::staging, static_cast<size_t>(count + 2 * box_margin<float>));
        std::fill_n(staged, count + 2 * box_margin<float>, 0.0f);
        float* data = staged + box_margin<float>;
        for (int64_t c = begin; c < end; ++c) {
            for (int64_t image = 0; image < part.images; ++image) {
                const float *plane = plane_of(c, image), *next = nullptr;
                if (image + 1 < part.images)
                    next = plane_of(c, image + 1);
                else if (c + 1 < end)
                    next = plane_of(c + 1, 0);
                if (next != nullptr) prefetch(next, needed);
                float* target = data + image * patches.image_stride;
                // Taps of the depth look at a plane in turn: the next image's box may hold it already.
                const bool held = c > begin && image + 1 < part.images && plane != nullptr &&
                                  plane == plane_of(c - 1, image + 1);
                if (held)
                    std::copy_n(target + patches.image_stride, patches.image_stride, target);
                else if (plane != nullptr)
                    fill_box(plane, copies, target);
                else
                    std::fill_n(target, patches.image_stride, 0.0f);
            }
            for (int64_t index = 0; index < part.blocks(); ++index) {
                const PositionBlock<float>& block = blocks[static_cast<size_t>(index)];
                float* target = place(index, c);
                if (block.pieces == 1)
                    transform_block<Transform>(patches.tap_offset, target, pitch, [&](int64_t offset) {
                        return block.template fetch_pieces<1>(data + offset);
                    });
                else
                    transform_block<Transform>(patches.tap_offset, target, pitch,
                                               [&](int64_t offset) { return block.fetch(data + offset); });
            }
        }
    });
}

// A length that is no multiple of a page's, lest the points of one tile meet in one set of the cache.
inline int64_t spread(int64_t length) {
    return (length + width - 1) / width * width + width;
}

// The transformed weights of some rows and channels as the left panel [channel][row] of each point, with room
// for a vector after it. `left` packs the plain weight, whose depth runs over (channel, tap).
template <class Transform, class Left>
void transform_weights(const Left& left, Range rows, Range channels, float* target, int64_t pitch) {
    constexpr int64_t edge = Transform::from, taps = edge * edge;
    const int64_t depth = channels.count * taps, size = channels.count * rows.count, plane = spread(size);
    float* packed = scratch_array<float>(ScratchUse::vector,
                                         static_cast<size_t>(depth * rows.count + width + taps * plane));
    left.pack_rows(rows.first, static_cast<int>(rows.count), channels.first * taps, depth, packed);
    // Taps apart, so that vectors are whole; what a vector has too much is written over by the next.
    float* apart = packed + depth * rows.count + width;
    for (int64_t c = 0; c < channels.count; ++c)
        for (int64_t tap = 0; tap < taps; ++tap)
            for (int64_t lane = 0; lane < rows.count; lane += width)
                store_vector(apart + tap * plane + c * rows.count + lane,
                             load_vector(packed + (c * taps + tap) * rows.count + lane));
    for (int64_t first = 0; first < size; first += width)
        transform_tile<Transform>(
            [=](int i, int j) { return load_vector(apart + (i * edge + j) * plane + first); },
            [=](int i, int j, V value) {
                store_vector(target + (i * Transform::to + j) * pitch + first, value);
            });
}

// Interleaves vectors: lane 0 of each, then lane 1 of each, ...
inline void interleave(const V (&y)[2], float* target) {
    const auto low = constant_vector<int32_t>([](int lane) { return lane / 2 + (lane % 2) * width; });
    const auto high =
        constant_vector<int32_t>([](int lane) { return width / 2 + lane / 2 + (lane % 2) * width; });
    store_vector(target, __builtin_shuffle(y[0], y[1], low));
    store_vector(target + width, __builtin_shuffle(y[0], y[1], high));
}
inline void interleave(const V (&y)[4], float* target) {
    float pairs[2][2 * width];
    interleave({y[0], y[2]}, pairs[0]);
    interleave({y[1], y[3]}, pairs[1]);
    interleave({load_vector(pairs[0]), load_vector(pairs[1])}, target);
    interleave({load_vector(pairs[0] + width), load_vector(pairs[1] + width)}, target + 2 * width);
}

// Tiles of a block that lie in one line of a plane, and where their outputs go.
struct TileRun {
    int64_t block, lane, image, place, columns, rows;
};

template <class Form>
std::vector<TileRun> runs_of(const Problem& s, const Part& part) {
    constexpr int64_t out_edge = Form::out_edge;
    const int64_t high = phase_size(s, 1, part.phase[0]), across = phase_size(s, 2, part.phase[1]);
    std::vector<TileRun> runs;
    for (int64_t tile = 0; tile < part.tiles();) {
        const int64_t tile_x = tile % part.across, x = tile_x * out_edge,
                      y = (part.first_row + tile / part.across % part.rows) * out_edge;
        const int64_t count = std::min(part.across - tile_x, width - tile % width);
        runs.push_back({tile / width, tile % width, part.first_image + tile / part.across / part.rows,
                        (part.phase[0] + y * s.dilation) * s.output[2] + part.phase[1] + x * s.dilation,
                        std::min(count * out_edge, across - x), std::min(out_edge, high - y)});
        tile += count;
    }
    return runs;
}

// Writes lines, `pitch` apart, to every `dilation`-th row and column of a plane of lines of `length`.
inline void store_outputs(const float* lines, int64_t pitch, const TileRun& run, int64_t dilation,
                          int64_t length, float* target) {
    const int64_t target_pitch = dilation * length;
    if (dilation == 1)
        return copy_rows<float>({0, 0, run.rows, pitch, target_pitch, run.columns, 1}, lines, target);
    for (int64_t y = 0; y < run.rows; ++y)
        for (int64_t x = 0; x < run.columns; ++x)
            target[y * target_pitch + x * dilation] = lines[y * pitch + x];
}

// The outputs of `rows` from their products, [point][row][column].
template <class Form>
void transform_outputs(const Problem& s, const std::vector<TileRun>& runs, const float* products,
                       int64_t pitch, int64_t row_pitch, const float* bias, Range rows, float* output) {
    using Transform = typename Form::OutputTransform;
    constexpr int64_t out_edge = Form::out_edge;
    const int64_t plane = s.output[1] * s.output[2];
    for (int64_t row = rows.first; row < rows.first + rows.count; ++row, products += row_pitch) {
        const V start = V{} + (bias != nullptr ? bias[row] : 0.0f);
        alignas(64) float lines[out_edge][out_edge * width];
        for (size_t index = 0; index < runs.size(); ++index) {
            const TileRun& run = runs[index];
            if (index == 0 || run.block != runs[index - 1].block) {
                V tile[out_edge][out_edge];
                transform_tile<Transform>(
                    [&](int i, int j) {
                        return load_vector(products + (i * Transform::from + j) * pitch + run.block * width);
                    },
                    [&](int i, int j, V value) { tile[i][j] = value + start; });
                for (int64_t i = 0; i < out_edge; ++i) interleave(tile[i], lines[i]);
            }
            const int64_t image = run.image / s.output[0], z = run.image % s.output[0];
            float* target = output + ((image * s.rows + row) * s.output[0] + z) * plane + run.place;
            store_outputs(lines[0] + run.lane * out_edge, out_edge * width, run, s.dilation, s.output[2],
                          target);
        }
    }
}

// A convolution whose weight's rows `left` packs as for a plain product over (channel, tap).
template <class Form, class Left>
class Convolution {
  public:
    Convolution(const Problem& s, const float* input, const Left& left, const float* bias, float* output)
        : s_(s), input_(input), left_(left), bias_(bias), output_(output) {}

    void run() const {
        const std::vector<Part> parts = parts_of<Form>(s_, tiles_at_once<Form>(s_));
        const int64_t count = std::ssize(parts);
        float* weights = nullptr;
        if (count > 2) {  // one or two transform what they need themselves, when its turn comes
            weights = scratch_array<float>(ScratchUse::shared, static_cast<size_t>(panels_ * panel_));
            parallel_for(0, panels_, 1, [&](int64_t begin, int64_t end) {
                for (int64_t index = begin; index < end; ++index)
                    transform_weights<Weights>(left_, rows_of(index), {0, s_.channels},
                                               weights + index * panel_, pitch_);
            });
        }
        // Parts are shared out whole, each staying with one processor's caches, or what is in them, where
        // that makes the more even load. Sums are the same.
        const bool whole = count >= get_num_threads() && count != 3;
        parallel_for(0, count, whole ? 1 : count, [&](int64_t begin, int64_t end) {
            for (int64_t index = begin; index < end; ++index)
                run_part(parts[static_cast<size_t>(index)], weights);
        });
    }

  private:
    static constexpr int64_t tile = tile_columns<float>, points = Form::points;
    // Channels that are transformed and multiplied at a time: their weights stay in the first caches.
    static constexpr int64_t block = 32, block_pitch = block * tile_rows<float> + width;
    static constexpr int64_t most_products = 160000;  // which stay in the second cache
    using Weights = typename Form::WeightTransform;

    // Transformed tiles, [point][group of columns][channel][column], and the pitches of their products with a
    // panel of the weights, [point][row][column].
    struct Tiles {
        int64_t count, columns, row_pitch, pitch, product_pitch;
        float* inputs;
        int vectors(int64_t column) const { return count - column * tile > width ? 2 : 1; }
    };

    Range rows_of(int64_t panel) const { return piece(s_.rows, panels_, panel); }

    // Some panels are taken at a time, so that the tiles, which may lie far away, are read seldom. Their
    // products become outputs while they are in the second cache.
    void run_part(const Part& part, const float* weights) const {
        Tiles t;
        t.count = part.tiles();
        t.columns = ceil_divide(t.count, tile);
        t.row_pitch = t.columns * tile;
        t.pitch = spread(s_.channels * t.row_pitch);
        const int64_t together =
            std::clamp<int64_t>(most_products / (points * tile_rows<float> * t.row_pitch), 1, 4);
        const int64_t units = ceil_divide(panels_, together);
        t.product_pitch = spread(together * tile_rows<float> * t.row_pitch);
        t.inputs = scratch_array<float>(ScratchUse::transformed, static_cast<size_t>(points * t.pitch));
        const auto place = [&](int64_t block, int64_t c) {
            const int64_t column = block * width / tile, lane = block * width % tile;
            return t.inputs + column * s_.channels * tile + c * t.vectors(column) * width + lane;
        };
        transform_images<typename Form::InputTransform>(input_source(s_, input_), part, Form::in_step,
                                                        t.pitch, place);
        const std::vector<TileRun> runs = runs_of<Form>(s_, part);
        parallel_for(0, units, 1, [&](int64_t begin, int64_t end) {
            for (int64_t unit = begin; unit < end; ++unit) {
                const int64_t first = panels_ * unit / units, last = panels_ * (unit + 1) / units;
                multiply_panels(t, {first, last - first}, weights, runs);
            }
        });
    }

    // Without `weights` a block of them is transformed when its turn comes.
    void multiply_panels(const Tiles& t, Range panels, const float* weights,
                         const std::vector<TileRun>& runs) const {
        const int64_t own = weights != nullptr ? 0 : panels.count * points * block_pitch;
        float* products =
            scratch_array<float>(ScratchUse::local, static_cast<size_t>(points * t.product_pitch + own));
        float* transformed = products + points * t.product_pitch;
        if (weights != nullptr)
            multiply(t, panels, {0, s_.channels}, weights + panels.first * panel_, pitch_, products);
        for (int64_t c = 0; weights == nullptr && c < s_.channels; c += block) {
            const Range channels{c, std::min(block, s_.channels - c)};
            for (int64_t index = 0; index < panels.count; ++index)
                transform_weights<Weights>(left_, rows_of(panels.first + index), channels,
                                           transformed + index * points * block_pitch, block_pitch);
            multiply(t, panels, channels, transformed, block_pitch, products);
        }
        const Range last = rows_of(panels.first + panels.count - 1);
        const int64_t row = rows_of(panels.first).first;
        transform_outputs<Form>(s_, runs, products, t.product_pitch, t.row_pitch, bias_,
                                {row, last.first + last.count - row}, output_);
    }

    // Adds what some channels give, whose weights at each point lie `pitch` apart.
    void multiply(const Tiles& t, Range panels, Range channels, const float* weights, int64_t pitch,
                  float* products) const {
        const int64_t row = rows_of(panels.first).first;
        for (int64_t point = 0; point < points; ++point) {
            for (int64_t column = 0; column < t.columns; ++column) {
                const int vectors = t.vectors(column);
                const float* right = t.inputs + point * t.pitch + column * s_.channels * tile +
                                     channels.first * vectors * width;
                float* target = products + point * t.product_pitch + column * tile;
                for (int64_t index = 0; index < panels.count; ++index) {
                    const Range rows = rows_of(panels.first + index);
                    tile_function<float>(static_cast<int>(rows.count), vectors)(
                        channels.count, weights + (index * points + point) * pitch, right,
                        target + (rows.first - row) * t.row_pitch, t.row_pitch, 1.0f, channels.first > 0);
                }
            }
        }
    }

    const Problem& s_;
    const float* input_;
    const Left& left_;
    const float* bias_;
    float* output_;
    int64_t panels_ = ceil_divide(s_.rows, tile_rows<float>);
    int64_t pitch_ = spread(s_.channels * tile_rows<float>), panel_ = points * pitch_;
};

}  // namespace rl::kernels::RUSHLIGHT_ISA::winograd
