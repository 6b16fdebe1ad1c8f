package io.vertebra.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.File;
import java.io.IOException;
import java.net.URISyntaxException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.bytedeco.javacpp.Pointer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** A class loader whose models are closed is collected, and takes the native library and all threads along. */
class ClassLoadersTest {
  @TempDir
  Path folder;

  static Stream<Arguments> jdksAndModels() {
    return Jdk.installed().stream().flatMap(jdk -> Stream.of(Arguments.of(jdk, "swin", "cpu"),
        Arguments.of(jdk, "hornet", "cpu"), Arguments.of(jdk, "swin", "reference")));
  }

  @ParameterizedTest
  @MethodSource("jdksAndModels")
  void areCollected(Jdk jdk, String family, String device)
      throws IOException, InterruptedException, URISyntaxException {
    // The class alone must be seen: a parent that has the library would be asked first.
    Path tests = Path.of(LoaderCycles.class.getProtectionDomain().getCodeSource().getLocation().toURI());
    assertThat(jdk.java(folder, "--enable-native-access=ALL-UNNAMED", "-Xmx128m", "-cp", tests.toString(),
        LoaderCycles.class.getName(), Jdk.path(), family, device)).isEqualTo(new Jdk.Outcome(0, "ok\n", ""));
  }

  @Test
  void sayThatJavaCppIsInAnother() throws Exception {
    URL javaCpp = Pointer.class.getProtectionDomain().getCodeSource().getLocation();
    List<URL> rest = new ArrayList<>();
    for (String path : Jdk.path().split(File.pathSeparator)) {
      rest.add(Path.of(path).toUri().toURL());
    }
    rest.remove(javaCpp);
    try (URLClassLoader shared = new URLClassLoader(new URL[] {javaCpp}, ClassLoader.getPlatformClassLoader());
        URLClassLoader application = new URLClassLoader(rest.toArray(URL[]::new), shared)) {
      Object builder = application.loadClass(Digits.class.getName()).getMethod("swin").invoke(null);
      assertThatThrownBy(() -> builder.getClass().getMethod("build").invoke(builder)).cause()
          .hasMessageContaining("JavaCPP is in another class loader").hasMessageContaining("beside Vertebra's jars");
    }
  }
}
