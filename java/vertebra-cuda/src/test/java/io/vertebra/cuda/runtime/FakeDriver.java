package io.vertebra.cuda.runtime;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;

/** A driver and a cuBLAS without a GPU, over the emulator: for this process, or for one that is started. */
final class FakeDriver {
  /** Where they lie. */
  static final Path FOLDER = Path.of(System.getProperty("vertebra.fake-driver"));

  static {
    // The loader is content with a library of the name it looks for that is loaded already.
    System.load(FOLDER.resolve("libcuda.so.1").toString());
  }

  private FakeDriver() {}

  static DriverRuntime open() {
    return new DriverRuntime(1, binary());
  }

  /** What the fake driver takes for a fat binary, on machines without nvcc too. */
  static FatBinary binary() {
    ByteBuffer contents = ByteBuffer.allocateDirect(16).order(ByteOrder.nativeOrder()).putInt(0, 0xba55ed50);
    return new FatBinary(contents, 13, 0);
  }
}
