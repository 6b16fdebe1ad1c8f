package io.vertebra.golden;

import io.vertebra.backbone.TableResize;
import io.vertebra.backbone.TableResize.Table;
import io.vertebra.backend.Backend;
import io.vertebra.backend.Program;
import io.vertebra.golden.GoldenModel.Metadata;
import io.vertebra.program.Recorder;
import io.vertebra.program.Recording;
import io.vertebra.tensor.Compare;
import io.vertebra.tensor.Precision;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Tensor;
import io.vertebra.weights.FormulaWeights;
import io.vertebra.weights.Json;
import io.vertebra.weights.Parameter;
import io.vertebra.weights.ParameterSource;
import io.vertebra.weights.Safetensors;
import io.vertebra.weights.WeightsException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/**
 * Expected outputs of a published model for weights and an input that a formula gives ({@link FormulaWeights}), and the
 * means to run the same model here and compare. The file's metadata names the model, its configuration and the input;
 * its tensors are whole outputs, or digests of them: {@code X.index}, {@code X.value} and {@code X.stats} (mean,
 * standard deviation, L2 norm). Immutable.
 */
public final class GoldenFile {
  private static final Pattern RESIZE = Pattern.compile("(\\d{1,4})to(\\d{1,4})x(\\d{1,4})\\.(bicubic|timm)");
  /** Some images of the largest published input; a file that claims more lies, and must not cost its memory. */
  private static final long MAX_INPUT = 1 << 23;
  /** The largest published model has 687 million. */
  private static final long MAX_PARAMETERS = 1 << 30;
  /** Several times those of the largest published model. */
  private static final int MAX_TENSORS = 1 << 12;
  /** Several times those of the largest published model. */
  private static final long MAX_MACS = 1L << 40;
  /** Of one operation's result. */
  private static final long MAX_ELEMENTS = 1 << 27;
  private static final double WHOLE_TOLERANCE = 1e-5;
  private static final double DIGEST_TOLERANCE = 1e-4;
  /** Of 11 bits, by fp16 or TF32. */
  private static final double FP16_TOLERANCE = 2e-2;
  private static final double BF16_TOLERANCE = 5e-2;
  private static final double INT8_TOLERANCE = 1.5e-1;

  private final Safetensors file;
  private final Metadata metadata;

  /**
   * The comparison of one tensor.
   *
   * @param error {@code ||out - expected|| / ||expected||}; of a digest the worst of that over its samples and the
   *   relative differences of its statistics
   */
  public record Row(String tensor, double error, double tolerance) {
    /** NaN does not pass. */
    public boolean passed() {
      return error <= tolerance;
    }
  }

  private GoldenFile(Safetensors file) {
    this.file = file;
    this.metadata = new Metadata(file.describe(), file.metadata());
  }

  /** @throws WeightsException if the file cannot be read */
  public static GoldenFile open(Path path) {
    return new GoldenFile(Safetensors.open(path));
  }

  /**
   * 1e-5 for a file of whole tensors (a small model), 1e-4 for one with digests (a full-size model); in fp16 and TF32
   * 2e-2; in bf16 5e-2, as some inner tensor of the deepest models reaches 4e-2, and logits half of that; in int8 three
   * times as much.
   */
  public double defaultTolerance(Precision precision) {
    return switch (precision) {
      case FP32 -> file.names().stream().anyMatch(name -> name.endsWith(".index")) ? DIGEST_TOLERANCE : WHOLE_TOLERANCE;
      case TF32, FP16 -> FP16_TOLERANCE;
      case BF16 -> BF16_TOLERANCE;
      case INT8 -> INT8_TOLERANCE;
    };
  }

  /**
   * Runs the model on {@code backend} and compares every tensor of the file.
   *
   * @throws WeightsException if the file describes nothing this version can run
   */
  public List<Row> verify(Backend backend, double tolerance) {
    try {
      return rows(backend, tolerance);
    } catch (IllegalArgumentException e) {
      throw new WeightsException(file.describe() + ": describes what no model is: " + e.getMessage(), e);
    }
  }

  private List<Row> rows(Backend backend, double tolerance) {
    if ("resize".equals(metadata.get("behaviour"))) {
      return verifyResize(tolerance);
    }
    GoldenModel model = model();
    List<String> names = inputNames();
    List<Shape> shapes = inputShapes();
    if (names.size() != shapes.size()) {
      throw new WeightsException(file.describe() + ": " + names.size() + " inputs have " + shapes.size() + " shapes");
    }
    Consumer<Recorder> forward = load(model, weights(), backend);
    Set<String> wanted = tensors();
    List<Row> rows = new ArrayList<>();
    List<float[]> inputs = new ArrayList<>();
    for (int i = 0; i < names.size(); i++) {
      inputs.add(input(i));
      String stored = names.size() == 1 ? "input" : "input" + i;
      if (wanted.remove(stored)) {
        rows.add(new Row(stored, Compare.relativeError(widen(inputs.get(i)), expected(stored)), tolerance));
      }
    }
    Recording recording = Recording.of(shapes.stream().map(GoldenFile::channelsLast).toList(), wanted, forward);
    requireModest(recording);
    try (Program program = backend.compile(recording)) {
      for (int i = 0; i < inputs.size(); i++) {
        program.input(i).put(channelsLast(inputs.get(i), shapes.get(i)));
      }
      program.run();
      for (String name : wanted) {
        rows.add(new Row(name, error(name, output(program, name, model.channelsFirst(name))), tolerance));
      }
    }
    return rows;
  }

  private void requireModest(Recording recording) {
    long largest = recording.calls().stream().mapToLong(call -> call.out().shape().elements()).max().orElse(0);
    if (recording.macs() > MAX_MACS || largest > MAX_ELEMENTS) {
      throw new WeightsException(
          file.describe() + ": its model takes " + recording.macs() + " multiply-accumulates and results of " + largest
              + " values, more than the " + MAX_MACS + " and " + MAX_ELEMENTS + " allowed");
    }
  }

  private GoldenModel model() {
    return GoldenModel.of(metadata).orElseThrow(
        () -> new WeightsException(file.describe() + " is of no model this version can run: " + metadata.entries()));
  }

  /** The model's parameters, by formula and by the reference's names. */
  public ParameterSource weights() {
    return limited(new FormulaWeights(scale()));
  }

  /**
   * Loads the file's model and gives its forward pass, whose outputs have the names of the file's tensors.
   *
   * @param weights {@link #weights()}, or a file of the same parameters
   * @throws WeightsException if the file describes nothing this version can run
   */
  public Consumer<Recorder> load(ParameterSource weights, Backend backend) {
    return load(model(), weights, backend);
  }

  private static Consumer<Recorder> load(GoldenModel model, ParameterSource weights, Backend backend) {
    Consumer<Recorder> forward = model.load(weights, backend);
    return r -> {
      forward.accept(r);
      Unfused unfused = new Unfused(r, weights, backend);
      for (String name : r.wanted()) {
        if (!r.outputs().containsKey(name)) {
          r.output(name, model.tensor(unfused, name));
        }
      }
    };
  }

  /** Input {@code index}, of its shape in {@link #inputShapes}. */
  public float[] input(int index) {
    return FormulaWeights.input(inputNames().get(index), inputShapes().get(index));
  }

  private List<String> inputNames() {
    return list("input").stream().map(String::valueOf).toList();
  }

  /** Factors by the regular expression of the parameter names they apply to. */
  private Map<String, Double> scale() {
    Map<String, Double> scale = new HashMap<>();
    if (metadata.get("scale") != null) {
      Json.parseObject(metadata.get("scale")).forEach((pattern, factor) -> {
        if (!(factor instanceof Number number)) {
          throw new WeightsException(file.describe() + ": scale of " + pattern + " is no number");
        }
        try {
          Pattern.compile(pattern);
        } catch (PatternSyntaxException e) {
          throw new WeightsException(file.describe() + ": " + pattern + " is no regular expression", e);
        }
        scale.put(pattern, number.doubleValue());
      });
    }
    return scale;
  }

  /** An entry that is one thing, or a JSON list of several. */
  private List<?> list(String key) {
    String text = metadata.required(key);
    return text.startsWith("[") && Json.parse(text) instanceof List<?> several ? several : List.of(text);
  }

  /** Shapes of the inputs, {@code [batch, channels, (time,) height, width]}. */
  public List<Shape> inputShapes() {
    List<?> dims = list("shape");
    return !dims.isEmpty() && dims.get(0) instanceof List ? dims.stream().map(this::shape).toList()
        : List.of(shape(dims));
  }

  private Shape shape(Object value) {
    if (!(value instanceof List<?> dims) || dims.size() < 4 || dims.size() > 5
        || !dims.stream().allMatch(dim -> dim instanceof Integer size && size > 0)) {
      throw new WeightsException(
          file.describe() + ": shape " + value + " is not [batch, channels, (time,) height, width]");
    }
    Shape shape = Shape.of(dims.stream().mapToInt(Integer.class::cast).toArray());
    if (shape.elements() > MAX_INPUT) {
      throw new WeightsException(
          file.describe() + ": an input of shape " + shape + " is larger than the " + MAX_INPUT + " values allowed");
    }
    return shape;
  }

  /** Formula weights, but not without end, as a formula has. */
  private static ParameterSource limited(ParameterSource formula) {
    AtomicLong elements = new AtomicLong();
    AtomicInteger tensors = new AtomicInteger();
    return (name, expected) -> {
      if (elements.addAndGet(expected.elements()) > MAX_PARAMETERS || tensors.incrementAndGet() > MAX_TENSORS) {
        throw new WeightsException("the golden file's model has more than the " + MAX_PARAMETERS + " parameters in "
            + MAX_TENSORS + " tensors allowed");
      }
      return formula.find(name, expected);
    };
  }

  /** Names of the tensors compared, a digest's three parts being one. */
  private Set<String> tensors() {
    Set<String> names = new LinkedHashSet<>();
    for (String name : file.names()) {
      names.add(name.replaceAll("\\.(index|value|stats)$", ""));
    }
    return names;
  }

  private double[] output(Program program, String name, boolean channelsFirst) {
    Tensor tensor = program.recording().outputs().get(name);
    float[] values = program.read(tensor);
    return widen(channelsFirst ? channelsFirst(values, tensor.shape()) : values);
  }

  private double error(String name, double[] actual) {
    if (file.names().contains(name)) {
      return Compare.relativeError(actual, expected(name));
    }
    long[] index = parameter(name + ".index").toLongs();
    double[] sampled = new double[index.length];
    for (int i = 0; i < index.length; i++) {
      if (index[i] < 0 || index[i] >= actual.length) {
        throw new WeightsException(
            file.describe() + ": " + name + ".index " + index[i] + " is outside the output of " + actual.length);
      }
      sampled[i] = actual[(int) index[i]];
    }
    double samples = Compare.relativeError(sampled, expected(name + ".value"));
    double[] statistics = expected(name + ".stats");
    if (statistics.length != 3) {
      throw new WeightsException(
          file.describe() + ": " + name + ".stats has " + statistics.length + " values, not three");
    }
    return Math.max(samples, statisticsError(actual, statistics));
  }

  /**
   * The worst difference of mean (in standard deviations), standard deviation and L2 norm (relative) to the three
   * {@code expected}; NaN if there is one in either.
   */
  private static double statisticsError(double[] actual, double[] expected) {
    double sum = 0;
    double squares = 0;
    for (double value : actual) {
      sum += value;
      squares += value * value;
    }
    double mean = sum / actual.length;
    double deviations = 0;
    for (double value : actual) {
      deviations += (value - mean) * (value - mean);
    }
    double deviation = Math.sqrt(deviations / actual.length);
    return Math.max(Math.abs(mean - expected[0]) / expected[1], Math.max(
        Math.abs(deviation - expected[1]) / expected[1], Math.abs(Math.sqrt(squares) - expected[2]) / expected[2]));
  }

  private List<Row> verifyResize(double tolerance) {
    List<Row> rows = new ArrayList<>();
    for (String name : file.names()) {
      Matcher resize = RESIZE.matcher(name);
      if (resize.matches()) {
        int from = Integer.parseInt(resize.group(1));
        int height = Integer.parseInt(resize.group(2));
        int width = Integer.parseInt(resize.group(3));
        int channels = parameter(name).shape().channels();
        if (parameter(name).shape().elements() != (long) height * width * channels) {
          throw new WeightsException(
              file.describe() + ": " + parameter(name) + " is no table of " + height + "x" + width);
        }
        Table source = new Table(from, from, channels,
            parameter("src" + from + "_" + channels + ".relative_position_bias_table").toFloats());
        Table resized = resize.group(4).equals("timm") ? TableResize.geometric(source, height, width)
            : TableResize.bicubic(source, height, width);
        rows.add(new Row(name, Compare.relativeError(widen(resized.values()), expected(name)), tolerance));
      } else {
        Shape shape = parameter(name).shape();
        String formulaName = name.replaceAll("^src(\\d+)_\\d+", "resize.$1");
        float[] values = new FormulaWeights().find(formulaName, shape).toFloats();
        rows.add(new Row(name, Compare.relativeError(widen(values), expected(name)), tolerance));
      }
    }
    return rows;
  }

  /**
   * A tensor of the file, as the reference lays it out.
   *
   * @throws WeightsException if there is none such
   */
  public double[] expected(String name) {
    Parameter parameter = parameter(name);
    if (parameter.dtype().isFloat()) {
      return parameter.toDoubles();
    }
    long[] values = parameter.toLongs();
    double[] widened = new double[values.length];
    for (int i = 0; i < values.length; i++) {
      widened[i] = values[i];
    }
    return widened;
  }

  private Parameter parameter(String name) {
    Parameter parameter = file.find(name, null);
    if (parameter == null) {
      throw new WeightsException(file.describe() + " lacks " + name);
    }
    return parameter;
  }

  private static double[] widen(float[] values) {
    double[] widened = new double[values.length];
    for (int i = 0; i < values.length; i++) {
      widened[i] = values[i];
    }
    return widened;
  }

  private static Shape channelsLast(Shape shape) {
    int[] dims = shape.toArray();
    int channels = dims[1];
    System.arraycopy(dims, 2, dims, 1, dims.length - 2);
    dims[dims.length - 1] = channels;
    return Shape.of(dims);
  }

  private static float[] channelsLast(float[] values, Shape shape) {
    return transpose(values, shape.dim(0), shape.dim(1),
        Math.toIntExact(shape.elements() / shape.dim(0) / shape.dim(1)));
  }

  private static float[] channelsFirst(float[] values, Shape shape) {
    return transpose(values, shape.dim(0), shape.rows() / shape.dim(0), shape.channels());
  }

  /** {@code [batch, rows, columns]} to {@code [batch, columns, rows]}. */
  private static float[] transpose(float[] values, int batch, int rows, int columns) {
    float[] transposed = new float[values.length];
    for (int b = 0; b < batch; b++) {
      int start = b * rows * columns;
      for (int i = 0; i < rows * columns; i++) {
        transposed[start + i % columns * rows + i / columns] = values[start + i];
      }
    }
    return transposed;
  }
}
