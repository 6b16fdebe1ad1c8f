package io.vertebra;

import io.vertebra.cpu.CpuBackend;
import io.vertebra.program.Backend;
import io.vertebra.reference.ReferenceBackend;

/** Where a model runs. */
public enum Device {
  /** The native kernels on this machine's CPU. */
  CPU,
  /** Plain Java in double precision: slow, needs no native code. */
  REFERENCE;

  /** @param threads see {@link Model.Builder#threads} */
  public Backend open(int threads) {
    return switch (this) {
      case CPU -> new CpuBackend(threads);
      case REFERENCE -> new ReferenceBackend();
    };
  }
}
