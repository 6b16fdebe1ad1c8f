package io.vertebra.cuda;

import io.vertebra.cuda.LaunchList.Grid;
import io.vertebra.cuda.runtime.GpuType;
import io.vertebra.program.op.Call;
import io.vertebra.program.op.DepthwiseConv;
import io.vertebra.program.op.GlobalFilter;
import io.vertebra.program.op.Window;
import io.vertebra.program.op.WindowPool;
import io.vertebra.tensor.Shape;
import java.util.Arrays;

/**
 * Operations on maps: convolutions of single channels, filters, pooling and resizing. Grids are those the kernels'
 * sources ask for.
 */
final class MapBinder {
  /** Channels of a tile of the tiled convolutions, and the columns and rows of a strip. */
  private static final int TILE_CHANNELS = 32;
  private static final int STRIP_COLUMNS = 7;
  private static final int STRIP_ROWS = 2;
  /** Channels that a global filter transforms together, and bytes of their complex numbers at a position. */
  private static final int FILTER_CHANNELS = 8;
  private static final int COMPLEX_BYTES = 32;
  /** More positions than one block averages in the time of another launch, and how many are left to a block then. */
  private static final int POOLED_POSITIONS = 256;
  private static final int PART_POSITIONS = 32;
  private static final int MOST_PARTS = 128;

  private MapBinder() {}

  static void depthwiseConv(LaunchList list, Call call, DepthwiseConv op) {
    Shape in = call.in().shape();
    Shape out = call.out().shape();
    Window.Extent size = op.window().size();
    Window.Extent stride = op.window().stride();
    Window.Extent padding = op.window().padding();
    Object[] arguments = {list.address(call.in()), list.values(op.weights()), list.values(op.bias()),
      list.address(call.out()), in.dim(0), in.time(), in.dim(-3), in.dim(-2), in.channels(), op.firstChannel(),
      out.time(), out.dim(-3), out.dim(-2), out.channels(), op.multiplier(), size.time(), size.height(), size.width(),
      stride.time(), stride.height(), stride.width(), padding.time(), padding.height(), padding.width(),
      ProductBinder.code(op.activation())};
    boolean vectors = op.multiplier() == 1 && list.vector(out.channels(), in.channels(), op.firstChannel()) > 1;
    int side = size.height();
    if (!vectors || size.width() != side || side != 3 && side != 5 && side != 7 || stride.height() != 1
        || stride.width() != 1) {
      list.kernel("vtb_depthwise_conv", Grid.forItems(out.elements() / (vectors ? list.vector() : 1)), arguments);
      return;
    }
    int stripsX = out.dim(-2) <= STRIP_COLUMNS ? 1 : 2;
    int stripsY = (int) Math.min(list.type() == GpuType.F32 ? 4 : 8, LaunchList.divideUp(out.dim(-3), STRIP_ROWS));
    int rows = stripsY * STRIP_ROWS;
    int columns = stripsX * STRIP_COLUMNS;
    long tiles = (long) out.dim(0) * out.time() * LaunchList.divideUp(out.channels(), TILE_CHANNELS)
        * LaunchList.divideUp(out.dim(-3), rows) * LaunchList.divideUp(out.dim(-2), columns);
    int shared
        = TILE_CHANNELS * (Float.BYTES * side * side + (rows + side - 1) * (columns + side - 1) * list.type().bytes());
    Object[] tiled = Arrays.copyOf(arguments, arguments.length + 1);
    tiled[arguments.length] = stripsX;
    list.kernel("vtb_depthwise_conv_" + side + "x" + side,
        new Grid(tiles, TILE_CHANNELS / 2, stripsX * stripsY, shared), tiled);
  }

  /** Bytes of the maps that a filter in three launches keeps, in fp32; 0 if it is one launch. */
  static long filterScratch(GlobalFilter op, Shape in, int sharedMemory) {
    return filterShared(in.dim(1), in.dim(2)) <= sharedMemory ? 0
        : (long) in.rows() * LaunchList.divideUp(op.filter().shape().dim(2), FILTER_CHANNELS) * COMPLEX_BYTES;
  }

  private static int filterLines(int height, int width) {
    int longer = Math.max(height, width);
    return Math.min(longer, Math.max(8, 512 / longer));
  }

  /** Shared memory of a filter in one launch. */
  private static long filterShared(int height, int width) {
    return (long) COMPLEX_BYTES
        * ((long) height * (width | 1) + (long) filterLines(height, width) * Math.max(height, width))
        + 2L * Float.BYTES * (height + width);
  }

  static void globalFilter(LaunchList list, Call call, GlobalFilter op, int sharedMemory) {
    Shape in = call.in().shape();
    int batch = in.dim(0);
    int height = in.dim(1);
    int width = in.dim(2);
    int channels = call.out().shape().channels();
    long tiles = LaunchList.divideUp(channels, FILTER_CHANNELS);
    long filter = list.values(op.filter());
    long scratch = filterScratch(op, in, sharedMemory);
    if (scratch == 0) {
      Grid grid
          = new Grid(batch * tiles, height * width <= 256 ? 128 : LaunchList.THREADS, 1, filterShared(height, width));
      list.kernel("vtb_global_filter", grid, list.address(call.in()), filter, list.address(call.out()), batch, height,
          width, in.channels(), op.firstChannel(), channels, filterLines(height, width));
      return;
    }
    long maps = list.scratch(call);
    list.extra(4 * scratch);
    long lineBytes = (long) COMPLEX_BYTES * ((width | 1) + width);
    long tableBytes = 2L * Float.BYTES * width;
    long fitting = Math.max(1, Math.min(2048 / width, (sharedMemory - tableBytes) / lineBytes));
    int lines = (int) Math.min((long) batch * height, fitting);
    Grid rows
        = Grid.of(LaunchList.divideUp((long) batch * height, lines) * tiles).shared(lines * lineBytes + tableBytes);
    list.launch("vtb_global_filter_rows_" + list.type().suffix(), rows, maps, scratch, list.address(call.in()), maps,
        batch, height, width, in.channels(), op.firstChannel(), channels, lines);
    Grid columns = Grid.of(batch * (width / 2 + 1L) * tiles).shared(136L * height);
    list.launch("vtb_global_filter_columns", columns, maps, scratch, maps, filter, batch, height, width, channels);
    list.kernel("vtb_global_filter_rows_back", rows, maps, list.address(call.out()), batch, height, width, channels,
        lines);
  }

  static void windowPool(LaunchList list, Call call, WindowPool op) {
    Shape in = call.in().shape();
    Shape out = call.out().shape();
    Window.Extent size = op.window().size();
    Window.Extent stride = op.window().stride();
    Window.Extent padding = op.window().padding();
    list.kernel("vtb_window_pool", list.elementwise(call.out()), list.address(call.in()), list.address(call.out()),
        in.dim(0), in.time(), in.dim(-3), in.dim(-2), in.channels(), out.time(), out.dim(-3), out.dim(-2), size.time(),
        size.height(), size.width(), stride.time(), stride.height(), stride.width(), padding.time(), padding.height(),
        padding.width(), op.kind() == WindowPool.Kind.AVERAGE ? 1 : 0);
  }

  static void adaptiveAveragePool(LaunchList list, Call call) {
    Shape in = call.in().shape();
    Shape out = call.out().shape();
    list.kernel("vtb_adaptive_average_pool", averageGrid(list, (long) out.rows(), in.channels()),
        list.address(call.in()), list.address(call.out()), in.dim(0), in.dim(1), in.dim(2), in.channels(), out.dim(1),
        out.dim(2));
  }

  private static Grid averageGrid(LaunchList list, long bins, int channels) {
    int vectors = Math.min(32, Math.max(1, channels / list.vector(channels)));
    int sharing = Integer.highestOneBit(LaunchList.THREADS / vectors);
    return new Grid(bins * LaunchList.divideUp(channels, (long) vectors * list.vector(channels)), vectors, sharing, 0);
  }

  /** How many parts the positions of an image are averaged in first, each by a block; 1 if one launch does. */
  private static int meanParts(Shape in) {
    int positions = in.positions();
    int parts = 1;
    if (positions > POOLED_POSITIONS) {
      // The mean of the means of equal parts is that of all.
      for (int candidate = 2; candidate <= MOST_PARTS && positions / candidate >= PART_POSITIONS; candidate++) {
        parts = positions % candidate == 0 ? candidate : parts;
      }
    }
    return parts;
  }

  /** Bytes of the means of parts. */
  static long meanScratch(Shape in, GpuType type) {
    int parts = meanParts(in);
    return parts == 1 ? 0 : (long) in.dim(0) * parts * in.channels() * type.bytes();
  }

  static void meanPool(LaunchList list, Call call) {
    Shape in = call.in().shape();
    int batch = in.dim(0);
    int channels = in.channels();
    int positions = in.positions();
    int parts = meanParts(in);
    long from = list.address(call.in());
    if (parts > 1) {
      long scratch = meanScratch(in, list.type());
      list.extra(2 * scratch);
      list.launch("vtb_adaptive_average_pool_" + list.type().suffix(),
          averageGrid(list, (long) batch * parts, channels), list.scratch(call), scratch, from, list.scratch(call),
          batch * parts, positions / parts, 1, channels, 1, 1);
      from = list.scratch(call);
      positions = parts;
    }
    list.kernel("vtb_adaptive_average_pool", averageGrid(list, batch, channels), from, list.address(call.out()), batch,
        positions, 1, channels, 1, 1);
  }

  static void bilinear(LaunchList list, Call call) {
    Shape in = call.in().shape();
    Shape out = call.out().shape();
    list.kernel("vtb_bilinear", list.elementwise(call.out()), list.address(call.in()), list.address(call.out()),
        in.dim(0), in.dim(1), in.dim(2), in.channels(), out.dim(1), out.dim(2));
  }

}
