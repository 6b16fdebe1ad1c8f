package io.vertebra.bench.export;

import io.vertebra.program.op.RowMap;
import java.util.ArrayList;
import java.util.List;

/**
 * Consecutive positions of every image that a {@link RowMap} takes from consecutive positions of a source.
 *
 * @param from first position
 * @param to after the last position
 * @param source the source's position for the first; -1: these take nothing
 */
record RowPiece(int from, int to, int source) {
  private static final int MOST = 4;

  /**
   * The pieces of a map of one group, or null if images differ or there are more than a few.
   *
   * @param images of the output
   * @param sourcePositions of an image; 0 if all images share one source
   */
  static List<RowPiece> of(RowMap map, int images, int sourcePositions) {
    int positions = map.size() / images;
    if (map.groups() != 1 || map.size() % images != 0) {
      return null;
    }
    List<RowPiece> pieces = new ArrayList<>();
    int from = 0;
    for (int i = 1; i <= positions; i++) {
      boolean goesOn = i < positions && map.row(i) == (map.row(from) < 0 ? -1 : map.row(from) + i - from);
      if (!goesOn) {
        pieces.add(new RowPiece(from, i, map.row(from)));
        from = i;
      }
      if (pieces.size() > MOST) {
        return null;
      }
    }
    for (int i = positions; i < map.size(); i++) {
      int first = map.row(i % positions);
      if (map.row(i) != (first < 0 ? -1 : first + i / positions * sourcePositions)) {
        return null;
      }
    }
    return pieces;
  }
}
