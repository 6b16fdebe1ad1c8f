package io.vertebra.natives;

import io.vertebra.tensor.OwnLoader;
import io.vertebra.tensor.VertebraException;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.reflect.Proxy;
import java.lang.runtime.ObjectMethods;
import java.net.URL;
import java.net.URLClassLoader;
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
    if (backends == 0 && !OwnLoader.isPermanent()) {
      if (isJavaCppOursAlone()) {
        Pointer.interruptDeallocatorThread();
      }
      linkAnothersRecord();
    }
  }

  private static boolean isJavaCppOursAlone() {
    return Loader.getLoadedLibraries().keySet().stream().allMatch(name -> name.startsWith("jnivertebra"));
  }

  /**
   * The JDK remembers for which record it last made {@code equals}, {@code hashCode} and {@code toString}, and that may
   * be one of ours: gives it a class of a loader that nobody else has. What belongs to the JDK's own loaders would not
   * replace it.
   */
  private static void linkAnothersRecord() {
    try {
      MethodHandle newLoader = MethodHandles.publicLookup().findConstructor(URLClassLoader.class,
          MethodType.methodType(void.class, URL[].class, ClassLoader.class));
      ClassLoader loader = (ClassLoader) OwnLoader
          .callUnseen(MethodHandles.insertArguments(newLoader, 0, new URL[0], ClassLoader.getPlatformClassLoader()));
      Class<?> other = Proxy
          .newProxyInstance(loader, new Class<?>[] {Runnable.class}, (proxy, method, arguments) -> null).getClass();
      MethodHandle component = MethodHandles.empty(MethodType.methodType(other, other));
      for (String method : new String[] {"equals", "hashCode", "toString"}) {
        ObjectMethods.bootstrap(MethodHandles.lookup(), method, MethodHandle.class, other, "component", component);
      }
    } catch (Throwable e) {
      throw new VertebraException("the JDK does not link a method of a record: " + e, e);
    }
  }
}
