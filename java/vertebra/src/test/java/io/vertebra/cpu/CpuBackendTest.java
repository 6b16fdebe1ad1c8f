package io.vertebra.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vertebra.IsaTest;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class CpuBackendTest {
  private static final List<String> LEVELS = List.of("generic", "avx2", "avx512");

  @IsaTest
  @Test
  void theForcedLevelIsTheOneThatRuns() {
    String forced = System.getenv("VERTEBRA_ISA");
    assertThat(CpuBackend.isa()).isEqualTo(forced == null ? CpuBackend.detectedIsa() : forced);
    assertThat(LEVELS.indexOf(CpuBackend.isa())).isLessThanOrEqualTo(LEVELS.indexOf(CpuBackend.detectedIsa()));
    assertThat(Stream.of(CpuBackend.kernels().split(" ")).filter(kernel -> kernel.startsWith("gemm"))).allMatch(name -> name.endsWith("__" + CpuBackend.isa()));
  }

  @Test
  void threadsDefaultToWhatTheProcessMayUse() {
    try (CpuBackend backend = new CpuBackend(0)) {
      assertThat(backend.threads()).isEqualTo(CpuBackend.cpuLimit()).isBetween(1, Runtime.getRuntime().availableProcessors());
      assertThat(backend.describe()).contains(CpuBackend.isa());
    }
    assertThatThrownBy(() -> new CpuBackend(-2)).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("-2");
  }

  @Test
  void measurementsAreFinite() {
    try (CpuBackend backend = new CpuBackend(1)) {
      assertThat(backend.measureFma(0.01)).isBetween(1e8, 1e13);
      assertThat(backend.measureCopy(1 << 16, 0.01)).isBetween(1e8, 1e13);
    }
  }

  @Test
  void closedBackendsSaySo() {
    CpuBackend backend = new CpuBackend(1);
    backend.close();
    backend.close();
    assertThatThrownBy(() -> backend.measureFma(0.01)).isInstanceOf(IllegalStateException.class).hasMessageContaining("closed");
  }
}
