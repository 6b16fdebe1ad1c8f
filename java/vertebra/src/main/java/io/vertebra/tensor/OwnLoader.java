package io.vertebra.tensor;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandleProxies;
import java.util.concurrent.Callable;
import java.util.concurrent.ForkJoinPool;

/** The class loader of this library: what is to be minded where a container may unload it. */
public final class OwnLoader {
  private OwnLoader() {}

  /** Whether it stays as long as the process: the loader of the class path or the module path, or one above it. */
  public static boolean isPermanent() {
    ClassLoader own = OwnLoader.class.getClassLoader();
    ClassLoader each = ClassLoader.getSystemClassLoader();
    while (each != null && each != own) {
      each = each.getParent();
    }
    return each == own;
  }

  /**
   * Calls something of the JDK that may keep for ever the classes on the stack, or the thread's context class loader:
   * from a thread that has nothing but classes of the JDK, and the loader of the class path.
   *
   * @param call without arguments
   */
  public static Object callUnseen(MethodHandle call) {
    ForkJoinPool pool = new ForkJoinPool(1);
    try {
      Callable<?> callable = MethodHandleProxies.asInterfaceInstance(Callable.class, call);
      return pool.submit(callable).join();
    } finally {
      pool.shutdown();
    }
  }
}
