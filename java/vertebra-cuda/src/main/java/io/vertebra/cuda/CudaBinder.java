package io.vertebra.cuda;

import io.vertebra.program.MemoryPlan;
import io.vertebra.program.op.Call;
import io.vertebra.program.op.Convolution;
import io.vertebra.program.op.GlobalFilter;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.MeanPool;
import io.vertebra.program.op.Op;
import io.vertebra.tensor.Shape;
import java.util.List;

/** Turns the operations of a recording into launches and products. Not thread-safe. */
final class CudaBinder implements MemoryPlan.Scratch {
  private final CudaBackend backend;
  private final List<Call> calls;
  private final ProductBinder products;

  CudaBinder(CudaBackend backend, List<Call> calls) {
    this.backend = backend;
    this.calls = calls;
    this.products = new ProductBinder(backend, calls);
  }

  @Override
  public long bytes(Call call) {
    Shape in = call.in().shape();
    return call.accept(new Op.Selection<Long>() {
      @Override
      public Long linear(Linear op, Call same) {
        return products.scratchBytes(call, op);
      }

      @Override
      public Long convolution(Convolution op, Call same) {
        return products.scratchBytes(call, products.product(op, in));
      }

      @Override
      public Long globalFilter(GlobalFilter op, Call same) {
        return CallBinder.scratchBytes(op, in, backend.runtime().sharedMemory());
      }

      @Override
      public Long meanPool(MeanPool op, Call same) {
        return CallBinder.scratchBytes(op, in, backend.type());
      }

      @Override
      public Long otherwise(Call same) {
        return 0L;
      }
    });
  }

  @Override
  public Call last(Call call) {
    return products.lastReader(call);
  }

  List<Step> bind(LaunchList list) {
    CallBinder binder = new CallBinder(list, products, backend.runtime().sharedMemory());
    List<Step> steps = calls.stream().map(call -> {
      requireIndexable(call.out().shape().elements(), call.toString());
      list.begin(call);
      return call.accept(binder);
    }).toList();
    list.finish();
    return steps;
  }

  /** Kernels count elements in 32 bits. */
  static void requireIndexable(long elements, String what) {
    if (elements > Integer.MAX_VALUE) {
      throw new IllegalArgumentException(
          what + " has " + elements + " elements, more than the 2^31 - 1 that kernels count; run a smaller batch");
    }
  }
}
