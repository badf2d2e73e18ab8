// Products of bfloat16 by AVX512-BF16, where the processor has it: two neighbours in depth fill one 32-bit
// lane, and an instruction adds both products to a float.
//
// To the blocked product such a pair is one element, moved as a float; only packing and the tile know better.
#include "kernels/cpu/gemm_run.h"

namespace rl::kernels::RUSHLIGHT_ISA {

#if defined(__AVX512F__)

namespace {

bool has_bfloat16_products() {
    static const bool has = __builtin_cpu_supports("avx512bf16");
    return has;
}

template <int rows, int vectors>
__attribute__((target("avx512bf16"))) void multiply_pair_tile(const TileOperands<float>& operands, float* out,
                                                              int64_t pitch, int columns, float alpha,
                                                              bool accumulate) {
    constexpr int width = lanes<float>;
    const float* left = operands.a;
    const float* right = operands.b;
    Vector<float> sum[rows][vectors] = {};
    for (int64_t k = 0; k < operands.depth; ++k) {
        __m512bh column[vectors];
        for (int v = 0; v < vectors; ++v) column[v] = std::bit_cast<__m512bh>(load_vector(right + v * width));
        for (int r = 0; r < rows; ++r) {
            int32_t pair;
            std::memcpy(&pair, left + r, sizeof(pair));
            const auto x = std::bit_cast<__m512bh>(_mm512_set1_epi32(pair));
            for (int v = 0; v < vectors; ++v) sum[r][v] = _mm512_dpbf16_ps(sum[r][v], x, column[v]);
        }
        left += rows;
        right += vectors * width;
    }
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 4
        for (int v = 0; v < vectors; ++v) {
            const int count = v + 1 < vectors ? width : columns - (vectors - 1) * width;
            float* target = out + r * pitch + v * width;
            Vector<float> value = alpha * sum[r][v];
            if (accumulate) value += load_lanes(target, count);
            store_lanes(target, value, count);
        }
    }
}

template <int vectors, int... counts>
TileKernel<float> pair_kernel_of(int rows, std::integer_sequence<int, counts...>) {
    static constexpr TileKernel<float> kernels[] = {&multiply_pair_tile<counts + 1, vectors>...};
    return kernels[rows - 1];
}

// A strided matrix of bfloat16 as either operand, its depth counted in pairs; an odd depth ends with a zero.
struct PairSource {
    const BFloat16* data;
    int64_t lane_stride, k_stride;
    int64_t elements;  // in depth

    static constexpr int width = lanes<float>;

    static TileKernel<float> kernel(int rows, int vectors) {
        constexpr auto counts = std::make_integer_sequence<int, tile_rows<float>>();
        return vectors == 1 ? pair_kernel_of<1>(rows, counts) : pair_kernel_of<2>(rows, counts);
    }
    float pair(const BFloat16* source, int64_t k) const {
        const uint32_t first = source[2 * k * k_stride].bits;
        const uint32_t second = 2 * k + 1 < elements ? source[(2 * k + 1) * k_stride].bits : 0;
        return std::bit_cast<float>(first | second << 16);
    }
    Words row(const BFloat16* source, int count) const {
        HalfWords values = {};
        std::memcpy(&values, source, static_cast<size_t>(count) * sizeof(BFloat16));
        return __builtin_convertvector(values, Words);
    }
    // target[k * pitch + lane] for `count` lanes and zeros up to a vector's width after them.
    void pack_strip(int64_t first, int count, int64_t k, int64_t depth, float* target, int64_t pitch) const {
        const BFloat16* source = data + first * lane_stride;
        int64_t done = 0;
        if (k_stride == 1) {
            for (; done + width <= depth && 2 * (k + done + width) <= elements; done += width) {
                Vector<float> line[width] = {};
                for (int lane = 0; lane < count; ++lane)
                    std::memcpy(&line[lane], source + lane * lane_stride + 2 * (k + done), vector_bytes);
                transpose_square<float>(line);
                for (int j = 0; j < width; ++j) store_vector(target + (done + j) * pitch, line[j]);
            }
        } else if (lane_stride == 1) {
            for (; done < depth && 2 * (k + done) + 1 < elements; ++done) {
                const BFloat16* here = source + 2 * (k + done) * k_stride;
                const Words pairs = row(here, count) | row(here + k_stride, count) << 16;
                store_vector(target + done * pitch, std::bit_cast<Vector<float>>(pairs));
            }
        }
        for (; done < depth; ++done) {
            for (int lane = 0; lane < count; ++lane)
                target[done * pitch + lane] = pair(source + lane * lane_stride, k + done);
            for (int lane = count; lane < width; ++lane) target[done * pitch + lane] = 0;
        }
    }

    // As StridedSource's; a strip may spill past the pitch into the row that is written next.
    void pack_rows(int64_t first, int rows, int64_t k, int64_t depth, float* target) const {
        pack_strip(first, rows, k, depth, target, rows);
    }
    void pack_columns(int64_t first, int count, int vectors, int64_t k, int64_t depth, float* target) const {
        for (int v = 0; v < vectors; ++v)
            pack_strip(first + v * width, std::min(count - v * width, width), k, depth, target + v * width,
                       int64_t{vectors} * width);
    }
};
static_assert(tile_rows<float> <= lanes<float>);

}  // namespace

bool multiply_pairs(const GemmProblem& p, const StridedTarget<BFloat16>& target) {
    if (!has_bfloat16_products()) return false;
    const PairSource left{static_cast<const BFloat16*>(p.a), p.a_row, p.a_column, p.k};
    const PairSource right{static_cast<const BFloat16*>(p.b), p.b_column, p.b_row, p.k};
    blocked_product<float>(p.m, p.n, ceil_divide(p.k, 2), left, right, target);
    return true;
}

#else

bool multiply_pairs(const GemmProblem&, const StridedTarget<BFloat16>&) {
    return false;
}

#endif

}  // namespace rl::kernels::RUSHLIGHT_ISA
