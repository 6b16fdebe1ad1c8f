package io.vertebra.golden;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vertebra.IsaTest;
import io.vertebra.backend.Backend;
import io.vertebra.cpu.CpuBackend;
import io.vertebra.reference.ReferenceBackend;
import io.vertebra.tensor.Compare;
import io.vertebra.tensor.Precision;
import io.vertebra.weights.WeightsException;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every golden file of the published implementations, in fp32 on every backend that can take it. */
class GoldenFileTest {
  /**
   * Single precision sums of a few thousand terms round to about 1e-6; the references ran in single precision
   * themselves.
   */
  private static final double MINI = 1e-5;
  private static final double FULL = 1e-4;

  static Stream<String> mini() throws IOException {
    return files("mini");
  }

  static Stream<String> full() throws IOException {
    return files("full");
  }

  private static Stream<String> files(String kind) throws IOException {
    try (Stream<Path> found = Files.list(folder().resolve(kind))) {
      return found.map(path -> kind + "/" + path.getFileName()).sorted().toList().stream();
    }
  }

  static Path folder() {
    try {
      return Path.of(GoldenFileTest.class.getResource("/golden").toURI());
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }

  @ParameterizedTest
  @MethodSource("mini")
  void referenceAgreesWithSmallModels(String file) {
    checkFp32(new ReferenceBackend(), file, MINI);
  }

  @IsaTest(kernels = "f32")
  @ParameterizedTest
  @MethodSource("mini")
  void cpuAgreesWithSmallModels(String file) {
    checkFp32(new CpuBackend(2), file, MINI);
  }

  @IsaTest(kernels = "f32")
  @ParameterizedTest
  @MethodSource("full")
  void cpuAgreesWithFullModels(String file) {
    checkFp32(new CpuBackend(2), file, FULL);
  }

  private static void checkFp32(Backend backend, String file, double tolerance) {
    assertThat(GoldenFile.open(folder().resolve(file)).defaultTolerance(Precision.FP32)).isEqualTo(tolerance);
    check(backend, file, tolerance);
  }

  static List<GoldenFile.Row> check(Backend backend, String file, double tolerance) {
    try (backend) {
      GoldenFile golden = GoldenFile.open(folder().resolve(file));
      List<GoldenFile.Row> rows = golden.verify(backend, tolerance);
      assertThat(rows).isNotEmpty().allMatch(GoldenFile.Row::passed);
      return rows;
    }
  }

  @Test
  void nanAndWrongLengthsNeverPass() {
    assertThat(new GoldenFile.Row("x", Double.NaN, 1).passed()).isFalse();
    assertThat(Compare.relativeError(new double[] {1, Double.NaN}, new double[] {1, 2})).isNaN();
    assertThat(Compare.relativeError(new double[] {1}, new double[] {1, 2})).isInfinite();
    assertThat(Compare.relativeError(new double[] {3, 4.5}, new double[] {3, 4})).isEqualTo(0.1);
  }

  @Test
  void aDamagedFileFailsAndAnUnrelatedOneIsRefused(@TempDir Path folder) throws IOException {
    byte[] bytes = Files.readAllBytes(folder().resolve("mini/swin_mini_oddwindow.safetensors"));
    bytes[bytes.length - 2] ^= 0x55;
    Path damaged = Files.write(folder.resolve("damaged.safetensors"), bytes);
    try (Backend backend = new ReferenceBackend()) {
      assertThat(GoldenFile.open(damaged).verify(backend, MINI)).anyMatch(row -> !row.passed());
      byte[] empty = {2, 0, 0, 0, 0, 0, 0, 0, '{', '}'};
      GoldenFile unrelated = GoldenFile.open(Files.write(folder.resolve("unrelated.safetensors"), empty));
      assertThatThrownBy(() -> unrelated.verify(backend, MINI)).isInstanceOf(WeightsException.class)
          .hasMessageContaining("no model");
    }
  }
}
