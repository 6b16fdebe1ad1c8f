package io.vertebra;

import io.vertebra.backend.Backend;
import io.vertebra.backend.BackendProvider;
import io.vertebra.cpu.CpuBackend;
import io.vertebra.reference.ReferenceBackend;
import io.vertebra.tensor.Precision;
import io.vertebra.tensor.Require;
import io.vertebra.tensor.VertebraException;
import java.util.ServiceLoader;
import java.util.regex.Pattern;

/**
 * Where a model runs. Those of CUDA need the artifact {@code vertebra-cuda} on the class path.
 *
 * @param name {@code cpu}, {@code reference}, {@code cuda}, {@code cuda:1}, {@code cuda-emulated}
 */
public record Device(String name) {
  // First, since the constants are checked against it.
  private static final Pattern NAMES = Pattern.compile("cpu|reference|cuda(:[0-9]{1,4})?|cuda-emulated");

  /** The native kernels on this machine's CPU. */
  public static final Device CPU = new Device("cpu");
  /** Plain Java in double precision: slow, needs no native code. */
  public static final Device REFERENCE = new Device("reference");

  /** @throws IllegalArgumentException if there is no device of that name */
  public Device {
    if (!NAMES.matcher(Require.nonNull(name, "name")).matches()) {
      throw new IllegalArgumentException(
          name + " is no device; there are cpu, reference, cuda, cuda:N for the GPU of that number, and cuda-emulated");
    }
  }

  /** The first NVIDIA GPU. */
  public static Device cuda() {
    return new Device("cuda");
  }

  /** An NVIDIA GPU by its number, from 0 on, in the driver's order ({@code CUDA_VISIBLE_DEVICES} applies). */
  public static Device cuda(int index) {
    return new Device("cuda:" + index);
  }

  /** The CUDA kernels on the CPU, by an emulator: very slow, needs no GPU. */
  public static Device cudaEmulated() {
    return new Device("cuda-emulated");
  }

  /** Starts in the background what {@link #open} waits for, for a caller with other things to do before. */
  void preload() {
    if (equals(CPU)) {
      CpuBackend.preload();
    }
  }

  /**
   * @param threads see {@link Model.Builder#threads}
   * @throws IllegalArgumentException if the device does not compute in that precision
   * @throws VertebraException if the device is not there
   */
  public Backend open(int threads, Precision precision) {
    Require.nonNull(precision, "precision");
    if (equals(CPU)) {
      return new CpuBackend(threads, precision);
    }
    if (equals(REFERENCE)) {
      if (precision != Precision.FP32) {
        throw new IllegalArgumentException(
            "the reference device computes in double precision whatever is asked for; choose precision fp32, or"
                + " another device for " + precision);
      }
      return new ReferenceBackend();
    }
    return ServiceLoader.load(BackendProvider.class, Device.class.getClassLoader()).findFirst()
        .orElseThrow(() -> new VertebraException(
            "device " + name + " needs the artifact io.vertebra:vertebra-cuda on the class path, and the same"
                + " with classifier linux-x86_64"))
        .open(name, precision);
  }

  @Override
  public String toString() {
    return name;
  }
}
