package io.vertebra.tensor;

/** A failure that names what failed and what to do about it. Bad arguments and misuse use the JDK's own exceptions. */
public class VertebraException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public VertebraException(String message) {
    super(message);
  }

  public VertebraException(String message, Throwable cause) {
    super(message, cause);
  }
}
