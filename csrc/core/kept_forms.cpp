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
    return found == forms.end() ? nullptr : found->memory;
}

}  // namespace

KeptForms::~KeptForms() {
    for (const Form& form : forms_) give_back(form.memory, form.bytes);
}

void* KeptForms::find(const FormKey& key) {
    const std::lock_guard lock(mutex_);
    return memory_of(forms_, key);
}

void* KeptForms::reserve(size_t bytes) {
    if (bytes_of_all.fetch_add(bytes) + bytes <= most_bytes) {
        try {
            return allocate(bytes);
        } catch (const OutOfMemory&) {  // the caller does without
        }
    }
    bytes_of_all.fetch_sub(bytes);
    return nullptr;
}

void KeptForms::give_back(void* memory, size_t bytes) {
    deallocate(memory, bytes);
    bytes_of_all.fetch_sub(bytes);
}

void* KeptForms::keep(const FormKey& key, void* memory, size_t bytes) {
    const std::lock_guard lock(mutex_);
    if (void* const kept = memory_of(forms_, key)) {
        give_back(memory, bytes);
        return kept;
    }
    forms_.push_back({key, memory, bytes});
    return memory;
}

}  // namespace rl
