// Scratch memory, owned by each thread until it ends.
#include "core/scratch.h"

#include <cstdlib>

#include "core/error.h"

namespace rl {
namespace {

struct Buffer {
    void* data = nullptr;
    size_t capacity = 0;
    ~Buffer() { std::free(data); }
};
thread_local Buffer buffers[scratch_use_count];

}  // namespace

void* scratch(ScratchUse use, size_t bytes) {
    Buffer& buffer = buffers[static_cast<int>(use)];
    if (bytes <= buffer.capacity) return buffer.data;
    const size_t rounded = (bytes + bytes / 4 + 4095) & ~size_t{4095};
    void* grown = std::aligned_alloc(4096, rounded);
    if (grown == nullptr) raise<OutOfMemory>("could not allocate ", rounded, " bytes of scratch memory");
    std::free(buffer.data);
    buffer.data = grown;
    buffer.capacity = rounded;
    return grown;
}

}  // namespace rl
