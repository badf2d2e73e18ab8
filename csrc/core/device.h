// Where a tensor's memory is. `meta` tensors have a shape and a type but no memory.
#pragma once

#include <cstdint>
#include <string>

namespace rl {

enum class DeviceType : uint8_t { cpu, meta };

struct Device {
    DeviceType type = DeviceType::cpu;
    int8_t index = -1;  // -1: none given
    friend bool operator==(const Device&, const Device&) = default;
};

std::string to_string(Device device);

// Reads "cpu", "meta", "cpu:0"; throws Error with PyTorch's wording for anything else.
Device parse_device(const std::string& text);

// Where new tensors go when no device is named.
Device default_device();
void set_default_device(Device device);

enum class Layout : uint8_t { strided };
enum class MemoryFormat : uint8_t { contiguous, preserve, channels_last, channels_last_3d };

}  // namespace rl
