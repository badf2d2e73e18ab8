// Forms of a constant operand, such as its packed panels, that kernels keep from call to call.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>
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
    KeptForms(const KeptForms&) = delete;
    KeptForms& operator=(const KeptForms&) = delete;

    // The form `key` of `bytes` bytes, which fill(memory) writes when it is first asked for; null where
    // memory for it is spent.
    template <class Fill>
    void* get(const FormKey& key, size_t bytes, Fill&& fill) {
        if (void* const found = find(key)) return found;
        Memory memory(bytes);
        if (memory.data() == nullptr) return nullptr;
        fill(memory.data());
        return keep(key, std::move(memory));
    }

  private:
    // A part of the memory that forms may take; none where that is spent.
    class Memory {
      public:
        explicit Memory(size_t bytes);
        Memory(Memory&& other) noexcept : data_(std::exchange(other.data_, nullptr)), bytes_(other.bytes_) {}
        Memory(const Memory&) = delete;
        Memory& operator=(const Memory&) = delete;
        ~Memory();
        void* data() const { return data_; }

      private:
        void* data_ = nullptr;
        size_t bytes_;
    };
    struct Form {
        FormKey key;
        Memory memory;
    };

    void* find(const FormKey& key);
    // Where another thread has kept the same form meanwhile, its memory serves both.
    void* keep(const FormKey& key, Memory memory);

    std::mutex mutex_;
    std::vector<Form> forms_;
};

}  // namespace rl
