package io.vertebra.program;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertebra.Families;
import io.vertebra.backbone.Backbone;
import io.vertebra.backend.Backend;
import io.vertebra.program.op.Activation;
import io.vertebra.program.op.Affine;
import io.vertebra.program.op.Call;
import io.vertebra.program.op.LayerNorm;
import io.vertebra.program.op.MeanPool;
import io.vertebra.program.op.Norm;
import io.vertebra.program.op.RowSource;
import io.vertebra.program.op.Sum;
import io.vertebra.program.op.Weights;
import io.vertebra.reference.ReferenceBackend;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Tensor;
import io.vertebra.weights.FormulaWeights;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class MemoryPlanTest {
  @Test
  void tensorsAliveTogetherNeverOverlapAndResidualsAreReplacedInPlace() {
    try (Backend backend = new ReferenceBackend()) {
      Backbone backbone
          = Families.named("swin_tiny_patch4_window7_224").architecture().load(new FormulaWeights(), backend);
      Recording recording = Recording.of(Shape.of(2, 224, 224, 3), Set.of("stage1", "logits"), backbone::forward);
      MemoryPlan plan = new MemoryPlan(recording);
      int inPlace = checkLifetimes(recording, plan);
      assertThat(inPlace).as("two residuals in each of 12 blocks, the first norm and the last").isEqualTo(26);
      // The widest moment of a forward pass holds the stream (2 x 3136 x 96 floats) and the hidden layer four times as
      // wide.
      long widest = 2L * 3136 * 96 * 5 * Float.BYTES;
      long kept = 2L * 784 * 192 * Float.BYTES;
      assertThat(plan.bytes()).isBetween(widest, widest + kept + 4096);
    }
  }

  @Test
  void whatIsScaledOrNormalisedElementByElementIsReplacedInPlace() {
    try (Backend backend = new ReferenceBackend()) {
      Weights four = backend.packValues(Shape.of(4), new float[] {1, 2, 3, 4});
      Recording recording = Recording.of(Shape.of(1, 5, 4), Set.of("out"), r -> {
        Tensor read = r.record("kept", new Affine(null, four, null, Activation.IDENTITY), r.input());
        Tensor factor = r.record("factor", new MeanPool(), read);
        Tensor scaled = r.record("scaled", new Affine(factor, four, four, Activation.GELU), read);
        Tensor normed = r.record("normed", new LayerNorm(RowSource.norm(new Norm(four, four, 1e-5f))), scaled);
        r.output("out", r.record("sum", Sum.of(Sum.Term.of(normed), Sum.Term.of(scaled)), normed));
      });
      MemoryPlan plan = new MemoryPlan(recording);
      checkLifetimes(recording, plan);
      List<Call> calls = recording.calls();
      assertThat(plan.offset(calls.get(2).out())).as("what is last read here")
          .isEqualTo(plan.offset(calls.get(2).in()));
      assertThat(plan.offset(calls.get(3).out())).as("what is read again").isNotEqualTo(plan.offset(calls.get(3).in()));
    }
  }

  @Test
  void scratchMemoryIsKeptFromItsCallToItsLastReader() {
    try (Backend backend = new ReferenceBackend()) {
      Backbone backbone
          = Families.named("swin_tiny_patch4_window7_224").architecture().load(new FormulaWeights(), backend);
      Recording recording = Recording.of(Shape.of(1, 224, 224, 3), Set.of("logits"), backbone::forward);
      List<Call> calls = recording.calls();
      MemoryPlan plan = new MemoryPlan(recording, 2, 256, new MemoryPlan.Scratch() {
        @Override
        public long bytes(Call call) {
          return !call.op().matrices().isEmpty() ? call.out().shape().elements() + 100 : 0;
        }

        @Override
        public Call last(Call call) {
          return calls.get(Math.min(calls.size() - 1, calls.indexOf(call) + 1));
        }
      });
      for (int i = 0; i + 1 < calls.size(); i++) {
        Call call = calls.get(i);
        assertThat(plan.offset(call.out()) % 256).isZero();
        if (!call.op().matrices().isEmpty()) {
          long begin = plan.scratch(call);
          long end = begin + call.out().shape().elements() + 100;
          assertThat(begin % 256).isZero();
          assertThat(end).isLessThanOrEqualTo(plan.bytes());
          for (Tensor tensor : List.of(call.in(), call.out(), calls.get(i + 1).in(), calls.get(i + 1).out())) {
            long from = plan.offset(tensor);
            assertThat(end <= from || from + 2 * tensor.shape().elements() <= begin).as("%s beside %s", call, tensor)
                .isTrue();
          }
        } else {
          assertThat(plan.scratch(call)).isNegative();
        }
      }
    }
  }

  private static int checkLifetimes(Recording recording, MemoryPlan plan) {
    List<Call> calls = recording.calls();
    Map<Tensor, Integer> lastUse = new HashMap<>();
    for (int i = 0; i < calls.size(); i++) {
      for (Tensor tensor : calls.get(i).reads()) {
        lastUse.put(tensor, i);
      }
    }
    recording.outputs().values().forEach(tensor -> lastUse.put(tensor, calls.size()));
    int inPlace = 0;
    Map<Tensor, Integer> alive
        = new HashMap<>(Map.of(recording.inputs().get(0), lastUse.get(recording.inputs().get(0))));
    for (int i = 0; i < calls.size(); i++) {
      int now = i;
      Call call = calls.get(i);
      Tensor out = call.out();
      for (Tensor other : alive.keySet()) {
        boolean takenOver = other == call.op().replaceable(call.in()) && lastUse.get(other) == now;
        boolean disjoint = plan.offset(out) + bytes(out) <= plan.offset(other)
            || plan.offset(other) + bytes(other) <= plan.offset(out);
        assertThat(disjoint || takenOver && plan.offset(out) == plan.offset(other)).as("%s over %s", call, other)
            .isTrue();
        inPlace += disjoint ? 0 : 1;
      }
      alive.put(out, lastUse.get(out));
      alive.values().removeIf(last -> last <= now);
    }
    return inPlace;
  }

  private static long bytes(Tensor tensor) {
    return tensor.shape().elements() * Float.BYTES;
  }
}
