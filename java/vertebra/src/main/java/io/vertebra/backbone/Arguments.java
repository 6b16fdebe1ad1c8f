package io.vertebra.backbone;

import io.vertebra.weights.WeightsException;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/** Typed reading of a reference's constructor arguments, as a checkpoint's or a golden file's metadata give them. */
final class Arguments {
  private final String what;
  private final Map<String, ?> values;
  private final Set<String> used = new HashSet<>();

  Arguments(String what, Map<String, ?> values) {
    this.what = what;
    this.values = values;
  }

  /** The argument, or {@code fallback} if it is absent or null. */
  Object get(String name, Object fallback) {
    used.add(name);
    Object value = values.get(name);
    return value == null ? fallback : value;
  }

  int integer(String name, int fallback) {
    if (get(name, fallback) instanceof Integer value) {
      return value;
    }
    throw wrong(name, "an integer");
  }

  double number(String name, double fallback) {
    if (get(name, fallback) instanceof Number value) {
      return value.doubleValue();
    }
    throw wrong(name, "a number");
  }

  boolean flag(String name, boolean fallback) {
    if (get(name, fallback) instanceof Boolean value) {
      return value;
    }
    throw wrong(name, "true or false");
  }

  List<Integer> integers(String name) {
    return integers(name, null);
  }

  List<Integer> integers(String name, List<Integer> fallback) {
    if (get(name, fallback) instanceof List<?> list && list.stream().allMatch(Integer.class::isInstance)) {
      return list.stream().map(Integer.class::cast).toList();
    }
    throw wrong(name, "a list of integers");
  }

  /** Accepts arguments that make no difference. */
  void ignore(Collection<String> names) {
    used.addAll(names);
  }

  /** Refuses arguments nothing asked for: ignoring one would run another model than the one described. */
  void finish() {
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
