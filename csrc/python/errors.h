// C++ exceptions on their way into Python.
#pragma once

#include <Python.h>

#include <utility>

namespace rl {

// Turns the C++ exception being handled into the Python exception of its kind.
void set_python_error() noexcept;

// Calls body; on a C++ exception sets the Python error and returns the failure value.
template <class Body, class Result = decltype(std::declval<Body>()())>
Result guarded(Body&& body, Result failure = Result()) noexcept {
    try {
        return body();
    } catch (...) {
        set_python_error();
        return failure;
    }
}

// The same for slots that report success as 0 and failure as -1.
template <class Body>
int guarded_status(Body&& body) noexcept {
    try {
        body();
        return 0;
    } catch (...) {
        set_python_error();
        return -1;
    }
}

// A function that takes more than PyCFunction's two arguments, for a method table.
template <class Function>
PyCFunction as_method(Function* function) {
    return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

}  // namespace rl
