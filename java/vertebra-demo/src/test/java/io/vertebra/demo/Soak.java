package io.vertebra.demo;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertebra.Model;
import io.vertebra.Session;
import io.vertebra.image.Image;
import io.vertebra.image.ImageException;
import io.vertebra.tensor.Precision;
import io.vertebra.tensor.Shape;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * Models of all families come and go in several threads, with images of all sizes, bad inputs and sessions that nobody
 * closes. Answers stay what they were, and the process does not grow. For {@code -Dsoak.seconds=}.
 */
class Soak {
  private static final int WORKERS = 3;
  /** What the process may grow by from the end of the first quarter to the end of the last. */
  private static final long GROWTH_KB = 48 << 10;
  private static final int MORE_THREADS = 4;
  private static final int MORE_DESCRIPTORS = 8;

  private final Map<String, float[]> firsts = new ConcurrentHashMap<>();
  private final Queue<Throwable> faults = new ConcurrentLinkedQueue<>();
  private final AtomicLong answers = new AtomicLong();
  private final AtomicLong refusals = new AtomicLong();

  /** Least of several looks, so that what is under way does not count. */
  private record Size(long residentKb, long threads, long descriptors) {
    static Size now() throws IOException {
      List<String> status = Files.readAllLines(Path.of("/proc/self/status"));
      try (Stream<Path> descriptors = Files.list(Path.of("/proc/self/fd"))) {
        return new Size(number(status, "VmRSS:"), number(status, "Threads:"), descriptors.count());
      }
    }

    private static long number(List<String> status, String key) {
      return status.stream().filter(line -> line.startsWith(key))
          .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", ""))).findFirst().orElseThrow();
    }

    Size least(Size other) {
      return new Size(Math.min(residentKb, other.residentKb), Math.min(threads, other.threads),
          Math.min(descriptors, other.descriptors));
    }
  }

  @Test
  void answersStayAndTheProcessDoesNotGrow() throws Exception {
    int seconds = Integer.getInteger("soak.seconds");
    long start = System.nanoTime();
    long end = start + seconds * 1_000_000_000L;
    List<Thread> workers = new ArrayList<>();
    for (int i = 0; i < WORKERS; i++) {
      Random random = new Random(i);
      Thread worker = new Thread(() -> {
        try {
          while (System.nanoTime() < end && faults.isEmpty()) {
            useModel(random);
          }
        } catch (RuntimeException | Error e) {
          faults.add(e);
        }
      });
      worker.start();
      workers.add(worker);
    }
    Size[] quarters = new Size[4];
    while (System.nanoTime() < end) {
      Thread.sleep(250);
      int quarter = (int) Math.min(3, (System.nanoTime() - start) * 4 / (end - start));
      Size now = Size.now();
      quarters[quarter] = quarters[quarter] == null ? now : quarters[quarter].least(now);
    }
    for (Thread worker : workers) {
      worker.join(60_000);
      assertThat(worker.isAlive()).as("a worker hangs").isFalse();
    }
    System.out
        .println(answers + " answers, " + refusals + " refusals; least of each quarter: " + Arrays.toString(quarters));
    assertThat(faults).isEmpty();
    // The first quarter warms up.
    Size before = quarters[1];
    Size after = quarters[3];
    assertThat(after.residentKb).as("resident KB").isLessThan(before.residentKb + GROWTH_KB);
    assertThat(after.threads).as("threads").isLessThanOrEqualTo(before.threads + MORE_THREADS);
    assertThat(after.descriptors).as("descriptors").isLessThanOrEqualTo(before.descriptors + MORE_DESCRIPTORS);
  }

  private void useModel(Random random) {
    String name = Digits.names().get(random.nextInt(Digits.names().size()));
    Precision precision = List.of(Precision.FP32, Precision.BF16, Precision.INT8).get(random.nextInt(3));
    try (Model model = Digits.named(name).precision(precision).threads(1 + random.nextInt(2)).build()) {
      if (random.nextBoolean()) {
        // Forgotten: the model frees it.
        model.newSession().embed(image(random.nextInt(8)));
      }
      for (int i = 0; i < 4; i++) {
        try (Session session = model.newSession()) {
          for (int j = 0; j < 6; j++) {
            use(session, model, name + " " + precision, random);
          }
        }
      }
    }
    if (random.nextInt(8) == 0) {
      // Forgotten altogether: the collector's.
      Digits.named(name).threads(1).build().newSession().embed(image(0));
      System.gc();
    }
  }

  private void use(Session session, Model model, String what, Random random) {
    int seed = random.nextInt(8);
    Image image = image(seed);
    int batch = 1 + random.nextInt(5);
    int side = 32 * (1 + random.nextInt(2));
    Shape shape = Shape.of(1, 3, side, side);
    switch (random.nextInt(5)) {
      case 0 -> same(what + " embed " + seed, session.embed(image));
      case 1 -> same(what + " batch " + seed + " of " + batch, session.logitsAll(Collections.nCopies(batch, image)));
      case 2 -> same(what + " features " + side, session.features(new float[3 * side * side], shape).get(0).values());
      case 3 -> {
        session.classify(image, 3);
        refused(IllegalArgumentException.class, () -> session.run(new float[3], Shape.of(1, 3, 1, 1), Set.of("x")));
        refused(IllegalArgumentException.class, () -> session.classify(null, 3));
      }
      default -> {
        refused(ImageException.class, () -> Image.read(new byte[] {(byte) 0xff, (byte) 0xd8, 1, 2, 3}, "cut"));
        Session closed = model.newSession();
        closed.close();
        refused(IllegalStateException.class, () -> closed.embed(image));
      }
    }
  }

  /** Of another size for every seed. */
  private static Image image(int seed) {
    int width = 5 + 37 * seed;
    int height = 250 - 29 * seed;
    byte[] pixels = new byte[3 * width * height];
    new Random(seed).nextBytes(pixels);
    return Image.rgb(ByteBuffer.wrap(pixels), width, height);
  }

  private void same(String what, float[] answer) {
    answers.incrementAndGet();
    float[] first = firsts.putIfAbsent(what, answer);
    if (first != null && !Arrays.equals(first, answer)) {
      throw new AssertionError(what + " is not what it was at first");
    }
  }

  private void refused(Class<? extends RuntimeException> kind, Runnable call) {
    refusals.incrementAndGet();
    try {
      call.run();
    } catch (RuntimeException e) {
      if (kind.isInstance(e)) {
        return;
      }
      throw e;
    }
    throw new AssertionError("a bad input was taken");
  }
}
