package io.vertebra.cli;

import io.vertebra.program.op.Op;

/** What a step's time is spent on. */
enum StepKind {
  GEMM("GEMM"), ATTENTION("attention"), DEPTHWISE("depthwise convolution"), FILTER("global filter"), ELEMENTWISE(
      "norm, elementwise");

  private final String label;

  StepKind(String label) {
    this.label = label;
  }

  static StepKind of(Op op) {
    if (op instanceof Op.Linear || op instanceof Op.Convolution) {
      return GEMM;
    } else if (op instanceof Op.WindowAttention) {
      return ATTENTION;
    } else if (op instanceof Op.DepthwiseConv) {
      return DEPTHWISE;
    }
    return op instanceof Op.GlobalFilter ? FILTER : ELEMENTWISE;
  }

  @Override
  public String toString() {
    return label;
  }
}
