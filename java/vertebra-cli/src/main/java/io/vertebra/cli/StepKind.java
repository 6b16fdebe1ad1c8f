package io.vertebra.cli;

import io.vertebra.program.op.Call;
import io.vertebra.program.op.Convolution;
import io.vertebra.program.op.DepthwiseConv;
import io.vertebra.program.op.GlobalFilter;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.Op;
import io.vertebra.program.op.WindowAttention;
import java.util.Map;

/** What a step's time is spent on. */
enum StepKind {
  GEMM("GEMM"), ATTENTION("attention"), DEPTHWISE("depthwise convolution"), FILTER("global filter"), ELEMENTWISE(
      "norm, elementwise");

  /** Of operations that do more than pass over their data. */
  private static final Map<Class<? extends Op>, StepKind> KINDS = Map.of(Linear.class, GEMM, Convolution.class, GEMM,
      WindowAttention.class, ATTENTION, DepthwiseConv.class, DEPTHWISE, GlobalFilter.class, FILTER);

  private final String label;

  StepKind(String label) {
    this.label = label;
  }

  static StepKind of(Call call) {
    return KINDS.getOrDefault(call.op().getClass(), ELEMENTWISE);
  }

  @Override
  public String toString() {
    return label;
  }
}
