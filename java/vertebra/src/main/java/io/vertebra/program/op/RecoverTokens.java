package io.vertebra.program.op;

import io.vertebra.tensor.Require;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Tensor;
import java.util.List;
import java.util.stream.Stream;

/**
 * The way back from what a block made of shrunken tokens: a kept token becomes its row of {@code after}; the others add
 * what the representative gained, its row of {@code after} less that of {@code before}.
 *
 * @param before what {@link ShrinkTokens} gave for the operand and this choice
 * @param after shaped like {@code before}
 */
public record RecoverTokens(TokenChoice choice, Tensor before, Tensor after) implements Op {
  public RecoverTokens {
    Require.nonNull(choice, "choice");
    Require.nonNull(before, "before");
    Require.nonNull(after, "after");
  }

  @Override
  public Shape result(Shape in) {
    choice.check(in);
    Shape shrunken = choice.shrunken(in, in.channels());
    Fit.require(before.shape().equals(shrunken) && after.shape().equals(shrunken), "shrunken tokens " + after.shape(),
        in);
    return in;
  }

  @Override
  public List<Tensor> reads() {
    return Stream.concat(Stream.ofNullable(choice.scores()), Stream.of(before, after)).toList();
  }

  @Override
  public <R> R accept(Visitor<R> visitor, Call call) {
    return visitor.recoverTokens(this, call);
  }
}
