package io.vertebra;

import io.vertebra.backbone.Backbone;
import io.vertebra.image.Image;
import io.vertebra.image.Preprocessing;
import io.vertebra.image.Preprocessor;
import io.vertebra.program.Observer;
import io.vertebra.program.Program;
import io.vertebra.program.Recording;
import io.vertebra.program.Shape;
import io.vertebra.program.Tensor;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;
import java.util.stream.IntStream;

/**
 * Runs a {@link Model} for one caller at a time: a second thread that calls while one is running gets an {@link IllegalStateException}.
 * It keeps one program with its workspace for each of the last few kinds of call (input size, batch, outputs), so repeated calls create nothing but their
 * result. Close it to free the workspaces.
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
  private boolean closed;

  private record Entry(Set<String> outputs, boolean dense, Shape input, Program program) {
    boolean serves(Set<String> wanted, boolean wantsDense, int batch, int frames, int height, int width) {
      return dense == wantsDense && input.dim(0) == batch && (input.rank() == 5 ? input.dim(1) : 0) == frames && input.dim(-3) == height
          && input.dim(-2) == width && (outputs == wanted || outputs.equals(wanted));
    }
  }

  Session(Model model) {
    this.model = model;
    this.preprocessor = model.backend().preprocessor(model.preprocessing());
  }

  /**
   * The pooled features of an image.
   *
   * @return {@link Model#embeddingWidth()} values
   */
  public float[] embed(Image image) {
    enter();
    try {
      Entry entry = program(EMBED, false, 1);
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
    return IntStream.range(0, images.size()).mapToObj(image -> IntStream.range(0, classes)
        .mapToObj(c -> new Classification(c, model.labels().get(c), probabilities[image * classes + c]))
        .sorted(Comparator.comparingDouble((Classification c) -> -c.probability())).limit(count).toList()).toList();
  }

  /** Feature maps of all stages for dense tasks, finest first. */
  public List<FeatureMap> features(List<Image> images) {
    enter();
    try {
      Entry entry = prepare(images, Set.copyOf(model.backbone().featureNames()), true);
      entry.program.run();
      return featureMaps(entry.program);
    } finally {
      running.unlock();
    }
  }

  /**
   * Feature maps for a raw input of any size.
   *
   * @param shape {@code [batch, channels, (frames,) height, width]}
   */
  public List<FeatureMap> features(float[] input, Shape shape) {
    enter();
    try {
      Entry entry = prepare(input, shape, Set.copyOf(model.backbone().featureNames()), true);
      entry.program.run();
      return featureMaps(entry.program);
    } finally {
      running.unlock();
    }
  }

  /**
   * Named outputs for a raw input of any size the model accepts, such as {@link Backbone#LOGITS}, or {@code stage2}.
   *
   * @param shape {@code [batch, channels, (frames,) height, width]}
   * @return values by name, in the program's layout, channels last
   * @throws IllegalArgumentException if the input's size does not fit the shape, or the model refuses the shape or has no such output
   */
  public Map<String, float[]> run(float[] input, Shape shape, Set<String> outputs) {
    enter();
    try {
      Entry entry = prepare(input, shape, outputs, false);
      entry.program.run();
      Map<String, float[]> values = new LinkedHashMap<>();
      entry.program.recording().outputs().keySet().forEach(name -> values.put(name, entry.program.read(name)));
      return values;
    } finally {
      running.unlock();
    }
  }

  /**
   * Runs a raw input as far as the weights go, to probabilities, an embedding or feature maps, with {@code observer} around every step.
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
   * @return how long each run took in nanoseconds, from when the program has its input in host memory until it has its outputs there
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
    Set<String> outputs = dense ? Set.copyOf(backbone.featureNames()) : backbone.classes() > 0 ? CLASSIFY : EMBED;
    return prepare(input, shape, outputs, dense).program;
  }

  private float[] run(List<Image> images, Set<String> outputs, String output) {
    enter();
    try {
      Entry entry = prepare(images, outputs, false);
      entry.program.run();
      return entry.program.read(output);
    } finally {
      running.unlock();
    }
  }

  private void enter() {
    if (!running.tryLock()) {
      throw new IllegalStateException("this session is running in another thread; give every thread a session of its own");
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

  private Entry prepare(List<Image> images, Set<String> outputs, boolean dense) {
    if (images.isEmpty()) {
      throw new IllegalArgumentException("a batch needs at least one image");
    }
    Entry entry = program(outputs, dense, images.size());
    for (int i = 0; i < images.size(); i++) {
      preprocessor.apply(images.get(i), entry.program, i);
    }
    return entry;
  }

  private Entry prepare(float[] input, Shape shape, Set<String> outputs, boolean dense) {
    int channels = model.backbone().inputChannels();
    boolean video = model.architecture().inputFrames() > 0;
    if (shape.rank() != (video ? 5 : 4) || shape.elements() != input.length || shape.dim(1) != channels) {
      throw new IllegalArgumentException(input.length + " values of shape " + shape + " are no input of model " + model.name()
          + ": it takes [batch, " + channels + (video ? ", frames, height, width]" : ", height, width]"));
    }
    Entry entry = program(outputs, dense, shape.dim(0), video ? shape.dim(2) : 0, shape.dim(-2), shape.dim(-1));
    int positions = input.length / shape.dim(0) / channels;
    FloatBuffer target = entry.program.input();
    int next = 0;
    for (int image = 0; image < input.length; image += channels * positions) {
      for (int position = 0; position < positions; position++) {
        for (int channel = 0; channel < channels; channel++) {
          target.put(next++, input[image + channel * positions + position]);
        }
      }
    }
    return entry;
  }

  /** The program for images, which preprocessing brings to one size. */
  private Entry program(Set<String> outputs, boolean dense, int batch) {
    if (model.backbone().inputChannels() != 3) {
      throw new IllegalArgumentException("model " + model.name() + " takes " + model.backbone().inputChannels()
          + " channels, images have 3; run it on a raw input");
    }
    if (model.architecture().inputFrames() > 0) {
      throw new IllegalArgumentException("model " + model.name() + " takes clips, not images; run it on a raw input"
          + " [batch, channels, frames, height, width]");
    }
    return program(outputs, dense, batch, 0, model.preprocessing().height(), model.preprocessing().width());
  }

  /** @param frames of a clip; 0 for an image */
  private Entry program(Set<String> outputs, boolean dense, int batch, int frames, int height, int width) {
    for (int i = 0; i < programs.size(); i++) {
      Entry entry = programs.get(i);
      if (entry.serves(outputs, dense, batch, frames, height, width)) {
        if (i > 0) {
          programs.add(0, programs.remove(i));
        }
        return entry;
      }
    }
    Backbone backbone = model.backbone();
    if (outputs == CLASSIFY && backbone.classes() == 0) {
      throw new IllegalArgumentException("the weights of model " + model.name() + " have no classifier; use embed or features");
    }
    if (!dense && backbone.embeddingWidth() == 0) {
      throw new IllegalArgumentException("the weights of model " + model.name() + " are a dense backbone's, without final norm and"
          + " classifier; use features");
    }
    int channels = backbone.inputChannels();
    Shape input = frames == 0 ? Shape.of(batch, height, width, channels) : Shape.of(batch, frames, height, width, channels);
    Program program = model.backend().compile(Recording.of(input, outputs, dense ? backbone::features : backbone::forward));
    if (programs.size() == PROGRAMS) {
      programs.remove(PROGRAMS - 1).program.close();
    }
    Entry entry = new Entry(Set.copyOf(outputs), dense, input, program);
    programs.add(0, entry);
    return entry;
  }

  private List<FeatureMap> featureMaps(Program program) {
    List<FeatureMap> maps = new ArrayList<>();
    List<String> names = model.backbone().featureNames();
    for (int i = 0; i < names.size(); i++) {
      Tensor tensor = program.recording().outputs().get(names.get(i));
      Shape shape = tensor.shape();
      int batch = shape.rows() / shape.dim(-3) / shape.dim(-2);
      maps.add(new FeatureMap(names.get(i), model.backbone().featureStrides().get(i), batch, shape.dim(-3), shape.dim(-2),
          shape.channels(), program.read(tensor)));
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
        programs.forEach(entry -> entry.program.close());
        programs.clear();
        preprocessor.close();
      }
    } finally {
      running.unlock();
    }
    model.forget(this);
  }
}
