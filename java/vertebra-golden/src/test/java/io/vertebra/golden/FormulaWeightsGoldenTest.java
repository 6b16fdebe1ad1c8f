package io.vertebra.golden;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertebra.weights.FormulaWeights;
import io.vertebra.weights.Parameter;
import io.vertebra.weights.Safetensors;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The formula gives, to the last bit, the inputs and tables that golden files hold. */
class FormulaWeightsGoldenTest {
  @ParameterizedTest
  @ValueSource(strings = {"basic", "dense", "dense_ape", "dense_small", "fourstage", "nonsquare", "oddwindow",
    "options", "parts", "timm_dynamic", "timm_names", "timm_nonsquare", "timm_pad", "timm_windows"})
  void givesTheInputsOfTheGoldenFiles(String file) {
    Safetensors golden = open("swin_mini_" + file + ".safetensors");
    Parameter input = golden.find("input", null);
    assertThat(FormulaWeights.input(golden.metadata().get("input"), input.shape())).isEqualTo(input.toFloats());
  }

  private static Safetensors open(String file) {
    return Safetensors.open(GoldenFileTest.folder().resolve("mini").resolve(file));
  }

  @ParameterizedTest
  @ValueSource(strings = {"7_2", "13_3", "13_4", "23_2"})
  void givesTheBiasTablesOfTheGoldenFile(String table) {
    Parameter expected
        = open("swin_mini_resize.safetensors").find("src" + table + ".relative_position_bias_table", null);
    String name = "resize." + table.substring(0, table.indexOf('_')) + ".relative_position_bias_table";
    assertThat(new FormulaWeights().find(name, expected.shape()).toFloats()).isEqualTo(expected.toFloats());
  }
}
