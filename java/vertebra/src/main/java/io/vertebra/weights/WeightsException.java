package io.vertebra.weights;

import io.vertebra.tensor.VertebraException;

/** A checkpoint that cannot be read, or does not fit the model; the message names the file or the parameters. */
public final class WeightsException extends VertebraException {
  private static final long serialVersionUID = 1L;

  public WeightsException(String message) {
    super(message);
  }

  public WeightsException(String message, Throwable cause) {
    super(message, cause);
  }
}
