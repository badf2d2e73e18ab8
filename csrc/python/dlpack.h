// The structures of DLPack 1.0, the exchange format for tensors (https://dmlc.github.io/dlpack).
#pragma once

#include <cstdint>

namespace rl::dlpack {

struct Version {
    uint32_t major;
    uint32_t minor;
};

inline constexpr int32_t device_cpu = 1;

struct Device {
    int32_t type;
    int32_t id;
};

enum TypeCode : uint8_t {
    code_int = 0,
    code_uint = 1,
    code_float = 2,
    code_bfloat = 4,
    code_complex = 5,
    code_bool = 6,
};

struct DataType {
    uint8_t code;
    uint8_t bits;
    uint16_t lanes;
};

struct DLTensor {
    void* data;
    Device device;
    int32_t ndim;
    DataType dtype;
    int64_t* shape;
    int64_t* strides;  // in elements; null: contiguous
    uint64_t byte_offset;
};

struct ManagedTensor {
    DLTensor tensor;
    void* context;
    void (*deleter)(ManagedTensor*);
};

inline constexpr uint64_t flag_copied = 2;

struct ManagedTensorVersioned {
    Version version;
    void* context;
    void (*deleter)(ManagedTensorVersioned*);
    uint64_t flags;
    DLTensor tensor;
};

}  // namespace rl::dlpack
