// The list of kernels, with what it takes to call one with the bytes of its argument struct.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

struct vtbe_kernel {
  std::string name;
  std::string_view fields;  // a letter a field of the argument struct: p pointer, i int32, l int64, f float
  int max_threads, args_bytes;
  void (*function)();
  void (*call)(void (*function)(), const void* args);
  mutable int allowed_shared = 0;
};

namespace vtb::emulator {

// What initialises a pointer, or a field of exactly this type, and nothing else.
struct AnyPointer {
  template <typename T>
  operator T*() const;
};

template <typename Field>
struct Exactly {
  template <std::same_as<Field> T>
  operator T() const;
};

// The letters of an argument struct's fields, found by what the struct can be initialised from; fields of structs
// inside it are its own. `Before` initialises those whose letters are known.
template <typename Args, char... letters, typename... Before>
consteval auto field_letters(Before...) {
  if constexpr (requires { Args{Before()..., AnyPointer()}; }) {
    return field_letters<Args, letters..., 'p'>(Before()..., AnyPointer());
  } else if constexpr (requires { Args{Before()..., Exactly<int32_t>()}; }) {
    return field_letters<Args, letters..., 'i'>(Before()..., Exactly<int32_t>());
  } else if constexpr (requires { Args{Before()..., Exactly<int64_t>()}; }) {
    return field_letters<Args, letters..., 'l'>(Before()..., Exactly<int64_t>());
  } else if constexpr (requires { Args{Before()..., Exactly<float>()}; }) {
    return field_letters<Args, letters..., 'f'>(Before()..., Exactly<float>());
  } else {
    return std::array<char, sizeof...(letters)>{letters...};
  }
}

// Calls visit(letter, offset) for every field; returns the bytes of a struct of such fields.
template <typename Visit>
constexpr size_t for_each_field(std::string_view letters, Visit visit) {
  size_t end = 0;
  for (char letter : letters) {
    const size_t bytes = letter == 'p' || letter == 'l' ? 8 : 4, offset = (end + bytes - 1) / bytes * bytes;
    visit(letter, offset);
    end = offset + bytes;
  }
  return (end + 7) / 8 * 8;
}

template <typename Args>
struct Fields {
  static constexpr auto letters = field_letters<Args>();
  static constexpr std::string_view view{letters.data(), letters.size()};
  static_assert(for_each_field(view, [](char, size_t) {}) == (sizeof(Args) + 7) / 8 * 8,
                "kernels take structs of pointers, int32, int64 and float");
};

void add_kernel(vtbe_kernel kernel);

template <typename Args>
struct Registration {
  Registration(const char* name, void (*function)(Args), int max_threads) {
    add_kernel({name, Fields<Args>::view, max_threads, sizeof(Args), reinterpret_cast<void (*)()>(function), call});
  }

  static void call(void (*function)(), const void* args) {
    reinterpret_cast<void (*)(Args)>(function)(*static_cast<const Args*>(args));
  }
};

}  // namespace vtb::emulator
