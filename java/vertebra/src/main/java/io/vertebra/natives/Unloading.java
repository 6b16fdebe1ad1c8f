package io.vertebra.natives;

import io.vertebra.tensor.OwnLoader;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;

/**
 * Lets a container unload an application: once the last backend is closed, nothing outside the class loader of these
 * classes refers to it, and so it is collected, native library and all, when the application forgets it. A loader that
 * stays anyway is left alone. Thread-safe.
 *
 * <p>JavaCPP's thread that frees forgotten pointers, for which nothing here waits, is ended if no other library uses
 * it. It cannot be started again: whoever loads another library of JavaCPP into the same loader after that has to close
 * its pointers.
 */
public final class Unloading {
  private static int backends;

  private Unloading() {}

  /** A backend is open; when it is closed it says {@link #release}, once. */
  public static synchronized void retain() {
    backends++;
  }

  public static synchronized void release() {
    backends--;
    if (backends == 0) {
      OwnLoader.forgetRecords();
      if (!OwnLoader.isPermanent() && isJavaCppOursAlone()) {
        Pointer.interruptDeallocatorThread();
      }
    }
  }

  private static boolean isJavaCppOursAlone() {
    return Loader.getLoadedLibraries().keySet().stream().allMatch(name -> name.startsWith("jnivertebra"));
  }
}
