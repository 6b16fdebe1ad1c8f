package io.vertebra.weights;

import io.vertebra.tensor.Shape;
import java.util.Comparator;
import java.util.Map;
import java.util.Optional;
import java.util.function.BiFunction;
import java.util.function.UnaryOperator;

/**
 * A source's parameters by a model's own names: a checkpoint may have them behind a prefix, under other names and in
 * other layouts. Names given to it are the model's, those in messages the source's. Immutable and thread-safe.
 */
public final class Naming {
  private final String model;
  private final ParameterSource source;
  private final String prefix;
  private final UnaryOperator<String> sourceNames;
  private final BiFunction<Parameter, Shape, Parameter> layout;

  private Naming(String model, ParameterSource source, String prefix, UnaryOperator<String> sourceNames,
      BiFunction<Parameter, Shape, Parameter> layout) {
    this.model = model;
    this.source = source;
    this.prefix = prefix;
    this.sourceNames = sourceNames;
    this.layout = layout;
  }

  /** The model's own names, as they are. */
  public static Naming of(String model, ParameterSource source) {
    return new Naming(model, source, "", own -> own, (parameter, expected) -> parameter);
  }

  /**
   * The model's own names, behind what training frameworks put before all of them, such as {@code module.backbone.}.
   * What else the source has, necks and heads, is set aside.
   *
   * @param model what the parameters are of, for messages
   * @param known a parameter of every such model; of several that end so the one with the shortest prefix tells
   */
  public static Naming of(String model, ParameterSource source, String known) {
    return ofPart(model, source, "", known);
  }

  /**
   * The names of a part of a larger model, if the source has that, or else of the part alone.
   *
   * @param part what the part's names begin with there, after any other prefix: {@code neck.}
   */
  public static Naming ofPart(String model, ParameterSource source, String part, String known) {
    String name = part + known;
    String prefix = source.names().stream().filter(other -> other.equals(name) || other.endsWith("." + name))
        .min(Comparator.comparingInt(String::length)).map(other -> other.substring(0, other.length() - known.length()))
        .orElse("");
    return new Naming(model, source, prefix, own -> prefix + own, (parameter, expected) -> parameter);
  }

  /** With other names behind the prefix; two of the model's names must not become one. */
  public Naming renamed(UnaryOperator<String> names) {
    return new Naming(model, source, prefix, own -> prefix + names.apply(own), layout);
  }

  /**
   * With what begins with {@code own} elsewhere: there {@code elsewhere}, which is no part of the prefix, begins it.
   */
  public Naming moved(String own, String elsewhere) {
    return new Naming(model, source, prefix,
        name -> name.startsWith(own) ? elsewhere + name.substring(own.length()) : sourceNames.apply(name), layout);
  }

  /** @param other makes what the source has, and the shape that is wanted, into what the model reads */
  public Naming adapted(BiFunction<Parameter, Shape, Parameter> other) {
    return new Naming(model, source, prefix, sourceNames, other);
  }

  public ParameterSource source() {
    return source;
  }

  /** What stands before every name; empty if nothing. */
  public String prefix() {
    return prefix;
  }

  /** The prefix without {@code last} if it ends so: where the parts beside the model are. */
  public String prefixBefore(String last) {
    return prefix.endsWith(last) ? prefix.substring(0, prefix.length() - last.length()) : prefix;
  }

  /** What the source calls a parameter, whether it has it or not. */
  public String sourceName(String name) {
    return sourceNames.apply(name);
  }

  /** Whether the source lists its parameters; one that makes them on demand does not, and settles nothing. */
  public boolean isListed() {
    return !source.names().isEmpty();
  }

  /** Whether the source lists the parameter. */
  public boolean has(String name) {
    return source.names().contains(sourceName(name));
  }

  /** How many parameters {@code before + i + after} there are one after the other, from {@code i = first} on. */
  public int count(String before, int first, String after) {
    int i = first;
    while (has(before + i + after)) {
      i++;
    }
    return i - first;
  }

  /** The parameter as the model reads it, or null; its shape is the expected one only if it can be made so. */
  public Parameter find(String name, Shape expected) {
    Parameter parameter = source.find(sourceName(name), expected);
    return parameter == null ? null : layout.apply(parameter, expected);
  }

  /**
   * The shape a parameter has in the source.
   *
   * @throws WeightsException if it is not there, or has fewer than {@code rank} dimensions
   */
  public Shape shape(String name, int rank) {
    Parameter parameter = source.find(sourceName(name), null);
    if (parameter == null) {
      throw new WeightsException(source.describe() + " is no complete " + model + ": it lacks " + sourceName(name));
    }
    if (parameter.shape().rank() < rank) {
      throw new WeightsException(
          source.describe() + " is no " + model + ": " + parameter + " should have " + rank + " dimensions");
    }
    return parameter.shape();
  }

  /** Length of a parameter's first axis; 0 if it is not there. */
  public int rows(String name) {
    return has(name) ? shape(name, 1).dim(0) : 0;
  }

  /** The configuration that the source's metadata states, if it does. */
  public Optional<Map<String, Object>> config() {
    return Optional.ofNullable(source.metadata().get("config")).map(Json::parseObject);
  }
}
