package io.vertebra.program.op;

import io.vertebra.tensor.Require;
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
  public Linear {
    Require.nonNull(rows, "rows");
    Require.nonNull(weights, "weights");
    Require.nonNull(epilogue, "epilogue");
  }

  /** The product alone. */
  public static Linear of(Weights weights, Weights bias) {
    return new Linear(RowSource.PLAIN, weights, Epilogue.bias(bias));
  }

  /** Reads its operand through {@code source}. */
  public Linear reading(RowSource source) {
    return new Linear(source, weights, epilogue);
  }

  /** Normalises the rows it reads. */
  public Linear norm(Norm norm) {
    return reading(new RowSource(rows.map(), norm));
  }

  /** Reads the rows {@code map} says; null: as they lie. */
  public Linear gather(RowMap map) {
    return reading(new RowSource(map, rows.norm()));
  }

  public Linear activation(Activation function) {
    return with(epilogue.activation(function));
  }

  /** Applies {@code function} to the very end, residual included. */
  public Linear lastActivation(Activation function) {
    return with(epilogue.lastActivation(function));
  }

  public Linear gate(Tensor tensor, int firstChannel) {
    return with(epilogue.gate(tensor, firstChannel));
  }

  /** Adds {@code tensor}, which the output may then replace in memory. */
  public Linear residual(Tensor tensor) {
    return with(epilogue.residual(tensor));
  }

  /** Adds row {@code map(r)} of {@code tensor} to row r of the output. */
  public Linear residual(Tensor tensor, RowMap map) {
    return with(epilogue.residual(tensor, map));
  }

  public Linear scatter(RowMap map) {
    return with(epilogue.scatter(map));
  }

  private Linear with(Epilogue other) {
    return new Linear(rows, weights, other);
  }

  /** Channels of the result. */
  public int channels() {
    return weights.shape().dim(0);
  }

  @Override
  public Shape result(Shape in) {
    if (epilogue.residual() != null && epilogue.residualRows() == null) {
      return epilogue.residual().shape();
    }
    return rows.map() == null ? in.withChannels(channels()) : Shape.of(rows.map().size(), channels());
  }

  @Override
  public void check(Shape in, Shape out) {
    Fit.require(weights.shape().rank() == 2, "matrix " + weights.shape(), in);
    rows.check(in, weights.shape().dim(1));
    Fit.require(out.channels() == channels(), "output of " + channels() + " channels", out);
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
    return (long) rows.count(in) * weights.shape().elements();
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
