package io.vertebra.backbone;

import io.vertebra.tensor.Size;
import io.vertebra.weights.WeightsException;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * Typed reading of a reference's constructor arguments, as a checkpoint's or a golden file's metadata give them. Far
 * beyond every published model there are bounds, below which sizes that follow from a configuration do not overflow:
 * integers up to 2^24, other numbers up to 1024, sides and lists' integers up to 8192, 64 stages of 256 blocks, 2^17
 * classes. A model within them still has to have its weights in the file, or it is refused.
 */
public final class Arguments {
  // Far beyond any published model: a damaged configuration must not ask for all memory there is.
  private static final int MAX_INTEGER = 1 << 24;
  private static final double MAX_NUMBER = 1 << 10;
  /** Of an image, a window or a filter; pixels or positions. */
  public static final int MAX_SIDE = 1 << 13;
  private static final int MAX_STAGES = 64;
  private static final int MAX_CLASSES = 1 << 17;
  private static final int MAX_WIDTH = 1 << 13;
  private static final int MAX_DEPTH = 1 << 8;

  private final String what;
  private final Map<String, ?> values;
  private final Set<String> used = new HashSet<>();

  public Arguments(String what, Map<String, ?> values) {
    this.what = what;
    this.values = values;
  }

  /** The argument, or {@code fallback} if it is absent or null. */
  public Object get(String name, Object fallback) {
    used.add(name);
    Object value = values.get(name);
    return value == null ? fallback : value;
  }

  public boolean isEmpty() {
    return values.isEmpty();
  }

  public int integer(String name, int fallback) {
    if (get(name, fallback) instanceof Integer value && Math.abs((long) value) <= MAX_INTEGER) {
      return value;
    }
    throw wrong(name, "an integer of at most " + MAX_INTEGER);
  }

  /** {@code num_classes}: 0 for none, up to 2^17; the published models have up to 21841. */
  public int classes(int fallback) {
    int classes = integer("num_classes", fallback);
    if (classes < 0 || classes > MAX_CLASSES) {
      throw wrong("num_classes", "from 0 to " + MAX_CLASSES);
    }
    return classes;
  }

  public double number(String name, double fallback) {
    if (get(name, fallback) instanceof Number value && Math.abs(value.doubleValue()) <= MAX_NUMBER) {
      return value.doubleValue();
    }
    throw wrong(name, "a number of at most " + MAX_NUMBER);
  }

  public boolean flag(String name, boolean fallback) {
    if (get(name, fallback) instanceof Boolean value) {
      return value;
    }
    throw wrong(name, "true or false");
  }

  /** A height and width, or one number for both, of at most {@link #MAX_SIDE}. */
  public Size size(String name, int fallback) {
    return size(name, get(name, fallback));
  }

  /** As {@link #size(String, int)} of an entry of the argument. */
  public Size size(String name, Object value) {
    List<?> sides = value instanceof Integer ? List.of(value, value) : value instanceof List<?> list ? list : List.of();
    if (sides.size() == 2 && sides.get(0) instanceof Integer rows && sides.get(1) instanceof Integer columns
        && Math.max(rows, columns) <= MAX_SIDE) {
      return new Size(rows, columns);
    }
    throw wrong(name, "a number or two, of at most " + MAX_SIDE);
  }

  /** Index of the alternative given; the first is the default. */
  public int choice(String name, String... alternatives) {
    int index = List.of(alternatives).indexOf(get(name, alternatives[0]));
    if (index < 0) {
      throw wrong(name, "one of " + List.of(alternatives));
    }
    return index;
  }

  /** An object; without entries if it is absent. */
  public Arguments nested(String name) {
    return nested(name, get(name, Map.of()));
  }

  /** As {@link #nested(String)} of an entry of the argument. */
  @SuppressWarnings("unchecked")
  public Arguments nested(String name, Object value) {
    if (value instanceof Map<?, ?> map && map.keySet().stream().allMatch(String.class::isInstance)) {
      return new Arguments(what + ", " + name, (Map<String, ?>) map);
    }
    throw wrong(name, "an object");
  }

  public List<Integer> integers(String name) {
    return integers(name, null);
  }

  public List<Integer> integers(String name, List<Integer> fallback) {
    if (get(name, fallback) instanceof List<?> list && list.size() <= MAX_STAGES
        && list.stream().allMatch(entry -> entry instanceof Integer value && value >= 0 && value <= MAX_WIDTH)) {
      return list.stream().map(Integer.class::cast).toList();
    }
    throw wrong(name, "a list of at most " + MAX_STAGES + " integers from 0 to " + MAX_WIDTH);
  }

  /** Blocks of each stage. */
  public List<Integer> depths(String name) {
    List<Integer> depths = integers(name);
    if (depths.isEmpty() || depths.stream().anyMatch(depth -> depth < 1 || depth > MAX_DEPTH)) {
      throw wrong(name, "a list of integers from 1 to " + MAX_DEPTH);
    }
    return depths;
  }

  public List<Double> numbers(String name, Object value) {
    if (value instanceof List<?> list && list.size() <= MAX_DEPTH && list.stream().allMatch(Number.class::isInstance)) {
      return list.stream().map(number -> ((Number) number).doubleValue()).toList();
    }
    throw wrong(name, "a list of numbers");
  }

  /** @throws WeightsException with that message if not */
  public void require(boolean fits, String message) {
    if (!fits) {
      throw new WeightsException(what + ": " + message);
    }
  }

  /**
   * As {@link #require(boolean, String)}, with {@code subject} behind the message. A record's text is made only for the
   * message: linking what makes it costs a cold start some milliseconds.
   */
  public void require(boolean fits, String message, Object subject) {
    if (!fits) {
      require(false, message + subject);
    }
  }

  /** Accepts arguments that make no difference. */
  public void ignore(Collection<String> names) {
    used.addAll(names);
  }

  /** Refuses arguments nothing asked for: ignoring one would run another model than the one described. */
  public void finish() {
    Set<String> unknown = new TreeSet<>(values.keySet());
    unknown.removeAll(used);
    require(unknown.isEmpty(), "unknown arguments " + unknown);
  }

  private WeightsException wrong(String name, String wanted) {
    return new WeightsException(what + ": " + name + " must be " + wanted + ", not " + values.get(name));
  }
}
