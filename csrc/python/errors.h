// The border between C++ exceptions and Python's.
#pragma once

#include <Python.h>

#include <type_traits>

#include "core/error.h"

namespace rl {

// Sets the Python exception for the C++ exception that is being handled.
void set_python_error() noexcept;

// Runs body, turning what it throws into a Python exception and `failure` (null, -1).
template <class Body, class Result = std::invoke_result_t<Body>>
Result guarded(
    Body&& body, Result failure = [] {
        if constexpr (std::is_pointer_v<Result>) {
            return nullptr;
        } else {
            return Result(-1);
        }
    }()) noexcept {
    try {
        return body();
    } catch (...) {
        set_python_error();
        return failure;
    }
}

}  // namespace rl
