package io.vertebra.natives;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertebra.cpu.CpuBackend;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NativeLibraryTest {
  private static final String FILE = "libsomething.so";

  private final NativeLibrary something = new NativeLibrary("something", FILE, NativeLibraryTest.class);

  @TempDir
  Path cache;

  @Test
  void isExtractedOnceByContentHoweverManyDoSo() throws Exception {
    byte[] library = new byte[1 << 20];
    new Random(1).nextBytes(library);
    ExecutorService threads = Executors.newFixedThreadPool(8);
    Callable<Path> extraction = () -> something.extract(packaged("first", library), cache);
    List<Future<Path>> results = threads.invokeAll(java.util.Collections.nCopies(64, extraction));
    threads.shutdown();
    Path folder = results.get(0).get();
    for (Future<Path> result : results) {
      assertThat(result.get()).isEqualTo(folder);
    }
    assertThat(folder.resolve(FILE)).hasBinaryContent(library);
    try (Stream<Path> files = Files.list(folder)) {
      assertThat(files).as("no temporary files left").hasSize(1);
    }
    assertThat(something.extract(packaged("second", library), cache)).isNotEqualTo(folder);
  }

  private static NativeLibrary.Packaged packaged(String digest, byte[] library) {
    return new NativeLibrary.Packaged(digest, library.length, () -> new ByteArrayInputStream(library));
  }

  @Test
  void aCopyCutShortIsReplaced() throws IOException {
    byte[] library = {1, 2, 3, 4};
    Path file = something.extract(packaged("short", library), cache).resolve(FILE);
    Files.write(file, new byte[] {1, 2});
    something.extract(packaged("short", library), cache);
    assertThat(file).hasBinaryContent(library);
  }

  @Test
  void freshProcessesStartTogetherAndSayWhatIsWrong() throws Exception {
    List<Process> processes = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      processes.add(start(Map.of("VERTEBRA_ISA", "generic"), "-Dvertebra.cache=" + cache));
    }
    for (Process process : processes) {
      assertThat(output(process)).contains("generic");
    }
    assertThat(output(start(Map.of("VERTEBRA_ISA", "sse9"), "-Dvertebra.cache=" + cache))).contains("sse9")
        .contains("generic, avx2, avx512, avx512_vnni, avx512_bf16 or amx");
    assertThat(output(start(Map.of("VERTEBRA_ISA", "generic"), "-Dvertebra.native=" + cache.resolve("nowhere"))))
        .contains("cannot be loaded").contains("-Dvertebra.native");
    Path file = Files.writeString(cache.resolve("file"), "no folder");
    assertThat(output(start(Map.of("VERTEBRA_ISA", "generic"), "-Dvertebra.cache=" + file, "-Djava.io.tmpdir=" + file)))
        .contains("-Dvertebra.cache");
  }

  /** What {@link #start} runs. */
  public static final class Probe {
    public static void main(String[] arguments) {
      try {
        System.out.println(CpuBackend.isa());
      } catch (io.vertebra.tensor.VertebraException e) {
        System.out.println(e.getMessage());
      }
    }
  }

  private static Process start(Map<String, String> environment, String... options) throws IOException {
    List<String> command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
        "-cp", System.getProperty("java.class.path")));
    command.addAll(List.of(options));
    command.add(Probe.class.getName());
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().putAll(environment);
    return builder.start();
  }

  private static String output(Process process) throws IOException, InterruptedException {
    try (InputStream in = process.getInputStream()) {
      String output = new String(in.readAllBytes(), StandardCharsets.UTF_8);
      assertThat(process.waitFor()).as(output).isZero();
      return output;
    }
  }
}
