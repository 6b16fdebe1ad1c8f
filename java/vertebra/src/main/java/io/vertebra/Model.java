package io.vertebra;

import io.vertebra.backbone.Architecture;
import io.vertebra.backbone.Backbone;
import io.vertebra.backbone.NeckArchitecture;
import io.vertebra.backbone.StatedPreprocessing;
import io.vertebra.backbone.Variant;
import io.vertebra.backend.Backend;
import io.vertebra.backend.Reclaimable;
import io.vertebra.image.Preprocessing;
import io.vertebra.program.Recording;
import io.vertebra.tensor.Closing;
import io.vertebra.tensor.Precision;
import io.vertebra.tensor.Require;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.VertebraException;
import io.vertebra.weights.Checkpoint;
import io.vertebra.weights.ParameterSource;
import io.vertebra.weights.WeightsException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.WeakHashMap;
import java.util.function.Supplier;

/**
 * A vision backbone with its weights, ready to run. Immutable and thread-safe; threads that run it each take a
 * {@link Session} of their own.
 *
 * <p>Closing a model closes its sessions and frees its weights.
 */
public final class Model implements AutoCloseable {
  static final long UNLIMITED = Long.MAX_VALUE;

  private final String name;
  private final Architecture architecture;
  private final Backend backend;
  private final Backbone backbone;
  private final List<String> labels;
  private final Preprocessing preprocessing;
  /** Weakly: a session that its user dropped is to be freed. */
  private final Set<Session> sessions = Collections.newSetFromMap(new WeakHashMap<>());
  private final Reclaimable memory;
  private final long weightBytes;
  private final long memoryLimit;
  /** Null if the file does not state the input's size. */
  private final StatedInput stated;
  private boolean closed;

  private Model(String name, Builder from, Architecture architecture, Backend backend, Backbone backbone,
      Map<String, String> metadata) {
    this.name = name;
    this.architecture = architecture;
    this.backend = backend;
    this.backbone = backbone;
    this.labels = Labels.of(metadata, backbone.classes());
    this.preprocessing = from.preprocessing != null ? from.preprocessing
        : StatedPreprocessing.of(architecture.preprocessing(), metadata);
    this.weightBytes = backend.loaded();
    this.memoryLimit = from.memoryLimit;
    boolean states = from.preprocessing == null && (from.architecture == null || metadata.containsKey("input_size"));
    this.stated = states ? new StatedInput(name, defaultInput(), weightBytes) : null;
    this.memory = Reclaimable.of(this, "model", name, backend::close);
  }

  /**
   * Starts a model of a published configuration, such as {@code swin_tiny_patch4_window7_224} (see
   * {@link Families#variants}).
   *
   * @throws IllegalArgumentException if there is none of that name
   */
  public static Builder builder(String variant) {
    Builder builder = new Builder();
    return builder.name(Require.nonNull(variant, "variant")).architecture(Families.named(variant).architecture());
  }

  /** Starts a model whose configuration its checkpoint tells (see {@link Families#recognise}). */
  public static Builder builder() {
    return new Builder();
  }

  /**
   * A model on the CPU whose configuration its checkpoint tells, with the defaults of {@link Builder}.
   *
   * @throws WeightsException if the checkpoint cannot be read, or does not tell
   */
  public static Model load(Path checkpoint) {
    return builder().weights(Require.nonNull(checkpoint, "checkpoint")).build();
  }

  /** What a {@link Model} is made of. Not thread-safe. */
  public static final class Builder {
    private String name;
    private Architecture architecture;
    private Supplier<? extends ParameterSource> weights;
    /** Whether {@link #build} opens a file, and so closes it. */
    private boolean opens;
    private int threads;
    private Device device = Device.CPU;
    private Precision precision = Precision.FP32;
    private Preprocessing preprocessing;
    private long memoryLimit = UNLIMITED;
    private NeckArchitecture neck;
    private ParameterSource neckWeights;

    private Builder() {}

    /** What the model calls itself; the default is its variant's name. */
    public Builder name(String own) {
      name = Require.nonNull(own, "name");
      return this;
    }

    /** A configuration of one's own, such as a published one with other rules for sizes. */
    public Builder architecture(Architecture own) {
      architecture = Require.nonNull(own, "architecture");
      return this;
    }

    /**
     * A checkpoint as published, which {@link #build} opens (see {@link Checkpoint#open(Path)}), reads and closes. What
     * is cut off meanwhile is a {@link WeightsException}.
     */
    public Builder weights(Path file) {
      Require.nonNull(file, "file");
      weights(() -> Checkpoint.open(file));
      opens = true;
      return this;
    }

    public Builder weights(ParameterSource source) {
      Require.nonNull(source, "source");
      return weights(() -> source);
    }

    /** Weights that {@link #build} asks for once, while the device starts. */
    public Builder weights(Supplier<? extends ParameterSource> source) {
      weights = Require.nonNull(source, "source");
      opens = false;
      return this;
    }

    /**
     * Threads of one operation on the CPU, the caller's included; 0 (the default): as many as CPUs the process may use.
     */
    public Builder threads(int count) {
      threads = Require.nonNegative(count, "threads");
      return this;
    }

    public Builder device(Device where) {
      device = Require.nonNull(where, "device");
      return this;
    }

    /** Arithmetic; the default is {@link Precision#FP32}, the only one of {@link Device#REFERENCE}. */
    public Builder precision(Precision arithmetic) {
      precision = Require.nonNull(arithmetic, "precision");
      return this;
    }

    /** How images become input; the default is the published evaluation's, or what the checkpoint's metadata states. */
    public Builder preprocessing(Preprocessing recipe) {
      preprocessing = Require.nonNull(recipe, "preprocessing");
      return this;
    }

    /**
     * Most bytes of native memory, on a GPU of device memory, that each session may take for its programs (see
     * {@link Model#sessionBytes}); the default is no limit. What would take more is a {@link MemoryLimitException}
     * before anything is allocated; programs of earlier calls make room first.
     */
    public Builder memoryLimit(long bytes) {
      memoryLimit = positive(bytes);
      return this;
    }

    /**
     * Puts a neck behind the backbone: {@link Session#features} then gives the neck's maps.
     *
     * @param neckParameters its weights, alone or with those of a whole detector or segmentor, so possibly the source
     *   of {@link #weights}
     */
    public Builder neck(NeckArchitecture own, ParameterSource neckParameters) {
      neck = Require.nonNull(own, "neck");
      neckWeights = Require.nonNull(neckParameters, "neckParameters");
      return this;
    }

    /**
     * Loads and packs the weights.
     *
     * @throws WeightsException if they cannot be read or do not fit the model, listing the parameters that are missing,
     *   unexpected or misshapen
     * @throws MemoryLimitException if the file states an input of more than 2^21 pixels, and the builder was given
     *   neither an architecture nor a preprocessing
     * @throws VertebraException if the device is not there
     */
    public Model build() {
      if (weights == null) {
        throw new IllegalStateException("a model needs weights: call weights(Path) with a checkpoint's file");
      }
      device.preload();
      ParameterSource source = Require.nonNull(weights.get(), "what the supplier of weights gave");
      try {
        return build(source);
      } finally {
        if (opens) {
          source.close();
        }
      }
    }

    private Model build(ParameterSource source) {
      Architecture adapted = architecture == null ? Families.recognise(source) : architecture.adaptTo(source);
      String title = name != null ? name : Families.variantOf(adapted).map(Variant::name).orElse(adapted.family());
      Backend backend = device.open(threads, precision);
      try {
        Backbone bare = adapted.load(source, backend);
        Backbone backbone = neck == null ? bare : neck.load(neckWeights, backend).over(bare);
        return new Model(title, this, adapted, backend, backbone, source.metadata());
      } catch (RuntimeException | Error e) {
        backend.close();
        throw e;
      }
    }
  }

  private static long positive(long bytes) {
    if (bytes < 1) {
      throw new IllegalArgumentException("a memory limit must be at least 1 byte: " + bytes);
    }
    return bytes;
  }

  /** Opens a session: a workspace for one caller at a time. */
  public Session newSession() {
    return newSession(memoryLimit);
  }

  /** A session with a {@link Builder#memoryLimit} of its own. */
  public Session newSession(long limit) {
    positive(limit);
    synchronized (sessions) {
      if (closed) {
        throw new IllegalStateException("model " + name + " is closed");
      }
      Session session = new Session(this, limit);
      sessions.add(session);
      return session;
    }
  }

  void forget(Session session) {
    synchronized (sessions) {
      sessions.remove(session);
    }
  }

  /** The variant's name, or the family's if the configuration is no published one. */
  public String name() {
    return name;
  }

  public Architecture architecture() {
    return architecture;
  }

  /** Device, instruction set, precision and threads, for people. */
  public String describe() {
    return name + " on " + backend.describe();
  }

  /** Names of the classes; empty without a classifier. */
  public List<String> labels() {
    return labels;
  }

  /** Length of an embedding; 0 if the weights have no final norm, as those of dense backbones. */
  public int embeddingWidth() {
    return backbone.embeddingWidth();
  }

  /** Channels of the input; 3 for images. */
  public int inputChannels() {
    return backbone.inputChannels();
  }

  public Preprocessing preprocessing() {
    return preprocessing;
  }

  /** Bytes of native memory, on a GPU of device memory, that the weights take; sessions share them. */
  public long weightBytes() {
    return weightBytes;
  }

  /**
   * Bytes of native memory, on a GPU with pinned host memory, that the first session takes for inputs of a shape, to
   * probabilities, an embedding or feature maps, as far as the weights go; nothing of that is allocated. Attention
   * biases and filters for the size, which are part of it, are shared with further sessions. A session keeps up to four
   * kinds of call, and needs some memory besides to prepare images, as the largest of them is.
   *
   * @param shape {@code [batch, channels, (frames,) height, width]}
   * @throws IllegalArgumentException if the model does not take such an input
   */
  public long sessionBytes(Shape shape) {
    Shape element = RawInput.element(Require.nonNull(shape, "shape"), this);
    return ProgramCache.bytes(new ProgramCache.Kind(Task.furthest(backbone), element, shape.dim(0), false), this);
  }

  /** What images become: one input, channels last. */
  Shape defaultInput() {
    return Shape.of(preprocessing.height(), preprocessing.width(), inputChannels());
  }

  /** @throws MemoryLimitException if a file asks for more than it may, for its own input size */
  void requireModest(Shape element, Recording recording, int images) {
    if (stated != null && element.equals(stated.element())) {
      stated.require(recording, images);
    }
  }

  Backbone backbone() {
    return backbone;
  }

  Backend backend() {
    return backend;
  }

  /**
   * Waits for running calls to end, however long they take, closes all sessions and frees the weights. Idempotent. A
   * model that nobody closes is freed when the garbage collector finds that nothing refers to it and its sessions.
   *
   * @throws IllegalStateException if an observer of a session calls it; the model is then to be closed again after that
   *   session's run
   */
  @Override
  public void close() {
    close(Long.MAX_VALUE);
  }

  /**
   * {@link #close()} that waits no longer than {@code timeout}. From then on the model and its sessions refuse calls in
   * any case. Calls that still run when the time is up go on; the weights are freed with the last session's workspaces
   * (see {@link Session#close(Duration)}).
   *
   * @param timeout 0: without waiting
   * @return whether all is freed
   * @throws IllegalStateException as {@link #close()} does
   */
  public boolean close(Duration timeout) {
    return close(Session.nanos(timeout));
  }

  private boolean close(long timeout) {
    long start = System.nanoTime();
    List<Session> open;
    synchronized (sessions) {
      closed = true;
      open = List.copyOf(sessions);
    }
    List<Session> left = new ArrayList<>();
    List<Runnable> frees = new ArrayList<>();
    for (Session session : open) {
      frees.add(() -> {
        if (!session.close(timeout - (System.nanoTime() - start))) {
          left.add(session);
        }
      });
    }
    frees.add(memory::free);
    Closing.all(frees);
    return left.isEmpty();
  }
}
