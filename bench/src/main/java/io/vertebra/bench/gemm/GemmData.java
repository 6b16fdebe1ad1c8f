package io.vertebra.bench.gemm;

import java.util.Random;

/** Random operands, uniform in [-1, 1), that all libraries share. */
public final class GemmData implements AutoCloseable {
  final GemmShape shape;
  final NativeFloats a;
  final NativeFloats weights;
  final NativeFloats bias;
  final float[] residual;

  public GemmData(GemmShape shape) {
    Random random = new Random(1);
    this.shape = shape;
    this.a = new NativeFloats(uniform(random, shape.m() * shape.k()));
    this.weights = new NativeFloats(uniform(random, shape.n() * shape.k()));
    this.bias = new NativeFloats(uniform(random, shape.n()));
    this.residual = uniform(random, shape.m() * shape.n());
  }

  private static float[] uniform(Random random, int count) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = 2 * random.nextFloat() - 1;
    }
    return values;
  }

  @Override
  public void close() {
    a.close();
    weights.close();
    bias.close();
  }
}
