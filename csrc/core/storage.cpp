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

Ref<Storage> Storage::part_of(const Ref<Storage>& whole, size_t start, size_t bytes) {
    if (whole->data() == nullptr) return make_ref<Storage>(bytes, whole->device());
    const auto part = make_ref<Storage>(static_cast<char*>(whole->data()) + start, bytes, nullptr, nullptr);
    part->whole_ = whole;
    whole->lend();
    return part;
}

Storage::~Storage() {
    release();
}

void Storage::release() {
    if (whole_ != nullptr) {
        whole_->take_back();
    } else if (deleter_ != nullptr) {
        deleter_(context_);
    } else if (data_ != nullptr) {
        deallocate(data_, bytes_);
    }
}

void Storage::lend() {
    ++exports_;
    forget_forms();
}

void* Storage::address() {
    address_is_known_ = true;
    if (whole_ != nullptr) whole_->address();
    return data_;
}

std::shared_ptr<KeptForms> Storage::forms() {
    if (!is_own() || data_ == nullptr || exports_ > 0 || address_is_known_) return nullptr;
    if (!was_read_ || read_version_ != version) {
        forms_ = nullptr;
        was_read_ = true;
        read_version_ = version;
        return nullptr;
    }
    if (forms_ == nullptr) forms_ = std::make_shared<KeptForms>();
    return forms_;
}

void Storage::forget_forms() {
    was_read_ = false;
    forms_ = nullptr;
}

void Storage::replace(void* data, Deleter deleter, void* context) {
    check(exports_ == 0, "storage memory that others see cannot be moved");
    forget_forms();
    release();
    whole_ = nullptr;
    data_ = data;
    deleter_ = deleter;
    context_ = context;
}

void Storage::resize(size_t bytes) {
    if (bytes == bytes_) return;
    check(is_own() && exports_ == 0, "Trying to resize storage that is not resizable");
    forget_forms();
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
