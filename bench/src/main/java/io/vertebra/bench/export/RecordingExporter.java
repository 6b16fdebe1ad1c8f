package io.vertebra.bench.export;

import io.vertebra.bench.export.GraphWriter.AttentionSizes;
import io.vertebra.bench.export.GraphWriter.FilterSizes;
import io.vertebra.program.Recording;
import io.vertebra.program.op.Activation;
import io.vertebra.program.op.AdaptiveAveragePool;
import io.vertebra.program.op.Affine;
import io.vertebra.program.op.Bilinear;
import io.vertebra.program.op.Call;
import io.vertebra.program.op.Convolution;
import io.vertebra.program.op.DepthwiseConv;
import io.vertebra.program.op.Epilogue;
import io.vertebra.program.op.GlobalFilter;
import io.vertebra.program.op.LayerNorm;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.MeanPool;
import io.vertebra.program.op.Norm;
import io.vertebra.program.op.Op;
import io.vertebra.program.op.PoolScores;
import io.vertebra.program.op.RecoverTokens;
import io.vertebra.program.op.RowMap;
import io.vertebra.program.op.RowSource;
import io.vertebra.program.op.ScoreTokens;
import io.vertebra.program.op.ShrinkTokens;
import io.vertebra.program.op.Softmax;
import io.vertebra.program.op.Sum;
import io.vertebra.program.op.Window;
import io.vertebra.program.op.WindowAttention;
import io.vertebra.program.op.WindowPool;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Tensor;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Writes a recorded forward pass, with its weights, as a graph another runtime takes: what is fused here is taken apart
 * into the standard operations those runtimes expect and fuse in their own way, in the layouts the published models
 * have. Matrix products over windows of a map are convolutions of maps, channels first; so are products between such.
 * Norms, attention and the products at them work on rows.
 */
final class RecordingExporter implements Op.Visitor<GraphValue> {
  /** The window of a product that is a convolution; else null. */
  private static final Op.Selection<Window> WINDOW = new Op.Selection<>() {
    @Override
    public Window linear(Linear op, Call call) {
      RowMap map = op.rows().map();
      Shape in = call.in().shape();
      if (map == null || op.rows().norm() != null || in.rank() < 4) {
        return null;
      }
      int width = op.weights().shape().dim(1);
      int patch = map.groups();
      // A stem's row of pixels lies in one piece.
      boolean cut = in.rank() == 4 && width == patch * patch * in.channels() && TokenOrder.cutsPatches(map, in, patch);
      if (cut) {
        return Window.square(patch, patch, 0);
      }
      return width == patch * in.channels() && call.out().shape().rank() == in.rank() && op.epilogue().map() == null
          ? MapPatterns.window(map, in, call.out().shape())
          : null;
    }

    @Override
    public Window otherwise(Call call) {
      return null;
    }
  };

  private static final Op.Selection<Integer> ATTENTION_TOKENS = new Op.Selection<>() {
    @Override
    public Integer windowAttention(WindowAttention op, Call call) {
      return op.tokens();
    }

    @Override
    public Integer otherwise(Call call) {
      return 0;
    }
  };

  /** A product that is a convolution reads maps; one that gathers or normalises rows reads rows. */
  private final Op.Selection<Layout> layouts = new Op.Selection<>() {
    @Override
    public Layout linear(Linear op, Call call) {
      return windows.containsKey(call) ? Layout.MAPS : op.rows().equals(RowSource.PLAIN) ? null : Layout.ROWS;
    }

    @Override
    public Layout otherwise(Call call) {
      return Layout.of(call);
    }
  };

  private final Recording recording;
  private final GraphWriter graph;
  private final Map<Tensor, GraphValue> values = new HashMap<>();
  private final Map<List<Object>, GraphValue> normed = new HashMap<>();
  private final Map<Call, Window> windows = new HashMap<>();
  private final RowExporter rows;

  /** @param recording one whose weights the reference backend packed */
  RecordingExporter(Recording recording, GraphWriter graph) {
    this.recording = recording;
    this.graph = graph;
    this.rows = new RowExporter(graph);
  }

  /**
   * @throws IllegalArgumentException for an operation that has no translation
   * @throws java.io.UncheckedIOException if writing fails
   */
  void export() {
    Tensor input = recording.inputs().get(0);
    values.put(input, GraphValue.maps(graph, input.shape(), graph.input()));
    for (Call call : recording.calls()) {
      Window window = call.accept(WINDOW);
      if (window != null) {
        windows.put(call, window);
      }
    }
    for (Call call : recording.calls()) {
      values.put(call.out(), call.accept(this));
    }
    for (Map.Entry<String, Tensor> output : recording.outputs().entrySet()) {
      Tensor tensor = output.getValue();
      graph.output(output.getKey(), values.get(tensor).rows(), GraphValue.flat(tensor.shape()));
    }
  }

  @Override
  public GraphValue layerNorm(LayerNorm op, Call call) {
    Shape out = call.out().shape();
    RowSource source = op.rows();
    return source.map() == null ? normed(call.in(), source.norm())
        : GraphValue.rows(graph, out, graph.reshape(gathered(call, source, out.channels()), GraphValue.flat(out)));
  }

  @Override
  public GraphValue windowAttention(WindowAttention op, Call call) {
    Shape in = call.in().shape();
    Shape out = call.out().shape();
    int period = op.mask() == null ? 1 : op.mask().windows();
    AttentionSizes sizes
        = new AttentionSizes(in.rows() / op.tokens(), period, op.tokens(), op.heads(), op.headDim(), op.scale());
    String result = graph.attention(values.get(call.in()).rows(), sizes, AttentionBias.of(op, period));
    return GraphValue.rows(graph, out, graph.reshape(result, GraphValue.flat(out)));
  }

  @Override
  public GraphValue depthwiseConv(DepthwiseConv op, Call call) {
    Shape shape = call.in().shape();
    int outs = op.weights().shape().dim(1);
    int ins = outs / op.multiplier();
    int taps = op.window().taps();
    float[] weights = RowExporter.floats(op.weights());
    float[] kernel = new float[weights.length];
    for (int i = 0; i < kernel.length; i++) {
      kernel[i] = weights[i % taps * outs + i / taps];
    }
    String bias = op.bias() == null ? null : rows.vector(op.bias());
    String result = graph.conv(channels(in(call), shape, op.firstChannel(), ins, true), kernel,
        kernel(outs, 1, op.window(), shape.rank() - 2), bias, op.window(), ins);
    return maps(call, activated(result, op.activation()));
  }

  @Override
  public GraphValue convolution(Convolution op, Call call) {
    int ins = call.in().shape().channels();
    Window taps = Convolution.WINDOW;
    String bias = op.bias() == null ? null : rows.vector(op.bias());
    float[] weights = channelsFirst(RowExporter.floats(op.weights()), ins, taps.taps());
    int[] kernel = kernel(call.out().shape().channels(), ins, taps, 2);
    return maps(call, activated(graph.conv(in(call).maps(), weights, kernel, bias, taps, 1), op.activation()));
  }

  @Override
  public GraphValue globalFilter(GlobalFilter op, Call call) {
    Shape out = call.out().shape();
    String operand = channels(in(call), call.in().shape(), op.firstChannel(), out.channels(), true);
    FilterSizes sizes = new FilterSizes(out.dim(0), out.channels(), out.dim(1), out.dim(2));
    return maps(call, graph.globalFilter(operand, sizes, RowExporter.floats(op.filter())));
  }

  @Override
  public GraphValue windowPool(WindowPool op, Call call) {
    return maps(call, graph.pool(in(call).maps(), op.kind(), op.window(), call.in().shape().rank() - 2));
  }

  @Override
  public GraphValue adaptiveAveragePool(AdaptiveAveragePool op, Call call) {
    return rows(call, graph.product(rows.bins(call.in().shape(), call.out().shape()), in(call).rows()));
  }

  @Override
  public GraphValue bilinear(Bilinear op, Call call) {
    return maps(call, graph.bilinear(in(call).maps(), op.height(), op.width()));
  }

  @Override
  public GraphValue meanPool(MeanPool op, Call call) {
    boolean maps = in(call).hasMaps();
    return rows(call, graph.mean(in(call).in(maps), maps ? spatialAxes(call.in().shape()) : new int[] {1}));
  }

  @Override
  public GraphValue softmax(Softmax op, Call call) {
    return rows(call, graph.softmax(in(call).rows()));
  }

  @Override
  public GraphValue sum(Sum op, Call call) {
    return rows(call, activated(rows.sum(op, call.out().shape(), values), op.activation()));
  }

  @Override
  public GraphValue shrinkTokens(ShrinkTokens op, Call call) {
    throw untranslated(call);
  }

  @Override
  public GraphValue recoverTokens(RecoverTokens op, Call call) {
    throw untranslated(call);
  }

  @Override
  public GraphValue scoreTokens(ScoreTokens op, Call call) {
    throw untranslated(call);
  }

  @Override
  public GraphValue poolScores(PoolScores op, Call call) {
    throw untranslated(call);
  }

  /** No published export knows what the light UniFormers do with chosen tokens. */
  private static IllegalArgumentException untranslated(Call call) {
    return new IllegalArgumentException("no translation for " + call);
  }

  private GraphValue in(Call call) {
    return values.get(call.in());
  }

  private GraphValue maps(Call call, String value) {
    return GraphValue.maps(graph, call.out().shape(), value);
  }

  private GraphValue rows(Call call, String value) {
    return GraphValue.rows(graph, call.out().shape(), value);
  }

  private static int[] spatialAxes(Shape shape) {
    return shape.rank() == 4 ? new int[] {2, 3} : new int[] {2, 3, 4};
  }

  private String activated(String value, Activation function) {
    return function == Activation.IDENTITY ? value : graph.activate(value, function);
  }

  @Override
  public GraphValue linear(Linear op, Call call) {
    Epilogue epilogue = op.epilogue();
    Shape out = call.out().shape();
    boolean last = epilogue.activationLast();
    GraphValue sum = product(call, op, last ? Activation.IDENTITY : epilogue.activation());
    if (epilogue.map() != null) {
      sum = GraphValue.rows(graph, out, rows.scatter(sum.rows(), epilogue.map(), out, attentionTokens(call.in())));
    }
    if (epilogue.gate() != null) {
      Epilogue.Gate gate = epilogue.gate();
      boolean maps = sum.hasMaps();
      String factor
          = channels(values.get(gate.tensor()), gate.tensor().shape(), gate.firstChannel(), out.channels(), maps);
      sum = GraphValue.of(graph, out, maps, graph.multiply(sum.in(maps), factor));
    }
    if (epilogue.residual() != null) {
      GraphValue residual = rows.residual(epilogue, values.get(epilogue.residual()), out);
      boolean common = residual.has(sum.hasMaps());
      boolean maps = common ? sum.hasMaps() : wantsMaps(call.out()) && !wantsRows(call.out());
      sum = GraphValue.of(graph, out, maps, graph.add(residual.in(maps), sum.in(maps)));
    }
    return last ? GraphValue.of(graph, out, sum.hasMaps(), activated(sum.in(sum.hasMaps()), epilogue.activation()))
        : sum;
  }

  private GraphValue product(Call call, Linear op, Activation activation) {
    Shape in = call.in().shape();
    Shape out = call.out().shape();
    int outs = op.weights().shape().dim(0);
    int ins = op.weights().shape().dim(1);
    String bias = op.epilogue().bias() == null ? null : rows.vector(op.epilogue().bias());
    Window window = windows.get(call);
    GraphValue operand
        = window != null ? values.get(call.in()) : op.rows().map() == null ? normed(call.in(), op.rows().norm()) : null;
    if (window != null || operand != null && op.epilogue().map() == null && convolves(call, op, operand)) {
      Window taps = window != null ? window : Window.square(1, 1, 0);
      int[] shape = kernel(outs, in.channels(), taps, in.rank() - 2);
      float[] weights = channelsFirst(RowExporter.floats(op.weights()), in.channels(), taps.taps());
      return GraphValue.maps(graph, out,
          activated(graph.conv(operand.maps(), weights, shape, bias, taps, 1), activation));
    }
    String source = operand != null ? operand.rows() : gathered(call, op.rows(), ins);
    String product = activated(graph.linear(source, RowExporter.floats(op.weights()), outs, ins, bias), activation);
    int[] axes = GraphValue.flat(out);
    boolean reshaped = op.epilogue().map() == null
        && (operand == null || !Arrays.equals(axes, GraphValue.flat(in.withChannels(outs))));
    return GraphValue.rows(graph, out, reshaped ? graph.reshape(product, axes) : product);
  }

  /** Whether a product position by position is better written as a 1x1 convolution. */
  private boolean convolves(Call call, Linear op, GraphValue operand) {
    if (call.in().shape().rank() < 4 || call.out().shape().rank() < 4) {
      return false;
    }
    if (!operand.hasRows()) {
      return true;
    }
    Epilogue.Gate gate = op.epilogue().gate();
    boolean wanted
        = gate != null ? !values.get(gate.tensor()).hasRows() : wantsMaps(call.out()) && !wantsRows(call.out());
    // Converting the narrower side costs less.
    return wanted && (operand.hasMaps() || call.in().shape().channels() < call.out().shape().channels());
  }

  /** Whether an operation on maps reads a tensor. */
  private boolean wantsMaps(Tensor tensor) {
    return reads(tensor, Layout.MAPS);
  }

  /** Whether an operation on rows reads a tensor. */
  private boolean wantsRows(Tensor tensor) {
    return reads(tensor, Layout.ROWS);
  }

  private boolean reads(Tensor tensor, Layout layout) {
    return recording.calls().stream().anyMatch(call -> call.in() == tensor && call.accept(layouts) == layout);
  }

  private static int[] kernel(int outs, int ins, Window window, int axes) {
    int[] extents = GraphWriter.extents(window.size(), axes);
    int[] shape = new int[2 + axes];
    shape[0] = outs;
    shape[1] = ins;
    System.arraycopy(extents, 0, shape, 2, axes);
    return shape;
  }

  /** {@code [out, taps, in]} to {@code [out, in, taps]}. */
  private static float[] channelsFirst(float[] weights, int ins, int taps) {
    float[] kernel = new float[weights.length];
    for (int i = 0; i < kernel.length; i++) {
      int out = i / (taps * ins);
      kernel[i] = weights[(out * taps + i % taps) * ins + i / taps % ins];
    }
    return kernel;
  }

  /** Some of a value's channels. */
  private String channels(GraphValue value, Shape shape, int first, int count, boolean maps) {
    int axis = maps ? 1 : GraphValue.flat(shape).length - 1;
    return count == shape.channels() ? value.in(maps) : graph.slice(value.in(maps), axis, first, first + count);
  }

  @Override
  public GraphValue affine(Affine op, Call call) {
    Shape shape = call.in().shape();
    GraphValue in = values.get(call.in());
    boolean maps = in.hasMaps() && (!in.hasRows() || wantsMaps(call.out()));
    int[] each = new int[maps ? shape.rank() : GraphValue.flat(shape).length];
    Arrays.fill(each, 1);
    each[maps ? 1 : each.length - 1] = shape.channels();
    String result = in.in(maps);
    if (op.factor() != null) {
      int[] byImage = each.clone();
      byImage[0] = shape.dim(0);
      result = graph.multiply(result, graph.reshape(values.get(op.factor()).rows(), byImage));
    }
    if (op.scale() != null) {
      result = graph.multiply(result, graph.constant(RowExporter.floats(op.scale()), each));
    }
    if (op.shift() != null) {
      result = graph.add(result, graph.constant(RowExporter.floats(op.shift()), each));
    }
    return GraphValue.of(graph, shape, maps, activated(result, op.activation()));
  }

  /** A tensor behind a norm, once for all its readers. */
  private GraphValue normed(Tensor in, Norm norm) {
    GraphValue value = values.get(in);
    if (norm != null && !normed.containsKey(List.of(in, norm))) {
      normed.put(List.of(in, norm),
          GraphValue.rows(graph, in.shape(), rows.norm(value.rows(), norm, in.shape().channels())));
    }
    return norm == null ? value : normed.get(List.of(in, norm));
  }

  /** Rows read through a map. */
  private String gathered(Call call, RowSource source, int width) {
    Shape shape = call.in().shape();
    if (source.map().groups() == 1 && width == shape.channels()) {
      // A norm row by row may go first, as in the published models; padding stays zero behind it.
      return rows.reordered(normed(call.in(), source.norm()).rows(), source.map(), shape, attentionTokens(call.out()));
    }
    String merged = rows.merged(values.get(call.in()).rows(), source.map(), shape, width);
    return source.norm() == null ? merged : rows.norm(merged, source.norm(), width);
  }

  /** Tokens of a window of the attention that reads or makes a tensor; 0 if none does. */
  private int attentionTokens(Tensor tensor) {
    return recording.calls().stream().filter(call -> call.in() == tensor || call.out() == tensor)
        .mapToInt(call -> call.accept(ATTENTION_TOKENS)).filter(tokens -> tokens > 0).findFirst().orElse(0);
  }
}
