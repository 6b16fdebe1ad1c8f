package io.vertebra.program;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;

/**
 * Takes down the operations of one forward pass. A backbone's forward calls these methods as if they computed; they check
 * shapes and note a {@link Call}; native code relies on their checks. Results are values: an operation never changes its operands.
 * Not thread-safe.
 */
public final class Recorder {
  private final Set<String> wanted;
  private final List<Call> calls = new ArrayList<>();
  private final Map<String, Tensor> outputs = new LinkedHashMap<>();
  private final Map<String, float[]> constants = new LinkedHashMap<>();
  private final Set<Tensor> tensors = new HashSet<>();
  private final Tensor input;
  private String scope = "";

  /**
   * @param inputShape the image batch, {@code [batch, height, width, channels]}
   * @param wanted names of the outputs to keep
   */
  public Recorder(Shape inputShape, Set<String> wanted) {
    this.input = new Tensor(inputShape);
    tensors.add(input);
    this.wanted = Set.copyOf(wanted);
  }

  public Tensor input() {
    return input;
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

  /** A matrix product over the last axis; the output is shaped like the residual, or like the operand's rows. */
  public Tensor linear(String name, Tensor in, RowSource rows, Weights weights, Epilogue epilogue) {
    int channels = weights.shape().dim(0);
    Shape unmapped = rows.map() == null ? in.shape().withChannels(channels) : Shape.of(rows.map().size(), channels);
    return linear(name, in, rows, weights, epilogue, epilogue.residual() == null ? unmapped : epilogue.residual().shape());
  }

  /** A matrix product over the last axis; {@code out} has as many rows as are stored. */
  public Tensor linear(String name, Tensor in, RowSource rows, Weights weights, Epilogue epilogue, Shape out) {
    check(weights.shape().rank() == 2, name, "matrix " + weights.shape(), in.shape());
    int count = checkRows(name, in, rows, weights.shape().dim(1));
    check(out.channels() == weights.shape().dim(0), name, "output of " + weights.shape().dim(0) + " channels", out);
    check(epilogue.residual() == null || epilogue.residual().shape().equals(out), name, "residual", out);
    check(epilogue.bias() == null || epilogue.bias().shape().elements() == out.channels(), name, "bias", out);
    if (epilogue.map() == null) {
      check(out.rows() == count, name, "output of " + count + " rows", out);
    } else {
      RowMap map = epilogue.map();
      check(map.groups() == 1 && map.size() == count && map.covers(out.rows()), name, "row scatter", out);
    }
    return record(name, new Op.Linear(rows, weights, epilogue), in, out);
  }

  /** The rows as {@code rows} reads them. */
  public Tensor layerNorm(String name, Tensor in, RowSource rows) {
    int channels = in.shape().channels() * (rows.map() == null ? 1 : rows.map().groups());
    int count = checkRows(name, in, rows, channels);
    return record(name, new Op.LayerNorm(rows), in, rows.map() == null ? in.shape() : Shape.of(count, channels));
  }

  public Tensor windowAttention(String name, Tensor qkv, Op.WindowAttention op) {
    Shape in = qkv.shape();
    long width = (long) op.heads() * op.headDim();
    check(in.channels() == 3 * width && in.rows() % op.tokens() == 0, name, "windows of " + op.tokens() + " tokens", in);
    check(op.bias() == null || op.bias().shape().equals(Shape.of(op.heads(), op.tokens(), op.tokens())), name, "bias", in);
    check(op.mask() == null || op.mask().tokens() == op.tokens() && in.rows() / op.tokens() % op.mask().windows() == 0,
        name, "mask", in);
    return record(name, op, qkv, in.withChannels((int) width));
  }

  public Tensor meanPool(String name, Tensor in) {
    return record(name, new Op.MeanPool(), in, Shape.of(in.shape().dim(0), in.shape().channels()));
  }

  public Tensor softmax(String name, Tensor in) {
    return record(name, new Op.Softmax(), in, in.shape());
  }

  public Tensor add(String name, Tensor in, Weights addend) {
    check(addend.shape().elements() == in.shape().elements() / in.shape().dim(0), name, "addend " + addend.shape(), in.shape());
    return record(name, new Op.Add(addend), in, in.shape());
  }

  /** Names a tensor as an output; it is kept if the program wants that name. */
  public void output(String name, Tensor tensor) {
    output(name, () -> tensor);
  }

  /** As {@link #output(String, Tensor)} for a value that the forward pass itself does not need: computed only if wanted. */
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

  private Tensor record(String name, Op op, Tensor in, Shape out) {
    Tensor result = new Tensor(out);
    Call call = new Call(qualified(name), op, in, result);
    call.reads().forEach(tensor -> checkOwn(name, tensor));
    calls.add(call);
    tensors.add(result);
    return result;
  }

  private void checkOwn(String name, Tensor tensor) {
    if (!tensors.contains(tensor)) {
      throw new IllegalArgumentException(qualified(name) + ": " + tensor + " is of another recording");
    }
  }

  /** Checks a row source against its operand and the width an operation expects; returns its number of rows. */
  private int checkRows(String name, Tensor in, RowSource rows, int width) {
    Shape shape = in.shape();
    RowMap map = rows.map();
    if (map == null) {
      check(shape.channels() == width, name, "width " + width, shape);
    } else {
      int segment = width / map.groups();
      check(segment * map.groups() == width && shape.elements() % segment == 0
          && map.fits(shape.elements() / segment), name, "row map of width " + width, shape);
    }
    Norm norm = rows.norm();
    check(norm == null || norm.gamma().shape().elements() == width && norm.beta().shape().elements() == width,
        name, "norm of width " + width, shape);
    return map == null ? shape.rows() : map.size();
  }

  private void check(boolean fits, String name, String what, Shape shape) {
    if (!fits) {
      throw new IllegalArgumentException(qualified(name) + ": " + what + " does not fit " + shape);
    }
  }

  private String qualified(String name) {
    return scope.isEmpty() ? name : scope + "." + name;
  }
}
