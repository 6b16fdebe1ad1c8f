package io.vertebra.cli;

import io.vertebra.tensor.VertebraException;
import java.io.IOException;
import java.io.UncheckedIOException;

/** Exceptions as lines of text. */
final class Failures {
  private Failures() {}

  /** Whether the input or the machine is to blame, not the program. */
  static boolean isExpected(Throwable failure) {
    return failure instanceof VertebraException || failure instanceof IllegalArgumentException
        || failure instanceof IOException || failure instanceof UncheckedIOException;
  }

  static String describe(Throwable failure) {
    if (failure instanceof UncheckedIOException unchecked) {
      return describe(unchecked.getCause());
    }
    // The JDK's file exceptions say only a path; what is wrong with it is the exception's name.
    boolean saysAll = failure instanceof VertebraException || failure instanceof IllegalArgumentException;
    return saysAll && failure.getMessage() != null ? failure.getMessage()
        : failure.getClass().getSimpleName() + ": " + failure.getMessage();
  }
}
