// Owned references to Python objects.
#pragma once

#include <Python.h>

#include <utility>

#include "core/error.h"

namespace rl {

class Object {
  public:
    Object() noexcept = default;
    static Object steal(PyObject* object) noexcept { return Object(object); }
    static Object borrow(PyObject* object) noexcept { return Object(Py_XNewRef(object)); }
    // Takes over the new reference that a call into Python gave; throws PythonError when it gave null.
    static Object check(PyObject* object) {
        if (object == nullptr) throw PythonError();
        return Object(object);
    }
    Object(const Object& other) noexcept : object_(Py_XNewRef(other.object_)) {}
    Object(Object&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
    Object& operator=(Object other) noexcept {
        std::swap(object_, other.object_);
        return *this;
    }
    ~Object() { Py_XDECREF(object_); }

    PyObject* get() const { return object_; }
    PyObject* release() { return std::exchange(object_, nullptr); }
    explicit operator bool() const { return object_ != nullptr; }

  private:
    explicit Object(PyObject* object) noexcept : object_(object) {}
    PyObject* object_ = nullptr;
};

// Throws PythonError when a call into Python reported failure by a negative status.
inline void check_status(int status) {
    if (status < 0) throw PythonError();
}

}  // namespace rl
