package io.vertebra.natives;

import io.vertebra.cpu.CpuBackend;
import io.vertebra.tensor.VertebraException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A JVM under conditions of its own that loads the library twice, and says how that went. */
final class ChildProcess {
  private static final int SECONDS = 60;

  private final Process process;
  private final Path output;

  private ChildProcess(Process process, Path output) {
    this.process = process;
    this.output = output;
  }

  /** What runs in it. */
  static final class Probe {
    public static void main(String[] arguments) {
      String first = load();
      System.out.println(first);
      String second = load();
      if (!second.equals(first)) {
        System.out.println("but then: " + second);
      }
    }

    private static String load() {
      try (CpuBackend backend = new CpuBackend(0)) {
        return "loaded " + CpuBackend.isa() + " from " + CpuBackend.nativeFolder() + " for " + backend.threads();
      } catch (VertebraException e) {
        return e.getMessage();
      }
    }
  }

  /**
   * Starts one.
   *
   * @param shell makes the conditions and runs {@code "$@"}, the JVM
   * @param path its class path
   */
  static ChildProcess start(String shell, String path, String... options) throws IOException {
    List<String> command = new ArrayList<>(
        List.of("sh", "-ec", shell, "sh", Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-Xmx64m", "-cp", path));
    command.addAll(List.of(options));
    command.add(Probe.class.getName());
    Path output = Files.createTempFile("child", ".txt");
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(output.toFile());
    builder.environment().keySet().removeAll(List.of("XDG_CACHE_HOME", "VERTEBRA_ISA", "JAVA_TOOL_OPTIONS"));
    return new ChildProcess(builder.start(), output);
  }

  /** All that it wrote; waits for its end. */
  String output() throws IOException, InterruptedException {
    try {
      if (!process.waitFor(SECONDS, TimeUnit.SECONDS)) {
        throw new AssertionError("still runs: " + Files.readString(output));
      }
      String text = Files.readString(output);
      if (process.exitValue() != 0) {
        throw new AssertionError("ended with " + process.exitValue() + ": " + text);
      }
      return text;
    } finally {
      process.destroyForcibly();
      Files.delete(output);
    }
  }
}
