package io.vertebra.cuda;

import io.vertebra.cuda.runtime.DriverRuntime;
import io.vertebra.cuda.runtime.EmulatedRuntime;
import io.vertebra.cuda.runtime.GpuRuntime;
import io.vertebra.tensor.Precision;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;

/** {@code --NAME VALUE} options of the checks. */
record CheckOptions(Map<String, String> values) {
  /** @param defaults besides {@code device}, which all have */
  static CheckOptions parse(String[] arguments, Map<String, String> defaults) {
    Map<String, String> values = new HashMap<>(defaults);
    values.put("device", "cuda:0");
    for (int i = 0; i < arguments.length; i += 2) {
      String name = arguments[i].replaceFirst("^--", "");
      if (!values.containsKey(name) || i + 1 == arguments.length) {
        throw new IllegalArgumentException(arguments[i] + " is no option with a value; there are " + values.keySet());
      }
      values.put(name, arguments[i + 1]);
    }
    return new CheckOptions(values);
  }

  String get(String name) {
    return values.get(name);
  }

  List<String> list(String name) {
    return List.of(get(name).split(","));
  }

  List<Precision> precisions() {
    return list("precisions").stream().map(name -> Precision.valueOf(name.toUpperCase(Locale.ROOT))).toList();
  }

  List<Integer> integers(String name) {
    return Stream.of(get(name).split(",")).map(Integer::valueOf).toList();
  }

  boolean emulated() {
    return get("device").equals("cuda-emulated");
  }

  GpuRuntime open() {
    return emulated() ? new EmulatedRuntime()
        : new DriverRuntime(Integer.parseInt(get("device").replaceFirst("^cuda:?", "0")));
  }
}
