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
import io.vertebra.program.op.RowMap;
import io.vertebra.program.op.RowSource;
import io.vertebra.program.op.Softmax;
import io.vertebra.program.op.Sum;
import io.vertebra.program.op.Window;
import io.vertebra.program.op.WindowAttention;
import io.vertebra.program.op.WindowPool;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Tensor;
import java.io.IOException;
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
final class RecordingExporter {
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

  /** @throws IllegalArgumentException for an operation that has no translation */
  void export() throws IOException {
    Tensor input = recording.inputs().get(0);
    values.put(input, GraphValue.maps(graph, input.shape(), graph.input()));
    for (Call call : recording.calls()) {
      if (call.op() instanceof Linear linear && window(call, linear) != null) {
        windows.put(call, window(call, linear));
      }
    }
    for (Call call : recording.calls()) {
      values.put(call.out(), translate(call));
    }
    for (Map.Entry<String, Tensor> output : recording.outputs().entrySet()) {
      Tensor tensor = output.getValue();
      graph.output(output.getKey(), values.get(tensor).rows(), GraphValue.flat(tensor.shape()));
    }
  }

  private GraphValue translate(Call call) throws IOException {
    Op op = call.op();
    GraphValue in = values.get(call.in());
    Shape shape = call.in().shape();
    Shape out = call.out().shape();
    if (op instanceof Linear linear) {
      return linear(call, linear);
    } else if (op instanceof LayerNorm norm) {
      return norm.rows().map() == null ? normed(call.in(), norm.rows().norm())
          : GraphValue.rows(graph, out,
              graph.reshape(gathered(call, norm.rows(), out.channels()), GraphValue.flat(out)));
    } else if (op instanceof WindowAttention attention) {
      return GraphValue.rows(graph, out, attention(call, attention));
    } else if (op instanceof DepthwiseConv conv) {
      return GraphValue.maps(graph, out, depthwise(in, shape, conv));
    } else if (op instanceof Convolution conv) {
      Window taps = Convolution.WINDOW;
      String bias = conv.bias() == null ? null : rows.vector(conv.bias());
      float[] weights = channelsFirst(RowExporter.floats(conv.weights()), shape.channels(), taps.taps());
      return GraphValue.maps(graph, out,
          activated(graph.conv(in.maps(), weights, kernel(out.channels(), shape.channels(), taps, 2), bias, taps, 1),
              conv.activation()));
    } else if (op instanceof GlobalFilter filter) {
      int channels = out.channels();
      return GraphValue.maps(graph, out, graph.globalFilter(channels(in, shape, filter.firstChannel(), channels, true),
          new FilterSizes(out.dim(0), channels, out.dim(1), out.dim(2)), RowExporter.floats(filter.filter())));
    } else if (op instanceof WindowPool pool) {
      return GraphValue.maps(graph, out, graph.pool(in.maps(), pool.kind(), pool.window(), shape.rank() - 2));
    } else if (op instanceof AdaptiveAveragePool) {
      return GraphValue.rows(graph, out, graph.product(rows.bins(shape, out), in.rows()));
    } else if (op instanceof Bilinear) {
      return GraphValue.maps(graph, out, graph.bilinear(in.maps(), out.dim(1), out.dim(2)));
    } else if (op instanceof Affine affine) {
      return affine(call, affine);
    } else if (op instanceof MeanPool) {
      boolean maps = in.hasMaps();
      return GraphValue.rows(graph, out, graph.mean(in.in(maps), maps ? spatialAxes(shape) : new int[] {1}));
    } else if (op instanceof Softmax) {
      return GraphValue.rows(graph, out, graph.softmax(in.rows()));
    } else if (op instanceof Sum sum) {
      return GraphValue.rows(graph, out, activated(rows.sum(sum, out, values), sum.activation()));
    }
    throw new IllegalArgumentException("no translation for " + call);
  }

  private static int[] spatialAxes(Shape shape) {
    return shape.rank() == 4 ? new int[] {2, 3} : new int[] {2, 3, 4};
  }

  private String activated(String value, Activation function) throws IOException {
    return function == Activation.IDENTITY ? value : graph.activate(value, function);
  }

  /** The window of a product that is a convolution; else null. */
  private static Window window(Call call, Linear op) {
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

  private GraphValue linear(Call call, Linear op) throws IOException {
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

  private GraphValue product(Call call, Linear op, Activation activation) throws IOException {
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
    return recording.calls().stream()
        .anyMatch(call -> call.in() == tensor && (windows.containsKey(call) || call.op() instanceof Convolution
            || call.op() instanceof DepthwiseConv || call.op() instanceof GlobalFilter
            || call.op() instanceof WindowPool || call.op() instanceof Bilinear));
  }

  /** Whether an operation on rows reads a tensor. */
  private boolean wantsRows(Tensor tensor) {
    return recording.calls().stream()
        .anyMatch(call -> call.in() == tensor && (call.op() instanceof LayerNorm || call.op() instanceof WindowAttention
            || call.op() instanceof Sum || call.op() instanceof Linear linear
                && (linear.rows().norm() != null || linear.rows().map() != null && !windows.containsKey(call))));
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

  private String depthwise(GraphValue in, Shape shape, DepthwiseConv op) throws IOException {
    int outs = op.weights().shape().dim(1);
    int ins = outs / op.multiplier();
    int taps = op.window().taps();
    float[] weights = RowExporter.floats(op.weights());
    float[] kernel = new float[weights.length];
    for (int i = 0; i < kernel.length; i++) {
      kernel[i] = weights[i % taps * outs + i / taps];
    }
    String bias = op.bias() == null ? null : rows.vector(op.bias());
    String result = graph.conv(channels(in, shape, op.firstChannel(), ins, true), kernel,
        kernel(outs, 1, op.window(), shape.rank() - 2), bias, op.window(), ins);
    return activated(result, op.activation());
  }

  /** Some of a value's channels. */
  private String channels(GraphValue value, Shape shape, int first, int count, boolean maps) throws IOException {
    int axis = maps ? 1 : GraphValue.flat(shape).length - 1;
    return count == shape.channels() ? value.in(maps) : graph.slice(value.in(maps), axis, first, first + count);
  }

  private GraphValue affine(Call call, Affine op) throws IOException {
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
  private GraphValue normed(Tensor in, Norm norm) throws IOException {
    GraphValue value = values.get(in);
    if (norm != null && !normed.containsKey(List.of(in, norm))) {
      normed.put(List.of(in, norm),
          GraphValue.rows(graph, in.shape(), rows.norm(value.rows(), norm, in.shape().channels())));
    }
    return norm == null ? value : normed.get(List.of(in, norm));
  }

  /** Rows read through a map. */
  private String gathered(Call call, RowSource source, int width) throws IOException {
    Shape shape = call.in().shape();
    if (source.map().groups() == 1 && width == shape.channels()) {
      // A norm row by row may go first, as in the published models; padding stays zero behind it.
      return rows.reordered(normed(call.in(), source.norm()).rows(), source.map(), shape, attentionTokens(call.out()));
    }
    String merged = rows.merged(values.get(call.in()).rows(), source.map(), shape, width);
    return source.norm() == null ? merged : rows.norm(merged, source.norm(), width);
  }

  private String attention(Call call, WindowAttention op) throws IOException {
    Shape in = call.in().shape();
    int windows = in.rows() / op.tokens();
    int period = op.mask() == null ? 1 : op.mask().windows();
    AttentionSizes sizes = new AttentionSizes(windows, period, op.tokens(), op.heads(), op.headDim(), op.scale());
    String heard = graph.attention(values.get(call.in()).rows(), sizes, AttentionBias.of(op, period));
    return graph.reshape(heard, GraphValue.flat(call.out().shape()));
  }

  /** Tokens of a window of the attention that reads or makes a tensor; 0 if none does. */
  private int attentionTokens(Tensor tensor) {
    return recording.calls().stream().filter(call -> call.in() == tensor || call.out() == tensor).map(Call::op)
        .filter(WindowAttention.class::isInstance).map(WindowAttention.class::cast).mapToInt(WindowAttention::tokens)
        .findFirst().orElse(0);
  }
}
