// Kept memory by size.
#include "core/spare_list.h"

#include <new>

namespace rl {
namespace {

constexpr size_t step = 64;
constinit std::array<SpareList<512>, 16> kept;

size_t size_class(size_t size) {
    return (size - 1) / step;
}

}  // namespace

void* KeepsMemory::operator new(size_t size) {
    const size_t index = size_class(size);
    if (index >= kept.size()) return ::operator new(size);
    void* const memory = kept[index].pop();
    return memory != nullptr ? memory : ::operator new((index + 1) * step);
}

void KeepsMemory::operator delete(void* memory, size_t size) {
    const size_t index = size_class(size);
    if (index >= kept.size() || !kept[index].push(memory)) ::operator delete(memory);
}

}  // namespace rl
