package io.vertebra.program.op;

import io.vertebra.tensor.Shape;
import java.util.stream.Stream;

/**
 * How an operation reads the rows of its operand: gathered through {@code map} (null: as they lie), then normalised by
 * {@code norm} (null: not). A row whose map has one group and says -1 stays zero after the norm: it is padding.
 */
public record RowSource(RowMap map, Norm norm) {
  public static final RowSource PLAIN = new RowSource(null, null);

  public static RowSource norm(Norm norm) {
    return new RowSource(null, norm);
  }

  public static RowSource gather(RowMap map) {
    return new RowSource(map, null);
  }

  /** How many rows are read of an operand of shape {@code in}. */
  public int count(Shape in) {
    return map == null ? in.rows() : map.size();
  }

  /** Weights that are read. */
  Stream<Weights> values() {
    return norm == null ? Stream.empty() : Stream.of(norm.gamma(), norm.beta());
  }

  /**
   * Checks that rows of {@code width} channels can be read of an operand.
   *
   * @throws IllegalArgumentException naming what does not fit
   */
  void check(Shape in, int width) {
    if (map == null) {
      Fit.require(in.channels() == width, "width " + width, in);
    } else {
      int segment = width / map.groups();
      Fit.require(segment * map.groups() == width && in.elements() % segment == 0 && map.fits(in.elements() / segment),
          "row map of width " + width, in);
    }
    Fit.require(norm == null || norm.gamma().shape().elements() == width && norm.beta().shape().elements() == width,
        "norm of width " + width, in);
  }
}
