package io.vertebra.cli;

import io.vertebra.weights.Json;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** What a command printed, and its exit code. */
record Cli(int exitCode, String out, String err) {
  static Cli run(Object... args) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    String[] words = new String[args.length];
    for (int i = 0; i < args.length; i++) {
      words[i] = args[i].toString();
    }
    return new Cli(Main.run(new PrintWriter(out), new PrintWriter(err), words), out.toString(), err.toString());
  }

  List<Map<String, Object>> objects() {
    return out.lines().map(Json::parseObject).toList();
  }

  /** Copies a resource of the library to a file. */
  static Path copy(String resource, Path file) throws IOException {
    try (InputStream in = Cli.class.getResourceAsStream(resource)) {
      Files.copy(in, file);
    }
    return file;
  }

  /** Copies one of the library's small golden files. */
  static Path golden(Path file) throws IOException {
    return Files.copy(Path.of("..", "vertebra-golden", "src", "test", "resources", "golden", "mini",
        "swin_mini_fourstage.safetensors"), file);
  }

  static Path sample(String name, Path folder) throws IOException {
    return copy("/io/vertebra/demo/samples/" + name, folder.resolve(name));
  }

  static Path digitsWeights(Path folder) throws IOException {
    return copy("/io/vertebra/demo/swin.safetensors", folder.resolve("swin.safetensors"));
  }
}
