package io.vertebra.natives;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Why the JVM or the dynamic loader refuses a library, in words that say what to do.
 *
 * @param reason without a full stop
 * @param isOfTheFolder whether another folder may do
 */
record LoadFailure(String reason, boolean isOfTheFolder) {
  /** What to give the JVM where it denies native code to those that it does not name. */
  private static final String DENIED = "this JVM denies native code (--illegal-native-access=deny). Start it with"
      + " --enable-native-access=ALL-UNNAMED where Vertebra is on the class path; on the module path, with"
      + " --enable-native-access=io.vertebra,org.bytedeco.javacpp (for a GPU, io.vertebra.cuda,jcuda,jcublas besides)";
  private static final Pattern VERSION = Pattern.compile("version [`']([A-Z]+)_([0-9.]+)' not found");
  private static final Pattern MISSING
      = Pattern.compile("(?:^|[ :])([^ :]+\\.so[^ :]*): cannot open shared object file: No such file or directory");
  private static final Pattern OLD_GLIBC = Pattern.compile("/libc-([0-9.]+)\\.so");

  static LoadFailure of(Throwable error) {
    Throwable root = error;
    while (root.getCause() != null) {
      root = root.getCause();
    }
    if (root instanceof IllegalCallerException) {
      return new LoadFailure(DENIED, false);
    }
    return of(String.valueOf(root.getMessage()), mappedFiles());
  }

  /** Whether the JVM refuses because another class loader has the library: a copy of it would do. */
  static boolean isInAnotherLoader(UnsatisfiedLinkError error) {
    return String.valueOf(error.getMessage()).contains("already loaded in another classloader");
  }

  /**
   * @param message of the dynamic loader
   * @param maps what this process has mapped, in the form of {@code /proc/self/maps}
   */
  static LoadFailure of(String message, String maps) {
    if (maps.contains("/ld-musl-") || message.contains("Error relocating")
        || message.contains("Error loading shared library")) {
      return of(
          "it needs glibc, and this system has musl (" + message + "); use an image with glibc, such as Debian's");
    }
    if (message.contains("failed to map segment")) {
      return message.contains("Cannot allocate memory") ? of("there is no memory left to map it (" + message + ")")
          : new LoadFailure("nothing there may be executed: the file system is mounted noexec, or a security policy"
              + " forbids it (" + message + ")", true);
    }
    Matcher version = VERSION.matcher(message);
    if (version.find()) {
      return of(tooOld(version.group(1), version.group(2), maps));
    }
    Matcher missing = MISSING.matcher(message);
    if (missing.find()) {
      String library = missing.group(1);
      String advice = library.startsWith("libstdc++") || library.startsWith("libgcc_s")
          ? "; install it (apt-get install libstdc++6 libgcc-s1, or dnf install libstdc++ libgcc)"
          : "";
      return of("it needs " + library + ", which this system lacks" + advice);
    }
    if (message.contains("ELF") || message.contains("file too short") || message.contains("invalid or corrupt")) {
      return new LoadFailure("it is damaged, or no library for Linux on x86-64 (" + message + ")", true);
    }
    return new LoadFailure(message, true);
  }

  private static LoadFailure of(String reason) {
    return new LoadFailure(reason, false);
  }

  private static String tooOld(String name, String needed, String maps) {
    if (!name.equals("GLIBC")) {
      return "it needs a newer libstdc++, with " + name + "_" + needed + "; update libstdc++";
    }
    Matcher present = OLD_GLIBC.matcher(maps);
    return "it needs glibc " + needed + " or later, and this system has "
        + (present.find() ? present.group(1) : "an older one") + "; use a newer system or image";
  }

  private static String mappedFiles() {
    try {
      return Files.readString(Path.of("/proc/self/maps"));
    } catch (IOException e) {
      return "";
    }
  }
}
