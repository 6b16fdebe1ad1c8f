package io.vertebra.program;

import java.nio.FloatBuffer;

/**
 * A {@link Recording} bound to a backend: memory placed, kernels chosen, nothing left to check or allocate. Write the
 * input, run, read the outputs. Not thread-safe; close it to free its workspace.
 */
public abstract class Program implements AutoCloseable {
  private final Recording recording;

  protected Program(Recording recording) {
    this.recording = recording;
  }

  public final Recording recording() {
    return recording;
  }

  /** The input's memory, {@code [batch, height, width, channels]}: a direct buffer in native order, valid until the program is closed. */
  public abstract FloatBuffer input();

  /** Runs all calls. */
  public void run() {
    for (int i = 0; i < recording.calls().size(); i++) {
      execute(i);
    }
  }

  /** Runs call by call, with {@code observer} around each. */
  public final void run(Observer observer) {
    for (int i = 0; i < recording.calls().size(); i++) {
      Call call = recording.calls().get(i);
      observer.before(i, call);
      execute(i);
      observer.after(i, call);
    }
  }

  /** Runs one call to its end. */
  protected abstract void execute(int index);

  /** Copies a tensor's present contents to {@code into}, which has exactly that many elements. */
  public abstract void read(Tensor tensor, float[] into);

  /** A tensor's present contents. */
  public final float[] read(Tensor tensor) {
    float[] values = new float[Math.toIntExact(tensor.shape().elements())];
    read(tensor, values);
    return values;
  }

  /** An output's contents after {@link #run()}. */
  public final float[] read(String output) {
    return read(recording.outputs().get(output));
  }

  /** Bytes of memory the program holds besides the weights. */
  public abstract long workspaceBytes();

  @Override
  public abstract void close();
}
