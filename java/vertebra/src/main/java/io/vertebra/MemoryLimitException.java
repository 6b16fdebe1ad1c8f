package io.vertebra;

import io.vertebra.tensor.VertebraException;

/**
 * A call that would take more memory than its session may: nothing was allocated, and the session is as it was. The
 * message names the model, the input, what it would take, the limit, and what to do.
 */
public final class MemoryLimitException extends VertebraException {
  private static final long serialVersionUID = 1L;

  MemoryLimitException(String message) {
    super(message);
  }
}
