package io.vertebra.conformance;

import io.vertebra.backend.Backend;
import io.vertebra.backend.Program;
import io.vertebra.program.Recorder;
import io.vertebra.program.Recording;
import io.vertebra.program.op.Activation;
import io.vertebra.program.op.AdaptiveAveragePool;
import io.vertebra.program.op.Affine;
import io.vertebra.program.op.Bilinear;
import io.vertebra.program.op.Convolution;
import io.vertebra.program.op.DepthwiseConv;
import io.vertebra.program.op.GlobalFilter;
import io.vertebra.program.op.LayerNorm;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.MeanPool;
import io.vertebra.program.op.Norm;
import io.vertebra.program.op.PoolScores;
import io.vertebra.program.op.RecoverTokens;
import io.vertebra.program.op.RegionMask;
import io.vertebra.program.op.RowMap;
import io.vertebra.program.op.RowSource;
import io.vertebra.program.op.ScoreTokens;
import io.vertebra.program.op.ShrinkTokens;
import io.vertebra.program.op.Softmax;
import io.vertebra.program.op.Sum;
import io.vertebra.program.op.Sum.Term;
import io.vertebra.program.op.TokenChoice;
import io.vertebra.program.op.Weights;
import io.vertebra.program.op.Window;
import io.vertebra.program.op.WindowAttention;
import io.vertebra.program.op.WindowPool;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Tensor;
import io.vertebra.weights.Parameter;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** Every operation with every part of its record, for the tests of all backends. */
public final class ConformanceCases {
  private ConformanceCases() {}

  /** One operation on one input shape. */
  public record Case(String name, Shape input, Body body) {
    @Override
    public String toString() {
      return name + " " + input;
    }
  }

  /** Records the operation. */
  public interface Body {
    Tensor record(Recorder recorder, Fixture fixture);
  }

  /** Makes random weights on a backend; two fixtures of one seed make the same. */
  public record Fixture(Backend backend, Random random) {
    public float[] values(int count, double scale) {
      float[] values = new float[count];
      for (int i = 0; i < count; i++) {
        values[i] = (float) (random.nextGaussian() * scale);
      }
      return values;
    }

    public Weights vector(int... dims) {
      Shape shape = Shape.of(dims);
      return backend.packValues(shape, values((int) shape.elements(), 1));
    }

    public Weights matrix(int out, int in) {
      return backend.packMatrix(Parameter.of("matrix", Shape.of(out, in), values(out * in, 1 / Math.sqrt(in))));
    }

    public Weights convolution(int out, int in) {
      int columns = Convolution.WINDOW.taps() * in;
      return backend.packConvolution(
          Parameter.of("convolution", Shape.of(out, columns), values(out * columns, 1 / Math.sqrt(columns))));
    }

    public Norm norm(int channels) {
      return new Norm(vector(channels), vector(channels), 1e-5f);
    }

    /** {@code rows} entries drawn from the source's rows, some of them -1. */
    public RowMap gather(int rows, int groups, int sourceRows) {
      return new RowMap(IntStream.range(0, rows * groups).map(i -> random.nextInt(sourceRows + 1) - 1).toArray(),
          groups);
    }

    /** A permutation of {@code rows} with {@code dropped} entries of -1 among them. */
    public RowMap scatter(int rows, int dropped) {
      List<Integer> targets = new ArrayList<>(IntStream.range(0, rows).boxed().toList());
      targets.addAll(Collections.nCopies(dropped, -1));
      Collections.shuffle(targets, random);
      return new RowMap(targets.stream().mapToInt(Integer::intValue).toArray(), 1);
    }
  }

  /** All of them. */
  public static Stream<Case> cases() {
    List<Case> cases = new ArrayList<>();
    for (int[] size : new int[][] {{1, 1, 1}, {1, 7, 5}, {2, 13, 31}, {3, 15, 33}, {7, 96, 48}, {29, 64, 97},
      {50, 33, 200}, {64, 130, 16}}) {
      int rows = size[0];
      int in = size[1];
      int out = size[2];
      Shape shape = Shape.of(2, rows, in);
      cases.add(
          new Case("linear to " + out, shape, (r, f) -> r.record("x", Linear.of(f.matrix(out, in), null), r.input())));
      cases.add(new Case("linear bias gelu to " + out, shape,
          (r, f) -> r.record("x", Linear.of(f.matrix(out, in), f.vector(out)).activation(Activation.GELU), r.input())));
      cases.add(new Case("linear norm residual to " + in, shape, (r, f) -> r.record("x",
          Linear.of(f.matrix(in, in), f.vector(in)).norm(f.norm(in)).residual(r.input()), r.input())));
      cases.add(new Case("linear gather norm scatter gelu residual to " + in, shape,
          (r, f) -> r.record(
              "x", Linear.of(f.matrix(in, in), f.vector(in)).gather(f.gather(2 * rows + 3, 1, 2 * rows))
                  .norm(f.norm(in)).activation(Activation.GELU).residual(r.input()).scatter(f.scatter(2 * rows, 3)),
              r.input())));
      cases.add(new Case("linear gather 4 norm to " + out, shape, (r, f) -> r.record("x",
          Linear.of(f.matrix(out, 4 * in), null).gather(f.gather(rows, 4, 2 * rows)).norm(f.norm(4 * in)), r.input())));
      cases.add(
          new Case("layer norm", shape, (r, f) -> r.record("x", new LayerNorm(RowSource.norm(f.norm(in))), r.input())));
      cases.add(new Case("layer norm gather", shape, (r, f) -> r.record("x",
          new LayerNorm(new RowSource(f.gather(rows + 1, 1, 2 * rows), f.norm(in))), r.input())));
      cases.add(new Case("gather 2", shape,
          (r, f) -> r.record("x", new LayerNorm(new RowSource(f.gather(rows, 2, 2 * rows), null)), r.input())));
      cases.add(new Case("mean pool", shape, (r, f) -> r.record("x", new MeanPool(), r.input())));
      cases.add(new Case("softmax", shape, (r, f) -> r.record("x", new Softmax(), r.input())));
      cases
          .add(
              new Case("sum", shape,
                  (r, f) -> r
                      .record("x",
                          new Sum(List.of(Term.of(r.input()), Term.of(r.input(), f.gather(2 * rows, 1, 2 * rows)),
                              Term.of(f.vector(3, in), f.gather(2 * rows, 1, 3))), Activation.RELU),
                          r.input(), shape)));
    }
    addEpilogues(cases);
    addConvolutions(cases);
    addAttention(cases);
    addMaps(cases);
    addFilters(cases);
    addTokenChoices(cases);
    return cases.stream();
  }

  private static void addEpilogues(List<Case> cases) {
    for (int[] size : new int[][] {{5, 7}, {33, 64}, {20, 131}}) {
      int rows = size[0];
      int in = size[1];
      int half = in / 2;
      Shape shape = Shape.of(1, rows, in);
      for (Activation activation : Activation.values()) {
        String name = "linear " + activation;
        cases.add(new Case(name, shape,
            (r, f) -> r.record("x", Linear.of(f.matrix(half, in), f.vector(half)).activation(activation), r.input())));
        cases.add(new Case(name + " gate", shape, (r, f) -> r.record("x",
            Linear.of(f.matrix(half, in), null).activation(activation).gate(r.input(), in - half), r.input())));
        cases.add(new Case(name + " gate residual", shape,
            (r, f) -> r.record("x",
                Linear.of(f.matrix(in, in), f.vector(in)).activation(activation).gate(r.input(), 0).residual(r.input()),
                r.input())));
        cases.add(
            new Case(name + " residual rows", shape, (r, f) -> r.record("x", Linear.of(f.matrix(in, in), f.vector(in))
                .activation(activation).residual(r.input(), f.gather(rows, 1, rows)), r.input())));
        cases.add(new Case(name + " last residual", shape, (r, f) -> r.record("x",
            Linear.of(f.matrix(in, in), f.vector(in)).lastActivation(activation).residual(r.input()), r.input())));
        cases.add(new Case(name + " last gate residual rows scatter", shape,
            (r, f) -> r.record("x",
                Linear.of(f.matrix(in, in), f.vector(in)).gather(f.gather(rows + 2, 1, rows)).lastActivation(activation)
                    .gate(r.input(), 0).residual(r.input(), f.gather(rows, 1, rows)).scatter(f.scatter(rows, 2)),
                r.input(), shape)));
      }
    }
  }

  private static void addConvolutions(List<Case> cases) {
    Shape map = Shape.of(2, 9, 7, 12);
    Shape clip = Shape.of(2, 4, 6, 5, 10);
    for (int[] window : new int[][] {{3, 1, 1}, {3, 2, 1}, {5, 1, 2}, {7, 1, 3}, {7, 2, 3}, {2, 2, 0}, {4, 3, 1}}) {
      Window square = Window.square(window[0], window[1], window[2]);
      String name = window[0] + "x" + window[0] + " stride " + window[1];
      cases.add(new Case("convolution " + name, map,
          (r, f) -> r.record("x", Linear.of(f.matrix(17, square.taps() * 12), f.vector(17)).gather(square.rows(map))
              .activation(Activation.RELU), r.input())));
      addDepthwise(cases, name, map, square);
    }
    for (Shape plane : List.of(Shape.of(1, 1, 1, 1), Shape.of(2, 5, 7, 6), Shape.of(3, 8, 6, 33),
        Shape.of(1, 14, 14, 48))) {
      int in = plane.channels();
      cases.add(new Case("3x3 convolution", plane, (r, f) -> r.record("x",
          new Convolution(f.convolution(2 * in + 1, in), f.vector(2 * in + 1), Activation.RELU), r.input())));
      cases.add(new Case("3x3 convolution gelu", plane,
          (r, f) -> r.record("x", new Convolution(f.convolution(in, in), null, Activation.GELU), r.input())));
    }
    for (int side : new int[] {3, 5}) {
      Window cube = new Window(Window.Extent.cube(side), new Window.Extent(1, 1, 1), Window.Extent.cube(side / 2));
      cases.add(new Case("convolution in time " + side, clip,
          (r, f) -> r.record("x", Linear.of(f.matrix(9, cube.taps() * 10), null).gather(cube.rows(clip)), r.input())));
      addDepthwise(cases, "in time " + side, clip, cube);
    }
    Window strided = new Window(new Window.Extent(3, 4, 4), new Window.Extent(2, 4, 4), new Window.Extent(1, 0, 0));
    addDepthwise(cases, "in time, strided", clip, strided);
  }

  private static void addDepthwise(List<Case> cases, String window, Shape map, Window taps) {
    int channels = map.channels();
    String name = "depthwise convolution " + window;
    cases.add(new Case(name, map,
        (r, f) -> r.record("x",
            new DepthwiseConv(f.vector(taps.taps(), channels), f.vector(channels), taps, 0, 1, Activation.IDENTITY),
            r.input())));
    cases.add(new Case(name + " of some channels", map, (r, f) -> r.record("x",
        new DepthwiseConv(f.vector(taps.taps(), channels - 3), null, taps, 2, 1, Activation.SILU), r.input())));
    cases.add(new Case(name + " multiplier", map,
        (r, f) -> r.record("x", new DepthwiseConv(f.vector(taps.taps(), 2 * channels - 2), f.vector(2 * channels - 2),
            taps, 1, 2, Activation.RELU), r.input())));
  }

  private static void addAttention(List<Case> cases) {
    for (int[] size : new int[][] {{1, 1, 1, 1}, {4, 4, 2, 6}, {2, 9, 3, 8}, {6, 16, 1, 32}, {4, 49, 3, 32},
      {2, 50, 2, 33}, {2, 144, 2, 24}}) {
      int windows = size[0];
      int tokens = size[1];
      int heads = size[2];
      int dim = size[3];
      Shape shape = Shape.of(windows * tokens, 3 * heads * dim);
      int masked = Math.max(1, windows / 2);
      float scale = (float) (1 / Math.sqrt(dim));
      cases.add(new Case("window attention " + tokens + " tokens, " + heads + " heads", shape,
          (r, f) -> r.record("x", new WindowAttention(tokens, heads, dim, scale, null, null), r.input())));
      cases
          .add(
              new Case("window attention bias mask " + tokens + " tokens, " + heads + " heads", shape,
                  (r, f) -> r.record("x",
                      new WindowAttention(tokens, heads, dim, scale, f.vector(heads, tokens, tokens),
                          new RegionMask(f.random().ints((long) masked * tokens, 0, 3).toArray(), masked)),
                      r.input())));
    }
    for (int[] size : new int[][] {{3, 1, 5}, {2, 7, 3}, {4, 7, 7}, {2, 13, 14}, {1, 19, 29}}) {
      int tokens = size[1] * size[2];
      cases
          .add(
              new Case("window attention bias table " + size[1] + "x" + size[2],
                  Shape.of(2 * size[0] * tokens, 3 * 2 * 24),
                  (r, f) -> r.record("x",
                      new WindowAttention(tokens, 2, 24, 0.2f, f.vector(2, 2 * size[1] - 1, 2 * size[2] - 1),
                          new RegionMask(f.random().ints((long) size[0] * tokens, 0, 3).toArray(), size[0])),
                      r.input())));
    }
    for (int tokens : new int[] {196, 785}) {
      cases.add(new Case("global attention " + tokens, Shape.of(tokens, 3 * 33),
          (r, f) -> r.record("x", new WindowAttention(tokens, 1, 33, 0.2f, null, null), r.input())));
    }
  }

  private static void addMaps(List<Case> cases) {
    for (int[] size : new int[][] {{1, 1, 1, 3}, {2, 7, 7, 5}, {1, 8, 12, 32}, {3, 13, 6, 17}}) {
      Shape map = Shape.of(size[0], size[1], size[2], size[3]);
      for (WindowPool.Kind kind : WindowPool.Kind.values()) {
        cases.add(new Case("pool 3x3 " + kind, map,
            (r, f) -> r.record("x", new WindowPool(kind, Window.square(3, 2, 1)), r.input())));
        if (size[1] > 1) {
          cases.add(new Case("pool 2x2 " + kind, map,
              (r, f) -> r.record("x", new WindowPool(kind, Window.square(2, 2, 0)), r.input())));
        }
      }
      for (int[] to : new int[][] {{1, 1}, {3, 5}, {7, 7}, {14, 20}}) {
        cases.add(new Case("adaptive average pool to " + to[0], map,
            (r, f) -> r.record("x", new AdaptiveAveragePool(to[0], to[1]), r.input())));
        cases
            .add(new Case("bilinear to " + to[0], map, (r, f) -> r.record("x", new Bilinear(to[0], to[1]), r.input())));
      }
      addAffine(cases, map);
    }
    Shape clip = Shape.of(2, 4, 6, 6, 9);
    for (WindowPool.Kind kind : WindowPool.Kind.values()) {
      cases.add(new Case("pool in time " + kind, clip,
          (r, f) -> r.record("x",
              new WindowPool(kind,
                  new Window(Window.Extent.cube(3), new Window.Extent(1, 2, 2), new Window.Extent(1, 1, 1))),
              r.input())));
    }
    for (Activation activation : Activation.values()) {
      Shape shape = Shape.of(19, 21);
      cases.add(new Case("sum " + activation, shape,
          (r, f) -> r.record("x",
              new Sum(List.of(Term.of(r.input()), Term.of(r.input(), f.gather(19, 1, 19))), activation), r.input(),
              shape)));
    }
    Shape wide = Shape.of(6, 20);
    cases.add(new Case("sum of pieces of rows", wide,
        (r, f) -> r.record("x", Sum.of(Term.of(r.input(), f.gather(7, 1, 24))), r.input(), Shape.of(7, 5))));
    cases.add(new Case("pieces of rows", wide,
        (r, f) -> r.record("x", new LayerNorm(new RowSource(f.gather(4, 3, 24), null)), r.input(), Shape.of(4, 15))));
  }

  private static void addAffine(List<Case> cases, Shape map) {
    int channels = map.channels();
    for (Activation activation : Activation.values()) {
      cases.add(new Case("affine " + activation, map,
          (r, f) -> r.record("x", new Affine(null, f.vector(channels), f.vector(channels), activation), r.input())));
    }
    cases.add(new Case("affine factor", map, (r, f) -> r.record("x",
        new Affine(r.record("factor", new MeanPool(), r.input()), null, null, Activation.IDENTITY), r.input())));
    cases.add(new Case("affine factor scale shift", map,
        (r, f) -> r.record("x", new Affine(r.record("factor", new MeanPool(), r.input()), f.vector(channels),
            f.vector(channels), Activation.SILU), r.input())));
  }

  private static void addFilters(List<Case> cases) {
    for (int[] size : new int[][] {{1, 1}, {1, 7}, {5, 1}, {2, 2}, {7, 7}, {8, 6}, {13, 11}, {14, 14}, {26, 20},
      {3, 64}}) {
      for (int channels : new int[] {1, 20, 33}) {
        Shape map = Shape.of(2, size[0], size[1], channels + 3);
        cases.add(new Case("global filter", map,
            (r, f) -> r.record("x", new GlobalFilter(filter(f, size[0], size[1], channels), 2), r.input())));
      }
    }
  }

  /** The transform of a random real kernel. */
  static Weights filter(Fixture fixture, int height, int width, int channels) {
    int columns = width / 2 + 1;
    float[] kernel = fixture.values(height * width * channels, 1 / Math.sqrt(height * width));
    float[] filter = new float[height * columns * channels * 2];
    for (int i = 0; i < filter.length / 2; i++) {
      int channel = i % channels;
      int u = i / channels / columns;
      int v = i / channels % columns;
      double real = 0;
      double imaginary = 0;
      for (int position = 0; position < height * width; position++) {
        double angle
            = -2 * Math.PI * ((double) (u * (position / width)) / height + (double) (v * (position % width)) / width);
        real += Math.cos(angle) * kernel[position * channels + channel];
        imaginary += Math.sin(angle) * kernel[position * channels + channel];
      }
      filter[2 * i] = (float) real;
      filter[2 * i + 1] = (float) imaginary;
    }
    return fixture.backend().packValues(Shape.of(height, columns, channels, 2), filter);
  }

  private static void addTokenChoices(List<Case> cases) {
    for (int[] size : new int[][] {{1, 2, 2, 8, 3}, {2, 6, 4, 24, 23}, {3, 7, 5, 40, 12}, {2, 4, 4, 16, 0}}) {
      int kept = size[4];
      int channels = size[3];
      Shape map = Shape.of(size[0], size[1], size[2], channels);
      String name = " tokens, " + kept + " kept";
      cases.add(new Case("shrink" + name, map, (r, f) -> {
        Tensor scores = scores(r, f, channels);
        return r.record("x",
            new ShrinkTokens(new TokenChoice(scores, kept), r.record("class", new MeanPool(), r.input())), r.input());
      }));
      cases.add(new Case("recover" + name, map, (r, f) -> {
        TokenChoice choice = new TokenChoice(scores(r, f, channels), kept);
        Tensor before
            = r.record("before", new ShrinkTokens(choice, r.record("class", new MeanPool(), r.input())), r.input());
        Tensor after = r.record("after", Linear.of(f.matrix(channels, channels), null), before);
        return r.record("x", new RecoverTokens(choice, before, after), r.input());
      }));
      cases.add(new Case("score" + name, map, (r, f) -> {
        Tensor scores = scores(r, f, channels);
        TokenChoice choice = new TokenChoice(scores, kept);
        Tensor shrunken
            = r.record("shrunken", new ShrinkTokens(choice, r.record("class", new MeanPool(), r.input())), r.input());
        Tensor qkv = r.record("qkv", Linear.of(f.matrix(3 * channels, channels), null), shrunken);
        return r.record("x", new ScoreTokens(choice, scores.shape(), 2, channels / 2, 0.3f, 0.5f), qkv);
      }));
      cases.add(
          new Case("pool scores of" + name, map, (r, f) -> r.record("x", new PoolScores(), scores(r, f, channels))));
    }
    Shape all = Shape.of(2, 3, 4, 6);
    cases.add(new Case("all tokens kept", all, (r, f) -> r.record("x",
        new ShrinkTokens(new TokenChoice(null, 12), r.record("class", new MeanPool(), r.input())), r.input())));
  }

  private static Tensor scores(Recorder recorder, Fixture fixture, int channels) {
    return recorder.record("scores", Linear.of(fixture.matrix(1, channels), null).activation(Activation.SIGMOID),
        recorder.input());
  }

  /** What a backend gives for a case; the backend is closed. */
  public static double[] run(Backend backend, Case testCase) {
    try (backend) {
      return runOnOpen(backend, testCase);
    }
  }

  /** What a backend gives for a case. */
  public static double[] runOnOpen(Backend backend, Case testCase) {
    Random random = new Random(testCase.name().hashCode());
    Fixture fixture = new Fixture(backend, random);
    float[] input = fixture.values((int) testCase.input().elements(), 1);
    Recording recording
        = Recording.of(testCase.input(), Set.of("x"), r -> r.output("x", testCase.body().record(r, fixture)));
    try (Program program = backend.compile(recording)) {
      for (int i = 0; i < 2; i++) {
        program.input().put(0, input);
        program.run();
      }
      float[] output = program.read("x");
      return IntStream.range(0, output.length).mapToDouble(i -> output[i]).toArray();
    }
  }
}
