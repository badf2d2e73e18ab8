// Letting other Python threads run while a kernel works.
#pragma once

#include <Python.h>

#include <cstdint>

namespace rl {

// Releases the GIL for its lifetime when `work` (roughly, elements touched) outweighs the cost of doing so.
// No Tensor, Storage or Node may be copied or dropped meanwhile: their counts belong to the GIL.
class GilRelease {
  public:
    explicit GilRelease(int64_t work) : state_(work >= threshold ? PyEval_SaveThread() : nullptr) {}
    ~GilRelease() {
        if (state_ != nullptr) PyEval_RestoreThread(state_);
    }
    GilRelease(const GilRelease&) = delete;
    GilRelease& operator=(const GilRelease&) = delete;

  private:
    static constexpr int64_t threshold = 1 << 15;
    PyThreadState* state_;
};

}  // namespace rl
