package io.vertebra.program;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vertebra.backend.Backend;
import io.vertebra.program.op.Call;
import io.vertebra.program.op.LayerNorm;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.RegionMask;
import io.vertebra.program.op.RowMap;
import io.vertebra.program.op.RowSource;
import io.vertebra.program.op.Softmax;
import io.vertebra.program.op.Sum;
import io.vertebra.program.op.Weights;
import io.vertebra.program.op.WindowAttention;
import io.vertebra.reference.ReferenceBackend;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Tensor;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
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
    refuses(r -> r.record("y", Linear.of(square, null).gather(map(1, 0, 6)), r.input()), "row map");
    refuses(r -> r.record("y", Linear.of(square, null).gather(map(1, 0, -2)), r.input()), "row map");
    refuses(r -> r.record("y", Linear.of(square, null).gather(map(2, 0, 12)), r.input()), "row map");
    refuses(r -> r.record("y", Linear.of(square, null).gather(map(3, 0, 1, 2)), r.input()), "row map");
  }

  @Test
  void scattersThatLeaveGapsOrCollide() {
    refuses(
        r -> r.record("y", Linear.of(square, null).residual(r.input()).scatter(map(1, 0, 1, 2, 3, 4, 4)), r.input()),
        "scatter");
    refuses(
        r -> r.record("y", Linear.of(square, null).residual(r.input()).scatter(map(1, 0, 1, 2, 3, 4, 6)), r.input()),
        "scatter");
    refuses(
        r -> r.record("y", Linear.of(square, null).residual(r.input()).scatter(map(1, 0, 1, 2, 3, 4, -1)), r.input()),
        "scatter");
  }

  @Test
  void widthsThatDoNotFit() {
    refuses(r -> r.record("y", Linear.of(backend.packValues(Shape.of(8, 7), new float[56]), null), r.input()),
        "width 7");
    refuses(r -> r.record("y", Linear.of(backend.packValues(Shape.of(7, 8), new float[56]), vector), r.input()),
        "bias");
    refuses(r -> r.record("y", Linear.of(square, null), r.input(), Shape.of(5, 8)), "output of 6 rows");
    refuses(r -> r.record("y", Sum.of(Sum.Term.of(r.input()), Sum.Term.of(vector, null)), r.input()), "term");
    refuses(r -> r.record("y", new WindowAttention(6, 1, 2, 1, null, null), r.input()), "windows");
    refuses(r -> r.record("y", new WindowAttention(6, 1, 2, 1, vector, null),
        r.record("qkv", Linear.of(backend.packValues(Shape.of(6, 8), new float[48]), null), r.input())), "bias");
    for (Shape bias : new Shape[] {Shape.of(1, 6, 5), Shape.of(2, 3, 5), Shape.of(1, 4, 5), Shape.of(1, 5, 5),
      Shape.of(15)}) {
      refuses(r -> r.record("y",
          new WindowAttention(6, 1, 2, 1, backend.packValues(bias, new float[(int) bias.elements()]), null),
          r.record("qkv", Linear.of(backend.packValues(Shape.of(6, 8), new float[48]), null), r.input())), "bias");
    }
    refuses(r -> r.record("y", new WindowAttention(6, 1, 2, 1, null, new RegionMask(new int[10], 2)),
        r.record("qkv", Linear.of(backend.packValues(Shape.of(6, 8), new float[48]), null), r.input())), "mask");
  }

  @Test
  void sizesThatOverflowOrAreNone() {
    // 134217731 * 32 is 96 modulo 2^32.
    assertThatThrownBy(() -> Recording.of(Shape.of(49, 288), Set.of("y"),
        r -> r.output("y", r.record("y", new WindowAttention(49, 134217731, 32, 1, null, null), r.input()))))
        .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("windows");
    assertThatThrownBy(() -> new WindowAttention(-49, 3, 32, 1, null, null))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new WindowAttention(49, -3, -32, 1, null, null))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new RegionMask(new int[] {0, 1 << 24}, 1)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> RowMap.entries(1L << 40)).isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("too large");
    assertThatThrownBy(() -> Shape.of(1 << 20, 1 << 20, 4).rows()).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> Shape.of()).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(
        () -> Recording.of(Shape.of(1 << 29), Set.of("y"), r -> r.output("y", r.record("y", new Softmax(), r.input()))))
        .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("2 GiB");
  }

  @Test
  void tensorsOfOtherRecordings() {
    Tensor other = Recording
        .of(Shape.of(6, 8), Set.of("y"), r -> r.output("y", r.record("y", new Softmax(), r.input()))).inputs().get(0);
    refuses(r -> r.record("y", new Softmax(), other), "another recording");
    refuses(r -> other, "another recording");
    refuses(r -> r.record("y", Linear.of(square, null).residual(other), r.input(), Shape.of(6, 8)),
        "another recording");
  }

  @Test
  void aRecorderKeptForLaterChangesNothing() {
    Recorder[] kept = new Recorder[1];
    Recording recording = Recording.of(Shape.of(6, 8), Set.of("y"), r -> {
      kept[0] = r;
      r.output("y", r.record("y", new Softmax(), r.input()));
    });
    Tensor before = recording.outputs().get("y");
    kept[0].output("y", kept[0].record("late", new Softmax(), before));
    assertThat(recording.outputs()).containsEntry("y", before);
    assertThat(recording.calls()).hasSize(1);
  }

  @Test
  void unknownOutputsAreNamedAndUnneededCallsLeftOut() {
    assertThatThrownBy(
        () -> Recording.of(Shape.of(1, 8), Set.of("nothing"), r -> r.record("y", new Softmax(), r.input())))
        .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("nothing");
    Recording recording = Recording.of(Shape.of(1, 8), Set.of("z"), r -> {
      r.record("unneeded", new Softmax(), r.input());
      r.output("z", r.scope("block").record("y", new Softmax(), r.input()));
    });
    assertThat(recording.calls()).extracting(Call::name).containsExactly("block.y");
  }

  @Test
  void layerNormRowsMayBeMadeOfPartsOfSourceRows() {
    Recording recording = Recording.of(Shape.of(2, 8), Set.of("y"), r -> r.output("y",
        r.record("y", new LayerNorm(new RowSource(map(2, 1, 3, 0, 2), null)), r.input(), Shape.of(2, 1, 8))));
    assertThat(recording.outputs().get("y").shape()).isEqualTo(Shape.of(2, 1, 8));
    refuses(r -> r.record("y", new LayerNorm(new RowSource(map(2, 1, 3), null)), r.input(), Shape.of(2, 8)),
        "output of 1 rows");
    refuses(r -> r.record("y", new LayerNorm(new RowSource(map(3, 1, 3, 0), null)), r.input(), Shape.of(1, 8)),
        "row map");
  }

  @Test
  void outputsOfAPartAreTensorsForTheWhole() {
    Consumer<Recorder> part = r -> {
      r.output("a", r.record("part.a", new Softmax(), r.input()));
      r.output("b", r.record("part.b", new Softmax(), r.input()));
    };
    Recording recording = Recording.of(Shape.of(1, 8), Set.of("a"), r -> {
      List<Tensor> tensors = r.scope("inner").outputsOf(List.of("b"), part);
      r.output("a", r.record("whole", new Softmax(), tensors.get(0)));
    });
    assertThat(recording.calls()).extracting(Call::name).containsExactly("inner.part.b", "whole");
    assertThat(recording.outputs().keySet()).containsExactly("a");
    refuses(r -> r.outputsOf(List.of("y"), part).get(0), "output");
  }
}
