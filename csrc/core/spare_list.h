// Memory of destroyed objects, kept for the next ones of their type. Used while the GIL is held.
#pragma once

#include <array>
#include <cstddef>

namespace rl {

#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool keeps_spares = false;  // so that the sanitizer sees each object's true life
#else
inline constexpr bool keeps_spares = true;
#endif

template <size_t Capacity>
class SpareList {
  public:
    // nullptr when nothing is kept.
    void* pop() { return count_ == 0 ? nullptr : memory_[--count_]; }
    // False when enough is kept.
    bool push(void* memory) {
        if (!keeps_spares || count_ == Capacity) return false;
        memory_[count_++] = memory;
        return true;
    }

  private:
    size_t count_ = 0;
    std::array<void*, Capacity> memory_{};
};

// Base of classes whose objects come and go with every operation: their memory is kept by size. None may ask
// for an alignment beyond that of operator new.
struct KeepsMemory {
    static void* operator new(size_t size);
    static void operator delete(void* memory, size_t size);
};

}  // namespace rl
