package io.vertebra.golden;

import io.vertebra.backbone.Matrix;
import io.vertebra.backend.Backend;
import io.vertebra.program.Recorder;
import io.vertebra.program.op.Affine;
import io.vertebra.program.op.Call;
import io.vertebra.program.op.LayerNorm;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.Op;
import io.vertebra.program.op.RowMap;
import io.vertebra.program.op.Sum;
import io.vertebra.program.op.Sum.Term;
import io.vertebra.program.op.Weights;
import io.vertebra.program.op.WindowAttention;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Tensor;
import io.vertebra.weights.Parameter;
import io.vertebra.weights.ParameterSource;
import io.vertebra.weights.Parameters;
import java.util.List;
import java.util.function.Predicate;

/**
 * The calls of a recorded forward pass by name, and the tensors of the published implementation that lie between the
 * parts that are fused in them: what is asked for is computed again without those parts, by calls added to the same
 * recording.
 */
final class Unfused {
  private static final String NAME = "golden";

  private final Recorder r;
  private final Backend backend;
  private final List<Call> calls;
  /** The model's, by the reference's names. */
  final Parameters parameters;

  /** @param r what has recorded the forward pass */
  Unfused(Recorder r, ParameterSource weights, Backend backend) {
    this.r = r;
    this.backend = backend;
    this.calls = List.copyOf(r.calls());
    this.parameters = new Parameters(weights);
  }

  /** What a call of that name gives, or else the last call whose name begins with it and a dot. */
  Tensor named(String name) {
    return has(name) ? out(name) : last(name).out();
  }

  boolean has(String name) {
    return calls.stream().anyMatch(call -> call.name().equals(name));
  }

  /** @throws IllegalArgumentException if there is none */
  Call call(String name) {
    return lastOf(name, call -> call.name().equals(name));
  }

  /** The last call of a part of the model, such as a block. */
  Call last(String part) {
    return lastOf(part, call -> call.name().startsWith(part + "."));
  }

  private Call lastOf(String name, Predicate<Call> matches) {
    return calls.stream().filter(matches).reduce((first, second) -> second)
        .orElseThrow(() -> new IllegalArgumentException("the model computes nothing called " + name));
  }

  /** What the first call of a part of the model reads. */
  Tensor input(String part) {
    return calls.stream().filter(call -> call.name().startsWith(part + ".")).findFirst()
        .orElseThrow(() -> new IllegalArgumentException("the model has no part " + part)).in();
  }

  Tensor out(String name) {
    return call(name).out();
  }

  Tensor in(String name) {
    return call(name).in();
  }

  Linear linear(String name) {
    return op(name, Linear.class);
  }

  <T extends Op> T op(String name, Class<T> kind) {
    return kind.cast(call(name).op());
  }

  Tensor record(Op op, Tensor in) {
    return r.record(NAME, op, in);
  }

  Tensor record(Op op, Tensor in, Shape out) {
    return r.record(NAME, op, in, out);
  }

  /** A product with its bias, and nothing behind that. */
  Tensor product(String name) {
    Linear op = linear(name);
    Linear bare = Linear.of(op.weights(), op.epilogue().bias()).reading(op.rows());
    return op.epilogue().map() == null ? record(bare, in(name), out(name).shape()) : record(bare, in(name));
  }

  /** The rows a product reads, gathered and normalised. */
  Tensor rows(String name) {
    return record(new LayerNorm(linear(name).rows()), in(name));
  }

  /** The rows of {@code x} that {@code map} says. */
  Tensor gather(Tensor x, RowMap map) {
    return record(LayerNorm.gather(map), x);
  }

  Tensor affine(Matrix.Affine affine, Tensor x) {
    return record(Affine.of(values(affine.scale()), values(affine.shift())), x);
  }

  /** What {@code x} was before {@code affine}, which is folded into the product that made it. */
  Tensor before(Matrix.Affine affine, Tensor x) {
    float[] scale = new float[affine.scale().length];
    float[] shift = new float[scale.length];
    for (int c = 0; c < scale.length; c++) {
      scale[c] = 1 / affine.scale()[c];
      shift[c] = -affine.shift()[c] / affine.scale()[c];
    }
    return affine(new Matrix.Affine(scale, shift), x);
  }

  /** The same for a scale. */
  Tensor before(float[] scale, Tensor x) {
    return before(new Matrix.Affine(scale, new float[scale.length]), x);
  }

  /**
   * Other channels: channel o is channel {@code channels[o]} of {@code x}, or zero where that is -1.
   *
   * @param sum added; or null
   */
  Tensor channels(Tensor x, int[] channels, Tensor sum) {
    Linear selection = Matrix.selection(NAME, channels, x.shape().channels()).pack(backend);
    return record(sum == null ? selection : selection.residual(sum), x);
  }

  /** A product with a matrix that is no parameter. */
  Linear matrix(Shape shape, float[] values) {
    return Linear.of(backend.packMatrix(Parameter.of(NAME, shape, values)), null);
  }

  /** The bias that attention adds to every head and pair of tokens, {@code [heads, tokens, tokens]}. */
  Tensor attentionBias(String name) {
    WindowAttention op = op(name, WindowAttention.class);
    int tokens = op.tokens();
    int pairs = tokens * tokens;
    int table = (int) op.bias().shape().elements() / op.heads();
    return constant(op.bias(),
        RowMap.of((long) op.heads() * pairs, 1, i -> i / pairs * table + op.biasIndex(i % pairs / tokens, i % tokens)));
  }

  /** Values that follow from shapes alone. */
  Tensor constant(float... values) {
    return constant(values(values), RowMap.of(values.length, 1, i -> i));
  }

  Tensor constant(int... values) {
    float[] floats = new float[values.length];
    for (int i = 0; i < values.length; i++) {
      floats[i] = values[i];
    }
    return constant(floats);
  }

  private Tensor constant(Weights weights, RowMap map) {
    RowMap none = RowMap.of(map.size(), 1, i -> -1);
    return record(Sum.of(Term.of(r.input(), none), Term.of(weights, map)), r.input(), Shape.of(map.size(), 1));
  }

  private Weights values(float... values) {
    return backend.packValues(Shape.of(values.length), values);
  }
}
