package io.vertebra.program;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vertebra.reference.ReferenceBackend;
import java.util.Set;
import java.util.function.Function;
import org.junit.jupiter.api.Test;

/** What the recorder refuses: native code relies on it. */
class RecorderTest {
  private final Backend backend = new ReferenceBackend();
  private final Weights vector = backend.packValues(Shape.of(8), new float[8]);
  private final Weights square = backend.packValues(Shape.of(8, 8), new float[64]);

  private void refuses(Function<Recorder, Tensor> forward, String message) {
    assertThatThrownBy(() -> Recording.of(Shape.of(2, 3, 8), Set.of("y"), r -> r.output("y", forward.apply(r))))
        .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("y: ").hasMessageContaining(message);
  }

  private static RowMap map(int groups, int... rows) {
    return new RowMap(rows, groups);
  }

  @Test
  void rowMapsOutsideTheOperand() {
    refuses(r -> r.linear("y", r.input(), new RowSource(map(1, 0, 6), null), square, Epilogue.bias(null)), "row map");
    refuses(r -> r.linear("y", r.input(), new RowSource(map(1, 0, -2), null), square, Epilogue.bias(null)), "row map");
    refuses(r -> r.linear("y", r.input(), new RowSource(map(2, 0, 12), null), square, Epilogue.bias(null)), "row map");
    refuses(r -> r.linear("y", r.input(), new RowSource(map(3, 0, 1, 2), null), square, Epilogue.bias(null)), "row map");
  }

  @Test
  void scattersThatLeaveGapsOrCollide() {
    refuses(r -> r.linear("y", r.input(), RowSource.PLAIN, square, Epilogue.bias(null).residual(r.input()).scatter(map(1, 0, 1, 2, 3, 4, 4))), "scatter");
    refuses(r -> r.linear("y", r.input(), RowSource.PLAIN, square, Epilogue.bias(null).residual(r.input()).scatter(map(1, 0, 1, 2, 3, 4, 6))), "scatter");
    refuses(r -> r.linear("y", r.input(), RowSource.PLAIN, square, Epilogue.bias(null).residual(r.input()).scatter(map(1, 0, 1, 2, 3, 4, -1))), "scatter");
  }

  @Test
  void widthsThatDoNotFit() {
    refuses(r -> r.linear("y", r.input(), RowSource.PLAIN, backend.packValues(Shape.of(8, 7), new float[56]), Epilogue.bias(null)), "width 7");
    refuses(r -> r.linear("y", r.input(), RowSource.PLAIN, backend.packValues(Shape.of(7, 8), new float[56]), Epilogue.bias(vector)), "bias");
    refuses(r -> r.linear("y", r.input(), RowSource.PLAIN, square, Epilogue.bias(null), Shape.of(5, 8)), "output of 6 rows");
    refuses(r -> r.add("y", r.input(), vector), "addend");
    refuses(r -> r.windowAttention("y", r.input(), new Op.WindowAttention(6, 1, 2, 1, null, null)), "windows");
    refuses(r -> r.windowAttention("y", r.linear("qkv", r.input(), RowSource.PLAIN, backend.packValues(Shape.of(6, 8), new float[48]), Epilogue.bias(null)),
        new Op.WindowAttention(6, 1, 2, 1, vector, null)), "bias");
    refuses(r -> r.windowAttention("y", r.linear("qkv", r.input(), RowSource.PLAIN, backend.packValues(Shape.of(6, 8), new float[48]), Epilogue.bias(null)),
        new Op.WindowAttention(6, 1, 2, 1, null, new RegionMask(new int[10], 2))), "mask");
  }

  @Test
  void unknownOutputsAreNamedAndUnneededCallsLeftOut() {
    assertThatThrownBy(() -> Recording.of(Shape.of(1, 8), Set.of("nothing"), r -> r.softmax("y", r.input())))
        .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("nothing");
    Recording recording = Recording.of(Shape.of(1, 8), Set.of("z"), r -> {
      r.softmax("unneeded", r.input());
      r.output("z", r.scope("block", () -> r.softmax("y", r.input())));
    });
    assertThat(recording.calls()).extracting(Call::name).containsExactly("block.y");
  }
}
