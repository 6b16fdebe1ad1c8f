package io.vertebra.weights;

import io.vertebra.tensor.DType;
import io.vertebra.tensor.DirectMemory;
import io.vertebra.tensor.Shape;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/**
 * What a model loads its parameters through: it asks for each by name and shape, and at the end {@link #finish()}
 * reports everything that did not fit at once. Counters of batch norms, which training alone reads, may be there. Not
 * thread-safe.
 */
public final class Parameters {
  private static final int LISTED = 10;
  /**
   * Zeros made in place of what is missing, all together: a file that claims an absurd model must not cost its memory.
   */
  private static final long MAX_ZEROS = 1 << 24;
  /** Parameters that do not fit, after which the others are not looked for. */
  private static final int MAX_MISFITS = 1 << 10;

  private final Naming naming;
  private final Set<String> used = new HashSet<>();
  private final Set<String> missing = new LinkedHashSet<>();
  private final Set<String> unfit = new LinkedHashSet<>();
  private Predicate<String> ignored = name -> name.endsWith(".num_batches_tracked");
  private long zeros;

  /** Of a source with the model's own names. */
  public Parameters(ParameterSource source) {
    this(Naming.of("model", source));
  }

  public Parameters(Naming naming) {
    this.naming = naming;
  }

  /** Whether the source lists the parameter. A source that makes parameters on demand lists none. */
  public boolean has(String name) {
    return naming.has(name);
  }

  /**
   * A floating point parameter of exactly this shape. If the source has no such thing, zeros, so that loading can go on
   * until {@link #finish()} reports it.
   *
   * @throws WeightsException with the report so far, if too much is not there to go on
   */
  public Parameter get(String name, int... shape) {
    Shape expected = Shape.of(shape);
    String sourceName = naming.sourceName(name);
    used.add(sourceName);
    Parameter parameter = naming.find(name, expected);
    if (parameter == null) {
      missing.add(sourceName + " " + expected);
    } else if (!parameter.shape().equals(expected) || !parameter.dtype().isFloat()) {
      String type = parameter.dtype().isFloat() ? "" : " of a floating point type";
      unfit.add(parameter + ", should be " + expected + type);
    } else {
      return parameter;
    }
    zeros += expected.elements();
    if (zeros > MAX_ZEROS || missing.size() + unfit.size() > MAX_MISFITS) {
      throw misfit(List.of(), "\n  and perhaps more: the rest of the model was not looked for");
    }
    return new Parameter(sourceName, expected, DType.F32,
        () -> DirectMemory.allocate(Math.toIntExact(expected.elements() * Float.BYTES)));
  }

  /**
   * The values of {@link #get}.
   *
   * @throws WeightsException if one is NaN or infinite, by name
   */
  public float[] values(String name, int... shape) {
    return finite(get(name, shape));
  }

  /**
   * The values of a parameter of this source.
   *
   * @throws WeightsException if one is NaN or infinite, by name
   */
  public float[] finite(Parameter parameter) {
    float[] values = parameter.toFloats();
    for (int i = 0; i < values.length; i++) {
      if (!Float.isFinite(values[i])) {
        throw new WeightsException(
            naming.source().describe() + ": parameter " + parameter + " holds " + values[i] + " at flat index " + i);
      }
    }
    return values;
  }

  /**
   * Lets the source have parameters that nothing asks for: buffers that are recomputed, unused heads.
   *
   * @param names by the source's names, behind the prefix
   */
  public void ignore(Predicate<String> names) {
    ignored = ignored.or(names);
  }

  /**
   * @throws WeightsException if parameters were missing, unexpected or misshapen, listing them by the source's names
   */
  public void finish() {
    String prefix = naming.prefix();
    List<String> unexpected = naming.source().names().stream()
        .filter(
            name -> name.startsWith(prefix) && !used.contains(name) && !ignored.test(name.substring(prefix.length())))
        .toList();
    if (!missing.isEmpty() || !unexpected.isEmpty() || !unfit.isEmpty()) {
      throw misfit(unexpected, "");
    }
  }

  private WeightsException misfit(Collection<String> unexpected, String end) {
    StringBuilder report = new StringBuilder(naming.source().describe()).append(" does not fit the model:");
    append(report, "missing", missing);
    append(report, "unexpected", unexpected);
    append(report, "misshapen", unfit);
    return new WeightsException(report + end);
  }

  private static void append(StringBuilder report, String kind, Collection<String> names) {
    if (!names.isEmpty()) {
      report.append("\n  ").append(kind).append(" (").append(names.size()).append("): ")
          .append(names.stream().limit(LISTED).collect(Collectors.joining("; ")));
      if (names.size() > LISTED) {
        report.append("; and ").append(names.size() - LISTED).append(" more");
      }
    }
  }
}
