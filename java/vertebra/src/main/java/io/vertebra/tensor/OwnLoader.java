package io.vertebra.tensor;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandleProxies;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.reflect.Proxy;
import java.lang.runtime.ObjectMethods;
import java.net.URL;
import java.net.URLClassLoader;
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

  /**
   * The JDK remembers for which record it last made {@code equals}, {@code hashCode} and {@code toString}, and that may
   * be one of ours: gives it a class of a loader that nobody else has. What belongs to the JDK's own loaders would not
   * replace it. What may be the last to close calls this.
   */
  public static void forgetRecords() {
    if (isPermanent()) {
      return;
    }
    try {
      MethodHandle newLoader = MethodHandles.publicLookup().findConstructor(URLClassLoader.class,
          MethodType.methodType(void.class, URL[].class, ClassLoader.class));
      ClassLoader loader = (ClassLoader) callUnseen(
          MethodHandles.insertArguments(newLoader, 0, new URL[0], ClassLoader.getPlatformClassLoader()));
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
