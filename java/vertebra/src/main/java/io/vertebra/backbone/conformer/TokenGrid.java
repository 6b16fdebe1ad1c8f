package io.vertebra.backbone.conformer;

import io.vertebra.program.op.RowMap;
import io.vertebra.tensor.Shape;

/**
 * Where the tokens of a batch lie: for every image the class token, then a grid of patch tokens in reading order.
 *
 * @param rows patch tokens from top to bottom
 * @param columns patch tokens from left to right
 */
record TokenGrid(int batch, int rows, int columns) {

  /** Tokens of an image. */
  int tokens() {
    return 1 + rows * columns;
  }

  Shape shape(int channels) {
    return Shape.of(batch, tokens(), channels);
  }

  Shape patchShape(int channels) {
    return Shape.of(batch, rows, columns, channels);
  }

  /** The rows of the class tokens. */
  RowMap classes() {
    return RowMap.of(batch, 1, image -> image * tokens());
  }

  /** The rows of the patch tokens. */
  RowMap patches() {
    int patches = tokens() - 1;
    return RowMap.of(batch * patches, 1, patch -> patch / patches * tokens() + 1 + patch % patches);
  }

  /** For every token, its row if it is a class token. */
  RowMap classesAmongTokens() {
    return RowMap.of(batch * tokens(), 1, token -> token % tokens() == 0 ? token : -1);
  }

  /** For every token, row 0 if it is a class token. */
  RowMap oneClassAmongTokens() {
    return RowMap.of(batch * tokens(), 1, token -> token % tokens() == 0 ? 0 : -1);
  }

  /** For every token, its number among the patches if it is one. */
  RowMap patchesAmongTokens() {
    return RowMap.of(batch * tokens(), 1, token -> token % tokens() == 0 ? -1 : token - token / tokens() - 1);
  }

  /**
   * For every position of a map of {@code size x size} as many positions, the number of its patch: nearest upsampling.
   */
  RowMap upsample(int size) {
    int width = columns * size;
    int height = rows * size;
    return RowMap.of((long) batch * height * width, 1,
        position -> (position / width / height * rows + position / width % height / size) * columns
            + position % width / size);
  }

  /**
   * For every position of the maps of a batch extended to the right and bottom, its row in those, {@code map}, or -1.
   */
  static RowMap padded(Shape map, int height, int width) {
    return RowMap.of((long) map.dim(0) * height * width, 1, position -> {
      int y = position / width % height;
      int x = position % width;
      return y < map.dim(1) && x < map.dim(2) ? (position / width / height * map.dim(1) + y) * map.dim(2) + x : -1;
    });
  }
}
