package io.vertebra.cuda.runtime;

import io.vertebra.natives.NativeLibrary;
import io.vertebra.tensor.VertebraException;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import jcuda.jcublas.JCublas2;

/**
 * Finds and loads cuBLAS. JCublas asks the dynamic loader for libcublas.so.12, which is content with one of that name
 * that is loaded already: the one found here, or, where there is only a libcublas.so.13, a library of ours by that
 * name, which passes the calls on.
 */
final class CublasLibrary {
  /** Names the folder that has cuBLAS. */
  static final String VARIABLE = "VERTEBRA_CUBLAS";
  private static final String FILE_12 = "libcublas.so.12";
  private static final String FILE_13 = "libcublas.so.13";
  /** Below a toolkit's or an environment's folder. */
  private static final String TOOLKIT = "{lib64,lib}";
  /** What pip installs for PyTorch, below a Python's folder. */
  private static final String PIP = "lib/python3*/{site,dist}-packages/nvidia/{cublas,cu13}/lib";
  private static boolean loaded;

  private CublasLibrary() {}

  /** Once it returns, {@link JCublas2} may be used. */
  static synchronized void load() {
    if (loaded) {
      return;
    }
    Path library = find(System.getenv(), Path.of("/"));
    try {
      // It would look for its other half beside itself only if it was built to.
      Path other = library.resolveSibling(library.getFileName().toString().replace("libcublas", "libcublasLt"));
      if (Files.exists(other)) {
        System.load(other.toRealPath().toString());
      }
      System.load(library.toRealPath().toString());
      if (library.endsWith(FILE_13)) {
        NativeLibrary forwarder
            = new NativeLibrary("vertebra-cuda", NativeLibrary.RESOURCES + FILE_12, CublasLibrary.class);
        forwarder.folder();
      }
    } catch (IOException | UnsatisfiedLinkError e) {
      throw new VertebraException(
          "cuBLAS cannot be loaded from " + library + ": " + e.getMessage() + ". Name another with " + VARIABLE, e);
    }
    JCudaLibrary.link("JCublas2", "jcublas-natives", JCublas2.class);
    loaded = true;
  }

  /**
   * The library's file: in a folder that somebody chose, of either version; else the usual place of version 12, which
   * JCublas is made for, or 13.
   *
   * @param root of the file system
   * @throws VertebraException if there is none
   */
  static Path find(Map<String, String> environment, Path root) {
    String named = environment.get(VARIABLE);
    Set<Path> chosen = paths(named == null ? environment.get("LD_LIBRARY_PATH") : named);
    Set<Path> usual = named == null ? usual(environment, root) : Set.of();
    return in(chosen).or(() -> in(usual)).orElseThrow(() -> missing(Stream.concat(chosen.stream(), usual.stream())));
  }

  private static Optional<Path> in(Set<Path> folders) {
    return Stream.of(FILE_12, FILE_13).flatMap(file -> folders.stream().map(folder -> folder.resolve(file)))
        .filter(Files::exists).findFirst();
  }

  private static VertebraException missing(Stream<Path> folders) {
    return new VertebraException("cuBLAS is missing: neither " + FILE_12 + " nor " + FILE_13 + " is in "
        + folders.map(Path::toString).collect(Collectors.joining(", "))
        + ", nor did LD_LIBRARY_PATH, CUDA_HOME, VIRTUAL_ENV, CONDA_PREFIX,"
        + " /usr/local/cuda* or Python's packages lead to it. Install it (apt-get install libcublas-12-9 or"
        + " libcublas-13-0 from NVIDIA's repository, or pip install nvidia-cublas-cu12), or name its folder with "
        + VARIABLE);
  }

  /** The folders of a list with colons, or none. */
  private static Set<Path> paths(String list) {
    Set<Path> folders = new LinkedHashSet<>();
    for (String folder : list == null ? new String[0] : list.split(":")) {
      if (!folder.isEmpty()) {
        folders.add(Path.of(folder).toAbsolutePath());
      }
    }
    return folders;
  }

  /** Where else it is found, in order. */
  private static Set<Path> usual(Map<String, String> environment, Path root) {
    Set<Path> folders = new LinkedHashSet<>();
    for (String variable : List.of("CUDA_HOME", "CUDA_PATH", "VIRTUAL_ENV", "CONDA_PREFIX")) {
      if (environment.containsKey(variable)) {
        folders.addAll(matching(Path.of(environment.get(variable)), TOOLKIT));
        folders.addAll(matching(Path.of(environment.get(variable)), PIP));
      }
    }
    folders.addAll(matching(root, "usr/local/cuda*/" + TOOLKIT));
    folders.addAll(matching(root, "usr/local/cuda*/targets/x86_64-linux/lib"));
    folders.addAll(matching(root, "usr/lib/x86_64-linux-gnu"));
    folders.addAll(matching(root, "usr/lib64"));
    for (String prefix : List.of("usr/local", "usr", "opt/*")) {
      folders.addAll(matching(root, prefix + "/" + PIP));
    }
    folders.addAll(matching(Path.of(environment.getOrDefault("HOME", "/root"), ".local"), PIP));
    return folders;
  }

  /** Paths that match a pattern, a glob for each name, the highest version first. */
  private static List<Path> matching(Path root, String pattern) {
    List<Path> paths = List.of(root);
    for (String glob : pattern.split("/")) {
      List<Path> next = new ArrayList<>();
      for (Path path : paths) {
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(path, glob)) {
          entries.forEach(next::add);
        } catch (IOException unreadable) {
          // Nothing is found there, then.
        }
      }
      next.sort(Comparator.reverseOrder());
      paths = next;
    }
    return paths;
  }
}
