package io.vertebra.cpu;

import io.vertebra.backend.Ceilings;
import io.vertebra.backend.Ceilings.Level;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** This machine as Linux describes it and as it measures. */
final class Machine {
  private static final Path CPU_INFO = Path.of("/proc/cpuinfo");
  private static final Path CACHES = Path.of("/sys/devices/system/cpu/cpu0/cache");
  private static final long MEMORY_BYTES = 256 << 20;
  private static final long MAX_MEMORY_BYTES = 1 << 30;

  private Machine() {}

  static String processor() {
    try {
      return Files.readAllLines(CPU_INFO).stream().filter(line -> line.startsWith("model name")).findFirst()
          .map(line -> line.substring(line.indexOf(':') + 1).strip()).orElse("unknown");
    } catch (IOException e) {
      return "unknown";
    }
  }

  static Ceilings ceilings(CpuBackend backend, double seconds) {
    int threads = backend.threads();
    List<Level> levels = new ArrayList<>();
    long largest = 0;
    for (Map.Entry<String, Long> cache : caches().entrySet()) {
      // The last level is shared by all threads. A thread copies between two blocks. They take a quarter of what it
      // has, which two hardware threads may share even where a virtual machine does not say so.
      largest = cache.getValue();
      long own = cache.getKey().equals("L3") ? largest / threads : largest;
      levels.add(new Level(cache.getKey(), own * threads, backend.measureCopy(own / 8, seconds)));
    }
    long total = Math.min(MAX_MEMORY_BYTES, Math.max(MEMORY_BYTES, 4 * largest));
    levels.add(Level.memory(backend.measureCopy(total / 2 / threads, seconds)));
    return new Ceilings("FMA", backend.measureFma(seconds), List.copyOf(levels), threads, Float.BYTES);
  }

  /** Sizes in bytes of a core's data caches, from {@code L1} on; empty where the system does not tell. */
  private static Map<String, Long> caches() {
    Map<String, Long> caches = new TreeMap<>();
    try {
      for (int i = 0; Files.exists(CACHES.resolve("index" + i)); i++) {
        Path folder = CACHES.resolve("index" + i);
        if (!read(folder, "type").equals("Instruction")) {
          caches.put("L" + read(folder, "level"), bytes(read(folder, "size")));
        }
      }
      return caches;
    } catch (IOException | NumberFormatException e) {
      return Map.of();
    }
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
