package io.vertebra.cuda.runtime;

import io.vertebra.natives.NativeLibrary;
import io.vertebra.tensor.VertebraException;
import java.io.IOException;
import java.net.URL;
import java.net.URLConnection;
import java.nio.file.Files;
import java.nio.file.Path;
import jcuda.JCudaVersion;
import jcuda.LibUtils;

/**
 * Puts JCuda's native libraries where JCuda puts them itself, the folder {@code java.io.tmpdir}, but whole: JCuda loads
 * whatever file of the name it finds there, and so what another process is still writing, or was when it ended.
 */
final class JCudaLibrary {
  private JCudaLibrary() {}

  /** @param name {@code JCudaDriver} or {@code JCublas2} */
  static void extract(String name) {
    String file = LibUtils.createLibraryFileName(LibUtils.createPlatformLibraryName(name + "-" + JCudaVersion.get()));
    Path folder = Path.of(System.getProperty("java.io.tmpdir"));
    // By the loader: on the module path the resource is another module's than the class's.
    URL resource = LibUtils.class.getClassLoader().getResource("lib/" + file);
    if (resource == null) {
      return; // it may lie in a folder of its own, where JCuda looks first
    }
    try {
      URLConnection packaged = resource.openConnection();
      Path target = folder.resolve(file);
      if (Files.exists(target) && Files.size(target) == packaged.getContentLengthLong()) {
        return;
      }
      NativeLibrary.write(packaged::getInputStream, target);
    } catch (IOException e) {
      throw new VertebraException("JCuda's " + file + " cannot be written to " + folder + " (" + e
          + "); name a writable folder with" + " -Djava.io.tmpdir=FOLDER", e);
    }
  }
}
