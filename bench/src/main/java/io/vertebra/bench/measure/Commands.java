package io.vertebra.bench.measure;

import picocli.CommandLine;

/** How all tables take their options and say what is wrong with them. */
public final class Commands {
  private Commands() {}

  /** A command that prints a failure's message and gives exit status 1. */
  public static CommandLine of(Object command) {
    return new CommandLine(command).setCaseInsensitiveEnumValuesAllowed(true)
        .setExecutionExceptionHandler((e, line, parsed) -> {
          line.getErr().println(e.getMessage());
          return 1;
        });
  }
}
