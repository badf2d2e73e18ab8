// Storage: a block of memory that tensors share.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/device.h"
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
    ~Storage();
    Storage(const Storage&) = delete;
    Storage& operator=(const Storage&) = delete;

    void* data() const { return data_; }
    size_t bytes() const { return bytes_; }
    Device device() const { return device_; }
    bool is_external() const { return deleter_ != nullptr; }

    // Moves to a block of another size, keeping what fits; throws Error for memory of another owner or lent
    // to one.
    void resize(size_t bytes);
    // Gives up the memory for as many bytes that someone else owns; the bytes were copied before.
    void replace(void* data, Deleter deleter, void* context);
    Deleter deleter() const { return deleter_; }

    // Counts in-place writes, so that autograd notices when a saved tensor has changed.
    uint32_t version = 0;
    // How many others (buffers, NumPy arrays, DLPack consumers) now see the memory, which must not move then.
    uint32_t exports = 0;
    // The Python object that stands for this storage, if there is one (borrowed).
    void* python_object = nullptr;

  private:
    void release();

    void* data_ = nullptr;
    size_t bytes_ = 0;
    Device device_;
    Deleter deleter_ = nullptr;
    void* context_ = nullptr;
};

}  // namespace rl
