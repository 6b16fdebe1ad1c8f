package io.vertebra.cli;

import io.vertebra.Classification;
import io.vertebra.Model;
import io.vertebra.Session;
import io.vertebra.cli.DecodeAhead.Decoded;
import io.vertebra.demo.Digits;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Classifies images. */
@Command(name = "classify",
    description = "Prints the most probable classes of images. An image that cannot be read is reported and skipped.")
final class ClassifyCommand implements Callable<Integer> {
  private static final int AHEAD = 2;

  @Spec
  private CommandSpec spec;

  @Mixin
  private ModelOptions options;

  @Mixin
  private Output output;

  @Option(names = "--top", paramLabel = "K", defaultValue = "5",
      description = "How many classes to print; default: ${DEFAULT-VALUE}.")
  private int top;

  @Parameters(paramLabel = "IMAGE|FOLDER", arity = "0..*",
      description = "JPEG, PNG, BMP or GIF files, or folders of them. Without any, an embedded model classifies the"
          + " embedded digits.")
  private List<Path> paths = List.of();

  @Override
  public Integer call() throws IOException {
    if (top < 1) {
      throw new ParameterException(spec.commandLine(), "--top must be at least 1: " + top);
    }
    if (paths.isEmpty() && !options.isDigits()) {
      throw new ParameterException(spec.commandLine(), "no image to classify");
    }
    List<ImageSource> sources = paths.isEmpty()
        ? Digits.sampleNames().stream().map(name -> new ImageSource(name, () -> Digits.sample(name))).toList()
        : ImageSource.find(paths);
    int failed = 0;
    try (Model model = options.open();
        Session session = model.newSession();
        DecodeAhead images = new DecodeAhead(sources, AHEAD, model.preprocessing())) {
      if (!output.isJson()) {
        output.out().println(model.describe());
      }
      for (Decoded image = images.next(); image != null; image = images.next()) {
        if (image.error() == null) {
          print(image.name(), session.classify(image.image(), top));
        } else {
          failed++;
          printError(image);
        }
      }
    }
    return failed == 0 ? Main.DONE : Main.SOME_FAILED;
  }

  private void print(String file, List<Classification> classes) {
    if (output.isJson()) {
      output.object("file", file, "predictions", classes.stream()
          .map(c -> Output.fields("index", c.index(), "label", c.label(), "probability", c.probability())).toList());
      return;
    }
    output.out().println(file);
    for (Classification c : classes) {
      output.out().println(String.format(Locale.ROOT, "  %6.2f %%  %s", 100 * c.probability(), c.label()));
    }
  }

  private void printError(Decoded image) {
    if (output.isJson()) {
      output.object("file", image.name(), "error", image.error());
    } else {
      output.err().println("skipped: " + image.error());
    }
  }
}
