package io.vertebra.cuda;

import io.vertebra.cuda.CudaOptions.Products;
import io.vertebra.cuda.natives.Native;
import io.vertebra.cuda.runtime.GpuType;
import io.vertebra.program.op.Activation;
import io.vertebra.program.op.Epilogue;
import io.vertebra.program.op.Linear;
import io.vertebra.tensor.Shape;

/**
 * How the matrix product {@code [m, k] x [n, k]^T} of a layer runs: by {@code vtb_gemm}, which gathers its rows and
 * applies the epilogue itself, or by cuBLAS, for which the rows are gathered before and the epilogue is a pass of its
 * own. Rows with a norm are made before in either case. What is estimated to be faster is done; see {@link Assumed}.
 *
 * @param gathers whether the rows of the left operand are made before, in scratch memory
 * @param tile outputs along each side of a block's tile, if {@code vtb_gemm} multiplies; 0 for cuBLAS
 * @param finishes whether the epilogue is a pass of its own
 * @param apart whether the product that this pass reads lies in scratch memory; else in the output
 * @param elementBytes of the operands and the product
 */
record ProductPlan(int m, int n, int k, boolean gathers, int tile, boolean finishes, boolean apart, int elementBytes) {
  /** Device addresses of scratch memory and what begins on it are multiples of this. */
  private static final long ALIGNMENT = 256;

  /**
   * What products are estimated by. These are assumptions, not measurements: rounded figures of an H100, and for
   * {@code vtb_gemm} about half of what its instructions could reach. Microseconds.
   *
   * @param small a step of {@code vtb_gemm} through k with tiles of 64, of which a multiprocessor has two; bound by
   *   latency
   * @param large a step with tiles of 128, of which it has one; bound by arithmetic
   * @param cublasFlops of cuBLAS, once it has started
   */
  private record Assumed(double small, double large, double cublasFlops) {
    private static final Assumed HALVES = new Assumed(0.25, 0.42, 500e6);
    private static final Assumed FP32 = new Assumed(0.4, 1.7, 50e6);
    private static final Assumed TF32 = new Assumed(FP32.small, FP32.large, 250e6);
    /** A kernel however little it does, a product of cuBLAS, which may take two, and bytes moved. */
    private static final double KERNEL = 2;
    private static final double CUBLAS = 4;
    private static final double BYTES = 3e6;

    static Assumed of(CudaBackend backend) {
      return backend.type() != GpuType.F32 ? HALVES : backend.tf32() ? TF32 : FP32;
    }

    double step(int tile, double tiles, int multiprocessors) {
      return tile == Native.VTBC_GEMM_SMALL_TILE ? small * Math.max(1, tiles / (2 * multiprocessors))
          : large * Math.max(1, tiles / multiprocessors);
    }

    static double pass(double bytes) {
      return KERNEL + 2 * bytes / BYTES;
    }
  }

  static ProductPlan of(Linear op, Shape in, CudaBackend backend) {
    Epilogue epilogue = op.epilogue();
    boolean mapped = op.rows().map() != null;
    int m = mapped ? op.rows().map().size() : in.rows();
    int n = op.weights().shape().dim(0);
    int k = op.weights().shape().dim(1);
    int bytes = backend.type().bytes();
    boolean normed = op.rows().norm() != null;
    boolean bare = epilogue.bias() == null && epilogue.activation() == Activation.IDENTITY && epilogue.gate() == null
        && epilogue.residual() == null && epilogue.map() == null;
    // A residual that is shaped like the output may lie where the output is to lie.
    boolean apart = epilogue.map() != null || epilogue.residual() != null && epilogue.residualRows() == null;
    ProductPlan small = new ProductPlan(m, n, k, normed, Native.VTBC_GEMM_SMALL_TILE, false, false, bytes);
    ProductPlan large = new ProductPlan(m, n, k, normed, Native.VTBC_GEMM_LARGE_TILE, false, false, bytes);
    ProductPlan cublas = new ProductPlan(m, n, k, normed || mapped, 0, !bare, apart, bytes);
    Assumed rates = Assumed.of(backend);
    int multiprocessors = backend.runtime().multiprocessors();
    ProductPlan fused = large.micros(rates, multiprocessors) < small.micros(rates, multiprocessors) ? large : small;
    Products wanted = backend.options().products();
    boolean pays = cublas.micros(rates, multiprocessors) < fused.micros(rates, multiprocessors);
    return wanted == Products.CUBLAS || wanted == Products.RULE && pays ? cublas : fused;
  }

  /** The same where the rows have been made already. */
  ProductPlan withRows() {
    return new ProductPlan(m, n, k, false, tile, finishes, apart, elementBytes);
  }

  /** The time this is estimated to take. */
  private double micros(Assumed rates, int multiprocessors) {
    double gather = gathers ? Assumed.pass(rowBytes()) : 0;
    if (cublas()) {
      return gather + Assumed.CUBLAS + 2.0 * m * n * k / rates.cublasFlops
          + (finishes ? Assumed.pass(productBytes()) : 0);
    }
    double steps = Math.ceil((double) k * elementBytes / Native.VTBC_GEMM_STEP_BYTES);
    long tiles = Native.vtbc_gemm_tiles(m, n, tile);
    return gather + Assumed.KERNEL + steps * rates.step(tile, tiles, multiprocessors);
  }

  boolean cublas() {
    return tile == 0;
  }

  /** Of the gathered rows. */
  long rowBytes() {
    return (long) m * k * elementBytes;
  }

  long productBytes() {
    return (long) m * n * elementBytes;
  }

  /** Where the product begins in scratch memory. */
  long productOffset() {
    return gathers ? (rowBytes() + ALIGNMENT - 1) & -ALIGNMENT : 0;
  }

  long scratchBytes() {
    return apart ? productOffset() + productBytes() : gathers ? rowBytes() : 0;
  }
}
