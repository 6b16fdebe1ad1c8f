package io.vertebra.demo;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** A class loader whose models are closed is collected, and takes the native library and all threads along. */
class ClassLoadersTest {
  @TempDir
  Path folder;

  static Stream<Arguments> jdksAndFamilies() {
    return Jdk.installed().stream()
        .flatMap(jdk -> Stream.of("swin", "hornet").map(family -> Arguments.of(jdk, family)));
  }

  @ParameterizedTest
  @MethodSource("jdksAndFamilies")
  void areCollected(Jdk jdk, String family) throws IOException, InterruptedException, URISyntaxException {
    // The class alone must be seen: a parent that has the library would be asked first.
    Path tests = Path.of(LoaderCycles.class.getProtectionDomain().getCodeSource().getLocation().toURI());
    assertThat(jdk.java(folder, "--enable-native-access=ALL-UNNAMED", "-Xmx128m", "-cp", tests.toString(),
        LoaderCycles.class.getName(), Jdk.path(), family)).isEqualTo(new Jdk.Outcome(0, "ok\n", ""));
  }
}
