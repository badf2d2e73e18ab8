// Forms of a constant operand: finding them, and the bound on their memory.
#include "core/kept_forms.h"

#include <algorithm>
#include <atomic>

#include "core/allocator.h"
#include "core/error.h"

namespace rl {
namespace {

std::atomic<size_t> bytes_of_all{0};

template <class Forms>
void* memory_of(const Forms& forms, const FormKey& key) {
    const auto found =
        std::find_if(forms.begin(), forms.end(), [&](const auto& form) { return form.key == key; });
    return found == forms.end() ? nullptr : found->memory.data();
}

}  // namespace

KeptForms::Memory::Memory(size_t bytes) : bytes_(bytes) {
    if (bytes_of_all.fetch_add(bytes) + bytes <= most_bytes) {
        try {
            data_ = allocate(bytes);
            return;
        } catch (const OutOfMemory&) {  // the caller does without
        }
    }
    bytes_of_all.fetch_sub(bytes);
}

KeptForms::Memory::~Memory() {
    if (data_ == nullptr) return;
    deallocate(data_, bytes_);
    bytes_of_all.fetch_sub(bytes_);
}

void* KeptForms::find(const FormKey& key) {
    const std::lock_guard lock(mutex_);
    return memory_of(forms_, key);
}

void* KeptForms::keep(const FormKey& key, Memory memory) {
    const std::lock_guard lock(mutex_);
    if (void* const kept = memory_of(forms_, key)) return kept;
    return forms_.emplace_back(Form{key, std::move(memory)}).memory.data();
}

}  // namespace rl
