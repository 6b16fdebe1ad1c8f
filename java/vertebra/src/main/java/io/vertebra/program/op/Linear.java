package io.vertebra.program.op;

import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Tensor;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * A matrix product over the last axis, {@code rows(in) . weights^T}, then the epilogue. The result is shaped like the
 * residual, or like the operand's rows; any shape with as many rows as are stored will do.
 *
 * @param weights {@code [out channels, in channels]}, packed by {@code Backend.packMatrix}
 */
public record Linear(RowSource rows, Weights weights, Epilogue epilogue) implements Op {
  @Override
  public Shape result(Shape in) {
    if (epilogue.residual() != null && epilogue.residualRows() == null) {
      return epilogue.residual().shape();
    }
    int channels = weights.shape().dim(0);
    return rows.map() == null ? in.withChannels(channels) : Shape.of(rows.map().size(), channels);
  }

  @Override
  public void check(Shape in, Shape out) {
    Fit.require(weights.shape().rank() == 2, "matrix " + weights.shape(), in);
    rows.check(in, weights.shape().dim(1));
    Fit.require(out.channels() == weights.shape().dim(0), "output of " + weights.shape().dim(0) + " channels", out);
    epilogue.check(rows.count(in), out);
  }

  @Override
  public List<Tensor> reads() {
    return Stream.of(epilogue.residual(), epilogue.gate() == null ? null : epilogue.gate().tensor())
        .filter(Objects::nonNull).toList();
  }

  @Override
  public List<Weights> matrices() {
    return List.of(weights);
  }

  @Override
  public List<Weights> values() {
    return Stream.concat(rows.values(), Stream.ofNullable(epilogue.bias())).toList();
  }

  @Override
  public Tensor replaceable(Tensor in) {
    Tensor residual = epilogue.residual();
    boolean elsewhere = epilogue.residualRows() != null || residual == in
        || epilogue.gate() != null && epilogue.gate().tensor() == residual;
    return elsewhere ? null : residual;
  }

  @Override
  public long macs(Shape in, Shape out) {
    return rows.count(in) * weights.shape().elements();
  }

  @Override
  public long elementsRead(Shape in, Shape out) {
    return rows.map() == null ? in.elements()
        : Math.min(in.elements(), (long) rows.map().size() * weights.shape().dim(1));
  }

  @Override
  public <R> R accept(Visitor<R> visitor, Call call) {
    return visitor.linear(this, call);
  }
}
