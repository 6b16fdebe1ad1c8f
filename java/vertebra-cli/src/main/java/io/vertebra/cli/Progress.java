package io.vertebra.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/** A line on the terminal that shows how far a long command is; shown only where standard error is a terminal. */
final class Progress {
  private static final int BAR = 30;
  private static final long REDRAW_NANOS = 100_000_000;
  private static final String CLEAR_LINE = "\r\033[K";

  private final PrintWriter err;
  private final boolean shown;
  private final int total;
  private final long start = System.nanoTime();
  private long drawn = start;
  private int done;

  Progress(PrintWriter err, boolean shown, int total) {
    this.err = err;
    this.shown = shown;
    this.total = total;
  }

  /** Whether standard error is a terminal. {@link System#console} would ask about standard input and output. */
  static boolean isTerminal() {
    try {
      String device = Files.readSymbolicLink(Path.of("/proc/self/fd/2")).toString();
      return device.startsWith("/dev/pts/") || device.startsWith("/dev/tty") || device.equals("/dev/console");
    } catch (IOException e) {
      return false;
    }
  }

  void step(int count) {
    done += count;
    long now = System.nanoTime();
    if (shown && now - drawn >= REDRAW_NANOS) {
      drawn = now;
      err.print(CLEAR_LINE + line(done, total, (now - start) / 1e9));
      err.flush();
    }
  }

  /** Takes the bar away, so that a message can be printed. */
  void clear() {
    if (shown) {
      err.print(CLEAR_LINE);
      err.flush();
    }
  }

  static String line(int done, int total, double seconds) {
    int filled = (int) ((long) BAR * done / Math.max(1, total));
    double rate = done / Math.max(seconds, 1e-9);
    long left = Math.round((total - done) / Math.max(rate, 1e-9));
    return String.format(Locale.ROOT, "[%s%s] %d/%d  %.1f/s  %d:%02d:%02d left", "=".repeat(filled),
        " ".repeat(BAR - filled), done, total, rate, left / 3600, left / 60 % 60, left % 60);
  }
}
