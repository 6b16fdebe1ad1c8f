package io.vertebra.program;

import io.vertebra.program.op.Call;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Tensor;
import java.util.ArrayDeque;
import java.util.Collections;
import java.util.Deque;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;

/**
 * A forward pass for one input shape, taken down by a {@link Recorder}: a flat list of calls in the order they run, and
 * the outputs by name. Calls no wanted output depends on are left out. Immutable; nothing but a recorder makes one, so
 * that every call in it has been checked.
 */
public final class Recording {
  private final List<Tensor> inputs;
  private final List<Call> calls;
  private final Map<String, Tensor> outputs;
  private final Set<Tensor> tensors = new HashSet<>();

  private Recording(Recorder recorder) {
    inputs = recorder.inputs();
    calls = needed(recorder.calls(), recorder.outputs());
    outputs = Collections.unmodifiableMap(new LinkedHashMap<>(recorder.outputs()));
    tensors.addAll(inputs);
    calls.forEach(call -> tensors.add(call.out()));
  }

  /**
   * Records what {@code forward} does.
   *
   * @param wanted names of the outputs to keep, at least one
   * @throws IllegalArgumentException if the forward pass has no output of a wanted name, or refuses the input shape, or
   *   the input or an output takes 2 GiB or more
   */
  public static Recording of(Shape inputShape, Set<String> wanted, Consumer<Recorder> forward) {
    return of(List.of(inputShape), wanted, forward);
  }

  /** As {@link #of(Shape, Set, Consumer)} for what takes several inputs. */
  public static Recording of(List<Shape> inputShapes, Set<String> wanted, Consumer<Recorder> forward) {
    Recorder recorder = new Recorder(inputShapes, wanted);
    inputShapes.forEach(shape -> checkSize("an input", shape));
    forward.accept(recorder);
    Set<String> unknown = new TreeSet<>(wanted);
    unknown.removeAll(recorder.outputs().keySet());
    if (!unknown.isEmpty() || wanted.isEmpty()) {
      throw new IllegalArgumentException("the model has no output named " + unknown + " for input " + inputShapes);
    }
    recorder.outputs().forEach((name, tensor) -> checkSize("output " + name, tensor.shape()));
    return new Recording(recorder);
  }

  /** The host reads and writes through buffers, which an int indexes by bytes. */
  private static void checkSize(String what, Shape shape) {
    if (shape.elements() > Integer.MAX_VALUE / Float.BYTES) {
      throw new IllegalArgumentException(what + " " + shape + " takes 2 GiB or more; run a smaller batch");
    }
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

  public List<Tensor> inputs() {
    return inputs;
  }

  public List<Call> calls() {
    return calls;
  }

  public Map<String, Tensor> outputs() {
    return outputs;
  }

  /** Whether a tensor is the input or made by one of the calls. */
  public boolean has(Tensor tensor) {
    return tensors.contains(tensor);
  }

  /** Multiply-accumulates of the matrix products of one run. */
  public long macs() {
    return calls.stream().mapToLong(Call::macs).sum();
  }
}
