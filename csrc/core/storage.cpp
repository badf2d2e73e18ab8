// Storage: owning, borrowing and resizing memory.
#include "core/storage.h"

#include <algorithm>
#include <cstring>

#include "core/allocator.h"
#include "core/error.h"

namespace rl {
Storage::Storage(size_t bytes, Device device) : bytes_(bytes), device_(device) {
    if (bytes > 0 && device.type == DeviceType::cpu) data_ = allocate(bytes);
}

Storage::Storage(void* data, size_t bytes, Deleter deleter, void* context)
    : data_(data), bytes_(bytes), deleter_(deleter), context_(context) {}

Storage::~Storage() {
    release();
}

void Storage::release() {
    if (deleter_ != nullptr) {
        deleter_(context_);
    } else if (data_ != nullptr) {
        deallocate(data_, bytes_);
    }
}

void Storage::replace(void* data, Deleter deleter, void* context) {
    check(exports == 0, "storage memory that others see cannot be moved");
    release();
    data_ = data;
    deleter_ = deleter;
    context_ = context;
}

void Storage::resize(size_t bytes) {
    if (bytes == bytes_) return;
    check(deleter_ == nullptr && exports == 0, "Trying to resize storage that is not resizable");
    void* data = nullptr;
    if (bytes > 0 && device_.type == DeviceType::cpu) {
        data = allocate(bytes);
        if (data_ != nullptr) std::memcpy(data, data_, std::min(bytes, bytes_));
    }
    if (data_ != nullptr) deallocate(data_, bytes_);
    data_ = data;
    bytes_ = bytes;
}

}  // namespace rl
