package io.vertebra.program.op;

import io.vertebra.tensor.Require;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Tensor;
import java.util.List;
import java.util.Objects;

/**
 * Row i of the output is the activation of the sum, over the terms, of the term's row {@code map(i)}. The operand is
 * the first term's tensor.
 */
public record Sum(List<Term> terms, Activation activation) implements Op {
  /** Most terms of a sum. */
  public static final int MAX_TERMS = 3;

  public Sum {
    terms = List.copyOf(Require.noNulls(terms, "terms"));
    Require.nonNull(activation, "activation");
  }

  /**
   * Rows of a tensor or of weights, one of them null.
   *
   * @param map row of the source for every row of the output (-1: none), or null for its own; a row may also be a piece
   *   of the source's, of the output's width
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

  /** The sum of terms, as they are. */
  public static Sum of(Term... terms) {
    return new Sum(List.of(terms), Activation.IDENTITY);
  }

  @Override
  public Shape result(Shape in) {
    return in;
  }

  @Override
  public void check(Shape in, Shape out) {
    Fit.require(!terms.isEmpty() && terms.size() <= MAX_TERMS && terms.get(0).tensor() != null
        && terms.get(0).tensor().shape().equals(in), "list of terms", out);
    for (Term term : terms) {
      Fit.require((term.tensor() == null) != (term.weights() == null), "list of terms", out);
      Shape source = term.tensor() != null ? term.tensor().shape() : term.weights().shape();
      RowMap map = term.map();
      boolean fits = map == null ? source.rows() == out.rows() && source.channels() == out.channels()
          : map.groups() == 1 && map.size() == out.rows() && source.elements() % out.channels() == 0
              && map.fits(source.elements() / out.channels());
      Fit.require(fits, "term " + source, out);
    }
  }

  @Override
  public List<Tensor> reads() {
    return terms.stream().map(Term::tensor).filter(Objects::nonNull).toList();
  }

  @Override
  public List<Weights> values() {
    return terms.stream().map(Term::weights).filter(Objects::nonNull).toList();
  }

  @Override
  public long elementsRead(Shape in, Shape out) {
    return Math.min(in.elements(), out.elements());
  }

  @Override
  public <R> R accept(Visitor<R> visitor, Call call) {
    return visitor.sum(this, call);
  }
}
