package io.vertebra.bench.export;

import io.vertebra.program.op.WindowAttention;

/** What an attention adds to its scaled products, pair by pair, as other runtimes take it. */
final class AttentionBias {
  private static final float MASKED = -100;

  private AttentionBias() {}

  /** Bias and mask in one, {@code [period, heads, tokens, tokens]}; null without either. */
  static float[] of(WindowAttention op, int period) {
    if (op.bias() == null && op.mask() == null) {
      return null;
    }
    int pairs = op.tokens() * op.tokens();
    float[] relative = op.bias() == null ? null : RowExporter.floats(op.bias());
    float[] bias = new float[period * op.heads() * pairs];
    for (int i = 0; i < bias.length; i++) {
      int query = i % pairs / op.tokens();
      int key = i % op.tokens();
      if (relative != null) {
        bias[i] = relative[i / pairs % op.heads() * (relative.length / op.heads()) + op.biasIndex(query, key)];
      }
      if (op.mask() != null) {
        int window = i / (op.heads() * pairs);
        bias[i] += op.mask().label(window, query) == op.mask().label(window, key) ? 0 : MASKED;
      }
    }
    return bias;
  }
}
