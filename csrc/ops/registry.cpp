// The list of operators.
#include "ops/registry.h"

namespace rl {
namespace {

std::vector<Operator*>& operators() {
    static std::vector<Operator*>& list = *new std::vector<Operator*>();
    return list;
}

// The path from the root of the source tree.
std::string source_path(std::string path) {
    const size_t root = path.rfind("csrc/");
    return root == std::string::npos ? path : path.substr(root);
}

}  // namespace

const std::vector<Operator*>& all_operators() {
    return operators();
}

void Register::add(const char* schema, const void* target,
                   PyObject* (*invoke)(const void*, PyObject* const*, const Destination&),
                   bool takes_destination, size_t arity, const OperatorOptions& options,
                   std::source_location where) {
    auto op = std::make_unique<Operator>();
    op->schema = parse_schema(schema);
    check(op->schema.arguments.size() == arity, "operator takes ", arity, " arguments in C++: ", schema);
    op->options = options;
    op->file = source_path(where.file_name());
    op->line = static_cast<int>(where.line());
    op->target = target;
    op->invoke = invoke;
    op->takes_destination = takes_destination;
    operators().push_back(op.release());
}

}  // namespace rl
