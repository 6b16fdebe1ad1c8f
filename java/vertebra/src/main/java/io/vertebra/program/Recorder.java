package io.vertebra.program;

import io.vertebra.program.op.Activation;
import io.vertebra.program.op.Call;
import io.vertebra.program.op.Epilogue;
import io.vertebra.program.op.Norm;
import io.vertebra.program.op.Op;
import io.vertebra.program.op.RowMap;
import io.vertebra.program.op.RowSource;
import io.vertebra.program.op.Weights;
import io.vertebra.program.op.Window;
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
        check(outputs.containsKey(qualified(name)), name, "output", input().shape());
        return outputs.get(qualified(name));
      }).toList();
    } finally {
      wanted = outerWanted;
      outputs = outerOutputs;
    }
  }

  /** A matrix product over the last axis; the output is shaped like the residual, or like the operand's rows. */
  public Tensor linear(String name, Tensor in, RowSource rows, Weights weights, Epilogue epilogue) {
    int channels = weights.shape().dim(0);
    Shape unmapped = rows.map() == null ? in.shape().withChannels(channels) : Shape.of(rows.map().size(), channels);
    boolean like = epilogue.residual() != null && epilogue.residualRows() == null;
    return linear(name, in, rows, weights, epilogue, like ? epilogue.residual().shape() : unmapped);
  }

  /** A matrix product over the last axis; {@code out} has as many rows as are stored. */
  public Tensor linear(String name, Tensor in, RowSource rows, Weights weights, Epilogue epilogue, Shape out) {
    check(weights.shape().rank() == 2, name, "matrix " + weights.shape(), in.shape());
    int count = checkRows(name, in, rows, weights.shape().dim(1));
    check(out.channels() == weights.shape().dim(0), name, "output of " + weights.shape().dim(0) + " channels", out);
    checkResidual(name, epilogue, out);
    Epilogue.Gate gate = epilogue.gate();
    check(gate == null || gate.tensor().shape().rows() == out.rows() && gate.firstChannel() >= 0
        && gate.firstChannel() + out.channels() <= gate.tensor().shape().channels(), name, "gate", out);
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
    RowMap map = rows.map();
    Shape out = map == null ? in.shape() : Shape.of(map.size(), in.shape().channels() * map.groups());
    return layerNorm(name, in, rows, out);
  }

  /**
   * The rows as {@code rows} reads them; {@code out} has as many, and its channels settle how long the segments of a
   * row are.
   */
  public Tensor layerNorm(String name, Tensor in, RowSource rows, Shape out) {
    int count = checkRows(name, in, rows, out.channels());
    check(out.rows() == count, name, "output of " + count + " rows", out);
    return record(name, new Op.LayerNorm(rows), in, out);
  }

  public Tensor windowAttention(String name, Tensor qkv, Op.WindowAttention op) {
    Shape in = qkv.shape();
    long width = (long) op.heads() * op.headDim();
    check(in.channels() == 3 * width && in.rows() % op.tokens() == 0, name, "windows of " + op.tokens() + " tokens",
        in);
    check(op.bias() == null || fits(op, op.bias().shape()), name, "bias", in);
    check(op.mask() == null || op.mask().tokens() == op.tokens() && in.rows() / op.tokens() % op.mask().windows() == 0,
        name, "mask", in);
    return record(name, op, qkv, in.withChannels((int) width));
  }

  private static boolean fits(Op.WindowAttention op, Shape bias) {
    if (bias.rank() != 3 || bias.dim(0) != op.heads()) {
      return false;
    }
    long rows = (bias.dim(1) + 1L) / 2;
    long columns = (bias.dim(2) + 1L) / 2;
    return bias.dim(1) == op.tokens() && bias.dim(2) == op.tokens()
        || bias.dim(1) == 2 * rows - 1 && bias.dim(2) == 2 * columns - 1 && rows * columns == op.tokens();
  }

  public Tensor meanPool(String name, Tensor in) {
    return record(name, new Op.MeanPool(), in, Shape.of(in.shape().dim(0), in.shape().channels()));
  }

  public Tensor softmax(String name, Tensor in) {
    return record(name, new Op.Softmax(), in, in.shape());
  }

  public Tensor depthwiseConv(String name, Tensor in, Op.DepthwiseConv op) {
    Shape shape = in.shape();
    Shape weights = op.weights().shape();
    int channels = weights.dim(-1);
    check(op.multiplier() >= 1 && weights.equals(Shape.of(op.window().taps(), channels)), name, "weights " + weights,
        shape);
    check(op.bias() == null || op.bias().shape().elements() == channels, name, "bias", shape);
    check(op.firstChannel() >= 0 && channels % op.multiplier() == 0
        && op.firstChannel() + channels / op.multiplier() <= shape.channels(), name, "channels", shape);
    return record(name, op, in, slide(name, op.window(), shape, channels));
  }

  public Tensor convolution(String name, Tensor in, Op.Convolution op) {
    Shape shape = in.shape();
    Shape weights = op.weights().shape();
    check(shape.rank() == 4 && weights.rank() == 2 && weights.dim(1) == Op.Convolution.WINDOW.taps() * shape.channels(),
        name, "weights " + weights, shape);
    check(op.bias() == null || op.bias().shape().elements() == weights.dim(0), name, "bias", shape);
    return record(name, op, in, shape.withChannels(weights.dim(0)));
  }

  public Tensor globalFilter(String name, Tensor in, Op.GlobalFilter op) {
    Shape shape = in.shape();
    check(shape.rank() == 4, name, "map", shape);
    int channels = op.filter().shape().dim(2);
    check(op.filter().shape().equals(Shape.of(shape.dim(1), shape.dim(2) / 2 + 1, channels, 2)), name,
        "filter " + op.filter().shape(), shape);
    check(op.firstChannel() >= 0 && op.firstChannel() + channels <= shape.channels(), name, "channels", shape);
    return record(name, op, in, shape.withChannels(channels));
  }

  public Tensor pool(String name, Tensor in, Op.Pool.Kind kind, Window window) {
    Window.Extent size = window.size();
    Window.Extent padding = window.padding();
    check(padding.time() < size.time() && padding.height() < size.height() && padding.width() < size.width(), name,
        "padding", in.shape());
    return record(name, new Op.Pool(kind, window), in, slide(name, window, in.shape(), in.shape().channels()));
  }

  public Tensor adaptiveAveragePool(String name, Tensor in, int rows, int columns) {
    Shape shape = in.shape();
    check(shape.rank() == 4, name, "map", shape);
    return record(name, new Op.AdaptiveAveragePool(rows, columns), in,
        Shape.of(shape.dim(0), rows, columns, shape.channels()));
  }

  public Tensor bilinear(String name, Tensor in, int height, int width) {
    Shape shape = in.shape();
    check(shape.rank() == 4, name, "map", shape);
    return record(name, new Op.Bilinear(height, width), in, Shape.of(shape.dim(0), height, width, shape.channels()));
  }

  public Tensor affine(String name, Tensor in, Op.Affine op) {
    Shape shape = in.shape();
    check(op.factor() == null || op.factor().shape().equals(Shape.of(shape.dim(0), shape.channels())), name, "factor",
        shape);
    check(op.scale() == null || op.scale().shape().elements() == shape.channels(), name, "scale", shape);
    check(op.shift() == null || op.shift().shape().elements() == shape.channels(), name, "shift", shape);
    return record(name, op, in, shape);
  }

  /** The sum of terms, the first of which is a tensor; the output is shaped {@code out}. */
  public Tensor sum(String name, Shape out, Activation activation, Op.Sum.Term... terms) {
    check(terms.length >= 1 && terms.length <= Op.Sum.MAX_TERMS && terms[0].tensor() != null, name, "list of terms",
        out);
    for (Op.Sum.Term term : terms) {
      Shape source = term.tensor() != null ? term.tensor().shape() : term.weights().shape();
      RowMap map = term.map();
      boolean fits = map == null ? source.rows() == out.rows() && source.channels() == out.channels()
          : map.groups() == 1 && map.size() == out.rows() && source.elements() % out.channels() == 0
              && map.fits(Math.toIntExact(source.elements() / out.channels()));
      check((term.tensor() == null) != (term.weights() == null) && fits, name, "term " + source, out);
    }
    return record(name, new Op.Sum(List.of(terms), activation), terms[0].tensor(), out);
  }

  public Tensor shrinkTokens(String name, Tensor in, Op.ShrinkTokens op) {
    Shape shape = in.shape();
    int batch = shape.dim(0);
    checkChoice(name, op.choice(), shape);
    Shape classToken = op.classToken().shape();
    check(classToken.channels() == shape.channels() && classToken.dim(0) == batch, name, "class token " + classToken,
        shape);
    return record(name, op, in, Shape.of(batch, shrunken(op.choice(), shape), shape.channels()));
  }

  public Tensor recoverTokens(String name, Tensor in, Op.RecoverTokens op) {
    Shape shape = in.shape();
    checkChoice(name, op.choice(), shape);
    Shape before = Shape.of(shape.dim(0), shrunken(op.choice(), shape), shape.channels());
    check(op.before().shape().equals(before) && op.after().shape().equals(before), name,
        "shrunken tokens " + op.after().shape(), shape);
    return record(name, op, in, shape);
  }

  /** @param scores the shape of the scores, {@code [batch, ..., 1]} */
  public Tensor scoreTokens(String name, Tensor qkv, Op.ScoreTokens op, Shape scores) {
    Shape in = qkv.shape();
    checkChoice(name, op.choice(), scores);
    check(op.choice().scores() == null || op.choice().scores().shape().equals(scores), name, "scores", in);
    check(in.equals(Shape.of(scores.dim(0), shrunken(op.choice(), scores), 3 * op.heads() * op.headDim())), name,
        "scores " + scores, in);
    return record(name, op, qkv, scores);
  }

  public Tensor poolScores(String name, Tensor scores) {
    Shape shape = scores.shape();
    check(shape.channels() == 1 && (shape.rank() == 4 || shape.rank() == 5), name, "map of scores", shape);
    Window.Extent pair = new Window.Extent(1, 2, 2);
    return record(name, new Op.PoolScores(), scores,
        slide(name, new Window(pair, pair, new Window.Extent(0, 0, 0)), shape, 1));
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

  /** Checks a choice among the rows of {@code tokens}. */
  private void checkChoice(String name, Op.TokenChoice choice, Shape tokens) {
    int count = tokens.rows() / tokens.dim(0);
    Tensor scores = choice.scores();
    check(choice.kept() >= 0 && choice.kept() <= count && (scores != null || choice.kept() == count), name,
        "choice of " + choice.kept(), tokens);
    check(scores == null || scores.shape().channels() == 1 && scores.shape().dim(0) == tokens.dim(0)
        && scores.shape().rows() == tokens.rows(), name, "scores", tokens);
  }

  /** Tokens of an image that a block computes on: the class token, the kept ones, the representative. */
  private static int shrunken(Op.TokenChoice choice, Shape tokens) {
    return choice.kept() == tokens.rows() / tokens.dim(0) ? choice.kept() + 1 : choice.kept() + 2;
  }

  private Shape slide(String name, Window window, Shape in, int channels) {
    boolean volume = in.rank() == 5;
    Window.Extent size = window.size();
    Window.Extent padding = window.padding();
    Window.Extent stride = window.stride();
    boolean positive
        = size.time() > 0 && size.height() > 0 && size.width() > 0 && stride.time() > 0 && stride.height() > 0
            && stride.width() > 0 && padding.time() >= 0 && padding.height() >= 0 && padding.width() >= 0;
    check(positive && (volume || in.rank() == 4 && size.time() == 1 && stride.time() == 1 && padding.time() == 0), name,
        "window", in);
    check(
        in.dim(-2) + 2 * padding.width() >= size.width() && in.dim(-3) + 2 * padding.height() >= size.height()
            && (!volume || in.dim(1) + 2 * padding.time() >= size.time()),
        name, "window larger than the padded map", in);
    return window.slide(in, channels);
  }

  private void checkResidual(String name, Epilogue epilogue, Shape out) {
    Tensor residual = epilogue.residual();
    RowMap rows = epilogue.residualRows();
    if (residual == null) {
      check(rows == null, name, "residual rows without a residual", out);
    } else if (rows == null) {
      check(residual.shape().equals(out), name, "residual", out);
    } else {
      check(residual.shape().channels() == out.channels() && rows.groups() == 1 && rows.size() == out.rows()
          && rows.fits(residual.shape().rows()), name, "residual rows", out);
    }
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
      check(segment * map.groups() == width && shape.elements() % segment == 0 && map.fits(shape.elements() / segment),
          name, "row map of width " + width, shape);
    }
    Norm norm = rows.norm();
    check(norm == null || norm.gamma().shape().elements() == width && norm.beta().shape().elements() == width, name,
        "norm of width " + width, shape);
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
