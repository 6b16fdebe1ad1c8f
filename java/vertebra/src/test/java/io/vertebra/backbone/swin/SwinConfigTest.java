package io.vertebra.backbone.swin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vertebra.backbone.Backbone;
import io.vertebra.backbone.RelativePositions;
import io.vertebra.backbone.TableResize;
import io.vertebra.backbone.TableResize.Table;
import io.vertebra.backbone.swin.SwinConfig.Behaviour;
import io.vertebra.program.Recording;
import io.vertebra.reference.ReferenceBackend;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Size;
import io.vertebra.weights.FormulaWeights;
import io.vertebra.weights.Json;
import io.vertebra.weights.WeightsException;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SwinConfigTest {
  private static Map<String, Object> arguments(String change) {
    Map<String, Object> arguments = Json.parseObject("{\"embed_dim\": 8, \"depths\": [1, 1], \"num_heads\": [2, 4]}");
    arguments.putAll(Json.parseObject(change));
    return arguments;
  }

  @ParameterizedTest
  @ValueSource(strings = {"{'depths': [1000000, 1]}", "{'depths': [0, 1]}", "{'embed_dim': 1073741824}",
    "{'window_size': 1000000000}", "{'img_size': 2147483647}", "{'img_size': [224, 0]}", "{'patch_size': -4}",
    "{'in_chans': 100000}", "{'mlp_ratio': 1e308}", "{'mlp_ratio': 0.001}", "{'num_heads': [2147483647, 4]}",
    "{'head_dim': 1000000}", "{'num_classes': -1}", "{'qk_scale': 1e999}", "{'out_indices': [2]}",
    "{'window_size': [7, 7, 7]}", "{'num_heads': [3, 4]}", "{'depths': []}"})
  void absurdConfigurationsAreRefused(String change) {
    assertThat(SwinConfig.of(arguments("{}"), Behaviour.OFFICIAL).stages()).isEqualTo(2);
    for (Behaviour behaviour : Behaviour.values()) {
      String text = behaviour == Behaviour.DENSE ? change.replace("img_size", "pretrain_img_size") : change;
      if (!(behaviour == Behaviour.DENSE && change.contains("num_classes"))) {
        assertThatThrownBy(() -> SwinConfig.of(arguments(text.replace('\'', '"')), behaviour))
            .isInstanceOf(WeightsException.class);
      }
    }
  }

  @Test
  void windowsMayBeLargeUnlessAllPairsAreAskedFor() {
    SwinConfig config = SwinConfig.of(arguments("{\"window_size\": 128, \"num_classes\": 2}"), Behaviour.TIMM);
    Backbone swin = config.withBehaviour(Behaviour.DENSE).load(new FormulaWeights(), new ReferenceBackend());
    assertThat(Recording.of(Shape.of(1, 16, 16, 3), Set.of("out0"), swin::features).outputs()).containsKey("out0");
    Table table = new Table(255, 255, 2, new float[255 * 255 * 2]);
    assertThatThrownBy(() -> RelativePositions.expand(table, Size.square(128)))
        .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("16384 tokens");
  }

  @Test
  void tablesMustBeWhatTheySay() {
    assertThatThrownBy(() -> new Table(4, 4, 1, new float[3])).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new Table(0, 4, 1, new float[0])).isInstanceOf(IllegalArgumentException.class);
    Table even = new Table(4, 4, 1, new float[16]);
    assertThatThrownBy(() -> TableResize.geometric(even, 7, 7)).isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("4x4");
  }
}
