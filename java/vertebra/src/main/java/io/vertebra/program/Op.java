package io.vertebra.program;

/**
 * The operations models are made of. A record holds everything but the operand: weights and fused parts. Every backend
 * runs every operation with every value of its record.
 */
public sealed interface Op {

  /** Multiply-accumulates of the matrix products in one run on {@code in} giving {@code out}; the published GMACs count these. */
  default long macs(Shape in, Shape out) {
    return 0;
  }

  /** {@code rows(in) . weights^T} with weights {@code [out channels, in channels]}, then the epilogue. */
  record Linear(RowSource rows, Weights weights, Epilogue epilogue) implements Op {
    @Override
    public long macs(Shape in, Shape out) {
      long rowCount = rows.map() == null ? in.rows() : rows.map().size();
      return rowCount * weights.shape().elements();
    }
  }

  /** The rows as {@link RowSource} reads them: LayerNorm, gathering, or both. */
  record LayerNorm(RowSource rows) implements Op {}

  /**
   * Multi-head attention inside each window (Swin Transformer, arXiv 2103.14030, section 3.2). The operand holds the rows of the
   * windows one after another, {@code [windows * tokens, 3 * heads * headDim]} with channels (q|k|v, head, d).
   *
   * @param tokens tokens of a window
   * @param scale multiplies q . k
   * @param bias {@code [heads, tokens, tokens]}, added to the scaled products; or null
   * @param mask pairs of tokens with different labels get -100; or null
   */
  record WindowAttention(int tokens, int heads, int headDim, float scale, Weights bias, RegionMask mask) implements Op {
    public WindowAttention {
      if (tokens < 1 || heads < 1 || headDim < 1) {
        throw new IllegalArgumentException("windows of " + tokens + " tokens, " + heads + " heads of " + headDim + ": all must be at least 1");
      }
    }

    @Override
    public long macs(Shape in, Shape out) {
      return 2L * in.rows() * tokens * heads * headDim;
    }
  }

  /** {@code [batch, ..., channels]} to {@code [batch, channels]}: the mean over all positions. */
  record MeanPool() implements Op {}

  /** Softmax over channels. */
  record Softmax() implements Op {}

  /** Adds weights shaped like one batch element. */
  record Add(Weights addend) implements Op {}
}
