package io.vertebra.natives;

import java.io.ByteArrayInputStream;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.zip.CRC32;
import java.util.zip.CheckedInputStream;

/**
 * A folder of this user's own that libraries are extracted to, each below it in a folder named by its digest. Nobody
 * else can put a library there: it and all below it belong to the user, nobody else may write to them, and links are
 * not followed. That is why what guards a library against damage is a checksum, which a start can afford, rather than
 * its digest. Files appear whole, by one atomic rename, so any number of processes and versions may share a folder.
 */
final class CacheFolder {
  private static final Set<PosixFilePermission> OWNER = PosixFilePermissions.fromString("rwx------");
  private static final int FILE_TYPE = 0170000;
  private static final int REGULAR = 0100000;
  private static final int FOLDER = 0040000;
  private static final int OTHERS_WRITE = 0022;
  /** Digests' folders that stay when another is made: those of a few versions. */
  private static final int KEPT = 16;
  /** Younger ones may be in use by a process that is about to load from them. */
  private static final long SETTLED_MS = TimeUnit.HOURS.toMillis(1);
  private static final String DIGEST = "[0-9a-f]{64}";
  private static final String COPY = "copy-";

  private final Path base;
  /** Null: a new one each time. */
  private final String name;
  private final long user;

  /**
   * @param base must exist or be possible to create; who may write to it is not looked at
   * @param name of the folder in it; null for a new one that only this process uses
   * @param user who must own it
   */
  CacheFolder(Path base, String name, long user) {
    this.base = base;
    this.name = name;
    this.user = user;
  }

  /**
   * The folders to try, in order: in {@code vertebra.cache}, {@code XDG_CACHE_HOME}, {@code ~/.cache} and the temporary
   * folder, and there, last, one for this process alone, which nobody can have taken.
   *
   * @param skipped is told which of them are unusable, and why
   */
  static List<CacheFolder> all(List<String> skipped) {
    List<CacheFolder> folders = new ArrayList<>();
    long user = user();
    String property = System.getProperty("vertebra.cache");
    if (property != null && !property.isEmpty()) {
      folders.add(new CacheFolder(Path.of(property).toAbsolutePath(), "vertebra", user));
    }
    String xdg = System.getenv("XDG_CACHE_HOME");
    if (xdg != null && !xdg.isEmpty()) {
      add("XDG_CACHE_HOME", xdg, "", "vertebra", user, folders, skipped);
    }
    String home = System.getProperty("user.home", "");
    if (home.startsWith("/") && !Files.isDirectory(Path.of(home))) {
      skipped.add("the home folder " + home + " does not exist");
    } else {
      add("user.home", home, ".cache", "vertebra", user, folders, skipped);
    }
    String temporary = System.getProperty("java.io.tmpdir", "");
    add("java.io.tmpdir", temporary, "", "vertebra-" + user, user, folders, skipped);
    add("java.io.tmpdir", temporary, "", null, user, folders, skipped);
    return folders;
  }

  /** A relative one would lead into the folder that the process happens to run in. */
  private static void add(String source, String root, String below, String name, long user, List<CacheFolder> folders,
      List<String> skipped) {
    if (root.startsWith("/")) {
      folders.add(new CacheFolder(Path.of(root, below), name, user));
    } else {
      skipped.add(source + " is no absolute path: '" + root + "'");
    }
  }

  /** The effective user; -1, which owns nothing, if the system does not tell. */
  private static long user() {
    try (InputStream in = new FileInputStream("/proc/self/status")) {
      String status = new String(in.readAllBytes(), StandardCharsets.ISO_8859_1);
      return Long.parseLong(status.substring(status.indexOf("\nUid:")).strip().split("\\s+", 4)[2]);
    } catch (IOException e) {
      return -1;
    }
  }

  /** Whether other processes use it too. */
  boolean isShared() {
    return name != null;
  }

  @Override
  public String toString() {
    return base.resolve(isShared() ? name : "vertebra-*").toString();
  }

  /**
   * Where the library lies, as it was packaged: it is extracted if it is missing or damaged.
   *
   * @throws IOException if this folder is not to be trusted or cannot be written
   */
  Path extract(NativeLibrary.Packaged library) throws IOException {
    Path root = create();
    Path folder = own(root.resolve(library.digest()));
    Path file = folder.resolve(library.file());
    Path sum = folder.resolve(library.file() + ".crc32");
    if (!isIntact(file, sum, library.length())) {
      tidy(root, library.digest());
      CRC32 crc = new CRC32();
      try (InputStream in = new CheckedInputStream(library.contents().open(), crc)) {
        write(in, file, library.length());
      }
      byte[] text = Long.toHexString(crc.getValue()).getBytes(StandardCharsets.US_ASCII);
      write(new ByteArrayInputStream(text), sum, text.length);
    }
    return file;
  }

  /** The library in a new folder, which whoever loads it deletes. */
  Path copy(NativeLibrary.Packaged library) throws IOException {
    Path folder = isShared() ? Files.createTempDirectory(create(), COPY) : Files.createTempDirectory(base, "vertebra-");
    Path file = folder.resolve(library.file());
    try (InputStream in = library.contents().open()) {
      write(in, file);
    } catch (IOException | RuntimeException e) {
      delete(folder);
      throw e;
    }
    return file;
  }

  private Path create() throws IOException {
    if (!Files.isDirectory(base)) {
      Files.createDirectories(base, PosixFilePermissions.asFileAttribute(OWNER));
    }
    return own(base.resolve(name));
  }

  /** Creates a folder if it is missing; whoever owns it may use it, and nobody else. */
  private Path own(Path folder) throws IOException {
    FileAttribute<?> owner = PosixFilePermissions.asFileAttribute(OWNER);
    try {
      Files.createDirectory(folder, owner);
    } catch (FileAlreadyExistsException e) {
      // Looked at below, as if it were new.
    }
    String flaw = flaw(folder, FOLDER);
    if (flaw != null) {
      throw new IOException(folder + " " + flaw + "; it may hold foreign code. Remove it");
    }
    if (!Files.getPosixFilePermissions(folder, LinkOption.NOFOLLOW_LINKS).equals(OWNER)) {
      Files.setPosixFilePermissions(folder, OWNER);
    }
    return folder;
  }

  /** Why it is not to be trusted; null if it is. */
  private String flaw(Path path, int type) throws IOException {
    Map<String, Object> attributes = Files.readAttributes(path, "unix:uid,mode", LinkOption.NOFOLLOW_LINKS);
    int mode = (Integer) attributes.get("mode");
    if ((mode & FILE_TYPE) != type) {
      return type == FOLDER ? "is no folder" : "is no file";
    }
    if ((Integer) attributes.get("uid") != user) {
      return "belongs to user " + attributes.get("uid") + ", and this process is of user " + user;
    }
    return (mode & OTHERS_WRITE) == 0 ? null
        : "may be written by others (mode " + Integer.toOctalString(mode & 07777) + ")";
  }

  /** Whether the file is what was extracted: it may have been cut short, or zeroed by a crash of the machine. */
  private boolean isIntact(Path file, Path sum, long length) throws IOException {
    try {
      return flaw(file, REGULAR) == null && flaw(sum, REGULAR) == null && Files.size(file) == length
          && text(sum).equals(checksum(file));
    } catch (NoSuchFileException e) {
      return false;
    }
  }

  // By plain streams, here and above: a cold start need not load the classes of channels.
  private static String checksum(Path file) throws IOException {
    CRC32 crc = new CRC32();
    byte[] buffer = new byte[1 << 16];
    try (InputStream in = new FileInputStream(file.toFile())) {
      for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
        crc.update(buffer, 0, read);
      }
    }
    return Long.toHexString(crc.getValue());
  }

  private static String text(Path file) throws IOException {
    try (InputStream in = new FileInputStream(file.toFile())) {
      return new String(in.readNBytes(Long.BYTES), StandardCharsets.ISO_8859_1);
    }
  }

  /** Makes a file appear whole: no process ever finds a part of it, whoever else writes it. */
  private static void write(InputStream in, Path target, long length) throws IOException {
    Path temporary = target.resolveSibling(target.getFileName() + "." + UUID.randomUUID() + ".part");
    try {
      long written = write(in, temporary);
      if (written != length) {
        throw new IOException("the jar has " + written + " bytes of " + target.getFileName() + ", not " + length);
      }
      Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
    } finally {
      Files.deleteIfExists(temporary);
    }
  }

  /** Writes a new file for the owner alone, through to the disk; returns its length. */
  private static long write(InputStream in, Path file) throws IOException {
    Set<OpenOption> options = Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
    try (FileChannel channel = FileChannel.open(file, options, PosixFilePermissions.asFileAttribute(OWNER))) {
      long length = in.transferTo(Channels.newOutputStream(channel));
      channel.force(true);
      return length;
    }
  }

  /** Deletes what other versions and dead processes left: all but the youngest, which may be in use. */
  private static void tidy(Path root, String digest) {
    long settled = System.currentTimeMillis() - SETTLED_MS;
    record Entry(Path path, long modified) {}
    List<Entry> digests = new ArrayList<>();
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(root)) {
      for (Path path : entries) {
        long modified = Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS)
            .lastModifiedTime().toMillis();
        String name = path.getFileName().toString();
        if (name.startsWith(COPY) && modified < settled) {
          delete(path);
        } else if (name.matches(DIGEST) && !name.equals(digest)) {
          digests.add(new Entry(path, modified));
        }
      }
      digests.sort(Comparator.comparingLong(Entry::modified).reversed());
      for (Entry entry : digests.subList(Math.min(KEPT - 1, digests.size()), digests.size())) {
        if (entry.modified < settled) {
          delete(entry.path);
        }
      }
    } catch (IOException | DirectoryIteratorException e) {
      // Somebody else tidies at the same time, or may do so later.
    }
  }

  /** Deletes a folder and the files in it. That some process has them loaded does no harm. */
  static void delete(Path folder) {
    try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
      for (Path file : files) {
        Files.deleteIfExists(file);
      }
      Files.deleteIfExists(folder);
    } catch (IOException | DirectoryIteratorException e) {
      // It is in nobody's way.
    }
  }
}
