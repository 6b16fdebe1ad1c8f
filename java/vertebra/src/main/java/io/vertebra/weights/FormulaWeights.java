package io.vertebra.weights;

import io.vertebra.tensor.DType;
import io.vertebra.tensor.DirectMemory;
import io.vertebra.tensor.Shape;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/**
 * Parameters computed from their names and shapes: any parameter a model asks for exists, with the same bits on every
 * platform. For tests and benchmarks: a model so weighted computes, but knows nothing. Nothing falls back to this
 * source on its own.
 *
 * <p>An element is {@code offset + factor * u}, in fp64 and then rounded to fp32, where {@code u(name, i)} in [-1, 1)
 * is the top 24 bits of SplitMix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014)
 * seeded with the FNV-1a hash of the name, at flat index {@code i}. Offset and factor follow from the last part of the
 * name: norm scales lie around 1, matrices and convolutions keep the variance of their operand, the rest is small.
 */
public final class FormulaWeights implements ParameterSource {
  private static final int CHUNK = 1 << 14;
  /** Of one parameter, as in a file. */
  private static final int MAX_BYTES = 1 << 30;
  private static final long GOLDEN_GAMMA = 0x9E3779B97F4A7C15L;

  private final Map<Pattern, Float> scale = new LinkedHashMap<>();

  /** offset + factor * u, in fp64. */
  private record Rule(double offset, double factor) {
    static Rule of(String name, Shape shape) {
      String last = lastPart(name);
      if (last.equals("running_var")) {
        return new Rule(1, 0.5);
      } else if (last.equals("running_mean")) {
        return new Rule(0, 0.1);
      } else if (last.startsWith("gamma")) {
        return new Rule(0.5, 0.1);
      } else if (last.contains("complex_weight") || last.contains("relative_position_bias_table")) {
        return new Rule(0, 0.5);
      } else if (last.equals("weight")) {
        double fanIn = (double) (shape.elements() / shape.dim(0));
        return shape.rank() > 1 ? new Rule(0, Math.sqrt(3 / fanIn)) : new Rule(1, 0.1);
      } else {
        return new Rule(0, last.equals("bias") ? 0.1 : 0.2);
      }
    }
  }

  public FormulaWeights() {
    this(Map.of());
  }

  /**
   * @param scale regular expressions and factors: a parameter is multiplied by the factor of every expression found in
   *   its name
   * @throws java.util.regex.PatternSyntaxException for a malformed expression; one that takes too long on a name is a
   *   {@link WeightsException} when that parameter is read
   */
  public FormulaWeights(Map<String, Double> scale) {
    scale.forEach((expression, factor) -> this.scale.put(Pattern.compile(expression), factor.floatValue()));
  }

  /**
   * A test image or clip, equally a function of its name: waves whose length depends on the channel, plus noise.
   *
   * @param shape {@code [N, C, H, W]} or {@code [N, C, T, H, W]}
   * @return the values in that order
   */
  public static float[] input(String name, Shape shape) {
    if (shape.rank() != 4 && shape.rank() != 5) {
      throw new IllegalArgumentException("input " + name + " must be [N, C, H, W] or [N, C, T, H, W], not " + shape);
    }
    boolean clip = shape.rank() == 5;
    int channels = shape.dim(1);
    int frames = clip ? shape.dim(2) : 1;
    int height = shape.dim(-2);
    int width = shape.dim(-1);
    long seed = fnv1a64(name);
    float[] values = new float[Math.toIntExact(shape.elements())];
    IntStream.range(0, values.length / width).parallel().forEach(row -> {
      int h = row % height;
      int t = row / height % frames;
      int c = row / height / frames % channels;
      int n = row / height / frames / channels;
      double vertical = 0.5 * StrictMath.sin(0.11 * (c + 1) * h + 0.7 * n);
      double frame = clip ? 0.3 * StrictMath.sin(0.5 * t) : 0;
      for (int w = 0; w < width; w++) {
        int i = row * width + w;
        values[i] = (float) (vertical * StrictMath.cos(0.13 * (c + 1) * w) + 0.5 * uniform(seed, i) + frame);
      }
    });
    return values;
  }

  @Override
  public String describe() {
    return "formula";
  }

  /** Always a parameter of the {@code expected} shape: F32, or I64 zero for a {@code num_batches_tracked}. */
  @Override
  public Parameter find(String name, Shape expected) {
    if (lastPart(name).equals("num_batches_tracked")) {
      return new Parameter(name, expected, DType.I64, () -> allocate(expected, DType.I64));
    }
    return new Parameter(name, expected, DType.F32, () -> values(name, expected));
  }

  private ByteBuffer values(String name, Shape shape) {
    Rule rule = Rule.of(name, shape);
    float factor = scale(name);
    long seed = fnv1a64(name);
    ByteBuffer bytes = allocate(shape, DType.F32);
    int elements = bytes.capacity() / Float.BYTES;
    IntStream.range(0, (elements + CHUNK - 1) / CHUNK).parallel().forEach(index -> {
      int start = index * CHUNK;
      float[] chunk = new float[Math.min(CHUNK, elements - start)];
      for (int i = 0; i < chunk.length; i++) {
        chunk[i] = (float) (rule.offset + rule.factor * uniform(seed, start + i)) * factor;
      }
      bytes.asFloatBuffer().put(start, chunk);
    });
    return bytes;
  }

  private float scale(String name) {
    float product = 1;
    for (Map.Entry<Pattern, Float> entry : scale.entrySet()) {
      if (entry.getKey().matcher(new Watched(name, entry.getKey())).find()) {
        product *= entry.getValue();
      }
    }
    return product;
  }

  /** A name for a regular expression to look at, but not for ever: some expressions go back and forth in it. */
  private static final class Watched implements CharSequence {
    private static final int MAX_LOOKS = 1 << 14;

    private final String name;
    private final Pattern expression;
    private int looks;

    Watched(String name, Pattern expression) {
      this.name = name;
      this.expression = expression;
    }

    @Override
    public char charAt(int index) {
      if (++looks > MAX_LOOKS) {
        throw new WeightsException("the regular expression " + expression + " takes too long on " + name);
      }
      return name.charAt(index);
    }

    @Override
    public int length() {
      return name.length();
    }

    @Override
    public CharSequence subSequence(int start, int end) {
      return name.subSequence(start, end);
    }

    @Override
    public String toString() {
      return name;
    }
  }

  private static ByteBuffer allocate(Shape shape, DType dtype) {
    if (shape.elements() > MAX_BYTES / dtype.bytes()) {
      throw new WeightsException(
          "formula weights of shape " + shape + " take more than the " + MAX_BYTES + " bytes allowed");
    }
    return DirectMemory.allocate((int) shape.elements() * dtype.bytes()).order(ByteOrder.LITTLE_ENDIAN);
  }

  private static String lastPart(String name) {
    return name.substring(name.lastIndexOf('.') + 1);
  }

  private static long fnv1a64(String name) {
    long hash = 0xCBF29CE484222325L;
    for (byte b : name.getBytes(StandardCharsets.UTF_8)) {
      hash = (hash ^ (b & 0xFF)) * 0x100000001B3L;
    }
    return hash;
  }

  /** u(name, i) for the name hashed to {@code seed}. */
  private static double uniform(long seed, long i) {
    long z = seed + (i + 1) * GOLDEN_GAMMA;
    z = (z ^ z >>> 30) * 0xBF58476D1CE4E5B9L;
    z = (z ^ z >>> 27) * 0x94D049BB133111EBL;
    z = z ^ z >>> 31;
    return (z >>> 40) * 0x1p-23 - 1;
  }
}
