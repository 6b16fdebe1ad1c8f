package io.vertebra.program;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertebra.backend.Backend;
import io.vertebra.program.op.Activation;
import io.vertebra.program.op.Affine;
import io.vertebra.program.op.Convolution;
import io.vertebra.program.op.DepthwiseConv;
import io.vertebra.program.op.GlobalFilter;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.Norm;
import io.vertebra.program.op.RowMap;
import io.vertebra.program.op.Softmax;
import io.vertebra.program.op.Sum;
import io.vertebra.program.op.Weights;
import io.vertebra.program.op.Window;
import io.vertebra.program.op.WindowAttention;
import io.vertebra.reference.ReferenceBackend;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Tensor;
import java.util.Set;
import java.util.function.Function;
import org.junit.jupiter.api.Test;

class CostTest {
  private final Backend backend = new ReferenceBackend();

  private Weights values(int... dims) {
    Shape shape = Shape.of(dims);
    return backend.packValues(shape, new float[(int) shape.elements()]);
  }

  /** Of the last call that {@code forward} records for an input {@code [2, 4, 6, 8]}. */
  private static Cost cost(Function<Recorder, Tensor> forward, int elementBytes) {
    Recording recording = Recording.of(Shape.of(2, 4, 6, 8), Set.of("y"), r -> r.output("y", forward.apply(r)));
    return Cost.of(recording.calls().get(recording.calls().size() - 1), elementBytes);
  }

  private static Cost cost(Function<Recorder, Tensor> forward) {
    return cost(forward, Float.BYTES);
  }

  private static void check(Cost cost, long flops, long activations, long weights) {
    assertThat(cost.flops()).isEqualTo(flops);
    assertThat(cost.activationBytes()).isEqualTo(4 * activations);
    assertThat(cost.weightBytes()).isEqualTo(4 * weights);
    assertThat(cost.bytes()).isEqualTo(4 * (activations + weights));
  }

  @Test
  void linear() {
    Weights matrix = values(5, 8);
    check(cost(r -> r.record("y", Linear.of(matrix, values(5)), r.input())), 2 * 48 * 40, 48 * 8 + 48 * 5, 45);
    Norm norm = new Norm(values(8), values(8), 1e-5f);
    check(cost(r -> r.record("y", Linear.of(matrix, null).norm(norm), r.input())), 2 * 48 * 40, 48 * 8 + 48 * 5,
        40 + 16);
  }

  @Test
  void activationsAndMatricesInHalfPrecision() {
    Cost cost = cost(r -> r.record("y", Linear.of(values(5, 8), values(5)), r.input()), Short.BYTES);
    assertThat(cost.activationBytes()).isEqualTo(2 * (48 * 8 + 48 * 5));
    assertThat(cost.weightBytes()).isEqualTo(2 * 40 + 4 * 5);
    Convolution convolution = new Convolution(values(3, 72), values(3), Activation.IDENTITY);
    assertThat(cost(r -> r.record("y", convolution, r.input()), Short.BYTES).weightBytes())
        .isEqualTo(2 * 3 * 72 + 4 * 3);
  }

  @Test
  void aTensorCountsOnceAndAsFarAsItIsRead() {
    Weights matrix = values(8, 8);
    RowMap some = new RowMap(new int[] {3, 3, 5}, 1);
    check(cost(r -> r.record("y", Linear.of(matrix, null).gather(some), r.input())), 2 * 3 * 64, 3 * 8 + 3 * 8, 64);
    check(cost(r -> r.record("y", Linear.of(matrix, null).residual(r.input()), r.input())), 2 * 48 * 64, 2 * 48 * 8,
        64);
    check(
        cost(r -> r.record("y", Linear.of(matrix, null).residual(r.input()), r.record("x", new Softmax(), r.input()))),
        2 * 48 * 64, 3 * 48 * 8, 64);
  }

  @Test
  void convolutionsOfSomeChannels() {
    DepthwiseConv conv = new DepthwiseConv(values(9, 4), values(4), Window.square(3, 1, 1), 4, 1, Activation.IDENTITY);
    check(cost(r -> r.record("y", conv, r.input())), 2 * 9 * 48 * 4, 2 * 48 * 4, 9 * 4 + 4);
  }

  @Test
  void attention() {
    WindowAttention attention = new WindowAttention(6, 2, 4, 1, values(2, 6, 6), null);
    Weights matrix = values(24, 8);
    check(cost(r -> r.record("y", attention, r.record("qkv", Linear.of(matrix, null), r.input()))), 2 * 2 * 48 * 6 * 8,
        48 * 24 + 48 * 8, 72);
  }

  @Test
  void globalFilter() {
    Cost cost = cost(r -> r.record("y", new GlobalFilter(values(4, 4, 3, 2), 2), r.input()));
    long transforms = Math.round(2 * 3 * (5 * 24 * Math.log(24) / Math.log(2) + 6 * 16));
    check(cost, transforms, 2 * 48 * 3, 4 * 4 * 3 * 2);
  }

  @Test
  void elementwise() {
    check(cost(r -> r.record("y", new Softmax(), r.input())), 0, 2 * 48 * 8, 0);
    check(cost(r -> r.record("y", new Affine(null, values(8), null, Activation.GELU), r.input())), 0, 2 * 48 * 8, 8);
    check(cost(r -> r.record("y", Sum.of(Sum.Term.of(r.input()), Sum.Term.of(r.input())), r.input())), 0, 2 * 48 * 8,
        0);
  }
}
