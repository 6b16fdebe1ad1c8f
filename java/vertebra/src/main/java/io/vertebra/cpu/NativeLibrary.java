package io.vertebra.cpu;

import io.vertebra.VertebraException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
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

  private NativeLibrary() {}

  /** The folder the library lies in; empty if there is none for this platform. */
  static Optional<Path> folder() {
    String override = System.getProperty("vertebra.native");
    if (override != null) {
      return Optional.of(Path.of(override));
    }
    byte[] library = resource();
    return library == null ? Optional.empty() : Optional.of(extract(library));
  }

  private static byte[] resource() {
    try (InputStream in = NativeLibrary.class.getResourceAsStream(RESOURCE)) {
      return in == null ? null : in.readAllBytes();
    } catch (IOException e) {
      throw new VertebraException("cannot read " + RESOURCE + " from the class path: " + e.getMessage(), e);
    }
  }

  private static Path extract(byte[] library) {
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

  static Path extract(byte[] library, Path cache) throws IOException {
    Path folder = cache.resolve("vertebra").resolve(contentKey(library));
    Path target = folder.resolve(FILE);
    if (Files.isRegularFile(target) && Files.size(target) == library.length) {
      return folder;
    }
    Files.createDirectories(folder);
    Path temporary = Files.createTempFile(folder, FILE, ".part");
    try {
      Files.write(temporary, library);
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

  private static String contentKey(byte[] library) {
    try {
      byte[] digest = MessageDigest.getInstance("SHA-256").digest(library);
      return HexFormat.of().formatHex(digest, 0, 16);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
