package io.vertebra.program;

import io.vertebra.program.op.Call;
import io.vertebra.program.op.Op;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Tensor;
import java.util.ArrayList;
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
  private final List<Call> calls = new ArrayList<>();
  private final Map<String, float[]> constants = new LinkedHashMap<>();
  private final Set<Tensor> tensors = new HashSet<>();
  private final List<Tensor> inputs;
  private Set<String> wanted;
  private Map<String, Tensor> outputs = new LinkedHashMap<>();
  private String scope = "";

  /**
   * @param inputShapes of a backbone the image batch, {@code [batch, (time,) height, width, channels]}; of a neck its
   *   feature maps
   * @param wanted names of the outputs to keep
   */
  public Recorder(List<Shape> inputShapes, Set<String> wanted) {
    this.inputs = inputShapes.stream().map(Tensor::new).toList();
    tensors.addAll(inputs);
    this.wanted = Set.copyOf(wanted);
  }

  /** The only, or first, input. */
  public Tensor input() {
    return inputs.get(0);
  }

  public List<Tensor> inputs() {
    return inputs;
  }

  /** Runs {@code body} with {@code name} put before the names of everything recorded in it. */
  public <T> T scope(String name, Supplier<T> body) {
    String outer = scope;
    scope = qualified(name);
    try {
      return body.get();
    } finally {
      scope = outer;
    }
  }

  /**
   * Runs {@code forward} as a part of this forward pass and gives its outputs of these names, which are none of the
   * whole's.
   *
   * @throws IllegalArgumentException if it has no output of such a name
   */
  public List<Tensor> outputsOf(List<String> names, Consumer<Recorder> forward) {
    Set<String> outerWanted = wanted;
    Map<String, Tensor> outerOutputs = outputs;
    wanted = names.stream().map(this::qualified).collect(Collectors.toSet());
    outputs = new LinkedHashMap<>();
    try {
      forward.accept(this);
      return names.stream().map(name -> {
        if (!outputs.containsKey(qualified(name))) {
          throw new IllegalArgumentException(qualified(name) + ": there is no such output");
        }
        return outputs.get(qualified(name));
      }).toList();
    } finally {
      wanted = outerWanted;
      outputs = outerOutputs;
    }
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
    return record(name, op, in, () -> out);
  }

  private Tensor record(String name, Op op, Tensor in, Supplier<Shape> out) {
    Tensor result;
    try {
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

  /** Names a tensor as an output; it is kept if the program wants that name. */
  public void output(String name, Tensor tensor) {
    output(name, () -> tensor);
  }

  /**
   * As {@link #output(String, Tensor)} for a value that the forward pass itself does not need: computed only if wanted.
   */
  public void output(String name, Supplier<Tensor> tensor) {
    String full = qualified(name);
    if (wanted.contains(full)) {
      Tensor output = tensor.get();
      checkOwn(name, output);
      outputs.put(full, output);
    }
  }

  /** Names values that depend on the input's shape alone, such as masks, as an output, for tests. */
  public void constant(String name, Supplier<float[]> values) {
    String full = qualified(name);
    if (wanted.contains(full)) {
      constants.put(full, values.get());
    }
  }

  Map<String, float[]> constants() {
    return constants;
  }

  List<Call> calls() {
    return calls;
  }

  Map<String, Tensor> outputs() {
    return outputs;
  }

  Set<String> wanted() {
    return wanted;
  }

  private void checkOwn(String name, Tensor tensor) {
    if (!tensors.contains(tensor)) {
      throw new IllegalArgumentException(qualified(name) + ": " + tensor + " is of another recording");
    }
  }

  private String qualified(String name) {
    return scope.isEmpty() ? name : scope + "." + name;
  }
}
