// Random numbers: the Mersenne Twister whose stream equals that of PyTorch's CPU generator.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>

namespace rl {

// MT19937 (Matsumoto and Nishimura, 1998). `left` counts down to the next twist, `next` indexes `words`.
struct Mt19937 {
    static constexpr int size = 624;
    uint32_t words[size];
    int32_t left;
    uint32_t next;
};

// Internal linkage, because kernels compile these once per instruction set.
static inline uint32_t mt19937_mix(uint32_t upper, uint32_t lower) {
    const uint32_t joined = (upper & 0x80000000u) | (lower & 0x7fffffffu);
    return (joined >> 1) ^ (-(lower & 1u) & 0x9908b0dfu);
}
static inline void mt19937_twist(uint32_t* words) {
    constexpr int size = Mt19937::size, shift = 397;
    for (int i = 0; i < size - shift; ++i) words[i] = words[i + shift] ^ mt19937_mix(words[i], words[i + 1]);
    for (int i = size - shift; i < size - 1; ++i)
        words[i] = words[i + shift - size] ^ mt19937_mix(words[i], words[i + 1]);
    words[size - 1] = words[shift - 1] ^ mt19937_mix(words[size - 1], words[0]);
}
static inline uint32_t mt19937_temper(uint32_t word) {
    word ^= word >> 11;
    word ^= (word << 7) & 0x9d2c5680u;
    word ^= (word << 15) & 0xefc60000u;
    return word ^ (word >> 18);
}

// A stream of random numbers. Not locked: operators hold `mutex` while they draw from it.
class Generator {
  public:
    static constexpr uint64_t default_seed = 67280421310721;
    static constexpr size_t state_bytes = 5056;
    using State = std::array<uint8_t, state_bytes>;

    explicit Generator(uint64_t seed = default_seed) { manual_seed(seed); }

    // Starts the stream that `seed` names; only its lower 32 bits tell streams apart.
    void manual_seed(uint64_t seed);
    uint64_t initial_seed() const { return seed_; }

    // Starts a stream from the system's entropy and returns its seed.
    uint64_t seed();

    uint32_t random();
    // The first word drawn is the upper half.
    uint64_t random64();
    // Uniform in [0, 1), 53 bits.
    double uniform();
    // Standard normal by Box and Muller (1958); draws come in pairs, of which one is kept for the next call.
    double normal();

    // The bytes of torch.get_rng_state(), and back; throws Error when they are not such.
    State state() const;
    void set_state(std::span<const uint8_t> bytes);

    Mt19937& engine() { return engine_; }

    std::mutex mutex;

  private:
    Mt19937 engine_;
    uint64_t seed_;
    std::optional<double> kept_normal_;
};

// The generator that operators use when they are given none.
Generator& default_generator();

}  // namespace rl
