package io.vertebra.natives;

import io.vertebra.tensor.VertebraException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Optional;

/**
 * Finds a native library: in the folder that the system property {@code vertebra.native} names, or else extracted from
 * the {@code linux-x86_64} jar of its artifact to a cache. The cache folder is keyed by the library's content and
 * filled by one atomic rename, so any number of processes and versions may share it. It lies in {@code vertebra.cache},
 * {@code XDG_CACHE_HOME}, {@code ~/.cache} or, when none can be written, the temporary folder. Thread-safe.
 */
public final class NativeLibrary {
  private final String artifact;
  private final String file;
  private final Class<?> anchor;

  /**
   * @param artifact whose jar holds the library
   * @param file its name
   * @param anchor a class of the artifact, whose class path is searched
   */
  public NativeLibrary(String artifact, String file, Class<?> anchor) {
    this.artifact = artifact;
    this.file = file;
    this.anchor = anchor;
  }

  /**
   * The library as it is packaged.
   *
   * @param digest differs where the contents differ
   */
  record Packaged(String digest, long length, Contents contents) {}

  /** Reads a library. */
  @FunctionalInterface
  public interface Contents {
    InputStream open() throws IOException;
  }

  /**
   * The folder the library lies in; empty if there is none for this platform.
   *
   * @throws VertebraException if it cannot be extracted anywhere
   */
  public Optional<Path> folder() {
    String override = System.getProperty("vertebra.native");
    if (override != null) {
      return Optional.of(Path.of(override));
    }
    return packaged().map(this::extract);
  }

  /** What to tell the user when loading the library failed so. */
  public VertebraException failure(LinkageError error) {
    Throwable root = error;
    while (root.getCause() != null && !(root instanceof VertebraException)) {
      root = root.getCause();
    }
    return root instanceof VertebraException known ? known
        : new VertebraException("the native library " + file + " cannot be loaded: " + root.getMessage() + ". Put "
            + artifact + "-<version>-linux-x86_64.jar on the class path, or name the library's folder with"
            + " -Dvertebra.native=FOLDER (needs glibc)", error);
  }

  private Optional<Packaged> packaged() {
    String resource = "META-INF/native/linux-x86_64/" + file;
    // Beside the library: its digest and length, so that a start neither reads nor digests what is in the cache
    // already.
    String keyResource = resource + ".key";
    // By the loader: on the module path the resource is another module's than the class's.
    ClassLoader loader = anchor.getClassLoader();
    try (InputStream in = loader.getResourceAsStream(keyResource)) {
      if (in == null) {
        return Optional.empty();
      }
      String[] key = new String(in.readAllBytes(), StandardCharsets.US_ASCII).strip().split(" ");
      return Optional.of(new Packaged(key[0], Long.parseLong(key[1]), () -> loader.getResourceAsStream(resource)));
    } catch (IOException e) {
      throw new VertebraException("cannot read " + keyResource + " from the class path: " + e.getMessage(), e);
    }
  }

  private Path extract(Packaged library) {
    Path cache = cacheRoot();
    try {
      return extract(library, cache);
    } catch (IOException unwritable) {
      try {
        return extract(library, Path.of(System.getProperty("java.io.tmpdir")));
      } catch (IOException e) {
        throw new VertebraException("cannot extract " + file + " to " + cache + " (" + unwritable
            + ") nor to the temporary folder (" + e + "); name a writable folder with -Dvertebra.cache=FOLDER", e);
      }
    }
  }

  Path extract(Packaged library, Path cache) throws IOException {
    Path folder = cache.resolve("vertebra").resolve(library.digest());
    Path target = folder.resolve(file);
    if (Files.isRegularFile(target) && Files.size(target) == library.length()) {
      return folder;
    }
    Files.createDirectories(folder);
    write(library.contents(), target);
    return folder;
  }

  /** Makes a file appear whole: no process ever finds a part of it, whoever else writes it. */
  public static void write(Contents contents, Path target) throws IOException {
    Path temporary = Files.createTempFile(target.getParent(), target.getFileName().toString(), ".part");
    try (InputStream in = contents.open()) {
      Files.copy(in, temporary, StandardCopyOption.REPLACE_EXISTING);
      try {
        Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
      } catch (AtomicMoveNotSupportedException e) {
        Files.move(temporary, target, StandardCopyOption.REPLACE_EXISTING);
      }
    } finally {
      Files.deleteIfExists(temporary);
    }
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
