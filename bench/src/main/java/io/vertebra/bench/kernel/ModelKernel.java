package io.vertebra.bench.kernel;

import io.vertebra.backend.Backend;
import io.vertebra.bench.ChannelOrder;
import io.vertebra.program.Cost;
import io.vertebra.program.Recorder;
import io.vertebra.program.Recording;
import io.vertebra.program.op.Activation;
import io.vertebra.program.op.Call;
import io.vertebra.program.op.DepthwiseConv;
import io.vertebra.program.op.GlobalFilter;
import io.vertebra.program.op.Op;
import io.vertebra.program.op.Weights;
import io.vertebra.program.op.Window;
import io.vertebra.program.op.WindowAttention;
import io.vertebra.reference.ReferenceBackend.ReferenceWeights;
import io.vertebra.tensor.Precision;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Tensor;
import io.vertebra.weights.FormulaWeights;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * An attention, a depthwise convolution or a few global filters, taken out of a model with their weights, on an operand
 * of their own. Immutable.
 *
 * @param name what it is, and its sizes
 * @param ops over the reference backend's weights, one after the other
 * @param images the operand, {@code [batch, channels, height, width]}, of {@code shape}
 */
public record ModelKernel(String name, List<Op> ops, Shape shape, float[] images, double flops) {
  /** So many filters stand in a row that conversions a library makes around them weigh little. */
  private static final int FILTERS = 8;
  private static final String IN = "in";

  /** Those of models which differ in more than their weights, in the order they run. */
  public static List<ModelKernel> of(List<String> models, int size) {
    Map<String, List<Call>> alike = new LinkedHashMap<>();
    ModelCalls.of(models, size).forEach(call -> {
      String name = describe(call);
      if (name != null) {
        alike.computeIfAbsent(name, absent -> new ArrayList<>()).add(call);
      }
    });
    return alike.entrySet().stream().map(entry -> of(entry.getKey(), entry.getValue())).toList();
  }

  private static ModelKernel of(String name, List<Call> calls) {
    Call first = calls.get(0);
    int count = first.op() instanceof GlobalFilter ? FILTERS : 1;
    List<Op> ops = calls.stream().limit(count).map(Call::op).toList();
    String full = ops.size() == 1 ? name : ops.size() + " x " + name;
    Shape in = first.in().shape();
    Shape shape = first.op() instanceof WindowAttention ? Shape.of(in.rows(), in.channels(), 1, 1)
        : Shape.of(in.dim(0), channels(first), in.dim(1), in.dim(2));
    double flops = ops.size() * (double) Cost.of(first, Float.BYTES).flops();
    return new ModelKernel(full, ops, shape, FormulaWeights.input(full, shape), flops);
  }

  /** Channels of the operand that are read. */
  private static int channels(Call call) {
    int channels = call.out().shape().channels();
    return call.op() instanceof DepthwiseConv conv ? channels / conv.multiplier() : channels;
  }

  /** Without commas, which JMH takes for separators; null for any other step. */
  private static String describe(Call call) {
    Shape in = call.in().shape();
    if (call.op() instanceof WindowAttention op) {
      return "attention " + in.rows() / op.tokens() + "x" + op.tokens() + " tokens " + op.heads() + "x" + op.headDim()
          + (op.bias() == null ? "" : " bias") + (op.mask() == null ? "" : " mask");
    } else if (call.op() instanceof GlobalFilter) {
      return "global filter " + in.dim(1) + "x" + in.dim(2) + "x" + channels(call);
    } else if (call.op() instanceof DepthwiseConv op && in.rank() == 4) {
      Window.Extent size = op.window().size();
      return "depthwise " + size.height() + "x" + size.width() + " stride " + op.window().stride().height() + " on "
          + in.dim(1) + "x" + in.dim(2) + "x" + channels(call)
          + (op.multiplier() == 1 ? "" : " times " + op.multiplier()) + (op.bias() == null ? "" : " bias")
          + (op.activation() == Activation.IDENTITY ? "" : " " + op.activation().name().toLowerCase(Locale.ROOT));
    }
    return null;
  }

  /** The operand as we take it, {@code [batch, height, width, channels]}. */
  public float[] operand() {
    return ChannelOrder.channelsLast(images, shape);
  }

  /** Our kernel. */
  public Kernel vertebra(int threads) {
    Shape channelsLast = Shape.of(shape.dim(0), shape.dim(2), shape.dim(3), shape.dim(1));
    // As an output the operand keeps its memory, and every run finds it.
    return new VertebraKernel(threads, Precision.FP32,
        backend -> Recording.of(channelsLast, Set.of(VertebraKernel.OUT, IN), r -> {
          r.output(IN, r.input());
          r.output(VertebraKernel.OUT, record(r, backend));
        }), operand());
  }

  /** Records the operations on the recorder's input. */
  public Tensor record(Recorder r, Backend backend) {
    Tensor x = r.input();
    for (int i = 0; i < ops.size(); i++) {
      x = record(r, backend, "op" + i, x, ops.get(i));
    }
    return x;
  }

  private static Tensor record(Recorder r, Backend backend, String name, Tensor x, Op op) {
    if (op instanceof WindowAttention attention) {
      return r.record(name, new WindowAttention(attention.tokens(), attention.heads(), attention.headDim(),
          attention.scale(), packed(attention.bias(), backend), attention.mask()), x);
    } else if (op instanceof GlobalFilter filter) {
      return r.record(name, new GlobalFilter(packed(filter.filter(), backend), 0), x);
    } else if (op instanceof DepthwiseConv conv) {
      return r.record(name, new DepthwiseConv(packed(conv.weights(), backend), packed(conv.bias(), backend),
          conv.window(), 0, conv.multiplier(), conv.activation()), x);
    }
    throw new IllegalArgumentException("no kernel to compare: " + op);
  }

  private static Weights packed(Weights weights, Backend backend) {
    return weights == null ? null : backend.packValues(weights.shape(), ((ReferenceWeights) weights).values());
  }
}
