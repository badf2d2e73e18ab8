// The operator registry: each operator registers its schema, implementation and documentation once, and
// everything that Python sees comes out of here. See CONTRIBUTING.md for a worked example.
#pragma once

#include <source_location>
#include <type_traits>

#include "ops/boxing.h"
#include "ops/schema.h"

namespace rl {

// Where an operator is asked to leave its result: in new memory, in its first argument, or in `out=`.
// An operator whose C++ function takes a Destination as its last parameter handles all three itself; for any
// other, in-place and out= forms compute the result and copy it.
struct Destination {
    enum class Kind : uint8_t { fresh, in_place, out };
    Kind kind = Kind::fresh;
    Tensor tensor;  // for in_place and out
};

// Which names an operator gets besides rushlight._C.<name>. Combine with |.
enum Variant : uint8_t {
    function = 1,  // rushlight.<name>
    method = 2,    // Tensor.<name>
    in_place = 4,  // rushlight.<name>_ where `function` is set, and Tensor.<name>_ where `method` is
    out = 8,       // the keyword argument out=
};

struct OperatorOptions {
    unsigned variants = function | method;
    const char* doc = "";
    bool differentiable = true;
    // Dtypes in words for the listing: "floating", "all", ...
    const char* dtypes = "all";
};

struct Operator {
    Schema schema;
    OperatorOptions options;
    std::string file;
    int line = 0;
    const void* target = nullptr;
    PyObject* (*invoke)(const void* target, PyObject* const* arguments,
                        const Destination& destination) = nullptr;
    bool takes_destination = false;
    PyTypeObject* return_type = nullptr;  // of named results, made by the module
};

// All operators in order of registration; overloads of one name are tried in that order.
const std::vector<Operator*>& all_operators();

namespace detail {

template <class T>
using Stored = std::remove_cvref_t<T>;

template <class R, class... A>
struct Invoker {
    using Function = R (*)(A...);
    static constexpr bool takes_destination = (std::is_same_v<Stored<A>, Destination> || ...);
    static constexpr size_t arity = sizeof...(A) - (takes_destination ? 1 : 0);

    template <class T, size_t I>
    static decltype(auto) argument(PyObject* const* arguments, const Destination& destination) {
        if constexpr (std::is_same_v<T, Destination>) {
            return (destination);
        } else {
            return FromPython<T>::read(arguments[I]);
        }
    }
    static PyObject* invoke(const void* target, PyObject* const* arguments, const Destination& destination) {
        const auto function = reinterpret_cast<Function>(const_cast<void*>(target));
        return [&]<size_t... I>(std::index_sequence<I...>) -> PyObject* {
            if constexpr (std::is_void_v<R>) {
                function(argument<Stored<A>, I>(arguments, destination)...);
                return Py_NewRef(Py_None);
            } else {
                return to_python(function(argument<Stored<A>, I>(arguments, destination)...));
            }
        }(std::index_sequence_for<A...>{});
    }
};

}  // namespace detail

// A static object of this type registers an operator. C++ types for schema types: Tensor and Tensor? `const
// Tensor&` (undefined for None), Tensor[] and Tensor?[] `const TensorList&`, Scalar `const Scalar&`, int
// `int64_t`, int[] `const Dims&`, float `double`, bool `bool`, str `const std::string&`, ScalarType `DType`,
// Device, Layout, MemoryFormat, Generator? `Generator*` (never null), T? `std::optional<T>`. Several results
// are a std::tuple.
class Register {
  public:
    template <class R, class... A>
    Register(const char* schema, R (*function)(A...), const OperatorOptions& options,
             std::source_location where = std::source_location::current()) {
        using Invoker = detail::Invoker<R, A...>;
        add(schema, reinterpret_cast<const void*>(function), &Invoker::invoke, Invoker::takes_destination,
            Invoker::arity, options, where);
    }

    static void add(const char* schema, const void* target,
                    PyObject* (*invoke)(const void*, PyObject* const*, const Destination&),
                    bool takes_destination, size_t arity, const OperatorOptions& options,
                    std::source_location where);
};

}  // namespace rl
