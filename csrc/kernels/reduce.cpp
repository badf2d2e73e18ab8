// Chooses the instruction set's reductions, and simplifies the dimensions before they run.
#include "kernels/reduce.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "kernels/dispatch.h"

namespace rl::kernels {

RUSHLIGHT_DECLARE_TABLES(ReduceKernels, reduce_table)

const ReduceKernels& reduce_kernels() {
    static const ReduceKernels& table = RUSHLIGHT_SELECT(reduce_table);
    return table;
}

namespace {

// A list of dimensions without those of size one, slowest in memory first, neighbours joined where they can
// be; never empty.
class Simplified {
  public:
    Simplified(const ReduceDim*& dims, int& rank) {
        for (int i = 0; i < rank; ++i)
            if (dims[i].size != 1) dims_[count_++] = dims[i];
        std::stable_sort(dims_.begin(), dims_.begin() + count_, [](const ReduceDim& a, const ReduceDim& b) {
            return std::abs(a.in_stride) > std::abs(b.in_stride);
        });
        int last = 0;
        for (int i = 1; i < count_; ++i) {
            const ReduceDim& next = dims_[i];
            ReduceDim& current = dims_[last];
            if (current.in_stride == next.in_stride * next.size &&
                current.out_stride == next.out_stride * next.size)
                current = {current.size * next.size, next.in_stride, next.out_stride};
            else
                dims_[++last] = next;
        }
        if (count_ == 0) dims_[0] = {1, 0, 0};
        dims = dims_.data();
        rank = last + 1;
    }

  private:
    std::array<ReduceDim, max_reduce_rank> dims_;
    int count_ = 0;
};

}  // namespace

void reduce(ReduceArguments arguments) {
    const Simplified kept(arguments.kept, arguments.kept_rank);
    const Simplified reduced(arguments.reduced, arguments.reduced_rank);
    reduce_kernels().reduce(arguments);
}

void moments(MomentsArguments arguments) {
    const Simplified kept(arguments.kept, arguments.kept_rank);
    const Simplified reduced(arguments.reduced, arguments.reduced_rank);
    reduce_kernels().moments(arguments);
}

void arg_reduce(ArgReduceArguments arguments) {
    const Simplified kept(arguments.kept, arguments.kept_rank);
    reduce_kernels().arg_reduce(arguments);
}

}  // namespace rl::kernels
