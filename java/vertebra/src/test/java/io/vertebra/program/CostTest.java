package io.vertebra.program;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertebra.backend.Backend;
import io.vertebra.program.op.Activation;
import io.vertebra.program.op.Epilogue;
import io.vertebra.program.op.Norm;
import io.vertebra.program.op.Op;
import io.vertebra.program.op.RowMap;
import io.vertebra.program.op.RowSource;
import io.vertebra.program.op.Weights;
import io.vertebra.program.op.Window;
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
    check(cost(r -> r.linear("y", r.input(), RowSource.PLAIN, matrix, Epilogue.bias(values(5)))), 2 * 48 * 40,
        48 * 8 + 48 * 5, 45);
    Norm norm = new Norm(values(8), values(8), 1e-5f);
    check(cost(r -> r.linear("y", r.input(), RowSource.norm(norm), matrix, Epilogue.bias(null))), 2 * 48 * 40,
        48 * 8 + 48 * 5, 40 + 16);
  }

  @Test
  void activationsAndMatricesInHalfPrecision() {
    Cost cost
        = cost(r -> r.linear("y", r.input(), RowSource.PLAIN, values(5, 8), Epilogue.bias(values(5))), Short.BYTES);
    assertThat(cost.activationBytes()).isEqualTo(2 * (48 * 8 + 48 * 5));
    assertThat(cost.weightBytes()).isEqualTo(2 * 40 + 4 * 5);
    Op.Convolution convolution = new Op.Convolution(values(3, 72), values(3), Activation.IDENTITY);
    assertThat(cost(r -> r.convolution("y", r.input(), convolution), Short.BYTES).weightBytes())
        .isEqualTo(2 * 3 * 72 + 4 * 3);
  }

  @Test
  void aTensorCountsOnceAndAsFarAsItIsRead() {
    Weights matrix = values(8, 8);
    RowMap some = new RowMap(new int[] {3, 3, 5}, 1);
    check(cost(r -> r.linear("y", r.input(), new RowSource(some, null), matrix, Epilogue.bias(null))), 2 * 3 * 64,
        3 * 8 + 3 * 8, 64);
    check(cost(r -> r.linear("y", r.input(), RowSource.PLAIN, matrix, Epilogue.bias(null).residual(r.input()))),
        2 * 48 * 64, 2 * 48 * 8, 64);
    check(cost(r -> r.linear("y", r.softmax("x", r.input()), RowSource.PLAIN, matrix,
        Epilogue.bias(null).residual(r.input()))), 2 * 48 * 64, 3 * 48 * 8, 64);
  }

  @Test
  void convolutionsOfSomeChannels() {
    Op.DepthwiseConv conv
        = new Op.DepthwiseConv(values(9, 4), values(4), Window.square(3, 1, 1), 4, 1, Activation.IDENTITY);
    check(cost(r -> r.depthwiseConv("y", r.input(), conv)), 2 * 9 * 48 * 4, 2 * 48 * 4, 9 * 4 + 4);
  }

  @Test
  void attention() {
    Op.WindowAttention attention = new Op.WindowAttention(6, 2, 4, 1, values(2, 6, 6), null);
    Weights matrix = values(24, 8);
    check(cost(r -> r.windowAttention("y", r.linear("qkv", r.input(), RowSource.PLAIN, matrix, Epilogue.bias(null)),
        attention)), 2 * 2 * 48 * 6 * 8, 48 * 24 + 48 * 8, 72);
  }

  @Test
  void globalFilter() {
    Cost cost = cost(r -> r.globalFilter("y", r.input(), new Op.GlobalFilter(values(4, 4, 3, 2), 2)));
    long transforms = Math.round(2 * 3 * (5 * 24 * Math.log(24) / Math.log(2) + 6 * 16));
    check(cost, transforms, 2 * 48 * 3, 4 * 4 * 3 * 2);
  }

  @Test
  void elementwise() {
    check(cost(r -> r.softmax("y", r.input())), 0, 2 * 48 * 8, 0);
    check(cost(r -> r.affine("y", r.input(), new Op.Affine(null, values(8), null, Activation.GELU))), 0, 2 * 48 * 8, 8);
    check(cost(
        r -> r.sum("y", r.input().shape(), Activation.IDENTITY, Op.Sum.Term.of(r.input()), Op.Sum.Term.of(r.input()))),
        0, 2 * 48 * 8, 0);
  }
}
