package io.vertebra.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vertebra.tensor.Shape;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

class NamingTest {

  private static MemorySource source(String... names) {
    Map<String, Shape> shapes = new LinkedHashMap<>();
    for (String name : names) {
      shapes.put(name, Shape.of(6, 1));
    }
    return MemorySource.formula(shapes);
  }

  @Test
  void theShortestPrefixBeforeAKnownNameStandsBeforeAll() {
    assertThat(Naming.of("net", source("stem.weight", "ema.stem.weight"), "stem.weight").prefix()).isEmpty();
    assertThat(Naming.of("net", source("module.ema.stem.weight", "module.stem.weight"), "stem.weight").prefix())
        .isEqualTo("module.");
    Naming naming = Naming.of("net", source("system.weight", "net.backbone.stem.weight"), "stem.weight");
    assertThat(naming.prefix()).isEqualTo("net.backbone.");
    assertThat(naming.prefixBefore("backbone.")).isEqualTo("net.");
    assertThat(naming.prefixBefore("neck.")).isEqualTo("net.backbone.");
    assertThat(naming.sourceName("anything")).isEqualTo("net.backbone.anything");
  }

  @Test
  void aPartStandsAloneOrInAWhole() {
    MemorySource whole = source("head.conv.weight", "a.neck.conv.weight");
    assertThat(Naming.ofPart("neck", whole, "neck.", "conv.weight").prefix()).isEqualTo("a.neck.");
    Naming alone = Naming.ofPart("neck", source("conv.weight", "other"), "neck.", "conv.weight");
    assertThat(alone.has("conv.weight")).isTrue();
    assertThat(alone.has("other")).isTrue();
  }

  @Test
  void namesAndLayoutsAreMadeTheModels() {
    MemorySource source = source("x.backbone.stem.w", "x.head.fc.bias");
    Naming naming = Naming.of("net", source, "stem.w").renamed(name -> name.replace("weight", "w"))
        .moved("head.", "x.head.fc.").adapted(Parameter::reshaped);
    assertThat(naming.has("stem.weight")).isTrue();
    assertThat(naming.has("head.bias")).isTrue();
    assertThat(naming.has("head.fc.bias")).isFalse();
    assertThat(naming.shape("head.bias", 2)).as("as in the file").isEqualTo(Shape.of(6, 1));
    assertThat(naming.find("head.bias", Shape.of(6)).toString()).isEqualTo("x.head.fc.bias F32 [6]");
    assertThat(naming.find("tail.bias", Shape.of(6))).isNull();
    assertThat(naming.rows("stem.weight")).isEqualTo(6);
    assertThat(naming.rows("tail.bias")).isZero();
  }

  @Test
  void blocksAreCounted() {
    Naming naming = Naming.of("net", source("b.1.w", "b.2.w", "b.4.w"));
    assertThat(naming.count("b.", 1, ".w")).isEqualTo(2);
    assertThat(naming.count("b.", 0, ".w")).isZero();
  }

  @Test
  void whatTellsTheModelMustBeThere() {
    Naming naming = Naming.of("Net", source("a.stem.weight"), "stem.weight");
    assertThatThrownBy(() -> naming.shape("head.weight", 2)).isInstanceOf(WeightsException.class)
        .hasMessage("memory is no complete Net: it lacks a.head.weight");
    assertThatThrownBy(() -> naming.shape("stem.weight", 4)).isInstanceOf(WeightsException.class)
        .hasMessage("memory is no Net: a.stem.weight F32 [6, 1] should have 4 dimensions");
  }

  /** Two names of a file for one parameter: the second is unexpected. */
  @Test
  void aSecondNameForAParameterIsRefused() {
    Naming naming = Naming.of("net", source("gamma", "gamma.weight")).renamed(name -> name + ".weight");
    Parameters parameters = new Parameters(naming);
    parameters.get("gamma", 6, 1);
    assertThatThrownBy(parameters::finish).isInstanceOf(WeightsException.class)
        .hasMessageContaining("unexpected (1): gamma");
  }

  @Test
  void aSourceThatListsNothingSettlesNothing() {
    Naming naming = Naming.of("net", new FormulaWeights(), "stem.weight");
    assertThat(naming.isListed()).isFalse();
    assertThat(naming.has("stem.weight")).isFalse();
    assertThat(naming.find("stem.weight", Shape.of(2)).name()).isEqualTo("stem.weight");
    assertThat(naming.config()).isEmpty();
    MemorySource stated = new MemorySource(Map.of(), Map.of("config", "{\"depth\": 2}"));
    assertThat(Naming.of("net", stated).config()).contains(Map.of("depth", 2));
  }
}
