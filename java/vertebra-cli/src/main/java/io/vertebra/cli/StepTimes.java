package io.vertebra.cli;

import io.vertebra.program.Observer;
import io.vertebra.program.op.Call;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.ToLongFunction;
import java.util.stream.LongStream;

/** When the steps of several runs of one program began and ended. */
final class StepTimes implements Observer {
  private final List<Call> calls = new ArrayList<>();
  /** Of each run the begin and end of every step, in turn, in nanoseconds. */
  private final List<long[]> runs = new ArrayList<>();
  private long[] run = new long[0];
  private long start;

  @Override
  public void before(int index, Call call) {
    if (index == 0) {
      start = System.nanoTime();
    }
  }

  @Override
  public void after(int index, Call call) {}

  @Override
  public boolean readsTensors() {
    return false;
  }

  @Override
  public void timed(int index, Call call, double begin, double end) {
    if (index == 0) {
      run = new long[2 * calls.size()];
      runs.add(run);
    }
    if (index == calls.size()) {
      calls.add(call);
      run = Arrays.copyOf(run, 2 * calls.size());
      runs.set(runs.size() - 1, run);
    }
    run[2 * index] = start + Math.round(1e6 * begin);
    run[2 * index + 1] = start + Math.round(1e6 * end);
  }

  /** Forgets the runs so far. */
  void clear() {
    runs.clear();
  }

  List<Call> calls() {
    return calls;
  }

  int runs() {
    return runs.size();
  }

  /** In nanoseconds, as the end. */
  long begin(int run, int step) {
    return runs.get(run)[2 * step];
  }

  long end(int run, int step) {
    return runs.get(run)[2 * step + 1];
  }

  /** The median time of a step, in seconds. */
  double seconds(int step) {
    return median(times -> times[2 * step + 1] - times[2 * step]);
  }

  /** The median of the time a run spends between its steps, in seconds. */
  double secondsBetween() {
    return median(times -> {
      long between = 0;
      for (int i = 2; i < times.length; i += 2) {
        between += times[i] - times[i - 1];
      }
      return between;
    });
  }

  private double median(ToLongFunction<long[]> value) {
    return median(runs.stream().mapToLong(value).toArray());
  }

  /** The median of nanoseconds, in seconds. */
  static double median(long[] nanos) {
    long[] sorted = LongStream.of(nanos).sorted().toArray();
    int middle = sorted.length / 2;
    return (sorted[middle] + sorted[(sorted.length - 1) / 2]) / 2.0 / 1e9;
  }
}
