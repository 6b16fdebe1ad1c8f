package io.vertebra.cuda;

import io.vertebra.cuda.LaunchList.Grid;
import io.vertebra.program.op.Activation;
import io.vertebra.program.op.Call;
import io.vertebra.program.op.Convolution;
import io.vertebra.program.op.Epilogue;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.Norm;
import io.vertebra.program.op.Op;
import io.vertebra.program.op.RowMap;
import io.vertebra.program.op.RowSource;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Tensor;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** Matrix products of one recording, what goes before them and what follows. */
final class ProductBinder {
  /** How many calls later the rows that one gathers may still serve another: they take memory until then. */
  private static final int KEPT_CALLS = 4;

  private final CudaBackend backend;
  private final Map<Shape, RowMap> taps = new HashMap<>();
  /** By the outputs of calls that find their rows gathered, the call that gathers them. */
  private final Map<Tensor, Call> gatherers = new HashMap<>();
  /** By the outputs of calls that gather rows, the last call that reads them. */
  private final Map<Tensor, Call> lastReaders = new HashMap<>();

  /** Rows as they are gathered. */
  private record Rows(Tensor in, RowSource source) {}

  ProductBinder(CudaBackend backend, List<Call> calls) {
    this.backend = backend;
    Map<Rows, Integer> gathered = new HashMap<>();
    Op.Selection<Rows> gatheredRows = new Op.Selection<>() {
      @Override
      public Rows linear(Linear op, Call call) {
        return plan(op, call.in().shape()).gathers() ? new Rows(call.in(), op.rows()) : null;
      }

      @Override
      public Rows otherwise(Call call) {
        return null;
      }
    };
    for (int i = 0; i < calls.size(); i++) {
      Call call = calls.get(i);
      Rows rows = call.accept(gatheredRows);
      if (rows == null) {
        continue;
      }
      int by = gathered.getOrDefault(rows, i);
      if (by < i && i - by <= KEPT_CALLS) {
        gatherers.put(call.out(), calls.get(by));
        lastReaders.put(calls.get(by).out(), call);
      } else {
        gathered.put(rows, i);
      }
    }
  }

  /** Bytes of scratch memory that a call needs. */
  long scratchBytes(Call call, Linear op) {
    ProductPlan plan = plan(op, call.in().shape());
    return gatherers.containsKey(call.out()) ? plan.withRows().scratchBytes() : plan.scratchBytes();
  }

  /** The last call that reads what this one leaves in scratch memory. */
  Call lastReader(Call call) {
    return lastReaders.getOrDefault(call.out(), call);
  }

  /** A convolution as the product that it is. */
  Linear product(Convolution op, Shape in) {
    RowMap rows = taps.computeIfAbsent(in, Convolution.WINDOW::rows);
    return new Linear(new RowSource(rows, null), op.weights(), Epilogue.bias(op.bias()).activation(op.activation()));
  }

  private ProductPlan plan(Linear op, Shape in) {
    ProductPlan plan = ProductPlan.of(op, in, backend);
    long elements = (long) plan.m() * Math.max(plan.n(), plan.gathers() ? plan.k() : 1);
    CudaBinder.requireIndexable(elements, "a product of shape [" + plan.m() + ", " + plan.n() + "]");
    return plan;
  }

  void bind(LaunchList list, Call call, Linear op) {
    ProductPlan plan = plan(op, call.in().shape());
    long rows = list.address(call.in());
    RowMap map = plan.gathers() ? null : op.rows().map();
    if (gatherers.containsKey(call.out())) {
      rows = list.scratch(gatherers.get(call.out()));
      plan = plan.withRows();
    } else if (plan.gathers()) {
      rows = list.scratch(call);
      list.extra(2 * plan.rowBytes());
      gather(list, op.rows(), list.address(call.in()), rows, plan.m(), plan.k());
    }
    long weights = list.matrix(op.weights());
    long out = list.address(call.out());
    if (!plan.cublas()) {
      Object[] arguments = arguments(list, op.epilogue(),
          new Object[] {rows, list.upload(map), map == null ? 1 : map.groups(), weights}, out,
          new Object[] {plan.m(), plan.n(), plan.k()});
      String name = "vtb_gemm_" + list.type().suffix() + "_" + plan.side();
      list.launch(name, new Grid(plan.tiles(), 2 * plan.side(), 1, 0), out, list.bytes(call.out()), arguments);
      return;
    }
    long product = plan.apart() ? list.scratch(call) + plan.productOffset() : out;
    list.multiply(plan, rows, weights, product);
    if (plan.finishes()) {
      list.extra(2 * plan.productBytes());
      long vectors = (long) plan.m() * plan.n() / list.vector(plan.n());
      list.kernel("vtb_epilogue", Grid.forItems(vectors),
          arguments(list, op.epilogue(), new Object[] {product}, out, new Object[] {plan.m(), plan.n()}));
    }
  }

  /** A kernel's arguments: some, those of the epilogue with the output, and some. */
  private static Object[] arguments(LaunchList list, Epilogue epilogue, Object[] before, long out, Object[] after) {
    Epilogue.Gate gate = epilogue.gate();
    long gateAddress
        = gate == null ? 0 : list.address(gate.tensor()) + (long) gate.firstChannel() * list.type().bytes();
    Object[] middle = {list.values(epilogue.bias()), code(epilogue.activation()), epilogue.activationLast() ? 1 : 0,
      gateAddress, gate == null ? 0 : gate.tensor().shape().channels(), list.address(epilogue.residual()),
      list.upload(epilogue.residualRows()), list.upload(epilogue.map()), out};
    return Stream.of(before, middle, after).flatMap(Stream::of).toArray();
  }

  /** The rows as {@code source} reads them, [rows, channels]. */
  static void gather(LaunchList list, RowSource source, long in, long to, int rows, int channels) {
    RowMap map = source.map();
    Norm norm = source.norm();
    int groups = map == null ? 1 : map.groups();
    int threads = 8;
    while (threads < LaunchList.THREADS && threads * 2 * list.vector(channels / groups) < channels) {
      threads *= 2;
    }
    int together = LaunchList.THREADS / threads;
    list.launch("vtb_gather_norm_" + list.type().suffix(),
        new Grid(LaunchList.divideUp(rows, together), threads, together, 0), to,
        (long) rows * channels * list.type().bytes(), in, list.upload(map), groups,
        norm == null ? 0L : list.values(norm.gamma()), norm == null ? 0L : list.values(norm.beta()),
        norm == null ? 0f : norm.eps(), to, rows, channels);
  }

  /** An activation's number in the kernels, which list them in the same order. */
  static int code(Activation activation) {
    return activation.ordinal();
  }
}
