package io.vertebra.program.op;

import io.vertebra.backend.Backend;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Tensor;
import java.util.List;

/**
 * The operations models are made of. A record holds everything but the operand: weights and fused parts. Every backend
 * runs every operation with every value of its record.
 */
public sealed interface Op {

  /**
   * Multiply-accumulates of the matrix products in one run on {@code in} giving {@code out}; the published GMACs count
   * these.
   */
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
   * Multi-head attention inside each window of tokens (Swin Transformer, arXiv 2103.14030, section 3.2); global
   * attention is one window an image. No tokens x tokens matrix is held in memory. The operand holds the rows of the
   * windows one after another, {@code [windows * tokens, 3 * heads * headDim]} with channels (q|k|v, head, d).
   *
   * @param tokens tokens of a window
   * @param scale multiplies q . k
   * @param bias added to the scaled products, or null: {@code [heads, tokens, tokens]}, the query first; or, of windows
   *   of rows x columns tokens, a table {@code [heads, 2 rows - 1, 2 columns - 1]} over (key row - query row, key
   *   column - query column)
   * @param mask pairs of tokens with different labels get -100; or null
   */
  record WindowAttention(int tokens, int heads, int headDim, float scale, Weights bias, RegionMask mask) implements Op {
    public WindowAttention {
      if (tokens < 1 || heads < 1 || headDim < 1) {
        throw new IllegalArgumentException(
            "windows of " + tokens + " tokens, " + heads + " heads of " + headDim + ": all must be at least 1");
      }
    }

    /** Columns of a window if the bias is a table, as its shape tells; otherwise 0. */
    public int biasColumns() {
      return bias == null || bias.shape().equals(Shape.of(heads, tokens, tokens)) ? 0
          : (bias.shape().channels() + 1) / 2;
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
    public long macs(Shape in, Shape out) {
      return 2L * in.rows() * tokens * heads * headDim;
    }
  }

  /**
   * Each channel convolved by itself, in two or three dimensions: {@code [batch, (time,) height, width, channels]},
   * zero padding.
   *
   * @param weights {@code [taps, out channels]}, taps in (time, height, width) order; output channel c reads input
   *   channel {@code firstChannel + c / multiplier}
   * @param bias {@code [out channels]}, or null
   * @param firstChannel of the operand's channels that are convolved; the others are not read
   */
  record DepthwiseConv(Weights weights, Weights bias, Window window, int firstChannel, int multiplier,
      Activation activation) implements Op {
    @Override
    public long macs(Shape in, Shape out) {
      return out.elements() * window.taps();
    }
  }

  /**
   * A dense convolution of 3 x 3 taps, stride 1, zero padding 1: {@code [batch, height, width, in]} to
   * {@code [batch, height, width, out]}.
   *
   * @param weights {@code [out, 9 * in]} over (tap, channel), packed by {@link Backend#packConvolution}
   * @param bias {@code [out]}, or null
   */
  record Convolution(Weights weights, Weights bias, Activation activation) implements Op {
    /** What each output reads. */
    public static final Window WINDOW = Window.square(3, 1, 1);

    @Override
    public long macs(Shape in, Shape out) {
      return in.rows() * weights.shape().elements();
    }
  }

  /**
   * The global filter of HorNet (arXiv 2207.14284; Rao et al., "Global Filter Networks", arXiv 2107.00645): each
   * channel of a map {@code [batch, height, width, channels]} is multiplied by a complex filter in the frequency
   * domain, {@code irfft2(rfft2(x) * filter)}, which is a circular convolution with a kernel as large as the map.
   *
   * @param filter {@code [height, width / 2 + 1, channels, 2]} (real, imaginary), with columns 0 and, for an even
   *   width, width / 2 Hermitian in the row frequency
   * @param firstChannel of the operand's channels that are filtered; the others are not read
   */
  record GlobalFilter(Weights filter, int firstChannel) implements Op {}

  /**
   * The maximum or mean of each window; padding is left out of both. {@code [batch, (time,) height, width, channels]}.
   */
  record Pool(Kind kind, Window window) implements Op {
    /** What is taken of a window. */
    public enum Kind { MAX, AVERAGE }
  }

  /**
   * The mean of each of {@code rows x columns} bins of a map; bin i of n covers positions
   * {@code [floor(i size / n), ceil((i + 1) size / n))}.
   */
  record AdaptiveAveragePool(int rows, int columns) implements Op {}

  /**
   * A map resized bilinearly to {@code height x width}, half-pixel centres ({@code align_corners} false), no
   * antialiasing.
   */
  record Bilinear(int height, int width) implements Op {}

  /**
   * {@code activation(in * factor[batch element] * scale + shift)}, channel by channel.
   *
   * @param factor {@code [batch, channels]}, or null
   * @param scale {@code [channels]}, or null
   * @param shift {@code [channels]}, or null
   */
  record Affine(Tensor factor, Weights scale, Weights shift, Activation activation) implements Op {}

  /**
   * Row i of the output is the activation of the sum, over the terms, of the term's row {@code map(i)}. The operand is
   * the first term's tensor.
   */
  record Sum(List<Term> terms, Activation activation) implements Op {
    /** Most terms of a sum. */
    public static final int MAX_TERMS = 3;

    /**
     * Rows of a tensor or of weights, one of them null.
     *
     * @param map row of the source for every row of the output (-1: none), or null for its own; a row may also be a
     *   piece of the source's, of the output's width
     */
    public record Term(Tensor tensor, Weights weights, RowMap map) {
      public static Term of(Tensor tensor) {
        return new Term(tensor, null, null);
      }

      public static Term of(Tensor tensor, RowMap map) {
        return new Term(tensor, null, map);
      }

      public static Term of(Weights weights, RowMap map) {
        return new Term(null, weights, map);
      }
    }
  }

  /** {@code [batch, ..., channels]} to {@code [batch, channels]}: the mean over all positions. */
  record MeanPool() implements Op {}

  /** Softmax over channels. */
  record Softmax() implements Op {}

  /**
   * Which tokens of an image the blocks of a light UniFormer compute on (Li et al., "UniFormer: Unifying Convolution
   * and Self-attention for Visual Recognition", arXiv 2201.09450, on token shrinking): those with the {@code kept}
   * highest scores. Of equal scores the earlier token's counts as higher. Unlike all others, operations with such a
   * choice touch rows that depend on values.
   *
   * @param scores one for each token, {@code [batch, ..., 1]}; null only if all tokens are kept
   */
  record TokenChoice(Tensor scores, int kept) {}

  /**
   * For every image the class token, the kept tokens in the order they lie, and, unless all are kept, one
   * representative of the others: their mean weighted by score. {@code [batch, ..., channels]} to
   * {@code [batch, 1 + kept + 1, channels]}.
   *
   * @param classToken {@code [batch, n, channels]}, of which row 0 of each image is the class token
   */
  record ShrinkTokens(TokenChoice choice, Tensor classToken) implements Op {}

  /**
   * The way back from what a block made of shrunken tokens: a kept token becomes its row of {@code after}; the others
   * add what the representative gained, its row of {@code after} less that of {@code before}.
   *
   * @param before what {@link ShrinkTokens} gave for the operand and this choice
   * @param after shaped like {@code before}
   */
  record RecoverTokens(TokenChoice choice, Tensor before, Tensor after) implements Op {}

  /**
   * New scores from the attention that the class token, first of every image's tokens, pays:
   * {@code (1 - tradeOff) score +
   * tradeOff weight} for a kept token, the score as it is for the others. Weights are softmax values averaged over
   * heads; without scores they are the new scores. A single token left out takes the representative's weight.
   *
   * <p>The operand is the shrunken tokens' {@code [batch, 1 + kept (+ 1), 3 * heads * headDim]}, channels (q|k|v, head,
   * d); the output has the shape of the scores.
   *
   * @param scale multiplies q . k
   */
  record ScoreTokens(TokenChoice choice, int heads, int headDim, float scale, float tradeOff) implements Op {}

  /**
   * Scores for a map of half the height and width: means of 2 x 2 scores, then scaled so that an image's (or clip's)
   * sum stays the same.
   */
  record PoolScores() implements Op {}
}
