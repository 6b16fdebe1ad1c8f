package io.vertebra.backbone;

import io.vertebra.backend.Backend;
import io.vertebra.backend.Preprocessor;
import io.vertebra.backend.Program;
import io.vertebra.image.Preprocessing;
import io.vertebra.program.Recording;
import io.vertebra.program.op.Weights;
import io.vertebra.tensor.Shape;
import io.vertebra.weights.Parameter;
import io.vertebra.weights.ParameterSource;
import io.vertebra.weights.ZeroWeights;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;

/**
 * What a model costs, counted from the parameters it asks for and from its recorded program; no weights are made.
 *
 * @param parameters names and shapes in the order the model asks for them, without the statistics of batch norms
 * @param macs multiply-accumulates of all matrix products of the published model for one input of the size it is built
 *   for: the program's, and those it saves
 */
public record ModelStatistics(Map<String, Shape> parameters, long macs) {

  public static ModelStatistics of(Architecture architecture) {
    Counting counting = new Counting();
    Backbone backbone = architecture.load(counting, counting);
    Shape input = architecture.input(1);
    Recording recording = backbone.classes() > 0 ? Recording.of(input, Set.of(Backbone.LOGITS), backbone::forward)
        : Recording.of(input, Set.copyOf(backbone.featureNames()), backbone::features);
    return new ModelStatistics(counting.parameters, recording.macs() + architecture.savedMacs());
  }

  public long parameterCount() {
    return parameters.values().stream().mapToLong(Shape::elements).sum();
  }

  /** Hands out parameters of whatever shape is asked for, and packs nothing. */
  private static final class Counting implements ParameterSource, Backend {
    private final Map<String, Shape> parameters = new LinkedHashMap<>();
    private final ParameterSource zeros = new ZeroWeights();

    private record ShapeOnly(Shape shape) implements Weights {}

    @Override
    public String describe() {
      return "shapes";
    }

    @Override
    public Parameter find(String name, Shape expected) {
      if (!name.endsWith(".running_mean") && !name.endsWith(".running_var")) {
        parameters.put(name, expected);
      }
      return zeros.find(name, expected);
    }

    @Override
    public Weights packMatrix(Parameter matrix) {
      return new ShapeOnly(matrix.shape());
    }

    @Override
    public Weights packConvolution(Parameter matrix) {
      return packMatrix(matrix);
    }

    @Override
    public Weights packValues(Shape shape, Supplier<float[]> values) {
      return new ShapeOnly(shape);
    }

    @Override
    public Weights packValues(Shape shape, float[] values) {
      return new ShapeOnly(shape);
    }

    @Override
    public Program compile(Recording recording) {
      throw new IllegalStateException("shapes cannot run");
    }

    @Override
    public long loaded() {
      return 0;
    }

    @Override
    public long programBytes(Recording recording) {
      throw new IllegalStateException("shapes cannot run");
    }

    @Override
    public Preprocessor preprocessor(Preprocessing recipe) {
      throw new IllegalStateException("shapes cannot run");
    }

    @Override
    public void close() {
      // Nothing is held.
    }
  }
}
