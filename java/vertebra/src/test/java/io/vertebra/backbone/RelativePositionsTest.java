package io.vertebra.backbone;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertebra.backbone.TableResize.Table;
import io.vertebra.program.op.Weights;
import io.vertebra.program.op.WindowAttention;
import io.vertebra.reference.ReferenceBackend;
import io.vertebra.reference.ReferenceBackend.ReferenceWeights;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Size;
import java.util.Random;
import org.junit.jupiter.api.Test;

class RelativePositionsTest {
  @Test
  void bothFormsHoldTheSameBiases() {
    for (Size window : new Size[] {new Size(1, 1), new Size(3, 5), new Size(12, 12), new Size(13, 14), new Size(150, 1),
      new Size(1, 150)}) {
      int heads = 3;
      int height = 2 * window.rows() - 1;
      int width = 2 * window.columns() - 1;
      float[] values = new float[height * width * heads];
      Random random = new Random(1);
      for (int i = 0; i < values.length; i++) {
        values[i] = random.nextFloat();
      }
      try (ReferenceBackend backend = new ReferenceBackend()) {
        Table table = new Table(height, width, heads, values);
        Weights packed = RelativePositions.pack(backend, heads, window, () -> table);
        int tokens = window.area();
        assertThat(packed.shape())
            .isEqualTo(tokens <= 144 ? Shape.of(heads, tokens, tokens) : Shape.of(heads, height, width));
        WindowAttention op = new WindowAttention(tokens, heads, 8, 1, packed, null);
        float[] biases = ((ReferenceWeights) packed).values();
        float[] expanded = RelativePositions.expand(table, window);
        for (int i = 0; i < expanded.length; i++) {
          int head = i / (tokens * tokens);
          int pair = i % (tokens * tokens);
          assertThat(biases[head * (biases.length / heads) + op.biasIndex(pair / tokens, pair % tokens)])
              .isEqualTo(expanded[i]);
        }
      }
    }
  }
}
