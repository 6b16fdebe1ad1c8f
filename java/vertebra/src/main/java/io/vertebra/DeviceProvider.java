package io.vertebra;

import io.vertebra.program.Backend;

/** Opens CUDA devices; what implements it, in {@code vertebra-cuda}, is found by {@link java.util.ServiceLoader}. */
public interface DeviceProvider {
  /**
   * A backend of its own for every call.
   *
   * @param device {@code cuda}, {@code cuda:N} or {@code cuda-emulated}
   * @throws VertebraException if it is not there
   */
  Backend open(Device device, Precision precision);
}
