package io.vertebra.bench.export;

import java.io.IOException;
import java.io.UncheckedIOException;

/** Something that writes, for methods that cannot declare what it may throw. */
@FunctionalInterface
interface Writing {
  void run() throws IOException;

  /** @throws UncheckedIOException if writing fails */
  static void unchecked(Writing writing) {
    try {
      writing.run();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
