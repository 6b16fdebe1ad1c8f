package io.vertebra.golden;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertebra.IsaTest;
import io.vertebra.cpu.CpuBackend;
import io.vertebra.tensor.Precision;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Golden files of the published implementations, on the CPU with products in int8: all small models, and a full one of
 * each kind.
 */
class GoldenFileInt8Test {
  /**
   * A row whose largest element is three times its root mean square is rounded to a relative 7e-3, where bf16 rounds to
   * 1e-3; errors come out three to five times those of bf16. Most tensors stay below 4e-2; a sum that cancels reaches
   * 1.2e-1.
   */
  private static final double INT8 = 1.5e-1;
  private static final double INT8_LOGITS = 5e-2;
  /**
   * Light UniFormers keep the tokens with the highest scores; of two that are nearly equal, rounding chooses, and the
   * rows differ.
   */
  private static final double INT8_TOKEN_CHOICE = 4e-1;

  @IsaTest(kernels = "int8")
  @ParameterizedTest
  @MethodSource("io.vertebra.golden.GoldenFileTest#mini")
  void cpuInInt8AgreesWithSmallModels(String file) {
    checkInt8(file);
  }

  @ParameterizedTest
  @ValueSource(strings = {"swin_tiny_patch4_window7_224", "coatnet_0_rw_224", "uniformer_small", "hornet_tiny_7x7",
    "hornet_tiny_gf", "Conformer_small_patch16"})
  void cpuInInt8AgreesWithFullModels(String name) {
    checkInt8("full/" + name + ".safetensors");
  }

  private static void checkInt8(String file) {
    assertThat(GoldenFile.open(GoldenFileTest.folder().resolve(file)).defaultTolerance(Precision.INT8)).isEqualTo(INT8);
    boolean choosesTokens = file.contains("light");
    List<GoldenFile.Row> rows
        = GoldenFileTest.check(new CpuBackend(2, Precision.INT8), file, choosesTokens ? INT8_TOKEN_CHOICE : INT8);
    assertThat(rows).filteredOn(row -> row.tensor().contains("logits") && !choosesTokens)
        .allMatch(row -> row.error() < INT8_LOGITS);
  }
}
