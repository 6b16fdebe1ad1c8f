package io.vertebra;

import io.vertebra.backbone.Backbone;
import io.vertebra.backend.Preprocessor;
import io.vertebra.backend.Program;
import io.vertebra.image.Image;
import io.vertebra.image.Preprocessing;
import io.vertebra.program.Observer;
import io.vertebra.program.Recording;
import io.vertebra.tensor.Closing;
import io.vertebra.tensor.Shape;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.IntFunction;
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
  private static final int PROGRAMS = 4;
  private static final Set<String> EMBED = Set.of(Backbone.POOLED);
  private static final Set<String> LOGITS = Set.of(Backbone.LOGITS);
  private static final Set<String> CLASSIFY = Set.of(Backbone.PROBABILITIES);

  private final Model model;
  private final ReentrantLock running = new ReentrantLock();
  private final List<Entry> programs = new ArrayList<>();
  private final Preprocessor preprocessor;
  /** The shape of an image as preprocessing makes it. */
  private final Shape image;
  private boolean closed;

  /**
   * @param element shape of an image or clip, channels last
   * @param batch images of the calls this serves
   * @param whole whether the batch has to run in one piece
   * @param piece how many images the program takes
   */
  private record Entry(Shape element, Set<String> outputs, boolean dense, int batch, boolean whole, int piece,
      Program program) {
    boolean serves(Shape wantedElement, Set<String> wanted, boolean wantsDense, int wantedBatch, boolean wantsWhole) {
      // One that runs the batch in one piece anyway serves those who insist on it.
      return dense == wantsDense && batch == wantedBatch && (whole == wantsWhole || !whole && piece == batch)
          && element.equals(wantedElement) && (outputs == wanted || outputs.equals(wanted));
    }
  }

  /** Puts images of a batch, from {@code first} on, where a program reads them. */
  @FunctionalInterface
  private interface Input {
    void write(int first, Entry entry);
  }

  /** @param shape of one piece's */
  private record Output(Shape shape, float[] values) {}

  Session(Model model) {
    this.model = model;
    this.preprocessor = model.backend().preprocessor(model.preprocessing());
    this.image
        = Shape.of(model.preprocessing().height(), model.preprocessing().width(), model.backbone().inputChannels());
  }

  /**
   * The pooled features of an image.
   *
   * @return {@link Model#embeddingWidth()} values
   */
  public float[] embed(Image image) {
    enter();
    try {
      Entry entry = program(element(), EMBED, false, 1, false);
      preprocessor.apply(image, entry.program, 0);
      entry.program.run();
      return entry.program.read(Backbone.POOLED);
    } finally {
      running.unlock();
    }
  }

  /** The pooled features of a batch, {@code [batch, embeddingWidth]}. */
  public float[] embedAll(List<Image> images) {
    return run(images, EMBED, Backbone.POOLED);
  }

  /** The classifier's output before the softmax, {@code [batch, classes]}. */
  public float[] logitsAll(List<Image> images) {
    return run(images, LOGITS, Backbone.LOGITS);
  }

  /** The {@code count} most probable classes, most probable first. */
  public List<Classification> classify(Image image, int count) {
    return classifyAll(List.of(image), count).get(0);
  }

  /** {@link #classify} for every image of a batch. */
  public List<List<Classification>> classifyAll(List<Image> images, int count) {
    float[] probabilities = run(images, CLASSIFY, Backbone.PROBABILITIES);
    int classes = model.labels().size();
    return IntStream.range(0, images.size())
        .mapToObj(image -> IntStream.range(0, classes)
            .mapToObj(c -> new Classification(c, model.labels().get(c), probabilities[image * classes + c]))
            .sorted(Comparator.comparingDouble((Classification c) -> -c.probability())).limit(count).toList())
        .toList();
  }

  /** Feature maps of all stages for dense tasks, finest first. */
  public List<FeatureMap> features(List<Image> images) {
    return featureMaps(run(images, featureNames(), true));
  }

  /**
   * Feature maps for a raw input of any size.
   *
   * @param shape {@code [batch, channels, (frames,) height, width]}
   */
  public List<FeatureMap> features(float[] input, Shape shape) {
    return featureMaps(run(input, shape, featureNames(), true));
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
    run(input, shape, outputs, false).forEach((name, output) -> values.put(name, output.values()));
    return values;
  }

  /**
   * Runs a raw input as far as the weights go, to probabilities, an embedding or feature maps, with {@code observer}
   * around every step. The batch runs in one piece, however large.
   *
   * @param shape {@code [batch, channels, (frames,) height, width]}
   */
  public void observe(float[] input, Shape shape, Observer observer) {
    enter();
    try {
      prepareAll(input, shape).run(observer);
    } finally {
      running.unlock();
    }
  }

  /**
   * Runs what {@link #observe} runs, but plainly, several times on one input.
   *
   * @return how long each run took in nanoseconds, from when the program has its input in host memory until it has its
   * outputs there
   */
  public long[] time(float[] input, Shape shape, int runs) {
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
      running.unlock();
    }
  }

  private Program prepareAll(float[] input, Shape shape) {
    Backbone backbone = model.backbone();
    boolean dense = backbone.embeddingWidth() == 0;
    Set<String> outputs = dense ? featureNames() : backbone.classes() > 0 ? CLASSIFY : EMBED;
    Entry entry = program(element(input, shape), outputs, dense, shape.dim(0), true);
    write(input, 0, entry);
    return entry.program;
  }

  private float[] run(List<Image> images, Set<String> outputs, String output) {
    return run(images, outputs, false).get(output).values();
  }

  private Map<String, Output> run(List<Image> images, Set<String> outputs, boolean dense) {
    if (images.isEmpty()) {
      throw new IllegalArgumentException("a batch needs at least one image");
    }
    return run(element(), outputs, dense, images.size(), (first, entry) -> {
      for (int i = 0; i < entry.piece; i++) {
        preprocessor.apply(images.get(first + i), entry.program, i);
      }
    });
  }

  private Map<String, Output> run(float[] input, Shape shape, Set<String> outputs, boolean dense) {
    return run(element(input, shape), outputs, dense, shape.dim(0), (first, entry) -> write(input, first, entry));
  }

  /** Runs a batch piece by piece. */
  private Map<String, Output> run(Shape element, Set<String> outputs, boolean dense, int batch, Input input) {
    enter();
    try {
      Map<String, Output> results = new LinkedHashMap<>();
      Entry entry = program(element, outputs, dense, batch, false);
      for (int first = 0; first < batch; first += entry.piece) {
        if (batch - first < entry.piece) {
          entry = program(element, outputs, dense, batch - first, false);
        }
        input.write(first, entry);
        entry.program.run();
        collect(entry, first, batch, results);
      }
      return results;
    } finally {
      running.unlock();
    }
  }

  private static void collect(Entry entry, int first, int batch, Map<String, Output> results) {
    entry.program.recording().outputs().forEach((name, tensor) -> {
      int size = Math.toIntExact(tensor.shape().elements() / entry.piece);
      if ((long) size * batch > Integer.MAX_VALUE) {
        throw new IllegalArgumentException(
            "output " + name + " of a batch of " + batch + " does not fit an array; run a smaller batch");
      }
      float[] values
          = results.computeIfAbsent(name, wanted -> new Output(tensor.shape(), new float[size * batch])).values();
      entry.program.read(tensor, values, size * first);
    });
  }

  private void enter() {
    if (!running.tryLock()) {
      throw new IllegalStateException(
          "this session is running in another thread; give every thread a session of its own");
    }
    if (closed) {
      running.unlock();
      throw new IllegalStateException("this session of model " + model.name() + " is closed");
    }
    if (running.getHoldCount() > 1) {
      running.unlock();
      throw new IllegalStateException("this session is already running; an observer must not call it");
    }
  }

  /**
   * Checks a raw input.
   *
   * @return the shape of one image or clip of it, channels last
   */
  private Shape element(float[] input, Shape shape) {
    int channels = model.backbone().inputChannels();
    boolean video = model.architecture().inputFrames() > 0;
    if (shape.rank() != (video ? 5 : 4) || shape.elements() != input.length || shape.dim(1) != channels) {
      throw new IllegalArgumentException(
          input.length + " values of shape " + shape + " are no input of model " + model.name() + ": it takes [batch, "
              + channels + (video ? ", frames, height, width]" : ", height, width]"));
    }
    return video ? Shape.of(shape.dim(2), shape.dim(3), shape.dim(4), channels)
        : Shape.of(shape.dim(2), shape.dim(3), channels);
  }

  private static void write(float[] input, int first, Entry entry) {
    int channels = entry.element.channels();
    int positions = entry.element.rows();
    for (int i = 0; i < entry.piece; i++) {
      FloatBuffer slot = entry.program.slot(i);
      int image = (first + i) * channels * positions;
      int next = 0;
      for (int position = 0; position < positions; position++) {
        for (int channel = 0; channel < channels; channel++) {
          slot.put(next++, input[image + channel * positions + position]);
        }
      }
    }
  }

  /** The shape of an image, if the model takes any. */
  private Shape element() {
    if (model.backbone().inputChannels() != 3) {
      throw new IllegalArgumentException("model " + model.name() + " takes " + model.backbone().inputChannels()
          + " channels, images have 3; run it on a raw input");
    }
    if (model.architecture().inputFrames() > 0) {
      throw new IllegalArgumentException("model " + model.name() + " takes clips, not images; run it on a raw input"
          + " [batch, channels, frames, height, width]");
    }
    return image;
  }

  /** @param whole whether the batch is to run in one piece */
  private Entry program(Shape element, Set<String> outputs, boolean dense, int batch, boolean whole) {
    for (int i = 0; i < programs.size(); i++) {
      Entry entry = programs.get(i);
      if (entry.serves(element, outputs, dense, batch, whole)) {
        if (i > 0) {
          programs.add(0, programs.remove(i));
        }
        return entry;
      }
    }
    Backbone backbone = model.backbone();
    if (outputs == CLASSIFY && backbone.classes() == 0) {
      throw new IllegalArgumentException(
          "the weights of model " + model.name() + " have no classifier; use embed or features");
    }
    if (!dense && backbone.embeddingWidth() == 0) {
      throw new IllegalArgumentException("the weights of model " + model.name()
          + " are a dense backbone's, without final norm and" + " classifier; use features");
    }
    IntFunction<Recording> record
        = images -> Recording.of(batch(images, element), outputs, dense ? backbone::features : backbone::forward);
    int piece = whole ? batch : model.backend().piece(batch, record);
    Recording recording = record.apply(piece);
    if (programs.size() == PROGRAMS) {
      // Before the new one is made: there may not be memory for both.
      programs.remove(PROGRAMS - 1).program.close();
    }
    Program program = model.backend().compile(recording);
    Entry entry = new Entry(element, Set.copyOf(outputs), dense, batch, whole, piece, program);
    programs.add(0, entry);
    return entry;
  }

  private static Shape batch(int images, Shape element) {
    return element.rank() == 3 ? Shape.of(images, element.dim(0), element.dim(1), element.dim(2))
        : Shape.of(images, element.dim(0), element.dim(1), element.dim(2), element.dim(3));
  }

  private Set<String> featureNames() {
    return Set.copyOf(model.backbone().featureNames());
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
   * Waits for a running call to end and frees the workspaces. Idempotent.
   *
   * @throws IllegalStateException if an observer of this session calls it: the run it watches still needs them
   */
  @Override
  public void close() {
    running.lock();
    try {
      if (running.getHoldCount() > 1) {
        throw new IllegalStateException("this session is running; an observer must not close it");
      }
      if (!closed) {
        closed = true;
        List<Runnable> frees = new ArrayList<>();
        programs.forEach(entry -> frees.add(entry.program::close));
        frees.add(programs::clear);
        frees.add(preprocessor::close);
        Closing.all(frees);
      }
    } finally {
      running.unlock();
      if (closed) {
        model.forget(this);
      }
    }
  }
}
