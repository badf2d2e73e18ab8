// Storage: a block of memory that tensors share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/device.h"
#include "core/kept_forms.h"
#include "core/ref.h"
#include "core/spare_list.h"

namespace rl {

class Storage : public Counted, public KeepsMemory {
  public:
    using Deleter = void (*)(void* context);

    // Memory from the allocator, not cleared; throws OutOfMemory.
    Storage(size_t bytes, Device device);
    // Memory that someone else owns: deleter(context) is called when the last tensor lets go.
    Storage(void* data, size_t bytes, Deleter deleter, void* context);
    // A storage of its own on the bytes of `whole` from `start`; the whole stays, and its memory does not
    // move, as long as it lives.
    static Ref<Storage> part_of(const Ref<Storage>& whole, size_t start, size_t bytes);
    ~Storage();
    Storage(const Storage&) = delete;
    Storage& operator=(const Storage&) = delete;

    void* data() const { return data_; }
    size_t bytes() const { return bytes_; }
    Device device() const { return device_; }

    // Moves to a block of another size, keeping what fits; throws Error for memory of another owner or lent
    // to one.
    void resize(size_t bytes);
    // Gives up the memory for as many bytes that someone else owns; the bytes were copied before.
    void replace(void* data, Deleter deleter, void* context);
    Deleter deleter() const { return deleter_; }

    // Counts in-place writes, so that autograd notices when a saved tensor has changed.
    uint32_t version = 0;
    // Called as others (buffers, NumPy arrays, DLPack consumers) come to see the memory, which must not move
    // then, and as they let go of it.
    void lend();
    void take_back() { --exports_; }
    // Gives away the address for good: whoever has it may write at any time.
    void* address();

    // What kernels may keep of the contents; null while the memory may change unseen, and for its first
    // reader after a write.
    std::shared_ptr<KeptForms> forms();
    // Called after a write that `version` does not count.
    void forget_forms();

    // The Python object that stands for this storage, if there is one (borrowed).
    void* python_object = nullptr;

  private:
    // The last read that might keep forms.
    struct Reading {
        uint32_t version;
        std::shared_ptr<KeptForms> forms;
    };

    void release();

    void* data_ = nullptr;
    size_t bytes_ = 0;
    Device device_;
    bool address_is_known_ = false;
    uint32_t exports_ = 0;
    Deleter deleter_ = nullptr;
    void* context_ = nullptr;
    std::unique_ptr<Reading> reading_;
};

}  // namespace rl
