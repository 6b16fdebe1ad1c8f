#include "runtime/dispatch.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <mutex>

#include "runtime/isa.h"

namespace vtb {
namespace {

KernelTiers* list;  // constant-initialised, hence empty before the first constructor runs

struct {
  vtb_status status;
  vtb_isa detected;
  vtb_isa level;
  char limit[160];
  char names[1024];
} chosen;

// Linux's reason, in words: ENOSPC is what it says of a signal stack.
void say_why_tiles_are_refused(int error) {
  std::snprintf(chosen.limit, sizeof chosen.limit, "Linux refused this process AMX tiles (error %d%s)", error,
                error == ENOSPC ? ": a thread has an alternate signal stack, sigaltstack, too small to save them" : "");
}

void init() {
  const char* asked = std::getenv("VERTEBRA_ISA");
  const Detected detected = detect_isa();
  chosen.detected = detected.level;
  std::snprintf(chosen.limit, sizeof chosen.limit, "%s", detected.limit);
  chosen.status = choose_isa(asked, chosen.detected, &chosen.level);
  if (chosen.status == VTB_OK && chosen.level == VTB_ISA_AMX) {
    if (const int error = ask_for_tiles()) {
      chosen.detected = VTB_ISA_AVX512_BF16;
      say_why_tiles_are_refused(error);
      chosen.status = choose_isa(asked, chosen.detected, &chosen.level);
    }
  }
  if (chosen.level < chosen.detected) {
    std::snprintf(chosen.limit, sizeof chosen.limit, "VERTEBRA_ISA lowers it from %s", vtb_isa_name(chosen.detected));
  }
  if (chosen.status != VTB_OK) return;
  KernelTiers::choose(chosen.level);
  char* end = chosen.names;
  for (const KernelTiers* tiers = KernelTiers::first(); tiers; tiers = tiers->next()) {
    if (!tiers->name()) continue;
    const char* separator = end == chosen.names ? "" : " ";
    end += std::snprintf(end, std::end(chosen.names) - end, "%s%s", separator, tiers->name());
  }
}

}  // namespace

const KernelTiers* KernelTiers::first() { return list; }

void KernelTiers::choose(vtb_isa level) {
  for (KernelTiers* tiers = list; tiers; tiers = tiers->next_) {
    int at = level;
    while (at > VTB_ISA_GENERIC && !tiers->tiers_[at].kernel) --at;
    tiers->name_ = tiers->tiers_[at].name;
    tiers->kernel_ = tiers->tiers_[at].kernel;
  }
}

// By the name at the lowest level, since the order of the constructors is the linker's.
void KernelTiers::enlist() {
  const auto name = [](const KernelTiers* tiers) {
    return std::find_if(tiers->tiers_, std::end(tiers->tiers_), [](const Tier& tier) { return tier.name; })->name;
  };
  KernelTiers** at = &list;
  while (*at && std::strcmp(name(*at), name(this)) < 0) at = &(*at)->next_;
  next_ = *at;
  *at = this;
}

}  // namespace vtb

extern "C" {

vtb_status vtb_init(void) {
  static std::once_flag once;
  std::call_once(once, vtb::init);
  return vtb::chosen.status;
}

vtb_isa vtb_isa_level(void) { return vtb::chosen.level; }

vtb_isa vtb_isa_detected(void) { return vtb::chosen.detected; }

const char* vtb_isa_limit(void) { return vtb::chosen.limit; }

const char* vtb_kernel_names(void) { return vtb::chosen.names; }

}  // extern "C"
