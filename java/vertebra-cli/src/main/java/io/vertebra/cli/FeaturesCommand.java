package io.vertebra.cli;

import io.vertebra.FeatureMap;
import io.vertebra.Model;
import io.vertebra.Session;
import io.vertebra.image.Image;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Feature maps of an image. */
@Command(name = "features", description = "Computes an image's feature maps for dense tasks, finest first.")
final class FeaturesCommand implements Callable<Integer> {
  @Mixin
  private ModelOptions options;

  @Mixin
  private Output output;

  @Option(names = {"-o", "--output"}, paramLabel = "FOLDER",
      description = "Write each map to FOLDER/NAME.npy, an fp32 array [1, channels, height, width].")
  private Path folder;

  @Parameters(paramLabel = "IMAGE", description = "A JPEG, PNG, BMP or GIF file.")
  private Path file;

  @Override
  public Integer call() throws IOException {
    Image image = Image.read(file);
    List<FeatureMap> maps;
    try (Model model = options.open(); Session session = model.newSession()) {
      if (!output.isJson()) {
        output.out().println(model.describe());
      }
      maps = session.features(List.of(image));
    }
    Table table = new Table().left("map").right("stride").right("channels").right("height").right("width").right("mean")
        .right("std");
    for (FeatureMap map : maps) {
      double mean = mean(map.values());
      double deviation = deviation(map.values(), mean);
      if (output.isJson()) {
        output.object("map", map.name(), "stride", map.stride(), "channels", map.channels(), "height", map.height(),
            "width", map.width(), "mean", mean, "std", deviation);
      } else {
        table.row(map.name(), String.valueOf(map.stride()), String.valueOf(map.channels()),
            String.valueOf(map.height()), String.valueOf(map.width()), String.format(Locale.ROOT, "%.5f", mean),
            String.format(Locale.ROOT, "%.5f", deviation));
      }
      if (folder != null) {
        write(map);
      }
    }
    if (!output.isJson()) {
      table.print(output.out());
    }
    return Main.DONE;
  }

  private void write(FeatureMap map) throws IOException {
    Files.createDirectories(folder);
    try (PartFile npy = new PartFile(folder.resolve(map.name() + ".npy"))) {
      npy.write(Npy.header(map.batch(), map.channels(), map.height(), map.width()));
      npy.write(Npy.data(map.channelsFirst(), 0, map.values().length));
      npy.commit();
    }
  }

  private static double mean(float[] values) {
    double sum = 0;
    for (float value : values) {
      sum += value;
    }
    return sum / values.length;
  }

  private static double deviation(float[] values, double mean) {
    double squares = 0;
    for (float value : values) {
      squares += (value - mean) * (value - mean);
    }
    return Math.sqrt(squares / values.length);
  }
}
