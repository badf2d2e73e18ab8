// Errors: what the user is told, and as which Python exception it arrives.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace rl {

// Becomes RuntimeError in Python; the kinds below become the exceptions of their names.
class Error : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};
class TypeError : public Error {
  public:
    using Error::Error;
};
class ValueError : public Error {
  public:
    using Error::Error;
};
class IndexError : public Error {
  public:
    using Error::Error;
};
class NotImplemented : public Error {
  public:
    using Error::Error;
};
class OutOfMemory : public Error {
  public:
    using Error::Error;
};

// A Python exception is set and on its way to the caller.
struct PythonError {};

template <class... Parts>
std::string message(const Parts&... parts) {
    std::ostringstream out;
    (out << ... << parts);
    return out.str();
}

template <class Kind = Error, class... Parts>
[[noreturn, gnu::cold, gnu::noinline]] void raise(const Parts&... parts) {
    throw Kind(message(parts...));
}

// Raises Kind with the parts joined when the condition is false.
template <class Kind = Error, class... Parts>
inline void check(bool condition, const Parts&... parts) {
    if (!condition) [[unlikely]]
        raise<Kind>(parts...);
}

}  // namespace rl
