package io.vertebra.bench.peer;

import io.vertebra.backbone.Backbone;
import io.vertebra.cpu.CpuBackend;
import io.vertebra.program.Program;
import io.vertebra.weights.Safetensors;
import java.nio.FloatBuffer;
import java.nio.file.Path;

/** Us. */
final class VertebraEngine implements Engine {
  private final CpuBackend backend;
  private final Program program;
  private final FloatBuffer images;

  VertebraEngine(Workload workload, Path file, int threads) {
    this.backend = new CpuBackend(threads, workload.precision());
    this.program = backend.compile(workload.record(Safetensors.open(file), backend));
    this.images = workload.channelsLast();
  }

  @Override
  public String name() {
    return "vertebra";
  }

  @Override
  public float[] run() {
    program.input().put(0, images, 0, images.capacity());
    program.run();
    return program.read(Backbone.LOGITS);
  }

  @Override
  public void close() {
    program.close();
    backend.close();
  }
}
