package io.vertebra.program;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vertebra.backend.Backend;
import io.vertebra.program.op.Activation;
import io.vertebra.program.op.Affine;
import io.vertebra.program.op.Bilinear;
import io.vertebra.program.op.Call;
import io.vertebra.program.op.DepthwiseConv;
import io.vertebra.program.op.GlobalFilter;
import io.vertebra.program.op.LayerNorm;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.MeanPool;
import io.vertebra.program.op.Op;
import io.vertebra.program.op.RegionMask;
import io.vertebra.program.op.RowMap;
import io.vertebra.program.op.RowSource;
import io.vertebra.program.op.ScoreTokens;
import io.vertebra.program.op.ShrinkTokens;
import io.vertebra.program.op.Softmax;
import io.vertebra.program.op.Sum;
import io.vertebra.program.op.Sum.Term;
import io.vertebra.program.op.TokenChoice;
import io.vertebra.program.op.Weights;
import io.vertebra.program.op.Window;
import io.vertebra.program.op.WindowAttention;
import io.vertebra.reference.ReferenceBackend;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Tensor;
import java.util.Collections;
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

  /** Each passed once, since a sum or product wrapped around. */
  @Test
  void channelsAndWindowsThatOverflow() {
    int far = Integer.MAX_VALUE - 3;
    Weights taps = backend.packValues(Shape.of(9, 8), new float[72]);
    Weights filter = backend.packValues(Shape.of(8, 5, 8, 2), new float[8 * 5 * 8 * 2]);
    refusesMap(r -> r.record("y", Linear.of(square, null).gate(r.input(), far), r.input()), "gate");
    refusesMap(r -> r.record("y", depthwise(taps, Window.square(3, 1, 1), far), r.input()), "channels");
    refusesMap(r -> r.record("y", new GlobalFilter(filter, far), r.input()), "channels");
    refusesMap(r -> r.record("y", depthwise(taps, Window.square(3, 1, Integer.MAX_VALUE), 0), r.input()), "padding");
    refusesMap(r -> r.record("y", depthwise(taps, Window.square(3, far, 1 << 30), 0), r.input()), "padding");
    RowMap wide = new RowMap(new int[1 << 12], 1 << 12);
    assertThatThrownBy(() -> Recording.of(Shape.of(1, 1 << 20), Set.of("y"),
        r -> r.output("y", r.record("y", LayerNorm.gather(wide), r.input()))))
        .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("groups");
    for (int[] window : new int[][] {{65537, 1, 32768}, {0, 1, 0}, {3, 0, 0}, {3, 1, -1}}) {
      assertThatThrownBy(() -> Window.square(window[0], window[1], window[2]))
          .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("window");
    }
    assertThatThrownBy(() -> new ScoreTokens(new TokenChoice(null, 7), Shape.of(1, 7, 1), 1431655766, 8, 1, 0.5f))
        .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("heads");
    assertThatThrownBy(() -> new MemoryPlan(Recording.of(Shape.of(1, 1, 1, 1 << 20), Set.of("y"), r -> {
      Tensor large = r.record("large", new Bilinear(1 << 19, 1 << 19), r.input());
      List<Term> terms = Collections.nCopies(2, Term.of(r.record("other", new Softmax(), large)));
      r.output("y", r.record("y", new MeanPool(), r.record("sum", new Sum(terms, Activation.IDENTITY), large)));
    }))).isInstanceOf(IllegalArgumentException.class);
  }

  private void refusesMap(Function<Recorder, Tensor> forward, String message) {
    assertThatThrownBy(() -> Recording.of(Shape.of(1, 8, 8, 8), Set.of("y"), r -> r.output("y", forward.apply(r))))
        .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("y: ").hasMessageContaining(message);
  }

  private static DepthwiseConv depthwise(Weights taps, Window window, int firstChannel) {
    return new DepthwiseConv(taps, null, window, firstChannel, 1, Activation.IDENTITY);
  }

  /** With one axis there would be no telling images from channels: kernels read past the end. */
  @Test
  void operandsWithoutBatch() {
    Function<Op, Runnable> recording
        = op -> () -> Recording.of(Shape.of(8), Set.of("y"), r -> r.output("y", r.record("y", op, r.input())));
    for (Op op : List.of(new MeanPool(), Affine.of(vector, null))) {
      assertThatThrownBy(() -> recording.apply(op).run()).isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("batch");
    }
    assertThatThrownBy(() -> Recording.of(List.of(Shape.of(8, 2, 8), Shape.of(8)), Set.of("y"),
        r -> r.output("y", r.record("y", new ShrinkTokens(new TokenChoice(null, 2), r.inputs().get(1)), r.input()))))
        .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("class token");
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
