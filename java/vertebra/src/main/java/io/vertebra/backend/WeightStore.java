package io.vertebra.backend;

import io.vertebra.program.Recording;
import io.vertebra.program.op.Weights;
import io.vertebra.tensor.Closing;
import io.vertebra.tensor.Shape;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;

/**
 * The weights that a backend packed into memory the garbage collector knows nothing of, and how long they and the
 * backend live: weights are freed once nothing refers to them, or when the backend is closed and the last program and
 * preprocessor that use it are, too. Thread-safe.
 */
public final class WeightStore implements AutoCloseable {
  /** Weights that may be garbage for all this knows; beyond that the collector is asked to look. */
  private static final long MIN_COLLECTED = 1L << 29;

  private final String backend;
  private final Runnable afterAll;
  private final Set<Block> blocks = Collections.newSetFromMap(new IdentityHashMap<>());
  private long bytes;
  private long collectAt = MIN_COLLECTED;
  private int users;
  private boolean loaded;
  private boolean closed;
  private boolean freed;

  /** Memory of a backend. */
  public interface Block extends AutoCloseable {
    long address();

    long bytes();

    @Override
    void close();
  }

  /** What weights were packed as. */
  public enum Form {
    VALUES("values"), MATRIX("a packed matrix"), CONVOLUTION("a packed convolution");

    private final String label;

    Form(String label) {
      this.label = label;
    }
  }

  /**
   * Weights as kernels read them. What holds the address holds the recording, and so this.
   *
   * @param shape what they were given as
   * @param late packed when the model was loaded already
   */
  private record Packed(WeightStore owner, Form form, Shape shape, Block block, boolean late) implements Weights {}

  /**
   * @param backend its name, for messages
   * @param afterAll called once, when all weights are freed and nothing uses the backend any more
   */
  public WeightStore(String backend, Runnable afterAll) {
    this.backend = backend;
    this.afterAll = afterAll;
  }

  /** @throws IllegalStateException if the backend is closed */
  public synchronized void requireOpen() {
    if (closed) {
      throw new IllegalStateException("the " + backend + " backend is closed");
    }
  }

  /**
   * Makes something that keeps the backend and the weights alive until it calls {@link #release}.
   *
   * @throws IllegalStateException if the backend is closed
   */
  public <T> T acquired(Supplier<T> maker) {
    synchronized (this) {
      requireOpen();
      users++;
    }
    try {
      return maker.get();
    } catch (RuntimeException | Error e) {
      release();
      throw e;
    }
  }

  /** Does something that needs the backend. */
  public <T> T using(Supplier<T> body) {
    T result = acquired(body);
    release();
    return result;
  }

  public synchronized void release() {
    users--;
    freeUnused();
  }

  /** Weights in the memory that {@code packing} fills. */
  public Weights pack(Form form, Shape shape, Supplier<? extends Block> packing) {
    Weights made = using(() -> keep(form, shape, packing.get()));
    if (isCollectionDue()) {
      // The collector sees small objects and may leave them for long; it cannot know what memory stands behind them.
      System.gc();
    }
    return made;
  }

  private synchronized Weights keep(Form form, Shape shape, Block block) {
    Packed made = new Packed(this, form, shape, block, loaded);
    Reclaimable.of(made, () -> discard(block));
    blocks.add(block);
    bytes += block.bytes();
    return made;
  }

  /**
   * What is packed from now on is late.
   *
   * @return bytes of all weights
   */
  public synchronized long loaded() {
    loaded = true;
    return bytes;
  }

  /** Bytes of the weights that a recording reads and that were packed late. */
  public static long lateBytes(Recording recording) {
    Set<Weights> read = new HashSet<>();
    recording.calls().forEach(call -> {
      read.addAll(call.op().matrices());
      read.addAll(call.op().values());
    });
    return read.stream().mapToLong(weights -> weights instanceof Packed own && own.late ? own.block.bytes() : 0).sum();
  }

  /** Whether so much was packed that some may be garbage; the answer is yes once for each doubling. */
  private synchronized boolean isCollectionDue() {
    boolean due = bytes > collectAt;
    collectAt = due ? 2 * bytes : collectAt;
    return due;
  }

  /** Frees weights nothing refers to any more. */
  private synchronized void discard(Block block) {
    if (blocks.remove(block)) {
      block.close();
      bytes -= block.bytes();
      collectAt = Math.max(MIN_COLLECTED, 2 * bytes);
    }
  }

  /**
   * Address of weights.
   *
   * @throws IllegalArgumentException if another backend packed them, or in another form
   */
  public long address(Weights weights, Form form) {
    if (!(weights instanceof Packed own) || own.owner != this) {
      throw new IllegalArgumentException("weights " + weights.shape() + " were packed by another backend");
    }
    if (own.form != form) {
      throw new IllegalArgumentException(
          "weights " + weights.shape() + " are " + own.form.label + ", not " + form.label);
    }
    return own.block.address();
  }

  /** Idempotent. */
  @Override
  public synchronized void close() {
    closed = true;
    freeUnused();
  }

  private void freeUnused() {
    if (closed && users == 0 && !freed) {
      freed = true;
      List<Runnable> frees = new ArrayList<>();
      blocks.forEach(block -> frees.add(block::close));
      frees.add(blocks::clear);
      frees.add(afterAll);
      Closing.all(frees);
    }
  }
}
