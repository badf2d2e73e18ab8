// A vector whose first N items live inside it: shapes and argument lists without an allocation.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <new>
#include <span>
#include <utility>

namespace rl {

template <class T, size_t N>
class InlineVector {
  public:
    using value_type = T;
    using iterator = T*;
    using const_iterator = const T*;

    InlineVector() noexcept = default;
    explicit InlineVector(size_t count, const T& value = T{}) { resize(count, value); }
    InlineVector(std::initializer_list<T> items) : InlineVector(items.begin(), items.end()) {}
    InlineVector(std::span<const T> items) : InlineVector(items.begin(), items.end()) {}
    template <class Iterator>
    InlineVector(Iterator first, Iterator last) {
        append(first, last);
    }
    InlineVector(const InlineVector& other) : InlineVector(other.begin(), other.end()) {}
    InlineVector(InlineVector&& other) noexcept { take(other); }
    InlineVector& operator=(const InlineVector& other) {
        if (this != &other) assign(other.begin(), other.end());
        return *this;
    }
    InlineVector& operator=(InlineVector&& other) noexcept {
        if (this != &other) {
            release();
            take(other);
        }
        return *this;
    }
    ~InlineVector() { release(); }

    size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    T* data() { return data_; }
    const T* data() const { return data_; }
    T* begin() { return data_; }
    T* end() { return data_ + size_; }
    const T* begin() const { return data_; }
    const T* end() const { return data_ + size_; }
    T& operator[](size_t index) { return data_[index]; }
    const T& operator[](size_t index) const { return data_[index]; }
    T& front() { return data_[0]; }
    const T& front() const { return data_[0]; }
    T& back() { return data_[size_ - 1]; }
    const T& back() const { return data_[size_ - 1]; }

    void push_back(T item) {
        if (size_ == capacity_) grow(size_ + 1);
        new (data_ + size_) T(std::move(item));
        ++size_;
    }
    void pop_back() { std::destroy_at(data_ + --size_); }
    void clear() {
        std::destroy_n(data_, size_);
        size_ = 0;
    }
    void resize(size_t count, const T& value = T{}) {
        if (count > capacity_) grow(count);
        if (count < size_) std::destroy(data_ + count, data_ + size_);
        if (count > size_) std::uninitialized_fill(data_ + size_, data_ + count, value);
        size_ = count;
    }
    // The items must not lie in this vector.
    template <class Iterator>
    void assign(Iterator first, Iterator last) {
        clear();
        append(first, last);
    }
    template <class Iterator>
    void append(Iterator first, Iterator last) {
        const size_t count = size_ + static_cast<size_t>(std::distance(first, last));
        if (count > capacity_) grow(count);
        std::uninitialized_copy(first, last, data_ + size_);
        size_ = count;
    }
    void insert(size_t position, T item) {
        push_back(std::move(item));
        for (size_t i = size_ - 1; i > position; --i) std::swap(data_[i], data_[i - 1]);
    }
    void erase(size_t position) {
        for (size_t i = position; i + 1 < size_; ++i) data_[i] = std::move(data_[i + 1]);
        pop_back();
    }
    operator std::span<const T>() const { return {data_, size_}; }
    friend bool operator==(const InlineVector& a, const InlineVector& b) {
        if (a.size_ != b.size_) return false;
        for (size_t i = 0; i < a.size_; ++i) {
            if (!(a.data_[i] == b.data_[i])) return false;
        }
        return true;
    }

  private:
    T* inline_data() { return std::launder(reinterpret_cast<T*>(storage_)); }
    void grow(size_t least) {
        const size_t capacity = least > 2 * capacity_ ? least : 2 * capacity_;
        T* const data = static_cast<T*>(::operator new(capacity * sizeof(T)));
        std::uninitialized_move_n(data_, size_, data);
        std::destroy_n(data_, size_);
        if (data_ != inline_data()) ::operator delete(data_);
        data_ = data;
        capacity_ = capacity;
    }
    void release() {
        std::destroy_n(data_, size_);
        if (data_ != inline_data()) ::operator delete(data_);
        data_ = inline_data();
        size_ = 0;
        capacity_ = N;
    }
    void take(InlineVector& other) noexcept {
        if (other.data_ == other.inline_data()) {
            std::uninitialized_move_n(other.data_, other.size_, inline_data());
            size_ = other.size_;
            other.clear();
            return;
        }
        data_ = std::exchange(other.data_, other.inline_data());
        size_ = std::exchange(other.size_, 0);
        capacity_ = std::exchange(other.capacity_, N);
    }

    alignas(T) unsigned char storage_[N * sizeof(T)];
    T* data_ = inline_data();
    size_t size_ = 0;
    size_t capacity_ = N;
};

}  // namespace rl
