package io.vertebra.natives;

import io.vertebra.tensor.VertebraException;
import org.bytedeco.javacpp.ClassProperties;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;

/**
 * What there is to mind when JavaCPP loads a library in a container, where the same may be loaded in several loaders.
 */
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

  /**
   * Keeps to the copy that this class loader has. JavaCPP loads a copy of another name where another loader has the
   * library. Every class of a binding asks anew, though, and once that loader is gone it would get the library itself
   * besides: some native methods in the one, some in the other, which nobody initialised.
   *
   * @param properties of a class that is to be linked
   * @param library its name, without what makes it a file's
   */
  public static void keepCopy(ClassProperties properties, String library) {
    for (String loaded : Loader.getLoadedLibraries().keySet()) {
      if (loaded.matches(library + "[0-9]*")) {
        properties.setProperty("platform.library", loaded);
      }
    }
  }
}
