package io.vertebra.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertebra.IsaTest;
import io.vertebra.cpu.CpuBackend;
import io.vertebra.golden.Compare;
import io.vertebra.program.Activation;
import io.vertebra.program.Backend;
import io.vertebra.program.Epilogue;
import io.vertebra.program.Norm;
import io.vertebra.program.Op;
import io.vertebra.program.Program;
import io.vertebra.program.Recorder;
import io.vertebra.program.Recording;
import io.vertebra.program.RegionMask;
import io.vertebra.program.RowMap;
import io.vertebra.program.RowSource;
import io.vertebra.program.Shape;
import io.vertebra.program.Tensor;
import io.vertebra.program.Weights;
import io.vertebra.reference.ReferenceBackend;
import io.vertebra.weights.Parameter;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every operation with every part of its record, on the cpu backend against the reference in double precision. */
@IsaTest
class ConformanceTest {
  /** One operation on one input shape. */
  record Case(String name, Shape input, Body body) {
    @Override
    public String toString() {
      return name + " " + input;
    }
  }

  interface Body {
    Tensor record(Recorder recorder, Fixture fixture);
  }

  /** Makes random weights on a backend; two fixtures of one seed make the same. */
  record Fixture(Backend backend, Random random) {
    float[] values(int count, double scale) {
      float[] values = new float[count];
      for (int i = 0; i < count; i++) {
        values[i] = (float) (random.nextGaussian() * scale);
      }
      return values;
    }

    Weights vector(int... dims) {
      Shape shape = Shape.of(dims);
      return backend.packValues(shape, values((int) shape.elements(), 1));
    }

    Weights matrix(int out, int in) {
      return backend.packMatrix(Parameter.of("matrix", Shape.of(out, in), values(out * in, 1 / Math.sqrt(in))));
    }

    Norm norm(int channels) {
      return new Norm(vector(channels), vector(channels), 1e-5f);
    }

    /** {@code rows} entries drawn from the source's rows, some of them -1. */
    RowMap gather(int rows, int groups, int sourceRows) {
      return new RowMap(IntStream.range(0, rows * groups).map(i -> random.nextInt(sourceRows + 1) - 1).toArray(), groups);
    }

    /** A permutation of {@code rows} with {@code dropped} entries of -1 among them. */
    RowMap scatter(int rows, int dropped) {
      List<Integer> targets = new ArrayList<>(IntStream.range(0, rows).boxed().toList());
      targets.addAll(Collections.nCopies(dropped, -1));
      Collections.shuffle(targets, random);
      return new RowMap(targets.stream().mapToInt(Integer::intValue).toArray(), 1);
    }
  }

  static Stream<Case> cases() {
    List<Case> cases = new ArrayList<>();
    for (int[] size : new int[][] {{1, 1, 1}, {1, 7, 5}, {2, 13, 31}, {3, 15, 33}, {7, 96, 48}, {29, 64, 97}, {50, 33, 200}, {64, 130, 16}}) {
      int rows = size[0];
      int in = size[1];
      int out = size[2];
      Shape shape = Shape.of(2, rows, in);
      cases.add(new Case("linear to " + out, shape, (r, f) -> r.linear("x", r.input(), RowSource.PLAIN, f.matrix(out, in), Epilogue.bias(null))));
      cases.add(new Case("linear bias gelu to " + out, shape, (r, f) -> r.linear("x", r.input(), RowSource.PLAIN, f.matrix(out, in),
          Epilogue.bias(f.vector(out)).activation(Activation.GELU))));
      cases.add(new Case("linear norm residual to " + in, shape, (r, f) -> r.linear("x", r.input(), RowSource.norm(f.norm(in)), f.matrix(in, in),
          Epilogue.bias(f.vector(in)).residual(r.input()))));
      cases.add(new Case("linear gather norm scatter gelu residual to " + in, shape, (r, f) -> r.linear("x", r.input(),
          new RowSource(f.gather(2 * rows + 3, 1, 2 * rows), f.norm(in)), f.matrix(in, in),
          Epilogue.bias(f.vector(in)).activation(Activation.GELU).residual(r.input()).scatter(f.scatter(2 * rows, 3)))));
      cases.add(new Case("linear gather 4 norm to " + out, shape, (r, f) -> r.linear("x", r.input(),
          new RowSource(f.gather(rows, 4, 2 * rows), f.norm(4 * in)), f.matrix(out, 4 * in), Epilogue.bias(null))));
      cases.add(new Case("layer norm", shape, (r, f) -> r.layerNorm("x", r.input(), RowSource.norm(f.norm(in)))));
      cases.add(new Case("layer norm gather", shape, (r, f) -> r.layerNorm("x", r.input(), new RowSource(f.gather(rows + 1, 1, 2 * rows), f.norm(in)))));
      cases.add(new Case("gather 2", shape, (r, f) -> r.layerNorm("x", r.input(), new RowSource(f.gather(rows, 2, 2 * rows), null))));
      cases.add(new Case("mean pool", shape, (r, f) -> r.meanPool("x", r.input())));
      cases.add(new Case("softmax", shape, (r, f) -> r.softmax("x", r.input())));
      cases.add(new Case("add", shape, (r, f) -> r.add("x", r.input(), f.vector(rows, in))));
    }
    for (int[] size : new int[][] {{1, 1, 1, 1}, {4, 4, 2, 6}, {2, 9, 3, 8}, {6, 16, 1, 32}, {4, 49, 3, 32}, {2, 50, 2, 33}, {2, 144, 2, 24}}) {
      int windows = size[0];
      int tokens = size[1];
      int heads = size[2];
      int dim = size[3];
      Shape shape = Shape.of(windows * tokens, 3 * heads * dim);
      int masked = Math.max(1, windows / 2);
      float scale = (float) (1 / Math.sqrt(dim));
      cases.add(new Case("window attention " + tokens + " tokens, " + heads + " heads", shape,
          (r, f) -> r.windowAttention("x", r.input(), new Op.WindowAttention(tokens, heads, dim, scale, null, null))));
      cases.add(new Case("window attention bias mask " + tokens + " tokens, " + heads + " heads", shape, (r, f) -> r.windowAttention("x", r.input(),
          new Op.WindowAttention(tokens, heads, dim, scale, f.vector(heads, tokens, tokens),
              new RegionMask(f.random().ints((long) masked * tokens, 0, 3).toArray(), masked)))));
    }
    return cases.stream();
  }

  @ParameterizedTest
  @MethodSource("cases")
  void cpuAgreesWithReference(Case testCase) {
    double[] expected = run(new ReferenceBackend(), testCase);
    for (int threads = 1; threads <= 3; threads++) {
      double[] actual = run(new CpuBackend(threads), testCase);
      // Rounding of sums of up to a few hundred fp32 terms, and the 5e-7 of GELU and exp.
      assertThat(Compare.relativeError(actual, expected)).isLessThan(2e-6);
    }
  }

  private static double[] run(Backend backend, Case testCase) {
    try (backend) {
      Random random = new Random(testCase.name().hashCode());
      Fixture fixture = new Fixture(backend, random);
      float[] input = fixture.values((int) testCase.input().elements(), 1);
      Recording recording = Recording.of(testCase.input(), Set.of("x"), r -> r.output("x", testCase.body().record(r, fixture)));
      try (Program program = backend.compile(recording)) {
        program.input().put(input);
        program.run();
        program.run();
        float[] output = program.read("x");
        return IntStream.range(0, output.length).mapToDouble(i -> output[i]).toArray();
      }
    }
  }
}
