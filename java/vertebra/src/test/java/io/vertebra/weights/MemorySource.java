package io.vertebra.weights;

import io.vertebra.tensor.Shape;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/** A checkpoint held in memory. */
public record MemorySource(Map<String, Parameter> parameters, Map<String, String> metadata) implements ParameterSource {

  /** Formula values for names and shapes. */
  public static MemorySource formula(Map<String, Shape> shapes) {
    Map<String, Parameter> parameters = new LinkedHashMap<>();
    shapes.forEach((name, shape) -> parameters.put(name, new FormulaWeights().find(name, shape)));
    return new MemorySource(parameters, Map.of());
  }

  @Override
  public String describe() {
    return "memory";
  }

  @Override
  public Parameter find(String name, Shape expected) {
    return parameters.get(name);
  }

  @Override
  public Set<String> names() {
    return parameters.keySet();
  }
}
