package io.vertebra.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vertebra.tensor.DType;
import io.vertebra.tensor.Shape;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class ParametersTest {

  private static ParameterSource source(Parameter... parameters) {
    Map<String, Parameter> byName = new LinkedHashMap<>();
    Arrays.stream(parameters).forEach(parameter -> byName.put(parameter.name(), parameter));
    return new ParameterSource() {
      @Override
      public String describe() {
        return "model.safetensors";
      }

      @Override
      public Parameter find(String name, Shape expected) {
        return byName.get(name);
      }

      @Override
      public Set<String> names() {
        return byName.keySet();
      }

      @Override
      public Map<String, String> metadata() {
        return Map.of();
      }
    };
  }

  private static Parameter vector(String name, float... values) {
    return Parameter.of(name, Shape.of(values.length), values);
  }

  @Test
  void givesWhatFits() {
    Parameters parameters = new Parameters(source(vector("norm.weight", 1, 2, 3), vector("norm.bias", 4, 5, 6)));
    assertThat(parameters.get("norm.weight", 3).toFloats()).containsExactly(1, 2, 3);
    assertThat(parameters.values("norm.bias", 3)).containsExactly(4, 5, 6);
    assertThat(parameters.values("norm.weight", 3)).containsExactly(1, 2, 3);
    parameters.finish();
  }

  @Test
  void reportsEverythingThatDoesNotFitAtOnce() {
    Parameter index = new Parameter("net.index", Shape.of(2), DType.I32, () -> ByteBuffer.allocateDirect(8));
    ParameterSource source = source(vector("net.a", 1, 2), vector("net.left", 1), index, vector("net.over", 2),
        vector("net.buffer", 3), vector("net.bn.num_batches_tracked", 4), vector("neck.a", 5));
    Naming naming = Naming.of("model", source, "a").renamed(name -> name.replace("model.", ""));
    Parameters parameters = new Parameters(naming);
    assertThat(parameters.values("model.a", 3, 1)).containsExactly(0, 0, 0);
    assertThat(parameters.get("model.b", 2, 2).shape()).isEqualTo(Shape.of(2, 2));
    assertThat(parameters.values("model.index", 2)).containsExactly(0, 0);
    parameters.ignore("buffer"::equals);
    parameters.ignore("nothing"::equals);
    assertThatThrownBy(parameters::finish).isInstanceOf(WeightsException.class).hasMessage("""
        model.safetensors does not fit the model:
          missing (1): net.b [2, 2]
          unexpected (2): net.left; net.over
          misshapen (2): net.a F32 [2], should be [3, 1]; net.index I32 [2], should be [2] of a floating point type""");
  }

  @Test
  void shortensLongLists() {
    Parameters parameters = new Parameters(source());
    for (int i = 0; i < 25; i++) {
      parameters.get("p" + i, 1);
    }
    assertThatThrownBy(parameters::finish).hasMessageEndingWith(
        "missing (25): p0 [1]; p1 [1]; p2 [1]; p3 [1]; p4 [1]; p5 [1]; p6 [1]; p7 [1]; p8 [1]; p9 [1]; and 15 more");
  }

  @Test
  void refusesValuesThatAreNotFinite() {
    for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY}) {
      Parameters parameters = new Parameters(source(vector("norm.bias", 1, bad, 2)));
      assertThatThrownBy(() -> parameters.values("norm.bias", 3)).isInstanceOf(WeightsException.class)
          .hasMessage("model.safetensors: parameter norm.bias F32 [3] holds " + bad + " at flat index 1");
    }
  }

  @Test
  void takesAnythingFromAFormula() {
    Parameters parameters = new Parameters(new FormulaWeights());
    assertThat(parameters.has("head.weight")).isFalse();
    assertThat(parameters.values("head.weight", 2, 3)).hasSize(6).doesNotContain(0f);
    parameters.finish();
  }

  @Test
  void givesUpOnAModelThatIsNotThere() {
    Parameters parameters = new Parameters(source(vector("norm.weight", 1)));
    parameters.get("missing", 3);
    assertThatThrownBy(() -> {
      for (int i = 0; i < 100; i++) {
        parameters.get("layer" + i, 4096, 1024);
      }
    }).isInstanceOf(WeightsException.class).hasMessageContaining("missing (5): missing [3]; layer0")
        .hasMessageContaining("not looked for");
    assertThatThrownBy(() -> new FormulaWeights().find("x.weight", Shape.of(1 << 20, 1 << 20)).data())
        .isInstanceOf(WeightsException.class);
  }
}
