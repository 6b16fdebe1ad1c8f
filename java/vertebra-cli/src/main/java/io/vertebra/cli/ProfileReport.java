package io.vertebra.cli;

import io.vertebra.backend.Ceilings;
import io.vertebra.cli.Profile.Step;
import io.vertebra.tensor.Shape;
import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * A profile for people and for machines.
 *
 * @param rows the profile's steps or layers, to be listed
 */
record ProfileReport(Profile profile, List<Step> rows, Roofline machine) {

  void print(PrintWriter out) {
    Ceilings ceilings = machine.ceilings();
    String bandwidths = ceilings.levels().stream()
        .map(level -> String.format(Locale.ROOT, "%s %.1f", level.name(), level.bytesPerSecond() / 1e9))
        .collect(Collectors.joining(", "));
    out.println(String.format(Locale.ROOT, "%s peak %.1f GFLOP/s; copying, GB/s: %s; an empty call %.2f us",
        ceilings.peak(), ceilings.flops() / 1e9, bandwidths, 1e6 * machine.callSeconds()));
    out.println();
    printRows(out);
    out.println();
    printLosses(out);
  }

  private void printRows(PrintWriter out) {
    Table table = new Table().left("layer").left("operation").left("output").right("steps").right("ms").right("share %")
        .right("GFLOP/s").right("GB/s").right("% of peak").right("% of bound");
    for (Step row : rows) {
      boolean computes = row.flops() > 0;
      table.row(row.name(), row.op(), row.call().out().shape().toString(), String.valueOf(row.count()),
          ms(row.seconds()), percent(share(row)), computes ? rate(row.flops(), row) : "-", rate(row.bytes(), row),
          computes ? percent(row.arithmetic() / row.seconds()) : "-", percent(row.floor() / row.seconds()));
    }
    table.print(out);
  }

  /** The floor, what is achieved, and what the difference is lost to. */
  private void printLosses(PrintWriter out) {
    Table table = new Table().left("lost to").right("steps").right("arithmetic ms").right("movement ms")
        .right("floor ms").right("achieved ms").right("lost ms").right("of the loss %");
    profile.kinds().forEach((kind, all) -> {
      double achieved = all.seconds() - all.calling();
      table.row(kind.toString(), String.valueOf(all.count()), ms(all.arithmetic()), ms(all.movement()), ms(all.floor()),
          ms(achieved), ms(achieved - all.floor()), percent((achieved - all.floor()) / lost()));
    });
    overhead(table, "calling the steps", profile.total(Step::calling));
    overhead(table, "between the steps", profile.secondsBetween());
    table.row("all", String.valueOf(profile.steps().size()), ms(profile.total(Step::arithmetic)),
        ms(profile.total(Step::movement)), ms(profile.total(Step::floor)), ms(profile.seconds()), ms(lost()),
        percent(1));
    table.print(out);
  }

  private void overhead(Table table, String what, double seconds) {
    table.row(what, "", "", "", "", ms(seconds), ms(seconds), percent(seconds / lost()));
  }

  /** An object for the machine, then one for each row, then one for each kind of step, then the totals. */
  void printJson(Output output) {
    Ceilings ceilings = machine.ceilings();
    Map<String, Object> rates = Output.fields(ceilings.peak().toLowerCase(Locale.ROOT) + "_gflops",
        ceilings.flops() / 1e9, "call_seconds", machine.callSeconds());
    ceilings.levels().forEach(
        level -> rates.put("copy_" + level.name().toLowerCase(Locale.ROOT) + "_gb_s", level.bytesPerSecond() / 1e9));
    output.object("machine", rates);
    for (Step row : rows) {
      output.object("layer", row.name(), "operation", row.op(), "kind", row.kind(), "input",
          dims(row.call().in().shape()), "output", dims(row.call().out().shape()), "steps", row.count(), "seconds",
          row.seconds(), "share", share(row), "flops", row.flops(), "bytes", row.bytes(), "gflops",
          row.flops() / row.seconds() / 1e9, "gb_s", row.bytes() / row.seconds() / 1e9, "of_peak",
          row.arithmetic() / row.seconds(), "of_bound", row.floor() / row.seconds());
    }
    profile.kinds()
        .forEach((kind, all) -> output.object("lost_to", kind, "steps", all.count(), "arithmetic_seconds",
            all.arithmetic(), "movement_seconds", all.movement(), "floor_seconds", all.floor(), "achieved_seconds",
            all.seconds() - all.calling(), "lost_seconds", all.seconds() - all.calling() - all.floor()));
    output.object("lost_to", "calling the steps", "lost_seconds", profile.total(Step::calling));
    output.object("lost_to", "between the steps", "lost_seconds", profile.secondsBetween());
    output.object("lost_to", "all", "steps", profile.steps().size(), "floor_seconds", profile.total(Step::floor),
        "achieved_seconds", profile.seconds(), "lost_seconds", lost());
  }

  private double lost() {
    return profile.seconds() - profile.total(Step::floor);
  }

  private double share(Step row) {
    return row.seconds() / profile.seconds();
  }

  static List<Integer> dims(Shape shape) {
    return IntStream.of(shape.toArray()).boxed().toList();
  }

  private static String ms(double seconds) {
    return String.format(Locale.ROOT, "%.3f", 1e3 * seconds);
  }

  private static String percent(double share) {
    return String.format(Locale.ROOT, "%.1f", 100 * share);
  }

  private static String rate(long amount, Step row) {
    return String.format(Locale.ROOT, "%.1f", amount / row.seconds() / 1e9);
  }
}
