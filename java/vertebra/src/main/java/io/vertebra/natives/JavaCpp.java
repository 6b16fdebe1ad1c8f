package io.vertebra.natives;

import io.vertebra.tensor.VertebraException;
import org.bytedeco.javacpp.Pointer;

/** What a backend asks of JavaCPP before it loads its library. */
public final class JavaCpp {
  private JavaCpp() {}

  /**
   * A library has native methods of JavaCPP's classes, too, and the JVM looks for those of a class only in libraries of
   * its own loader.
   *
   * @throws VertebraException if JavaCPP was loaded by another class loader
   */
  public static void requireLoaderOf(Class<?> backend) {
    ClassLoader own = backend.getClassLoader();
    ClassLoader other = Pointer.class.getClassLoader();
    if (own != other) {
      throw new VertebraException("JavaCPP is in another class loader, " + other + ", than " + backend.getName() + ", "
          + own + "; the JVM cannot link native code so. Put javacpp.jar beside Vertebra's jars, into the application"
          + " rather than among what the container shares");
    }
  }
}
