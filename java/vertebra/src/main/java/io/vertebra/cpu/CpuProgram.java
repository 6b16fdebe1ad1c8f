package io.vertebra.cpu;

import io.vertebra.backend.Program;
import io.vertebra.image.Image;
import io.vertebra.program.MemoryPlan;
import io.vertebra.program.Recording;
import io.vertebra.tensor.Tensor;
import io.vertebra.tensor.VertebraException;
import java.lang.ref.Reference;
import java.nio.FloatBuffer;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A list of native functions and the addresses of their argument structs. A run is one native call a step and creates
 * nothing.
 */
final class CpuProgram extends Program {
  private final CpuBackend backend;
  private final long pool;
  private final CpuPreprocessor preprocessor;
  private final MemoryPlan plan;
  private final NativeMemory workspace;
  private final CpuBinder binder;
  private final CpuBinder.Step[] steps;
  private final List<FloatBuffer> inputs;
  private final Map<Tensor, FloatBuffer> outputs = new HashMap<>();

  /** The backend is released when this is closed. */
  CpuProgram(Recording recording, CpuBackend backend, long pool, CpuPreprocessor preprocessor) {
    super(recording, preprocessor);
    this.backend = backend;
    this.pool = pool;
    this.preprocessor = preprocessor;
    this.plan = new MemoryPlan(recording);
    this.workspace = new NativeMemory(plan.bytes());
    this.binder = new CpuBinder(backend, tensor -> workspace.address() + plan.offset(tensor));
    try {
      this.steps = binder.bind(recording.calls(), backend.threads());
    } catch (RuntimeException | Error e) {
      free();
      throw e;
    }
    this.inputs = recording.inputs().stream().map(this::view).toList();
    recording.outputs().values().forEach(tensor -> outputs.put(tensor, view(tensor)));
  }

  private FloatBuffer view(Tensor tensor) {
    return workspace.buffer(plan.offset(tensor), tensor.shape().elements() * Float.BYTES).asFloatBuffer();
  }

  @Override
  protected FloatBuffer inputMemory(int index) {
    return inputs.get(index);
  }

  @Override
  protected void prepare(int element, Image image) {
    long input = workspace.address() + plan.offset(recording().inputs().get(0));
    preprocessor.apply(image, input + (long) element * preprocessor.recipe().elements() * Float.BYTES);
  }

  @Override
  protected void execute(int index) {
    CpuBinder.Step step = steps[index];
    try {
      if (step.kernel().run(pool, step.args()) != Native.VTB_OK) {
        throw new VertebraException("kernel failed: " + recording().calls().get(index));
      }
    } finally {
      // The kernel reads weights by address, and they live as long as the recording that this holds.
      Reference.reachabilityFence(this);
    }
  }

  @Override
  protected void copy(Tensor tensor, float[] into, int offset) {
    FloatBuffer kept = outputs.get(tensor);
    FloatBuffer values = kept == null ? view(tensor) : kept;
    values.get(0, into, offset, values.capacity());
  }

  @Override
  public long workspaceBytes() {
    return workspace.bytes() + binder.bytes();
  }

  @Override
  protected void release() {
    free();
    backend.release();
  }

  private void free() {
    workspace.close();
    binder.close();
  }
}
