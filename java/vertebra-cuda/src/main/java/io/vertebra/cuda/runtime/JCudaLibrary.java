package io.vertebra.cuda.runtime;

import io.vertebra.natives.NativeLibrary;
import io.vertebra.tensor.VertebraException;
import jcuda.JCudaVersion;
import jcuda.LibUtils;

/**
 * Loads JCuda's native libraries as our own. JCuda itself would load whatever file of the name it finds in the folder
 * {@code java.io.tmpdir}, where anybody may have put it.
 */
final class JCudaLibrary {
  private static final String TEMPORARY = "java.io.tmpdir";

  private JCudaLibrary() {}

  /**
   * @param name {@code JCudaDriver} or {@code JCublas2}
   * @param artifact whose jar has it
   * @param binding loads the library when it is initialised
   * @throws VertebraException if it cannot be loaded
   */
  static synchronized void link(String name, String artifact, Class<?> binding) {
    String file = LibUtils.createLibraryFileName(LibUtils.createPlatformLibraryName(name + "-" + JCudaVersion.get()));
    NativeLibrary library = new NativeLibrary(artifact, "lib/" + file, LibUtils.class);
    String folder = library.folder().toString();
    // JCuda knows no other way to be told where to look.
    String temporary = System.setProperty(TEMPORARY, folder);
    try {
      library.link(binding);
    } finally {
      System.setProperty(TEMPORARY, temporary);
    }
  }
}
