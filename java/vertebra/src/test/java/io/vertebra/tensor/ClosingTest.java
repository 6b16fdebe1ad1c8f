package io.vertebra.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vertebra.backend.WeightStore;
import io.vertebra.program.op.Weights;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ClosingTest {
  private final List<String> done = new ArrayList<>();

  private Runnable failing(RuntimeException failure) {
    return () -> {
      done.add(failure.getMessage());
      throw failure;
    };
  }

  @Test
  void everyStepIsTakenAndTheFirstFailureTold() {
    RuntimeException first = new VertebraException("first");
    RuntimeException second = new IllegalStateException("second");
    assertThatThrownBy(() -> Closing.all(List.of(failing(first), failing(second), () -> done.add("third"))))
        .isSameAs(first);
    assertThat(first).hasSuppressedException(second);
    assertThat(done).containsExactly("first", "second", "third");
    Closing.all(List.of(() -> done.add("fourth")));
    assertThat(done).hasSize(4);
  }

  @Test
  void aStoreFreesAllThoughOneBlockFails() {
    WeightStore store = new WeightStore("test", () -> done.add("after all"));
    List<Weights> kept = new ArrayList<>();
    for (String name : List.of("a", "b")) {
      kept.add(store.pack(WeightStore.Form.VALUES, Shape.of(1), () -> new WeightStore.Block() {
        @Override
        public long address() {
          return 1;
        }

        @Override
        public long bytes() {
          return 4;
        }

        @Override
        public void close() {
          done.add(name);
          throw new VertebraException(name);
        }
      }));
    }
    assertThatThrownBy(store::close).isInstanceOf(VertebraException.class);
    assertThat(done).hasSize(3).contains("a", "b").endsWith("after all");
    store.close();
    assertThat(done).hasSize(3);
    assertThat(kept).hasSize(2);
  }
}
