package io.vertebra.natives;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class LoadFailureTest {
  private static final String GLIBC_2_27
      = "7f1200000000-7f12001e7000 r-xp 00000000 08:01 42  /lib/x86_64-linux-gnu/libc-2.27.so\n";
  private static final String MUSL = "7f1200000000-7f1200049000 r-xp 00000000 08:01 42  /lib/ld-musl-x86_64.so.1\n";

  static Stream<Arguments> messages() {
    return Stream.of(
        Arguments.of("/x/l.so: failed to map segment from shared object: Operation not permitted", "", true, "noexec"),
        Arguments.of("/x/l.so: /x/l.so: failed to map segment from shared object", "", true, "noexec"),
        Arguments.of("/x/l.so: failed to map segment from shared object: Cannot allocate memory", "", false, "memory"),
        Arguments.of("/x/l.so: invalid ELF header", "", true, "damaged, or no library for Linux on x86-64"),
        Arguments.of("/x/l.so: wrong ELF class: ELFCLASS32", "", true, "damaged, or no library for Linux on x86-64"),
        Arguments.of("/x/l.so: file too short", "", true, "damaged, or no library for Linux on x86-64"),
        Arguments.of("/x/l.so: /lib/libc.so.6: version `GLIBC_2.28' not found (required by /x/l.so)", GLIBC_2_27, false,
            "it needs glibc 2.28 or later, and this system has 2.27"),
        Arguments.of("/x/l.so: /lib/libc.so.6: version `GLIBC_2.28' not found (required by /x/l.so)", "", false,
            "it needs glibc 2.28 or later, and this system has an older one"),
        Arguments.of("/x/l.so: /lib/libstdc++.so.6: version `GLIBCXX_3.4.30' not found (required by /x/l.so)", "",
            false, "newer libstdc++, with GLIBCXX_3.4.30"),
        Arguments.of("/x/l.so: libstdc++.so.6: cannot open shared object file: No such file or directory", "", false,
            "it needs libstdc++.so.6, which this system lacks; install it (apt-get install libstdc++6 libgcc-s1"),
        Arguments.of("libgcc_s.so.1: cannot open shared object file: No such file or directory", "", false,
            "it needs libgcc_s.so.1"),
        Arguments.of("/x/l.so: libother.so.3: cannot open shared object file: No such file or directory", "", false,
            "it needs libother.so.3, which this system lacks"),
        Arguments.of("Error loading shared library ld-linux-x86-64.so.2: No such file or directory (needed by l.so)",
            "", false, "it needs glibc, and this system has musl"),
        Arguments.of("Error relocating /x/l.so: __strdup: symbol not found", "", false, "has musl"),
        Arguments.of("/x/l.so: anything", MUSL, false, "has musl"), Arguments.of("anything", "", true, "anything"));
  }

  @ParameterizedTest
  @MethodSource("messages")
  void isSaidInWords(String message, String maps, boolean isOfTheFolder, String reason) {
    LoadFailure failure = LoadFailure.of(message, maps);
    assertThat(failure.reason()).contains(reason);
    assertThat(failure.isOfTheFolder()).isEqualTo(isOfTheFolder);
  }

  @Test
  void namesWhatAllowsNativeCode() {
    Throwable error = new ExceptionInInitializerError(new IllegalCallerException("Illegal native access"));
    assertThat(LoadFailure.of(error).reason()).contains("--enable-native-access=ALL-UNNAMED",
        "--enable-native-access=io.vertebra");
  }
}
