package io.vertebra.program.op;

/**
 * How an operation reads the rows of its operand: gathered through {@code map} (null: as they lie), then normalised by
 * {@code norm} (null: not). A row whose map has one group and says -1 stays zero after the norm: it is padding.
 */
public record RowSource(RowMap map, Norm norm) {
  public static final RowSource PLAIN = new RowSource(null, null);

  public static RowSource norm(Norm norm) {
    return new RowSource(null, norm);
  }
}
