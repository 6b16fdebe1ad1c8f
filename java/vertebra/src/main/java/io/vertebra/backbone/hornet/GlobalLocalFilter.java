package io.vertebra.backbone.hornet;

import io.vertebra.backbone.Layers;
import io.vertebra.backbone.Matrix;
import io.vertebra.backbone.TableResize;
import io.vertebra.backbone.TableResize.Table;
import io.vertebra.backbone.WeakCache;
import io.vertebra.program.Recorder;
import io.vertebra.program.op.DepthwiseConv;
import io.vertebra.program.op.GlobalFilter;
import io.vertebra.program.op.LayerNorm;
import io.vertebra.program.op.Norm;
import io.vertebra.program.op.RowMap;
import io.vertebra.program.op.RowSource;
import io.vertebra.program.op.Sum;
import io.vertebra.program.op.Sum.Term;
import io.vertebra.program.op.Weights;
import io.vertebra.program.op.Window;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Size;
import io.vertebra.tensor.Tensor;
import io.vertebra.weights.WeightsException;
import java.util.Arrays;

/**
 * HorNet's global and local filter (Rao et al., "HorNet: Efficient High-Order Spatial Interactions with Recursive Gated
 * Convolutions", arXiv 2207.14284): LayerNorm; half of the channels through a 3x3 depthwise convolution, the others
 * through a {@link GlobalFilter}; LayerNorm.
 *
 * <p>The published output interleaves the halves, channel 2j being local and 2j + 1 global. Here every segment of
 * {@code 2 * run} published channels comes as its local ones, then its global ones, so that long runs are copied; see
 * {@link #order}. Immutable and thread-safe.
 */
public final class GlobalLocalFilter {
  private static final int MAX_CHANNELS = 1 << 13;
  private static final float EPS = 1e-6f;

  private final Layers layers;
  private final int channels;
  private final int[] segments;
  private final int run;
  private final int[] order;
  private final DepthwiseConv local;
  private final Table filter;
  private final Norm preNorm;
  private final Norm postNorm;
  private final WeakCache<Size, Weights> filters = new WeakCache<>();

  /**
   * Reads {@code complex_weight [channels / 2, h, w, 2]}, {@code dw.weight}, {@code pre_norm} and {@code post_norm}.
   *
   * @param prefix of the parameters' names
   * @param segments lengths, all even multiples of the first one, into which the output's channels are split
   * @param stored height and half-spectrum width of the stored filter
   * @param scale multiplies the output
   */
  public GlobalLocalFilter(Layers layers, String prefix, int[] segments, Size stored, double scale) {
    if (segments[0] < 2 || Arrays.stream(segments).anyMatch(length -> length % 2 != 0 || length > MAX_CHANNELS)) {
      throw new WeightsException("a global and local filter splits its channels in two halves: "
          + Arrays.toString(segments) + " must be even, up to " + MAX_CHANNELS);
    }
    this.layers = layers;
    this.segments = segments.clone();
    this.order = order(segments);
    this.channels = order.length;
    this.run = segments[0] / 2;
    int half = channels / 2;
    this.filter = spectrum(
        layers.parameters().values(prefix + "complex_weight", half, stored.rows(), stored.columns(), 2), stored);
    this.local = layers.depthwise(Matrix.of(layers.parameters(), prefix + "dw", false, half, 1, 3, 3),
        Window.square(3, 1, 1), 1);
    this.preNorm = layers.norm(prefix + "pre_norm", channels, EPS);
    this.postNorm
        = new Norm(layers.values(arranged(layers.parameters().values(prefix + "post_norm.weight", channels), scale)),
            layers.values(arranged(layers.parameters().values(prefix + "post_norm.bias", channels), scale)), EPS);
  }

  /** The published channel that stands at each place of a segment of {@code length} channels. */
  static int[] order(int length) {
    int[] order = new int[length];
    Arrays.setAll(order, i -> i < length / 2 ? 2 * i : 2 * (i - length / 2) + 1);
    return order;
  }

  /** The place in a segment of {@code length} channels at which each published channel stands. */
  public static int[] places(int length) {
    int[] places = new int[length];
    Arrays.setAll(places, channel -> channel / 2 + channel % 2 * (length / 2));
    return places;
  }

  private static int[] order(int[] segments) {
    int[] order = new int[Arrays.stream(segments).sum()];
    int first = 0;
    for (int length : segments) {
      int[] local = order(length);
      for (int i = 0; i < length; i++) {
        order[first + i] = first + local[i];
      }
      first += length;
    }
    return order;
  }

  private float[] arranged(float[] published, double scale) {
    float[] arranged = new float[channels];
    for (int i = 0; i < channels; i++) {
      arranged[i] = (float) (scale * published[order[i]]);
    }
    return arranged;
  }

  /** {@code [channels, height, width, 2]} as {@code [height, width, channels * 2]}. */
  public static Table spectrum(float[] published, Size size) {
    int channels = published.length / size.area() / 2;
    float[] values = new float[published.length];
    int next = 0;
    for (int point = 0; point < size.area(); point++) {
      for (int channel = 0; channel < channels; channel++) {
        int from = 2 * (channel * size.area() + point);
        values[next++] = published[from];
        values[next++] = published[from + 1];
      }
    }
    return new Table(size.rows(), size.columns(), 2 * channels, values);
  }

  /** {@link #spectrum} undone. */
  public static float[] published(Table spectrum) {
    int channels = spectrum.channels() / 2;
    int area = spectrum.height() * spectrum.width();
    float[] values = new float[spectrum.values().length];
    for (int i = 0; i < values.length; i++) {
      int channel = i / 2 / area;
      values[i] = spectrum.values()[(i / 2 % area * channels + channel) * 2 + i % 2];
    }
    return values;
  }

  /** Filters a map {@code [batch, height, width, channels]}. */
  public Tensor forward(Recorder r, Tensor x) {
    Shape shape = x.shape();
    Size map = new Size(shape.dim(1), shape.dim(2));
    int half = channels / 2;
    Tensor normed = r.record("pre_norm", LayerNorm.of(preNorm), x);
    Tensor near = r.record("dw", local, normed);
    Tensor far = r.record("filter", new GlobalFilter(filters.get(map, () -> pack(map)), half), normed);
    int rows = shape.rows();
    Tensor both
        = r.record("concat", Sum.of(Term.of(near, block(2 * rows, 0, rows)), Term.of(far, block(2 * rows, rows, rows))),
            near, Shape.of(2 * rows, half));
    return r.record("post_norm", new LayerNorm(new RowSource(arrange(rows), postNorm)), both, shape);
  }

  /** Rows {@code 0 ...} for {@code count} places from {@code first} on, nothing elsewhere. */
  private static RowMap block(int size, int first, int count) {
    return RowMap.of(size, 1, i -> i >= first && i < first + count ? i - first : -1);
  }

  /**
   * For every position the runs of channels, of the local rows and after them the global ones, in the output's order.
   */
  private RowMap arrange(int positions) {
    int[] order = new int[channels / run];
    int runsOfHalf = order.length / 2;
    int next = 0;
    int first = 0;
    for (int length : segments) {
      int runs = length / 2 / run;
      for (int i = 0; i < runs; i++) {
        order[next + i] = first + i;
        order[next + runs + i] = positions * runsOfHalf + first + i;
      }
      next += 2 * runs;
      first += runs;
    }
    return RowMap.of((long) positions * order.length, order.length,
        i -> order[i % order.length] + i / order.length * runsOfHalf);
  }

  private Table resized(Size map) {
    return TableResize.alignedBilinear(filter, map.rows(), map.columns() / 2 + 1);
  }

  /**
   * The filter for a map of a size. What a real inverse transform drops is taken out, so that the filter is Hermitian
   * where it has to be.
   */
  private Weights pack(Size map) {
    return layers.backend().packValues(Shape.of(map.rows(), map.columns() / 2 + 1, channels / 2, 2), () -> {
      Table table = resized(map);
      float[] values = table.values().clone();
      symmetrise(table, values, 0);
      if (map.columns() % 2 == 0) {
        symmetrise(table, values, map.columns() / 2);
      }
      return values;
    });
  }

  /** Replaces a column by its Hermitian part, {@code (K[u] + conj(K[-u])) / 2}. */
  private static void symmetrise(Table table, float[] values, int column) {
    for (int u = 0; u < table.height(); u++) {
      int from = (u * table.width() + column) * table.channels();
      int mirrored = ((table.height() - u) % table.height() * table.width() + column) * table.channels();
      for (int c = 0; c < table.channels(); c++) {
        float other = table.values()[mirrored + c];
        values[from + c] = (table.values()[from + c] + (c % 2 == 0 ? other : -other)) / 2;
      }
    }
  }
}
