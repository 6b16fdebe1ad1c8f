package io.vertebra.cpu;

import io.vertebra.VertebraException;
import io.vertebra.program.Call;
import io.vertebra.program.Epilogue;
import io.vertebra.program.MemoryPlan;
import io.vertebra.program.Norm;
import io.vertebra.program.Op;
import io.vertebra.program.Program;
import io.vertebra.program.Recording;
import io.vertebra.program.RowMap;
import io.vertebra.program.RowSource;
import io.vertebra.program.Shape;
import io.vertebra.program.Tensor;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.LongConsumer;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;

/** A list of native functions and the addresses of their argument structs. A run is one native call a step and creates nothing. */
final class CpuProgram extends Program {
  @FunctionalInterface
  private interface Kernel {
    int run(long pool, long args);
  }

  /** One bound call. */
  private record Step(Kernel kernel, long args) {}

  private final CpuBackend backend;
  private final long pool;
  private final MemoryPlan plan;
  private final NativeMemory workspace;
  private final List<NativeMemory> constants = new ArrayList<>();
  private final Map<Object, NativeMemory> uploaded = new IdentityHashMap<>();
  private final Step[] steps;
  private final FloatBuffer input;
  private final Map<Tensor, FloatBuffer> outputs = new HashMap<>();

  /** The backend is released when this is closed. */
  CpuProgram(Recording recording, CpuBackend backend, long pool) {
    super(recording);
    this.backend = backend;
    this.pool = pool;
    this.plan = new MemoryPlan(recording);
    this.workspace = new NativeMemory(plan.bytes());
    try {
      this.steps = bind(recording.calls(), backend.threads());
    } catch (RuntimeException | Error e) {
      free();
      throw e;
    }
    this.input = view(recording.input());
    recording.outputs().values().forEach(tensor -> outputs.put(tensor, view(tensor)));
  }

  private Step[] bind(List<Call> calls, int threads) {
    Scratch scratch = new Scratch();
    List<Step> bound = new ArrayList<>();
    for (Call call : calls) {
      bound.add(bind(call, scratch));
    }
    scratch.allocate(threads);
    return bound.toArray(Step[]::new);
  }

  private Step bind(Call call, Scratch scratch) {
    Shape in = call.in().shape();
    long from = address(call.in());
    long to = address(call.out());
    if (call.op() instanceof Op.Linear linear) {
      return new Step(Native::vtb_gemm, gemm(call, linear, scratch).address());
    } else if (call.op() instanceof Op.LayerNorm op) {
      RowSource rows = op.rows();
      Norm norm = rows.norm();
      return new Step(Native::vtb_layer_norm, struct(vtb_layer_norm_args::new, vtb_layer_norm_args.class)
          .rows(call.out().shape().rows()).channels(call.out().shape().channels()).groups(groups(rows)).in(from).map(upload(rows.map()))
          .gamma(norm == null ? 0 : backend.values(norm.gamma())).beta(norm == null ? 0 : backend.values(norm.beta()))
          .eps(norm == null ? 0 : norm.eps()).out(to).address());
    } else if (call.op() instanceof Op.WindowAttention op) {
      int windows = in.rows() / op.tokens();
      vtb_window_attention_args args = struct(vtb_window_attention_args::new, vtb_window_attention_args.class)
          .windows(windows).windows_per_image(op.mask() == null ? windows : op.mask().windows()).tokens(op.tokens())
          .heads(op.heads()).head_dim(op.headDim()).scale(op.scale()).qkv(from).bias(backend.values(op.bias()))
          .regions(op.mask() == null ? 0 : upload(op.mask(), op.mask().toArray())).out(to);
      scratch.need(Native.vtb_window_attention_scratch(args), args::scratch);
      return new Step(Native::vtb_window_attention, args.address());
    } else if (call.op() instanceof Op.MeanPool) {
      return new Step(Native::vtb_mean_pool, struct(vtb_mean_pool_args::new, vtb_mean_pool_args.class)
          .batch(in.dim(0)).tokens(in.rows() / in.dim(0)).channels(in.channels()).in(from).out(to).address());
    } else if (call.op() instanceof Op.Softmax) {
      return new Step(Native::vtb_softmax, struct(vtb_softmax_args::new, vtb_softmax_args.class)
          .rows(in.rows()).channels(in.channels()).in(from).out(to).address());
    } else if (call.op() instanceof Op.Add op) {
      return new Step(Native::vtb_add, struct(vtb_add_args::new, vtb_add_args.class).batch(in.dim(0))
          .elements(Math.toIntExact(op.addend().shape().elements())).in(from).addend(backend.values(op.addend())).out(to).address());
    }
    throw new IllegalArgumentException("the cpu backend has no kernel for " + call);
  }

  private vtb_gemm_args gemm(Call call, Op.Linear linear, Scratch scratch) {
    Shape weights = linear.weights().shape();
    RowSource rows = linear.rows();
    Norm norm = rows.norm();
    Epilogue epilogue = linear.epilogue();
    vtb_gemm_args args = struct(vtb_gemm_args::new, vtb_gemm_args.class)
        .m(rows.map() == null ? call.in().shape().rows() : rows.map().size()).n(weights.dim(0)).k(weights.dim(1))
        .groups(groups(rows)).a(address(call.in())).a_map(upload(rows.map()))
        .gamma(norm == null ? 0 : backend.values(norm.gamma())).beta(norm == null ? 0 : backend.values(norm.beta()))
        .eps(norm == null ? 0 : norm.eps())
        .activation(switch (epilogue.activation()) {
          case IDENTITY -> Native.VTB_IDENTITY;
          case GELU -> Native.VTB_GELU;
        })
        .weight(backend.matrix(linear.weights())).bias(backend.values(epilogue.bias()))
        .residual(epilogue.residual() == null ? 0 : address(epilogue.residual())).out_map(upload(epilogue.map()))
        .out(address(call.out()));
    scratch.need(Native.vtb_gemm_scratch(args), args::scratch);
    return args;
  }

  /** Scratch memory, which all calls share since they run one after another. */
  private final class Scratch {
    private final List<LongConsumer> users = new ArrayList<>();
    private long bytesPerThread;

    void need(long bytes, LongConsumer setter) {
      bytesPerThread = Math.max(bytesPerThread, bytes);
      users.add(setter);
    }

    void allocate(int threads) {
      if (bytesPerThread > 0) {
        long address = keep(new NativeMemory(bytesPerThread * threads)).address();
        users.forEach(user -> user.accept(address));
      }
    }
  }

  private <T extends Pointer> T struct(Function<Pointer, T> view, Class<T> type) {
    NativeMemory memory = keep(new NativeMemory(Loader.sizeof(type)));
    return view.apply(NativeMemory.at(memory.address(), memory.bytes()));
  }

  private static int groups(RowSource rows) {
    return rows.map() == null ? 1 : rows.map().groups();
  }

  private long upload(RowMap map) {
    return map == null ? 0 : upload(map, map.toArray());
  }

  /** Uploads an index array once per program, however many calls use it. */
  private long upload(Object key, int[] values) {
    return uploaded.computeIfAbsent(key, k -> keep(NativeMemory.of(values))).address();
  }

  private NativeMemory keep(NativeMemory memory) {
    constants.add(memory);
    return memory;
  }

  private long address(Tensor tensor) {
    return workspace.address() + plan.offset(tensor);
  }

  private FloatBuffer view(Tensor tensor) {
    return workspace.buffer(plan.offset(tensor), tensor.shape().elements() * Float.BYTES).asFloatBuffer();
  }

  @Override
  protected FloatBuffer inputMemory() {
    return input;
  }

  @Override
  protected void execute(int index) {
    Step step = steps[index];
    if (step.kernel.run(pool, step.args) != Native.VTB_OK) {
      throw new VertebraException("kernel failed: " + recording().calls().get(index));
    }
  }

  @Override
  protected void copy(Tensor tensor, float[] into) {
    FloatBuffer kept = outputs.get(tensor);
    (kept == null ? view(tensor) : kept).get(0, into);
  }

  @Override
  public long workspaceBytes() {
    return workspace.bytes() + constants.stream().mapToLong(NativeMemory::bytes).sum();
  }

  @Override
  protected void release() {
    free();
    backend.release();
  }

  private void free() {
    workspace.close();
    constants.forEach(NativeMemory::close);
  }
}
