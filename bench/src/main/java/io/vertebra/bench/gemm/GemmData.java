package io.vertebra.bench.gemm;

import java.util.Random;

/**
 * Random operands, uniform in [-1, 1), that all libraries share.
 *
 * @param a {@code [m, k]}
 * @param weights {@code [n, k]}
 * @param bias {@code [n]}
 * @param residual {@code [m, n]}
 */
public record GemmData(GemmShape shape, float[] a, float[] weights, float[] bias, float[] residual) {
  public static GemmData of(GemmShape shape) {
    Random random = new Random(1);
    return new GemmData(shape, uniform(random, shape.m() * shape.k()), uniform(random, shape.n() * shape.k()),
        uniform(random, shape.n()), uniform(random, shape.m() * shape.n()));
  }

  private static float[] uniform(Random random, int count) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = 2 * random.nextFloat() - 1;
    }
    return values;
  }
}
