#include "runtime/isa.h"

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
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

Detected detect_isa() {
  constexpr Detected no_avx2 = {VTB_ISA_GENERIC, "the CPU has no AVX2 with FMA and F16C"};
  uint32_t eax, ebx, ecx, edx;
  if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx)) return no_avx2;
  const bool fma = bit(ecx, 12), os_xsave = bit(ecx, 27), avx = bit(ecx, 28), f16c = bit(ecx, 29);
  if (!fma || !avx || !f16c) return no_avx2;
  // SSE, AVX; with opmask, upper halves, ZMM 16-31; tile configuration, tiles.
  const uint64_t ymm_state = 0x06, zmm_state = 0xe6, tile_state = 0x60000;
  const uint64_t state = os_xsave ? saved_state() : 0;
  if ((state & ymm_state) != ymm_state) return {VTB_ISA_GENERIC, "the operating system does not save AVX registers"};
  if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) return no_avx2;
  const bool avx2 = bit(ebx, 5), f = bit(ebx, 16), dq = bit(ebx, 17), bw = bit(ebx, 30), vl = bit(ebx, 31);
  const bool vnni = bit(ecx, 11), amx = bit(edx, 22) && bit(edx, 24) && bit(edx, 25);  // BF16, TILE, INT8
  if (!avx2) return no_avx2;
  if (!f || !dq || !bw || !vl) return {VTB_ISA_AVX2, "the CPU has no AVX-512 F, BW, DQ and VL"};
  if ((state & zmm_state) != zmm_state) {
    return {VTB_ISA_AVX2, "the operating system does not save AVX-512 registers"};
  }
  if (!vnni) return {VTB_ISA_AVX512, "the CPU has no AVX-512 VNNI"};
  if (!__get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) || !bit(eax, 5)) {
    return {VTB_ISA_AVX512_VNNI, "the CPU has no AVX-512 BF16"};
  }
  if (!amx) return {VTB_ISA_AVX512_BF16, "the CPU has no AMX TILE, BF16 and INT8"};
  if ((state & tile_state) != tile_state) {
    return {VTB_ISA_AVX512_BF16, "the operating system does not save AMX tiles"};
  }
  return {VTB_ISA_AMX, ""};
}

// Linux saves the tiles of a process only if it asked for that; threads started later inherit the permission.
int ask_for_tiles() {
  constexpr int request_permission = 0x1023, tile_data = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, request_permission, tile_data) == 0 ? 0 : errno;
}

vtb_status choose_isa(const char* requested, vtb_isa detected, vtb_isa* level) {
  *level = detected;
  if (!requested || !*requested) return VTB_OK;
  for (const vtb_isa isa :
       {VTB_ISA_GENERIC, VTB_ISA_AVX2, VTB_ISA_AVX512, VTB_ISA_AVX512_VNNI, VTB_ISA_AVX512_BF16, VTB_ISA_AMX}) {
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
    case VTB_ISA_AVX512_VNNI: return "avx512_vnni";
    case VTB_ISA_AVX512_BF16: return "avx512_bf16";
    case VTB_ISA_AMX: return "amx";
  }
  return "unknown";
}
