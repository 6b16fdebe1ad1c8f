package io.vertebra.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertebra.conformance.ConformanceCases;
import io.vertebra.conformance.ConformanceCases.Case;
import io.vertebra.cuda.CudaOptions.Products;
import io.vertebra.cuda.runtime.EmulatedRuntime;
import io.vertebra.cuda.runtime.FakeDriver;
import io.vertebra.cuda.runtime.GpuRuntime;
import io.vertebra.golden.GoldenFile;
import io.vertebra.tensor.Precision;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What runs on the emulator gives the same bits through JCuda, on a driver that the emulator stands behind. */
class DriverConformanceTest {
  private static CudaBackend backend(GpuRuntime runtime, Precision precision, Products products) {
    return new CudaBackend(runtime, precision, new CudaOptions(products, false));
  }

  @ParameterizedTest
  @MethodSource("io.vertebra.cuda.CudaCases#all")
  void anOperationGivesTheSame(Case testCase) {
    for (Products products : CudaCases.products(testCase)) {
      double[] expected = ConformanceCases.run(backend(new EmulatedRuntime(), Precision.FP16, products), testCase);
      assertThat(ConformanceCases.run(backend(FakeDriver.open(), Precision.FP16, products), testCase))
          .isEqualTo(expected);
    }
  }

  @Test
  void aModelGivesTheSame() {
    Path file
        = Path.of("..", "vertebra-golden", "src", "test", "resources", "golden", "mini", "swin_mini_basic.safetensors");
    for (Precision precision : List.of(Precision.FP32, Precision.TF32, Precision.FP16, Precision.BF16)) {
      try (CudaBackend emulated = backend(new EmulatedRuntime(), precision, Products.RULE);
          CudaBackend driven = backend(FakeDriver.open(), precision, Products.RULE)) {
        assertThat(GoldenFile.open(file).verify(driven, 1)).isEqualTo(GoldenFile.open(file).verify(emulated, 1));
      }
    }
  }
}
