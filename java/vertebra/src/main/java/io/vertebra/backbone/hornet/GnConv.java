package io.vertebra.backbone.hornet;

import io.vertebra.backbone.Layers;
import io.vertebra.backbone.Matrix;
import io.vertebra.backend.Backend;
import io.vertebra.program.Recorder;
import io.vertebra.program.op.DepthwiseConv;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.Norm;
import io.vertebra.program.op.Window;
import io.vertebra.tensor.Size;
import io.vertebra.tensor.Tensor;
import io.vertebra.weights.WeightsException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;

/**
 * Recursive gated convolution of order n (Rao et al., "HorNet: Efficient High-Order Spatial Interactions with Recursive
 * Gated Convolutions", arXiv 2207.14284, equation 5): a projection to p and q, y = scale * spatial(q) split into y_0
 * ... y_(n-1), the recursion {@code a_0 = p * y_0}, {@code a_k = pws_(k-1)(a_(k-1)) * y_k}, and a projection of the
 * last.
 *
 * <p>Every product with a y_k is the gate of the matrix product before it, and the scale is folded into the spatial
 * weights. Nothing is split or concatenated: p and q are two products over the same input, and an input in several
 * parts is a sum of products. With a {@link GlobalLocalFilter} the channels of the recursion are in that filter's
 * order, to which the weights around it are permuted. Immutable and thread-safe.
 */
public final class GnConv {
  private final Config config;
  private final int[] widths;
  private final List<Linear> p = new ArrayList<>();
  private final List<Linear> q = new ArrayList<>();
  private final DepthwiseConv depthwise;
  private final GlobalLocalFilter filter;
  private final List<Linear> recursion = new ArrayList<>();
  private final Linear projOut;

  /**
   * What the parameters' shapes follow from.
   *
   * @param in channels of each part of the input
   * @param dim channels of the last step of the recursion, divisible by {@code 2^(order - 1)}
   * @param out channels of the output
   * @param kernel side of the depthwise convolution, odd, up to 127, if there is no filter
   * @param filter height and half-spectrum width of the stored global filter, up to 2048; null: a depthwise convolution
   * @param scale multiplies the spatial part's result
   * @param projectsOut whether there is a projection at the end; without one {@code out} is {@code dim}
   */
  public record Config(List<Integer> in, int dim, int out, int order, int kernel, Size filter, double scale,
      boolean projectsOut) {
    private static final int MAX_KERNEL = 127;
    private static final int MAX_FILTER = 1 << 11;

    /** @throws WeightsException for sizes that fit no gnConv */
    public Config {
      in = List.copyOf(in);
      boolean positive = in.stream().allMatch(channels -> channels > 0) && dim > 0 && out > 0 && kernel > 0
          && kernel <= MAX_KERNEL && kernel % 2 == 1 && order > 0 && order <= 16
          && (filter == null || Math.min(filter.rows(), filter.columns()) > 0
              && Math.max(filter.rows(), filter.columns()) <= MAX_FILTER);
      int parts = 1 << Math.min(order, 16);
      // The filter halves every part once more.
      if (!positive || dim % (filter == null ? parts / 2 : parts) != 0 || !projectsOut && out != dim) {
        throw new WeightsException("no gated convolution has order " + order + ", " + dim + " channels from " + in
            + " to " + out + ", kernel " + kernel + " and filter " + filter);
      }
    }

    /** HorNet's own: 7x7 or a filter, as many channels out as in. */
    public static Config of(int channels, int order, Size filter, double scale) {
      return new Config(List.of(channels), channels, channels, order, 7, filter, scale, true);
    }

    /** Channels of group k, the smallest first. */
    int width(int group) {
      return dim >> order - 1 - group;
    }
  }

  /**
   * Reads {@code proj_in}, {@code dwconv}, {@code pws.k} and {@code proj_out}.
   *
   * @param prefix of the parameters' names
   * @param norm of the channels of the input; or null
   * @param fold what to fold into the last projection, such as a layer scale
   */
  public GnConv(Layers layers, String prefix, Config config, Norm norm, UnaryOperator<Matrix> fold) {
    Backend backend = layers.backend();
    this.config = config;
    this.widths = IntStream.range(0, config.order).map(config::width).toArray();
    int spatial = Arrays.stream(widths).sum();
    int channels = config.in.stream().mapToInt(Integer::intValue).sum();
    Matrix projIn = Matrix.of(layers.parameters(), prefix + "proj_in", true, 2 * config.dim, channels, 1, 1);
    Matrix gated = projIn.rows(order(0));
    Matrix convolved = projIn.rows(IntStream.range(widths[0], 2 * config.dim).toArray());
    int first = 0;
    for (int part : config.in) {
      int[] columns = IntStream.range(first, first + part).toArray();
      p.add(part(backend, gated, columns).norm(norm));
      q.add(part(backend, convolved, columns).norm(norm));
      first += part;
    }
    if (config.filter == null) {
      float[] scale = new float[spatial];
      Arrays.fill(scale, (float) config.scale);
      this.depthwise = layers.depthwise(Matrix
          .of(layers.parameters(), prefix + "dwconv", true, spatial, 1, config.kernel, config.kernel).thenScale(scale),
          Window.square(config.kernel, 1, config.kernel / 2), 1);
      this.filter = null;
    } else {
      this.depthwise = null;
      this.filter = new GlobalLocalFilter(layers, prefix + "dwconv.", widths, config.filter, config.scale);
    }
    for (int k = 1; k < config.order; k++) {
      recursion.add(Matrix.of(layers.parameters(), prefix + "pws." + (k - 1), true, widths[k], widths[k - 1], 1, 1)
          .rows(order(k)).columns(order(k - 1)).pack(backend));
    }
    Matrix projection = config.projectsOut
        ? Matrix.of(layers.parameters(), prefix + "proj_out", true, config.out, config.dim, 1, 1)
            .columns(order(config.order - 1))
        : Matrix.selection(prefix + "proj_out",
            config.filter == null ? order(config.order - 1) : GlobalLocalFilter.places(config.dim), config.dim);
    this.projOut = fold.apply(projection).pack(backend);
  }

  /** The bias belongs to the first part of the input alone. */
  private static Linear part(Backend backend, Matrix matrix, int[] columns) {
    Linear product = matrix.columns(columns).pack(backend);
    return columns[0] == 0 ? product : Linear.of(product.weights(), null);
  }

  /** The published channel that stands at each place of group k. */
  private int[] order(int k) {
    return config.filter == null ? IntStream.range(0, widths[k]).toArray() : GlobalLocalFilter.order(widths[k]);
  }

  /** The last projection, which takes what {@link #gate} gives. */
  public Linear projOut() {
    return projOut;
  }

  /**
   * Everything before the last projection.
   *
   * @param inputs the parts of the input, which lie side by side in the published one
   */
  public Tensor gate(Recorder r, List<Tensor> inputs) {
    Tensor convolved = project(r, "proj_in.q", inputs, q, null);
    Tensor y = filter != null ? filter.forward(r.scope("dwconv"), convolved) : r.record("dwconv", depthwise, convolved);
    Tensor a = project(r, "proj_in.p", inputs, p, y);
    int first = widths[0];
    for (int k = 1; k < config.order; k++) {
      a = r.record("pws." + (k - 1), recursion.get(k - 1).gate(y, first), a);
      first += widths[k];
    }
    return a;
  }

  /** The sum of the parts' products, each times the gate if there is one. */
  private static Tensor project(Recorder r, String name, List<Tensor> inputs, List<Linear> products, Tensor gate) {
    Tensor sum = null;
    for (int i = 0; i < inputs.size(); i++) {
      Linear product = gate == null ? products.get(i) : products.get(i).gate(gate, 0);
      sum = r.record(name, sum == null ? product : product.residual(sum), inputs.get(i));
    }
    return sum;
  }
}
