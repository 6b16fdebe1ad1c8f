package io.vertebra.program.op;

import io.vertebra.tensor.Require;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Tensor;
import java.util.List;
import java.util.stream.Stream;

/**
 * New scores from the attention that the class token, first of every image's tokens, pays:
 * {@code (1 - tradeOff) score +
 * tradeOff weight} for a kept token, the score as it is for the others. Weights are softmax values averaged over heads;
 * without scores they are the new scores. A single token left out takes the representative's weight.
 *
 * <p>The operand is the shrunken tokens' {@code [batch, 1 + kept (+ 1), 3 * heads * headDim]}, channels (q|k|v, head,
 * d); the output has the shape of the scores.
 *
 * @param shape of the scores, {@code [batch, ..., 1]}
 * @param scale multiplies q . k
 */
public record ScoreTokens(TokenChoice choice, Shape shape, int heads, int headDim, float scale,
    float tradeOff) implements Op {
  public ScoreTokens {
    Require.nonNull(choice, "choice");
    Require.nonNull(shape, "shape");
    if (heads < 1 || headDim < 1 || 3L * heads * headDim > Integer.MAX_VALUE) {
      throw new IllegalArgumentException(heads + " heads of " + headDim
          + ": both must be at least 1, and their channels" + " q, k and v at most 2^31 - 1");
    }
    Fit.requireFinite(scale, "scale");
    Fit.requireFinite(tradeOff, "tradeOff");
  }

  @Override
  public Shape result(Shape in) {
    choice.check(shape);
    Fit.require(shape.channels() == 1, "scores " + shape, in);
    Fit.require(choice.scores() == null || choice.scores().shape().equals(shape), "scores", in);
    Fit.require(in.equals(choice.shrunken(shape, 3 * heads * headDim)), "scores " + shape, in);
    return shape;
  }

  @Override
  public List<Tensor> reads() {
    return Stream.ofNullable(choice.scores()).toList();
  }

  @Override
  public <R> R accept(Visitor<R> visitor, Call call) {
    return visitor.scoreTokens(this, call);
  }
}
