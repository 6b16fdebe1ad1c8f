package io.vertebra.cpu;

import io.vertebra.VertebraException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Optional;

/**
 * Finds the native library: in the folder that the system property {@code vertebra.native} names, or else extracted from the
 * {@code linux-x86_64} jar to a cache. The cache folder is keyed by the library's content and filled by one atomic rename, so any
 * number of processes and versions may share it. It lies in {@code vertebra.cache}, {@code XDG_CACHE_HOME}, {@code ~/.cache} or, when
 * none can be written, the temporary folder.
 */
final class NativeLibrary {
  static final String FILE = "libjnivertebra.so";
  private static final String RESOURCE = "/META-INF/native/linux-x86_64/" + FILE;
  /** Beside the library: its digest and length, so that a start neither reads nor digests what is in the cache already. */
  private static final String KEY_RESOURCE = RESOURCE + ".key";

  private NativeLibrary() {}

  /**
   * The library as it is packaged.
   *
   * @param digest differs where the contents differ
   */
  record Packaged(String digest, long length, Contents contents) {
    /** Reads the library. */
    @FunctionalInterface
    interface Contents {
      InputStream open() throws IOException;
    }
  }

  /** The folder the library lies in; empty if there is none for this platform. */
  static Optional<Path> folder() {
    String override = System.getProperty("vertebra.native");
    if (override != null) {
      return Optional.of(Path.of(override));
    }
    return packaged().map(NativeLibrary::extract);
  }

  private static Optional<Packaged> packaged() {
    try (InputStream in = NativeLibrary.class.getResourceAsStream(KEY_RESOURCE)) {
      if (in == null) {
        return Optional.empty();
      }
      String[] key = new String(in.readAllBytes(), StandardCharsets.US_ASCII).strip().split(" ");
      return Optional.of(new Packaged(key[0], Long.parseLong(key[1]), () -> NativeLibrary.class.getResourceAsStream(RESOURCE)));
    } catch (IOException e) {
      throw new VertebraException("cannot read " + KEY_RESOURCE + " from the class path: " + e.getMessage(), e);
    }
  }

  private static Path extract(Packaged library) {
    Path cache = cacheRoot();
    try {
      return extract(library, cache);
    } catch (IOException unwritable) {
      try {
        return extract(library, Path.of(System.getProperty("java.io.tmpdir")));
      } catch (IOException e) {
        throw new VertebraException("cannot extract " + FILE + " to " + cache + " (" + unwritable + ") nor to the temporary"
            + " folder (" + e + "); name a writable folder with -Dvertebra.cache=FOLDER", e);
      }
    }
  }

  static Path extract(Packaged library, Path cache) throws IOException {
    Path folder = cache.resolve("vertebra").resolve(library.digest());
    Path target = folder.resolve(FILE);
    if (Files.isRegularFile(target) && Files.size(target) == library.length()) {
      return folder;
    }
    Files.createDirectories(folder);
    Path temporary = Files.createTempFile(folder, FILE, ".part");
    try (InputStream contents = library.contents().open()) {
      Files.copy(contents, temporary, StandardCopyOption.REPLACE_EXISTING);
      try {
        Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
      } catch (AtomicMoveNotSupportedException e) {
        Files.move(temporary, target, StandardCopyOption.REPLACE_EXISTING);
      }
    } finally {
      Files.deleteIfExists(temporary);
    }
    return folder;
  }

  private static Path cacheRoot() {
    String property = System.getProperty("vertebra.cache");
    if (property != null) {
      return Path.of(property);
    }
    String xdg = System.getenv("XDG_CACHE_HOME");
    return xdg != null && !xdg.isEmpty() ? Path.of(xdg) : Path.of(System.getProperty("user.home"), ".cache");
  }
}
