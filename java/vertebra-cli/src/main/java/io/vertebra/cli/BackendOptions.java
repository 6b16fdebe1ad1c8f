package io.vertebra.cli;

import io.vertebra.Device;
import io.vertebra.Precision;
import picocli.CommandLine.Option;

/** Where and how to compute. */
final class BackendOptions {
  @Option(names = "--device", paramLabel = "cpu|reference", defaultValue = "cpu",
      description = "Where to run: cpu, the kernels for this machine, or reference, slow and in double precision;"
          + " default: ${DEFAULT-VALUE}.")
  private Device device;

  @Option(names = "--precision", paramLabel = "fp32|bf16", defaultValue = "fp32",
      description = "Arithmetic of matrix products: fp32, or bf16, faster where the CPU has AVX-512 BF16 or AMX and accurate"
          + " to about 1 %%; default: ${DEFAULT-VALUE}.")
  private Precision precision;

  @Option(names = "--threads", paramLabel = "N", defaultValue = "0",
      description = "Threads of one operation; default: as many as CPUs this process may use.")
  private int threads;

  Device device() {
    return device;
  }

  Precision precision() {
    return precision;
  }

  int threads() {
    return threads;
  }
}
