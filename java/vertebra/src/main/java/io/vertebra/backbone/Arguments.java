package io.vertebra.backbone;

import io.vertebra.weights.WeightsException;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/** Typed reading of a reference's constructor arguments, as a checkpoint's or a golden file's metadata give them. */
public final class Arguments {
  // Far beyond any published model: a damaged configuration must not ask for all memory there is.
  private static final int MAX_INTEGER = 1 << 24;
  private static final double MAX_NUMBER = 1 << 10;
  private static final int MAX_STAGES = 64;
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

  public int integer(String name, int fallback) {
    if (get(name, fallback) instanceof Integer value && Math.abs((long) value) <= MAX_INTEGER) {
      return value;
    }
    throw wrong(name, "an integer of at most " + MAX_INTEGER);
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

  /** Accepts arguments that make no difference. */
  public void ignore(Collection<String> names) {
    used.addAll(names);
  }

  /** Refuses arguments nothing asked for: ignoring one would run another model than the one described. */
  public void finish() {
    Set<String> unknown = new TreeSet<>(values.keySet());
    unknown.removeAll(used);
    if (!unknown.isEmpty()) {
      throw new WeightsException(what + ": unknown arguments " + unknown);
    }
  }

  private WeightsException wrong(String name, String wanted) {
    return new WeightsException(what + ": " + name + " must be " + wanted + ", not " + values.get(name));
  }
}
