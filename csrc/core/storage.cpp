// Storage: owning, borrowing and resizing memory.
#include "core/storage.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "core/allocator.h"
#include "core/error.h"

namespace rl {
Storage::Storage(size_t bytes, Device device) : bytes_(bytes), device_(device) {
    if (bytes > 0 && device.type == DeviceType::cpu) data_ = allocate(bytes);
}

Storage::Storage(void* data, size_t bytes, Deleter deleter, void* context)
    : data_(data), bytes_(bytes), deleter_(deleter), context_(context) {}

namespace {

void let_go(void* context) {
    const std::unique_ptr<Ref<Storage>> whole(static_cast<Ref<Storage>*>(context));
    (*whole)->take_back();
}

}  // namespace

Ref<Storage> Storage::part_of(const Ref<Storage>& whole, size_t start, size_t bytes) {
    if (whole->data() == nullptr) return make_ref<Storage>(bytes, whole->device());
    whole->lend();
    return make_ref<Storage>(static_cast<char*>(whole->data()) + start, bytes, let_go,
                             new Ref<Storage>(whole));
}

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

void Storage::lend() {
    ++exports_;
    forget_forms();
}

void* Storage::address() {
    address_is_known_ = true;
    if (deleter_ == let_go) (*static_cast<Ref<Storage>*>(context_))->address();
    return data_;
}

std::shared_ptr<KeptForms> Storage::forms() {
    if (deleter_ != nullptr || data_ == nullptr || exports_ > 0 || address_is_known_) return nullptr;
    if (reading_ == nullptr || reading_->version != version) {
        reading_ = std::make_unique<Reading>(version);
        return nullptr;
    }
    if (reading_->forms == nullptr) reading_->forms = std::make_shared<KeptForms>();
    return reading_->forms;
}

void Storage::forget_forms() {
    reading_ = nullptr;
}

void Storage::replace(void* data, Deleter deleter, void* context) {
    check(exports_ == 0, "storage memory that others see cannot be moved");
    forget_forms();
    release();
    data_ = data;
    deleter_ = deleter;
    context_ = context;
}

void Storage::resize(size_t bytes) {
    if (bytes == bytes_) return;
    check(deleter_ == nullptr && exports_ == 0, "Trying to resize storage that is not resizable");
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
