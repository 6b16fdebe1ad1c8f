package io.vertebra.backend;

import io.vertebra.tensor.Precision;

/** Opens devices of another artifact, such as {@code vertebra-cuda}; found by {@link java.util.ServiceLoader}. */
public interface BackendProvider {
  /**
   * A backend of its own for every call.
   *
   * @param device {@code cuda}, {@code cuda:N} or {@code cuda-emulated}
   * @throws IllegalArgumentException if the device does not compute in that precision
   * @throws io.vertebra.tensor.VertebraException if it is not there
   */
  Backend open(String device, Precision precision);
}
