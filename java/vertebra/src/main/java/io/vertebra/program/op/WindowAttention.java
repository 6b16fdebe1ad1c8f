package io.vertebra.program.op;

import io.vertebra.tensor.Shape;
import java.util.List;
import java.util.stream.Stream;

/**
 * Multi-head attention inside each window of tokens (Swin Transformer, arXiv 2103.14030, section 3.2); global attention
 * is one window an image. No tokens x tokens matrix is held in memory. The operand holds the rows of the windows one
 * after another, {@code [windows * tokens, 3 * heads * headDim]} with channels (q|k|v, head, d).
 *
 * @param tokens tokens of a window
 * @param scale multiplies q . k
 * @param bias added to the scaled products, or null: {@code [heads, tokens, tokens]}, the query first; or, of windows
 *   of rows x columns tokens, a table {@code [heads, 2 rows - 1, 2 columns - 1]} over (key row - query row, key column
 *   - query column)
 * @param mask pairs of tokens with different labels get -100; or null
 */
public record WindowAttention(int tokens, int heads, int headDim, float scale, Weights bias,
    RegionMask mask) implements Op {
  public WindowAttention {
    if (tokens < 1 || heads < 1 || headDim < 1) {
      throw new IllegalArgumentException(
          "windows of " + tokens + " tokens, " + heads + " heads of " + headDim + ": all must be at least 1");
    }
    Fit.requireFinite(scale, "scale");
  }

  /** Columns of a window if the bias is a table, as its shape tells; otherwise 0. */
  public int biasColumns() {
    return bias == null || bias.shape().equals(Shape.of(heads, tokens, tokens)) ? 0 : (bias.shape().channels() + 1) / 2;
  }

  /** Where the values of one head's bias have that of a pair of tokens. */
  public int biasIndex(int query, int key) {
    int columns = biasColumns();
    if (columns == 0) {
      return query * tokens + key;
    }
    int row = key / columns - query / columns + tokens / columns - 1;
    return row * (2 * columns - 1) + key % columns - query % columns + columns - 1;
  }

  @Override
  public Shape result(Shape in) {
    long width = (long) heads * headDim;
    Fit.require(in.channels() == 3 * width && in.rows() % tokens == 0, "windows of " + tokens + " tokens", in);
    Fit.require(bias == null || fits(bias.shape()), "bias", in);
    Fit.require(mask == null || mask.tokens() == tokens && in.rows() / tokens % mask.windows() == 0, "mask", in);
    return in.withChannels((int) width);
  }

  private boolean fits(Shape table) {
    if (table.rank() != 3 || table.dim(0) != heads) {
      return false;
    }
    long rows = (table.dim(1) + 1L) / 2;
    long columns = (table.dim(2) + 1L) / 2;
    return table.dim(1) == tokens && table.dim(2) == tokens
        || table.dim(1) == 2 * rows - 1 && table.dim(2) == 2 * columns - 1 && rows * columns == tokens;
  }

  @Override
  public List<Weights> values() {
    return Stream.ofNullable(bias).toList();
  }

  @Override
  public long macs(Shape in, Shape out) {
    return 2L * in.rows() * tokens * heads * headDim;
  }

  @Override
  public <R> R accept(Visitor<R> visitor, Call call) {
    return visitor.windowAttention(this, call);
  }
}
