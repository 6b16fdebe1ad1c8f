package io.vertebra.bench.gpu;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.ToIntFunction;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * What the compiler made of the CUDA kernels: registers, spills and shared memory as ptxas tells, and how many
 * instructions of a kernel's text are tensor core products and accesses of 16 bytes.
 *
 * <pre> cmake --build java/vertebra-cuda/target/cuda-build --target vertebra_cuda_ptx java -cp
 * bench/target/benchmarks.jar io.vertebra.bench.gpu.KernelReport java/vertebra-cuda/target/cuda-build </pre>
 */
public final class KernelReport {
  private static final String ARCHITECTURE = "sm_90";
  private static final List<String> TYPES = List.of("f32", "f16", "bf16");
  private static final Pattern COMPILING = Pattern.compile("Compiling entry function '(\\w+)' for '(\\w+)'");
  private static final Pattern SPILLS = Pattern.compile("(\\d+) bytes spill stores, (\\d+) bytes spill loads");
  private static final Pattern REGISTERS = Pattern.compile("Used (\\d+) registers");
  private static final Pattern SHARED = Pattern.compile("(\\d+) bytes smem");
  private static final Pattern ENTRY = Pattern.compile("\\.entry (\\w+)\\(");
  /** Whatever type the four words have; cp.async.cg copies 16 bytes alone. */
  private static final Pattern LOAD = Pattern.compile("\\sld\\.global(\\.nc)?\\.v4\\.[ubfs]32|\\scp\\.async\\.cg");
  private static final Pattern STORE = Pattern.compile("\\sst\\.global\\.v4\\.[ubfs]32");
  private static final Pattern PRODUCT = Pattern.compile("\\smma\\.sync");

  /** One entry point. */
  private static final class Kernel {
    int registers;
    int spilledBytes;
    int sharedBytes;
    int products;
    int loads;
    int stores;
  }

  private KernelReport() {}

  /** @param arguments the folder with ptxas.txt and vertebra.ptx */
  public static void main(String[] arguments) throws IOException {
    if (arguments.length != 1) {
      throw new IllegalArgumentException(
          "name the folder that the kernels were built in: it has ptxas.txt and vertebra.ptx");
    }
    Path folder = Path.of(arguments[0]);
    report(Files.readAllLines(folder.resolve("ptxas.txt")), Files.readAllLines(folder.resolve("vertebra.ptx")))
        .forEach(System.out::println);
  }

  /**
   * The table, a row for an entry point of all types; numbers are those of f32, f16 and bf16, or one if they are equal.
   */
  static List<String> report(List<String> ptxas, List<String> ptx) {
    Map<String, Kernel> kernels = new TreeMap<>();
    readPtxas(ptxas, kernels);
    readPtx(ptx, kernels);
    Map<String, Map<String, Kernel>> rows = new TreeMap<>();
    kernels.forEach((name, kernel) -> {
      Matcher type = Pattern.compile("_(f32|f16|bf16)(?=_\\d+$|$)").matcher(name);
      boolean typed = type.find() && !name.startsWith("vtb_convert");
      rows.computeIfAbsent(typed ? type.replaceFirst("") : name, key -> new TreeMap<>()).put(typed ? type.group(1) : "",
          kernel);
    });
    List<String> table = rows.entrySet().stream()
        .map(row -> String.format(Locale.ROOT, "| `%s` | %s | %s | %s | %s | %s | %s |", row.getKey(),
            numbers(row.getValue(), kernel -> kernel.registers), numbers(row.getValue(), kernel -> kernel.spilledBytes),
            numbers(row.getValue(), kernel -> kernel.sharedBytes), numbers(row.getValue(), kernel -> kernel.products),
            numbers(row.getValue(), kernel -> kernel.loads), numbers(row.getValue(), kernel -> kernel.stores)))
        .collect(Collectors.toList());
    table.add(0,
        "| kernel | registers | spilled bytes | static shared bytes | `mma.sync` | 16-byte loads | 16-byte stores |");
    table.add(1, "| --- | --- | --- | --- | --- | --- | --- |");
    return table;
  }

  private static String numbers(Map<String, Kernel> kernels, ToIntFunction<Kernel> number) {
    List<String> numbers = (kernels.containsKey("") ? List.of("") : TYPES).stream().filter(kernels::containsKey)
        .map(type -> String.valueOf(number.applyAsInt(kernels.get(type)))).toList();
    return numbers.stream().distinct().count() == 1 ? numbers.get(0) : String.join(" / ", numbers);
  }

  private static void readPtxas(List<String> lines, Map<String, Kernel> kernels) {
    Kernel kernel = new Kernel();
    for (String line : lines) {
      Matcher compiling = COMPILING.matcher(line);
      if (compiling.find()) {
        // Other architectures' lines go to a kernel that is not kept.
        kernel = new Kernel();
        if (compiling.group(2).equals(ARCHITECTURE)) {
          kernels.put(compiling.group(1), kernel);
        }
      }
      Matcher spills = SPILLS.matcher(line);
      if (spills.find()) {
        kernel.spilledBytes = Integer.parseInt(spills.group(1)) + Integer.parseInt(spills.group(2));
      }
      Matcher registers = REGISTERS.matcher(line);
      if (registers.find()) {
        kernel.registers = Integer.parseInt(registers.group(1));
      }
      Matcher shared = SHARED.matcher(line);
      if (shared.find()) {
        kernel.sharedBytes = Integer.parseInt(shared.group(1));
      }
    }
  }

  private static void readPtx(List<String> lines, Map<String, Kernel> kernels) {
    Kernel kernel = new Kernel();
    for (String line : lines) {
      Matcher entry = ENTRY.matcher(line);
      if (entry.find()) {
        kernel = kernels.computeIfAbsent(entry.group(1), name -> new Kernel());
      }
      kernel.products += PRODUCT.matcher(line).find() ? 1 : 0;
      kernel.loads += LOAD.matcher(line).find() ? 1 : 0;
      kernel.stores += STORE.matcher(line).find() ? 1 : 0;
    }
  }
}
