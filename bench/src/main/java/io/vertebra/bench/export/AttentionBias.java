package io.vertebra.bench.export;

import io.vertebra.program.Op;
import io.vertebra.program.Shape;

/** What an attention adds to its scaled products, pair by pair, as other runtimes take it. */
final class AttentionBias {
  private static final float MASKED = -100;

  private AttentionBias() {}

  /** Bias and mask in one, {@code [period, heads, tokens, tokens]}; null without either. */
  static float[] of(Op.WindowAttention op, int period) {
    if (op.bias() == null && op.mask() == null) {
      return null;
    }
    int tokens = op.tokens();
    float[] relative = op.bias() == null ? new float[op.heads() * tokens * tokens]
        : expanded(RowExporter.floats(op.bias()), op.bias().shape(), tokens);
    float[] bias = new float[period * relative.length];
    for (int i = 0; i < bias.length; i++) {
      int window = i / relative.length;
      int query = i / tokens % tokens;
      int key = i % tokens;
      boolean masked = op.mask() != null && op.mask().label(window, query) != op.mask().label(window, key);
      bias[i] = relative[i % relative.length] + (masked ? MASKED : 0);
    }
    return bias;
  }

  /**
   * {@code [heads, tokens, tokens]}, of that or of a table {@code [heads, 2 rows - 1, 2 columns - 1]} by the query's row
   * and column less the key's.
   */
  private static float[] expanded(float[] values, Shape shape, int tokens) {
    int rows = (shape.dim(1) + 1) / 2;
    int columns = (shape.dim(2) + 1) / 2;
    // Both shapes are the same for a single token, and so are the values.
    if (rows * columns != tokens || shape.dim(1) % 2 == 0 || shape.dim(2) % 2 == 0) {
      return values;
    }
    float[] expanded = new float[shape.dim(0) * tokens * tokens];
    for (int i = 0; i < expanded.length; i++) {
      int query = i / tokens % tokens;
      int key = i % tokens;
      int row = query / columns - key / columns + rows - 1;
      int column = query % columns - key % columns + columns - 1;
      expanded[i] = values[(i / tokens / tokens * shape.dim(1) + row) * shape.dim(2) + column];
    }
    return expanded;
  }
}
