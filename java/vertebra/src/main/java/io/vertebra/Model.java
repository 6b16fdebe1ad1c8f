package io.vertebra;

import io.vertebra.backbone.Architecture;
import io.vertebra.backbone.Backbone;
import io.vertebra.backbone.NeckArchitecture;
import io.vertebra.backbone.StatedPreprocessing;
import io.vertebra.backbone.Variant;
import io.vertebra.backend.Backend;
import io.vertebra.image.Preprocessing;
import io.vertebra.tensor.Closing;
import io.vertebra.tensor.Precision;
import io.vertebra.tensor.VertebraException;
import io.vertebra.weights.Checkpoint;
import io.vertebra.weights.ParameterSource;
import io.vertebra.weights.WeightsException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Supplier;

/**
 * A vision backbone with its weights, ready to run. Immutable and thread-safe; threads that run it each take a
 * {@link Session} of their own.
 *
 * <p>Closing a model closes its sessions and frees its weights.
 */
public final class Model implements AutoCloseable {
  private final String name;
  private final Architecture architecture;
  private final Backend backend;
  private final Backbone backbone;
  private final List<String> labels;
  private final Preprocessing preprocessing;
  private final List<Session> sessions = new ArrayList<>();
  private boolean closed;

  private Model(String name, Architecture architecture, Backend backend, Backbone backbone, List<String> labels,
      Preprocessing preprocessing) {
    this.name = name;
    this.architecture = architecture;
    this.backend = backend;
    this.backbone = backbone;
    this.labels = labels;
    this.preprocessing = preprocessing;
  }

  /**
   * Starts a model of a published configuration, such as {@code swin_tiny_patch4_window7_224} (see
   * {@link Families#variants}).
   *
   * @throws IllegalArgumentException if there is none of that name
   */
  public static Builder builder(String variant) {
    Builder builder = new Builder();
    return builder.name(variant).architecture(Families.named(variant).architecture());
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
    return builder().weights(checkpoint).build();
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
    private NeckArchitecture neck;
    private ParameterSource neckWeights;

    private Builder() {}

    /** What the model calls itself; the default is its variant's name. */
    public Builder name(String own) {
      name = own;
      return this;
    }

    /** A configuration of one's own, such as a published one with other rules for sizes. */
    public Builder architecture(Architecture own) {
      architecture = own;
      return this;
    }

    /**
     * A checkpoint as published, which {@link #build} opens (see {@link Checkpoint#open(Path)}), reads and closes. What
     * is cut off meanwhile is a {@link WeightsException}.
     */
    public Builder weights(Path file) {
      weights(() -> Checkpoint.open(file));
      opens = true;
      return this;
    }

    public Builder weights(ParameterSource source) {
      return weights(() -> source);
    }

    /** Weights that {@link #build} asks for once, while the device starts. */
    public Builder weights(Supplier<? extends ParameterSource> source) {
      weights = source;
      opens = false;
      return this;
    }

    /**
     * Threads of one operation on the CPU, the caller's included; 0 (the default): as many as CPUs the process may use.
     */
    public Builder threads(int count) {
      threads = count;
      return this;
    }

    public Builder device(Device where) {
      device = where;
      return this;
    }

    /** Arithmetic; the default is {@link Precision#FP32}, the only one of {@link Device#REFERENCE}. */
    public Builder precision(Precision arithmetic) {
      precision = Objects.requireNonNull(arithmetic, "precision");
      return this;
    }

    /** How images become input; the default is the published evaluation's, or what the checkpoint's metadata states. */
    public Builder preprocessing(Preprocessing recipe) {
      preprocessing = recipe;
      return this;
    }

    /**
     * Puts a neck behind the backbone: {@link Session#features} then gives the neck's maps.
     *
     * @param neckParameters its weights, alone or with those of a whole detector or segmentor, so possibly the source
     *   of {@link #weights}
     */
    public Builder neck(NeckArchitecture own, ParameterSource neckParameters) {
      neck = own;
      neckWeights = neckParameters;
      return this;
    }

    /**
     * Loads and packs the weights.
     *
     * @throws WeightsException if they cannot be read or do not fit the model, listing the parameters that are missing,
     *   unexpected or misshapen
     * @throws VertebraException if the device is not there
     */
    public Model build() {
      if (weights == null) {
        throw new IllegalStateException("a model needs weights: call weights(Path) with a checkpoint's file");
      }
      device.preload();
      ParameterSource source = weights.get();
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
        Map<String, String> metadata = source.metadata();
        return new Model(title, adapted, backend, backbone, Labels.of(metadata, backbone.classes()),
            preprocessing != null ? preprocessing : StatedPreprocessing.of(adapted.preprocessing(), metadata));
      } catch (RuntimeException | Error e) {
        backend.close();
        throw e;
      }
    }
  }

  /** Opens a session: a workspace for one caller at a time. */
  public Session newSession() {
    synchronized (sessions) {
      if (closed) {
        throw new IllegalStateException("model " + name + " is closed");
      }
      Session session = new Session(this);
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

  Backbone backbone() {
    return backbone;
  }

  Backend backend() {
    return backend;
  }

  /**
   * Waits for running calls to end, closes all sessions and frees the weights. Idempotent.
   *
   * @throws IllegalStateException if an observer of a session calls it; the model is then to be closed again after that
   *   session's run
   */
  @Override
  public void close() {
    List<Runnable> frees = new ArrayList<>();
    synchronized (sessions) {
      closed = true;
      sessions.forEach(session -> frees.add(session::close));
    }
    frees.add(backend::close);
    Closing.all(frees);
  }
}
