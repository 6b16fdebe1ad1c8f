package io.vertebra.cli;

import io.vertebra.backend.Ceilings;
import io.vertebra.cpu.CpuBackend;
import io.vertebra.cuda.runtime.DriverRuntime;
import io.vertebra.tensor.Precision;
import io.vertebra.tensor.VertebraException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** What this machine is and gives. */
@Command(name = "check",
    description = "Shows what this machine gives: instruction set, threads, measured arithmetic and memory bandwidth,"
        + " GPUs.")
final class CheckCommand implements Callable<Integer> {
  @Mixin
  private Output output;

  private final List<Fact> facts = new ArrayList<>();

  /**
   * A line of the report.
   *
   * @param key its name in JSON
   */
  private record Fact(String key, String label, Object value, String unit) {}

  @Override
  public Integer call() {
    add("system", "system", System.getProperty("os.name") + " " + System.getProperty("os.version"), "");
    add("java", "Java", System.getProperty("java.vm.name") + " " + System.getProperty("java.runtime.version"), "");
    add("cpu", "processor", CpuBackend.processor(), "");
    int exitCode = Main.DONE;
    try {
      addNative();
    } catch (VertebraException e) {
      add("problem", "problem", e.getMessage(), "");
      exitCode = Main.UNUSABLE;
    }
    addGpus();
    if (output.isJson()) {
      output.object(facts.stream().flatMap(fact -> Stream.of(fact.key, fact.value)).toArray());
    } else {
      facts.forEach(fact -> output.out()
          .println(String.format(Locale.ROOT, "%-26s %s %s", fact.label, fact.value, fact.unit).stripTrailing()));
    }
    return exitCode;
  }

  private void addNative() {
    int threads = CpuBackend.cpuLimit();
    add("isa_detected", "instruction set, best", CpuBackend.detectedIsa(), "");
    add("isa", "instruction set, in use", CpuBackend.isa(), "");
    if (!CpuBackend.isaLimit().isEmpty()) {
      add("isa_limit", "no higher, because", CpuBackend.isaLimit(), "");
    }
    add("threads", "threads", threads, "");
    add("kernels", "kernels", CpuBackend.kernels(), "");
    add("native_library", "native library in", CpuBackend.nativeFolder(), "");
    addPeak("fma_1_thread", "FMA peak, 1 thread", 1, Precision.FP32);
    addPeak("bf16_fma_1_thread", "bf16 FMA peak, 1 thread", 1, Precision.BF16);
    addPeak("bf16_fma_all_threads", "bf16 FMA peak, all threads", threads, Precision.BF16);
    addPeak("int8_fma_1_thread", "int8 multiply-add peak, 1 thread", 1, Precision.INT8);
    addPeak("int8_fma_all_threads", "int8 multiply-add peak, all threads", threads, Precision.INT8);
    try (CpuBackend all = new CpuBackend(threads)) {
      Ceilings machine = all.ceilings(Roofline.SECONDS);
      addRate("fma_all_threads", "FMA peak, all threads", machine.flops(), "GFLOP/s");
      machine.levels().forEach(level -> addRate("copy_" + level.name().toLowerCase(Locale.ROOT),
          "copying in " + level.name(), level.bytesPerSecond(), "GB/s"));
    }
  }

  private void addGpus() {
    try {
      List<String> gpus = DriverRuntime.devices();
      for (int i = 0; i < gpus.size(); i++) {
        add("gpu_" + i, "GPU", gpus.get(i), "");
      }
    } catch (VertebraException none) {
      add("no_gpu", "no GPU", none.getMessage(), "");
    }
    try {
      DriverRuntime.requireKernels();
    } catch (VertebraException none) {
      add("no_gpu_kernels", "no GPU kernels", none.getMessage(), "");
    }
  }

  private void addPeak(String key, String label, int threads, Precision precision) {
    try (CpuBackend backend = new CpuBackend(threads, precision)) {
      addRate(key, label, backend.measureFma(Roofline.SECONDS), "GFLOP/s");
    }
  }

  private void add(String key, String label, Object value, String unit) {
    facts.add(new Fact(key, label, value, unit));
  }

  /** A measured rate, to a tenth of 10^9 a second; the key names the unit. */
  private void addRate(String key, String label, double perSecond, String unit) {
    String suffix = unit.equals("GB/s") ? "_gb_s" : "_gflops";
    add(key + suffix, label, Math.round(perSecond / 1e8) / 10.0, unit);
  }
}
