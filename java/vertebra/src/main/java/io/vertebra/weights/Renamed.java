package io.vertebra.weights;

import io.vertebra.tensor.Shape;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.function.UnaryOperator;

/** A source's parameters under other names, some of them set aside. */
public final class Renamed implements ParameterSource {
  private final ParameterSource source;
  private final Map<String, String> sourceNames = new LinkedHashMap<>();

  private Renamed(ParameterSource source) {
    this.source = source;
  }

  /**
   * What training frameworks put before every name, such as {@code module.backbone.}; empty if nothing.
   *
   * @param known a parameter's name without it; of several that end so the shortest tells
   */
  public static String prefix(ParameterSource source, String known) {
    return source.names().stream().filter(name -> name.equals(known) || name.endsWith("." + known))
        .min(Comparator.comparingInt(String::length)).map(name -> name.substring(0, name.length() - known.length()))
        .orElse("");
  }

  /**
   * Renames what {@code source} lists; one that makes parameters on demand lists nothing and is returned as it is.
   *
   * @param naming from the source's name of a parameter to its new one, or null to leave it out
   * @throws WeightsException if two parameters get the same name
   */
  public static ParameterSource of(ParameterSource source, UnaryOperator<String> naming) {
    if (source.names().isEmpty()) {
      return source;
    }
    Renamed renamed = new Renamed(source);
    for (String name : source.names()) {
      String own = naming.apply(name);
      String other = own == null ? null : renamed.sourceNames.putIfAbsent(own, name);
      if (other != null) {
        throw new WeightsException(source.describe() + ": " + other + " and " + name + " are both called " + own);
      }
    }
    return renamed;
  }

  @Override
  public String describe() {
    return source.describe();
  }

  @Override
  public Parameter find(String name, Shape expected) {
    String sourceName = sourceNames.get(name);
    return sourceName == null ? null : source.find(sourceName, expected);
  }

  @Override
  public Listing list(String name) {
    String sourceName = sourceNames.get(name);
    return sourceName == null ? null : source.list(sourceName);
  }

  @Override
  public Set<String> names() {
    return Collections.unmodifiableSet(sourceNames.keySet());
  }

  @Override
  public Map<String, String> metadata() {
    return source.metadata();
  }
}
