package io.vertebra.program.op;

import io.vertebra.tensor.Require;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Tensor;
import java.util.List;

/**
 * The rows as {@link RowSource} reads them: LayerNorm, gathering, or both. Of a result of another shape the channels
 * settle how long the segments of a row are.
 */
public record LayerNorm(RowSource rows) implements Op {
  public LayerNorm {
    Require.nonNull(rows, "rows");
  }

  /** The norm alone. */
  public static LayerNorm of(Norm norm) {
    return new LayerNorm(RowSource.norm(norm));
  }

  /** The rows {@code map} says, as they are. */
  public static LayerNorm gather(RowMap map) {
    return new LayerNorm(RowSource.gather(map));
  }

  @Override
  public Shape result(Shape in) {
    RowMap map = rows.map();
    if (map == null) {
      return in;
    }
    long channels = (long) in.channels() * map.groups();
    Fit.require(channels <= Integer.MAX_VALUE, "row map of " + map.groups() + " groups", in);
    return Shape.of(map.size(), (int) channels);
  }

  @Override
  public void check(Shape in, Shape out) {
    rows.check(in, out.channels());
    Fit.require(out.rows() == rows.count(in), "output of " + rows.count(in) + " rows", out);
  }

  @Override
  public List<Weights> values() {
    return rows.values().toList();
  }

  @Override
  public Tensor replaceable(Tensor in) {
    return rows.map() == null ? in : null;
  }

  @Override
  public long elementsRead(Shape in, Shape out) {
    return Math.min(in.elements(), out.elements());
  }

  @Override
  public <R> R accept(Visitor<R> visitor, Call call) {
    return visitor.layerNorm(this, call);
  }
}
