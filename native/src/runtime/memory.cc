#include <sys/mman.h>

#include <cstdlib>

#include "vertebra.h"

extern "C" {

void* vtb_alloc(int64_t bytes) {
  constexpr int64_t cache_line = 64, huge_page = int64_t{1} << 21;
  const bool large = bytes >= huge_page;
  void* memory = nullptr;
  if (posix_memalign(&memory, large ? huge_page : cache_line, bytes > 0 ? bytes : 1) != 0) return nullptr;
  if (large) madvise(memory, bytes, MADV_HUGEPAGE);  // a wish: refused is fine
  return memory;
}

void vtb_free(void* memory) { std::free(memory); }

}  // extern "C"
