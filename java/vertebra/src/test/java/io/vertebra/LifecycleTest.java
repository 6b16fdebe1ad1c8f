package io.vertebra;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vertebra.cpu.CpuBackend;
import io.vertebra.image.Image;
import io.vertebra.tensor.Shape;
import java.lang.reflect.Field;
import java.time.Duration;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Sessions and models whose users overflow the stack, die, forget to close or close too early. */
@Timeout(60)
class LifecycleTest {
  private static final Shape RAW = Shape.of(1, 3, 32, 32);
  private static final float[] INPUT = new float[3 * 32 * 32];

  private final Image image = TinyModels.image(1);

  /** Calls at every depth of the stack, from the deepest up, until one succeeds. */
  private static boolean deep(Runnable call) {
    boolean done;
    try {
      done = deep(call);
    } catch (StackOverflowError e) {
      done = false;
    }
    if (!done) {
      try {
        call.run();
        done = true;
      } catch (StackOverflowError e) {
        done = false;
      }
    }
    return done;
  }

  @Test
  void aStackOverflowAnywhereInACallLeavesTheSessionUsable() throws InterruptedException {
    try (Model model = TinyModels.swin().threads(2).build()) {
      Session reference = model.newSession();
      float[] expected = reference.embed(image);
      for (int size = 0; size < 24; size++) {
        Session session = model.newSession();
        if (size % 2 == 0) {
          session.embed(image);
        }
        Thread thread = new Thread(null, () -> {
          try {
            deep(() -> session.embed(image));
          } catch (StackOverflowError e) {
            // The least stack there is did not do.
          }
        }, "deep", 200 * 1024 + size * 1777L);
        thread.start();
        thread.join();
        assertThat(session.embed(image)).isEqualTo(expected);
        assertThat(session.close(Duration.ofSeconds(5))).isTrue();
      }
      assertThat(model.close(Duration.ofSeconds(5))).isTrue();
    }
  }

  @Test
  void aThreadThatDiedInACallHoldsUpNobody() throws ReflectiveOperationException, InterruptedException {
    Thread dead = new Thread();
    dead.start();
    dead.join();
    Field running = Session.class.getDeclaredField("running");
    running.setAccessible(true);
    try (Model model = TinyModels.swin().threads(1).build()) {
      Session session = model.newSession();
      running.set(session, dead);
      assertThat(session.embed(image)).isNotEmpty();
      running.set(session, dead);
      session.close();
    }
  }

  @Test
  void closingWaitsNoLongerThanAsked() throws InterruptedException {
    long before = CpuBackend.allocatedBytes();
    Model model = TinyModels.swin().threads(1).build();
    Session session = model.newSession();
    BusySession busy = new BusySession(session, INPUT, RAW);
    assertThat(session.close(Duration.ZERO)).isFalse();
    assertThatThrownBy(() -> session.embed(image)).isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("closed");
    Thread.currentThread().interrupt();
    assertThat(model.close(Duration.ofMillis(20))).isFalse();
    assertThat(Thread.interrupted()).as("interrupt kept").isTrue();
    assertThatThrownBy(model::newSession).isInstanceOf(IllegalStateException.class).hasMessageContaining("closed");
    busy.leave();
    assertThat(model.close(Duration.ofSeconds(5))).isTrue();
    assertThat(CpuBackend.allocatedBytes()).isEqualTo(before);
    assertThatThrownBy(() -> model.close(Duration.ofMillis(-1))).isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("timeout");
  }

  @Test
  void whatNobodyClosesIsFreedOnceCollected() throws InterruptedException {
    long before = CpuBackend.allocatedBytes();
    try (Model model = TinyModels.swin().threads(1).build()) {
      long empty = CpuBackend.allocatedBytes();
      for (int i = 0; i < 20; i++) {
        model.newSession().embed(image);
      }
      // What is shared between sessions of a size, and stays.
      assertEventually(() -> CpuBackend.allocatedBytes() < empty + (1 << 16));
    }
    for (int i = 0; i < 10; i++) {
      TinyModels.swin().threads(2).build().newSession().embed(image);
    }
    assertEventually(() -> CpuBackend.allocatedBytes() <= before);
    assertEventually(
        () -> Thread.getAllStackTraces().keySet().stream().noneMatch(t -> t.getName().equals("vertebra-reclaim")));
  }

  private static void assertEventually(BooleanSupplier condition) throws InterruptedException {
    for (int i = 0; i < 100 && !condition.getAsBoolean(); i++) {
      System.gc();
      Thread.sleep(50);
    }
    assertThat(condition.getAsBoolean()).isTrue();
  }
}
