package io.vertebra.program;

/** Watches the calls of a {@link Program} as they run: profiles, traces, comparisons. Called on the running thread. */
public interface Observer {
  void before(int index, Call call);

  /** The call's output is complete and, unlike later, not yet overwritten: {@link Program#read(Tensor)} gives it. */
  void after(int index, Call call);
}
