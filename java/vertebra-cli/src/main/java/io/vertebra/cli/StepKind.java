package io.vertebra.cli;

import io.vertebra.program.op.Call;
import io.vertebra.program.op.Convolution;
import io.vertebra.program.op.DepthwiseConv;
import io.vertebra.program.op.GlobalFilter;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.Op;
import io.vertebra.program.op.WindowAttention;

/** What a step's time is spent on. */
enum StepKind {
  GEMM("GEMM"), ATTENTION("attention"), DEPTHWISE("depthwise convolution"), FILTER("global filter"), ELEMENTWISE(
      "norm, elementwise");

  private static final Op.Selection<StepKind> KINDS = new Op.Selection<>() {
    @Override
    public StepKind linear(Linear op, Call call) {
      return GEMM;
    }

    @Override
    public StepKind convolution(Convolution op, Call call) {
      return GEMM;
    }

    @Override
    public StepKind windowAttention(WindowAttention op, Call call) {
      return ATTENTION;
    }

    @Override
    public StepKind depthwiseConv(DepthwiseConv op, Call call) {
      return DEPTHWISE;
    }

    @Override
    public StepKind globalFilter(GlobalFilter op, Call call) {
      return FILTER;
    }

    @Override
    public StepKind otherwise(Call call) {
      return ELEMENTWISE;
    }
  };

  private final String label;

  StepKind(String label) {
    this.label = label;
  }

  static StepKind of(Call call) {
    return call.accept(KINDS);
  }

  @Override
  public String toString() {
    return label;
  }
}
