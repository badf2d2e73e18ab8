// Convolutions of kernel size one, without stride or padding: matrix products in which the positions of all
// images are one long dimension, so that small planes fill vectors and every panel is packed once.
#pragma once

#include "kernels/convolution.h"
#include "kernels/cpu/convolution_packed.h"

namespace rl::kernels::RUSHLIGHT_ISA {

// One group's channels of all images.
template <class T>
struct PlaneSource {
    const T* data;
    PlaneRuns planes;
};

// As right operand whose depth runs over channels, lanes over positions.
template <class T>
struct PlaneColumns : PlaneSource<T> {
    // Pieces cost more where runs of several images are added to, and channels are often a power of two.
    static constexpr int64_t most_depth = 1024 * 4 / static_cast<int64_t>(sizeof(T));
    int64_t packing_cost() const { return 1; }
    int64_t depth_at_once() const { return lines_at_once; }
    void pack_columns(int64_t first, int count, int vectors, int64_t k, int64_t depth, T* target) const {
        const int pitch = vectors * lanes<T>;
        const int64_t step = this->planes.positions;
        if (count < pitch) std::fill_n(target, depth * pitch, T{});
        this->planes.for_each(first, count, [&](int64_t lane, int64_t offset, int64_t length) {
            for (int64_t done = 0; done < length; done += lanes<T>) {
                const T* source = this->data + offset + done + k * step;
                T* place = target + lane + done;
                const int here = static_cast<int>(std::min<int64_t>(length - done, lanes<T>));
                if (here == lanes<T>) {
                    for (int64_t row = 0; row < depth; ++row) {
                        store_vector(place + row * pitch, load_vector(source + row * step));
                    }
                } else {
                    for (int64_t row = 0; row < depth; ++row)
                        store_lanes(place + row * pitch, load_lanes(source + row * step, here), here);
                }
            }
        });
    }
};

// As left operand whose depth runs over positions: a line for each channel, joined of all images.
template <class T>
struct JoinedLines : PlaneSource<T> {
    int64_t packing_cost() const { return 1; }
    void pack_lines(int64_t first, int rows, int64_t k, int64_t depth, T* target, int64_t pitch) const {
        this->planes.for_each(k, depth, [&](int64_t at, int64_t offset, int64_t length) {
            const T* source = this->data + first * this->planes.positions + offset;
            for (int r = 0; r < rows; ++r)
                std::copy_n(source + r * this->planes.positions, length, target + r * pitch + at);
        });
    }
};

// As right operand whose depth runs over positions, lanes over channels.
template <class T>
struct PlaneRows : PlaneSource<T> {
    void pack_columns(int64_t first, int count, int vectors, int64_t k, int64_t depth, T* target) const {
        constexpr int width = lanes<T>;
        const int pitch = vectors * width;
        const int64_t channel = this->planes.positions;
        const T* source = this->data + first * channel;
        for (int64_t done = 0; done < depth; done += width) {
            const int here = static_cast<int>(std::min<int64_t>(width, depth - done));
            const Line block(this->planes, k + done, here);
            for (int v = 0; v < vectors; ++v) {
                Vector<T> line[width];
                for (int lane = 0; lane < width; ++lane) {
                    const int row = v * width + lane;
                    line[lane] = row < count ? block.fetch(source + row * channel) : Vector<T>{};
                }
                transpose_square<T>(line);
                for (int row = 0; row < here; ++row)
                    store_vector(target + (done + row) * pitch + v * width, line[row]);
            }
        }
    }

  private:
    using Index = IntegerOf<T>;
    // Up to a vector of positions: runs of several images, joined.
    struct Line {
        int runs = 0, length[lanes<T>];
        int64_t offset[lanes<T>];
        Vector<Index> joined[lanes<T>];  // which lanes of what is there and of a further run

        Line(const PlaneRuns& planes, int64_t first, int64_t count) {
            planes.for_each(first, count, [&](int64_t at, int64_t start, int64_t run) {
                offset[runs] = start;
                length[runs] = static_cast<int>(run);
                const auto lane = constant_vector<Index>([](int i) { return i; });
                const auto further = static_cast<Index>(lanes<T> - at);
                joined[runs++] = lane < static_cast<Index>(at) ? lane : lane + further;
            });
        }
        Vector<T> fetch(const T* channel) const {
            Vector<T> value = load_lanes(channel + offset[0], length[0]);
            for (int i = 1; i < runs; ++i)
                value = __builtin_shuffle(value, load_lanes(channel + offset[i], length[i]), joined[i]);
            return value;
        }
    };
};

template <class T>
class PointwiseGroup {
  public:
    PointwiseGroup(const ConvolutionShape& s, int64_t group)
        : positions_(volume(s.output)),
          columns_(s.batch * positions_),
          in_(s.in_channels / s.groups),
          out_(s.out_channels / s.groups),
          input_{positions_, s.in_channels * positions_},
          output_{positions_, s.out_channels * positions_},
          first_in_(group * in_),
          first_out_(group * out_),
          forms_(s.weight_forms) {}

    void forward(const T* input, const T* weight, const T* bias, T* output) const {
        const StridedSource<T> left{weight + first_out_ * in_, in_, 1, out_, forms_};
        const PlaneColumns<T> right{{input + first_in_ * positions_, input_}};
        blocked_product<T>(
            out_, columns_, in_, left, right,
            target(output + first_out_ * positions_, output_, bias != nullptr ? bias + first_out_ : nullptr));
    }

    void input_gradient(const T* grad_output, const T* weight, const T* bias, T* grad_input) const {
        const StridedSource<T> left{weight + first_out_ * in_, 1, in_, in_, forms_};
        const PlaneColumns<T> right{{grad_output + first_out_ * positions_, output_}};
        blocked_product<T>(in_, columns_, out_, left, right,
                           target(grad_input + first_in_ * positions_, input_,
                                  bias != nullptr ? bias + first_in_ : nullptr));
    }

    void weight_gradient(const T* input, const T* grad_output, T* grad_weight) const {
        const JoinedLines<T> left{{grad_output + first_out_ * positions_, output_}};
        const PlaneRows<T> right{{input + first_in_ * positions_, input_}};
        const StridedTarget<T> sums{grad_weight + first_out_ * in_, in_, 1, nullptr, 0, 0, T(1), T(1)};
        blocked_product<T>(out_, in_, columns_, left, right, sums);
    }

  private:
    static ImageTarget<T> target(T* data, const PlaneRuns& planes, const T* bias) {
        ImageTarget<T> result;
        result.data = data;
        result.image_stride = planes.image_stride;
        result.row = result.positions = planes.positions;
        result.dense = true;
        result.addend = bias;
        return result;
    }

    int64_t positions_, columns_, in_, out_;
    PlaneRuns input_, output_;
    int64_t first_in_, first_out_;
    KeptForms* forms_;
};

// body(group) for all groups, in parallel when they are too small to be shared inside.
template <class T, class Body>
void for_pointwise_groups(const ConvolutionShape& s, Body&& body) {
    const int64_t work = std::max<int64_t>(
        1, s.in_channels / s.groups * (s.out_channels / s.groups) * s.batch * volume(s.output));
    const int64_t chunk = work >= 4 * parallel_work ? s.groups : std::max<int64_t>(1, parallel_work / work);
    parallel_for(0, s.groups, chunk, [&](int64_t begin, int64_t end) {
        for (int64_t group = begin; group < end; ++group) body(PointwiseGroup<T>(s, group));
    });
}

}  // namespace rl::kernels::RUSHLIGHT_ISA
