package io.vertebra.cpu;

import io.vertebra.Precision;
import io.vertebra.VertebraException;
import io.vertebra.image.Preprocessing;
import io.vertebra.image.Preprocessor;
import io.vertebra.program.Backend;
import io.vertebra.program.DType;
import io.vertebra.program.MemoryPlan;
import io.vertebra.program.Program;
import io.vertebra.program.Recording;
import io.vertebra.program.Shape;
import io.vertebra.program.Weights;
import io.vertebra.weights.Parameter;
import io.vertebra.weights.WeightsException;
import java.lang.ref.Cleaner;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.IntFunction;
import java.util.function.LongFunction;
import org.bytedeco.javacpp.BytePointer;

/** This machine's CPU: the native kernels, on a thread pool of their own that all programs share. */
public final class CpuBackend implements Backend {
  /** Far beyond any machine; a slip of the hand would take all threads the system has. */
  private static final int MAX_THREADS = 4096;
  /** Bytes that a bandwidth measurement may copy at a time. */
  private static final long MAX_COPY = 1L << 40;

  /** Activations that stay in cache from one operation to the next, weights passing through besides: two thirds of an L3 of 32 MB. */
  private static final long CACHED_BYTES = 21L << 20;

  /** Weights that may be garbage for all this knows; beyond that the collector is asked to look. */
  private static final long MIN_COLLECTED = 1L << 29;
  private static final Cleaner CLEANER = Cleaner.create();

  private final Set<NativeMemory> weights = Collections.newSetFromMap(new IdentityHashMap<>());
  private long weightBytes;
  private long collectAt = MIN_COLLECTED;
  private final int threads;
  private final Precision precision;
  private final long pool;
  private int users;
  private boolean closed;
  private boolean freed;

  /**
   * Weights as the kernels read them. Their memory is freed when the backend closes, or before that once nothing refers
   * to this object; what holds the address holds the recording, and so this.
   *
   * @param shape what they were given as
   */
  private record CpuWeights(CpuBackend owner, Form form, Shape shape, NativeMemory memory) implements Weights {}

  private enum Form {
    VALUES("values"), MATRIX("a packed matrix"), CONVOLUTION("a packed convolution");

    private final String label;

    Form(String label) {
      this.label = label;
    }
  }

  /** In single precision. */
  public CpuBackend(int threads) {
    this(threads, Precision.FP32);
  }

  /**
   * @param threads threads of one operation, the caller's included, up to 4096; 0: as many as CPUs this process may use
   * @param precision arithmetic of matrix products
   * @throws VertebraException if the native library does not load or VERTEBRA_ISA asks for what is not there
   */
  public CpuBackend(int threads, Precision precision) {
    if (threads < 0 || threads > MAX_THREADS) {
      throw new IllegalArgumentException("threads must be 1 to " + MAX_THREADS + ", or 0 for all: " + threads);
    }
    NativeRuntime.require();
    this.threads = threads == 0 ? Native.vtb_cpu_limit() : threads;
    this.precision = precision;
    this.pool = Native.vtb_pool_create(this.threads);
    if (pool == 0) {
      throw new VertebraException("the system refused to start " + this.threads + " threads; ask for fewer");
    }
  }

  /** Starts loading the native library in the background, for a caller with other things to do before it needs a backend. */
  public static void preload() {
    CompletableFuture.runAsync(NativeRuntime::require);
  }

  /** CPUs this process may use: the affinity mask and the container's quota, rounded up. */
  public static int cpuLimit() {
    NativeRuntime.require();
    return Native.vtb_cpu_limit();
  }

  /** The instruction set level in use: {@code generic}, {@code avx2}, {@code avx512}, {@code avx512_bf16} or {@code amx}. */
  public static String isa() {
    NativeRuntime.require();
    return Native.vtb_isa_name(Native.vtb_isa_level());
  }

  /** The highest instruction set level this machine grants. */
  public static String detectedIsa() {
    NativeRuntime.require();
    return Native.vtb_isa_name(Native.vtb_isa_detected());
  }

  /** Names of the kernels in use, separated by spaces. */
  public static String kernels() {
    NativeRuntime.require();
    return Native.vtb_kernel_names();
  }

  /** The folder that the native library was loaded from. */
  public static Path nativeFolder() {
    NativeRuntime.require();
    return NativeLibrary.folder().orElseThrow();
  }

  /** Bytes of native memory that weights, programs and sessions of this process hold. */
  public static long allocatedBytes() {
    return NativeMemory.allocated();
  }

  public int threads() {
    return threads;
  }

  /** FLOP/s that multiply-adds in registers reach on all threads together, in this backend's precision; where bf16 is emulated, in fp32. */
  public double measureFma(double seconds) {
    return using(handle -> Native.vtb_measure_fma(handle, arithmetic(), seconds));
  }

  /** Bytes per second, read and written, when every thread copies blocks of {@code bytes}. */
  public double measureCopy(long bytes, double seconds) {
    if (bytes < 1 || bytes > MAX_COPY / threads) {
      throw new IllegalArgumentException("blocks must have 1 to " + MAX_COPY / threads + " bytes: " + bytes);
    }
    return using(handle -> Native.vtb_measure_copy(handle, bytes, seconds));
  }

  @Override
  public String describe() {
    return "cpu, " + isa() + ", " + precision.name().toLowerCase(Locale.ROOT) + ", " + threads + (threads == 1 ? " thread" : " threads");
  }

  /** The {@code vtb_dtype} of products. */
  int arithmetic() {
    return precision == Precision.BF16 ? Native.VTB_BF16 : Native.VTB_F32;
  }

  @Override
  public Weights packMatrix(Parameter matrix) {
    Backend.requireMatrix(matrix);
    return using(handle -> keep(Form.MATRIX, matrix.shape(), packed(handle, matrix)));
  }

  /** In fp32 the taps are transformed; in bf16, where rounding transformed operands would cost accuracy, it stays a product over gathered rows. */
  @Override
  public Weights packConvolution(Parameter matrix) {
    Backend.requireMatrix(matrix);
    return using(handle -> keep(Form.CONVOLUTION, matrix.shape(),
        packed(handle, transformsConvolutions() ? Winograd.transformed(matrix) : matrix)));
  }

  /** Whether convolutions are packed for {@code vtb_winograd_conv} and not for {@code vtb_gemm}. */
  boolean transformsConvolutions() {
    return precision == Precision.FP32;
  }

  private NativeMemory packed(long handle, Parameter matrix) {
    int out = matrix.shape().dim(0);
    int in = matrix.shape().dim(1);
    // fp32 and the 16-bit types are packed from what lies in the file; anything else goes through fp32 first.
    int dtype = switch (matrix.dtype()) {
      case F16 -> Native.VTB_F16;
      case BF16 -> Native.VTB_BF16;
      default -> Native.VTB_F32;
    };
    Parameter source = matrix.dtype() == DType.F32 || dtype != Native.VTB_F32
        ? matrix : Parameter.of(matrix.name(), matrix.shape(), matrix.toFloats());
    ByteBuffer data = source.data();
    NativeMemory packed = new NativeMemory(Native.vtb_gemm_packed_bytes(arithmetic(), out, in));
    try (BytePointer bytes = new BytePointer(data)) {
      if (Native.vtb_gemm_pack(handle, bytes.address(), dtype, arithmetic(), out, in, packed.address()) != Native.VTB_OK) {
        throw new WeightsException(matrix.name() + " holds values that are NaN, infinite or too large; the checkpoint is damaged");
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
    return using(handle -> keep(Form.VALUES, shape, NativeMemory.of(values)));
  }

  @Override
  public Program compile(Recording recording) {
    return acquired(handle -> new CpuProgram(recording, this, handle));
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
  public Preprocessor preprocessor(Preprocessing recipe) {
    return acquired(handle -> new CpuPreprocessor(recipe, this, handle));
  }

  /** Address of a packed matrix. */
  long matrix(Weights weights) {
    return address(weights, Form.MATRIX);
  }

  /** Address of a packed convolution. */
  long convolution(Weights weights) {
    return address(weights, Form.CONVOLUTION);
  }

  /** Address of values as they are; 0 for null. */
  long values(Weights weights) {
    return weights == null ? 0 : address(weights, Form.VALUES);
  }

  private long address(Weights weights, Form form) {
    if (!(weights instanceof CpuWeights own) || own.owner != this) {
      throw new IllegalArgumentException("weights " + weights.shape() + " were packed by another backend");
    }
    if (own.form != form) {
      throw new IllegalArgumentException("weights " + weights.shape() + " are " + own.form.label + ", not " + form.label);
    }
    return own.memory.address();
  }

  /** The native pool's handle, valid until this is closed. */
  public synchronized long pool() {
    if (closed) {
      throw new IllegalStateException("the CPU backend is closed");
    }
    return pool;
  }

  /** Makes something that keeps pool and weights alive until it calls {@link #release}. */
  private <T> T acquired(LongFunction<T> maker) {
    synchronized (this) {
      pool();
      users++;
    }
    try {
      return maker.apply(pool);
    } catch (RuntimeException | Error e) {
      release();
      throw e;
    }
  }

  private <T> T using(LongFunction<T> body) {
    T result = acquired(body);
    release();
    return result;
  }

  synchronized void release() {
    users--;
    freeUnused();
  }

  private synchronized CpuWeights keep(Form form, Shape shape, NativeMemory memory) {
    CpuWeights made = new CpuWeights(this, form, shape, memory);
    CLEANER.register(made, () -> discard(memory));
    weights.add(memory);
    weightBytes += memory.bytes();
    if (weightBytes > collectAt) {
      // The collector sees small objects and may leave them for long; it cannot know what memory stands behind them.
      collectAt = 2 * weightBytes;
      System.gc();
    }
    return made;
  }

  /** Frees weights nothing refers to any more. */
  private synchronized void discard(NativeMemory memory) {
    if (weights.remove(memory)) {
      memory.close();
      weightBytes -= memory.bytes();
      collectAt = Math.max(MIN_COLLECTED, 2 * weightBytes);
    }
  }

  @Override
  public synchronized void close() {
    closed = true;
    freeUnused();
  }

  private void freeUnused() {
    if (closed && users == 0 && !freed) {
      freed = true;
      weights.forEach(NativeMemory::close);
      weights.clear();
      Native.vtb_pool_destroy(pool);
    }
  }
}
