package io.vertebra.cuda;

import io.vertebra.conformance.ConformanceCases;
import io.vertebra.conformance.ConformanceCases.Case;
import io.vertebra.cuda.CudaOptions.Products;
import io.vertebra.reference.ReferenceBackend;
import io.vertebra.tensor.Compare;
import io.vertebra.tensor.Precision;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Every operation in every precision, step by step and as a graph, against the reference in double precision.
 *
 * <pre>ConformanceCheck [--device cuda:N|cuda-emulated] [--cases REGEX] [--precisions fp32,tf32,fp16,bf16]</pre>
 *
 * Exits with 1 if a case fails. {@code --cases} takes the cases whose names match.
 */
final class ConformanceCheck {
  private ConformanceCheck() {}

  public static void main(String[] arguments) {
    CheckOptions options = CheckOptions.parse(arguments, Map.of("cases", ".*", "precisions", "fp32,tf32,fp16,bf16"));
    List<Case> cases = CudaCases.all().filter(testCase -> testCase.toString().matches(options.get("cases"))).toList();
    if (cases.isEmpty()) {
      throw new IllegalArgumentException("no case matches " + options.get("cases"));
    }
    List<double[]> expected
        = cases.stream().map(testCase -> ConformanceCases.run(new ReferenceBackend(), testCase)).toList();
    List<String> failures = new ArrayList<>();
    System.out.println(
        "| precision | products by | cases | worst relative error | tolerance | case |\n|---|---|---:|---:|---:|---|");
    for (Precision precision : options.precisions()) {
      for (Products products : List.of(Products.FUSED, Products.CUBLAS)) {
        double worst = -1;
        Case worstCase = null;
        // One for all cases: to open a device and load the kernels takes a second.
        try (CudaBackend backend = new CudaBackend(options.open(), precision, new CudaOptions(products, false))) {
          for (int i = 0; i < cases.size(); i++) {
            Case testCase = cases.get(i);
            double error = Compare.relativeError(ConformanceCases.runOnOpen(backend, testCase), expected.get(i));
            if (!(error <= tolerance(precision))) {
              failures.add(precision + ", " + products + ": " + testCase + " is off by " + error);
            }
            if (!(error <= worst)) {
              worst = error;
              worstCase = testCase;
            }
          }
        }
        System.out.printf(Locale.ROOT, "| %s | %s | %d | %.2g | %.0e | %s |%n", precision,
            products == Products.FUSED ? "vtb_gemm" : "cuBLAS", cases.size(), worst, tolerance(precision), worstCase);
      }
    }
    failures.forEach(System.out::println);
    if (!failures.isEmpty()) {
      System.exit(1);
    }
  }

  /** Of one operation on values of about 1, whose result is rounded to the precision's type. */
  static double tolerance(Precision precision) {
    return switch (precision) {
      case FP32 -> 1e-5;
      case TF32, FP16 -> 2e-3;
      case BF16 -> 1.6e-2;
      case INT8 -> throw new IllegalArgumentException("CUDA does not compute in " + precision);
    };
  }
}
