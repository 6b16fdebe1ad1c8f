package io.vertebra;

import io.vertebra.cpu.CpuBackend;
import io.vertebra.program.Backend;
import io.vertebra.reference.ReferenceBackend;
import java.util.Locale;

/** Where a model runs. */
public enum Device {
  /** The native kernels on this machine's CPU. */
  CPU,
  /** Plain Java in double precision: slow, needs no native code. */
  REFERENCE;

  /**
   * @param threads see {@link Model.Builder#threads}
   * @throws IllegalArgumentException if the device does not compute in that precision
   */
  public Backend open(int threads, Precision precision) {
    if (this == REFERENCE && precision != Precision.FP32) {
      throw new IllegalArgumentException("the reference device computes in double precision whatever is asked for; choose precision fp32, or device"
          + " cpu for " + precision.name().toLowerCase(Locale.ROOT));
    }
    return switch (this) {
      case CPU -> new CpuBackend(threads, precision);
      case REFERENCE -> new ReferenceBackend();
    };
  }
}
