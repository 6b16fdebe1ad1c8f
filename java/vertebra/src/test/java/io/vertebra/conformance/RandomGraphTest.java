package io.vertebra.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertebra.conformance.ConformanceCases.Case;
import io.vertebra.conformance.ConformanceCases.Fixture;
import io.vertebra.cpu.CpuBackend;
import io.vertebra.program.Recording;
import io.vertebra.program.op.Op;
import io.vertebra.reference.ReferenceBackend;
import io.vertebra.tensor.Precision;
import java.util.HashSet;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

/**
 * Operations one after another, in one memory, give what they give in the reference, which has memory for each.
 * {@code -Dvertebra.graphs=100000} tries that many, rather than a few hundred.
 */
class RandomGraphTest {
  private static final int GRAPHS = Integer.getInteger("vertebra.graphs", 200);
  private static final double SMALL = 1e-2;

  private static void check(Precision precision, boolean tokens, int most, double tolerance) {
    for (int seed = 0; seed < GRAPHS; seed++) {
      Case graph = RandomGraph.of(seed, tokens, most);
      double[] expected = ConformanceCases.run(new ReferenceBackend(), graph);
      double[] actual = ConformanceCases.run(new CpuBackend(1 + seed % 3, precision), graph);
      assertThat(actual).hasSameSizeAs(expected);
      assertThat(error(actual, expected)).as("%s in %s", graph, precision).isLessThan(tolerance);
    }
  }

  /** Relative, of values that are not all small: activations round to 5e-7 absolutely. */
  private static double error(double[] actual, double[] expected) {
    double difference = 0;
    double norm = 0;
    for (int i = 0; i < expected.length; i++) {
      difference += (actual[i] - expected[i]) * (actual[i] - expected[i]);
      norm += expected[i] * expected[i] + SMALL * SMALL;
    }
    return Math.sqrt(difference / norm);
  }

  @Test
  void everyOperationIsInOne() {
    Set<Class<?>> operations = new HashSet<>();
    for (int seed = 0; seed < GRAPHS; seed++) {
      Case graph = RandomGraph.of(seed, true, 10);
      Recording
          .of(graph.input(), Set.of("x"),
              r -> r.output("x",
                  graph.body().record(r, new Fixture(new ReferenceBackend(), new Random(graph.name().hashCode())))))
          .calls().forEach(call -> operations.add(call.op().getClass()));
    }
    assertThat(operations).containsExactlyInAnyOrder(Op.class.getPermittedSubclasses());
  }

  // Of 6000 graphs of 10 operations the worst is off by 1.5e-5: fp32 rounds to 6e-8, and norms of rows that are nearly
  // constant magnify that by up to 300. A wrong address or order is off by about 1.
  @Test
  void graphsGiveTheReferencesResults() {
    check(Precision.FP32, true, 10, 1e-4);
  }

  // Products round their operands to a relative 2^-9; the worst of 6000 graphs with up to five of them is 1.7e-2.
  @Test
  void graphsGiveTheReferencesResultsInBf16() {
    check(Precision.BF16, false, 5, 5e-2);
  }

  // Products round their operands to 1/127 of the largest of their row; the worst is 3.8e-2.
  @Test
  void graphsGiveTheReferencesResultsInInt8() {
    check(Precision.INT8, false, 5, 1e-1);
  }
}
