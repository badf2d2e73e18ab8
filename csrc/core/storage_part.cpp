// A storage on part of another's memory.
#include "core/storage_part.h"

#include <memory>

namespace rl {

Ref<Storage> part_of(const Ref<Storage>& whole, size_t start, size_t bytes) {
    if (whole->data() == nullptr) return make_ref<Storage>(bytes, whole->device());
    const auto release = [](void* context) {
        const std::unique_ptr<Ref<Storage>> owner(static_cast<Ref<Storage>*>(context));
        --(*owner)->exports;
    };
    ++whole->exports;
    return make_ref<Storage>(static_cast<char*>(whole->data()) + start, bytes, release,
                             new Ref<Storage>(whole));
}

}  // namespace rl
