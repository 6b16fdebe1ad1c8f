package io.vertebra.cli;

import io.vertebra.backend.Ceilings;
import io.vertebra.program.Cost;
import io.vertebra.program.op.Call;
import io.vertebra.program.op.Weights;
import io.vertebra.tensor.Shape;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.ToDoubleFunction;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The times of a program's steps beside what the machine allows.
 *
 * @param steps in the order they run
 * @param secondsBetween what a run spends between its steps
 */
record Profile(List<Step> steps, double secondsBetween) {
  /** Numbers that stand by themselves, the 3 of {@code blocks.3.fc1} but not the 1, or a star in their place. */
  private static final Pattern INDEX = Pattern.compile("(?<![A-Za-z0-9])(?:[0-9]+|\\*)(?![A-Za-z0-9])");

  /**
   * One step, or several alike.
   *
   * @param count steps, all of this operation and these shapes
   * @param seconds of all of them together, as the figures that follow
   * @param calling what of it a call takes that does nothing
   * @param arithmetic at the measured peak
   * @param movement at the bandwidth of the level that holds the step's activations, and, for its weights, that of the
   *   one that holds all weights of the program: by the time a step comes again, the others' have passed through
   * @param floor the longer of both, step by step
   */
  record Step(String name, Call call, int count, double seconds, double calling, long flops, long bytes,
      double arithmetic, double movement, double floor) {
    /** Both together, under a name for both. */
    Step plus(Step other, String common) {
      return new Step(common, call, count + other.count, seconds + other.seconds, calling + other.calling,
          flops + other.flops, bytes + other.bytes, arithmetic + other.arithmetic, movement + other.movement,
          floor + other.floor);
    }

    String op() {
      return call.op().getClass().getSimpleName();
    }

    StepKind kind() {
      return StepKind.of(call);
    }
  }

  private record Alike(String name, String op, Shape in, Shape out) {}

  static Profile of(StepTimes times, Roofline machine) {
    Ceilings ceilings = machine.ceilings();
    List<Cost> costs = times.calls().stream().map(call -> Cost.of(call, ceilings.elementBytes())).toList();
    Map<Weights, Long> weights = new HashMap<>();
    costs.forEach(cost -> weights.putAll(cost.weights()));
    double weightBandwidth = ceilings.bytesPerSecond(new Cost(0, 0, weights).weightBytes());
    List<Step> steps = new ArrayList<>();
    for (int i = 0; i < costs.size(); i++) {
      Call call = times.calls().get(i);
      Cost cost = costs.get(i);
      double arithmetic = cost.flops() / ceilings.flops();
      double movement = cost.activationBytes() / ceilings.bytesPerSecond(cost.activationBytes())
          + cost.weightBytes() / weightBandwidth;
      double seconds = times.seconds(i);
      steps.add(new Step(call.name(), call, 1, seconds, Math.min(seconds, machine.callSeconds()), cost.flops(),
          cost.bytes(), arithmetic, movement, Math.max(arithmetic, movement)));
    }
    return new Profile(List.copyOf(steps), times.secondsBetween());
  }

  /** Steps of one name but for indices, one operation and the same shapes put together, in the order of their first. */
  List<Step> layers() {
    Map<Alike, Step> layers = new LinkedHashMap<>();
    for (Step step : steps) {
      Call call = step.call();
      String folded = INDEX.matcher(step.name()).replaceAll("*");
      layers.merge(new Alike(folded, step.op(), call.in().shape(), call.out().shape()), step,
          (layer, same) -> layer.plus(same, commonName(layer.name(), same.name())));
    }
    return List.copyOf(layers.values());
  }

  /** The steps of each kind put together. */
  Map<StepKind, Step> kinds() {
    Map<StepKind, Step> kinds = new EnumMap<>(StepKind.class);
    steps.forEach(step -> kinds.merge(step.kind(), step, (kind, same) -> kind.plus(same, same.kind().toString())));
    return kinds;
  }

  /** Steps and what lies between them. */
  double seconds() {
    return total(Step::seconds) + secondsBetween;
  }

  double total(ToDoubleFunction<Step> figure) {
    return steps.stream().mapToDouble(figure).sum();
  }

  /** For names that differ in indices alone: {@code *} in the place of those that do. */
  private static String commonName(String name, String other) {
    Matcher others = INDEX.matcher(other);
    return INDEX.matcher(name)
        .replaceAll(index -> others.find() && others.group().equals(index.group()) ? index.group() : "*");
  }
}
