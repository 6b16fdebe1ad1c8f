package io.vertebra.bench.export;

import io.vertebra.program.Recording;
import java.io.IOException;
import java.nio.file.Path;

/**
 * Writes a forward pass as an ONNX model (opset 17, standard operations, fp32), shaped as a PyTorch export of the
 * published implementation is, so that a runtime's own fusions find what they look for.
 */
public final class OnnxExporter {
  /** The model's input, {@code [batch, channels, height, width]}. */
  public static final String INPUT = "image";

  private OnnxExporter() {}

  /**
   * Outputs carry the recording's names and shapes, except that token maps are {@code [batch, height * width,
   * channels]}.
   *
   * @param recording over weights that the reference backend packed
   * @throws IllegalArgumentException if an operation has no translation
   */
  public static void write(Recording recording, Path file) throws IOException {
    try (OnnxWriter writer = new OnnxWriter(file, recording.inputs().get(0).shape())) {
      new RecordingExporter(recording, writer).export();
    }
  }
}
