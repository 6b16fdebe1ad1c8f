package io.vertebra.bench.peer;

import io.vertebra.backbone.Backbone;
import io.vertebra.backend.Program;
import io.vertebra.cpu.CpuBackend;
import io.vertebra.program.Recording;
import io.vertebra.tensor.Tensor;
import io.vertebra.weights.Safetensors;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.function.IntFunction;

/** Us; a batch in the pieces that a session runs it in. */
final class VertebraEngine implements Engine {
  private final CpuBackend backend;
  private final int batch;
  private final int piece;
  private final Program program;
  /** For what the last piece has less; or the same. */
  private final Program last;
  private final FloatBuffer images;

  VertebraEngine(Workload workload, Path file, int threads) {
    backend = new CpuBackend(threads, workload.precision());
    IntFunction<Recording> recorder = workload.recorder(Safetensors.open(file), backend);
    batch = workload.batch();
    piece = backend.piece(batch, recorder);
    program = backend.compile(recorder.apply(piece));
    last = batch % piece == 0 ? program : backend.compile(recorder.apply(batch % piece));
    images = workload.channelsLast();
  }

  @Override
  public String name() {
    return "vertebra";
  }

  @Override
  public float[] run() {
    int image = images.capacity() / batch;
    float[] logits = null;
    for (int first = 0; first < batch; first += piece) {
      int count = Math.min(piece, batch - first);
      Program runs = count == piece ? program : last;
      Tensor output = runs.recording().outputs().get(Backbone.LOGITS);
      int classes = output.shape().channels();
      if (logits == null) {
        logits = new float[batch * classes];
      }
      runs.input().put(0, images, first * image, count * image);
      runs.run();
      runs.read(output, logits, first * classes);
    }
    return logits;
  }

  @Override
  public void close() {
    program.close();
    last.close();
    backend.close();
  }
}
