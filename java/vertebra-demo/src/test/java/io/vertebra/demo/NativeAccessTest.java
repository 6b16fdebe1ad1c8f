package io.vertebra.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.vertebra.tensor.VertebraException;
import java.io.File;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A JVM that denies native code: what to do is said every time, and doing it helps. */
class NativeAccessTest {
  private static final String DENY = "--illegal-native-access=deny";
  private static final int FIRST_TO_DENY = 24;

  @TempDir
  Path folder;

  /** A process of its own: builds a model twice. */
  static final class Twice {
    public static void main(String[] arguments) {
      for (int i = 0; i < 2; i++) {
        try {
          Digits.swin().build().close();
          System.out.println("works");
        } catch (VertebraException e) {
          System.out.println(e.getMessage());
        }
      }
    }
  }

  private static Jdk jdk() {
    Jdk newest = Jdk.installed().stream().reduce((a, b) -> a.version() > b.version() ? a : b).orElseThrow();
    assumeTrue(newest.version() >= FIRST_TO_DENY, "no JDK that denies native code is installed");
    return newest;
  }

  private static String tests() throws Exception {
    return Path.of(Twice.class.getProtectionDomain().getCodeSource().getLocation().toURI()).toString();
  }

  @Test
  void onTheClassPath() throws Exception {
    String[] program = {"-cp", tests() + File.pathSeparator + Jdk.path(), Twice.class.getName()};
    assertThat(run(DENY, program).lines()).hasSize(2)
        .allSatisfy(line -> assertThat(line).contains("--enable-native-access=ALL-UNNAMED"));
    assertThat(run("--enable-native-access=ALL-UNNAMED", program)).isEqualTo("works\nworks\n");
  }

  @Test
  void onTheModulePath() throws Exception {
    String[] program = {"-p", Jdk.path(), "--add-modules", "ALL-MODULE-PATH", "--patch-module",
      "io.vertebra.demo=" + tests(), "-m", "io.vertebra.demo/" + Twice.class.getName()};
    String flag = "--enable-native-access=io.vertebra,org.bytedeco.javacpp";
    // Either alone will not do: the one has native methods, the other is asked to link them.
    for (String denied : new String[] {DENY, "--enable-native-access=io.vertebra",
      "--enable-native-access=org.bytedeco.javacpp"}) {
      assertThat(run(denied, program).lines()).hasSize(2).allSatisfy(line -> assertThat(line).contains(flag));
    }
    assertThat(run(flag, program)).isEqualTo("works\nworks\n");
  }

  private String run(String option, String... program) throws Exception {
    String[] arguments = new String[program.length + 2];
    arguments[0] = DENY;
    arguments[1] = option;
    System.arraycopy(program, 0, arguments, 2, program.length);
    return jdk().java(folder, arguments).output();
  }
}
