package io.vertebra.cuda;

import io.vertebra.cuda.natives.Native;
import io.vertebra.cuda.natives.vtbc_affine_args;
import io.vertebra.cuda.natives.vtbc_depthwise_conv_args;
import io.vertebra.cuda.natives.vtbc_global_filter_args;
import io.vertebra.cuda.natives.vtbc_mean_pool_args;
import io.vertebra.cuda.natives.vtbc_pool_scores_args;
import io.vertebra.cuda.natives.vtbc_recover_tokens_args;
import io.vertebra.cuda.natives.vtbc_resize_args;
import io.vertebra.cuda.natives.vtbc_score_tokens_args;
import io.vertebra.cuda.natives.vtbc_shrink_tokens_args;
import io.vertebra.cuda.natives.vtbc_softmax_args;
import io.vertebra.cuda.natives.vtbc_sum_args;
import io.vertebra.cuda.natives.vtbc_window_attention_args;
import io.vertebra.cuda.natives.vtbc_window_pool_args;
import io.vertebra.cuda.runtime.GpuType;
import io.vertebra.program.op.Activation;
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
import io.vertebra.program.op.Window;
import io.vertebra.program.op.WindowAttention;
import io.vertebra.program.op.WindowPool;
import io.vertebra.tensor.Shape;

/** Takes down what a call gives the device. */
record CallBinder(LaunchList list, ProductBinder products, int sharedMemory) implements Op.Visitor<Step> {
  /** An activation's number in the kernels. */
  static int code(Activation activation) {
    return switch (activation) {
      case IDENTITY -> Native.VTBC_IDENTITY;
      case GELU -> Native.VTBC_GELU;
      case RELU -> Native.VTBC_RELU;
      case SILU -> Native.VTBC_SILU;
      case SIGMOID -> Native.VTBC_SIGMOID;
      case TANH -> Native.VTBC_TANH;
    };
  }

  @Override
  public Step linear(Linear op, Call call) {
    return products.bind(list, call, op);
  }

  @Override
  public Step convolution(Convolution op, Call call) {
    return products.bind(list, call, products.product(op, call.in().shape()));
  }

  @Override
  public Step layerNorm(LayerNorm op, Call call) {
    Shape out = call.out().shape();
    return ProductBinder.gather(list, op.rows(), list.address(call.in()), list.address(call.out()), out.rows(),
        out.channels());
  }

  @Override
  public Step windowAttention(WindowAttention op, Call call) {
    if (op.headDim() > Native.VTBC_MOST_HEAD_DIM) {
      throw new IllegalArgumentException(call + ": heads of " + op.headDim() + " channels are wider than the "
          + Native.VTBC_MOST_HEAD_DIM + " of the cuda backend");
    }
    int windows = call.in().shape().rows() / op.tokens();
    return list.launch(Native::vtbc_window_attention_launch,
        new vtbc_window_attention_args().windows(windows)
            .windows_per_image(op.mask() == null ? windows : op.mask().windows()).tokens(op.tokens()).heads(op.heads())
            .head_dim(op.headDim()).bias_columns(op.biasColumns()).scale(op.scale()).qkv(list.address(call.in()))
            .bias(list.values(op.bias())).regions(list.upload(op.mask())).out(list.address(call.out())));
  }

  @Override
  public Step depthwiseConv(DepthwiseConv op, Call call) {
    Shape in = call.in().shape();
    Shape out = call.out().shape();
    Window window = op.window();
    return list.launch(Native::vtbc_depthwise_conv_launch,
        new vtbc_depthwise_conv_args().batch(in.dim(0)).time(in.time()).height(in.dim(-3)).width(in.dim(-2))
            .in_channels(in.channels()).first_channel(op.firstChannel()).out_time(out.time()).out_height(out.dim(-3))
            .out_width(out.dim(-2)).channels(out.channels()).multiplier(op.multiplier()).size_time(window.size().time())
            .size_height(window.size().height()).size_width(window.size().width()).stride_time(window.stride().time())
            .stride_height(window.stride().height()).stride_width(window.stride().width())
            .padding_time(window.padding().time()).padding_height(window.padding().height())
            .padding_width(window.padding().width()).activation(code(op.activation())).in(list.address(call.in()))
            .weight(list.values(op.weights())).bias(list.values(op.bias())).out(list.address(call.out())));
  }

  private static vtbc_global_filter_args shapeOf(GlobalFilter op, Shape in, int sharedMemory) {
    return new vtbc_global_filter_args().batch(in.dim(0)).height(in.dim(1)).width(in.dim(2)).in_channels(in.channels())
        .first_channel(op.firstChannel()).channels(op.filter().shape().dim(2)).shared_memory(sharedMemory);
  }

  /** Bytes of the maps that a filter in three launches keeps; 0 if it is one launch. */
  static long scratchBytes(GlobalFilter op, Shape in, int sharedMemory) {
    try (vtbc_global_filter_args shape = shapeOf(op, in, sharedMemory)) {
      return Native.vtbc_global_filter_scratch(shape);
    }
  }

  @Override
  public Step globalFilter(GlobalFilter op, Call call) {
    Shape in = call.in().shape();
    long scratchBytes = scratchBytes(op, in, sharedMemory);
    return list.launch(
        Native::vtbc_global_filter_launch, shapeOf(op, in, sharedMemory).in(list.address(call.in()))
            .filter(list.values(op.filter())).out(list.address(call.out())).scratch(list.scratch(call, scratchBytes)),
        scratchBytes);
  }

  @Override
  public Step windowPool(WindowPool op, Call call) {
    Shape in = call.in().shape();
    Shape out = call.out().shape();
    Window window = op.window();
    return list.launch(Native::vtbc_window_pool_launch,
        new vtbc_window_pool_args().batch(in.dim(0)).time(in.time()).height(in.dim(-3)).width(in.dim(-2))
            .channels(in.channels()).out_time(out.time()).out_height(out.dim(-3)).out_width(out.dim(-2))
            .size_time(window.size().time()).size_height(window.size().height()).size_width(window.size().width())
            .stride_time(window.stride().time()).stride_height(window.stride().height())
            .stride_width(window.stride().width()).padding_time(window.padding().time())
            .padding_height(window.padding().height()).padding_width(window.padding().width())
            .average(op.kind() == WindowPool.Kind.AVERAGE ? 1 : 0).in(list.address(call.in()))
            .out(list.address(call.out())));
  }

  private static vtbc_mean_pool_args shapeOf(Shape in) {
    return new vtbc_mean_pool_args().batch(in.dim(0)).tokens(in.positions()).channels(in.channels());
  }

  /** Bytes of the means of parts; 0 if it is one launch. */
  static long scratchBytes(MeanPool op, Shape in, GpuType type) {
    try (vtbc_mean_pool_args shape = shapeOf(in)) {
      return Native.vtbc_mean_pool_scratch(shape, type.code());
    }
  }

  @Override
  public Step meanPool(MeanPool op, Call call) {
    Shape in = call.in().shape();
    long scratchBytes = scratchBytes(op, in, list.type());
    return list.launch(Native::vtbc_mean_pool_launch,
        shapeOf(in).in(list.address(call.in())).out(list.address(call.out())).scratch(list.scratch(call, scratchBytes)),
        scratchBytes);
  }

  private vtbc_resize_args resize(Call call) {
    Shape in = call.in().shape();
    Shape out = call.out().shape();
    return new vtbc_resize_args().batch(in.dim(0)).height(in.dim(1)).width(in.dim(2)).channels(in.channels())
        .out_height(out.dim(1)).out_width(out.dim(2)).in(list.address(call.in())).out(list.address(call.out()));
  }

  @Override
  public Step adaptiveAveragePool(AdaptiveAveragePool op, Call call) {
    return list.launch(Native::vtbc_adaptive_average_pool_launch, resize(call));
  }

  @Override
  public Step bilinear(Bilinear op, Call call) {
    return list.launch(Native::vtbc_bilinear_launch, resize(call));
  }

  @Override
  public Step softmax(Softmax op, Call call) {
    Shape in = call.in().shape();
    return list.launch(Native::vtbc_softmax_launch, new vtbc_softmax_args().rows(in.rows()).channels(in.channels())
        .in(list.address(call.in())).out(list.address(call.out())));
  }

  @Override
  public Step affine(Affine op, Call call) {
    Shape in = call.in().shape();
    return list.launch(Native::vtbc_affine_launch,
        new vtbc_affine_args().batch(in.dim(0)).positions(in.positions()).channels(in.channels())
            .activation(code(op.activation())).in(list.address(call.in())).factor(list.address(op.factor()))
            .scale(list.values(op.scale())).shift(list.values(op.shift())).out(list.address(call.out())));
  }

  @Override
  public Step sum(Sum op, Call call) {
    Shape out = call.out().shape();
    vtbc_sum_args args = new vtbc_sum_args().rows(out.rows()).channels(out.channels()).activation(code(op.activation()))
        .out(list.address(call.out()));
    for (int i = 0; i < op.terms().size(); i++) {
      Sum.Term term = op.terms().get(i);
      long source = term.tensor() != null ? list.address(term.tensor()) : list.converted(term.weights());
      long map = list.upload(term.map());
      switch (i) {
        case 0 -> args.in0(source).map0(map);
        case 1 -> args.in1(source).map1(map);
        default -> args.in2(source).map2(map);
      }
    }
    return list.launch(Native::vtbc_sum_launch, args);
  }

  @Override
  public Step shrinkTokens(ShrinkTokens op, Call call) {
    Shape in = call.in().shape();
    Shape classToken = op.classToken().shape();
    return list.launch(Native::vtbc_shrink_tokens_launch,
        new vtbc_shrink_tokens_args().batch(in.dim(0)).tokens(in.positions()).channels(in.channels())
            .kept(op.choice().kept()).in(list.address(call.in())).scores(list.address(op.choice().scores()))
            .class_token(list.address(op.classToken())).class_stride(classToken.elements() / classToken.dim(0))
            .out(list.address(call.out())));
  }

  @Override
  public Step recoverTokens(RecoverTokens op, Call call) {
    Shape in = call.in().shape();
    return list.launch(Native::vtbc_recover_tokens_launch,
        new vtbc_recover_tokens_args().batch(in.dim(0)).tokens(in.positions()).channels(in.channels())
            .kept(op.choice().kept()).in(list.address(call.in())).scores(list.address(op.choice().scores()))
            .before(list.address(op.before())).after(list.address(op.after())).out(list.address(call.out())));
  }

  @Override
  public Step scoreTokens(ScoreTokens op, Call call) {
    Shape out = call.out().shape();
    return list.launch(Native::vtbc_score_tokens_launch,
        new vtbc_score_tokens_args().batch(out.dim(0)).tokens(out.positions()).kept(op.choice().kept())
            .heads(op.heads()).head_dim(op.headDim()).scale(op.scale()).trade_off(op.tradeOff())
            .qkv(list.address(call.in())).scores(list.address(op.choice().scores())).out(list.address(call.out())));
  }

  @Override
  public Step poolScores(PoolScores op, Call call) {
    Shape in = call.in().shape();
    return list.launch(Native::vtbc_pool_scores_launch, new vtbc_pool_scores_args().batch(in.dim(0)).time(in.time())
        .height(in.dim(-3)).width(in.dim(-2)).in(list.address(call.in())).out(list.address(call.out())));
  }
}
