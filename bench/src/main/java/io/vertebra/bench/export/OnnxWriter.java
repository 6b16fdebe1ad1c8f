package io.vertebra.bench.export;

import com.google.protobuf.CodedOutputStream;
import com.google.protobuf.UnsafeByteOperations;
import io.vertebra.program.op.Activation;
import io.vertebra.program.op.Window;
import io.vertebra.program.op.WindowPool;
import io.vertebra.tensor.Shape;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

/**
 * Writes an ONNX ModelProto (onnx.proto3 of ONNX 1.12, IR version 8) as it goes along: the graph is a series of partial
 * messages, which protobuf readers merge into one, so nothing is held in memory.
 */
final class OnnxWriter implements GraphWriter {
  private static final int FLOAT = 1;
  private static final int INT64 = 7;
  private static final int OPSET = 17;

  private final OutputStream stream;
  private final CodedOutputStream model;
  private int count;

  OnnxWriter(Path file, Shape image) throws IOException {
    this.stream = Files.newOutputStream(file);
    this.model = CodedOutputStream.newInstance(stream, 1 << 16);
    model.writeInt64(1, 8);
    model.writeString(2, "vertebra");
    model.writeBytes(8, new ProtoMessage().string(1, "").integer(2, OPSET).toByteString());
    graph(new ProtoMessage().string(2, "backbone"));
    int[] channelsFirst = {image.dim(0), image.dim(3), image.dim(1), image.dim(2)};
    graph(new ProtoMessage().message(11, valueInfo(OnnxExporter.INPUT, channelsFirst)));
  }

  @Override
  public String input() {
    return OnnxExporter.INPUT;
  }

  @Override
  public String constant(float[] values, int... shape) {
    ByteBuffer bytes = ByteBuffer.allocate(values.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(values);
    return initializer(FLOAT, bytes, shape);
  }

  private String indices(int... values) {
    return initializer(INT64, longs(values), values.length);
  }

  private static ByteBuffer longs(int... values) {
    ByteBuffer bytes = ByteBuffer.allocate(values.length * Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asLongBuffer().put(Arrays.stream(values).asLongStream().toArray());
    return bytes;
  }

  private String initializer(int type, ByteBuffer values, int... shape) {
    String name = name("weight");
    ProtoMessage tensor = new ProtoMessage();
    for (int dim : shape) {
      tensor.integer(1, dim);
    }
    tensor.integer(2, type).string(8, name).bytes(9, UnsafeByteOperations.unsafeWrap(values));
    graph(new ProtoMessage().message(5, tensor));
    return name;
  }

  private String scalar(float value) {
    return constant(new float[] {value});
  }

  @Override
  public String conv(String in, float[] kernel, int[] shape, String bias, Window window, int groups) {
    int axes = shape.length - 2;
    String[] inputs = bias == null ? inputs(in, constant(kernel, shape)) : inputs(in, constant(kernel, shape), bias);
    return node("Conv", inputs, ints("kernel_shape", Arrays.copyOfRange(shape, 2, shape.length)),
        ints("strides", GraphWriter.extents(window.stride(), axes)), pads(window, axes), integer("group", groups));
  }

  /** Before every axis, then behind every axis. */
  private static ProtoMessage pads(Window window, int axes) {
    int[] padding = GraphWriter.extents(window.padding(), axes);
    int[] both = Arrays.copyOf(padding, 2 * axes);
    System.arraycopy(padding, 0, both, axes, axes);
    return ints("pads", both);
  }

  @Override
  public String linear(String in, float[] weights, int outs, int ins, String bias) {
    float[] transposed = new float[weights.length];
    for (int i = 0; i < transposed.length; i++) {
      transposed[i] = weights[i % outs * ins + i / outs];
    }
    String product = product(in, constant(transposed, ins, outs));
    return bias == null ? product : add(product, bias);
  }

  @Override
  public String product(String a, String b) {
    return node("MatMul", inputs(a, b));
  }

  @Override
  public String layerNorm(String in, String gamma, String beta, float eps, int width) {
    return node("LayerNormalization", inputs(in, gamma, beta), integer("axis", -1), real("epsilon", eps));
  }

  @Override
  public String activate(String in, Activation function) {
    return switch (function) {
      case GELU -> {
        // As PyTorch's exporter writes it: a pattern that runtimes know.
        String erf = node("Erf", inputs(node("Div", inputs(in, scalar((float) Math.sqrt(2))))));
        yield multiply(multiply(in, add(erf, scalar(1))), scalar(0.5f));
      }
      case RELU -> node("Relu", inputs(in));
      case SILU -> multiply(in, node("Sigmoid", inputs(in)));
      case SIGMOID -> node("Sigmoid", inputs(in));
      case TANH -> node("Tanh", inputs(in));
      case IDENTITY -> in;
    };
  }

  @Override
  public String add(String a, String b) {
    return node("Add", inputs(a, b));
  }

  @Override
  public String multiply(String a, String b) {
    return node("Mul", inputs(a, b));
  }

  @Override
  public String reshape(String in, int... shape) {
    return node("Reshape", inputs(in, indices(shape)));
  }

  @Override
  public String permute(String in, int... axes) {
    return node("Transpose", inputs(in), ints("perm", axes));
  }

  @Override
  public String slice(String in, int axis, int from, int to) {
    return node("Slice", inputs(in, indices(from), indices(to), indices(axis)));
  }

  @Override
  public String concatenate(int axis, String... parts) {
    return node("Concat", parts, integer("axis", axis));
  }

  @Override
  public String roll(String in, int rows, int columns) {
    return rollAxis(rollAxis(in, 1, rows), 2, columns);
  }

  private String rollAxis(String in, int axis, int shift) {
    if (shift == 0) {
      return in;
    }
    return concatenate(axis, slice(in, axis, shift, Integer.MAX_VALUE), slice(in, axis, 0, shift));
  }

  @Override
  public String gather(String in, int[] rows, boolean padded, int width) {
    String source = padded ? concatenate(0, in, constant(new float[width], 1, width)) : in;
    return node("Gather", inputs(source, indices(rows)), integer("axis", 0));
  }

  @Override
  public String pool(String in, WindowPool.Kind kind, Window window, int axes) {
    return node(kind == WindowPool.Kind.MAX ? "MaxPool" : "AveragePool", inputs(in),
        ints("kernel_shape", GraphWriter.extents(window.size(), axes)),
        ints("strides", GraphWriter.extents(window.stride(), axes)), pads(window, axes));
  }

  @Override
  public String repeat(String in, int size, int height, int width) {
    return node("Resize", inputs(in, "", constant(new float[] {1, 1, size, size}, 4)), text("mode", "nearest"),
        text("coordinate_transformation_mode", "asymmetric"), text("nearest_mode", "floor"));
  }

  @Override
  public String bilinear(String in, int height, int width) {
    String batchAndChannels = node("Slice", inputs(node("Shape", inputs(in)), indices(0), indices(2)));
    String sizes = concatenate(0, batchAndChannels, indices(height, width));
    return node("Resize", inputs(in, "", "", sizes), text("mode", "linear"),
        text("coordinate_transformation_mode", "half_pixel"));
  }

  /**
   * By products with the matrices of the transforms over whole maps, not by the DFT operator: matrix products are what
   * runtimes are fast in. Every frequency is a pair (real, imaginary); times a filter that is
   * {@code pair * (r, r) + swapped pair *
   * (-i, i)}.
   */
  @Override
  public String globalFilter(String in, FilterSizes sizes, float[] filter) {
    int area = sizes.height() * sizes.width();
    int frequencies = sizes.height() * sizes.columns();
    FourierMatrices matrices = new FourierMatrices(sizes.height(), sizes.width());
    String positions = reshape(in, sizes.batch(), sizes.channels(), area);
    float[] real = new float[sizes.channels() * 2 * frequencies];
    float[] imaginary = new float[real.length];
    for (int i = 0; i < real.length; i++) {
      int channel = i / (2 * frequencies);
      int at = (i % frequencies * sizes.channels() + channel) * 2;
      real[i] = filter[at];
      imaginary[i] = i / frequencies % 2 == 0 ? -filter[at + 1] : filter[at + 1];
    }
    String pairs = product(positions, constant(matrices.forward(false), area, 2 * frequencies));
    String swapped = product(positions, constant(matrices.forward(true), area, 2 * frequencies));
    String filtered = add(multiply(pairs, constant(real, sizes.channels(), 2 * frequencies)),
        multiply(swapped, constant(imaginary, sizes.channels(), 2 * frequencies)));
    String result = product(filtered, constant(matrices.inverse(), 2 * frequencies, area));
    return reshape(result, sizes.batch(), sizes.channels(), sizes.height(), sizes.width());
  }

  @Override
  public String attention(String in, AttentionSizes sizes, float[] bias) {
    int tokens = sizes.tokens();
    int heads = sizes.heads();
    String split = permute(reshape(in, sizes.windows(), tokens, 3, heads, sizes.headDim()), 2, 0, 3, 1, 4);
    String q = multiply(part(split, 0), scalar(sizes.scale()));
    String scores = product(q, permute(part(split, 1), 0, 1, 3, 2));
    if (bias != null) {
      scores = addBias(scores, sizes, bias);
    }
    String attended = product(softmax(scores), part(split, 2));
    return reshape(permute(attended, 0, 2, 1, 3), sizes.windows() * tokens, heads * sizes.headDim());
  }

  private String addBias(String scores, AttentionSizes sizes, float[] bias) {
    int tokens = sizes.tokens();
    String constant = constant(bias, sizes.period(), sizes.heads(), tokens, tokens);
    int images = sizes.windows() / sizes.period();
    if (sizes.period() == 1 || images == 1) {
      return add(scores, constant);
    }
    String byImage = reshape(scores, images, sizes.period(), sizes.heads(), tokens, tokens);
    return reshape(add(byImage, constant), sizes.windows(), sizes.heads(), tokens, tokens);
  }

  private String part(String split, int index) {
    return node("Gather", inputs(split, initializer(INT64, longs(index))), integer("axis", 0));
  }

  @Override
  public String mean(String in, int... axes) {
    return node("ReduceMean", inputs(in), ints("axes", axes), integer("keepdims", 0));
  }

  @Override
  public String softmax(String in) {
    return node("Softmax", inputs(in), integer("axis", -1));
  }

  @Override
  public void output(String name, String value, int... shape) {
    graph(new ProtoMessage().message(1, new ProtoMessage().string(1, value).string(2, name).string(4, "Identity")));
    graph(new ProtoMessage().message(12, valueInfo(name, shape)));
  }

  private static String[] inputs(String... names) {
    return names;
  }

  private String node(String operation, String[] inputs, ProtoMessage... attributes) {
    String result = name("value");
    ProtoMessage node = new ProtoMessage();
    for (String input : inputs) {
      node.string(1, input);
    }
    node.string(2, result).string(3, operation + count).string(4, operation);
    for (ProtoMessage attribute : attributes) {
      node.message(5, attribute);
    }
    graph(new ProtoMessage().message(1, node));
    return result;
  }

  private static ProtoMessage integer(String name, long value) {
    return new ProtoMessage().string(1, name).integer(3, value).integer(20, 2);
  }

  private static ProtoMessage real(String name, float value) {
    return new ProtoMessage().string(1, name).real(2, value).integer(20, 1);
  }

  private static ProtoMessage text(String name, String value) {
    return new ProtoMessage().string(1, name).string(4, value).integer(20, 3);
  }

  private static ProtoMessage ints(String name, int... values) {
    ProtoMessage attribute = new ProtoMessage().string(1, name);
    for (int value : values) {
      attribute.integer(8, value);
    }
    return attribute.integer(20, 7);
  }

  private static ProtoMessage valueInfo(String name, int... dims) {
    ProtoMessage shape = new ProtoMessage();
    for (int dim : dims) {
      shape.message(1, new ProtoMessage().integer(1, dim));
    }
    ProtoMessage tensor = new ProtoMessage().integer(1, FLOAT).message(2, shape);
    return new ProtoMessage().string(1, name).message(2, new ProtoMessage().message(1, tensor));
  }

  private String name(String kind) {
    return kind + ++count;
  }

  private void graph(ProtoMessage part) {
    Writing.unchecked(() -> model.writeBytes(7, part.toByteString()));
  }

  @Override
  public void close() {
    Writing.unchecked(() -> {
      model.flush();
      stream.close();
    });
  }
}
