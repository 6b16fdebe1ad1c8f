package io.vertebra.bench.gemm;

import io.vertebra.backend.Backend;
import io.vertebra.bench.kernel.Kernel;
import io.vertebra.bench.kernel.VertebraKernel;
import io.vertebra.program.Recording;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.Weights;
import io.vertebra.tensor.Precision;
import io.vertebra.tensor.Shape;
import io.vertebra.weights.Parameter;
import java.util.List;
import java.util.Set;

/** Our matrix product: a program of one {@link Linear}. The operand is fp32 in either precision. */
public final class VertebraGemm {
  private VertebraGemm() {}

  public static Kernel of(GemmData data, int threads, Precision precision) {
    float[][] operands = data.shape().residual() ? new float[][] {data.a(), data.residual()} : new float[][] {data.a()};
    return new VertebraKernel(threads, precision, backend -> record(data, backend), operands);
  }

  private static Recording record(GemmData data, Backend backend) {
    GemmShape shape = data.shape();
    Shape a = Shape.of(shape.m(), shape.k());
    Weights weights = backend.packMatrix(Parameter.of("weights", Shape.of(shape.n(), shape.k()), data.weights()));
    Weights bias = shape.bias() ? backend.packValues(Shape.of(shape.n()), data.bias()) : null;
    Linear product = Linear.of(weights, bias).activation(shape.activation());
    List<Shape> inputs = shape.residual() ? List.of(a, Shape.of(shape.m(), shape.n())) : List.of(a);
    return Recording.of(inputs, Set.of(VertebraKernel.OUT), r -> {
      Linear whole = shape.residual() ? product.residual(r.inputs().get(1)) : product;
      r.output(VertebraKernel.OUT, r.record("gemm", whole, r.input()));
    });
  }
}
