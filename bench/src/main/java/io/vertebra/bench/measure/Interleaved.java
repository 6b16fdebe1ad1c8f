package io.vertebra.bench.measure;

import java.util.ArrayList;
import java.util.List;

/**
 * Times several ways of doing the same so that what else the machine does hits all alike: they take turns, many times.
 * Before a turn the threads of the one before get time to stop spinning, and the first runs of a turn are not counted.
 */
public final class Interleaved {
  private static final int ROUNDS = 10;
  private static final int SETTLE_MILLIS = 10;
  private static final int UNCOUNTED = 2;

  private Interleaved() {}

  /**
   * @param seconds for each task, about
   * @return for each task the seconds of every run counted, ascending
   */
  public static List<double[]> time(List<Runnable> tasks, double seconds) {
    List<List<Double>> times = new ArrayList<>();
    tasks.forEach(task -> times.add(new ArrayList<>()));
    // A round more than is counted: the first one warms up caches, pages and compilers.
    for (int round = 0; round <= ROUNDS; round++) {
      for (int i = 0; i < tasks.size(); i++) {
        List<Double> turn = turn(tasks.get(i), seconds / ROUNDS);
        if (round > 0) {
          times.get(i).addAll(turn);
        }
      }
    }
    return times.stream().map(list -> list.stream().mapToDouble(Double::doubleValue).sorted().toArray()).toList();
  }

  private static List<Double> turn(Runnable task, double seconds) {
    settle();
    for (int i = 0; i < UNCOUNTED; i++) {
      task.run();
    }
    List<Double> times = new ArrayList<>();
    long end = System.nanoTime() + (long) (seconds * 1e9);
    long before = System.nanoTime();
    do {
      task.run();
      long after = System.nanoTime();
      times.add((after - before) * 1e-9);
      before = System.nanoTime();
    } while (before < end);
    return times;
  }

  private static void settle() {
    try {
      Thread.sleep(SETTLE_MILLIS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while benchmarking", e);
    }
  }

  /** Element at a fraction of a sorted array. */
  public static double quantile(double[] sorted, double fraction) {
    return sorted[Math.min(sorted.length - 1, (int) (fraction * sorted.length))];
  }
}
