package io.vertebra.cuda;

import io.vertebra.cuda.LaunchList.Grid;
import io.vertebra.program.op.AdaptiveAveragePool;
import io.vertebra.program.op.Affine;
import io.vertebra.program.op.Bilinear;
import io.vertebra.program.op.Call;
import io.vertebra.program.op.Convolution;
import io.vertebra.program.op.DepthwiseConv;
import io.vertebra.program.op.GlobalFilter;
import io.vertebra.program.op.LayerNorm;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.MeanPool;
import io.vertebra.program.op.Op;
import io.vertebra.program.op.PoolScores;
import io.vertebra.program.op.RecoverTokens;
import io.vertebra.program.op.ScoreTokens;
import io.vertebra.program.op.ShrinkTokens;
import io.vertebra.program.op.Softmax;
import io.vertebra.program.op.Sum;
import io.vertebra.program.op.WindowAttention;
import io.vertebra.program.op.WindowPool;
import io.vertebra.tensor.Shape;

/** Puts what one call gives the device on the list. */
record CallBinder(LaunchList list, ProductBinder products, int sharedMemory) implements Op.Visitor<Void> {
  /** Widths of heads that attention kernels are made for. */
  private static final int[] HEAD_DIMS = {32, 64, 128};
  /** Queries of a block of attention. */
  private static final int QUERIES = 64;

  @Override
  public Void linear(Linear op, Call call) {
    products.bind(list, call, op);
    return null;
  }

  @Override
  public Void convolution(Convolution op, Call call) {
    products.bind(list, call, products.product(op, call.in().shape()));
    return null;
  }

  @Override
  public Void layerNorm(LayerNorm op, Call call) {
    Shape out = call.out().shape();
    ProductBinder.gather(list, op.rows(), list.address(call.in()), list.address(call.out()), out.rows(),
        out.channels());
    return null;
  }

  @Override
  public Void meanPool(MeanPool op, Call call) {
    MapBinder.meanPool(list, call);
    return null;
  }

  @Override
  public Void depthwiseConv(DepthwiseConv op, Call call) {
    MapBinder.depthwiseConv(list, call, op);
    return null;
  }

  @Override
  public Void globalFilter(GlobalFilter op, Call call) {
    MapBinder.globalFilter(list, call, op, sharedMemory);
    return null;
  }

  @Override
  public Void windowPool(WindowPool op, Call call) {
    MapBinder.windowPool(list, call, op);
    return null;
  }

  @Override
  public Void adaptiveAveragePool(AdaptiveAveragePool op, Call call) {
    MapBinder.adaptiveAveragePool(list, call);
    return null;
  }

  @Override
  public Void bilinear(Bilinear op, Call call) {
    MapBinder.bilinear(list, call);
    return null;
  }

  @Override
  public Void windowAttention(WindowAttention op, Call call) {
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
    return null;
  }

  @Override
  public Void softmax(Softmax op, Call call) {
    Shape shape = call.in().shape();
    int together = LaunchList.THREADS / 32;
    list.kernel("vtb_softmax", new Grid(LaunchList.divideUp(shape.rows(), together), 32, together, 0),
        list.address(call.in()), list.address(call.out()), shape.rows(), shape.channels());
    return null;
  }

  @Override
  public Void affine(Affine op, Call call) {
    Shape shape = call.in().shape();
    list.kernel("vtb_affine", list.elementwise(call.out()), list.address(call.in()), list.address(op.factor()),
        list.values(op.scale()), list.values(op.shift()), list.address(call.out()), shape.dim(0), shape.positions(),
        shape.channels(), ProductBinder.code(op.activation()));
    return null;
  }

  @Override
  public Void sum(Sum op, Call call) {
    Shape out = call.out().shape();
    long[] sources = new long[Sum.MAX_TERMS];
    long[] maps = new long[Sum.MAX_TERMS];
    for (int i = 0; i < op.terms().size(); i++) {
      Sum.Term term = op.terms().get(i);
      sources[i] = term.tensor() != null ? list.address(term.tensor()) : list.converted(term.weights());
      maps[i] = list.upload(term.map());
    }
    list.kernel("vtb_sum", list.elementwise(call.out()), sources[0], sources[1], sources[2], maps[0], maps[1], maps[2],
        list.address(call.out()), out.rows(), out.channels(), ProductBinder.code(op.activation()));
    return null;
  }

  @Override
  public Void shrinkTokens(ShrinkTokens op, Call call) {
    Shape in = call.in().shape();
    Shape classToken = op.classToken().shape();
    long classStride = classToken.elements() / classToken.dim(0);
    long vectors = in.channels() / list.vector(in.channels(), classStride);
    Grid grid = new Grid(in.dim(0) * LaunchList.divideUp(vectors, 32), 32, LaunchList.THREADS / 32,
        (long) Integer.BYTES * in.positions());
    list.kernel("vtb_shrink_tokens", grid, list.address(call.in()), list.address(op.choice().scores()),
        list.address(op.classToken()), list.address(call.out()), in.dim(0), in.positions(), in.channels(),
        op.choice().kept(), classStride);
    return null;
  }

  @Override
  public Void recoverTokens(RecoverTokens op, Call call) {
    Shape in = call.in().shape();
    int tokens = in.positions();
    Grid grid = Grid.of(in.dim(0) * LaunchList.divideUp(tokens, 32)).shared((long) Integer.BYTES * tokens);
    list.kernel("vtb_recover_tokens", grid, list.address(call.in()), list.address(op.choice().scores()),
        list.address(op.before()), list.address(op.after()), list.address(call.out()), in.dim(0), tokens, in.channels(),
        op.choice().kept());
    return null;
  }

  @Override
  public Void scoreTokens(ScoreTokens op, Call call) {
    Shape scores = call.out().shape();
    int tokens = scores.positions();
    long shared = Integer.BYTES * (tokens + (long) op.heads() * call.in().shape().positions());
    list.kernel("vtb_score_tokens", Grid.of(scores.dim(0)).shared(shared), list.address(call.in()),
        list.address(op.choice().scores()), list.address(call.out()), scores.dim(0), tokens, op.choice().kept(),
        op.heads(), op.headDim(), op.scale(), op.tradeOff());
    return null;
  }

  @Override
  public Void poolScores(PoolScores op, Call call) {
    Shape in = call.in().shape();
    list.kernel("vtb_pool_scores", Grid.of(in.dim(0)), list.address(call.in()), list.address(call.out()), in.dim(0),
        in.time(), in.dim(-3), in.dim(-2));
    return null;
  }
}
