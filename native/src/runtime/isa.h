// Which instruction set this machine grants, and which was asked for.
#pragma once

#include "vertebra.h"

namespace vtb {

// The highest level that CPUID, the operating system's saved state (XCR0) and, for AMX, its permission grant. Asks
// for that.
vtb_isa detect_isa();

// The level to use: the detected one, or what `requested` (null or empty: nothing) lowers it to.
vtb_status choose_isa(const char* requested, vtb_isa detected, vtb_isa* level);

}  // namespace vtb
