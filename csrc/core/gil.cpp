// Taking the GIL back.
#include "core/gil.h"

#include <cxxabi.h>
#include <unistd.h>

namespace rl {

void detail::restore_thread(PyThreadState* state) noexcept {
#if defined(__GLIBCXX__)
    try {
        PyEval_RestoreThread(state);
    } catch (abi::__forced_unwind&) {
        for (;;) pause();
    }
#else
    PyEval_RestoreThread(state);
#endif
}

}  // namespace rl
