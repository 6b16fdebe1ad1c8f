package io.vertebra.cli;

import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.Objects;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/** The command line: {@code java -jar vertebra.jar COMMAND}. */
@Command(name = "vertebra", description = "Runs vision backbones on this machine.", mixinStandardHelpOptions = true,
    scope = ScopeType.INHERIT, versionProvider = Main.Version.class, usageHelpAutoWidth = true,
    subcommands = {ModelsCommand.class, ClassifyCommand.class, EmbedCommand.class, FeaturesCommand.class,
      InspectCommand.class, CheckCommand.class, ProfileCommand.class, VerifyCommand.class},
    footer = {"",
      "Exit codes: 0 done; 1 some inputs failed and were reported; 2 wrong usage, or nothing could be done."})
public final class Main implements Runnable {
  static final int DONE = 0;
  static final int SOME_FAILED = 1;
  static final int UNUSABLE = 2;

  @Spec
  private CommandSpec spec;

  @Option(names = "--stacktrace", scope = ScopeType.INHERIT, description = "Print where in the code an error happened.")
  private boolean stacktrace;

  static final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() {
      String version = Main.class.getPackage().getImplementationVersion();
      return new String[] {"vertebra " + Objects.requireNonNullElse(version, "(built without a version)")};
    }
  }

  /** Runs the command and ends the process with its exit code. */
  public static void main(String[] args) {
    // JSON and file names are UTF-8, whatever the locale.
    PrintWriter out = new PrintWriter(System.out, true, StandardCharsets.UTF_8);
    PrintWriter err = new PrintWriter(System.err, true, StandardCharsets.UTF_8);
    System.exit(run(out, err, args));
  }

  /** Runs the command. */
  static int run(PrintWriter out, PrintWriter err, String... args) {
    Main main = new Main();
    CommandLine commandLine = new CommandLine(main).setOut(out).setErr(err).setCaseInsensitiveEnumValuesAllowed(true)
        .setExecutionExceptionHandler((exception, command, parsed) -> main.report(exception, err));
    try {
      int exitCode = commandLine.execute(args);
      // A PrintWriter keeps its failures to itself.
      if (out.checkError()) {
        err.println("vertebra: the output could not be written: the reader is gone or the disk is full");
        return UNUSABLE;
      }
      return exitCode;
    } catch (OutOfMemoryError e) {
      err.println("vertebra: out of memory (" + e.getMessage() + "); give Java more with java -Xmx4g -jar ...");
      return UNUSABLE;
    } finally {
      out.flush();
      err.flush();
    }
  }

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "a command is missing");
  }

  /** One line for what a user can act on; what nobody expected comes with its stack trace. */
  private int report(Exception exception, PrintWriter err) {
    err.println("vertebra: " + Failures.describe(exception));
    if (stacktrace || !Failures.isExpected(exception)) {
      exception.printStackTrace(err);
    }
    return UNUSABLE;
  }
}
