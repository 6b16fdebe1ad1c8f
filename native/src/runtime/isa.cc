#include "runtime/isa.h"

#include <cpuid.h>

#include <cstdint>
#include <cstring>
#include <initializer_list>

namespace vtb {
namespace {

bool bit(uint32_t word, int index) { return (word >> index) & 1; }

uint64_t saved_state() {
  uint32_t low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return static_cast<uint64_t>(high) << 32 | low;
}

}  // namespace

vtb_isa detect_isa() {
  uint32_t eax, ebx, ecx, edx;
  if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx)) return VTB_ISA_GENERIC;
  const bool fma = bit(ecx, 12), os_xsave = bit(ecx, 27), avx = bit(ecx, 28), f16c = bit(ecx, 29);
  if (!fma || !os_xsave || !avx || !f16c) return VTB_ISA_GENERIC;
  const uint64_t ymm_state = 0x06, zmm_state = 0xe6;  // SSE, AVX; and opmask, upper halves, ZMM 16-31
  const uint64_t state = saved_state();
  if ((state & ymm_state) != ymm_state) return VTB_ISA_GENERIC;
  if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) return VTB_ISA_GENERIC;
  const bool avx2 = bit(ebx, 5), f = bit(ebx, 16), dq = bit(ebx, 17), bw = bit(ebx, 30), vl = bit(ebx, 31);
  if (!avx2) return VTB_ISA_GENERIC;
  return f && dq && bw && vl && (state & zmm_state) == zmm_state ? VTB_ISA_AVX512 : VTB_ISA_AVX2;
}

vtb_status choose_isa(const char* requested, vtb_isa detected, vtb_isa* level) {
  *level = detected;
  if (!requested || !*requested) return VTB_OK;
  for (const vtb_isa isa : {VTB_ISA_GENERIC, VTB_ISA_AVX2, VTB_ISA_AVX512}) {
    if (std::strcmp(requested, vtb_isa_name(isa)) != 0) continue;
    if (isa > detected) return VTB_UNSUPPORTED_ISA;
    *level = isa;
    return VTB_OK;
  }
  return VTB_UNKNOWN_ISA;
}

}  // namespace vtb

extern "C" const char* vtb_isa_name(vtb_isa isa) {
  switch (isa) {
    case VTB_ISA_GENERIC: return "generic";
    case VTB_ISA_AVX2: return "avx2";
    case VTB_ISA_AVX512: return "avx512";
  }
  return "unknown";
}
