package io.vertebra.demo;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertebra.Model;
import io.vertebra.Session;
import io.vertebra.cpu.CpuBackend;
import io.vertebra.tensor.Precision;
import io.vertebra.tensor.Shape;
import java.util.Set;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Models of all families tell beforehand what they and their sessions take. */
class DigitsMemoryTest {
  @ParameterizedTest
  @MethodSource("io.vertebra.demo.DigitsDeterminismTest#models")
  void isKnownBeforehand(String name, Precision precision) {
    // A model for each, so that what is left of one size's biases is not freed while another is measured.
    for (Shape shape : new Shape[] {Shape.of(1, 3, 32, 32), Shape.of(7, 3, 32, 32), Shape.of(2, 3, 64, 64)}) {
      long none = CpuBackend.allocatedBytes();
      try (Model model = Digits.named(name).precision(precision).threads(2).build()) {
        long weights = CpuBackend.allocatedBytes();
        assertThat(model.weightBytes()).isEqualTo(weights - none);
        long expected = model.sessionBytes(shape);
        try (Session session = model.newSession()) {
          session.run(new float[(int) shape.elements()], shape, Set.of("probabilities"));
          // What a session has for pixels is not counted.
          assertThat((double) CpuBackend.allocatedBytes() - weights).as("%s", shape).isCloseTo(expected + 3500,
              Percentage.withPercentage(2));
        }
      }
    }
  }
}
