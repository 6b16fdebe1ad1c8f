package io.vertebra.image;

import io.vertebra.tensor.VertebraException;

/** An image that cannot be read or is refused; the message names it, says why and what would help. */
public final class ImageException extends VertebraException {
  private static final long serialVersionUID = 1L;

  public ImageException(String message) {
    super(message);
  }

  public ImageException(String message, Throwable cause) {
    super(message, cause);
  }
}
