package io.vertebra.cli;

import io.vertebra.backend.Backend;
import io.vertebra.golden.GoldenFile;
import io.vertebra.golden.GoldenFile.Row;
import io.vertebra.weights.WeightsException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Compares the models with recorded outputs of the published implementations. */
@Command(name = "verify",
    description = "Runs golden files: the model each describes, on weights and input by formula, and compares with the"
        + " outputs it holds.",
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {"0:all passed", "1:a comparison failed", "2:none failed, but a file could not be run"})
final class VerifyCommand implements Callable<Integer> {
  @Spec
  private CommandSpec spec;

  @Mixin
  private Output output;

  @Mixin
  private BackendOptions options;

  @Option(names = "--tolerance", paramLabel = "T",
      description = "Largest relative error that passes; default: 1e-5 for files of whole tensors, 1e-4 for files of"
          + " digests; 2e-2 in fp16 and tf32, 5e-2 in bf16, 0.15 in int8.")
  private Double tolerance;

  @Parameters(paramLabel = "FILE|FOLDER", arity = "1..*",
      description = "Golden files, or folders of *.safetensors at any depth.")
  private List<Path> paths;

  @Override
  public Integer call() throws IOException {
    if (tolerance != null && !(tolerance >= 0)) {
      throw new ParameterException(spec.commandLine(), "--tolerance must be a number from 0 on: " + tolerance);
    }
    int passed = 0;
    int failed = 0;
    int unusable = 0;
    for (Path file : find()) {
      List<Row> rows;
      long start = System.nanoTime();
      try {
        rows = verify(file);
      } catch (RuntimeException e) {
        unusable++;
        printUnusable(file, e);
        continue;
      }
      boolean pass = rows.stream().allMatch(Row::passed);
      passed += pass ? 1 : 0;
      failed += pass ? 0 : 1;
      print(file, rows, pass, (System.nanoTime() - start) / 1e9);
    }
    if (!output.isJson()) {
      output.out().println(passed + " passed, " + failed + " failed, " + unusable + " could not be run");
    }
    return failed > 0 ? Main.SOME_FAILED : unusable > 0 ? Main.UNUSABLE : Main.DONE;
  }

  private List<Path> find() throws IOException {
    List<Path> found = new ArrayList<>();
    for (Path path : paths) {
      if (!Files.isDirectory(path)) {
        found.add(path);
        continue;
      }
      try (Stream<Path> files = Files.walk(path)) {
        files.filter(file -> file.toString().endsWith(".safetensors")).sorted().forEach(found::add);
      }
    }
    if (found.isEmpty()) {
      throw new IllegalArgumentException("there are no *.safetensors files in " + paths);
    }
    return found;
  }

  /** A backend for each file, so that one model's weights are freed before the next one's are made. */
  private List<Row> verify(Path path) {
    GoldenFile file = GoldenFile.open(path);
    try (Backend backend = options.open()) {
      List<Row> rows = file.verify(backend, tolerance == null ? file.defaultTolerance(options.precision()) : tolerance);
      if (rows.isEmpty()) {
        throw new WeightsException(path + ": holds nothing to compare with");
      }
      return rows;
    }
  }

  private void print(Path file, List<Row> rows, boolean pass, double seconds) {
    String verdict = pass ? "PASS" : "FAIL";
    if (output.isJson()) {
      output.object("file", file, "result", verdict, "seconds", seconds, "tensors",
          rows.stream().map(row -> Output.fields("tensor", row.tensor(), "error", row.error(), "tolerance",
              row.tolerance(), "passed", row.passed())).toList());
      return;
    }
    Table table = new Table().left("  tensor").right("error").right("tolerance").left("");
    for (Row row : rows) {
      table.row("  " + row.tensor(), scientific(row.error()), scientific(row.tolerance()), row.passed() ? "" : "FAIL");
    }
    table.print(output.out());
    output.out().println(String.format(Locale.ROOT, "%s %s (%.2f s)", verdict, file, seconds));
  }

  private void printUnusable(Path file, RuntimeException problem) {
    String reason = Failures.describe(problem);
    if (output.isJson()) {
      output.object("file", file, "result", "ERROR", "error", reason);
    } else {
      output.err().println("cannot be run: " + (reason.contains(file.toString()) ? reason : file + ": " + reason));
    }
  }

  private static String scientific(double value) {
    return String.format(Locale.ROOT, "%.2e", value);
  }
}
