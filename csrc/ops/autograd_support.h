// The operators that autograd itself needs, handed down to its floor.
#pragma once

namespace rl::ops {

// Fills in autograd_operators; called once when the module starts.
void provide_autograd_operators();

}  // namespace rl::ops
