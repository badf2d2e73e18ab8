// Scratch memory: one growing, 64-byte aligned buffer a thread and purpose, for kernels that pack or stage
// data.
#pragma once

#include <cstddef>

namespace rl {

// Buffers of different purposes may be in use by one thread at the same time.
enum class ScratchUse { shared, local, panels, vector, accumulator, staging, transformed };
inline constexpr int scratch_use_count = 7;

// At least `bytes` bytes of this thread's buffer for `use`, whose contents do not survive a call that grows
// it. Throws OutOfMemory.
void* scratch(ScratchUse use, size_t bytes);

template <class T>
T* scratch_array(ScratchUse use, size_t count) {
    return static_cast<T*>(scratch(use, count * sizeof(T)));
}

}  // namespace rl
