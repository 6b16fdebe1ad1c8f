package io.vertebra.program;

import java.util.ArrayDeque;
import java.util.Collections;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;

/**
 * A forward pass for one input shape, taken down by a {@link Recorder}: a flat list of calls in the order they run, and the
 * outputs by name. Calls no wanted output depends on are left out.
 *
 * @param constants wanted values that no run changes
 */
public record Recording(Tensor input, List<Call> calls, Map<String, Tensor> outputs, Map<String, float[]> constants) {

  /**
   * Records what {@code forward} does.
   *
   * @param wanted names of the outputs to keep, at least one
   * @throws IllegalArgumentException if the forward pass has no output of a wanted name, or refuses the input shape
   */
  public static Recording of(Shape inputShape, Set<String> wanted, Consumer<Recorder> forward) {
    Recorder recorder = new Recorder(inputShape, wanted);
    forward.accept(recorder);
    Set<String> unknown = new TreeSet<>(wanted);
    unknown.removeAll(recorder.outputs().keySet());
    unknown.removeAll(recorder.constants().keySet());
    if (!unknown.isEmpty() || wanted.isEmpty()) {
      throw new IllegalArgumentException("the model has no output named " + unknown + " for input " + inputShape);
    }
    return new Recording(recorder.input(), needed(recorder.calls(), recorder.outputs()),
        Collections.unmodifiableMap(recorder.outputs()), Collections.unmodifiableMap(recorder.constants()));
  }

  private static List<Call> needed(List<Call> calls, Map<String, Tensor> outputs) {
    Set<Tensor> alive = new HashSet<>(outputs.values());
    Deque<Call> kept = new ArrayDeque<>();
    for (int i = calls.size() - 1; i >= 0; i--) {
      Call call = calls.get(i);
      if (alive.contains(call.out())) {
        kept.addFirst(call);
        alive.addAll(call.reads());
      }
    }
    return List.copyOf(kept);
  }

  /** Multiply-accumulates of the matrix products of one run. */
  public long macs() {
    return calls.stream().mapToLong(Call::macs).sum();
  }
}
