// Division and multiples, rounded up. Static: a file compiled for one instruction set must not lend its copy to others.
#pragma once

#include <cstdint>

namespace vtb {

// a / b rounded up, for a >= 0 and b > 0.
static constexpr int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

// The multiple of b that is a or the next above it.
static constexpr int64_t round_up(int64_t a, int64_t b) { return divide_up(a, b) * b; }

}  // namespace vtb
