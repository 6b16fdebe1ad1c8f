package io.vertebra.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vertebra.bench.kernel.Kernel;
import io.vertebra.bench.kernel.ModelKernel;
import io.vertebra.bench.kernel.RatioTable;
import io.vertebra.bench.peer.PeerKernel;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.openjdk.jmh.annotations.Param;

class KernelBenchTest {
  private static final int THREADS = 2;

  static Stream<String> kernels() throws NoSuchFieldException {
    return Stream.of(KernelBench.class.getField("kernel").getAnnotation(Param.class).value());
  }

  @ParameterizedTest
  @MethodSource("kernels")
  void enginesAgree(String name) {
    ModelKernel kernel = KernelBench.find(name);
    try (Kernel ours = kernel.vertebra(THREADS);
        Kernel onnxRuntime = PeerKernel.onnxRuntime(kernel, THREADS);
        Kernel libtorch = PeerKernel.libtorch(kernel, THREADS)) {
      // Our operand stays what it was.
      ours.run();
      assertThat(RatioTable.disagreement(ours, onnxRuntime)).isLessThan(KernelTable.TOLERANCE);
      assertThat(RatioTable.disagreement(ours, libtorch)).isLessThan(KernelTable.TOLERANCE);
    }
  }

  @Test
  void refusesUnknownKernels() {
    assertThatThrownBy(() -> KernelBench.find("hornet_tiny_gf: attention"))
        .hasMessageContaining("8 x global filter 14x14x240");
  }
}
