package io.vertebra.program.op;

import io.vertebra.tensor.Require;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Tensor;
import java.util.List;
import java.util.stream.Stream;

/**
 * For every image the class token, the kept tokens in the order they lie, and, unless all are kept, one representative
 * of the others: their mean weighted by score. {@code [batch, ..., channels]} to
 * {@code [batch, 1 + kept + 1, channels]}.
 *
 * @param classToken {@code [batch, n, channels]}, of which row 0 of each image is the class token
 */
public record ShrinkTokens(TokenChoice choice, Tensor classToken) implements Op {
  public ShrinkTokens {
    Require.nonNull(choice, "choice");
    Require.nonNull(classToken, "classToken");
  }

  @Override
  public Shape result(Shape in) {
    choice.check(in);
    Shape token = classToken.shape();
    Fit.require(token.rank() > 1 && token.channels() == in.channels() && token.dim(0) == in.dim(0),
        "class token " + token, in);
    return choice.shrunken(in, in.channels());
  }

  @Override
  public List<Tensor> reads() {
    return Stream.concat(Stream.ofNullable(choice.scores()), Stream.of(classToken)).toList();
  }

  @Override
  public <R> R accept(Visitor<R> visitor, Call call) {
    return visitor.shrinkTokens(this, call);
  }
}
