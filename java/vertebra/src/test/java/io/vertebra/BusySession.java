package io.vertebra;

import io.vertebra.program.Observer;
import io.vertebra.program.op.Call;
import io.vertebra.tensor.Shape;
import java.util.concurrent.CountDownLatch;

/** A thread that is in the middle of a run of a session until it is told to leave. */
final class BusySession {
  private final CountDownLatch inside = new CountDownLatch(1);
  private final CountDownLatch leave = new CountDownLatch(1);
  private final Thread runner;

  /** Returns once the thread is there. */
  BusySession(Session session, float[] input, Shape shape) throws InterruptedException {
    runner = new Thread(() -> session.observe(input, shape, new Observer() {
      @Override
      public void before(int index, Call call) {
        inside.countDown();
        try {
          leave.await();
        } catch (InterruptedException e) {
          throw new IllegalStateException(e);
        }
      }

      @Override
      public void after(int index, Call call) {
        // Nothing to see.
      }
    }));
    runner.start();
    inside.await();
  }

  /** Lets the run end, and waits for its thread. */
  void leave() throws InterruptedException {
    leave.countDown();
    runner.join();
  }
}
