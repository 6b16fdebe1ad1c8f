package io.vertebra.cuda;

import io.vertebra.Precision;
import io.vertebra.cuda.CudaOptions.Products;
import io.vertebra.cuda.runtime.EmulatedRuntime;
import io.vertebra.golden.GoldenFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class CudaGoldenTest {
  private static final Path MINI = Path.of("..", "vertebra", "src", "test", "resources", "golden", "mini");

  static Stream<Path> mini() throws IOException {
    try (Stream<Path> files = Files.list(MINI)) {
      return files.sorted().toList().stream();
    }
  }

  @ParameterizedTest
  @MethodSource("mini")
  void agrees(Path file) {
    for (Precision precision : List.of(Precision.FP32, Precision.FP16, Precision.BF16)) {
      long start = System.nanoTime();
      try (CudaBackend backend = new CudaBackend(new EmulatedRuntime(), precision, new CudaOptions(Products.RULE, false))) {
        String worst = "";
        double error = 0;
        double logits = 0;
        for (GoldenFile.Row row : GoldenFile.open(file).verify(backend, 1)) {
          if (!(row.error() <= error)) {
            error = row.error();
            worst = row.tensor();
          }
          if (row.tensor().equals("logits")) {
            logits = row.error();
          }
        }
        System.err.println("ERR " + precision + " " + (System.nanoTime() - start) / 1000000 + " " + error + " " + logits + " " + file.getFileName() + " " + worst);
      }
    }
  }
}
