package io.vertebra.natives;

import io.vertebra.tensor.VertebraException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;

/**
 * Finds and loads a native library: from the folder that the system property {@code vertebra.native} names, or else
 * from the {@code linux-x86_64} jar of its artifact, extracted to the first {@link CacheFolder} that it can be loaded
 * from. The outcome is remembered: a failure is told again, in the same words, whenever the library is asked for.
 * Thread-safe.
 */
public final class NativeLibrary {
  /** Where our own libraries are among the resources. */
  public static final String RESOURCES = "META-INF/native/linux-x86_64/";

  private static final String FOLDERS = ". Name a folder that this user can write to and execute from with"
      + " -Dvertebra.cache=FOLDER, or one that has the library with -Dvertebra.native=FOLDER";

  private final String artifact;
  private final String resource;
  private final String file;
  private final ClassLoader loader;
  private Path loaded;
  private VertebraException failure;
  /** What this class loader alone has loaded, until it is linked; else null. */
  private Path copy;

  /**
   * @param artifact whose jar holds the library
   * @param resource its name there
   * @param anchor a class of the artifact, whose class path is searched
   */
  public NativeLibrary(String artifact, String resource, Class<?> anchor) {
    this.artifact = artifact;
    this.resource = resource;
    this.file = resource.substring(resource.lastIndexOf('/') + 1);
    this.loader = anchor.getClassLoader(); // By it: on the module path the resource is another module's than the class.
  }

  /**
   * The library as it is packaged.
   *
   * @param file its name
   * @param digest differs where the contents differ
   */
  record Packaged(String file, String digest, long length, Contents contents) {}

  /** Reads a library. */
  @FunctionalInterface
  interface Contents {
    InputStream open() throws IOException;
  }

  /**
   * The folder the library was loaded from, into this class's loader; loads it if that has not been tried yet.
   *
   * @throws VertebraException if it cannot be loaded
   */
  public synchronized Path folder() {
    if (loaded == null && failure == null) {
      try {
        loaded = load();
      } catch (VertebraException e) {
        failure = e;
      }
    }
    if (failure != null) {
      throw new VertebraException(failure.getMessage(), failure);
    }
    return loaded.getParent();
  }

  /**
   * Loads the library and initialises the class that binds it, which may look for it in {@link #folder} once more.
   *
   * @throws VertebraException if either fails
   */
  public void link(Class<?> binding) {
    folder();
    try {
      // Without a lock on this: whoever initialises the class on another thread asks for the folder.
      Class.forName(binding.getName(), true, binding.getClassLoader());
    } catch (LinkageError | ClassNotFoundException | IllegalCallerException e) {
      throw failure(e);
    } finally {
      discardCopy();
    }
  }

  /** What to tell the user, now and later, when using the loaded library failed so. */
  public synchronized VertebraException failure(Throwable error) {
    if (failure == null) {
      failure = refused(LoadFailure.of(error).reason(), error);
    }
    return failure;
  }

  private synchronized void discardCopy() {
    if (copy != null) {
      CacheFolder.delete(copy.getParent());
      copy = null;
    }
  }

  private VertebraException refused(String reason, Throwable cause) {
    return new VertebraException("the native library " + file + " cannot be loaded: " + reason, cause);
  }

  private Path load() {
    String os = System.getProperty("os.name");
    String arch = System.getProperty("os.arch").toLowerCase(Locale.ROOT);
    if (!os.equals("Linux") || !(arch.equals("amd64") || arch.equals("x86_64"))) {
      throw new VertebraException("the native library " + file + " is built for Linux on x86-64 (with glibc); this is "
          + os + " on " + arch + ". The reference backend runs anywhere, slowly");
    }
    String named = System.getProperty("vertebra.native");
    return named == null ? loadFromCache(packaged(), false) : loadNamed(Path.of(named).toAbsolutePath().resolve(file));
  }

  private Path loadNamed(Path path) {
    try {
      return loads(path) ? path
          : loadFromCache(new Packaged(file, "", Files.size(path), () -> Files.newInputStream(path)), true);
    } catch (UnsatisfiedLinkError | IllegalCallerException | IOException e) {
      String reason = Files.exists(path) ? path + ": " + LoadFailure.of(e).reason() : path + " does not exist";
      throw refused(reason + ". It was looked for there because of -Dvertebra.native=FOLDER", e);
    }
  }

  /** @param alone whether another class loader of this process is known to have the library */
  private Path loadFromCache(Packaged library, boolean alone) {
    List<String> reasons = new ArrayList<>();
    for (CacheFolder folder : CacheFolder.all(reasons)) {
      try {
        if (!alone && folder.isShared()) {
          Path shared = folder.extract(library);
          if (loads(shared)) {
            return shared;
          }
        }
        copy = folder.copy(library);
        loads(copy);
        return copy;
      } catch (IOException e) {
        reasons.add(folder + ": " + (e.getClass() == IOException.class ? e.getMessage() : e));
      } catch (UnsatisfiedLinkError | IllegalCallerException e) {
        discardCopy();
        LoadFailure refusal = LoadFailure.of(e);
        if (!refusal.isOfTheFolder()) {
          throw refused(refusal.reason(), e);
        }
        reasons.add(folder + ": " + refusal.reason());
      }
    }
    throw refused(String.join("; ", reasons) + FOLDERS, null);
  }

  /** False if another class loader of this process has it. */
  private static boolean loads(Path path) {
    JavaCpp.keepOutOfWorkingFolder(path.getParent());
    try {
      System.load(path.toString());
      return true;
    } catch (UnsatisfiedLinkError e) {
      if (LoadFailure.isInAnotherLoader(e)) {
        return false;
      }
      throw e;
    }
  }

  private Packaged packaged() {
    // Beside our own libraries: digest and length, so that a start neither reads nor digests what is in the cache.
    try (InputStream key = loader.getResourceAsStream(resource + ".key")) {
      String[] words = key == null ? digest() : new String(key.readAllBytes(), StandardCharsets.US_ASCII).split(" ");
      return new Packaged(file, words[0], Long.parseLong(words[1].strip()), this::open);
    } catch (IOException e) {
      throw refused("it cannot be read from the class path: " + e, e);
    }
  }

  private InputStream open() {
    InputStream library = loader.getResourceAsStream(resource);
    if (library == null) {
      throw refused("the class path or module path lacks " + artifact + "-<version>-linux-x86_64.jar, which has it; add"
          + " it, or name the library's folder with -Dvertebra.native=FOLDER", null);
    }
    return library;
  }

  private String[] digest() throws IOException {
    try (DigestInputStream in = new DigestInputStream(open(), MessageDigest.getInstance("SHA-256"))) {
      long length = in.transferTo(OutputStream.nullOutputStream());
      return new String[] {HexFormat.of().formatHex(in.getMessageDigest().digest()), String.valueOf(length)};
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError(e); // Every JDK has it.
    }
  }
}
