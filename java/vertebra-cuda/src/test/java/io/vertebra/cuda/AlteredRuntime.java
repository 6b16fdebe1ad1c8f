package io.vertebra.cuda;

import io.vertebra.cuda.runtime.EmulatedRuntime;
import io.vertebra.cuda.runtime.GpuRuntime;
import io.vertebra.cuda.runtime.GpuStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;

/** The emulated device, other than it is in one respect. */
final class AlteredRuntime {
  private AlteredRuntime() {}

  /** Told of a call of the runtime or its streams; what it gives, if not null, stands for the call's result. */
  @FunctionalInterface
  interface Alteration {
    Object before(String method) throws Throwable;
  }

  static GpuRuntime of(Alteration alteration) {
    return altered(GpuRuntime.class, new EmulatedRuntime(), alteration);
  }

  private static <T> T altered(Class<T> type, T original, Alteration alteration) {
    return type
        .cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, (proxy, method, arguments) -> {
          Object instead = alteration.before(method.getName());
          if (instead != null) {
            return instead;
          }
          Object result = invoke(original, method, arguments);
          return result instanceof GpuStream stream ? altered(GpuStream.class, stream, alteration) : result;
        }));
  }

  private static Object invoke(Object original, Method method, Object[] arguments) throws Throwable {
    try {
      return method.invoke(original, arguments);
    } catch (InvocationTargetException e) {
      throw e.getCause();
    }
  }
}
