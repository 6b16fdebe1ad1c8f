package io.vertebra.cuda;

import io.vertebra.backend.Backend;
import io.vertebra.backend.Ceilings;
import io.vertebra.backend.Ceilings.Level;
import io.vertebra.backend.Preprocessor;
import io.vertebra.backend.Program;
import io.vertebra.backend.WeightStore;
import io.vertebra.backend.WeightStore.Form;
import io.vertebra.cuda.runtime.GpuKernel;
import io.vertebra.cuda.runtime.GpuRuntime;
import io.vertebra.cuda.runtime.GpuType;
import io.vertebra.image.Preprocessing;
import io.vertebra.natives.Unloading;
import io.vertebra.program.Recording;
import io.vertebra.program.op.Weights;
import io.vertebra.tensor.Closing;
import io.vertebra.tensor.Precision;
import io.vertebra.tensor.Shape;
import io.vertebra.weights.Parameter;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * A CUDA device. Activations and the weights of products are stored in the precision's type; arithmetic, and all that
 * belongs to a channel (biases, norms, attention biases, filters), is in fp32. Every program has a stream of its own.
 */
public final class CudaBackend implements Backend {
  /** Dynamic shared memory that no kernel needs to be allowed, whatever it has of static. */
  private static final int SHARED_WITHOUT_LEAVE = 32 << 10;

  private final GpuRuntime runtime;
  private final Precision precision;
  private final CudaOptions options;
  private final WeightStore store;
  private final Map<String, Integer> allowed = new HashMap<>();

  /** @param runtime the device, closed with this backend */
  public CudaBackend(GpuRuntime runtime, Precision precision) {
    this(runtime, precision, CudaOptions.DEFAULT);
  }

  CudaBackend(GpuRuntime runtime, Precision precision, CudaOptions options) {
    this.runtime = runtime;
    this.precision = precision;
    this.options = options;
    this.store = new WeightStore("CUDA", () -> Closing.all(List.of(runtime::close, Unloading::release)));
    Unloading.retain();
  }

  @Override
  public String describe() {
    return "cuda, " + runtime.describe() + ", " + precision.name().toLowerCase(Locale.ROOT);
  }

  GpuRuntime runtime() {
    return runtime;
  }

  CudaOptions options() {
    return options;
  }

  /** What activations and the weights of products are stored in. */
  GpuType type() {
    return typeOf(precision);
  }

  /** @throws IllegalArgumentException if CUDA does not compute in that precision */
  static GpuType typeOf(Precision precision) {
    return switch (precision) {
      case FP32, TF32 -> GpuType.F32;
      case FP16 -> GpuType.F16;
      case BF16 -> GpuType.BF16;
      case INT8 -> throw new IllegalArgumentException(
          "CUDA computes in fp32, tf32, fp16 and bf16; " + precision + " needs device cpu");
    };
  }

  /** Whether products of fp32 may round their operands to TF32. */
  boolean tf32() {
    return precision == Precision.TF32;
  }

  /**
   * The kernel of this name, ready for launches with so much dynamic shared memory.
   *
   * @throws IllegalArgumentException if the device does not have that much
   */
  GpuKernel kernel(String name, long sharedBytes) {
    GpuKernel kernel = runtime.kernel(name);
    if (sharedBytes > runtime.sharedMemory()) {
      throw new IllegalArgumentException(name + " would need " + sharedBytes
          + " bytes of shared memory for an input of this size; the device has " + runtime.sharedMemory());
    }
    synchronized (allowed) {
      // What a kernel is allowed is one number, and programs of other sizes count on theirs.
      if (sharedBytes > allowed.getOrDefault(name, SHARED_WITHOUT_LEAVE)) {
        kernel.allowShared((int) sharedBytes);
        allowed.put(name, (int) sharedBytes);
      }
    }
    return kernel;
  }

  @Override
  public Ceilings ceilings(double seconds) {
    return store.using(() -> {
      try (Measurements device = new Measurements(runtime)) {
        long cache = runtime.cacheBytes();
        // Two blocks that take half of the cache, and two that take eight times what it has.
        List<Level> levels = List.of(new Level("L2", cache, device.copies(cache / 4, seconds)),
            Level.memory(device.copies(4 * cache, seconds)));
        return new Ceilings("cuBLAS", device.products(type(), tf32(), seconds), levels, 1, elementBytes());
      }
    });
  }

  /** Bytes of an element of activations. */
  int elementBytes() {
    return type().bytes();
  }

  @Override
  public Weights packMatrix(Parameter matrix) {
    Backend.requireMatrix(matrix);
    return store.pack(Form.MATRIX, matrix.shape(), () -> CudaMemory.of(runtime, Encoding.of(matrix, type())));
  }

  /** As a matrix: a convolution is a product over gathered rows. */
  @Override
  public Weights packConvolution(Parameter matrix) {
    return packMatrix(matrix);
  }

  @Override
  public Weights packValues(Shape shape, float[] values) {
    Backend.requireSize(shape, values);
    return store.pack(Form.VALUES, shape, () -> CudaMemory.of(runtime, Encoding.of(values)));
  }

  /** Address of a matrix in {@link #type}. */
  long matrix(Weights weights) {
    return store.address(weights, Form.MATRIX);
  }

  /** Address of fp32 values; 0 for null. */
  long values(Weights weights) {
    return weights == null ? 0 : store.address(weights, Form.VALUES);
  }

  @Override
  public Program compile(Recording recording) {
    return compile(recording, null);
  }

  Program compile(Recording recording, CudaPreprocessor preprocessor) {
    return store.acquired(() -> new CudaProgram(recording, this, preprocessor));
  }

  @Override
  public long loaded() {
    return store.loaded();
  }

  @Override
  public long programBytes(Recording recording) {
    return store.using(() -> CudaProgram.bytes(recording, this) + WeightStore.lateBytes(recording));
  }

  @Override
  public Preprocessor preprocessor(Preprocessing recipe) {
    return store.acquired(() -> new CudaPreprocessor(recipe, this));
  }

  /** A program or a preprocessor has been closed. */
  void release() {
    store.release();
  }

  @Override
  public void close() {
    store.close();
  }
}
