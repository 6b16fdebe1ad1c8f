// The list of kernels, with what it takes to call one through a list of pointers to its arguments.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>

struct vtbe_kernel {
  using Function = void (*)();

  std::string name;
  std::string signature;  // a letter a parameter: p, i, l, f
  int max_threads;
  Function function;
  void (*call)(Function function, void* const* params);
  mutable int allowed_shared = 0;
};

namespace vtb::emulator {

template <typename T>
constexpr char letter() {
  if constexpr (std::is_pointer_v<T>) {
    return 'p';
  } else if constexpr (std::is_same_v<T, float>) {
    return 'f';
  } else {
    static_assert(std::is_integral_v<T> && (sizeof(T) == 4 || sizeof(T) == 8),
                  "kernels take pointers, int32, int64 and float");
    return sizeof(T) == 4 ? 'i' : 'l';
  }
}

inline size_t parameter_bytes(char letter) { return letter == 'p' || letter == 'l' ? 8 : 4; }

void add_kernel(vtbe_kernel kernel);

template <typename... P>
struct Registration {
  Registration(const char* name, void (*function)(P...), int max_threads) {
    add_kernel({name, {letter<P>()...}, max_threads, reinterpret_cast<vtbe_kernel::Function>(function), call});
  }

  static void call(vtbe_kernel::Function function, void* const* params) {
    call(reinterpret_cast<void (*)(P...)>(function), params, std::index_sequence_for<P...>());
  }

  template <size_t... i>
  static void call(void (*function)(P...), void* const* params, std::index_sequence<i...>) {
    function(*static_cast<const std::remove_cv_t<P>*>(params[i])...);
  }
};

}  // namespace vtb::emulator
