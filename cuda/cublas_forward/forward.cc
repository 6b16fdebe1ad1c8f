// libcublas.so.12 for machines that have only libcublas.so.13: JCublas asks the loader for the former. The functions
// that Vertebra calls have not changed between the two, so each jumps to its namesake with whatever arguments it was
// given. JCublas binds functions when they are first called, so those that are not here are not missed.
#include <dlfcn.h>

#define VERTEBRA_FORWARDED(each)                                                                    \
  each(cublasCreate_v2) each(cublasDestroy_v2) each(cublasSetStream_v2) each(cublasSetWorkspace_v2) \
      each(cublasSetMathMode) each(cublasGemmEx)

extern "C" {

// CUBLAS_STATUS_NOT_INITIALIZED
static int vertebra_missing() { return 1; }

#define VERTEBRA_FORWARD(name)                                      \
  __attribute__((visibility("hidden"))) void* vertebra_next_##name; \
  __attribute__((naked)) void name() { asm("jmp *vertebra_next_" #name "(%rip)"); }

VERTEBRA_FORWARDED(VERTEBRA_FORWARD)

// Java has loaded libcublas.so.13 before, from wherever it found it.
__attribute__((constructor)) static void vertebra_find() {
  void* library = dlopen("libcublas.so.13", RTLD_LAZY);
#define VERTEBRA_FIND(name)                                         \
  vertebra_next_##name = library ? dlsym(library, #name) : nullptr; \
  if (!vertebra_next_##name) vertebra_next_##name = reinterpret_cast<void*>(vertebra_missing);
  VERTEBRA_FORWARDED(VERTEBRA_FIND)
}

}  // extern "C"
