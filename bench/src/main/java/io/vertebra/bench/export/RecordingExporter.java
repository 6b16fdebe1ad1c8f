package io.vertebra.bench.export;

import io.vertebra.bench.export.GraphWriter.AttentionSizes;
import io.vertebra.program.Activation;
import io.vertebra.program.Call;
import io.vertebra.program.Epilogue;
import io.vertebra.program.Norm;
import io.vertebra.program.Op;
import io.vertebra.program.Recording;
import io.vertebra.program.RowMap;
import io.vertebra.program.RowSource;
import io.vertebra.program.Shape;
import io.vertebra.program.Tensor;
import io.vertebra.program.Weights;
import io.vertebra.reference.ReferenceBackend.ReferenceWeights;
import java.io.IOException;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * Writes a recorded forward pass, with its weights, as a graph another runtime takes: what is fused here is taken apart
 * into the standard operations those runtimes expect and fuse in their own way. Row maps become convolution, roll,
 * reshape and permute where that is what they do, and a gather otherwise.
 *
 * <p>Token maps {@code [batch, height, width, channels]} are written {@code [batch, height * width, channels]}.
 */
final class RecordingExporter {
  private final Recording recording;
  private final GraphWriter graph;
  private final Map<Tensor, String> values = new HashMap<>();

  /** @param recording one whose weights the reference backend packed */
  RecordingExporter(Recording recording, GraphWriter graph) {
    this.recording = recording;
    this.graph = graph;
  }

  /** @throws IllegalArgumentException for an operation that has no translation */
  void export() throws IOException {
    for (Call call : recording.calls()) {
      values.put(call.out(), translate(call));
    }
    for (Map.Entry<String, Tensor> output : recording.outputs().entrySet()) {
      graph.output(output.getKey(), values.get(output.getValue()), flat(output.getValue().shape()));
    }
  }

  private String translate(Call call) throws IOException {
    Op op = call.op();
    if (op instanceof Op.Linear linear) {
      return linear(call, linear);
    } else if (op instanceof Op.LayerNorm norm) {
      String rows = rows(call.in(), norm.rows(), call.out().shape().channels(), 0);
      return graph.reshape(rows, flat(call.out().shape()));
    } else if (op instanceof Op.WindowAttention attention) {
      return attention(call, attention);
    } else if (op instanceof Op.MeanPool) {
      return graph.meanTokens(value(call.in()));
    } else if (op instanceof Op.Softmax) {
      return graph.softmax(value(call.in()));
    } else if (op instanceof Op.Sum sum) {
      return positions(call, sum);
    }
    throw new IllegalArgumentException("no translation for " + call);
  }

  /** A tensor plus weights that repeat for every image. */
  private String positions(Call call, Op.Sum op) throws IOException {
    int[] shape = flat(call.in().shape());
    shape[0] = 1;
    boolean translated = op.activation() == Activation.IDENTITY && op.terms().size() == 2 && op.terms().get(0).map() == null
        && op.terms().get(1).weights() != null && repeats(op.terms().get(1).map(), shape[1]);
    if (!translated) {
      throw new IllegalArgumentException("no translation for " + call);
    }
    return graph.add(value(call.in()), graph.constant(floats(op.terms().get(1).weights()), shape));
  }

  private static boolean repeats(RowMap map, int period) {
    return map != null && IntStream.range(0, map.size()).allMatch(row -> map.row(row) == row % period);
  }

  private String linear(Call call, Op.Linear op) throws IOException {
    Epilogue epilogue = op.epilogue();
    boolean translated = (epilogue.activation() == Activation.IDENTITY || epilogue.activation() == Activation.GELU)
        && !epilogue.activationLast() && epilogue.gate() == null && epilogue.residualRows() == null;
    if (!translated) {
      throw new IllegalArgumentException("no translation for the epilogue of " + call);
    }
    Shape out = call.out().shape();
    String sum = patchEmbedding(call, op);
    if (sum == null) {
      int ins = op.weights().shape().dim(1);
      String rows = rows(call.in(), op.rows(), ins, attentionTokens(call.out()));
      String bias = op.epilogue().bias() == null ? null : vector(op.epilogue().bias());
      sum = graph.linear(rows, floats(op.weights()), out.channels(), ins, bias);
    }
    if (op.epilogue().activation() == Activation.GELU) {
      sum = graph.gelu(sum);
    }
    if (op.epilogue().map() != null) {
      sum = scatter(sum, op.epilogue().map(), out, attentionTokens(call.in()));
    }
    boolean mapped = op.rows().map() != null || op.epilogue().map() != null;
    if (mapped) {
      sum = graph.reshape(sum, flat(out));
    }
    Tensor residual = op.epilogue().residual();
    return residual == null ? sum : graph.add(value(residual), sum);
  }

  /** A convolution, if the call is one on the input; else null. */
  private String patchEmbedding(Call call, Op.Linear op) throws IOException {
    Shape image = recording.inputs().get(0).shape();
    int channels = image.channels();
    int outs = op.weights().shape().dim(0);
    int area = op.weights().shape().dim(1) / channels;
    int patch = (int) Math.round(Math.sqrt(area));
    RowMap map = op.rows().map();
    if (call.in() != recording.inputs().get(0) || map == null || patch * patch != area
        || !TokenOrder.cutsPatches(map, image, patch)) {
      return null;
    }
    float[] pixelsFirst = floats(op.weights());
    float[] kernel = new float[pixelsFirst.length];
    for (int i = 0; i < kernel.length; i++) {
      int out = i / (area * channels);
      kernel[i] = pixelsFirst[(out * area + i % area) * channels + i / area % channels];
    }
    String bias = op.epilogue().bias() == null ? null : vector(op.epilogue().bias());
    String maps = graph.patches(graph.input(), graph.constant(kernel, outs, channels, patch, patch), bias, patch);
    int tokens = call.out().shape().rows() / image.dim(0);
    return graph.permute(graph.reshape(maps, image.dim(0), outs, tokens), 0, 2, 1);
  }

  /**
   * Rows as a row source reads them; {@code [rows, width]} if they are mapped. {@code tokens} of a window, or 0 if none
   * follows.
   */
  private String rows(Tensor in, RowSource source, int width, int tokens) throws IOException {
    RowMap map = source.map();
    Norm norm = source.norm();
    if (map == null) {
      return norm(value(in), norm, width);
    }
    Shape shape = in.shape();
    if (map.groups() == 1) {
      // A norm row by row may go first, as in the published models; padding stays zero behind it.
      String normed = norm(value(in), norm, width);
      TokenOrder order = shape.rank() == 4 && tokens > 0 ? TokenOrder.of(map, shape, tokens) : null;
      return order == null ? gather(normed, map, shape.rows(), width) : partition(normed, order, shape);
    }
    if (shape.rank() == 4 && width == 4 * shape.channels() && TokenOrder.merges(map, shape)) {
      String quads = graph.reshape(value(in), shape.dim(0), shape.dim(1) / 2, 2, shape.dim(2) / 2, 2, shape.channels());
      String merged = graph.reshape(graph.permute(quads, 0, 1, 3, 4, 2, 5), shape.dim(0),
          shape.rows() / shape.dim(0) / 4, width);
      return norm(merged, norm, width);
    }
    int segment = width / map.groups();
    return norm(gather(value(in), map, Math.toIntExact(shape.elements() / segment), segment), norm, width);
  }

  private String norm(String in, Norm norm, int width) throws IOException {
    return norm == null ? in : graph.layerNorm(in, vector(norm.gamma()), vector(norm.beta()), norm.eps(), width);
  }

  private String gather(String in, RowMap map, int sourceRows, int segment) throws IOException {
    int[] rows = map.toArray();
    boolean padded = Arrays.stream(rows).anyMatch(row -> row < 0);
    Arrays.setAll(rows, i -> rows[i] < 0 ? sourceRows : rows[i]);
    String gathered = graph.gather(graph.reshape(in, sourceRows, segment), rows, padded, segment);
    return graph.reshape(gathered, map.size(), map.groups() * segment);
  }

  private String partition(String in, TokenOrder order, Shape map) throws IOException {
    int batch = map.dim(0);
    int down = map.dim(1) / order.rows();
    int across = map.dim(2) / order.columns();
    String rolled = graph.reshape(in, map.toArray());
    if (order.shiftRows() != 0 || order.shiftColumns() != 0) {
      rolled = graph.roll(rolled, order.shiftRows(), order.shiftColumns());
    }
    String cut = graph.reshape(rolled, batch, down, order.rows(), across, order.columns(), map.channels());
    return graph.reshape(graph.permute(cut, 0, 1, 3, 2, 4, 5), map.rows(), map.channels());
  }

  private String scatter(String in, RowMap map, Shape out, int tokens) throws IOException {
    TokenOrder order = out.rank() == 4 && tokens > 0 ? TokenOrder.of(map, out, tokens) : null;
    if (order == null) {
      int[] inverse = new int[out.rows()];
      for (int i = 0; i < map.size(); i++) {
        if (map.row(i) >= 0) {
          inverse[map.row(i)] = i;
        }
      }
      return graph.gather(graph.reshape(in, map.size(), out.channels()), inverse, false, out.channels());
    }
    int batch = out.dim(0);
    int down = out.dim(1) / order.rows();
    int across = out.dim(2) / order.columns();
    String cut = graph.reshape(in, batch, down, across, order.rows(), order.columns(), out.channels());
    String whole = graph.reshape(graph.permute(cut, 0, 1, 3, 2, 4, 5), out.toArray());
    return order.shiftRows() == 0 && order.shiftColumns() == 0 ? whole
        : graph.roll(whole, out.dim(1) - order.shiftRows(), out.dim(2) - order.shiftColumns());
  }

  private String attention(Call call, Op.WindowAttention op) throws IOException {
    int windows = call.in().shape().rows() / op.tokens();
    int period = op.mask() == null ? 1 : op.mask().windows();
    AttentionSizes sizes = new AttentionSizes(windows, period, op.tokens(), op.heads(), op.headDim(), op.scale());
    String out = graph.attention(value(call.in()), sizes, bias(op, period));
    return graph.reshape(out, flat(call.out().shape()));
  }

  /** Bias and mask in one: {@code [period, heads, tokens, tokens]}. */
  private static float[] bias(Op.WindowAttention op, int period) {
    if (op.bias() == null && op.mask() == null) {
      return null;
    }
    int pairs = op.tokens() * op.tokens();
    float[] relative = op.bias() == null ? new float[op.heads() * pairs] : floats(op.bias());
    float[] bias = new float[period * relative.length];
    for (int i = 0; i < bias.length; i++) {
      int window = i / relative.length;
      int query = i % pairs / op.tokens();
      int key = i % op.tokens();
      boolean masked = op.mask() != null && op.mask().label(window, query) != op.mask().label(window, key);
      bias[i] = relative[i % relative.length] - (masked ? 100 : 0);
    }
    return bias;
  }

  /** Tokens of a window of the attention that reads or makes a tensor; 0 if none does. */
  private int attentionTokens(Tensor tensor) {
    return recording.calls().stream().filter(call -> call.in() == tensor || call.out() == tensor)
        .map(Call::op).filter(Op.WindowAttention.class::isInstance).map(Op.WindowAttention.class::cast)
        .mapToInt(Op.WindowAttention::tokens).findFirst().orElse(0);
  }

  private String value(Tensor tensor) throws IOException {
    if (tensor == recording.inputs().get(0) && !values.containsKey(tensor)) {
      values.put(tensor, graph.reshape(graph.permute(graph.input(), 0, 2, 3, 1), flat(tensor.shape())));
    }
    return values.get(tensor);
  }

  private static int[] flat(Shape shape) {
    return shape.rank() == 4 ? new int[] {shape.dim(0), shape.dim(1) * shape.dim(2), shape.dim(3)} : shape.toArray();
  }

  private String vector(Weights weights) throws IOException {
    return graph.constant(floats(weights), Math.toIntExact(weights.shape().elements()));
  }

  private static float[] floats(Weights weights) {
    if (weights instanceof ReferenceWeights reference) {
      return reference.values();
    }
    throw new IllegalArgumentException("only recordings over the reference backend's weights can be exported");
  }
}
