package io.vertebra.cuda.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import io.vertebra.tensor.VertebraException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What users are told on machines that lack something. */
class DriverFailuresTest {
  private static final String FOLDER = FakeDriver.FOLDER.toString();

  private static String onFakeDriver(int ordinal, String... environment) throws IOException, InterruptedException {
    Map<String, String> variables = new HashMap<>(Map.of("LD_LIBRARY_PATH", FOLDER));
    for (int i = 0; i < environment.length; i += 2) {
      variables.put(environment[i], environment[i + 1]);
    }
    return FakeDriver.elsewhere(ordinal, variables);
  }

  @Test
  void nothingIsMissing() throws Exception {
    assertThat(onFakeDriver(0)).isEqualTo("works");
  }

  @Test
  void noDriver() throws Exception {
    String printed = FakeDriver.elsewhere(0, Map.of("VERTEBRA_CUBLAS", FOLDER));
    assumeThat(Files.exists(Path.of("/proc/driver/nvidia"))).isFalse();
    assertThat(printed).startsWith("there is no NVIDIA driver: libcuda.so.1 cannot be found");
  }

  @Test
  void noDevice() throws Exception {
    assertThat(onFakeDriver(0, "FAKE_CUDA_DEVICES", "0"))
        .isEqualTo("starting CUDA failed with CUDA_ERROR_NO_DEVICE: there is no NVIDIA GPU, or"
            + " CUDA_VISIBLE_DEVICES hides it; nvidia-smi lists what there is");
  }

  @Test
  void noSuchDevice() throws Exception {
    assertThat(onFakeDriver(2))
        .isEqualTo("there is no device cuda:2; this machine has cuda:0 Fake GPU 0 (sm_90), 1.0 GiB, cuda:1 Fake GPU 1"
            + " (sm_90), 1.0 GiB");
    assertThat(onFakeDriver(-1)).startsWith("there is no device cuda:-1");
  }

  @Test
  void anOldGpu() throws Exception {
    assertThat(onFakeDriver(0, "FAKE_CUDA_CAPABILITY", "75"))
        .isEqualTo("cuda:0, Fake GPU 0, has compute capability 7.5; the kernels need 8.0 or"
            + " later (Ampere and newer). Use the CPU instead");
  }

  @Test
  void anOldDriver() throws Exception {
    assertThat(onFakeDriver(0, "FAKE_CUDA_DRIVER", "12040"))
        .isEqualTo("the kernels, built by nvcc 13.0, cannot be loaded on Fake GPU 0:"
            + " CUDA_ERROR_UNSUPPORTED_PTX_VERSION. The driver is too old: it is of CUDA 12.4, and they need one of"
            + " CUDA 13.0 or later (580.65.06 or later). Update the driver, or build vertebra-cuda anew with an nvcc of"
            + " CUDA 12 (PATH=/usr/local/cuda-12.x/bin:$PATH mvn -DskipTests package)");
  }

  @Test
  void aGpuNewerThanTheDriverCompilesFor() {
    FatBinary binary = new FatBinary(ByteBuffer.allocateDirect(1), 13, 1);
    assertThat(binary.refused("a GPU", 120, 13000, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION"))
        .hasMessageContainingAll("nvcc 13.1", "no machine code for this GPU", "CUDA 13.0", "no newer than the driver");
    assertThat(binary.refused("a GPU", 90, 13000, "CUDA_ERROR_INVALID_IMAGE"))
        .hasMessageContainingAll("CUDA_ERROR_INVALID_IMAGE", "on this machine");
  }

  @Test
  void noCublas(@TempDir Path empty) throws Exception {
    assertThat(onFakeDriver(0, "VERTEBRA_CUBLAS", empty.toString()))
        .startsWith("cuBLAS is missing: neither libcublas.so.12 nor libcublas.so.13" + " is in " + empty);
    Files.createFile(empty.resolve("libcublas.so.12"));
    assertThat(onFakeDriver(0, "VERTEBRA_CUBLAS", empty.toString()))
        .startsWith("cuBLAS cannot be loaded from " + empty.resolve("libcublas.so.12"))
        .endsWith("Name another with VERTEBRA_CUBLAS");
  }

  @Test
  void cublasIsFoundWhereItIsInstalled(@TempDir Path root) throws Exception {
    Map<String, String> environment = Map.of("HOME", root.resolve("home/me").toString());
    assertThatThrownBy(() -> CublasLibrary.find(environment, root)).isInstanceOf(VertebraException.class);
    for (String folder : new String[] {"home/me/.local/lib/python3.12/site-packages/nvidia/cu13/lib",
      "usr/lib/x86_64-linux-gnu", "usr/local/cuda-12.8/targets/x86_64-linux/lib", "usr/local/cuda-13.0/lib64"}) {
      Path library = Files.createFile(Files.createDirectories(root.resolve(folder)).resolve("libcublas.so.13"));
      assertThat(CublasLibrary.find(environment, root)).isEqualTo(library);
    }
    Path older = Files
        .createFile(Files.createDirectories(root.resolve("opt/conda/lib/python3.11/site-packages/nvidia/cublas/lib"))
            .resolve("libcublas.so.12"));
    assertThat(CublasLibrary.find(environment, root)).as("JCublas is made for it").isEqualTo(older);
    Path named = Files.createFile(Files.createDirectory(root.resolve("named")).resolve("libcublas.so.13"));
    assertThat(CublasLibrary.find(Map.of("VERTEBRA_CUBLAS", named.getParent().toString()), root)).isEqualTo(named);
    assertThat(CublasLibrary.find(Map.of("LD_LIBRARY_PATH", ":" + older.getParent()), root)).isEqualTo(older);
    assertThat(CublasLibrary.find(Map.of("LD_LIBRARY_PATH", "/none:" + named.getParent()), root))
        .as("though there is a 12").isEqualTo(named);
  }
}
