package io.vertebra.cuda;

import io.vertebra.cuda.natives.Native;
import io.vertebra.cuda.natives.vtbc_epilogue;
import io.vertebra.cuda.natives.vtbc_epilogue_args;
import io.vertebra.cuda.natives.vtbc_gemm_args;
import io.vertebra.cuda.natives.vtbc_layer_norm_args;
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
    return Linear.of(op.weights(), op.bias()).gather(rows).activation(op.activation());
  }

  private ProductPlan plan(Linear op, Shape in) {
    ProductPlan plan = ProductPlan.of(op, in, backend);
    long elements = (long) plan.m() * Math.max(plan.n(), plan.gathers() ? plan.k() : 1);
    CudaBinder.requireIndexable(elements, "a product of shape [" + plan.m() + ", " + plan.n() + "]");
    return plan;
  }

  Step bind(LaunchList list, Call call, Linear op) {
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
    if (!plan.cublas()) {
      vtbc_gemm_args arguments = new vtbc_gemm_args().m(plan.m()).n(plan.n()).k(plan.k())
          .groups(map == null ? 1 : map.groups()).tile(plan.tile()).a(rows).a_map(list.upload(map)).weight(weights);
      fill(arguments.epilogue(), list, call, op.epilogue());
      return list.launch(Native::vtbc_gemm_launch, arguments);
    }
    long product = plan.apart() ? list.scratch(call) + plan.productOffset() : list.address(call.out());
    Step step = list.multiply(plan, rows, weights, product);
    if (!plan.finishes()) {
      return step;
    }
    list.extra(2 * plan.productBytes());
    vtbc_epilogue_args arguments = new vtbc_epilogue_args().rows(plan.m()).channels(plan.n()).product(product);
    fill(arguments.epilogue(), list, call, op.epilogue());
    return list.launch(Native::vtbc_epilogue_launch, arguments);
  }

  private static void fill(vtbc_epilogue arguments, LaunchList list, Call call, Epilogue epilogue) {
    arguments.bias(list.values(epilogue.bias())).residual(list.address(epilogue.residual()))
        .residual_map(list.upload(epilogue.residualRows())).out_map(list.upload(epilogue.map()))
        .out(list.address(call.out())).activation(CallBinder.code(epilogue.activation()))
        .activation_last(epilogue.activationLast() ? 1 : 0);
    Epilogue.Gate gate = epilogue.gate();
    if (gate != null) {
      arguments.gate(list.address(gate.tensor()) + (long) gate.firstChannel() * list.type().bytes())
          .gate_stride(gate.tensor().shape().channels());
    }
  }

  /** The rows as {@code source} reads them, [rows, channels]. */
  static Step gather(LaunchList list, RowSource source, long in, long to, int rows, int channels) {
    RowMap map = source.map();
    Norm norm = source.norm();
    vtbc_layer_norm_args arguments = new vtbc_layer_norm_args().rows(rows).channels(channels)
        .groups(map == null ? 1 : map.groups()).in(in).map(list.upload(map)).out(to);
    if (norm != null) {
      arguments.gamma(list.values(norm.gamma())).beta(list.values(norm.beta())).eps(norm.eps());
    }
    return list.launch(Native::vtbc_layer_norm_launch, arguments, to, (long) rows * channels * list.type().bytes());
  }
}
