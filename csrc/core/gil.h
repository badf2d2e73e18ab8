// Letting other Python threads run while a kernel works.
#pragma once

#include <Python.h>

#include <cstdint>

namespace rl {

namespace detail {
// Takes the GIL back. While the interpreter ends it does not return, nor does it end the thread as Python
// would, by unwinding through frames that no exception may leave: the thread waits for the process to end.
void restore_thread(PyThreadState* state) noexcept;
}  // namespace detail

// Releases the GIL for its lifetime when `work` (roughly, elements touched) outweighs the cost of doing so.
// No Tensor, Storage or Node may be copied or dropped meanwhile: their counts belong to the GIL.
class GilRelease {
  public:
    explicit GilRelease(int64_t work) : state_(work >= threshold ? PyEval_SaveThread() : nullptr) {}
    ~GilRelease() {
        if (state_ != nullptr) detail::restore_thread(state_);
    }
    GilRelease(const GilRelease&) = delete;
    GilRelease& operator=(const GilRelease&) = delete;

  private:
    static constexpr int64_t threshold = 1 << 15;
    PyThreadState* state_;
};

}  // namespace rl
