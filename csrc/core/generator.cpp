// The generator's seeding, its single draws and its state as bytes.
#include "core/generator.h"

#include <cmath>
#include <cstring>
#include <numbers>
#include <random>

#include "core/error.h"

namespace rl {
namespace {

// The layout of PyTorch's legacy generator state: one 64-bit slot per word of the engine, then the normal
// draw that is kept.
struct StateLayout {
    uint64_t seed;
    int32_t left;
    int32_t seeded;
    uint64_t next;
    uint64_t words[Mt19937::size];
    double unused_x;
    double kept_normal;
    double unused_rho;
    int32_t has_kept_normal;
    float unused_float_normal;
    uint64_t unused_has_float_normal;
};
static_assert(sizeof(StateLayout) == Generator::state_bytes);

}  // namespace

void Generator::manual_seed(uint64_t seed) {
    seed_ = seed;
    kept_normal_.reset();
    engine_.words[0] = static_cast<uint32_t>(seed);
    for (uint32_t i = 1; i < Mt19937::size; ++i) {
        const uint32_t previous = engine_.words[i - 1];
        engine_.words[i] = 1812433253u * (previous ^ (previous >> 30)) + i;
    }
    engine_.left = 1;
    engine_.next = 0;
}

uint64_t Generator::seed() {
    std::random_device entropy;
    const uint64_t upper = entropy();
    const uint64_t drawn = (upper << 32 | entropy()) & ((uint64_t{1} << 53) - 1);
    manual_seed(drawn);
    return drawn;
}

uint32_t Generator::random() {
    if (--engine_.left == 0) {
        mt19937_twist(engine_.words);
        engine_.left = Mt19937::size;
        engine_.next = 0;
    }
    return mt19937_temper(engine_.words[engine_.next++]);
}

uint64_t Generator::random64() {
    const uint64_t upper = random();
    return upper << 32 | random();
}

double Generator::uniform() {
    return static_cast<double>(random64() & ((uint64_t{1} << 53) - 1)) * 0x1p-53;
}

double Generator::normal() {
    if (kept_normal_) {
        const double kept = *kept_normal_;
        kept_normal_.reset();
        return kept;
    }
    const double angle = 2.0 * std::numbers::pi * uniform();
    const double radius = std::sqrt(-2.0 * std::log1p(-uniform()));
    kept_normal_ = radius * std::sin(angle);
    return radius * std::cos(angle);
}

Generator::State Generator::state() const {
    StateLayout layout{};
    layout.seed = seed_;
    layout.left = engine_.left;
    layout.seeded = 1;
    layout.next = engine_.next;
    for (int i = 0; i < Mt19937::size; ++i) layout.words[i] = engine_.words[i];
    layout.has_kept_normal = kept_normal_.has_value();
    layout.kept_normal = kept_normal_.value_or(0.0);
    State bytes;
    std::memcpy(bytes.data(), &layout, state_bytes);
    return bytes;
}

void Generator::set_state(std::span<const uint8_t> bytes) {
    check(bytes.size() == state_bytes, "Expected a CPUGeneratorImplState of size ", state_bytes,
          " but found the input RNG state size to be ", bytes.size());
    StateLayout layout;
    std::memcpy(&layout, bytes.data(), state_bytes);
    const bool fresh = layout.left == 1 && layout.next == 0;
    const bool running = layout.left >= 1 && layout.left <= Mt19937::size &&
                         layout.next == static_cast<uint64_t>(Mt19937::size + 1 - layout.left);
    check(layout.seeded != 0 && (fresh || running), "Invalid mt19937 state");
    seed_ = layout.seed;
    engine_.left = layout.left;
    engine_.next = static_cast<uint32_t>(layout.next);
    for (int i = 0; i < Mt19937::size; ++i) engine_.words[i] = static_cast<uint32_t>(layout.words[i]);
    kept_normal_.reset();
    if (layout.has_kept_normal) kept_normal_ = layout.kept_normal;
}

Generator& default_generator() {
    static Generator generator;
    return generator;
}

}  // namespace rl
