package io.vertebra.program;

import io.vertebra.program.op.Call;

/** Watches the calls of a program as they run: profiles, traces, comparisons. Called on the running thread. */
public interface Observer {
  void before(int index, Call call);

  /**
   * The call's output is complete and, unlike later, not yet overwritten: {@code Program.read} gives it. Without
   * {@link #readsTensors} the call may only have been handed to the device.
   */
  void after(int index, Call call);

  /**
   * Whether {@link #after} reads tensors. If not, a device need not wait between calls, which then take the time they
   * take in a plain run.
   */
  default boolean readsTensors() {
    return true;
  }

  /**
   * When a call ran: told of every call, in order, once all have run.
   *
   * @param begin milliseconds since the run's first call began, by the device's clock
   * @param end as {@code begin}
   */
  default void timed(int index, Call call, double begin, double end) {}
}
