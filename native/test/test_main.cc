#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "vertebra.h"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  const char* asked = std::getenv("VERTEBRA_ISA");
  switch (vtb_init()) {
    case VTB_OK: break;
    case VTB_UNSUPPORTED_ISA:
      std::printf("skipped: this machine has %s at most, not %s\n", vtb_isa_name(vtb_isa_detected()), asked);
      return 77;  // CTest counts it as skipped
    default: std::printf("VERTEBRA_ISA=%s names no level\n", asked); return 1;
  }
  std::printf("%s: %s\n", vtb_isa_name(vtb_isa_level()), vtb_kernel_names());
  return RUN_ALL_TESTS();
}
