package io.vertebra.cli;

import io.vertebra.Model;
import io.vertebra.Session;
import io.vertebra.cli.DecodeAhead.Decoded;
import io.vertebra.image.Image;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
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

/** Embeds any number of images, in memory for a few. */
@Command(name = "embed",
    description = "Writes the embeddings (pooled features) of images to a file. An image that cannot be read is"
        + " reported and left out.")
final class EmbedCommand implements Callable<Integer> {
  @Spec
  private CommandSpec spec;

  @Mixin
  private ModelOptions options;

  @Option(names = {"-o", "--output"}, paramLabel = "FILE", required = true,
      description = "FILE.npy: an fp32 array [images, width], and the images' names in FILE.npy.txt, a line each."
          + " FILE.jsonl: an object with file and embedding a line.")
  private Path target;

  @Option(names = "--batch", paramLabel = "N", defaultValue = "1",
      description = "Images in one run of the model; default: ${DEFAULT-VALUE}.")
  private int batch;

  @Parameters(paramLabel = "IMAGE|FOLDER", arity = "1..*",
      description = "JPEG, PNG, BMP or GIF files, or folders of them at any depth, in the order of their paths.")
  private List<Path> paths;

  @Override
  public Integer call() throws IOException {
    if (batch < 1) {
      throw new ParameterException(spec.commandLine(), "--batch must be at least 1: " + batch);
    }
    List<ImageSource> sources = ImageSource.find(paths);
    try (Model model = options.open(); EmbeddingFile file = EmbeddingFile.create(target, model.embeddingWidth())) {
      spec.commandLine().getErr().println(model.describe());
      long start = System.nanoTime();
      int embedded = embed(model, sources, file);
      file.commit();
      double seconds = (System.nanoTime() - start) / 1e9;
      spec.commandLine().getOut()
          .println(String.format(Locale.ROOT, "%d of %d images, %d values each, to %s in %.1f s (%.1f/s)", embedded,
              sources.size(), model.embeddingWidth(), target, seconds, sources.size() / seconds));
      return embedded == sources.size() ? Main.DONE : Main.SOME_FAILED;
    }
  }

  private int embed(Model model, List<ImageSource> sources, EmbeddingFile file) throws IOException {
    Progress progress = new Progress(spec.commandLine().getErr(), Progress.isTerminal(), sources.size());
    List<String> names = new ArrayList<>();
    List<Image> images = new ArrayList<>();
    int embedded = 0;
    try (Session session = model.newSession();
        DecodeAhead decoded = new DecodeAhead(sources, Math.min(batch, sources.size()) + 1, model.preprocessing())) {
      Decoded next;
      do {
        next = decoded.next();
        if (next != null && next.error() == null) {
          names.add(next.name());
          images.add(next.image());
        } else if (next != null) {
          progress.clear();
          spec.commandLine().getErr().println("left out: " + next.error());
          progress.step(1);
        }
        if (images.size() == batch || next == null && !images.isEmpty()) {
          float[] values = session.embedAll(images);
          for (int i = 0; i < names.size(); i++) {
            file.add(names.get(i), values, i * model.embeddingWidth());
          }
          embedded += names.size();
          progress.step(names.size());
          names.clear();
          images.clear();
        }
      } while (next != null);
    }
    progress.clear();
    return embedded;
  }
}
