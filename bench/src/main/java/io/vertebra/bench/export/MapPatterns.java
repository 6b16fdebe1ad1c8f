package io.vertebra.bench.export;

import io.vertebra.program.op.RowMap;
import io.vertebra.program.op.Window;
import io.vertebra.program.op.Window.Extent;
import io.vertebra.tensor.Shape;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/** What a {@link RowMap} between maps of positions does, found by trying what it could be. */
final class MapPatterns {
  private MapPatterns() {}

  /**
   * The window whose rows {@code rows} are, of an operand {@code in} for an output {@code out}, both {@code [batch,
   * (time,) height, width, channels]}; null if it is none with square taps and steps.
   */
  static Window window(RowMap rows, Shape in, Shape out) {
    for (int times : in.rank() == 4 ? List.of(1) : List.of(1, 3, 5)) {
      int side = (int) Math.round(Math.sqrt(rows.groups() / (double) times));
      if (side * side * times != rows.groups()) {
        continue;
      }
      for (int stride : IntStream.rangeClosed(1, Math.max(2, side)).toArray()) {
        for (int timeStride : in.rank() == 4 ? List.of(1) : List.of(1, 2)) {
          for (int padding : new int[] {side / 2, 0}) {
            Window window = new Window(new Extent(times, side, side), new Extent(timeStride, stride, stride),
                new Extent(times / 2, padding, padding));
            if (isWindow(rows, window, in, out)) {
              return window;
            }
          }
        }
      }
    }
    return null;
  }

  private static boolean isWindow(RowMap rows, Window window, Shape in, Shape out) {
    Extent size = window.size();
    return in.dim(-2) + 2 * window.padding().width() >= size.width()
        && in.dim(-3) + 2 * window.padding().height() >= size.height() && window.slide(in, out.channels()).equals(out)
        && Arrays.equals(rows.toArray(), window.rows(in).toArray());
  }

  /**
   * How often {@code rows} repeats every position of maps {@code in} in height and width to make maps {@code out}; 0 if
   * it does something else.
   */
  static int repeats(RowMap rows, Shape in, Shape out) {
    if (in.rank() != 4 || out.rank() != 4 || out.dim(1) % in.dim(1) != 0) {
      return 0;
    }
    int size = out.dim(1) / in.dim(1);
    int height = out.dim(1);
    int width = out.dim(2);
    boolean repeats = width == size * in.dim(2) && IntStream.range(0, rows.size()).allMatch(i -> rows
        .row(i) == (i / width / height * in.dim(1) + i / width % height / size) * in.dim(2) + i % width / size);
    return repeats ? size : 0;
  }
}
