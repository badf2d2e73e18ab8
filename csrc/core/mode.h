// Per-thread switches: whether gradients are recorded, inference mode, anomaly detection.
#pragma once

namespace rl {

struct AutogradMode {
    bool gradients = true;
    bool inference = false;
    bool anomaly = false;
    bool anomaly_check_nan = true;
};

[[gnu::tls_model("initial-exec")]] inline thread_local AutogradMode autograd_mode;

// Sets whether gradients are recorded, for its lifetime.
class GradientsEnabled {
  public:
    explicit GradientsEnabled(bool enabled) : previous_(autograd_mode.gradients) {
        autograd_mode.gradients = enabled;
    }
    ~GradientsEnabled() { autograd_mode.gradients = previous_; }
    GradientsEnabled(const GradientsEnabled&) = delete;
    GradientsEnabled& operator=(const GradientsEnabled&) = delete;

  private:
    bool previous_;
};

}  // namespace rl
