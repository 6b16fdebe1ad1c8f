package io.vertebra.cpu;

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
import io.vertebra.program.op.Op;
import io.vertebra.program.op.PoolScores;
import io.vertebra.program.op.RecoverTokens;
import io.vertebra.program.op.RegionMask;
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
import java.nio.IntBuffer;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.LongConsumer;
import java.util.function.ToLongFunction;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;

/**
 * Turns recorded operations into native calls: fills the argument struct of each and owns what the structs point to,
 * tensors and weights apart. Not thread-safe.
 */
final class CpuBinder implements Op.Visitor<CpuBinder.Step>, AutoCloseable {
  /** A native operation. */
  @FunctionalInterface
  interface Kernel {
    int run(long pool, long args);
  }

  /** One bound call. */
  record Step(Kernel kernel, long args) {}

  private final CpuBackend backend;
  private final ToLongFunction<Tensor> addresses;
  private final List<NativeMemory> blocks = new ArrayList<>();
  /** Addresses. */
  private final Map<Object, Long> uploaded = new IdentityHashMap<>();
  /**
   * Calls run one after another and share one block of scratch memory; each setter writes its address into a struct.
   */
  private final List<LongConsumer> scratchSetters = new ArrayList<>();
  private long scratchBytesPerThread;
  private final boolean counting;
  private long bytes;

  private CpuBinder(CpuBackend backend, ToLongFunction<Tensor> addresses, boolean counting) {
    this.backend = backend;
    this.addresses = addresses;
    this.counting = counting;
  }

  /** @param addresses where each tensor lies */
  CpuBinder(CpuBackend backend, ToLongFunction<Tensor> addresses) {
    this(backend, addresses, false);
  }

  /** One whose steps do not run: it counts the {@link #bytes} that they would take, and allocates structs alone. */
  static CpuBinder counting(CpuBackend backend) {
    return new CpuBinder(backend, tensor -> 0, true);
  }

  Step[] bind(List<Call> calls, int threads) {
    Step[] steps = calls.stream().map(call -> call.accept(this)).toArray(Step[]::new);
    if (scratchBytesPerThread > 0) {
      long scratch = allocated(scratchBytesPerThread * threads, memory -> {});
      scratchSetters.forEach(setter -> setter.accept(scratch));
    }
    return steps;
  }

  @Override
  public Step linear(Linear op, Call call) {
    Shape weights = op.weights().shape();
    RowSource rows = op.rows();
    Epilogue epilogue = op.epilogue();
    vtb_gemm_args args = struct(vtb_gemm_args::new, vtb_gemm_args.class).arithmetic(backend.arithmetic())
        .m(rows.count(call.in().shape())).n(weights.dim(0)).k(weights.dim(1)).groups(groups(rows)).a(address(call.in()))
        .a_map(upload(rows.map())).gamma(gamma(rows)).beta(beta(rows)).eps(eps(rows))
        .activation(activation(epilogue.activation())).activation_last(epilogue.activationLast() ? 1 : 0)
        .weight(backend.matrix(op.weights())).bias(backend.values(epilogue.bias()))
        .residual(address(epilogue.residual())).residual_map(upload(epilogue.residualRows()))
        .out_map(upload(epilogue.map())).out(address(call.out()));
    Epilogue.Gate gate = epilogue.gate();
    if (gate != null) {
      args.gate(address(gate.tensor()) + (long) gate.firstChannel() * Float.BYTES)
          .gate_stride(gate.tensor().shape().channels());
    }
    needScratch(Native.vtb_gemm_scratch(args), args::scratch);
    return new Step(Native::vtb_gemm, args.address());
  }

  @Override
  public Step layerNorm(LayerNorm op, Call call) {
    RowSource rows = op.rows();
    Shape out = call.out().shape();
    return new Step(Native::vtb_layer_norm,
        struct(vtb_layer_norm_args::new, vtb_layer_norm_args.class).rows(out.rows()).channels(out.channels())
            .groups(groups(rows)).in(address(call.in())).map(upload(rows.map())).gamma(gamma(rows)).beta(beta(rows))
            .eps(eps(rows)).out(address(call.out())).address());
  }

  @Override
  public Step windowAttention(WindowAttention op, Call call) {
    int windows = call.in().shape().rows() / op.tokens();
    vtb_window_attention_args args
        = struct(vtb_window_attention_args::new, vtb_window_attention_args.class).windows(windows)
            .windows_per_image(op.mask() == null ? windows : op.mask().windows()).tokens(op.tokens()).heads(op.heads())
            .head_dim(op.headDim()).scale(op.scale()).qkv(address(call.in())).bias(backend.values(op.bias()))
            .bias_columns(op.biasColumns()).regions(upload(op.mask())).out(address(call.out()));
    needScratch(Native.vtb_window_attention_scratch(args), args::scratch);
    return new Step(Native::vtb_window_attention, args.address());
  }

  @Override
  public Step meanPool(MeanPool op, Call call) {
    Shape in = call.in().shape();
    return new Step(Native::vtb_mean_pool, struct(vtb_mean_pool_args::new, vtb_mean_pool_args.class).batch(in.dim(0))
        .tokens(in.positions()).channels(in.channels()).in(address(call.in())).out(address(call.out())).address());
  }

  @Override
  public Step softmax(Softmax op, Call call) {
    Shape in = call.in().shape();
    return new Step(Native::vtb_softmax, struct(vtb_softmax_args::new, vtb_softmax_args.class).rows(in.rows())
        .channels(in.channels()).in(address(call.in())).out(address(call.out())).address());
  }

  @Override
  public Step depthwiseConv(DepthwiseConv op, Call call) {
    Shape in = call.in().shape();
    Shape out = call.out().shape();
    Window window = op.window();
    vtb_depthwise_conv_args args = struct(vtb_depthwise_conv_args::new, vtb_depthwise_conv_args.class).batch(in.dim(0))
        .time(in.time()).height(in.dim(-3)).width(in.dim(-2)).in_channels(in.channels())
        .first_channel(op.firstChannel()).out_time(out.time()).out_height(out.dim(-3)).out_width(out.dim(-2))
        .channels(out.channels()).multiplier(op.multiplier()).size_time(window.size().time())
        .size_height(window.size().height()).size_width(window.size().width()).stride_time(window.stride().time())
        .stride_height(window.stride().height()).stride_width(window.stride().width())
        .padding_time(window.padding().time()).padding_height(window.padding().height())
        .padding_width(window.padding().width()).activation(activation(op.activation())).in(address(call.in()))
        .weight(backend.values(op.weights())).bias(backend.values(op.bias())).out(address(call.out()));
    needScratch(Native.vtb_depthwise_conv_scratch(args), args::scratch);
    return new Step(Native::vtb_depthwise_conv, args.address());
  }

  @Override
  public Step convolution(Convolution op, Call call) {
    Shape in = call.in().shape();
    vtb_convolution_args args = struct(vtb_convolution_args::new, vtb_convolution_args.class).batch(in.dim(0))
        .height(in.dim(1)).width(in.dim(2)).in_channels(in.channels()).channels(call.out().shape().channels())
        .activation(activation(op.activation())).in(address(call.in())).weight(backend.convolution(op.weights()))
        .bias(backend.values(op.bias())).out(address(call.out()));
    needScratch(Native.vtb_convolution_scratch(args), args::scratch);
    return new Step(Native::vtb_convolution, args.address());
  }

  @Override
  public Step globalFilter(GlobalFilter op, Call call) {
    Shape in = call.in().shape();
    vtb_global_filter_args args = struct(vtb_global_filter_args::new, vtb_global_filter_args.class).batch(in.dim(0))
        .height(in.dim(1)).width(in.dim(2)).in_channels(in.channels()).first_channel(op.firstChannel())
        .channels(call.out().shape().channels()).in(address(call.in())).filter(backend.values(op.filter()))
        .out(address(call.out()));
    needScratch(Native.vtb_global_filter_scratch(args), args::scratch);
    return new Step(Native::vtb_global_filter, args.address());
  }

  @Override
  public Step windowPool(WindowPool op, Call call) {
    Shape in = call.in().shape();
    Shape out = call.out().shape();
    Window window = op.window();
    return new Step(Native::vtb_window_pool,
        struct(vtb_window_pool_args::new, vtb_window_pool_args.class).batch(in.dim(0)).time(in.time())
            .height(in.dim(-3)).width(in.dim(-2)).channels(in.channels()).out_time(out.time()).out_height(out.dim(-3))
            .out_width(out.dim(-2)).size_time(window.size().time()).size_height(window.size().height())
            .size_width(window.size().width()).stride_time(window.stride().time())
            .stride_height(window.stride().height()).stride_width(window.stride().width())
            .padding_time(window.padding().time()).padding_height(window.padding().height())
            .padding_width(window.padding().width()).average(op.kind() == WindowPool.Kind.AVERAGE ? 1 : 0)
            .in(address(call.in())).out(address(call.out())).address());
  }

  @Override
  public Step adaptiveAveragePool(AdaptiveAveragePool op, Call call) {
    Shape in = call.in().shape();
    Shape out = call.out().shape();
    return new Step(Native::vtb_adaptive_average_pool,
        struct(vtb_adaptive_average_pool_args::new, vtb_adaptive_average_pool_args.class).batch(in.dim(0))
            .height(in.dim(1)).width(in.dim(2)).channels(in.channels()).out_height(out.dim(1)).out_width(out.dim(2))
            .in(address(call.in())).out(address(call.out())).address());
  }

  @Override
  public Step bilinear(Bilinear op, Call call) {
    Shape in = call.in().shape();
    Shape out = call.out().shape();
    return new Step(Native::vtb_bilinear,
        struct(vtb_bilinear_args::new, vtb_bilinear_args.class).batch(in.dim(0)).height(in.dim(1)).width(in.dim(2))
            .channels(in.channels()).out_height(out.dim(1)).out_width(out.dim(2)).in(address(call.in()))
            .out(address(call.out())).address());
  }

  @Override
  public Step affine(Affine op, Call call) {
    Shape in = call.in().shape();
    return new Step(Native::vtb_affine,
        struct(vtb_affine_args::new, vtb_affine_args.class).batch(in.dim(0)).positions(in.positions())
            .channels(in.channels()).activation(activation(op.activation())).in(address(call.in()))
            .factor(address(op.factor())).scale(backend.values(op.scale())).shift(backend.values(op.shift()))
            .out(address(call.out())).address());
  }

  @Override
  public Step sum(Sum op, Call call) {
    Shape out = call.out().shape();
    vtb_sum_args args = struct(vtb_sum_args::new, vtb_sum_args.class).rows(out.rows()).channels(out.channels())
        .terms(op.terms().size()).activation(activation(op.activation())).out(address(call.out()));
    for (int i = 0; i < op.terms().size(); i++) {
      Sum.Term term = op.terms().get(i);
      long source = term.tensor() != null ? address(term.tensor()) : backend.values(term.weights());
      long map = upload(term.map());
      switch (i) {
        case 0 -> args.in0(source).map0(map);
        case 1 -> args.in1(source).map1(map);
        default -> args.in2(source).map2(map);
      }
    }
    return new Step(Native::vtb_sum, args.address());
  }

  @Override
  public Step shrinkTokens(ShrinkTokens op, Call call) {
    Shape in = call.in().shape();
    Shape classToken = op.classToken().shape();
    return new Step(Native::vtb_shrink_tokens,
        struct(vtb_shrink_tokens_args::new, vtb_shrink_tokens_args.class).batch(in.dim(0)).tokens(in.positions())
            .channels(in.channels()).kept(op.choice().kept()).in(address(call.in()))
            .scores(address(op.choice().scores())).class_token(address(op.classToken()))
            .class_stride(classToken.elements() / classToken.dim(0)).out(address(call.out())).address());
  }

  @Override
  public Step recoverTokens(RecoverTokens op, Call call) {
    Shape in = call.in().shape();
    return new Step(Native::vtb_recover_tokens,
        struct(vtb_recover_tokens_args::new, vtb_recover_tokens_args.class).batch(in.dim(0)).tokens(in.positions())
            .channels(in.channels()).kept(op.choice().kept()).in(address(call.in()))
            .scores(address(op.choice().scores())).before(address(op.before())).after(address(op.after()))
            .out(address(call.out())).address());
  }

  @Override
  public Step scoreTokens(ScoreTokens op, Call call) {
    Shape out = call.out().shape();
    vtb_score_tokens_args args = struct(vtb_score_tokens_args::new, vtb_score_tokens_args.class).batch(out.dim(0))
        .tokens(out.positions()).kept(op.choice().kept()).heads(op.heads()).head_dim(op.headDim()).scale(op.scale())
        .trade_off(op.tradeOff()).qkv(address(call.in())).scores(address(op.choice().scores()))
        .out(address(call.out()));
    needScratch(Native.vtb_score_tokens_scratch(args), args::scratch);
    return new Step(Native::vtb_score_tokens, args.address());
  }

  @Override
  public Step poolScores(PoolScores op, Call call) {
    Shape in = call.in().shape();
    return new Step(Native::vtb_pool_scores,
        struct(vtb_pool_scores_args::new, vtb_pool_scores_args.class).batch(in.dim(0)).time(in.time())
            .height(in.dim(-3)).width(in.dim(-2)).in(address(call.in())).out(address(call.out())).address());
  }

  private static int groups(RowSource rows) {
    return rows.map() == null ? 1 : rows.map().groups();
  }

  private long gamma(RowSource rows) {
    return rows.norm() == null ? 0 : backend.values(rows.norm().gamma());
  }

  private long beta(RowSource rows) {
    return rows.norm() == null ? 0 : backend.values(rows.norm().beta());
  }

  private static float eps(RowSource rows) {
    return rows.norm() == null ? 0 : rows.norm().eps();
  }

  private static int activation(Activation activation) {
    return switch (activation) {
      case IDENTITY -> Native.VTB_IDENTITY;
      case GELU -> Native.VTB_GELU;
      case RELU -> Native.VTB_RELU;
      case SILU -> Native.VTB_SILU;
      case SIGMOID -> Native.VTB_SIGMOID;
      case TANH -> Native.VTB_TANH;
    };
  }

  private long address(Tensor tensor) {
    return tensor == null ? 0 : addresses.applyAsLong(tensor);
  }

  private void needScratch(long bytes, LongConsumer setter) {
    scratchBytesPerThread = Math.max(scratchBytesPerThread, bytes);
    scratchSetters.add(setter);
  }

  /** An argument struct, all zeros. */
  private <T extends Pointer> T struct(Function<Pointer, T> view, Class<T> type) {
    NativeMemory memory = keep(new NativeMemory(Loader.sizeof(type)));
    NativeMemory.buffer(memory).put(new byte[(int) memory.bytes()]);
    return view.apply(NativeMemory.at(memory.address(), memory.bytes()));
  }

  private long upload(RowMap map) {
    return map == null ? 0 : upload(map, map.entries(), map::copyTo);
  }

  private long upload(RegionMask mask) {
    return mask == null ? 0 : upload(mask, (long) mask.windows() * mask.tokens(), labels -> labels.put(mask.toArray()));
  }

  /** Uploads an index array once, however many calls use it. */
  private long upload(Object array, long entries, Consumer<IntBuffer> source) {
    return uploaded.computeIfAbsent(array,
        key -> allocated(entries * Integer.BYTES, memory -> source.accept(NativeMemory.buffer(memory).asIntBuffer())));
  }

  /** Address of memory that {@code filler} fills; 0 if it is only counted. */
  private long allocated(long count, Consumer<NativeMemory> filler) {
    if (counting) {
      bytes += count;
      return 0;
    }
    NativeMemory memory = keep(new NativeMemory(count));
    filler.accept(memory);
    return memory.address();
  }

  private NativeMemory keep(NativeMemory memory) {
    blocks.add(memory);
    bytes += memory.bytes();
    return memory;
  }

  /** Bytes of native memory held, or counted. */
  long bytes() {
    return bytes;
  }

  @Override
  public void close() {
    blocks.forEach(NativeMemory::close);
  }
}
