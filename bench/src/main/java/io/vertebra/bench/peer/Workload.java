package io.vertebra.bench.peer;

import io.vertebra.backbone.Architecture;
import io.vertebra.backbone.Backbone;
import io.vertebra.backbone.Variant;
import io.vertebra.backend.Backend;
import io.vertebra.bench.measure.ChannelOrder;
import io.vertebra.program.Recorder;
import io.vertebra.program.Recording;
import io.vertebra.tensor.Precision;
import io.vertebra.tensor.Shape;
import io.vertebra.weights.FormulaWeights;
import io.vertebra.weights.ParameterSource;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.IntFunction;

/**
 * What all engines do: one model on one batch of images. Immutable.
 *
 * @param images {@code [batch, channels, height, width]}, of {@code shape}
 * @param precision of our products; peers run in fp32
 */
record Workload(Loader model, ParameterSource weights, float[] images, Shape shape, Precision precision) {

  /** A model without weights. */
  interface Loader {
    /** Packs the weights for a backend and gives the forward pass. */
    Consumer<Recorder> load(ParameterSource weights, Backend backend);
  }

  /** A published model, with weights and images by formula. */
  static Workload of(Variant variant, int batch, Precision precision) {
    Architecture architecture = variant.architecture();
    Shape shape = Shape.of(batch, 3, architecture.image().rows(), architecture.image().columns());
    return new Workload((weights, backend) -> architecture.load(weights, backend)::forward, new FormulaWeights(),
        FormulaWeights.input(variant.name(), shape), shape, precision);
  }

  /** Records the model's way to the logits for so many images, with weights packed for a backend. */
  IntFunction<Recording> recorder(ParameterSource source, Backend backend) {
    Consumer<Recorder> forward = model.load(source, backend);
    return batch -> Recording.of(Shape.of(batch, shape.dim(2), shape.dim(3), shape.dim(1)), Set.of(Backbone.LOGITS),
        forward);
  }

  int batch() {
    return shape.dim(0);
  }

  /** The images as most libraries take them, {@code [batch, channels, height, width]}, in direct memory. */
  ByteBuffer channelsFirst() {
    return direct(images);
  }

  /** The images, {@code [batch, height, width, channels]}, in direct memory. */
  FloatBuffer channelsLast() {
    return direct(ChannelOrder.channelsLast(images, shape)).asFloatBuffer();
  }

  private static ByteBuffer direct(float[] values) {
    ByteBuffer buffer = ByteBuffer.allocateDirect(values.length * Float.BYTES).order(ByteOrder.nativeOrder());
    buffer.asFloatBuffer().put(values);
    return buffer;
  }
}
