// Which instruction set this machine grants, and which was asked for.
#pragma once

#include "vertebra.h"

namespace vtb {

struct Detected {
  vtb_isa level;
  const char* limit;  // why it is not a higher one
};

// The highest level that CPUID and the operating system's saved state (XCR0) grant.
Detected detect_isa();

// Asks for what AMX needs besides: permission for this process. 0, or Linux's error number.
int ask_for_tiles();

// The level to use: the detected one, or what `requested` (null or empty: nothing) lowers it to.
vtb_status choose_isa(const char* requested, vtb_isa detected, vtb_isa* level);

}  // namespace vtb
