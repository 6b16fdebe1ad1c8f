package io.vertebra.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertebra.conformance.ConformanceCases;
import io.vertebra.conformance.ConformanceCases.Case;
import io.vertebra.cuda.CudaOptions.Products;
import io.vertebra.cuda.runtime.EmulatedRuntime;
import io.vertebra.reference.ReferenceBackend;
import io.vertebra.tensor.Compare;
import io.vertebra.tensor.Precision;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every operation on the emulated device against the reference in double precision; no launch may write anything but
 * its result.
 */
class CudaConformanceTest {

  @ParameterizedTest
  @MethodSource("io.vertebra.cuda.CudaCases#all")
  void agreesWithReference(Case testCase) {
    double[] expected = ConformanceCases.run(new ReferenceBackend(), testCase);
    for (Products products : CudaCases.products(testCase)) {
      // Rounding of sums of up to a few thousand fp32 terms; operands and results rounded to a relative 2^-12 or 2^-9,
      // a few times in a row.
      assertThat(error(Precision.FP32, products, testCase, expected)).isLessThan(2e-6);
      assertThat(error(Precision.FP16, products, testCase, expected)).isLessThan(2e-3);
      assertThat(error(Precision.BF16, products, testCase, expected)).isLessThan(1e-2);
    }
  }

  private static double error(Precision precision, Products products, Case testCase, double[] expected) {
    CudaBackend backend = new CudaBackend(new EmulatedRuntime(), precision, new CudaOptions(products, true));
    return Compare.relativeError(ConformanceCases.run(backend, testCase), expected);
  }
}
