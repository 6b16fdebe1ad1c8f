package io.vertebra.cpu;

import io.vertebra.backend.Backend;
import io.vertebra.backend.Ceilings;
import io.vertebra.backend.Preprocessor;
import io.vertebra.backend.Program;
import io.vertebra.backend.WeightStore;
import io.vertebra.backend.WeightStore.Block;
import io.vertebra.backend.WeightStore.Form;
import io.vertebra.image.Preprocessing;
import io.vertebra.natives.Unloading;
import io.vertebra.program.MemoryPlan;
import io.vertebra.program.Recording;
import io.vertebra.program.op.Weights;
import io.vertebra.tensor.Precision;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.VertebraException;
import io.vertebra.weights.Parameter;
import io.vertebra.weights.WeightsException;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.function.IntFunction;
import org.bytedeco.javacpp.BytePointer;

/** This machine's CPU: the native kernels, on a thread pool of their own that all programs share. */
public final class CpuBackend implements Backend {
  /** Far beyond any machine; a slip of the hand would take all threads the system has. */
  private static final int MAX_THREADS = 4096;
  /** Bytes that a bandwidth measurement may copy at a time. */
  private static final long MAX_COPY = 1L << 40;

  /**
   * Activations that stay in cache from one operation to the next, weights passing through besides: two thirds of an L3
   * of 32 MB.
   */
  private static final long CACHED_BYTES = 21L << 20;

  private final int threads;
  private final Precision precision;
  private final long pool;
  private final WeightStore store;
  private final Slabs slabs = new Slabs();

  /** In single precision. */
  public CpuBackend(int threads) {
    this(threads, Precision.FP32);
  }

  /**
   * @param threads threads of one operation, the caller's included, up to 4096; 0: as many as CPUs this process may use
   * @param precision {@link Precision#FP32}, {@link Precision#BF16} or {@link Precision#INT8}
   * @throws VertebraException if the native library does not load or VERTEBRA_ISA asks for what is not there
   */
  public CpuBackend(int threads, Precision precision) {
    if (threads < 0 || threads > MAX_THREADS) {
      throw new IllegalArgumentException("threads must be 1 to " + MAX_THREADS + ", or 0 for all: " + threads);
    }
    if (precision == Precision.TF32 || precision == Precision.FP16) {
      throw new IllegalArgumentException(
          "the CPU computes in fp32, bf16 and int8; " + precision + " needs device cuda");
    }
    NativeRuntime.require();
    this.threads = threads == 0 ? cpuLimit() : threads;
    this.precision = precision;
    this.pool = Native.vtb_pool_create(this.threads);
    if (pool == 0) {
      throw new VertebraException("the system refused to start " + this.threads + " threads; ask for fewer");
    }
    long started = pool;
    this.store = new WeightStore("CPU", () -> {
      Native.vtb_pool_destroy(started);
      Unloading.release();
    });
    Unloading.retain();
  }

  /**
   * Starts loading the native library in the background, for a caller with other things to do before it needs a
   * backend.
   */
  public static void preload() {
    CompletableFuture.runAsync(NativeRuntime::require);
  }

  /** The processor's name, or {@code unknown}. */
  public static String processor() {
    return Machine.processor();
  }

  /**
   * CPUs this process may use: the affinity mask and the container's quota, rounded up, or fewer if the JVM was told so
   * ({@code -XX:ActiveProcessorCount}).
   */
  public static int cpuLimit() {
    NativeRuntime.require();
    return Math.min(Native.vtb_cpu_limit(), Runtime.getRuntime().availableProcessors());
  }

  /**
   * The instruction set level in use: {@code generic}, {@code avx2}, {@code avx512}, {@code avx512_vnni},
   * {@code avx512_bf16} or {@code amx}.
   */
  public static String isa() {
    NativeRuntime.require();
    return Native.vtb_isa_name(Native.vtb_isa_level());
  }

  /** The highest instruction set level this machine grants. */
  public static String detectedIsa() {
    NativeRuntime.require();
    return Native.vtb_isa_name(Native.vtb_isa_detected());
  }

  /** Why {@link #isa} is not a higher level, as an English clause; empty at {@code amx}, the highest. */
  public static String isaLimit() {
    NativeRuntime.require();
    return Native.vtb_isa_limit();
  }

  /** Names of the kernels in use, separated by spaces. */
  public static String kernels() {
    NativeRuntime.require();
    return Native.vtb_kernel_names();
  }

  /** The folder that the native library was loaded from. */
  public static Path nativeFolder() {
    NativeRuntime.require();
    return NativeConfig.LIBRARY.folder();
  }

  /** Bytes of native memory that weights, programs and sessions of this process hold. */
  public static long allocatedBytes() {
    return NativeMemory.allocated();
  }

  public int threads() {
    return threads;
  }

  /**
   * FLOP/s that multiply-adds in registers reach on all threads together, in this backend's precision; where that is
   * emulated, in fp32.
   */
  public double measureFma(double seconds) {
    return store.using(() -> Native.vtb_measure_fma(pool, arithmetic(), seconds));
  }

  /** Bytes per second, read and written, when every thread copies blocks of {@code bytes}. */
  double measureCopy(long bytes, double seconds) {
    if (bytes < 1 || bytes > MAX_COPY / threads) {
      throw new IllegalArgumentException("blocks must have 1 to " + MAX_COPY / threads + " bytes: " + bytes);
    }
    return store.using(() -> Native.vtb_measure_copy(pool, bytes, seconds));
  }

  @Override
  public Ceilings ceilings(double seconds) {
    return Machine.ceilings(this, seconds);
  }

  @Override
  public String describe() {
    return "cpu, " + isa() + ", " + precision + ", " + threads + (threads == 1 ? " thread" : " threads");
  }

  /** The {@code vtb_dtype} of products. */
  int arithmetic() {
    return switch (precision) {
      case BF16 -> Native.VTB_BF16;
      case INT8 -> Native.VTB_INT8;
      default -> Native.VTB_F32;
    };
  }

  @Override
  public Weights packMatrix(Parameter matrix) {
    Backend.requireMatrix(matrix);
    int out = matrix.shape().dim(0);
    int in = matrix.shape().dim(1);
    return store.pack(Form.MATRIX, matrix.shape(),
        () -> packed(matrix, Native.vtb_gemm_packed_bytes(arithmetic(), out, in),
            (values, dtype, packed) -> Native.vtb_gemm_pack(pool, values, dtype, arithmetic(), out, in, packed)));
  }

  /**
   * The taps are transformed, and stay fp32 in every precision: rounding transformed operands would cost accuracy, and
   * gathering and rounding every pixel nine times costs what a faster product would gain.
   */
  @Override
  public Weights packConvolution(Parameter matrix) {
    Backend.requireMatrix(matrix);
    int out = matrix.shape().dim(0);
    int in = matrix.shape().dim(1) / 9;
    return store.pack(Form.CONVOLUTION, matrix.shape(),
        () -> packed(matrix, Native.vtb_convolution_packed_bytes(out, in),
            (values, dtype, packed) -> Native.vtb_convolution_pack(pool, values, dtype, out, in, packed)));
  }

  /** Packs values of a {@code vtb_dtype}; from and to an address; returns a {@code vtb_status}. */
  @FunctionalInterface
  private interface Packer {
    int pack(long values, int dtype, long packed);
  }

  /**
   * fp32 and the 16-bit types are packed as they are in a file; anything else is put together in fp32 first.
   */
  private Block packed(Parameter matrix, long packedBytes, Packer packer) {
    int dtype = switch (matrix.dtype()) {
      case F32 -> Native.VTB_F32;
      case F16 -> Native.VTB_F16;
      case BF16 -> Native.VTB_BF16;
      default -> -1;
    };
    if (dtype >= 0 && !matrix.isComputed()) {
      return matrix.read(data -> {
        try (BytePointer bytes = new BytePointer(data)) {
          return packed(matrix.name(), bytes.address(), dtype, packedBytes, packer);
        }
      });
    }
    long bytes = matrix.shape().elements() * Float.BYTES;
    try (NativeMemory floats = new NativeMemory(bytes)) {
      matrix.write(floats.buffer(0, bytes).asFloatBuffer());
      return packed(matrix.name(), floats.address(), Native.VTB_F32, packedBytes, packer);
    }
  }

  private Block packed(String name, long values, int dtype, long packedBytes, Packer packer) {
    Block packed = slabs.allocate(packedBytes);
    try {
      if (packer.pack(values, dtype, packed.address()) != Native.VTB_OK) {
        throw new WeightsException(
            name + " holds values that are NaN, infinite or too large; the checkpoint is damaged");
      }
      return packed;
    } catch (RuntimeException | Error e) {
      packed.close();
      throw e;
    }
  }

  @Override
  public Weights packValues(Shape shape, float[] values) {
    Backend.requireSize(shape, values);
    return store.pack(Form.VALUES, shape, () -> NativeMemory.of(values));
  }

  @Override
  public Program compile(Recording recording) {
    return compile(recording, null);
  }

  Program compile(Recording recording, CpuPreprocessor preprocessor) {
    return store.acquired(() -> new CpuProgram(recording, this, pool, preprocessor));
  }

  /** As many as have their activations in the last level of cache, in pieces of equal size as far as it goes. */
  @Override
  public int piece(int batch, IntFunction<Recording> record) {
    if (batch == 1) {
      return 1;
    }
    long most = Math.max(1, CACHED_BYTES / new MemoryPlan(record.apply(1)).bytes());
    long pieces = (batch + most - 1) / most;
    return (int) ((batch + pieces - 1) / pieces);
  }

  @Override
  public long loaded() {
    return store.loaded() + slabs.spare();
  }

  @Override
  public long programBytes(Recording recording) {
    return store.using(() -> {
      try (CpuBinder binder = CpuBinder.counting(this)) {
        binder.bind(recording.calls(), threads);
        return new MemoryPlan(recording).bytes() + binder.bytes() + WeightStore.lateBytes(recording);
      }
    });
  }

  @Override
  public Preprocessor preprocessor(Preprocessing recipe) {
    return store.acquired(() -> new CpuPreprocessor(recipe, this, pool));
  }

  /** Address of a packed matrix. */
  long matrix(Weights weights) {
    return store.address(weights, Form.MATRIX);
  }

  /** Address of a packed convolution. */
  long convolution(Weights weights) {
    return store.address(weights, Form.CONVOLUTION);
  }

  /** Address of values as they are; 0 for null. */
  long values(Weights weights) {
    return weights == null ? 0 : store.address(weights, Form.VALUES);
  }

  /** The native pool's handle, valid until this is closed. */
  public long pool() {
    store.requireOpen();
    return pool;
  }

  void release() {
    store.release();
  }

  @Override
  public void close() {
    store.close();
  }
}
