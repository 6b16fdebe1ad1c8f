package io.vertebra.cuda;

import io.vertebra.cuda.LaunchList.Grid;
import io.vertebra.program.MemoryPlan;
import io.vertebra.program.op.Call;
import io.vertebra.program.op.Op;
import io.vertebra.tensor.Shape;
import java.util.List;

/** Turns the operations of a recording into launches and products. Not thread-safe. */
final class CudaBinder implements MemoryPlan.Scratch {
  /** Widths of heads that attention kernels are made for. */
  private static final int[] HEAD_DIMS = {32, 64, 128};
  /** Queries of a block of attention. */
  private static final int QUERIES = 64;

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
    if (call.op() instanceof Op.Linear op) {
      return products.scratchBytes(call, op);
    } else if (call.op() instanceof Op.Convolution op) {
      return products.scratchBytes(call, products.product(op, in));
    } else if (call.op() instanceof Op.GlobalFilter op) {
      return MapBinder.filterScratch(op, in, backend.runtime().sharedMemory());
    } else if (call.op() instanceof Op.MeanPool) {
      return MapBinder.meanScratch(in, backend.type());
    }
    return 0;
  }

  @Override
  public Call last(Call call) {
    return products.lastReader(call);
  }

  List<Step> bind(LaunchList list) {
    List<Step> steps = calls.stream().map(call -> {
      list.begin(call);
      bind(call, list);
      return list.end();
    }).toList();
    list.finish();
    return steps;
  }

  private void bind(Call call, LaunchList list) {
    requireIndexable(call.out().shape().elements(), call.toString());
    if (call.op() instanceof Op.Linear op) {
      products.bind(list, call, op);
    } else if (call.op() instanceof Op.Convolution op) {
      products.bind(list, call, products.product(op, call.in().shape()));
    } else if (call.op() instanceof Op.LayerNorm op) {
      Shape out = call.out().shape();
      ProductBinder.gather(list, op.rows(), list.address(call.in()), list.address(call.out()), out.rows(),
          out.channels());
    } else if (call.op() instanceof Op.WindowAttention op) {
      windowAttention(list, call, op);
    } else if (call.op() instanceof Op.MeanPool) {
      MapBinder.meanPool(list, call);
    } else if (call.op() instanceof Op.Softmax) {
      softmax(list, call);
    } else if (call.op() instanceof Op.DepthwiseConv op) {
      MapBinder.depthwiseConv(list, call, op);
    } else if (call.op() instanceof Op.GlobalFilter op) {
      MapBinder.globalFilter(list, call, op, backend.runtime().sharedMemory());
    } else if (call.op() instanceof Op.Pool op) {
      MapBinder.windowPool(list, call, op);
    } else if (call.op() instanceof Op.AdaptiveAveragePool) {
      MapBinder.adaptiveAveragePool(list, call);
    } else if (call.op() instanceof Op.Bilinear) {
      MapBinder.bilinear(list, call);
    } else if (call.op() instanceof Op.Affine op) {
      affine(list, call, op);
    } else if (call.op() instanceof Op.Sum op) {
      sum(list, call, op);
    } else if (call.op() instanceof Op.ShrinkTokens op) {
      shrinkTokens(list, call, op);
    } else if (call.op() instanceof Op.RecoverTokens op) {
      recoverTokens(list, call, op);
    } else if (call.op() instanceof Op.ScoreTokens op) {
      scoreTokens(list, call, op);
    } else if (call.op() instanceof Op.PoolScores) {
      poolScores(list, call);
    } else {
      throw new IllegalArgumentException("the cuda backend has no kernel for " + call);
    }
  }

  /** Kernels count elements in 32 bits. */
  static void requireIndexable(long elements, String what) {
    if (elements > Integer.MAX_VALUE) {
      throw new IllegalArgumentException(
          what + " has " + elements + " elements, more than the 2^31 - 1 that kernels count; run a smaller batch");
    }
  }

  private static void windowAttention(LaunchList list, Call call, Op.WindowAttention op) {
    int windows = call.in().shape().rows() / op.tokens();
    int width = 0;
    for (int i = HEAD_DIMS.length - 1; i >= 0; i--) {
      width = op.headDim() <= HEAD_DIMS[i] ? HEAD_DIMS[i] : width;
    }
    if (width == 0) {
      throw new IllegalArgumentException(
          call + ": heads of " + op.headDim() + " channels are wider than the 128 of the cuda backend");
    }
    Grid grid = new Grid(windows * (long) op.heads() * LaunchList.divideUp(op.tokens(), QUERIES), 2 * QUERIES, 1, 0);
    list.launch("vtb_window_attention_" + list.type().suffix() + "_" + width, grid, list.address(call.out()),
        list.bytes(call.out()), list.address(call.in()), 0L, list.values(op.bias()), op.biasColumns(),
        list.upload(op.mask()), op.mask() == null ? windows : op.mask().windows(), list.address(call.out()), windows,
        op.tokens(), op.heads(), op.headDim(), op.scale());
  }

  private static void softmax(LaunchList list, Call call) {
    Shape shape = call.in().shape();
    int together = LaunchList.THREADS / 32;
    list.kernel("vtb_softmax", new Grid(LaunchList.divideUp(shape.rows(), together), 32, together, 0),
        list.address(call.in()), list.address(call.out()), shape.rows(), shape.channels());
  }

  private static void affine(LaunchList list, Call call, Op.Affine op) {
    Shape shape = call.in().shape();
    list.kernel("vtb_affine", list.elementwise(call.out()), list.address(call.in()), list.address(op.factor()),
        list.values(op.scale()), list.values(op.shift()), list.address(call.out()), shape.dim(0), perImage(shape),
        shape.channels(), ProductBinder.code(op.activation()));
  }

  private static void sum(LaunchList list, Call call, Op.Sum op) {
    Shape out = call.out().shape();
    long[] sources = new long[Op.Sum.MAX_TERMS];
    long[] maps = new long[Op.Sum.MAX_TERMS];
    for (int i = 0; i < op.terms().size(); i++) {
      Op.Sum.Term term = op.terms().get(i);
      sources[i] = term.tensor() != null ? list.address(term.tensor()) : list.converted(term.weights());
      maps[i] = list.upload(term.map());
    }
    list.kernel("vtb_sum", list.elementwise(call.out()), sources[0], sources[1], sources[2], maps[0], maps[1], maps[2],
        list.address(call.out()), out.rows(), out.channels(), ProductBinder.code(op.activation()));
  }

  private static void shrinkTokens(LaunchList list, Call call, Op.ShrinkTokens op) {
    Shape in = call.in().shape();
    Shape classToken = op.classToken().shape();
    long classStride = classToken.elements() / classToken.dim(0);
    long vectors = in.channels() / list.vector(in.channels(), classStride);
    Grid grid = new Grid(in.dim(0) * LaunchList.divideUp(vectors, 32), 32, LaunchList.THREADS / 32,
        (long) Integer.BYTES * perImage(in));
    list.kernel("vtb_shrink_tokens", grid, list.address(call.in()), list.address(op.choice().scores()),
        list.address(op.classToken()), list.address(call.out()), in.dim(0), perImage(in), in.channels(),
        op.choice().kept(), classStride);
  }

  private static void recoverTokens(LaunchList list, Call call, Op.RecoverTokens op) {
    Shape in = call.in().shape();
    int tokens = perImage(in);
    Grid grid = Grid.of(in.dim(0) * LaunchList.divideUp(tokens, 32)).shared((long) Integer.BYTES * tokens);
    list.kernel("vtb_recover_tokens", grid, list.address(call.in()), list.address(op.choice().scores()),
        list.address(op.before()), list.address(op.after()), list.address(call.out()), in.dim(0), tokens, in.channels(),
        op.choice().kept());
  }

  private static void scoreTokens(LaunchList list, Call call, Op.ScoreTokens op) {
    Shape scores = call.out().shape();
    int tokens = perImage(scores);
    long shared = Integer.BYTES * (tokens + (long) op.heads() * perImage(call.in().shape()));
    list.kernel("vtb_score_tokens", Grid.of(scores.dim(0)).shared(shared), list.address(call.in()),
        list.address(op.choice().scores()), list.address(call.out()), scores.dim(0), tokens, op.choice().kept(),
        op.heads(), op.headDim(), op.scale(), op.tradeOff());
  }

  private static void poolScores(LaunchList list, Call call) {
    Shape in = call.in().shape();
    list.kernel("vtb_pool_scores", Grid.of(in.dim(0)), list.address(call.in()), list.address(call.out()), in.dim(0),
        MapBinder.time(in), in.dim(-3), in.dim(-2));
  }

  private static int perImage(Shape shape) {
    return shape.rows() / shape.dim(0);
  }
}
