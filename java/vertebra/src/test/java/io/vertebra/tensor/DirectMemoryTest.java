package io.vertebra.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class DirectMemoryTest {
  /** In a JVM with little of it. */
  @Test
  void whatTheJvmDoesNotGrantNamesTheOptionThatRaisesIt() throws Exception {
    String classPath = classes(DirectMemory.class) + ":" + classes(DirectMemoryTest.class);
    Process java = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
        "-XX:MaxDirectMemorySize=1m", "-cp", classPath, DirectMemoryTest.class.getName()).redirectErrorStream(true)
        .start();
    assertThat(new String(java.getInputStream().readAllBytes())).contains("2097152 bytes", "-XX:MaxDirectMemorySize");
    assertThat(java.waitFor()).isZero();
  }

  public static void main(String[] arguments) {
    try {
      DirectMemory.allocate(2 << 20);
    } catch (VertebraException e) {
      System.out.println(e.getMessage());
    }
  }

  private static Path classes(Class<?> type) throws Exception {
    return Path.of(type.getProtectionDomain().getCodeSource().getLocation().toURI());
  }
}
