package io.vertebra.backbone;

import io.vertebra.program.op.RegionMask;
import io.vertebra.program.op.RowMap;
import io.vertebra.tensor.Size;

/**
 * How a map of tokens is cut into (shifted) windows: which token stands where in window order, and which tokens of a
 * window may see each other (Swin Transformer, arXiv 2103.14030, section 3.2, "efficient batch computation for shifted
 * configuration").
 *
 * @param height tokens of the map
 * @param width tokens of the map
 * @param window tokens of a window, both axes
 * @param shift cyclic shift, both axes
 * @param rollBeforePad whether the map is rolled before it is padded to whole windows (timm), rather than after
 */
public record WindowPartition(int height, int width, Size window, Size shift, boolean rollBeforePad) {

  /** Values of an attention bias or mask; those of published models have a few millions. */
  private static final long MAX_PAIRS = 1 << 26;

  /**
   * Checks that {@code count} values for every pair of a window's tokens can be made.
   *
   * @throws IllegalArgumentException if they are too many
   */
  public static void checkPairs(long count, long tokens) {
    if (count * tokens * tokens > MAX_PAIRS) {
      throw new IllegalArgumentException("windows of " + tokens + " tokens are too large: their pairs would take "
          + count * tokens * tokens + " values, over " + MAX_PAIRS);
    }
  }

  private int paddedHeight() {
    return roundUp(height, window.rows());
  }

  private int paddedWidth() {
    return roundUp(width, window.columns());
  }

  private static int roundUp(int length, int step) {
    return (length + step - 1) / step * step;
  }

  /** Windows of one image. */
  public int windows() {
    return paddedHeight() / window.rows() * (paddedWidth() / window.columns());
  }

  /**
   * For every position in window order the token that stands there, or -1 for padding; null if that is the order the
   * tokens lie in.
   */
  public RowMap rowMap(int batch) {
    int[] image = inWindowOrder(this::token);
    int[] rows = RowMap.entries((long) batch * image.length);
    boolean identity = image.length == height * width;
    for (int i = 0; i < rows.length; i++) {
      int token = image[i % image.length];
      rows[i] = token < 0 ? -1 : i / image.length * height * width + token;
      identity &= rows[i] == i;
    }
    return identity ? null : new RowMap(rows, 1);
  }

  /** Labels of the regions the shift brought together; null when nothing is shifted. */
  public RegionMask mask() {
    if (shift.area() == 0 && shift.rows() + shift.columns() == 0) {
      return null;
    }
    int[] labels = inWindowOrder((row, column) -> 3 * region(row, paddedHeight(), window.rows(), shift.rows())
        + region(column, paddedWidth(), window.columns(), shift.columns()));
    return new RegionMask(labels, windows());
  }

  private static int region(int position, int length, int window, int shift) {
    if (shift == 0 || position >= length - shift) {
      return 2;
    }
    return position < length - window ? 0 : 1;
  }

  /** The token at a position of the rolled, padded map. */
  private int token(int row, int column) {
    int rows = rollBeforePad ? height : paddedHeight();
    int columns = rollBeforePad ? width : paddedWidth();
    if (row >= rows || column >= columns) {
      return -1;
    }
    int sourceRow = (row + shift.rows()) % rows;
    int sourceColumn = (column + shift.columns()) % columns;
    return sourceRow < height && sourceColumn < width ? sourceRow * width + sourceColumn : -1;
  }

  private interface Position {
    int value(int row, int column);
  }

  private int[] inWindowOrder(Position position) {
    int[] values = RowMap.entries((long) paddedHeight() * paddedWidth());
    int next = 0;
    for (int top = 0; top < paddedHeight(); top += window.rows()) {
      for (int left = 0; left < paddedWidth(); left += window.columns()) {
        for (int i = 0; i < window.area(); i++) {
          values[next++] = position.value(top + i / window.columns(), left + i % window.columns());
        }
      }
    }
    return values;
  }
}
