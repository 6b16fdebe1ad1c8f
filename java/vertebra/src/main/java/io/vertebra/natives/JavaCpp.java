package io.vertebra.natives;

import io.vertebra.tensor.VertebraException;
import java.nio.file.Path;
import java.util.List;
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
   * Tells where a library lies. JavaCPP asks its class loader to load it from there, which has it already: nothing is
   * left for JavaCPP to extract.
   *
   * @param properties of a class that is to be linked
   */
  public static void findIn(ClassProperties properties, NativeLibrary library) {
    if (Loader.isLoadLibraries()) { // The build asks without it, before there is a library.
      properties.addAll("platform.linkpath", List.of(library.folder().toString()));
    }
  }

  /**
   * JavaCPP makes a cache folder below {@code user.home}, though it has nothing to put there. A relative one would be
   * in the folder that the process happens to run in: gives it another, before a library first calls it.
   */
  static void keepOutOfWorkingFolder(Path other) {
    if (!System.getProperty("user.home", "").startsWith("/")
        && System.getProperty("org.bytedeco.javacpp.cachedir") == null) {
      System.setProperty("org.bytedeco.javacpp.cachedir", other.toString());
    }
  }
}
