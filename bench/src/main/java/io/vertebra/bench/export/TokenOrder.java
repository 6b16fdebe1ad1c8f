package io.vertebra.bench.export;

import io.vertebra.program.op.RowMap;
import io.vertebra.tensor.Shape;
import java.util.function.IntUnaryOperator;

/**
 * What a {@link RowMap} over a token map does, in the words frameworks are fast in (roll, reshape, permute), found by
 * trying what it could be.
 *
 * @param rows window height
 * @param columns window width
 * @param shiftRows cyclic shift before the partition
 * @param shiftColumns cyclic shift before the partition
 */
record TokenOrder(int rows, int columns, int shiftRows, int shiftColumns) {

  /**
   * The shifted window partition of {@code map}, {@code [batch, height, width, channels]}, into windows of {@code
   * tokens} that {@code order} is, or null if it is none, for instance because it pads.
   */
  static TokenOrder of(RowMap order, Shape map, int tokens) {
    int height = map.dim(1);
    int width = map.dim(2);
    if (order.groups() != 1 || order.size() != map.rows() || order.row(0) < 0) {
      return null;
    }
    int shiftRows = order.row(0) / width;
    int shiftColumns = order.row(0) % width;
    for (int rows = 1; rows <= Math.min(tokens, height); rows++) {
      int columns = tokens / rows;
      if (rows * columns == tokens && height % rows == 0 && width % columns == 0) {
        TokenOrder candidate = new TokenOrder(rows, columns, shiftRows, shiftColumns);
        if (candidate.equalTo(order, height, width)) {
          return candidate;
        }
      }
    }
    return null;
  }

  private boolean equalTo(RowMap order, int height, int width) {
    int across = width / columns;
    return equal(order, i -> {
      int token = i % (height * width);
      int window = token / (rows * columns);
      int inside = token % (rows * columns);
      int row = (window / across * rows + inside / columns + shiftRows) % height;
      int column = (window % across * columns + inside % columns + shiftColumns) % width;
      return (i / (height * width) * height + row) * width + column;
    });
  }

  /** Whether {@code order} is patch merging: 2x2 neighbours side by side, the row varying fastest. */
  static boolean merges(RowMap order, Shape map) {
    int height = map.dim(1);
    int width = map.dim(2);
    return order.groups() == 4 && height % 2 == 0 && width % 2 == 0 && order.size() * 4 == map.rows()
        && equal(order, i -> {
          int token = i / 4;
          int row = token / (width / 2) * 2 + i % 2;
          return row * width + token % (width / 2) * 2 + i / 2 % 2;
        });
  }

  /**
   * Whether {@code order} cuts an image {@code [batch, height, width, channels]} into whole patches, {@code patch}
   * pixels to a segment.
   */
  static boolean cutsPatches(RowMap order, Shape image, int patch) {
    int height = image.dim(1);
    int width = image.dim(2);
    return order.groups() == patch && height % patch == 0 && width % patch == 0
        && order.size() * patch * patch == image.rows() && equal(order, i -> {
          int token = i / patch;
          int across = width / patch;
          return (token / across * patch + i % patch) * across + token % across;
        });
  }

  private static boolean equal(RowMap order, IntUnaryOperator expected) {
    for (int i = 0; i < order.size() * order.groups(); i++) {
      if (order.row(i) != expected.applyAsInt(i)) {
        return false;
      }
    }
    return true;
  }
}
