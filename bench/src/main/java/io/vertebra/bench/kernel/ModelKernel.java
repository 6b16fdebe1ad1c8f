package io.vertebra.bench.kernel;

import io.vertebra.backend.Backend;
import io.vertebra.bench.measure.ChannelOrder;
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
 * @param kind of all its operations
 * @param name what it is, and its sizes
 * @param calls of models, alike but for their weights, which the reference backend packed; here one after the other
 * @param images the operand, {@code [batch, channels, height, width]}, of {@code shape}
 */
public record ModelKernel(Kind kind, String name, List<Call> calls, Shape shape, float[] images, double flops) {
  /** Which operation. */
  public enum Kind { ATTENTION, DEPTHWISE, FILTER }

  /** So many filters stand in a row that conversions a library makes around them weigh little. */
  private static final int FILTERS = 8;
  private static final String IN = "in";
  private static final Map<Class<? extends Op>, Kind> KINDS = Map.of(WindowAttention.class, Kind.ATTENTION,
      DepthwiseConv.class, Kind.DEPTHWISE, GlobalFilter.class, Kind.FILTER);

  /** Those of models which differ in more than their weights, in the order they run. */
  public static List<ModelKernel> of(List<String> models, int size) {
    Map<String, List<Call>> alike = new LinkedHashMap<>();
    ModelCalls.of(models, size).filter(call -> kind(call) != null)
        .forEach(call -> alike.computeIfAbsent(call.accept(NAME), absent -> new ArrayList<>()).add(call));
    return alike.entrySet().stream().map(entry -> of(entry.getKey(), entry.getValue())).toList();
  }

  /** Null for what peers are not compared on: other operations, and convolutions in time. */
  private static Kind kind(Call call) {
    Kind kind = KINDS.get(call.op().getClass());
    return kind == Kind.DEPTHWISE && call.in().shape().rank() == 5 ? null : kind;
  }

  private static ModelKernel of(String name, List<Call> calls) {
    Call first = calls.get(0);
    Kind kind = kind(first);
    List<Call> taken = calls.stream().limit(kind == Kind.FILTER ? FILTERS : 1).toList();
    String full = taken.size() == 1 ? name : taken.size() + " x " + name;
    Shape in = first.in().shape();
    Shape shape = kind == Kind.ATTENTION ? Shape.of(in.rows(), in.channels(), 1, 1)
        : Shape.of(in.dim(0), (int) (first.op().elementsRead(in, first.out().shape()) / in.rows()), in.dim(1),
            in.dim(2));
    double flops = taken.size() * (double) Cost.of(first, Float.BYTES).flops();
    return new ModelKernel(kind, full, taken, shape, FormulaWeights.input(full, shape), flops);
  }

  /** Without commas, which JMH takes for separators. */
  private static final Op.Selection<String> NAME = new Op.Selection<>() {
    @Override
    public String windowAttention(WindowAttention op, Call call) {
      return "attention " + call.in().shape().rows() / op.tokens() + "x" + op.tokens() + " tokens " + op.heads() + "x"
          + op.headDim() + (op.bias() == null ? "" : " bias") + (op.mask() == null ? "" : " mask");
    }

    @Override
    public String depthwiseConv(DepthwiseConv op, Call call) {
      Window.Extent size = op.window().size();
      return "depthwise " + size.height() + "x" + size.width() + " stride " + op.window().stride().height() + " on "
          + map(call) + call.out().shape().channels() / op.multiplier()
          + (op.multiplier() == 1 ? "" : " times " + op.multiplier()) + (op.bias() == null ? "" : " bias")
          + (op.activation() == Activation.IDENTITY ? "" : " " + op.activation().name().toLowerCase(Locale.ROOT));
    }

    @Override
    public String globalFilter(GlobalFilter op, Call call) {
      return "global filter " + map(call) + call.out().shape().channels();
    }

    private static String map(Call call) {
      return call.in().shape().dim(1) + "x" + call.in().shape().dim(2) + "x";
    }

    @Override
    public String otherwise(Call call) {
      throw new IllegalArgumentException("no kernel to compare: " + call);
    }
  };

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

  /** Records them on the recorder's input. */
  public Tensor record(Recorder r, Backend backend) {
    Tensor x = r.input();
    for (int i = 0; i < calls.size(); i++) {
      x = r.record("op" + i, calls.get(i).accept(new Repacked(backend)), x);
    }
    return x;
  }

  /** The operation on the channels of an operand of its own, its weights packed by another backend. */
  private record Repacked(Backend backend) implements Op.Selection<Op> {
    @Override
    public Op windowAttention(WindowAttention op, Call call) {
      return new WindowAttention(op.tokens(), op.heads(), op.headDim(), op.scale(), packed(op.bias()), op.mask());
    }

    @Override
    public Op depthwiseConv(DepthwiseConv op, Call call) {
      return new DepthwiseConv(packed(op.weights()), packed(op.bias()), op.window(), 0, op.multiplier(),
          op.activation());
    }

    @Override
    public Op globalFilter(GlobalFilter op, Call call) {
      return new GlobalFilter(packed(op.filter()), 0);
    }

    @Override
    public Op otherwise(Call call) {
      throw new IllegalArgumentException("no kernel to compare: " + call);
    }

    private Weights packed(Weights weights) {
      return weights == null ? null : backend.packValues(weights.shape(), ((ReferenceWeights) weights).values());
    }
  }
}
