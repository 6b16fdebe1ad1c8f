package io.vertebra.conformance;

import io.vertebra.conformance.ConformanceCases.Case;
import io.vertebra.conformance.ConformanceCases.Fixture;
import io.vertebra.program.Recorder;
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
import io.vertebra.program.op.Op;
import io.vertebra.program.op.PoolScores;
import io.vertebra.program.op.RecoverTokens;
import io.vertebra.program.op.RegionMask;
import io.vertebra.program.op.RowMap;
import io.vertebra.program.op.ScoreTokens;
import io.vertebra.program.op.ShrinkTokens;
import io.vertebra.program.op.Softmax;
import io.vertebra.program.op.Sum;
import io.vertebra.program.op.TokenChoice;
import io.vertebra.program.op.Weights;
import io.vertebra.program.op.Window;
import io.vertebra.program.op.WindowAttention;
import io.vertebra.program.op.WindowPool;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;

/**
 * A forward pass drawn at random: valid operations one after another, each on a tensor drawn from those before it, with
 * residuals, gates and terms from further back, so that memory is taken over and used again in ways that no model's
 * author thought of.
 */
final class RandomGraph {
  /** Elements of a tensor; more teaches nothing and takes time. */
  private static final int MAX_ELEMENTS = 1 << 14;

  private final Recorder r;
  private final Fixture fixture;
  private final Random random;
  private final List<Tensor> tensors = new ArrayList<>();

  private RandomGraph(Recorder recorder, Fixture fixture) {
    this.r = recorder;
    this.fixture = fixture;
    this.random = fixture.random();
    tensors.add(recorder.input());
  }

  /**
   * @param tokens whether operations on chosen tokens may be among them: what rounds scores otherwise chooses others
   * @param most operations
   */
  static Case of(int seed, boolean tokens, int most) {
    Random random = new Random(seed);
    int[] plane = {1 + random.nextInt(3), 2 + random.nextInt(7), 2 + random.nextInt(7), 1 + random.nextInt(40)};
    Shape input = random.nextInt(4) > 0 ? Shape.of(plane)
        : Shape.of(plane[0], 1 + random.nextInt(4), plane[1], plane[2], plane[3]);
    return new Case("graph " + seed, input, (r, f) -> new RandomGraph(r, f).record(tokens, most));
  }

  private Tensor record(boolean tokens, int most) {
    List<UnaryOperator<Tensor>> steps = new ArrayList<>(List.of(this::linear, this::linear, this::layerNorm,
        this::attention, this::depthwise, this::convolution, this::filter, this::pool, this::adaptivePool,
        this::bilinear, this::affine, this::scaled, this::sum, this::softmax));
    if (tokens) {
      steps.addAll(List.of(this::recovered, this::scored, this::coarser));
    }
    for (int wanted = 2 + random.nextInt(most - 1); tensors.size() <= wanted;) {
      Tensor x = random.nextInt(3) == 0 ? drawn(tensors) : tensors.get(tensors.size() - 1);
      Tensor made = drawn(steps).apply(x);
      if (made != null) {
        tensors.add(made);
      }
    }
    return tensors.get(tensors.size() - 1);
  }

  private <T> T drawn(List<T> values) {
    return values.get(random.nextInt(values.size()));
  }

  private boolean flip() {
    return random.nextBoolean();
  }

  private Tensor call(Op op, Tensor x) {
    return r.record("x" + r.calls().size(), op, x);
  }

  private Tensor call(Op op, Tensor x, Shape out) {
    return r.record("x" + r.calls().size(), op, x, out);
  }

  /** A tensor so far that fits; or null. */
  private Tensor another(Predicate<Shape> fits) {
    List<Tensor> fitting = tensors.stream().filter(tensor -> fits.test(tensor.shape())).toList();
    return fitting.isEmpty() ? null : drawn(fitting);
  }

  private Activation activation() {
    return drawn(List.of(Activation.values()));
  }

  private Weights optional(int width) {
    return flip() ? fixture.vector(width) : null;
  }

  private static boolean isMap(Tensor x) {
    return x.shape().rank() == 4;
  }

  private Tensor linear(Tensor x) {
    Shape in = x.shape();
    int rows = in.rows();
    Shape out = in.withChannels(flip() ? in.channels() : 1 + random.nextInt(70));
    int width = out.channels();
    int groups = random.nextInt(4) == 0 ? 2 : 1;
    Linear op = Linear.of(fixture.matrix(width, groups * in.channels()), optional(width));
    if (groups > 1 || random.nextInt(3) == 0) {
      op = op.gather(fixture.gather(rows, groups, rows));
    }
    op = flip() ? op.norm(fixture.norm(groups * in.channels())) : op;
    op = flip() ? op.activation(activation()) : op.lastActivation(activation());
    Tensor residual = another(out::equals);
    Tensor other = another(shape -> shape.channels() == width);
    if (residual != null && flip()) {
      op = op.residual(residual);
    } else if (other != null && flip()) {
      op = op.residual(other, fixture.gather(rows, 1, other.shape().rows()));
    }
    Tensor gate = another(shape -> shape.rows() == rows && shape.channels() >= width);
    if (gate != null && flip()) {
      op = op.gate(gate, random.nextInt(gate.shape().channels() - width + 1));
    }
    op = random.nextInt(3) == 0 ? op.scatter(fixture.scatter(rows, 0)) : op;
    return call(op, x, out);
  }

  private Tensor layerNorm(Tensor x) {
    int rows = x.shape().rows();
    LayerNorm norm = LayerNorm.of(fixture.norm(x.shape().channels()));
    return flip() ? call(norm, x) : call(LayerNorm.gather(fixture.gather(rows, 1, rows)), x, x.shape());
  }

  private Tensor attention(Tensor x) {
    Shape shape = x.shape();
    int rows = shape.rows();
    int tokens = drawn(IntStream.rangeClosed(1, Math.min(rows, 64)).filter(n -> rows % n == 0).boxed().toList());
    int heads = 1 + random.nextInt(3);
    int dim = 1 + random.nextInt(20);
    Weights pairs = fixture.vector(heads, tokens, tokens);
    // Of windows of one row, a table.
    Weights bias = drawn(List.of(pairs, fixture.vector(heads, 1, 2 * tokens - 1)));
    RegionMask mask = new RegionMask(random.ints(tokens, 0, 3).toArray(), 1);
    Tensor qkv = call(Linear.of(fixture.matrix(3 * heads * dim, shape.channels()), null), x);
    return call(new WindowAttention(tokens, heads, dim, (float) (1 / Math.sqrt(dim)), flip() ? bias : null,
        flip() ? mask : null), qkv);
  }

  /** A window that slides over the map in a few steps, or null. */
  private Window window(Shape map, boolean pool) {
    int side = 1 + random.nextInt(5);
    int padding = random.nextInt(pool ? side : side + 1);
    Window square = Window.square(side, 1 + random.nextInt(3), padding);
    if (map.rank() == 4 || map.rank() == 5 && flip()) {
      return Math.min(map.dim(-2), map.dim(-3)) + 2 * padding >= side ? square : null;
    }
    return map.rank() == 5
        ? new Window(Window.Extent.cube(3), new Window.Extent(1 + random.nextInt(2), 1, 2), Window.Extent.cube(1))
        : null;
  }

  private Tensor depthwise(Tensor x) {
    Window window = window(x.shape(), false);
    if (window == null) {
      return null;
    }
    int channels = 1 + random.nextInt(x.shape().channels());
    int multiplier = 1 + random.nextInt(2);
    int out = channels * multiplier;
    return call(new DepthwiseConv(fixture.vector(window.taps(), out), optional(out), window,
        random.nextInt(x.shape().channels() - channels + 1), multiplier, activation()), x);
  }

  private Tensor convolution(Tensor x) {
    int out = 1 + random.nextInt(40);
    return !isMap(x) ? null
        : call(new Convolution(fixture.convolution(out, x.shape().channels()), optional(out), activation()), x);
  }

  private Tensor filter(Tensor x) {
    if (!isMap(x)) {
      return null;
    }
    int channels = 1 + random.nextInt(x.shape().channels());
    return call(new GlobalFilter(ConformanceCases.filter(fixture, x.shape().dim(1), x.shape().dim(2), channels),
        random.nextInt(x.shape().channels() - channels + 1)), x);
  }

  private Tensor pool(Tensor x) {
    Window window = window(x.shape(), true);
    return window == null ? null : call(new WindowPool(drawn(List.of(WindowPool.Kind.values())), window), x);
  }

  private Tensor adaptivePool(Tensor x) {
    return !isMap(x) ? null : call(new AdaptiveAveragePool(1 + random.nextInt(9), 1 + random.nextInt(9)), x);
  }

  private Tensor bilinear(Tensor x) {
    boolean fits = isMap(x) && x.shape().dim(0) * 81 * x.shape().channels() <= MAX_ELEMENTS;
    return !fits ? null : call(new Bilinear(1 + random.nextInt(9), 1 + random.nextInt(9)), x);
  }

  private Tensor affine(Tensor x) {
    int channels = x.shape().channels();
    Tensor factor = another(Shape.of(x.shape().dim(0), channels)::equals);
    return call(new Affine(flip() ? factor : null, optional(channels), optional(channels), activation()), x);
  }

  private Tensor scaled(Tensor x) {
    return call(Affine.of(activation()).factor(call(new MeanPool(), x)), x);
  }

  private Tensor sum(Tensor x) {
    Shape shape = x.shape();
    List<Sum.Term> terms = new ArrayList<>(List.of(Sum.Term.of(x)));
    for (int term = random.nextInt(Sum.MAX_TERMS); term > 0; term--) {
      Tensor other = another(each -> each.channels() == shape.channels());
      terms.add(flip() ? Sum.Term.of(fixture.vector(5, shape.channels()), fixture.gather(shape.rows(), 1, 5))
          : Sum.Term.of(other, fixture.gather(shape.rows(), 1, other.shape().rows())));
    }
    return call(new Sum(terms, activation()), x, shape);
  }

  private Tensor softmax(Tensor x) {
    return call(new Softmax(), x);
  }

  /** Scores between 0 and 1, with a part of its own for every token: where two were the same, rounding would choose. */
  private Tensor scores(Tensor x) {
    int channels = x.shape().channels();
    int rows = x.shape().rows();
    Tensor own = call(Linear.of(fixture.matrix(1, channels), null).norm(fixture.norm(channels)), x);
    Sum.Term places = Sum.Term.of(fixture.vector(rows, 1), RowMap.of(rows, 1, i -> i));
    return call(new Sum(List.of(Sum.Term.of(own), places), Activation.SIGMOID), own);
  }

  private TokenChoice choice(Tensor x) {
    return new TokenChoice(scores(x), random.nextInt(x.shape().positions() + 1));
  }

  private Tensor recovered(Tensor x) {
    int channels = x.shape().channels();
    TokenChoice choice = choice(x);
    Tensor before = call(new ShrinkTokens(choice, call(new MeanPool(), x)), x);
    Tensor after = call(Linear.of(fixture.matrix(channels, channels), null).residual(before), before);
    return call(new RecoverTokens(choice, before, after), x);
  }

  private Tensor scored(Tensor x) {
    TokenChoice choice = choice(x);
    Tensor shrunken = call(new ShrinkTokens(choice, call(new MeanPool(), x)), x);
    int heads = 1 + random.nextInt(3);
    int dim = 1 + random.nextInt(20);
    Tensor qkv = call(Linear.of(fixture.matrix(3 * heads * dim, x.shape().channels()), null), shrunken);
    return call(new ScoreTokens(choice, choice.scores().shape(), heads, dim, 0.3f, 0.5f), qkv);
  }

  private Tensor coarser(Tensor x) {
    boolean fits = x.shape().rank() >= 4 && Math.min(x.shape().dim(-2), x.shape().dim(-3)) > 1;
    return !fits ? null : call(new PoolScores(), scores(x));
  }
}
