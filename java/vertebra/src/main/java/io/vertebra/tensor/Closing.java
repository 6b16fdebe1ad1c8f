package io.vertebra.tensor;

/** Frees several things, each of them whatever becomes of the others. */
public final class Closing {
  private Closing() {}

  /**
   * Does every step in turn, then throws what the first that failed threw, with what later ones threw as suppressed.
   */
  public static void all(Iterable<? extends Runnable> steps) {
    Throwable failure = null;
    for (Runnable step : steps) {
      try {
        step.run();
      } catch (RuntimeException | Error e) {
        if (failure == null) {
          failure = e;
        } else {
          failure.addSuppressed(e);
        }
      }
    }
    if (failure instanceof Error error) {
      throw error;
    }
    if (failure != null) {
      throw (RuntimeException) failure;
    }
  }
}
