// Distances between the rows of two matrices.
#include "autograd/record.h"
#include "ops/arithmetic.h"
#include "ops/comparison.h"
#include "ops/elementary.h"
#include "ops/matmul.h"
#include "ops/reduction.h"
#include "ops/registry.h"
#include "ops/selection.h"
#include "ops/views.h"

namespace rl::ops {
namespace {

// What a pair's gradient is multiplied with its difference by; equal rows have none.
Tensor slopes(const Tensor& grad, const Tensor& distances) {
    return masked_fill(grad / distances, eq(distances, Scalar(0)), Scalar(0));
}

// |a - b|^2 = |a|^2 + |b|^2 - 2 ab, so that most of the work is one product.
Tensor euclidean_distances(const Tensor& x1, const Tensor& x2) {
    Tensor result;
    {
        const GradientsEnabled off(false);
        const Tensor first = sum(x1 * x1, Dims{-1}, true), second = unsqueeze(sum(x2 * x2, Dims{-1}), -2);
        const Tensor products = matmul(x1 * Scalar(-2), transpose(x2, -2, -1));
        result = sqrt(clamp(products + first + second, Scalar(0), std::nullopt));
    }
    return record("EuclideanDistBackward0", {x1, x2}, result, [&] {
        return [x1 = Saved(x1), x2 = Saved(x2), result = Saved(result)](const Tensor& grad,
                                                                        const Needs& needs) -> Gradients {
            const Tensor a = x1.get(), b = x2.get(), slope = slopes(grad, result.get());
            Gradients gradients(2);
            if (needs[0]) gradients[0] = a * sum(slope, Dims{-1}, true) - matmul(slope, b);
            if (needs[1])
                gradients[1] = b * unsqueeze(sum(slope, Dims{-2}), -1) - matmul(transpose(slope, -2, -1), a);
            return gradients;
        };
    });
}

const Register euclidean_distances_operator{
    "_euclidean_dist(Tensor x1, Tensor x2) -> Tensor",
    euclidean_distances,
    {.variants = 0,
     .doc = "The distance of each pair of rows, (..., P, M) and (..., R, M) -> (..., P, R), by a product of "
            "matrices: what cdist does for many rows. Of nearly equal rows the smaller half of the digits is "
            "lost.\n\n"
            ">>> rushlight._C._euclidean_dist(rushlight.zeros(1, 2), rushlight.tensor([[3., 4.]]))\n"
            "tensor([[5.]])",
     .dtypes = "floating"}};

}  // namespace
}  // namespace rl::ops
