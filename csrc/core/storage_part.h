// A storage on part of another's memory.
#pragma once

#include "core/storage.h"

namespace rl {

// A storage of its own on the bytes from `start`; the whole stays, and its memory does not move, as long as
// it lives.
Ref<Storage> part_of(const Ref<Storage>& whole, size_t start, size_t bytes);

}  // namespace rl
