// Operator schemas: what the text "softmax(Tensor self, int dim, *, ScalarType? dtype=None) -> Tensor" says.
#pragma once

#include <Python.h>

#include <string>
#include <string_view>
#include <vector>

namespace rl {

enum class ArgumentType : uint8_t {
    tensor,                // Tensor
    tensor_or_scalar,      // Tensor|Scalar: a Python number becomes a tensor that is weak in promotion
    tensor_list,           // Tensor[]
    optional_tensor_list,  // Tensor?[]
    scalar,                // Scalar
    scalar_list,           // Scalar[]
    integer,               // int
    integer_list,          // int[], int[2] (one int stands for all)
    floating,              // float
    floating_list,         // float[]
    boolean,               // bool
    boolean_list,          // bool[]
    dtype,                 // ScalarType
    layout,                // Layout
    device,                // Device
    memory_format,         // MemoryFormat
    generator,             // Generator
    string,                // str
};

struct Argument {
    std::string name;
    PyObject* interned_name = nullptr;  // owned for the life of the process
    ArgumentType type = ArgumentType::tensor;
    bool optional = false;  // "?": None may be given
    int list_size = 0;      // of int[N]
    bool keyword_only = false;
    PyObject* default_value = nullptr;  // null: required. Owned for the life of the process
    std::string default_text;
};

struct Schema {
    std::string text;
    std::string name;      // "sum" of "sum.dim_IntList(...)"
    std::string overload;  // "dim_IntList"
    std::vector<Argument> arguments;
    int positional_count = 0;
    int list_position =
        -1;  // of the int[] that integers given one by one may stand for: first, or after self
    std::vector<std::string> return_types;
    std::vector<std::string> return_names;  // empty where the schema gives none
};

// Throws Error that quotes the text where it cannot be read.
Schema parse_schema(std::string_view text);

// "Tensor input, int dim, *, torch.dtype dtype": the signature as Python's error messages show it.
std::string python_signature(const Schema& schema);
// "int", "tuple of ints": the type of an argument as error messages name it.
std::string python_type_name(const Argument& argument);

}  // namespace rl
