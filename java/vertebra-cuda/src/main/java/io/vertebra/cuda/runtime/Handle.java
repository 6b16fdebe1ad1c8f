package io.vertebra.cuda.runtime;

import java.util.function.Consumer;

/** An object of the driver or the emulator. {@link #close} is idempotent; nothing uses it afterwards. */
final class Handle<T> implements AutoCloseable {
  private final String what;
  private final Consumer<T> destroy;
  private T handle;

  /** @param what for the message: {@code "stream"} */
  Handle(String what, T handle, Consumer<T> destroy) {
    this.what = what;
    this.handle = handle;
    this.destroy = destroy;
  }

  /** @throws IllegalStateException if it is closed */
  T get() {
    if (handle == null) {
      throw new IllegalStateException("the " + what + " is closed");
    }
    return handle;
  }

  @Override
  public void close() {
    if (handle != null) {
      T closing = handle;
      handle = null;
      destroy.accept(closing);
    }
  }
}
