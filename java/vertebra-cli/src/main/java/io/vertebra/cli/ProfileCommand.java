package io.vertebra.cli;

import io.vertebra.Model;
import io.vertebra.Session;
import io.vertebra.backbone.Architecture;
import io.vertebra.cuda.runtime.Nsight;
import io.vertebra.program.Observer;
import io.vertebra.tensor.Shape;
import io.vertebra.weights.FormulaWeights;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Where a model's time goes. */
@Command(name = "profile",
    description = "Times every step of a model and compares with what this machine allows: its measured arithmetic peak"
        + " and the bandwidth of its caches and memory.")
final class ProfileCommand implements Callable<Integer> {
  private static final Pattern SIZE = Pattern.compile("([0-9]{1,5})x([0-9]{1,5})");
  private static final int MIN_WARM_UP_RUNS = 3;
  private static final long WARM_UP_NANOS = 500_000_000;

  @Spec
  private CommandSpec spec;

  @Mixin
  private ModelOptions options;

  @Mixin
  private Output output;

  @Option(names = "--batch", paramLabel = "N", defaultValue = "1",
      description = "Images or clips in the input; default: ${DEFAULT-VALUE}.")
  private int batch;

  @Option(names = "--size", paramLabel = "HxW",
      description = "Pixels of the input; default: what the model is built for.")
  private String size;

  @Option(names = "--runs", paramLabel = "N", defaultValue = "30",
      description = "Runs to take medians of; default: ${DEFAULT-VALUE}.")
  private int runs;

  @Option(names = "--steps", description = "List every step instead of putting the same layer of all blocks together.")
  private boolean everyStep;

  @Option(names = "--trace", paramLabel = "FILE",
      description = "Also write when each step of these runs ran, as a trace for ui.perfetto.dev or Chrome.")
  private Path trace;

  @Override
  public Integer call() throws IOException {
    if (batch < 1 || runs < 1) {
      throw new ParameterException(spec.commandLine(), "--batch and --runs must be at least 1");
    }
    try (Model model = options.open(); Session session = model.newSession()) {
      Shape shape = shape(model);
      Roofline machine = options.backend().roofline();
      StepTimes times = new StepTimes();
      double seconds = run(session, shape, times);
      Profile profile = Profile.of(times, machine);
      ProfileReport report = new ProfileReport(profile, everyStep ? profile.steps() : profile.layers(), machine);
      if (output.isJson()) {
        output.object("model", model.describe(), "input", ProfileReport.dims(shape), "runs", runs, "seconds", seconds);
        report.printJson(output);
      } else {
        output.out().println(String.format(Locale.ROOT, "%s; input %s; a run takes %.3f ms (median of %d)",
            model.describe(), shape, 1e3 * seconds, runs));
        report.print(output.out());
      }
      if (trace != null) {
        ChromeTrace.write(times, trace);
      }
    }
    return Main.DONE;
  }

  private Shape shape(Model model) {
    Architecture built = model.architecture();
    int height = built.image().rows();
    int width = built.image().columns();
    if (size != null) {
      Matcher matcher = SIZE.matcher(size);
      if (!matcher.matches()) {
        throw new ParameterException(spec.commandLine(), "--size must be HEIGHTxWIDTH, such as 224x224: " + size);
      }
      height = Integer.parseInt(matcher.group(1));
      width = Integer.parseInt(matcher.group(2));
    }
    int channels = model.inputChannels();
    Shape shape = built.frames() == 0 ? Shape.of(batch, channels, height, width)
        : Shape.of(batch, channels, built.frames(), height, width);
    if (shape.elements() > Integer.MAX_VALUE / Float.BYTES) {
      throw new IllegalArgumentException("an input " + shape + " takes 2 GiB or more; use a smaller --batch or --size");
    }
    return shape;
  }

  /** @return the median time of plain runs; those call by call are in {@code times} */
  private double run(Session session, Shape shape, StepTimes times) {
    float[] input = FormulaWeights.input("profile", shape);
    Observer observer = options.backend().isCuda() ? Nsight.named(times) : times;
    long end = System.nanoTime() + WARM_UP_NANOS;
    while (times.runs() < MIN_WARM_UP_RUNS || System.nanoTime() < end) {
      session.observe(input, shape, observer);
    }
    times.clear();
    session.time(input, shape, MIN_WARM_UP_RUNS);
    double[] seconds = new double[1];
    Runnable measured = () -> {
      seconds[0] = StepTimes.median(session.time(input, shape, runs));
      for (int i = 0; i < runs; i++) {
        session.observe(input, shape, observer);
      }
    };
    if (options.backend().isCuda() && !options.backend().isEmulated()) {
      Nsight.capture(measured);
    } else {
      measured.run();
    }
    return seconds[0];
  }
}
