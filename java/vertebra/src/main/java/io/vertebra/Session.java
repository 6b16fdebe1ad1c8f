package io.vertebra;

import io.vertebra.ProgramCache.Entry;
import io.vertebra.ProgramCache.Kind;
import io.vertebra.backbone.Backbone;
import io.vertebra.backend.Program;
import io.vertebra.backend.Reclaimable;
import io.vertebra.image.Image;
import io.vertebra.image.Preprocessing;
import io.vertebra.program.Observer;
import io.vertebra.tensor.Require;
import io.vertebra.tensor.Shape;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.ObjIntConsumer;
import java.util.stream.IntStream;

/**
 * Runs a {@link Model} for one caller at a time: a second thread that calls while one is running gets an
 * {@link IllegalStateException}. It keeps one program with its workspace for each of the last few kinds of call (input
 * size, batch, outputs), so repeated calls create nothing but their result. Where activations of a whole batch would
 * not stay in cache, the backend has it run in pieces. Close it to free the workspaces.
 *
 * <p>Images are prepared as the model's {@link Preprocessing} says. Raw inputs are {@code [batch, channels, height,
 * width]}, or {@code [batch, channels, frames, height, width]} for a video model, which takes nothing else; normalised,
 * row-major.
 */
public final class Session implements AutoCloseable {
  /** Of a measurement. */
  private static final int MAX_RUNS = 1 << 20;

  private final Model model;
  private final Object turn = new Object();
  /**
   * Whose turn it is; null: nobody's. Given up by this one store, in which no stack can overflow: a lock's unlock is a
   * call, and one that failed would lock the session for ever.
   */
  private volatile Thread running;
  private final ProgramCache programs;
  /** Made once, so that a steady {@link #embed} creates nothing but its result. */
  private final Kind embedding;
  private final Reclaimable memory;
  private volatile boolean closed;

  /** @param shape of one piece's */
  private record Output(Shape shape, float[] values) {}

  Session(Model model, long memoryLimit) {
    this.model = model;
    this.programs = new ProgramCache(model, memoryLimit);
    this.embedding = new Kind(Task.EMBED, model.defaultInput(), 1, false);
    this.memory = Reclaimable.of(this, "a session of model", model.name(), programs::close);
  }

  /**
   * The pooled features of an image.
   *
   * @return {@link Model#embeddingWidth()} values
   * @throws MemoryLimitException if that takes more than the session's memory limit, or if the checkpoint states an
   *   input size out of proportion to its weights; as every call that runs the model
   */
  public float[] embed(Image image) {
    Require.nonNull(image, "image");
    enter();
    try {
      requireImages();
      Program program = programs.get(embedding, model).program();
      program.put(0, image);
      program.run();
      return program.read(Backbone.POOLED);
    } finally {
      running = null;
    }
  }

  /** The pooled features of a batch, {@code [batch, embeddingWidth]}. */
  public float[] embedAll(List<Image> images) {
    return run(images, Task.EMBED).get(Backbone.POOLED).values();
  }

  /**
   * The classifier's output before the softmax, {@code [batch, classes]}.
   *
   * @throws IllegalArgumentException if the weights have no classifier
   */
  public float[] logitsAll(List<Image> images) {
    return run(images, Task.LOGITS).get(Backbone.LOGITS).values();
  }

  /**
   * The {@code count} most probable classes, most probable first.
   *
   * @throws IllegalArgumentException if the weights have no classifier
   */
  public List<Classification> classify(Image image, int count) {
    Require.nonNull(image, "image");
    return classifyAll(List.of(image), count).get(0);
  }

  /** {@link #classify} for every image of a batch. */
  public List<List<Classification>> classifyAll(List<Image> images, int count) {
    Require.nonNegative(count, "count");
    float[] probabilities = run(images, Task.CLASSIFY).get(Backbone.PROBABILITIES).values();
    int classes = model.labels().size();
    return IntStream.range(0, images.size())
        .mapToObj(image -> IntStream.range(0, classes)
            .mapToObj(c -> new Classification(c, model.labels().get(c), probabilities[image * classes + c]))
            .sorted(Comparator.comparingDouble((Classification c) -> -c.probability())).limit(count).toList())
        .toList();
  }

  /** Feature maps of all stages for dense tasks, finest first. */
  public List<FeatureMap> features(List<Image> images) {
    return featureMaps(run(images, Task.features(model.backbone())));
  }

  /**
   * Feature maps for a raw input of any size.
   *
   * @param shape {@code [batch, channels, (frames,) height, width]}
   */
  public List<FeatureMap> features(float[] input, Shape shape) {
    return featureMaps(run(input, shape, Task.features(model.backbone())));
  }

  /**
   * Named outputs for a raw input of any size the model accepts, such as {@link Backbone#LOGITS}, or {@code stage2}.
   *
   * @param shape {@code [batch, channels, (frames,) height, width]}
   * @return values by name, in the program's layout, channels last
   * @throws IllegalArgumentException if the input's size does not fit the shape, or the model refuses the shape or has
   *   no such output
   */
  public Map<String, float[]> run(float[] input, Shape shape, Set<String> outputs) {
    Map<String, float[]> values = new LinkedHashMap<>();
    run(input, shape, new Task(Set.copyOf(Require.noNulls(outputs, "outputs")), false))
        .forEach((name, output) -> values.put(name, output.values()));
    return values;
  }

  /**
   * Runs a raw input as far as the weights go, to probabilities, an embedding or feature maps, with {@code observer}
   * around every step. The batch runs in one piece, however large.
   *
   * @param shape {@code [batch, channels, (frames,) height, width]}
   */
  public void observe(float[] input, Shape shape, Observer observer) {
    Require.nonNull(observer, "observer");
    enter();
    try {
      prepareAll(input, shape).run(observer);
    } finally {
      running = null;
    }
  }

  /**
   * Runs what {@link #observe} runs, but plainly, several times on one input.
   *
   * @param runs 0 to 2^20
   * @return how long each run took in nanoseconds, from when the program has its input in host memory until it has its
   * outputs there
   */
  public long[] time(float[] input, Shape shape, int runs) {
    if (runs < 0 || runs > MAX_RUNS) {
      throw new IllegalArgumentException("runs must be 0 to " + MAX_RUNS + ": " + runs);
    }
    enter();
    try {
      Program program = prepareAll(input, shape);
      long[] nanos = new long[runs];
      for (int i = 0; i < runs; i++) {
        long start = System.nanoTime();
        program.run();
        nanos[i] = System.nanoTime() - start;
      }
      return nanos;
    } finally {
      running = null;
    }
  }

  private Program prepareAll(float[] input, Shape shape) {
    RawInput raw = RawInput.of(input, shape, model);
    Program program
        = programs.get(new Kind(Task.furthest(model.backbone()), raw.element(), raw.batch(), true), model).program();
    raw.write(0, raw.batch(), program.input());
    return program;
  }

  private Map<String, Output> run(List<Image> images, Task task) {
    requireImages();
    Require.noNulls(images, "images");
    if (images.isEmpty()) {
      throw new IllegalArgumentException("a batch needs at least one image");
    }
    return run(task, embedding.element(), images.size(), (entry, first) -> {
      for (int i = 0; i < entry.piece(); i++) {
        entry.program().put(i, images.get(first + i));
      }
    });
  }

  private Map<String, Output> run(float[] input, Shape shape, Task task) {
    RawInput raw = RawInput.of(input, shape, model);
    return run(task, raw.element(), raw.batch(),
        (entry, first) -> raw.write(first, entry.piece(), entry.program().input()));
  }

  /**
   * Runs a batch piece by piece.
   *
   * @param input puts the images from a given one on where a program reads them
   */
  private Map<String, Output> run(Task task, Shape element, int batch, ObjIntConsumer<Entry> input) {
    enter();
    try {
      Map<String, Output> results = new LinkedHashMap<>();
      Entry entry = programs.get(new Kind(task, element, batch, false), model);
      for (int first = 0; first < batch; first += entry.piece()) {
        if (batch - first < entry.piece()) {
          entry = programs.get(new Kind(task, element, batch - first, false), model);
        }
        input.accept(entry, first);
        entry.program().run();
        collect(entry, first, batch, results);
      }
      return results;
    } finally {
      running = null;
    }
  }

  private static void collect(Entry entry, int first, int batch, Map<String, Output> results) {
    entry.program().recording().outputs().forEach((name, tensor) -> {
      int size = Math.toIntExact(tensor.shape().elements() / entry.piece());
      if ((long) size * batch > Integer.MAX_VALUE) {
        throw new IllegalArgumentException(
            "output " + name + " of a batch of " + batch + " does not fit an array; run a smaller batch");
      }
      float[] values
          = results.computeIfAbsent(name, wanted -> new Output(tensor.shape(), new float[size * batch])).values();
      entry.program().read(tensor, values, size * first);
    });
  }

  private void enter() {
    Thread caller = Thread.currentThread();
    Thread other = take(caller);
    if (other == caller) {
      throw new IllegalStateException("this session is already running; an observer must not call it");
    }
    if (closed) {
      if (other == null) {
        running = null;
      }
      throw new IllegalStateException("this session of model " + model.name() + " is closed");
    }
    if (other != null) {
      throw new IllegalStateException(
          "this session is running in another thread; give every thread a session of its own");
    }
  }

  /**
   * Takes the turn if it is free, or its owner's thread was stopped in the middle.
   *
   * @return null, or whose it is
   */
  private Thread take(Thread caller) {
    synchronized (turn) {
      Thread owner = running;
      if (owner != null && owner.isAlive()) {
        return owner;
      }
      // Nothing is called from here on: what failed now would keep the turn.
      running = caller;
      return null;
    }
  }

  private void requireImages() {
    if (model.inputChannels() != 3) {
      throw new IllegalArgumentException("model " + model.name() + " takes " + model.inputChannels()
          + " channels, images have 3; run it on a raw input");
    }
    if (model.architecture().frames() > 0) {
      throw new IllegalArgumentException("model " + model.name() + " takes clips, not images; run it on a raw input"
          + " [batch, channels, frames, height, width]");
    }
  }

  private List<FeatureMap> featureMaps(Map<String, Output> outputs) {
    List<FeatureMap> maps = new ArrayList<>();
    List<String> names = model.backbone().featureNames();
    for (int i = 0; i < names.size(); i++) {
      Output output = outputs.get(names.get(i));
      Shape shape = output.shape();
      int images = output.values().length / (shape.dim(-3) * shape.dim(-2) * shape.channels());
      maps.add(new FeatureMap(names.get(i), model.backbone().featureStrides().get(i), images, shape.dim(-3),
          shape.dim(-2), shape.channels(), output.values()));
    }
    return maps;
  }

  /**
   * Waits for a running call to end, however long that takes, and frees the workspaces. Idempotent. A session that
   * nobody closes is freed when the garbage collector finds that nothing refers to it.
   *
   * @throws IllegalStateException if an observer of this session calls it: the run it watches still needs them
   */
  @Override
  public void close() {
    close(Long.MAX_VALUE);
  }

  /**
   * {@link #close()} that waits no longer than {@code timeout}. From then on the session refuses calls in any case. If
   * one is still running when the time is up, it goes on, and the workspaces are freed by the next close after it, or
   * when the garbage collector finds that nothing refers to the session.
   *
   * @param timeout 0: without waiting
   * @return whether the workspaces are freed
   * @throws IllegalStateException as {@link #close()} does
   */
  public boolean close(Duration timeout) {
    return close(nanos(timeout));
  }

  /** @throws IllegalArgumentException if that is no time to wait */
  static long nanos(Duration timeout) {
    if (Require.nonNull(timeout, "timeout").isNegative()) {
      throw new IllegalArgumentException("timeout is negative: " + timeout);
    }
    return TimeUnit.NANOSECONDS.convert(timeout);
  }

  boolean close(long timeout) {
    Thread caller = Thread.currentThread();
    if (running == caller) {
      throw new IllegalStateException("this session is running; an observer must not close it");
    }
    closed = true;
    long start = System.nanoTime();
    boolean interrupted = false;
    // Asks again and again: a thread that is stopped tells nobody.
    while (take(caller) != null) {
      if (System.nanoTime() - start >= timeout) {
        break;
      }
      try {
        Thread.sleep(1);
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    boolean taken = running == caller;
    if (taken) {
      try {
        memory.free();
      } finally {
        running = null;
      }
      model.forget(this);
    }
    if (interrupted) {
      caller.interrupt();
    }
    return taken;
  }
}
