package io.vertebra.cli;

import io.vertebra.program.op.Call;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;

/** Traces in the Trace Event Format that Chrome and Perfetto show: a complete event for each run and each step. */
final class ChromeTrace {
  private ChromeTrace() {}

  static void write(StepTimes times, Path target) throws IOException {
    try (PartFile file = new PartFile(target)) {
      int last = times.calls().size() - 1;
      long origin = times.begin(0, 0);
      String separator = "{\"traceEvents\":[\n";
      for (int run = 0; run < times.runs(); run++) {
        write(file, separator,
            event("run " + run, "run", times.begin(run, 0) - origin, times.end(run, last) - origin, Map.of()));
        separator = ",\n";
        for (int i = 0; i <= last; i++) {
          Call call = times.calls().get(i);
          write(file, separator, event(call.name(), StepKind.of(call).toString(), times.begin(run, i) - origin,
              times.end(run, i) - origin, Output.fields("call", call)));
        }
      }
      file.write(bytes("\n]}\n"));
      file.commit();
    }
  }

  private static void write(PartFile file, String separator, Map<String, Object> event) throws IOException {
    file.write(bytes(separator + Output.json(event)));
  }

  private static ByteBuffer bytes(String text) {
    return ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
  }

  /** Begin and end in nanoseconds; the format counts microseconds. */
  private static Map<String, Object> event(String name, String category, long begin, long end,
      Map<String, Object> arguments) {
    return Output.fields("name", name, "cat", category, "ph", "X", "ts", begin / 1e3, "dur", (end - begin) / 1e3, "pid",
        1, "tid", 1, "args", arguments);
  }
}
