package io.vertebra.backend;

import io.vertebra.image.Image;
import io.vertebra.image.ImageException;
import io.vertebra.program.Observer;
import io.vertebra.program.Recording;
import io.vertebra.program.op.Call;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Tensor;
import java.nio.FloatBuffer;

/**
 * A {@link Recording} bound to a backend: memory placed, kernels chosen, nothing left to check or allocate. Write the
 * input, run, read the outputs. Not thread-safe; close it to free its workspace.
 */
public abstract class Program implements AutoCloseable {
  private final Recording recording;
  private final Preprocessor preprocessor;
  private boolean closed;

  /** @param preprocessor what makes images into input; null for a program that takes none */
  protected Program(Recording recording, Preprocessor preprocessor) {
    this.recording = recording;
    this.preprocessor = preprocessor;
  }

  public final Recording recording() {
    return recording;
  }

  /**
   * An input's memory, channels last: a direct buffer in native order, valid until the program is closed. A run may
   * overwrite it.
   */
  public final FloatBuffer input(int index) {
    requireOpen();
    return inputMemory(index);
  }

  /** The memory of the only, or first, input. */
  public final FloatBuffer input() {
    return input(0);
  }

  protected abstract FloatBuffer inputMemory(int index);

  /**
   * Makes an image an element of the first input's batch for the next run, by the preprocessor's recipe. A device may
   * do that in its own memory: then it is not in {@link #input()}, and asking for that drops it, for raw input in its
   * place.
   *
   * @throws ImageException if the image is too long and thin to be resized
   * @throws IllegalArgumentException if the program takes no images, or none of the recipe's size there
   * @throws IllegalStateException if this or the preprocessor is closed
   */
  public final void put(int element, Image image) {
    requireOpen();
    if (preprocessor == null) {
      throw new IllegalArgumentException("this program takes no images; have it compiled by a preprocessor");
    }
    int size = preprocessor.recipe().elements();
    Shape input = recording.inputs().get(0).shape();
    if (element < 0 || element >= input.dim(0) || input.elements() / input.dim(0) != size) {
      throw new IllegalArgumentException(
          "an image of " + size + " values is no element " + element + " of an input " + input);
    }
    prepare(element, image);
  }

  /** {@link #put} once its arguments are checked. */
  protected abstract void prepare(int element, Image image);

  /**
   * Runs all calls.
   *
   * @throws IllegalStateException if the program is closed, as in every other method
   */
  public final void run() {
    requireOpen();
    execute();
  }

  /** Runs call by call, with {@code observer} around each. */
  public final void run(Observer observer) {
    requireOpen();
    execute(observer);
  }

  /** Runs all calls, here one after the other; a device that takes them all at once overrides it. */
  protected void execute() {
    for (int i = 0; i < recording.calls().size(); i++) {
      requireOpen();
      execute(i);
    }
  }

  /** {@link #run(Observer)}, here timed by the host's clock; a device with a clock of its own overrides it. */
  protected void execute(Observer observer) {
    int count = recording.calls().size();
    long[] times = new long[2 * count];
    for (int i = 0; i < count; i++) {
      Call call = recording.calls().get(i);
      observer.before(i, call);
      requireOpen();
      times[2 * i] = System.nanoTime();
      execute(i);
      times[2 * i + 1] = System.nanoTime();
      observer.after(i, call);
    }
    for (int i = 0; i < count; i++) {
      observer.timed(i, recording.calls().get(i), (times[2 * i] - times[0]) / 1e6, (times[2 * i + 1] - times[0]) / 1e6);
    }
  }

  /** Runs one call to its end. */
  protected abstract void execute(int index);

  /**
   * Copies a tensor's present contents to {@code into}, from element {@code offset} on.
   *
   * @throws IllegalArgumentException if the tensor is none of this program's, or there is no room for it
   */
  public final void read(Tensor tensor, float[] into, int offset) {
    requireOpen();
    if (!recording.has(tensor) || offset < 0 || into.length - offset < tensor.shape().elements()) {
      throw new IllegalArgumentException(tensor + " is none of this program's, or does not fit behind the first "
          + offset + " of " + into.length + " elements");
    }
    copy(tensor, into, offset);
  }

  /** {@link #read(Tensor, float[], int)} once its arguments are checked. */
  protected abstract void copy(Tensor tensor, float[] into, int offset);

  /** A tensor's present contents. */
  public final float[] read(Tensor tensor) {
    float[] values = new float[Math.toIntExact(tensor.shape().elements())];
    read(tensor, values, 0);
    return values;
  }

  /**
   * An output's contents after {@link #run()}.
   *
   * @throws IllegalArgumentException if there is no such output
   */
  public final float[] read(String output) {
    Tensor tensor = recording.outputs().get(output);
    if (tensor == null) {
      throw new IllegalArgumentException(
          "the program has no output " + output + "; it has " + recording.outputs().keySet());
    }
    return read(tensor);
  }

  /** Bytes of memory the program holds besides the weights. */
  public abstract long workspaceBytes();

  /** @throws IllegalStateException if the program is closed */
  protected final void requireOpen() {
    if (closed) {
      throw new IllegalStateException("the program is closed");
    }
  }

  /** Idempotent. */
  @Override
  public final void close() {
    if (!closed) {
      closed = true;
      release();
    }
  }

  /** Frees what the program holds; called once. */
  protected abstract void release();
}
