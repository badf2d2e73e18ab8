// Forms of a constant operand, such as its packed panels, that kernels keep from call to call.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

namespace rl {

// What a form was made of and how: those with equal keys are equal.
using FormKey = std::array<int64_t, 9>;

// The forms of one storage's contents at one time. Any thread may ask; forms live as long as this does.
class KeptForms {
  public:
    // Forms of all storages together take no more memory than this.
    static constexpr size_t most_bytes = size_t{256} << 20;

    KeptForms() = default;
    ~KeptForms();
    KeptForms(const KeptForms&) = delete;
    KeptForms& operator=(const KeptForms&) = delete;

    // The form `key` of `bytes` bytes, which fill(memory) writes when it is first asked for; null where
    // memory for it is spent.
    template <class Fill>
    void* get(const FormKey& key, size_t bytes, Fill&& fill) {
        if (void* const found = find(key)) return found;
        void* const memory = reserve(bytes);
        if (memory == nullptr) return nullptr;
        fill(memory);
        return keep(key, memory, bytes);
    }

  private:
    struct Form {
        FormKey key;
        void* memory;
        size_t bytes;
    };

    void* find(const FormKey& key);
    static void* reserve(size_t bytes);
    static void give_back(void* memory, size_t bytes);
    // Where another thread has kept the same form meanwhile, its memory serves both.
    void* keep(const FormKey& key, void* memory, size_t bytes);

    std::mutex mutex_;
    std::vector<Form> forms_;
};

}  // namespace rl
