package io.vertebra.cuda;

import io.vertebra.conformance.ConformanceCases;
import io.vertebra.conformance.ConformanceCases.Case;
import io.vertebra.conformance.ConformanceCases.Fixture;
import io.vertebra.cuda.CudaOptions.Products;
import io.vertebra.program.Recorder;
import io.vertebra.program.op.GlobalFilter;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.MeanPool;
import io.vertebra.program.op.RowSource;
import io.vertebra.program.op.Weights;
import io.vertebra.program.op.WindowAttention;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Tensor;
import java.util.List;
import java.util.stream.Stream;

/** The cases of all backends, and those that this one does in ways of its own. */
final class CudaCases {
  private CudaCases() {}

  static Stream<Case> all() {
    Shape positions = Shape.of(2, 40, 40, 12);
    Shape large = Shape.of(1, 72, 71, 5);
    Shape wide = Shape.of(2 * 70, 3 * 2 * 96);
    Shape rows = Shape.of(150, 40);
    return Stream.concat(ConformanceCases.cases(),
        Stream.of(new Case("mean pool in two launches", positions, (r, f) -> r.record("x", new MeanPool(), r.input())),
            new Case("global filter in three launches", large,
                (r, f) -> r.record("x", new GlobalFilter(filter(f, 72, 71, 4), 1), r.input())),
            new Case("window attention with wide heads", wide,
                (r, f) -> r.record("x", new WindowAttention(70, 2, 96, 0.1f, null, null), r.input())),
            new Case("linear several tiles", rows,
                (r, f) -> r.record("x", Linear.of(f.matrix(136, 40), f.vector(136)), r.input())),
            new Case("linears on the same rows", Shape.of(20, 24), CudaCases::sameRows)));
  }

  /** The ways to compute a case's products that it is to be tried with. */
  static List<Products> products(Case testCase) {
    boolean multiplies = testCase.name().contains("linear") || testCase.name().contains("convolution");
    return multiplies ? List.of(Products.FUSED, Products.CUBLAS) : List.of(Products.RULE);
  }

  private static Tensor sameRows(Recorder r, Fixture f) {
    RowSource normed = RowSource.norm(f.norm(24));
    Tensor a = r.record("a", Linear.of(f.matrix(24, 24), null).reading(normed), r.input());
    Tensor b = r.record("b", Linear.of(f.matrix(24, 24), null).reading(normed), a);
    return r.record("x", Linear.of(f.matrix(24, 24), null).reading(normed).gate(b, 0), r.input());
  }

  /** A filter of real, symmetric numbers. */
  private static Weights filter(Fixture fixture, int height, int width, int channels) {
    int columns = width / 2 + 1;
    float[] values = fixture.values(height * columns * channels, 1);
    float[] filter = new float[2 * values.length];
    int row = columns * channels;
    for (int i = 0; i < values.length; i++) {
      filter[2 * i] = values[(i / row == 0 ? 0 : Math.min(i / row, height - i / row)) * row + i % row];
    }
    return fixture.backend().packValues(Shape.of(height, columns, channels, 2), filter);
  }
}
