package io.vertebra.program;

import io.vertebra.program.op.Call;
import io.vertebra.program.op.Op;
import io.vertebra.tensor.Require;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Tensor;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.stream.Collectors;

/**
 * Takes down the operations of one forward pass. A backbone's forward calls these methods as if they computed; they
 * check shapes and note a {@link Call}; native code relies on their checks. Results are values: an operation never
 * changes its operands. Not thread-safe.
 */
public final class Recorder {
  private final List<Tensor> inputs;
  private final String prefix;
  private final List<Call> calls;
  private final Set<Tensor> tensors;
  private final Set<String> wanted;
  private final Map<String, Tensor> outputs;

  /**
   * @param inputShapes of a backbone the image batch, {@code [batch, (time,) height, width, channels]}; of a neck its
   *   feature maps
   * @param wanted names of the outputs to keep
   */
  public Recorder(List<Shape> inputShapes, Set<String> wanted) {
    this.inputs = inputShapes.stream().map(Tensor::new).toList();
    this.prefix = "";
    this.calls = new ArrayList<>();
    this.tensors = new HashSet<>(inputs);
    this.wanted = Set.copyOf(wanted);
    this.outputs = new LinkedHashMap<>();
  }

  /** A view on the same recording, but for what is given here. */
  private Recorder(Recorder whole, String prefix, Set<String> wanted, Map<String, Tensor> outputs) {
    this.inputs = whole.inputs;
    this.prefix = prefix;
    this.calls = whole.calls;
    this.tensors = whole.tensors;
    this.wanted = wanted;
    this.outputs = outputs;
  }

  /** The only, or first, input. */
  public Tensor input() {
    return inputs.get(0);
  }

  public List<Tensor> inputs() {
    return inputs;
  }

  /** The same recording, with {@code name} and a dot put before all names. */
  public Recorder scope(String name) {
    return new Recorder(this, qualified(name) + ".", wanted, outputs);
  }

  /**
   * Runs {@code forward} as a part of this forward pass and gives its outputs of these names, which are none of the
   * whole's.
   *
   * @throws IllegalArgumentException if it has no output of such a name
   */
  public List<Tensor> outputsOf(List<String> names, Consumer<Recorder> forward) {
    Set<String> parts = names.stream().map(this::qualified).collect(Collectors.toSet());
    Recorder part = new Recorder(this, prefix, parts, new HashMap<>());
    forward.accept(part);
    return names.stream().map(name -> {
      if (!part.outputs.containsKey(qualified(name))) {
        throw new IllegalArgumentException(qualified(name) + ": there is no such output");
      }
      return part.outputs.get(qualified(name));
    }).toList();
  }

  /**
   * Takes down an operation on {@code in}.
   *
   * @return its result
   * @throws IllegalArgumentException naming the call and what does not fit, or if a tensor is of another recording
   */
  public Tensor record(String name, Op op, Tensor in) {
    return record(name, op, in, () -> op.result(in.shape()));
  }

  /** As {@link #record(String, Op, Tensor)}, with a result of shape {@code out} where the operation leaves a choice. */
  public Tensor record(String name, Op op, Tensor in, Shape out) {
    return record(name, op, in, () -> Require.nonNull(out, "the result's shape"));
  }

  private Tensor record(String name, Op op, Tensor in, Supplier<Shape> out) {
    Tensor result;
    try {
      Require.nonNull(op, "the operation");
      Require.nonNull(in, "the operand");
      result = new Tensor(out.get());
      op.check(in.shape(), result.shape());
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(qualified(name) + ": " + e.getMessage(), e);
    }
    Call call = new Call(qualified(name), op, in, result);
    call.reads().forEach(tensor -> checkOwn(name, tensor));
    calls.add(call);
    tensors.add(result);
    return result;
  }

  /** Names a tensor as an output. If the program wants none of that name, what it alone needs is not computed. */
  public void output(String name, Tensor tensor) {
    String full = qualified(name);
    if (wanted.contains(full)) {
      checkOwn(name, tensor);
      outputs.put(full, tensor);
    }
  }

  /** What has been taken down so far, in the order it runs. */
  public List<Call> calls() {
    return Collections.unmodifiableList(calls);
  }

  /** The wanted outputs that have been named so far. */
  public Map<String, Tensor> outputs() {
    return Collections.unmodifiableMap(outputs);
  }

  /** Names of the outputs to keep. */
  public Set<String> wanted() {
    return wanted;
  }

  private void checkOwn(String name, Tensor tensor) {
    if (!tensors.contains(tensor)) {
      throw new IllegalArgumentException(qualified(name) + ": " + tensor + " is of another recording");
    }
  }

  private String qualified(String name) {
    return prefix + name;
  }
}
