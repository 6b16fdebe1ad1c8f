package io.vertebra.cli;

import io.vertebra.image.Image;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.Stream;

/**
 * An image to be read when its turn comes.
 *
 * @param name of the file as the user wrote it or as it was found in a folder
 * @param reader reads and decodes it; throws {@link io.vertebra.image.ImageException}
 */
record ImageSource(String name, Supplier<Image> reader) {
  private static final Set<String> EXTENSIONS = Set.of("jpg", "jpeg", "png", "bmp", "gif");

  static ImageSource of(Path file) {
    return new ImageSource(file.toString(), () -> Image.read(file));
  }

  /**
   * Files as they are; of folders the files with an image's extension, at any depth, sorted by path.
   *
   * @throws IllegalArgumentException if a folder has none
   */
  static List<ImageSource> find(List<Path> filesAndFolders) throws IOException {
    List<ImageSource> sources = new ArrayList<>();
    for (Path path : filesAndFolders) {
      if (!Files.isDirectory(path)) {
        sources.add(of(path));
        continue;
      }
      int before = sources.size();
      try (Stream<Path> files = Files.walk(path)) {
        files.filter(ImageSource::hasImageExtension).filter(Files::isRegularFile).sorted().map(ImageSource::of)
            .forEach(sources::add);
      }
      if (sources.size() == before) {
        throw new IllegalArgumentException(path + ": there are no JPEG, PNG, BMP or GIF files in this folder");
      }
    }
    return sources;
  }

  private static boolean hasImageExtension(Path file) {
    String name = String.valueOf(file.getFileName());
    return EXTENSIONS.contains(name.substring(name.lastIndexOf('.') + 1).toLowerCase(Locale.ROOT));
  }
}
