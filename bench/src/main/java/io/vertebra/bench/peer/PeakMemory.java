package io.vertebra.bench.peer;

import io.vertebra.Families;
import io.vertebra.tensor.Precision;
import io.vertebra.tensor.VertebraException;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Peak resident memory of a process that does nothing but load a model from its file and run it: a JVM of its own for
 * each library, all with the same flags: a heap that grows only as far as it must, so that what is measured is what a
 * library needs and not how much garbage a collector lets lie.
 */
final class PeakMemory {
  private static final List<String> FLAGS = List.of("-XX:+UseSerialGC", "-Xms16m");
  private static final int RUNS = 3;
  private static final int BYTES_PER_KB = 1024;

  private PeakMemory() {}

  /** Bytes, of a fresh JVM. */
  static long measure(Library library, Path file, String variant, int batch, int threads, Precision precision)
      throws IOException {
    List<String> command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString()));
    command.addAll(FLAGS);
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), PeakMemory.class.getName(), library.name(),
        file.toString(), variant, Integer.toString(batch), Integer.toString(threads), precision.name()));
    Process child = new ProcessBuilder(command).redirectError(Redirect.INHERIT).start();
    String printed = new String(child.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
    try {
      if (child.waitFor() != 0) {
        throw new VertebraException(
            "measuring the memory of " + library.title() + " failed: exit status " + child.exitValue());
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while measuring memory", e);
    }
    return Long.parseLong(printed.substring(printed.lastIndexOf('\n') + 1)) * BYTES_PER_KB;
  }

  /** In the child: prints kB. */
  public static void main(String[] args) throws IOException {
    Workload workload = Workload.of(Families.named(args[2]), Integer.parseInt(args[3]), Precision.valueOf(args[5]));
    try (Engine engine = Library.valueOf(args[0]).open(workload, Path.of(args[1]), Integer.parseInt(args[4]))) {
      for (int i = 0; i < RUNS; i++) {
        engine.run();
      }
    }
    String peak = Files.readAllLines(Path.of("/proc/self/status")).stream().filter(line -> line.startsWith("VmHWM"))
        .findFirst().orElseThrow();
    System.out.println(peak.replaceAll("\\D", ""));
  }
}
