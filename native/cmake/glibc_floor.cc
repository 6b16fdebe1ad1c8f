// The linker binds a function to the newest version that this system's glibc has. Those below are as old as glibc, but
// moved to libc.so with a new version (2.32 to 2.34), or are new. The linker puts these stand-ins in their place
// (--wrap), also in what GCC's own static libraries call: a library built on a new system then starts on an old one.
#include <link.h>
#include <sys/stat.h>

#include <cstdint>

#define VTB_OLD(function)                                                                                          \
  __asm__(".symver old_" #function ", " #function                                                                  \
          "@GLIBC_2.2.5\n"                                                                                         \
          ".pushsection .text\n.globl __wrap_" #function "\n.hidden __wrap_" #function "\n.type __wrap_" #function \
          ", @function\n__wrap_" #function ": jmp old_" #function "@PLT\n.popsection")

VTB_OLD(dlclose);
VTB_OLD(dlerror);
VTB_OLD(dlopen);
VTB_OLD(dlsym);
VTB_OLD(pthread_create);
VTB_OLD(pthread_join);
VTB_OLD(pthread_once);
VTB_OLD(pthread_sigmask);
VTB_OLD(__pthread_key_create);
__asm__(".symver old_setname, pthread_setname_np@GLIBC_2.12");

extern "C" {

int old_setname(pthread_t thread, const char* name);
int __fxstat64(int version, int file, struct stat64* result);

// Says that there may be threads, always: what asks is libstdc++, for cheaper reference counts.
char __wrap___libc_single_threaded = 0;

int __wrap_pthread_setname_np(pthread_t thread, const char* name) { return old_setname(thread, name); }

int __wrap_fstat64(int file, struct stat64* result) { return __fxstat64(1, file, result); }

// What GCC's unwinder asks glibc 2.35 for: where the unwind table of the code at an address is.
struct FoundObject {
  unsigned long long flags;
  void* map_start;
  void* map_end;
  void* link_map;
  void* eh_frame;
  unsigned long long reserved[7];
};

int __wrap__dl_find_object(void* address, FoundObject* found) {
  struct Search {
    uintptr_t address;
    FoundObject* found;
  } search = {reinterpret_cast<uintptr_t>(address), found};
  const auto visit = [](dl_phdr_info* object, size_t, void* data) {
    auto* search = static_cast<Search*>(data);
    bool here = false;
    void* table = nullptr;
    for (int i = 0; i < object->dlpi_phnum; i++) {
      const ElfW(Phdr)& part = object->dlpi_phdr[i];
      const uintptr_t start = object->dlpi_addr + part.p_vaddr;
      if (part.p_type == PT_GNU_EH_FRAME) table = reinterpret_cast<void*>(start);
      if (part.p_type != PT_LOAD || search->address < start || search->address - start >= part.p_memsz) continue;
      here = true;
      search->found->map_start = reinterpret_cast<void*>(start);
      search->found->map_end = reinterpret_cast<void*>(start + part.p_memsz);
    }
    if (!here || !table) return 0;
    search->found->eh_frame = table;
    return 1;
  };
  return dl_iterate_phdr(visit, &search) ? 0 : -1;
}
}
