package io.vertebra.cuda.runtime;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * A driver and a cuBLAS without a GPU, over the emulator: in this process, whose LD_LIBRARY_PATH leads to them, or in
 * one that is started to see it fail.
 */
public final class FakeDriver {
  /** Where they lie. */
  static final Path FOLDER = Path.of(System.getProperty("vertebra.fake-driver"));

  private FakeDriver() {}

  public static DriverRuntime open() {
    return new DriverRuntime(1, FakeDriver::binary);
  }

  /** What the fake driver takes for a fat binary, on machines without nvcc too. */
  private static FatBinary binary() {
    ByteBuffer contents = ByteBuffer.allocateDirect(16).order(ByteOrder.nativeOrder()).putInt(0, 0xba55ed50);
    return new FatBinary(contents, 13, 0);
  }

  /** What a process with this environment prints that opens a device and multiplies. */
  static String elsewhere(int ordinal, Map<String, String> environment) throws IOException, InterruptedException {
    ProcessBuilder builder = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
        "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-Dvertebra.fake-driver=" + FOLDER, "-cp",
        System.getProperty("java.class.path"), FakeDriver.class.getName(), String.valueOf(ordinal));
    builder.environment().keySet().removeAll(List.of("LD_LIBRARY_PATH", "VERTEBRA_CUBLAS"));
    builder.environment().putAll(environment);
    Process process = builder.redirectError(ProcessBuilder.Redirect.DISCARD).start();
    String printed = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    process.waitFor();
    return printed.strip();
  }

  public static void main(String[] arguments) {
    try (DriverRuntime runtime = new DriverRuntime(Integer.parseInt(arguments[0]), FakeDriver::binary);
        GpuStream stream = runtime.newStream()) {
      long memory = runtime.allocate(4);
      stream.multiply(new GpuProduct(GpuType.F32, false, 1, 1, 1, memory, memory, memory));
      System.out.println("works");
    } catch (RuntimeException e) {
      System.out.println(e.getMessage());
    }
  }
}
