// Reading operator schemas.
#include "ops/schema.h"

#include <array>
#include <utility>

#include "core/error.h"

namespace rl {
namespace {

struct TypeName {
    std::string_view schema;
    ArgumentType type;
    std::string_view python;
};
constexpr std::array<TypeName, 12> type_names = {{
    {"Tensor", ArgumentType::tensor, "Tensor"},
    {"Tensor|Scalar", ArgumentType::tensor_or_scalar, "Tensor"},
    {"Scalar", ArgumentType::scalar, "Number"},
    {"int", ArgumentType::integer, "int"},
    {"float", ArgumentType::floating, "float"},
    {"bool", ArgumentType::boolean, "bool"},
    {"ScalarType", ArgumentType::dtype, "torch.dtype"},
    {"Layout", ArgumentType::layout, "torch.layout"},
    {"Device", ArgumentType::device, "torch.device"},
    {"MemoryFormat", ArgumentType::memory_format, "torch.memory_format"},
    {"Generator", ArgumentType::generator, "torch.Generator"},
    {"str", ArgumentType::string, "str"},
}};

ArgumentType list_of(ArgumentType item, bool optional_items) {
    switch (item) {
        case ArgumentType::tensor:
            return optional_items ? ArgumentType::optional_tensor_list : ArgumentType::tensor_list;
        case ArgumentType::integer:
            return ArgumentType::integer_list;
        case ArgumentType::floating:
            return ArgumentType::floating_list;
        case ArgumentType::boolean:
            return ArgumentType::boolean_list;
        case ArgumentType::scalar:
            return ArgumentType::scalar_list;
        default:
            break;
    }
    raise("no lists of this argument type");
}

// Cuts what precedes the separator off the front of the text.
std::string_view take_until(std::string_view& text, std::string_view separator) {
    const size_t at = text.find(separator);
    const std::string_view head = text.substr(0, at);
    text.remove_prefix(at == std::string_view::npos ? text.size() : at + separator.size());
    return head;
}

std::string_view trim(std::string_view text) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    return text;
}

// "int[2]? kernel_size" without its name, into the argument.
void parse_type(std::string_view text, Argument& argument) {
    if (text.ends_with('?')) {
        argument.optional = true;
        text.remove_suffix(1);
    }
    bool is_list = false;
    if (text.ends_with(']')) {
        is_list = true;
        const size_t open = text.rfind('[');
        const std::string_view count = text.substr(open + 1, text.size() - open - 2);
        if (!count.empty()) argument.list_size = std::stoi(std::string(count));
        text = text.substr(0, open);
    }
    const bool optional_items = is_list && text.ends_with('?');
    if (optional_items) text.remove_suffix(1);
    if (const size_t mark = text.find('('); mark != std::string_view::npos) text = text.substr(0, mark);
    for (const TypeName& name : type_names) {
        if (name.schema != text) continue;
        argument.type = is_list ? list_of(name.type, optional_items) : name.type;
        return;
    }
    raise("unknown argument type '", text, "'");
}

PyObject* checked(PyObject* object) {
    if (object == nullptr) throw PythonError();
    return object;
}

// A default value as the Python object that the caller would have passed.
PyObject* parse_default(std::string_view text) {
    if (text == "None") return checked(Py_NewRef(Py_None));
    if (text == "True") return checked(Py_NewRef(Py_True));
    if (text == "False") return checked(Py_NewRef(Py_False));
    if (text.starts_with('"') || text.starts_with('\'')) {
        return checked(
            PyUnicode_FromStringAndSize(text.data() + 1, static_cast<Py_ssize_t>(text.size() - 2)));
    }
    if (text.starts_with('[')) {
        PyObject* const list = checked(PyList_New(0));
        std::string_view items = text.substr(1, text.size() - 2);
        while (!trim(items).empty()) {
            PyObject* const item = parse_default(trim(take_until(items, ",")));
            PyList_Append(list, item);
            Py_DECREF(item);
        }
        PyObject* const tuple = checked(PyList_AsTuple(list));
        Py_DECREF(list);
        return tuple;
    }
    const std::string number(text);
    if (number.find_first_of(".einf") == std::string::npos) {
        return checked(PyLong_FromString(number.c_str(), nullptr, 10));
    }
    return checked(PyFloat_FromDouble(std::stod(number)));
}

Argument parse_argument(std::string_view text) {
    Argument argument;
    if (const size_t equals = text.find('='); equals != std::string_view::npos) {
        argument.default_text = std::string(text.substr(equals + 1));
        argument.default_value = parse_default(argument.default_text);
        text = text.substr(0, equals);
    }
    const size_t space = text.rfind(' ');
    check(space != std::string_view::npos, "argument '", text, "' has no name");
    argument.name = std::string(text.substr(space + 1));
    argument.interned_name = checked(PyUnicode_InternFromString(argument.name.c_str()));
    parse_type(text.substr(0, space), argument);
    return argument;
}

// Arguments are separated by commas outside brackets (defaults may be lists).
std::vector<std::string_view> split_arguments(std::string_view text) {
    std::vector<std::string_view> parts;
    int depth = 0;
    size_t start = 0;
    for (size_t i = 0; i <= text.size(); ++i) {
        if (i < text.size() && (text[i] == '[' || text[i] == '(')) ++depth;
        if (i < text.size() && (text[i] == ']' || text[i] == ')')) --depth;
        if (i == text.size() || (text[i] == ',' && depth == 0)) {
            if (const auto part = trim(text.substr(start, i - start)); !part.empty()) parts.push_back(part);
            start = i + 1;
        }
    }
    return parts;
}

}  // namespace

Schema parse_schema(std::string_view text) {
    Schema schema;
    schema.text = std::string(text);
    const size_t arrow = text.rfind("->");
    check(arrow != std::string_view::npos, "operator schema has no result: ", schema.text);
    std::string_view head = trim(text.substr(0, arrow));
    std::string_view name = take_until(head, "(");
    check(head.ends_with(')'), "operator schema cannot be read: ", schema.text);
    head.remove_suffix(1);
    schema.name = std::string(take_until(name, "."));
    schema.overload = std::string(name);
    bool keyword_only = false;
    for (const std::string_view part : split_arguments(head)) {
        if (part == "*") {
            keyword_only = true;
            continue;
        }
        try {
            schema.arguments.push_back(parse_argument(part));
        } catch (const Error& error) {
            raise(error.what(), " in operator schema ", schema.text);
        }
        schema.arguments.back().keyword_only = keyword_only;
        if (!keyword_only) ++schema.positional_count;
    }
    const int first = !schema.arguments.empty() && schema.arguments[0].type == ArgumentType::tensor ? 1 : 0;
    if (first < schema.positional_count && schema.arguments[first].type == ArgumentType::integer_list)
        schema.list_position = first;
    std::string_view results = trim(text.substr(arrow + 2));
    if (results.starts_with('(')) results = results.substr(1, results.size() - 2);
    for (std::string_view part : split_arguments(results)) {
        const size_t space = part.rfind(' ');
        schema.return_types.emplace_back(part.substr(0, space));
        if (space != std::string_view::npos) schema.return_names.emplace_back(part.substr(space + 1));
    }
    return schema;
}

std::string python_type_name(const Argument& argument) {
    switch (argument.type) {
        case ArgumentType::tensor_list:
        case ArgumentType::optional_tensor_list:
            return "tuple of Tensors";
        case ArgumentType::integer_list:
            return "tuple of ints";
        case ArgumentType::floating_list:
            return "tuple of floats";
        case ArgumentType::boolean_list:
            return "tuple of bools";
        case ArgumentType::scalar_list:
            return "tuple of Scalars";
        default:
            break;
    }
    for (const TypeName& name : type_names) {
        if (name.type == argument.type) return std::string(name.python);
    }
    return "";
}

std::string python_signature(const Schema& schema) {
    std::string text;
    bool starred = false;
    for (const Argument& argument : schema.arguments) {
        if (!text.empty()) text += ", ";
        if (argument.keyword_only && !std::exchange(starred, true)) text += "*, ";
        text += python_type_name(argument) + " " + (argument.name == "self" ? "input" : argument.name);
        if (argument.default_value != nullptr) text += " = " + argument.default_text;
    }
    return "(" + text + ")";
}

}  // namespace rl
