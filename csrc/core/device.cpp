// Device names.
#include "core/device.h"

#include "core/error.h"

namespace rl {
namespace {

Device device_of_new_tensors;

}  // namespace

Device default_device() {
    return device_of_new_tensors;
}
void set_default_device(Device device) {
    device_of_new_tensors = device;
}

std::string to_string(Device device) {
    const std::string name = device.type == DeviceType::cpu ? "cpu" : "meta";
    return device.index < 0 ? name : name + ":" + std::to_string(device.index);
}

Device parse_device(const std::string& text) {
    const size_t colon = text.find(':');
    const std::string name = text.substr(0, colon);
    Device device;
    if (name == "meta") {
        device.type = DeviceType::meta;
    } else if (name == "cuda") {
        raise("Rushlight was built without CUDA: device '", text, "' is not available");
    } else if (name != "cpu") {
        raise("Expected one of cpu, meta device type at start of device string: ", name);
    }
    if (colon == std::string::npos) return device;
    const std::string index = text.substr(colon + 1);
    const bool digits =
        !index.empty() && index.size() < 3 && index.find_first_not_of("0123456789") == std::string::npos;
    check(digits, "Invalid device string: '", text, "'");
    device.index = static_cast<int8_t>(std::stoi(index));
    return device;
}

}  // namespace rl
