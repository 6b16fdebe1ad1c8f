package io.vertebra.bench.export;

import io.vertebra.program.Recording;
import java.io.IOException;
import java.nio.file.Path;

/** Writes a forward pass as a TorchScript archive, which libtorch loads and runs as it does a traced model. */
public final class TorchScriptExporter {
  private TorchScriptExporter() {}

  /**
   * The module takes {@code [batch, channels, height, width]} and returns the recording's one output.
   *
   * @param recording over weights that the reference backend packed, with one output
   * @throws IllegalArgumentException if an operation has no translation
   */
  public static void write(Recording recording, Path file) throws IOException {
    if (recording.outputs().size() != 1) {
      throw new IllegalArgumentException("a module returns one output, not " + recording.outputs().keySet());
    }
    try (TorchScriptWriter writer = new TorchScriptWriter(file)) {
      new RecordingExporter(recording, writer).export();
    }
  }
}
