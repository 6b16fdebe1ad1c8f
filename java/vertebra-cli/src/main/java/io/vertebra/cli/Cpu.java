package io.vertebra.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * The processor as Linux describes it.
 *
 * @param caches of one core, smallest first
 */
record Cpu(String model, List<Cache> caches) {
  private static final Path CPU_INFO = Path.of("/proc/cpuinfo");
  private static final Path CACHES = Path.of("/sys/devices/system/cpu/cpu0/cache");

  /** A data cache: {@code L2}, and its size. */
  record Cache(String name, long bytes) {}

  static Cpu detect() {
    return new Cpu(detectModel(), detectCaches());
  }

  private static String detectModel() {
    try (Stream<String> lines = Files.lines(CPU_INFO)) {
      return lines.filter(line -> line.startsWith("model name"))
          .map(line -> line.substring(line.indexOf(':') + 1).strip()).findFirst().orElse("unknown");
    } catch (IOException e) {
      return "unknown";
    }
  }

  /** Empty where the system does not tell, as in some virtual machines. */
  private static List<Cache> detectCaches() {
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
