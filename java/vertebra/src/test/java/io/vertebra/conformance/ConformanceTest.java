package io.vertebra.conformance;

import static io.vertebra.conformance.ConformanceCases.run;
import static org.assertj.core.api.Assertions.assertThat;

import io.vertebra.IsaTest;
import io.vertebra.conformance.ConformanceCases.Case;
import io.vertebra.cpu.CpuBackend;
import io.vertebra.reference.ReferenceBackend;
import io.vertebra.tensor.Compare;
import io.vertebra.tensor.Precision;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every operation on the cpu backend against the reference in double precision. */
@IsaTest
class ConformanceTest {
  @ParameterizedTest
  @MethodSource("io.vertebra.conformance.ConformanceCases#cases")
  void cpuAgreesWithReference(Case testCase) {
    double[] expected = run(new ReferenceBackend(), testCase);
    for (int threads = 1; threads <= 3; threads++) {
      double[] actual = run(new CpuBackend(threads), testCase);
      // Rounding of sums of up to a few hundred fp32 terms, and the 5e-7 of GELU and exp.
      assertThat(Compare.relativeError(actual, expected)).isLessThan(2e-6);
    }
  }

  @IsaTest
  @ParameterizedTest
  @MethodSource("io.vertebra.conformance.ConformanceCases#cases")
  void cpuInBf16AgreesWithReference(Case testCase) {
    double[] expected = run(new ReferenceBackend(), testCase);
    double[] actual = run(new CpuBackend(2, Precision.BF16), testCase);
    // Operands of products rounded to a relative 2^-9, at most three products in a row.
    assertThat(Compare.relativeError(actual, expected)).isLessThan(1e-2);
  }

  @IsaTest
  @ParameterizedTest
  @MethodSource("io.vertebra.conformance.ConformanceCases#cases")
  void cpuInInt8AgreesWithReference(Case testCase) {
    double[] expected = run(new ReferenceBackend(), testCase);
    double[] actual = run(new CpuBackend(2, Precision.INT8), testCase);
    // Operands of products rounded to 1/127 of the largest of their row, about 4e-3 each, at most three products in a
    // row.
    assertThat(Compare.relativeError(actual, expected)).isLessThan(2e-2);
  }
}
