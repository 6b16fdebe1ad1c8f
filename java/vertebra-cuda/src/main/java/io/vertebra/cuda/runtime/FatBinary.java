package io.vertebra.cuda.runtime;

import io.vertebra.tensor.VertebraException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/**
 * The kernels' machine code and PTX, as nvcc made them.
 *
 * @param contents a direct buffer
 * @param nvccMajor the compiler's version: drivers of CUDA {@code nvccMajor} and later load what it makes
 */
record FatBinary(ByteBuffer contents, int nvccMajor, int nvccMinor) {
  /** The least compute capability there is code for, times ten. */
  static final int LEAST_CAPABILITY = 80;
  private static final String RESOURCE = "META-INF/native/linux-x86_64/vertebra.fatbin";

  /** The one in the jar. */
  static FatBinary load() {
    // By the loader: on the module path the resource is another module's than the class's.
    ClassLoader loader = FatBinary.class.getClassLoader();
    try (InputStream in = loader.getResourceAsStream(RESOURCE);
        InputStream version = loader.getResourceAsStream(RESOURCE + ".nvcc")) {
      if (in == null || version == null) {
        throw new VertebraException(
            "this build has no kernels for GPUs: nvcc was missing or unusable when it was built, or the artifact"
                + " vertebra-cuda with classifier linux-x86_64 is not on the class path. Install the CUDA toolkit"
                + " (nvcc 12.0 or later) and build vertebra-cuda anew");
      }
      byte[] bytes = in.readAllBytes();
      String[] nvcc = new String(version.readAllBytes(), StandardCharsets.US_ASCII).strip().split("\\.");
      ByteBuffer contents = ByteBuffer.allocateDirect(bytes.length).put(bytes).flip();
      return new FatBinary(contents, Integer.parseInt(nvcc[0]), Integer.parseInt(nvcc[1]));
    } catch (IOException e) {
      throw new VertebraException("cannot read " + RESOURCE + " from the class path: " + e.getMessage(), e);
    }
  }

  /** Why a driver of CUDA version {@code driver} (13010 is 13.1) refuses to load it, and what to do. */
  VertebraException refused(String device, int capability, int driver, String error) {
    String built = "the kernels, built by nvcc " + nvccMajor + "." + nvccMinor + ", cannot be loaded on " + device
        + ": " + error + ". ";
    if (driver / 1000 < nvccMajor) {
      return new VertebraException(
          built + "The driver is too old: it is of CUDA " + version(driver) + ", and they need one of CUDA " + nvccMajor
              + ".0 or later" + leastDriver() + ". Update the driver, or build vertebra-cuda anew with an nvcc of CUDA "
              + driver / 1000 + " (PATH=/usr/local/cuda-" + driver / 1000 + ".x/bin:$PATH mvn -DskipTests package)");
    }
    if (capability >= 100 && driver < nvccMajor * 1000 + nvccMinor * 10) {
      return new VertebraException(built + "They have no machine code for this GPU, and the driver, of CUDA "
          + version(driver)
          + ", is too old to compile their PTX. Update the driver, or build vertebra-cuda anew with an nvcc no newer"
          + " than the driver");
    }
    return new VertebraException(built + "Build vertebra-cuda anew on this machine, and report this if it stays so");
  }

  private String leastDriver() {
    return switch (nvccMajor) {
      case 12 -> " (525.60.13 or later)";
      case 13 -> " (580.65.06 or later)";
      default -> "";
    };
  }

  /** {@code 13.1} for 13010. */
  static String version(int number) {
    return number / 1000 + "." + number % 1000 / 10;
  }
}
