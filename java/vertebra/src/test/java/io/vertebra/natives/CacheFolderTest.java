package io.vertebra.natives;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CacheFolderTest {
  private static final String FILE = "libsomething.so";
  private static final int NOBODY = 65534;

  private final byte[] contents = new byte[1 << 18];

  @TempDir
  Path base;
  private CacheFolder cache;

  @BeforeEach
  void open() throws IOException {
    new Random(1).nextBytes(contents);
    cache = new CacheFolder(base, "vertebra", (Integer) Files.getAttribute(base, "unix:uid"));
  }

  private NativeLibrary.Packaged library(int version) {
    return new NativeLibrary.Packaged(FILE, digest(version), contents.length, () -> new ByteArrayInputStream(contents));
  }

  private static String digest(int version) {
    return String.format("%064x", version);
  }

  @Test
  void extractsOnceByContentHoweverManyDoSo() throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(8);
    Callable<Path> extraction = () -> cache.extract(library(1));
    List<Future<Path>> results = threads.invokeAll(Collections.nCopies(64, extraction));
    threads.shutdown();
    Path file = results.get(0).get();
    for (Future<Path> result : results) {
      assertThat(result.get()).isEqualTo(file);
    }
    assertThat(file).hasBinaryContent(contents);
    try (Stream<Path> files = Files.list(file.getParent())) {
      assertThat(files).as("the library and its checksum, and nothing temporary").hasSize(2);
    }
    FileTime before = Files.getLastModifiedTime(file);
    cache.extract(library(1));
    assertThat(Files.getLastModifiedTime(file)).isEqualTo(before);
    assertThat(cache.extract(library(2))).isNotEqualTo(file);
  }

  @Test
  void isTheOwnersAlone() throws IOException {
    Path file = cache.extract(library(1));
    for (Path path = file; !path.equals(base); path = path.getParent()) {
      assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path))).as("%s", path)
          .isEqualTo("rwx------");
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"cut", "empty", "zeroed", "a bit", "longer", "no sum", "empty sum", "zeroed sum", "link", "writable"})
  void whatIsDamagedIsExtractedAnew(String damage) throws IOException {
    Path file = cache.extract(library(1));
    Path sum = file.resolveSibling(FILE + ".crc32");
    switch (damage) {
      case "cut" -> Files.write(file, new byte[] {1, 2});
      case "empty" -> Files.write(file, new byte[0]);
      case "zeroed" -> Files.write(file, new byte[contents.length]);
      case "a bit" -> {
        byte[] changed = contents.clone();
        changed[contents.length / 2] ^= 1;
        Files.write(file, changed);
      }
      case "longer" -> Files.write(file, new byte[contents.length + 1]);
      case "no sum" -> Files.delete(sum);
      case "empty sum" -> Files.write(sum, new byte[0]);
      case "zeroed sum" -> Files.write(sum, new byte[8]);
      case "link" -> {
        Files.move(file, base.resolve("elsewhere"));
        Files.createSymbolicLink(file, base.resolve("elsewhere"));
      }
      default -> Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxrwxrwx"));
    }
    assertThat(cache.extract(library(1))).isEqualTo(file).hasBinaryContent(contents);
    assertThat(Files.isSymbolicLink(file)).isFalse();
    assertThat(Files.getPosixFilePermissions(file)).isEqualTo(PosixFilePermissions.fromString("rwx------"));
  }

  /** At either level: the folder, and the digest's in it. */
  @ParameterizedTest
  @ValueSource(strings = {"", "digest"})
  void foldersThatOthersControlAreRefused(String level) throws IOException {
    Path file = cache.extract(library(1));
    Path folder = level.isEmpty() ? file.getParent().getParent() : file.getParent();
    Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxrwxrwx"));
    assertRefused("may be written by others (mode 777)");
    Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxrwx---"));
    assertRefused("may be written by others (mode 770)");
    Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxr-xr-x"));
    cache.extract(library(1));
    assertThat(Files.getPosixFilePermissions(folder)).isEqualTo(PosixFilePermissions.fromString("rwx------"));
    Path elsewhere = Files.move(folder, base.resolve("elsewhere"));
    Files.createSymbolicLink(folder, elsewhere);
    assertRefused("is no folder");
    Files.delete(folder);
    Files.write(folder, new byte[1]);
    assertRefused("is no folder");
    Files.delete(folder);
    Files.move(elsewhere, folder);
    assumeTrue((Integer) Files.getAttribute(base, "unix:uid") == 0, "only root gives a folder away");
    Files.setAttribute(folder, "unix:uid", NOBODY);
    assertRefused("belongs to user 65534, and this process is of user 0");
  }

  private void assertRefused(String reason) {
    assertThatThrownBy(() -> cache.extract(library(1))).isInstanceOf(IOException.class).hasMessageContaining(reason);
  }

  @Test
  void aForeignFileIsReplaced() throws IOException {
    assumeTrue((Integer) Files.getAttribute(base, "unix:uid") == 0, "only root gives a file away");
    Path file = cache.extract(library(1));
    Files.setAttribute(file, "unix:uid", NOBODY);
    assertThat(Files.getAttribute(cache.extract(library(1)), "unix:uid")).isEqualTo(0);
  }

  @Test
  void keepsTheYoungestVersionsAndWhatMayBeInUse() throws IOException {
    FileTime old = FileTime.from(Instant.now().minus(Duration.ofHours(2)));
    Path root = cache.extract(library(0)).getParent().getParent();
    for (int version = 1; version < 40; version++) {
      Files.setLastModifiedTime(cache.extract(library(version)).getParent(),
          version < 30 ? FileTime.from(old.toInstant().plusSeconds(version)) : FileTime.from(Instant.now()));
    }
    Path copied = cache.copy(library(1)).getParent();
    Files.setLastModifiedTime(copied, old);
    Path fresh = cache.copy(library(1)).getParent();
    Path foreign = Files.createDirectory(root.resolve("something"));
    Files.setLastModifiedTime(foreign, old);
    cache.extract(library(40));
    assertThat(root.resolve(digest(40))).exists();
    assertThat(root.resolve(digest(1))).as("old").doesNotExist();
    assertThat(root.resolve(digest(29))).as("old, among the youngest").exists();
    assertThat(root.resolve(digest(30))).as("young").exists();
    assertThat(copied).doesNotExist();
    assertThat(fresh).exists();
    assertThat(foreign).exists();
  }

  @Test
  void aCopyIsApart() throws IOException {
    Path copy = cache.copy(library(1));
    assertThat(copy).hasBinaryContent(contents).isNotEqualTo(cache.copy(library(1)));
    CacheFolder alone = new CacheFolder(base, null, 0);
    Path other = alone.copy(library(1));
    assertThat(other).hasBinaryContent(contents);
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(other.getParent()))).isEqualTo("rwx------");
    CacheFolder.delete(other.getParent());
    assertThat(other.getParent()).doesNotExist();
  }

  @Test
  void aLibraryCutShortInItsJarIsNotExtracted() {
    NativeLibrary.Packaged cut
        = new NativeLibrary.Packaged(FILE, digest(1), 10, () -> new ByteArrayInputStream(new byte[9]));
    assertThatThrownBy(() -> cache.extract(cut)).hasMessageContaining("the jar has 9 bytes");
    assertThat(base.resolve("vertebra").resolve(digest(1))).isEmptyDirectory();
  }
}
