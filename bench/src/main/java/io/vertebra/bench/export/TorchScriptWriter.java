package io.vertebra.bench.export;

import io.vertebra.program.op.Activation;
import io.vertebra.program.op.Window;
import io.vertebra.program.op.WindowPool;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/**
 * Writes a TorchScript archive: a zip with the module's source text, its constants as a pickled tuple of tensors, and
 * one entry for each tensor's bytes (torch/csrc/jit/docs/serialization.md).
 */
final class TorchScriptWriter implements GraphWriter {
  private static final String INPUT = "image";

  private final ZipOutputStream zip;
  private final StringBuilder code = new StringBuilder();
  private final List<int[]> constants = new ArrayList<>();
  private int count;

  TorchScriptWriter(Path file) throws IOException {
    this.zip = new ZipOutputStream(Files.newOutputStream(file));
    code.append("class Backbone(Module):\n  __parameters__ = []\n  __buffers__ = []\n")
        .append("  def forward(self: __torch__.Backbone, ").append(INPUT).append(": Tensor) -> Tensor:\n");
  }

  @Override
  public String input() {
    return INPUT;
  }

  @Override
  public String constant(float[] values, int... shape) {
    ByteBuffer bytes = ByteBuffer.allocate(values.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(values);
    store("constants/" + constants.size(), bytes.array());
    constants.add(shape.clone());
    return "CONSTANTS.c" + (constants.size() - 1);
  }

  @Override
  public String conv(String in, float[] kernel, int[] shape, String bias, Window window, int groups) {
    int axes = shape.length - 2;
    int[] ones = new int[axes];
    Arrays.fill(ones, 1);
    return let("torch.conv" + axes + "d(" + in + ", " + constant(kernel, shape) + ", " + optional(bias) + ", "
        + list(GraphWriter.extents(window.stride(), axes)) + ", " + list(GraphWriter.extents(window.padding(), axes))
        + ", " + list(ones) + ", " + groups + ")");
  }

  @Override
  public String linear(String in, float[] weights, int outs, int ins, String bias) {
    return let("torch.linear(" + in + ", " + constant(weights, outs, ins) + ", " + optional(bias) + ")");
  }

  @Override
  public String layerNorm(String in, String gamma, String beta, float eps, int width) {
    return let("torch.layer_norm(" + in + ", " + list(width) + ", " + gamma + ", " + beta + ", " + eps + ")");
  }

  @Override
  public String product(String a, String b) {
    return let("torch.matmul(" + a + ", " + b + ")");
  }

  @Override
  public String activate(String in, Activation function) {
    return function == Activation.IDENTITY ? in
        : let("torch." + function.name().toLowerCase(Locale.ROOT) + "(" + in + ")");
  }

  @Override
  public String add(String a, String b) {
    return let("torch.add(" + a + ", " + b + ")");
  }

  @Override
  public String multiply(String a, String b) {
    return let("torch.mul(" + a + ", " + b + ")");
  }

  @Override
  public String reshape(String in, int... shape) {
    return let("torch.reshape(" + in + ", " + list(shape) + ")");
  }

  @Override
  public String permute(String in, int... axes) {
    return let("torch.permute(" + in + ", " + list(axes) + ")");
  }

  @Override
  public String slice(String in, int axis, int from, int to) {
    return let("torch.slice(" + in + ", " + axis + ", " + from + ", " + to + ")");
  }

  @Override
  public String concatenate(int axis, String... parts) {
    return let("torch.cat([" + String.join(", ", parts) + "], " + axis + ")");
  }

  @Override
  public String roll(String in, int rows, int columns) {
    return let("torch.roll(" + in + ", " + list(-rows, -columns) + ", [1, 2])");
  }

  @Override
  public String gather(String in, int[] rows, boolean padded, int width) {
    // Constants are fp32, which holds row numbers below 2^24 exactly.
    float[] indices = new float[rows.length];
    for (int i = 0; i < rows.length; i++) {
      indices[i] = rows[i];
    }
    String source = padded ? concatenate(0, in, constant(new float[width], 1, width)) : in;
    return let("torch.index_select(" + source + ", 0, torch.to(" + constant(indices, rows.length) + ", 4))");
  }

  @Override
  public String pool(String in, WindowPool.Kind kind, Window window, int axes) {
    String size = list(GraphWriter.extents(window.size(), axes));
    String stride = list(GraphWriter.extents(window.stride(), axes));
    String padding = list(GraphWriter.extents(window.padding(), axes));
    int[] ones = new int[axes];
    Arrays.fill(ones, 1);
    return kind == WindowPool.Kind.MAX
        ? let("torch.max_pool" + axes + "d(" + in + ", " + size + ", " + stride + ", " + padding + ", " + list(ones)
            + ", False)")
        : let("torch.avg_pool" + axes + "d(" + in + ", " + size + ", " + stride + ", " + padding
            + ", False, False, None)");
  }

  @Override
  public String repeat(String in, int size, int height, int width) {
    return let("torch.upsample_nearest2d(" + in + ", " + list(height, width) + ", None, None)");
  }

  @Override
  public String bilinear(String in, int height, int width) {
    return let("torch.upsample_bilinear2d(" + in + ", " + list(height, width) + ", False, None, None)");
  }

  @Override
  public String globalFilter(String in, FilterSizes sizes, float[] filter) {
    float[] byChannel = new float[filter.length];
    int frequencies = sizes.height() * sizes.columns();
    for (int i = 0; i < byChannel.length; i++) {
      int channel = i / 2 / frequencies;
      byChannel[i] = filter[(i / 2 % frequencies * sizes.channels() + channel) * 2 + i % 2];
    }
    String complex
        = "torch.view_as_complex(" + constant(byChannel, sizes.channels(), sizes.height(), sizes.columns(), 2) + ")";
    String spectrum = let("torch.fft_rfft2(" + in + ", None, [-2, -1], \"ortho\")");
    return let("torch.fft_irfft2(" + multiply(spectrum, complex) + ", " + list(sizes.height(), sizes.width())
        + ", [-2, -1], \"ortho\")");
  }

  @Override
  public String attention(String in, AttentionSizes sizes, float[] bias) {
    int tokens = sizes.tokens();
    int heads = sizes.heads();
    String split = permute(reshape(in, sizes.windows(), tokens, 3, heads, sizes.headDim()), 2, 0, 3, 1, 4);
    String mask = bias == null ? "None"
        : constant(tiled(bias, sizes), sizes.period() == 1 ? 1 : sizes.windows(), heads, tokens, tokens);
    String attended = let("torch.scaled_dot_product_attention(torch.select(" + split + ", 0, 0), torch.select(" + split
        + ", 0, 1), torch.select(" + split + ", 0, 2), " + mask + ", 0., False, scale=" + sizes.scale() + ")");
    return reshape(permute(attended, 0, 2, 1, 3), sizes.windows() * tokens, heads * sizes.headDim());
  }

  /** A bias by window, repeated for every image of the batch. */
  private static float[] tiled(float[] bias, AttentionSizes sizes) {
    if (sizes.period() == 1) {
      return bias;
    }
    float[] tiled = new float[bias.length * (sizes.windows() / sizes.period())];
    for (int i = 0; i < tiled.length; i += bias.length) {
      System.arraycopy(bias, 0, tiled, i, bias.length);
    }
    return tiled;
  }

  @Override
  public String mean(String in, int... axes) {
    return let("torch.mean(" + in + ", " + list(axes) + ")");
  }

  @Override
  public String softmax(String in) {
    return let("torch.softmax(" + in + ", -1)");
  }

  @Override
  public void output(String name, String value, int... shape) {
    code.append("    return ").append(value).append('\n');
  }

  private String let(String expression) {
    String name = "v" + ++count;
    code.append("    ").append(name).append(" = ").append(expression).append('\n');
    return name;
  }

  private static String optional(String value) {
    return value == null ? "None" : value;
  }

  private static String list(int... values) {
    return Arrays.toString(values);
  }

  private void store(String name, byte[] bytes) {
    CRC32 crc = new CRC32();
    crc.update(bytes);
    ZipEntry entry = new ZipEntry("backbone/" + name);
    entry.setMethod(ZipEntry.STORED);
    entry.setSize(bytes.length);
    entry.setCrc(crc.getValue());
    Writing.unchecked(() -> {
      zip.putNextEntry(entry);
      zip.write(bytes);
      zip.closeEntry();
    });
  }

  @Override
  public void close() {
    store("code/__torch__.py", code.toString().getBytes(StandardCharsets.UTF_8));
    store("constants.pkl", Pickle.tensors(constants));
    store("data.pkl", Pickle.emptyObject("__torch__", "Backbone"));
    store("version", "3\n".getBytes(StandardCharsets.UTF_8));
    Writing.unchecked(zip::close);
  }
}
