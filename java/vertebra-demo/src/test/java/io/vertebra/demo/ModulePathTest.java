package io.vertebra.demo;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.spi.ToolProvider;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** An application of named modules, which requires the library and names nothing else of it, embeds a digit. */
class ModulePathTest {
  private static final String MAIN = "app/app.Main";
  /** Who loads the kernels, and who has native methods. */
  private static final String NATIVE_ACCESS = "--enable-native-access=org.bytedeco.javacpp,io.vertebra";

  @TempDir
  static Path folder;
  private static String modulePath;

  @BeforeAll
  static void compileTheApplication() throws IOException {
    Path source = Files.createDirectories(folder.resolve("source/app"));
    Path descriptor = Files.writeString(source.resolveSibling("module-info.java"), """
        module app {
          requires io.vertebra;
          requires io.vertebra.demo;
        }
        """);
    Path main = Files.writeString(source.resolve("Main.java"), """
        package app;

        import io.vertebra.Model;
        import io.vertebra.Session;
        import io.vertebra.demo.Digits;

        public class Main {
          public static void main(String[] args) {
            try (Model model = Digits.swin().build(); Session session = model.newSession()) {
              System.out.println(session.embed(Digits.sample(Digits.sampleNames().get(0))).length);
            }
          }
        }
        """);
    Path classes = folder.resolve("classes");
    assertThat(tool("javac", "--release", "17", "-p", Jdk.path(), "-d", classes.toString(), descriptor.toString(),
        main.toString())).isEmpty();
    modulePath = Jdk.path() + File.pathSeparator + classes;
  }

  static List<Jdk> jdks() {
    return Jdk.installed();
  }

  @ParameterizedTest
  @MethodSource("jdks")
  void runsWithoutAWordOnStderr(Jdk jdk) throws IOException, InterruptedException {
    assertThat(jdk.java(folder, NATIVE_ACCESS, "-p", modulePath, "-m", MAIN))
        .isEqualTo(new Jdk.Outcome(0, "128\n", ""));
  }

  @Test
  void runsFromAnImageOfItsOwn() throws IOException, InterruptedException {
    Path image = folder.resolve("image");
    assertThat(tool("jlink", "-p", modulePath, "--add-modules", "app,io.vertebra.natives.linux.x86_64", "--output",
        image.toString())).isEmpty();
    assertThat(Jdk.run(image.resolve("bin/java"), folder, "-m", MAIN)).isEqualTo(new Jdk.Outcome(0, "128\n", ""));
  }

  @Test
  void seesOnlyTheInterface() throws IOException {
    Path source = Files.createDirectories(folder.resolve("intruder/intruder"));
    Path descriptor = Files.writeString(source.resolveSibling("module-info.java"),
        "module intruder {\n  requires io.vertebra;\n}\n");
    for (String hidden : List.of("backend.Backend", "cpu.CpuBackend", "natives.NativeLibrary", "program.Recorder",
        "program.op.Op", "reference.ReferenceBackend")) {
      Path main = Files.writeString(source.resolve("Main.java"),
          "package intruder;\n\nclass Main {\n  io.vertebra." + hidden + " x;\n}\n");
      assertThat(tool("javac", "-p", Jdk.path(), "-d", folder.resolve("none").toString(), descriptor.toString(),
          main.toString())).contains("io.vertebra." + hidden.substring(0, hidden.lastIndexOf('.')) + " is not visible");
    }
  }

  /** What it says. */
  private static String tool(String name, String... arguments) {
    StringWriter text = new StringWriter();
    PrintWriter writer = new PrintWriter(text);
    ToolProvider.findFirst(name).orElseThrow().run(writer, writer, arguments);
    return text.toString();
  }
}
