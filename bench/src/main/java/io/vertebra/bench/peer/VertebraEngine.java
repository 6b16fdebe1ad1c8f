package io.vertebra.bench.peer;

import io.vertebra.backbone.Backbone;
import io.vertebra.cpu.CpuBackend;
import io.vertebra.program.Program;
import io.vertebra.program.Recording;
import java.nio.FloatBuffer;

/** Us. */
final class VertebraEngine implements Engine {
  private final CpuBackend backend;
  private final Program program;
  private final FloatBuffer images;

  VertebraEngine(Workload workload, int threads) {
    this.backend = new CpuBackend(threads);
    Recording recording = workload.record(backend);
    this.program = backend.compile(recording);
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
