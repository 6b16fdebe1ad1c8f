package io.vertebra.program.op;

import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Tensor;
import java.util.List;

/**
 * An operation of a model: everything but its operand, and what a program has to know about it. Every backend runs
 * every operation with every value of its record; native code relies on the checks here. Immutable.
 */
public sealed interface Op permits Linear, LayerNorm, WindowAttention, DepthwiseConv, Convolution, GlobalFilter,
    WindowPool, AdaptiveAveragePool, MeanPool, Bilinear, Affine, Sum, Softmax, ShrinkTokens, RecoverTokens, ScoreTokens,
    PoolScores {

  /**
   * The shape of the result for an operand of shape {@code in}, if the model asks for no other.
   *
   * @throws IllegalArgumentException naming what does not fit
   */
  Shape result(Shape in);

  /**
   * Checks a result of shape {@code out}, which a few operations let the model choose.
   *
   * @throws IllegalArgumentException naming what does not fit
   */
  default void check(Shape in, Shape out) {
    Fit.require(out.equals(result(in)), "result", out);
  }

  /** Tensors that are read besides the operand; what none reads is not computed, and its memory is used again. */
  default List<Tensor> reads() {
    return List.of();
  }

  /** Packed matrices that are read, in the type of the activations. */
  default List<Weights> matrices() {
    return List.of();
  }

  /** Other weights that are read, in fp32. */
  default List<Weights> values() {
    return List.of();
  }

  /**
   * The tensor whose memory the result may take over, since every element is read before its place is written; or null.
   */
  default Tensor replaceable(Tensor in) {
    return null;
  }

  /** Multiply-accumulates of the matrix products; the published GMACs count these. */
  default long macs(Shape in, Shape out) {
    return 0;
  }

  /** Multiplications and additions; 0 for what only passes over its data, since moving that takes longer. */
  default long flops(Shape in, Shape out) {
    return 2 * macs(in, out);
  }

  /** Elements of the operand that are read, each counted once. */
  default long elementsRead(Shape in, Shape out) {
    return in.elements();
  }

  <R> R accept(Visitor<R> visitor, Call call);

  /**
   * What does something else for every operation: a backend, an exporter. A new operation does not compile without its
   * answer.
   */
  interface Visitor<R> {
    R linear(Linear op, Call call);

    R layerNorm(LayerNorm op, Call call);

    R windowAttention(WindowAttention op, Call call);

    R depthwiseConv(DepthwiseConv op, Call call);

    R convolution(Convolution op, Call call);

    R globalFilter(GlobalFilter op, Call call);

    R windowPool(WindowPool op, Call call);

    R adaptiveAveragePool(AdaptiveAveragePool op, Call call);

    R meanPool(MeanPool op, Call call);

    R bilinear(Bilinear op, Call call);

    R affine(Affine op, Call call);

    R sum(Sum op, Call call);

    R softmax(Softmax op, Call call);

    R shrinkTokens(ShrinkTokens op, Call call);

    R recoverTokens(RecoverTokens op, Call call);

    R scoreTokens(ScoreTokens op, Call call);

    R poolScores(PoolScores op, Call call);
  }

  /** What does something of its own for a few operations only. */
  interface Selection<R> extends Visitor<R> {
    R otherwise(Call call);

    @Override
    default R linear(Linear op, Call call) {
      return otherwise(call);
    }

    @Override
    default R layerNorm(LayerNorm op, Call call) {
      return otherwise(call);
    }

    @Override
    default R windowAttention(WindowAttention op, Call call) {
      return otherwise(call);
    }

    @Override
    default R depthwiseConv(DepthwiseConv op, Call call) {
      return otherwise(call);
    }

    @Override
    default R convolution(Convolution op, Call call) {
      return otherwise(call);
    }

    @Override
    default R globalFilter(GlobalFilter op, Call call) {
      return otherwise(call);
    }

    @Override
    default R windowPool(WindowPool op, Call call) {
      return otherwise(call);
    }

    @Override
    default R adaptiveAveragePool(AdaptiveAveragePool op, Call call) {
      return otherwise(call);
    }

    @Override
    default R meanPool(MeanPool op, Call call) {
      return otherwise(call);
    }

    @Override
    default R bilinear(Bilinear op, Call call) {
      return otherwise(call);
    }

    @Override
    default R affine(Affine op, Call call) {
      return otherwise(call);
    }

    @Override
    default R sum(Sum op, Call call) {
      return otherwise(call);
    }

    @Override
    default R softmax(Softmax op, Call call) {
      return otherwise(call);
    }

    @Override
    default R shrinkTokens(ShrinkTokens op, Call call) {
      return otherwise(call);
    }

    @Override
    default R recoverTokens(RecoverTokens op, Call call) {
      return otherwise(call);
    }

    @Override
    default R scoreTokens(ScoreTokens op, Call call) {
      return otherwise(call);
    }

    @Override
    default R poolScores(PoolScores op, Call call) {
      return otherwise(call);
    }
  }
}
