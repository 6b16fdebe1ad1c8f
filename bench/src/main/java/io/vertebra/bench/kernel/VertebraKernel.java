package io.vertebra.bench.kernel;

import io.vertebra.backend.Backend;
import io.vertebra.backend.Program;
import io.vertebra.cpu.CpuBackend;
import io.vertebra.program.Recording;
import io.vertebra.tensor.Precision;
import java.util.function.Function;

/** Our kernel, run as a model runs it. */
public final class VertebraKernel implements Kernel {
  /** The output that a recording of an operation is to have. */
  public static final String OUT = "out";

  private final CpuBackend backend;
  private final Precision precision;
  private final Program program;
  private final float[][] operands;

  /**
   * @param operation records it, with weights packed for a backend
   * @param operands one for each input of the recording
   */
  public VertebraKernel(int threads, Precision precision, Function<Backend, Recording> operation, float[]... operands) {
    this.backend = new CpuBackend(threads, precision);
    this.precision = precision;
    this.program = backend.compile(operation.apply(backend));
    this.operands = operands;
    reset();
  }

  @Override
  public String name() {
    return precision == Precision.FP32 ? "vertebra" : "vertebra " + precision;
  }

  @Override
  public void run() {
    program.run();
  }

  @Override
  public void reset() {
    for (int i = 0; i < operands.length; i++) {
      program.input(i).put(0, operands[i]);
    }
  }

  @Override
  public float[] output() {
    return program.read(OUT);
  }

  @Override
  public void close() {
    program.close();
    backend.close();
  }
}
