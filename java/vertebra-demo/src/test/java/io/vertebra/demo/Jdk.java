package io.vertebra.demo;

import io.vertebra.Model;
import java.io.File;
import java.io.IOException;
import java.io.StringReader;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.bytedeco.javacpp.Pointer;

/** A JDK that tests start: this one, or one installed beside it. */
record Jdk(Path home, int version) {
  private static final int OLDEST = 17;
  private static final int SECONDS = 120;

  /** What a process wrote, and how it ended. */
  record Outcome(int status, String output, String errors) {}

  /** The JDK these tests run on first, then one of each other version that is installed beside it. */
  static List<Jdk> installed() {
    Path own = real(Path.of(System.getProperty("java.home")));
    List<Jdk> jdks = new ArrayList<>(List.of(new Jdk(own, Runtime.version().feature())));
    try (Stream<Path> beside = Files.list(own.getParent())) {
      beside.sorted().map(Jdk::real).filter(home -> Files.isExecutable(home.resolve("bin/javac"))).forEach(home -> {
        int version = version(home);
        if (version >= OLDEST && jdks.stream().noneMatch(known -> known.version == version)) {
          jdks.add(new Jdk(home, version));
        }
      });
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return jdks;
  }

  private static Path real(Path home) {
    try {
      return home.toRealPath();
    } catch (IOException e) {
      return home;
    }
  }

  private static int version(Path home) {
    Properties release = new Properties();
    try {
      release.load(new StringReader(Files.readString(home.resolve("release"))));
      return Runtime.Version.parse(release.getProperty("JAVA_VERSION").replace("\"", "")).feature();
    } catch (IOException e) {
      return 0;
    }
  }

  /** Runs {@code java} with arguments. */
  Outcome java(Path folder, String... arguments) throws IOException, InterruptedException {
    return run(home.resolve("bin/java"), folder, arguments);
  }

  static Outcome run(Path program, Path folder, String... arguments) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of(program.toString()));
    command.addAll(List.of(arguments));
    Path output = folder.resolve("output");
    Path errors = folder.resolve("errors");
    Process process
        = new ProcessBuilder(command).redirectOutput(output.toFile()).redirectError(errors.toFile()).start();
    try {
      if (!process.waitFor(SECONDS, TimeUnit.SECONDS)) {
        throw new AssertionError(command + " still runs after " + SECONDS + " s: " + Files.readString(errors));
      }
    } finally {
      process.destroyForcibly();
    }
    return new Outcome(process.exitValue(), Files.readString(output), Files.readString(errors));
  }

  /** What the library and the digits models need, as a class path or a module path. */
  static String path() {
    URL natives = Digits.class.getResource("/META-INF/native/linux-x86_64/libjnivertebra.so");
    try {
      return String.join(File.pathSeparator, codeOf(Model.class), codeOf(Digits.class), codeOf(Pointer.class),
          Path.of(natives.toURI()).getParent().resolve("../../..").normalize().toString());
    } catch (URISyntaxException e) {
      throw new AssertionError(e);
    }
  }

  private static String codeOf(Class<?> type) throws URISyntaxException {
    return Path.of(type.getProtectionDomain().getCodeSource().getLocation().toURI()).toString();
  }

  @Override
  public String toString() {
    return "JDK " + version;
  }
}
