package io.vertebra.cpu;

import io.vertebra.backend.Ceilings;
import io.vertebra.backend.Ceilings.Level;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.stream.Stream;

/** Measures what this machine's caches, memory and arithmetic give. */
final class CpuCeilings {
  private static final Path CACHES = Path.of("/sys/devices/system/cpu/cpu0/cache");
  private static final long MEMORY_BYTES = 256 << 20;
  private static final long MAX_MEMORY_BYTES = 1 << 30;

  /** A data cache of one core: {@code L2}, and its size. */
  private record Cache(String name, long bytes) {}

  private CpuCeilings() {}

  static Ceilings measure(CpuBackend backend, double seconds) {
    int threads = backend.threads();
    List<Level> levels = new ArrayList<>();
    long largest = 0;
    for (Cache cache : caches()) {
      // The last level is shared by all threads. A thread copies between two blocks. They take a quarter of what it
      // has, which two hardware threads may share even where a virtual machine does not say so.
      boolean shared = cache.name().equals("L3");
      long own = shared ? cache.bytes() / threads : cache.bytes();
      levels.add(new Level(cache.name(), own * threads, backend.measureCopy(own / 8, seconds)));
      largest = cache.bytes();
    }
    long total = Math.min(MAX_MEMORY_BYTES, Math.max(MEMORY_BYTES, 4 * largest));
    levels.add(Level.memory(backend.measureCopy(total / 2 / threads, seconds)));
    return new Ceilings("FMA", backend.measureFma(seconds), List.copyOf(levels), threads, Float.BYTES);
  }

  /** As Linux describes them, smallest first; empty where it does not, as in some virtual machines. */
  private static List<Cache> caches() {
    TreeMap<String, Cache> caches = new TreeMap<>();
    try (Stream<Path> folders = Files.list(CACHES)) {
      for (Path folder : folders.filter(path -> path.getFileName().toString().startsWith("index")).toList()) {
        if (!read(folder, "type").equals("Instruction")) {
          String name = "L" + read(folder, "level");
          caches.put(name, new Cache(name, bytes(read(folder, "size"))));
        }
      }
    } catch (IOException | NumberFormatException e) {
      return List.of();
    }
    return List.copyOf(caches.values());
  }

  private static String read(Path folder, String file) throws IOException {
    return Files.readString(folder.resolve(file)).strip();
  }

  /** {@code 48K}. */
  private static long bytes(String size) {
    long factor = size.endsWith("K") ? 1 << 10 : size.endsWith("M") ? 1 << 20 : 1;
    return factor * Long.parseLong(size.replaceAll("[KM]$", ""));
  }
}
