package io.vertebra.golden;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertebra.IsaTest;
import io.vertebra.cpu.CpuBackend;
import io.vertebra.tensor.Precision;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every golden file of the published implementations, on the CPU with products in bf16. */
class GoldenFileBf16Test {
  /** Dozens of products one after the other, each of operands rounded to a relative 2^-9. */
  private static final double BF16 = 5e-2;
  private static final double BF16_LOGITS = 2e-2;
  /**
   * Light UniFormers keep the tokens with the highest scores; of two that are nearly equal, rounding chooses, and the
   * rows differ.
   */
  private static final double BF16_TOKEN_CHOICE = 2e-1;

  @IsaTest(kernels = "bf16")
  @ParameterizedTest
  @MethodSource("io.vertebra.golden.GoldenFileTest#mini")
  void cpuInBf16AgreesWithSmallModels(String file) {
    checkBf16(file);
  }

  @ParameterizedTest
  @MethodSource("io.vertebra.golden.GoldenFileTest#full")
  void cpuInBf16AgreesWithFullModels(String file) {
    assertThat(checkBf16(file)).filteredOn(row -> row.tensor().equals("logits") && row.tolerance() == BF16)
        .allMatch(row -> row.error() < BF16_LOGITS);
  }

  private static List<GoldenFile.Row> checkBf16(String file) {
    assertThat(GoldenFile.open(GoldenFileTest.folder().resolve(file)).defaultTolerance(Precision.BF16)).isEqualTo(BF16);
    return GoldenFileTest.check(new CpuBackend(2, Precision.BF16), file,
        file.contains("light") ? BF16_TOKEN_CHOICE : BF16);
  }
}
